//! `mip4ctl show status`

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use store::{Binding, ClockState, Instance, Role, Table};

use crate::cell::{Cell, Column};
use crate::failure::Stop;
use crate::output::{Listing, Sort};
use crate::selector::{Field, Selector, Subject};
use crate::session::Session;
use crate::source::Health;
use crate::view::{Freshness, View};
use crate::words;

/// Show the daemons, whether they are alive, and the store
#[derive(clap::Args, Debug)]
pub(crate) struct ShowStatus {
    #[command(flatten)]
    selector: Selector,
    #[command(flatten)]
    sort: Sort,
}

impl ShowStatus {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        self.selector.require(Field::AGENTS, "show status")?;
        self.sort.check(COLUMNS)?;
        let view = session.read(&[Table::Instances, Table::Bindings])?;
        let health = session.ask(|source| source.health())?;
        let mut rows = rows(&view, &self.selector);
        self.sort.apply(COLUMNS, &mut rows)?;
        // An instance that said goodbye is as it should be; its rows are not.
        let freshness: Vec<_> = rows
            .iter()
            .map(
                |row| {
                    if row.freshness == Freshness::Gone { Freshness::Live } else { row.freshness }
                },
            )
            .collect();
        let mut preface = preface(session, &health, &view);
        let at = preface.len().saturating_sub(1);
        preface.splice(at..at, rows.iter().filter_map(clock_alarm));
        let listing = Listing {
            about: Some(("store", about(session, &health, &view))),
            preface: &preface,
            ..Listing::new(view.revision(), COLUMNS, &rows)
        };
        session.print_selected("instances", &self.selector, &freshness, listing)
    }
}

/// What to say of an instance with whose clock most mobile nodes disagree.
fn clock_alarm(row: &InstanceRow) -> Option<String> {
    let health = row.instance.clock_health?;
    if health.state != ClockState::Suspect || !row.freshness.is_live() {
        return None;
    }
    let offset = health.offset.unwrap_or_default();
    let (disagreeing, nodes) = (health.disagreeing, health.nodes);
    let name = Cell::text(&row.instance.name).for_people();
    Some(format!(
        "ALARM:     the clock of `{name}` may be wrong: {disagreeing} of {nodes} mobile nodes \
         disagreed lately, typically by {} s",
        tenths(offset)
    ))
}

/// Milliseconds as seconds with a sign and one digit.
fn tenths(milliseconds: i64) -> String {
    let sign = if milliseconds < 0 { '-' } else { '+' };
    let tenths = milliseconds.unsigned_abs() / 100;
    format!("{sign}{}.{}", tenths / 10, tenths % 10)
}

fn about(session: &Session, health: &Health, view: &View) -> serde_json::Value {
    json!({
        "url": session.store.url,
        "engine": health.engine,
        "revision": health.revision,
        "age_seconds": health.age.as_secs(),
        "healthy": health.degraded.is_none(),
        "degraded": health.degraded,
        "bindings": view.rows::<Binding>().len(),
    })
}

fn preface(session: &Session, health: &Health, view: &View) -> Vec<String> {
    let condition = health.degraded.as_deref().map_or_else(
        || "healthy".to_owned(),
        |words| format!("degraded: {}", Cell::text(words).for_people()),
    );
    vec![
        format!("Store:     {} ({})", session.store.url, health.engine),
        format!("Revision:  {}", health.revision),
        format!("Health:    {condition}"),
        format!("Bindings:  {}", view.rows::<Binding>().len()),
        String::new(),
    ]
}

pub(crate) struct InstanceRow {
    pub(super) instance: Arc<Instance>,
    pub(super) freshness: Freshness,
    heartbeat_age_seconds: u64,
    uptime_seconds: u64,
    bindings: u64,
}

pub(super) fn rows(view: &View, selector: &Selector) -> Vec<InstanceRow> {
    let mut bindings: BTreeMap<&str, u64> = BTreeMap::new();
    for binding in view.rows::<Binding>().iter() {
        *bindings.entry(&binding.instance).or_default() += 1;
    }
    let instances = view.rows::<Instance>().iter();
    instances
        .filter(|instance| selector.matches(&subject(instance)))
        .map(|instance| InstanceRow {
            freshness: view.freshness(&instance.name),
            heartbeat_age_seconds: view.heartbeat_age(instance).as_secs(),
            uptime_seconds: instance.heartbeat_at.since(instance.started_at).as_secs(),
            bindings: bindings.get(instance.name.as_str()).copied().unwrap_or(0),
            instance: Arc::clone(instance),
        })
        .collect()
}

fn subject(instance: &Instance) -> Subject<'static> {
    let agents = |role| {
        if instance.roles.contains(&role) { instance.addresses.clone() } else { Vec::new() }
    };
    Subject {
        home_agents: agents(Role::HomeAgent),
        foreign_agents: agents(Role::ForeignAgent),
        ..Subject::default()
    }
}

pub(crate) const COLUMNS: &[Column<InstanceRow>] = &[
    Column::text("name", "INSTANCE", |row| Cell::text(&row.instance.name)),
    Column::text("roles", "ROLES", |row| {
        Cell::list(row.instance.roles.iter().map(|role| role.as_str()))
    }),
    Column::text("addresses", "ADDRESSES", |row| {
        Cell::List(row.instance.addresses.iter().copied().map(Cell::Address).collect())
    }),
    Column::text("state", "STATE", |row| Cell::text(words::state(row.instance.state))),
    Column::text("freshness", "FRESHNESS", |row| Cell::text(row.freshness.word())),
    Column::number("heartbeat_age_seconds", "HEARTBEAT", |row| {
        Cell::Number(row.heartbeat_age_seconds)
    }),
    Column::number("clock_step_milliseconds", "CLOCK STEP", |row| {
        Cell::Signed(row.instance.clock_step)
    }),
    Column::text("clock", "CLOCK", |row| {
        Cell::of(row.instance.clock_health, |health| Cell::text(words::clock(health.state)))
    }),
    Column::number("bindings", "BINDINGS", |row| Cell::Number(row.bindings)),
    Column::text("version", "VERSION", |row| Cell::text(&row.instance.version)),
    Column::detail("clock_nodes", |row| {
        Cell::of(row.instance.clock_health, |health| Cell::Number(health.nodes.into()))
    }),
    Column::detail("clock_nodes_disagreeing", |row| {
        Cell::of(row.instance.clock_health, |health| Cell::Number(health.disagreeing.into()))
    }),
    Column::detail("clock_offset_milliseconds", |row| {
        let offset = row.instance.clock_health.and_then(|health| health.offset);
        Cell::of(offset, Cell::Signed)
    }),
    Column::detail("process_id", |row| Cell::Number(row.instance.process_id.into())),
    Column::detail("started_at", |row| Cell::Instant(row.instance.started_at)),
    Column::detail("uptime_seconds", |row| Cell::Number(row.uptime_seconds)),
    Column::detail("heartbeat_at", |row| Cell::Instant(row.instance.heartbeat_at)),
    Column::detail("applied_revision", |row| Cell::Number(row.instance.applied_revision)),
    Column::detail("apply_error", |row| Cell::of(row.instance.apply_error.as_ref(), Cell::text)),
];
