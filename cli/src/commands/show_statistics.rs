//! `mip4ctl show statistics`

use std::sync::Arc;

use store::{Counter, Counters, Role, Table};

use crate::cell::{Cell, Column};
use crate::failure::Stop;
use crate::output::{Listing, Sort};
use crate::selector::{Field, Selector, Subject};
use crate::session::Session;
use crate::view::{Freshness, View};

/// Show all that agents count, by the names of the MIB
///
/// In JSON a row is an agent and has its counters in `values`; elsewhere a row
/// is a counter.
#[derive(clap::Args, Debug)]
pub(crate) struct ShowStatistics {
    #[command(flatten)]
    selector: Selector,
    #[command(flatten)]
    sort: Sort,
}

impl ShowStatistics {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        self.selector.require(Field::AGENTS, "show statistics")?;
        if session.is_json() {
            self.sort.check(AGENT_COLUMNS)?;
        } else {
            self.sort.check(COUNTER_COLUMNS)?;
        }
        let view = session.read(&[Table::Counters, Table::Instances])?;
        let agents = agents(&view, &self.selector);
        if session.is_json() {
            self.print(session, &view, AGENT_COLUMNS, agents)
        } else {
            let counters = agents.iter().flat_map(AgentRow::counters).collect();
            self.print(session, &view, COUNTER_COLUMNS, counters)
        }
    }

    fn print<R: AsRef<AgentRow>>(
        &self,
        session: &mut Session,
        view: &View,
        columns: &[Column<R>],
        mut rows: Vec<R>,
    ) -> Result<(), Stop> {
        self.sort.apply(columns, &mut rows)?;
        let freshness: Vec<_> = rows.iter().map(|row| row.as_ref().freshness).collect();
        let listing = Listing::new(view.revision(), columns, &rows);
        session.print_selected("statistics", &self.selector, &freshness, listing)
    }
}

/// What one agent counts.
#[derive(Clone)]
pub(crate) struct AgentRow {
    counters: Arc<Counters>,
    freshness: Freshness,
}

impl AgentRow {
    /// A row for each of its counters, also those that are zero.
    fn counters(&self) -> impl Iterator<Item = CounterRow> {
        let role = self.counters.role;
        let own = Counter::ALL.iter().filter(move |counter| counter.belongs_to(role));
        own.map(|&counter| CounterRow { agent: self.clone(), counter })
    }
}

impl AsRef<Self> for AgentRow {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// One counter of an agent.
pub(crate) struct CounterRow {
    agent: AgentRow,
    counter: Counter,
}

impl CounterRow {
    fn value(&self) -> u64 {
        self.agent.counters.value(self.counter)
    }
}

impl AsRef<AgentRow> for CounterRow {
    fn as_ref(&self) -> &AgentRow {
        &self.agent
    }
}

fn agents(view: &View, selector: &Selector) -> Vec<AgentRow> {
    let counters = view.rows::<Counters>().iter();
    counters
        .filter(|counters| selector.matches(&subject(counters)))
        .map(|counters| AgentRow {
            freshness: view.freshness(&counters.instance),
            counters: Arc::clone(counters),
        })
        .collect()
}

fn subject(counters: &Counters) -> Subject<'static> {
    let agents = |role| if counters.role == role { vec![counters.address] } else { Vec::new() };
    Subject {
        home_agents: agents(Role::HomeAgent),
        foreign_agents: agents(Role::ForeignAgent),
        ..Subject::default()
    }
}

const AGENT_COLUMNS: &[Column<AgentRow>] = &[
    Column::text("instance", "INSTANCE", |row| Cell::text(&row.counters.instance)),
    Column::text("role", "ROLE", |row| Cell::text(row.counters.role.as_str())),
    Column::text("address", "ADDRESS", |row| Cell::Address(row.counters.address)),
    Column::detail("values", |row| {
        let pair = |row: CounterRow| (row.counter.descriptor(), Cell::Number(row.value()));
        Cell::Map(row.counters().map(pair).collect())
    }),
    Column::detail("discontinuity_at", |row| Cell::Instant(row.counters.discontinuity_at)),
    Column::text("freshness", "STATE", |row| Cell::text(row.freshness.word())),
];

pub(crate) const COUNTER_COLUMNS: &[Column<CounterRow>] = &[
    Column::text("instance", "INSTANCE", |row| Cell::text(&row.agent.counters.instance)),
    Column::text("role", "ROLE", |row| Cell::text(row.agent.counters.role.as_str())),
    Column::text("address", "ADDRESS", |row| Cell::Address(row.agent.counters.address)),
    Column::text("counter", "COUNTER", |row| Cell::text(row.counter.descriptor())),
    Column::number("value", "VALUE", |row| Cell::Number(row.value())),
    Column::detail("discontinuity_at", |row| Cell::Instant(row.agent.counters.discontinuity_at)),
    Column::detail("freshness", |row| Cell::text(row.agent.freshness.word())),
];
