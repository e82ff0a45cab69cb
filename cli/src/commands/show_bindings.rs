//! `mip4ctl show bindings`

use std::sync::Arc;

use store::{Binding, Table};

use crate::cell::{Cell, Column};
use crate::failure::Stop;
use crate::output::Sort;
use crate::selector::{Selector, Subject};
use crate::session::Session;
use crate::view::{Freshness, View};
use crate::words;

/// Show the mobility bindings of home agents
#[derive(clap::Args, Debug)]
pub(crate) struct ShowBindings {
    #[command(flatten)]
    selector: Selector,
    #[command(flatten)]
    sort: Sort,
}

impl ShowBindings {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        self.sort.check(COLUMNS)?;
        let view = session.read(&[Table::Bindings, Table::Instances])?;
        let rows = rows(&view, &self.selector);
        let options = (&self.selector, &self.sort);
        let rows = (view.revision(), rows);
        session.show("bindings", options, COLUMNS, rows, |row| row.freshness)
    }
}

/// A binding, and what the moment of reading adds to it.
#[derive(Clone, Debug)]
pub(crate) struct BindingRow {
    pub(crate) binding: Arc<Binding>,
    time_remaining_seconds: Option<u64>,
    pub(crate) freshness: Freshness,
}

/// The bindings that `selector` leaves, in the order of their keys.
pub(crate) fn rows(view: &View, selector: &Selector) -> Vec<BindingRow> {
    let bindings = view.rows::<Binding>().iter();
    bindings
        .filter(|binding| selector.matches(&subject(binding)))
        .map(|binding| BindingRow {
            time_remaining_seconds: binding.remaining_seconds(view.owner_now(&binding.instance)),
            freshness: view.freshness(&binding.instance),
            binding: Arc::clone(binding),
        })
        .collect()
}

/// What selectors see of a binding.
pub(crate) fn subject(binding: &Binding) -> Subject<'_> {
    Subject {
        home_address: Some(binding.home_address),
        nai: binding.nai.as_ref().map(store::wire::Nai::as_str),
        care_of_addresses: vec![binding.care_of_address],
        home_agents: vec![binding.home_agent],
        foreign_agents: binding.foreign_agent.into_iter().collect(),
    }
}

/// Every column of `haMobilityBindingTable` that is kept, and what else a binding holds.
pub(crate) const COLUMNS: &[Column<BindingRow>] = &[
    Column::text("home_address", "HOME ADDRESS", |row| Cell::Address(row.binding.home_address)),
    Column::text("nai", "NAI", |row| Cell::of(row.binding.nai.as_ref(), Cell::text)),
    Column::text("care_of_address", "CARE-OF ADDRESS", |row| {
        Cell::Address(row.binding.care_of_address)
    }),
    Column::text("home_agent", "HOME AGENT", |row| Cell::Address(row.binding.home_agent)),
    Column::text("flags", "FLAGS", |row| Cell::Flags(row.binding.flags)),
    Column::number("lifetime_granted", "GRANTED", |row| {
        Cell::Number(row.binding.lifetime_granted.0.into())
    }),
    Column::number("time_remaining_seconds", "REMAINING", |row| {
        row.time_remaining_seconds.map_or(Cell::Infinite, Cell::Number)
    }),
    Column::text("freshness", "STATE", |row| Cell::text(row.freshness.word())),
    Column::detail("identity_type", |row| {
        Cell::text(words::identity_type(&row.binding.identity()))
    }),
    Column::detail("identity", |row| Cell::text(row.binding.identity())),
    Column::detail("source_address", |row| Cell::Address(*row.binding.source.ip())),
    Column::detail("source_port", |row| Cell::Number(row.binding.source.port().into())),
    Column::detail("local_address", |row| Cell::Address(*row.binding.local.ip())),
    Column::detail("local_port", |row| Cell::Number(row.binding.local.port().into())),
    Column::detail("foreign_agent", |row| Cell::of(row.binding.foreign_agent, Cell::Address)),
    Column::detail("spi", |row| Cell::Number(row.binding.spi.0.into())),
    Column::detail("identification_high", |row| {
        Cell::Number(row.binding.identification.high().into())
    }),
    Column::detail("identification_low", |row| {
        Cell::Number(row.binding.identification.low().into())
    }),
    Column::detail("created_at", |row| Cell::Instant(row.binding.created_at)),
    Column::detail("registered_at", |row| Cell::Instant(row.binding.registered_at)),
    Column::detail("expires_at", |row| Cell::of(row.binding.expires_at, Cell::Instant)),
    Column::detail("revocation", |row| Cell::Truth(row.binding.revocation.is_some())),
    Column::detail("instance", |row| Cell::text(&row.binding.instance)),
];
