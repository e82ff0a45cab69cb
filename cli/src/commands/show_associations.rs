//! `mip4ctl show associations`

use std::collections::BTreeMap;
use std::sync::Arc;

use store::wire::Spi;
use store::{Association, Identity, Node, Table, Trail, UtcTime};

use super::association::{algorithm_word, origin_word, replay_word};
use crate::cell::{Cell, Column};
use crate::failure::Stop;
use crate::output::{Listing, Sort};
use crate::selector::{Field, Selector, Subject};
use crate::session::Session;
use crate::view::View;
use crate::words;

/// Show the mobility security associations, without their keys
///
/// When a key is rolled, the old association can go once the peer uses the new one.
#[derive(clap::Args, Debug)]
pub(crate) struct ShowAssociations {
    #[command(flatten)]
    selector: Selector,
    #[command(flatten)]
    sort: Sort,
}

impl ShowAssociations {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        let fields = [Field::HomeAddress, Field::Nai, Field::Network];
        self.selector.require(&fields, "show associations")?;
        self.sort.check(COLUMNS)?;
        let view = session.read(&[Table::Associations, Table::Nodes, Table::Trail])?;
        let mut rows = rows(&view, &self.selector);
        self.sort.apply(COLUMNS, &mut rows)?;
        let listing = Listing::new(view.revision(), COLUMNS, &rows);
        session.print_selected("associations", &self.selector, &[], listing)
    }
}

/// An association, and when the peer used it last, as far as anybody remembers.
pub(crate) struct AssociationRow {
    association: Arc<Association>,
    last_used_at: Option<UtcTime>,
}

fn rows(view: &View, selector: &Selector) -> Vec<AssociationRow> {
    let used = last_used(view);
    let associations = view.rows::<Association>().iter();
    associations
        .filter(|row| selector.matches(&subject(row)))
        .map(|row| AssociationRow {
            last_used_at: used.get(&(&row.peer, row.spi)).copied(),
            association: Arc::clone(row),
        })
        .collect()
}

/// A node's row has the SPI that it used last; its trail, and those of agents, have the others.
fn last_used(view: &View) -> BTreeMap<(&Identity, Spi), UtcTime> {
    let mut used: BTreeMap<(&Identity, Spi), UtcTime> = BTreeMap::new();
    let mut note = |name, at| {
        let last = used.entry(name).or_insert(at);
        *last = at.max(*last);
    };
    for node in view.rows::<Node>().iter() {
        note((&node.identity, node.last_spi), node.last_accepted_at);
    }
    for trail in view.rows::<Trail>().iter() {
        let accepted = |code: store::wire::Code| code.is_accepted();
        for event in trail.events.iter().filter(|event| event.code.is_some_and(accepted)) {
            if let Some(spi) = event.spi {
                note((&trail.identity, spi), event.at);
            }
        }
    }
    used
}

/// The peer may be an agent; whoever asks for an address wants that too.
fn subject(association: &Association) -> Subject<'_> {
    let (home_address, nai) = match &association.peer {
        Identity::Address(address) => (Some(*address), None),
        Identity::Nai(nai) => (None, Some(nai.as_str())),
    };
    Subject { home_address, nai, ..Subject::default() }
}

pub(crate) const COLUMNS: &[Column<AssociationRow>] = &[
    Column::text("peer", "PEER", |row| match &row.association.peer {
        Identity::Address(address) => Cell::Address(*address),
        Identity::Nai(nai) => Cell::text(nai),
    }),
    Column::detail("peer_type", |row| Cell::text(words::identity_type(&row.association.peer))),
    Column::number("spi", "SPI", |row| Cell::Number(row.association.spi.0.into())),
    Column::text("algorithm", "ALGORITHM", |row| {
        Cell::text(algorithm_word(row.association.algorithm))
    }),
    Column::text("replay", "REPLAY", |row| Cell::text(replay_word(row.association.replay))),
    Column::number("tolerance", "TOLERANCE", |row| Cell::Number(row.association.tolerance.into())),
    Column::text("origin", "ORIGIN", |row| Cell::text(origin_word(row.association.origin))),
    Column::text("active", "ACTIVE", |row| Cell::Truth(row.association.active)),
    Column::text("last_used_at", "LAST USED", |row| Cell::of(row.last_used_at, Cell::Instant)),
];
