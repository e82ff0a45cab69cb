//! `mip4ctl show trail`

use std::net::Ipv4Addr;
use std::sync::Arc;

use store::{Identity, Table, Trail, TrailEvent};

use super::association::parse_peer;
use super::show_nodes;
use crate::cell::{Cell, Column};
use crate::failure::{ExitStatus, Failure, Stop};
use crate::output::{Listing, Sort};
use crate::selector::Selector;
use crate::session::Session;
use crate::view::View;
use crate::words;

/// Show what happened to a mobile node lately, oldest first
#[derive(clap::Args, Debug)]
pub(crate) struct ShowTrail {
    /// The node's home address or NAI
    #[arg(value_parser = parse_peer)]
    node: Identity,
    #[command(flatten)]
    sort: Sort,
}

impl ShowTrail {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        self.sort.check(COLUMNS)?;
        let view = session.read(TABLES)?;
        let mut rows = rows(&view, &self.node);
        if rows.is_empty() {
            let message = format!("nothing happened to `{}` lately", self.node);
            return Err(Failure::new(ExitStatus::NothingMatched, message).into());
        }
        self.sort.apply(COLUMNS, &mut rows)?;
        session.print(&Listing::new(view.revision(), COLUMNS, &rows))
    }
}

/// What [`rows`] looks at.
pub(super) const TABLES: &[Table] =
    &[Table::Trail, Table::Nodes, Table::NodeCounters, Table::Bindings, Table::Instances];

/// An event of the node, at one of the agents that saw it.
#[derive(Clone)]
pub(crate) struct TrailRow {
    trail: Arc<Trail>,
    agent: Ipv4Addr,
    pub(super) event: TrailEvent,
}

/// The events of `node` at all agents, oldest first; a home address finds those of its NAI too.
pub(super) fn rows(view: &View, node: &Identity) -> Vec<TrailRow> {
    let same = show_nodes::rows(view, &Selector::default());
    let mut names = vec![node.clone()];
    for row in same {
        if row.home_address().map(Identity::Address).as_ref() == Some(node) {
            names.push(row.key.identity);
        }
    }
    let trails = view.rows::<Trail>().iter().filter(|trail| names.contains(&trail.identity));
    let mut rows: Vec<_> = trails
        .flat_map(|trail| {
            let row = |event: &TrailEvent| TrailRow {
                trail: Arc::clone(trail),
                agent: trail.agent,
                event: event.clone(),
            };
            trail.events.iter().map(row)
        })
        .collect();
    rows.sort_by_key(|row| row.event.at);
    rows
}

pub(crate) const COLUMNS: &[Column<TrailRow>] = &[
    Column::text("at", "AT", |row| Cell::Instant(row.event.at)),
    Column::text("event", "EVENT", |row| Cell::text(&row.event.event)),
    Column::number("code", "CODE", |row| {
        Cell::of(row.event.code, |code| Cell::Number(code.0.into()))
    }),
    Column::detail("code_words", |row| {
        Cell::of(row.event.code, |code| Cell::text(words::code(code)))
    }),
    Column::number("times", "TIMES", |row| Cell::Number(row.event.times)),
    Column::text("agent", "AGENT", |row| Cell::Address(row.agent)),
    Column::text("care_of_address", "CARE-OF ADDRESS", |row| {
        Cell::of(row.event.care_of_address, Cell::Address)
    }),
    Column::text("peer", "FROM", |row| Cell::of(row.event.peer, Cell::text)),
    Column::number("spi", "SPI", |row| Cell::of(row.event.spi, |spi| Cell::Number(spi.0.into()))),
    Column::number("clock_offset_milliseconds", "CLOCK OFFSET", |row| {
        Cell::of(row.event.clock_offset, Cell::Signed)
    }),
    Column::detail("identity", |row| Cell::text(&row.trail.identity)),
];
