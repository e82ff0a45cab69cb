//! `mip4ctl show associations`

use std::sync::Arc;

use store::{Association, Identity, Table};

use super::association::{algorithm_word, origin_word, replay_word};
use crate::cell::{Cell, Column};
use crate::failure::Stop;
use crate::output::{Listing, Sort};
use crate::selector::{Field, Selector, Subject};
use crate::session::Session;
use crate::words;

/// Show the mobility security associations, without their keys
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
        let view = session.read(&[Table::Associations])?;
        let associations = view.rows::<Association>().iter();
        let mut rows: Vec<Arc<Association>> =
            associations.filter(|row| self.selector.matches(&subject(row))).cloned().collect();
        self.sort.apply(COLUMNS, &mut rows)?;
        let listing = Listing::new(view.revision(), COLUMNS, &rows);
        session.print_selected("associations", &self.selector, &[], listing)
    }
}

/// The peer may be an agent; whoever asks for an address wants that too.
fn subject(association: &Association) -> Subject<'_> {
    let (home_address, nai) = match &association.peer {
        Identity::Address(address) => (Some(*address), None),
        Identity::Nai(nai) => (None, Some(nai.as_str())),
    };
    Subject { home_address, nai, ..Subject::default() }
}

pub(crate) const COLUMNS: &[Column<Arc<Association>>] = &[
    Column::text("peer", "PEER", |row| match &row.peer {
        Identity::Address(address) => Cell::Address(*address),
        Identity::Nai(nai) => Cell::text(nai),
    }),
    Column::detail("peer_type", |row| Cell::text(words::identity_type(&row.peer))),
    Column::number("spi", "SPI", |row| Cell::Number(row.spi.0.into())),
    Column::text("algorithm", "ALGORITHM", |row| Cell::text(algorithm_word(row.algorithm))),
    Column::text("replay", "REPLAY", |row| Cell::text(replay_word(row.replay))),
    Column::number("tolerance", "TOLERANCE", |row| Cell::Number(row.tolerance.into())),
    Column::text("origin", "ORIGIN", |row| Cell::text(origin_word(row.origin))),
    Column::text("active", "ACTIVE", |row| Cell::Truth(row.active)),
];
