//! `mip4ctl show violations`

use std::sync::Arc;

use store::{Identity, Instance, Role, Table, Violation};

use crate::cell::{Cell, Column};
use crate::failure::Stop;
use crate::output::Sort;
use crate::selector::{Field, Selector, Subject};
use crate::session::Session;
use crate::view::{Freshness, View};
use crate::words;

/// Show who failed the security checks of agents
#[derive(clap::Args, Debug)]
pub(crate) struct ShowViolations {
    #[command(flatten)]
    selector: Selector,
    #[command(flatten)]
    sort: Sort,
}

impl ShowViolations {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        let fields =
            [Field::HomeAddress, Field::Nai, Field::Network, Field::HomeAgent, Field::ForeignAgent];
        self.selector.require(&fields, "show violations")?;
        self.sort.check(COLUMNS)?;
        let view = session.read(&[Table::Violations, Table::Instances])?;
        let rows = (view.revision(), rows(&view, &self.selector));
        let options = (&self.selector, &self.sort);
        session.show("violations", options, COLUMNS, rows, |row| row.freshness)
    }
}

/// A violation, and whether who saw it is there.
pub(crate) struct ViolationRow {
    violation: Arc<Violation>,
    freshness: Freshness,
}

fn rows(view: &View, selector: &Selector) -> Vec<ViolationRow> {
    let violations = view.rows::<Violation>().iter();
    violations
        .filter(|row| selector.matches(&subject(row, view.instance(&row.instance))))
        .map(|violation| ViolationRow {
            freshness: view.freshness(&violation.instance),
            violation: Arc::clone(violation),
        })
        .collect()
}

fn subject<'v>(violation: &'v Violation, instance: Option<&Arc<Instance>>) -> Subject<'v> {
    let home_address = match &violation.violator {
        Identity::Address(address) => Some(*address),
        Identity::Nai(_) => None,
    };
    let addresses = |role| match instance {
        Some(instance) if violation.role == role => instance.addresses.clone(),
        _ => Vec::new(),
    };
    Subject {
        home_address,
        nai: words::nai(&violation.violator),
        home_agents: addresses(Role::HomeAgent),
        foreign_agents: addresses(Role::ForeignAgent),
        ..Subject::default()
    }
}

pub(crate) const COLUMNS: &[Column<ViolationRow>] = &[
    Column::text("violator", "VIOLATOR", |row| match &row.violation.violator {
        Identity::Address(address) => Cell::Address(*address),
        Identity::Nai(nai) => Cell::text(nai),
    }),
    Column::detail("violator_type", |row| {
        Cell::text(words::identity_type(&row.violation.violator))
    }),
    Column::text("address", "FROM", |row| Cell::Address(row.violation.address)),
    Column::text("role", "SEEN BY", |row| Cell::text(row.violation.role.as_str())),
    Column::number("count", "COUNT", |row| Cell::Number(row.violation.count)),
    Column::text("reason", "LAST REASON", |row| {
        Cell::text(words::violation_reason(row.violation.reason))
    }),
    Column::number("spi", "SPI", |row| Cell::Number(row.violation.spi.0.into())),
    Column::number("code", "CODE", |row| {
        Cell::of(row.violation.code, |code| Cell::Number(code.0.into()))
    }),
    Column::text("at", "LAST AT", |row| Cell::Instant(row.violation.at)),
    Column::detail("identification_high", |row| {
        Cell::Number(row.violation.identification.high().into())
    }),
    Column::detail("identification_low", |row| {
        Cell::Number(row.violation.identification.low().into())
    }),
    Column::detail("instance", |row| Cell::text(&row.violation.instance)),
    Column::detail("freshness", |row| Cell::text(row.freshness.word())),
];
