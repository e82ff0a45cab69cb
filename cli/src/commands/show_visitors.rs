//! `mip4ctl show visitors`

use std::sync::Arc;

use store::{Identity, Table, Visitor};

use crate::cell::{Cell, Column};
use crate::failure::Stop;
use crate::output::Sort;
use crate::selector::{Selector, Subject};
use crate::session::Session;
use crate::view::{Freshness, View};
use crate::words;

/// Show the visitors of foreign agents
#[derive(clap::Args, Debug)]
pub(crate) struct ShowVisitors {
    #[command(flatten)]
    selector: Selector,
    #[command(flatten)]
    sort: Sort,
}

impl ShowVisitors {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        self.sort.check(COLUMNS)?;
        let view = session.read(&[Table::Visitors, Table::Instances])?;
        let rows = (view.revision(), rows(&view, &self.selector));
        let options = (&self.selector, &self.sort);
        session.show("visitors", options, COLUMNS, rows, |row| row.freshness)
    }
}

/// A visitor, and what the moment of reading adds to it.
pub(crate) struct VisitorRow {
    visitor: Arc<Visitor>,
    time_remaining_seconds: Option<u64>,
    freshness: Freshness,
}

fn rows(view: &View, selector: &Selector) -> Vec<VisitorRow> {
    let visitors = view.rows::<Visitor>().iter();
    visitors
        .filter(|visitor| selector.matches(&subject(visitor)))
        .map(|visitor| VisitorRow {
            time_remaining_seconds: visitor.remaining_seconds(view.owner_now(&visitor.instance)),
            freshness: view.freshness(&visitor.instance),
            visitor: Arc::clone(visitor),
        })
        .collect()
}

fn subject(visitor: &Visitor) -> Subject<'_> {
    Subject {
        home_address: Some(visitor.home_address),
        nai: words::nai(&visitor.identity),
        care_of_addresses: vec![visitor.care_of_address],
        home_agents: vec![visitor.home_agent],
        foreign_agents: vec![visitor.foreign_agent],
    }
}

pub(crate) const COLUMNS: &[Column<VisitorRow>] = &[
    Column::text("home_address", "HOME ADDRESS", |row| Cell::Address(row.visitor.home_address)),
    Column::text("nai", "NAI", |row| Cell::of(words::nai(&row.visitor.identity), Cell::text)),
    Column::text("care_of_address", "CARE-OF ADDRESS", |row| {
        Cell::Address(row.visitor.care_of_address)
    }),
    Column::text("home_agent", "HOME AGENT", |row| Cell::Address(row.visitor.home_agent)),
    Column::text("foreign_agent", "FOREIGN AGENT", |row| Cell::Address(row.visitor.foreign_agent)),
    Column::text("accepted", "ACCEPTED", |row| Cell::Truth(row.visitor.accepted)),
    Column::number("lifetime_granted", "GRANTED", |row| {
        Cell::Number(row.visitor.lifetime_granted.0.into())
    }),
    Column::number("time_remaining_seconds", "REMAINING", |row| {
        match (row.visitor.accepted, row.time_remaining_seconds) {
            (_, Some(seconds)) => Cell::Number(seconds),
            (true, None) => Cell::Infinite,
            (false, None) => Cell::Absent,
        }
    }),
    Column::text("freshness", "STATE", |row| Cell::text(row.freshness.word())),
    Column::detail("identity_type", |row| Cell::text(words::identity_type(&row.visitor.identity))),
    Column::detail("identity", |row| match &row.visitor.identity {
        Identity::Address(address) => Cell::Address(*address),
        Identity::Nai(nai) => Cell::text(nai),
    }),
    Column::detail("flags", |row| Cell::Flags(row.visitor.flags)),
    Column::detail("lifetime_requested", |row| {
        Cell::Number(row.visitor.lifetime_requested.0.into())
    }),
    Column::detail("source_address", |row| Cell::Address(*row.visitor.source.ip())),
    Column::detail("source_port", |row| Cell::Number(row.visitor.source.port().into())),
    Column::detail("local_address", |row| Cell::Address(*row.visitor.local.ip())),
    Column::detail("local_port", |row| Cell::Number(row.visitor.local.port().into())),
    Column::detail("encapsulating_delivery", |row| Cell::Truth(row.visitor.encapsulating_delivery)),
    Column::detail("identification_high", |row| {
        Cell::Number(row.visitor.identification.high().into())
    }),
    Column::detail("identification_low", |row| {
        Cell::Number(row.visitor.identification.low().into())
    }),
    Column::detail("created_at", |row| Cell::Instant(row.visitor.created_at)),
    Column::detail("registered_at", |row| Cell::Instant(row.visitor.registered_at)),
    Column::detail("expires_at", |row| Cell::of(row.visitor.expires_at, Cell::Instant)),
    Column::detail("instance", |row| Cell::text(&row.visitor.instance)),
    Column::detail("gateway", |row| {
        Cell::of(row.visitor.regional.as_ref(), |regional| Cell::Address(regional.gateway))
    }),
    Column::detail("local_care_of_address", |row| {
        let regional = row.visitor.regional.as_ref();
        Cell::of(regional, |regional| Cell::Address(regional.local_care_of_address))
    }),
    Column::detail("regional_expires_at", |row| {
        let regional = row.visitor.regional.as_ref();
        Cell::of(regional.and_then(|regional| regional.expires_at), Cell::Instant)
    }),
    Column::detail("regional_accepted", |row| {
        Cell::of(row.visitor.regional.as_ref(), |regional| Cell::Number(regional.accepted))
    }),
];
