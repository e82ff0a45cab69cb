//! `mip4ctl show advertisements`

use std::sync::Arc;

use store::{Advertisement, Role, Table};

use crate::cell::{Cell, Column};
use crate::failure::Stop;
use crate::output::Sort;
use crate::selector::{Field, Selector, Subject};
use crate::session::Session;
use crate::view::{Freshness, View};

/// Show what agents advertise, and what mobile nodes heard
#[derive(clap::Args, Debug)]
pub(crate) struct ShowAdvertisements {
    #[command(flatten)]
    selector: Selector,
    #[command(flatten)]
    sort: Sort,
}

impl ShowAdvertisements {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        let fields = [Field::HomeAgent, Field::ForeignAgent, Field::CareOf];
        self.selector.require(&fields, "show advertisements")?;
        self.sort.check(COLUMNS)?;
        let view = session.read(&[Table::Advertisements, Table::Instances])?;
        let rows = (view.revision(), rows(&view, &self.selector));
        let options = (&self.selector, &self.sort);
        session.show("advertisements", options, COLUMNS, rows, |row| row.freshness)
    }
}

/// An advertisement, and what the moment of reading adds to it.
pub(crate) struct AdvertisementRow {
    advertisement: Arc<Advertisement>,
    freshness: Freshness,
}

fn rows(view: &View, selector: &Selector) -> Vec<AdvertisementRow> {
    let advertisements = view.rows::<Advertisement>().iter();
    advertisements
        .filter(|advertisement| selector.matches(&subject(advertisement)))
        .map(|advertisement| AdvertisementRow {
            freshness: view.freshness(&advertisement.instance),
            advertisement: Arc::clone(advertisement),
        })
        .collect()
}

/// An agent may be both; its flags say so.
fn subject(advertisement: &Advertisement) -> Subject<'static> {
    let source =
        |bit| if advertisement.flags & bit == 0 { vec![] } else { vec![advertisement.source] };
    Subject {
        care_of_addresses: advertisement.care_of_addresses.clone(),
        home_agents: source(HOME_AGENT),
        foreign_agents: source(FOREIGN_AGENT),
        ..Subject::default()
    }
}

/// The H and the F bit (RFC 5944 §2.1.1).
const HOME_AGENT: u16 = 0x2000;
const FOREIGN_AGENT: u16 = 0x1000;

/// The letters of the flags, from the highest bit; the last five are reserved.
const LETTERS: &[u8] = b"RBHFMGrTUXI";

fn letters(flags: u16) -> String {
    let set = LETTERS.iter().enumerate().filter(|(bit, _)| flags & (0x8000 >> bit) != 0);
    let letters: String = set.map(|(_, letter)| char::from(*letter)).collect();
    if letters.is_empty() { "-".to_owned() } else { letters }
}

const fn direction(role: Role) -> &'static str {
    match role {
        Role::MobileNode => "heard",
        Role::HomeAgent | Role::ForeignAgent | Role::Gateway | Role::Snmp | Role::Store => "sent",
    }
}

pub(crate) const COLUMNS: &[Column<AdvertisementRow>] = &[
    Column::text("source", "SOURCE", |row| Cell::Address(row.advertisement.source)),
    Column::text("direction", "DIRECTION", |row| Cell::text(direction(row.advertisement.role))),
    Column::number("interface", "INTERFACE", |row| {
        Cell::Number(row.advertisement.interface.into())
    }),
    Column::number("sequence_number", "SEQUENCE", |row| {
        Cell::Number(row.advertisement.sequence_number.into())
    }),
    Column::text("flags", "FLAGS", |row| Cell::text(letters(row.advertisement.flags))),
    Column::text("care_of_addresses", "CARE-OF ADDRESSES", |row| {
        Cell::List(row.advertisement.care_of_addresses.iter().copied().map(Cell::Address).collect())
    }),
    Column::number("registration_lifetime", "REGISTRATION", |row| {
        Cell::Number(row.advertisement.registration_lifetime.0.into())
    }),
    Column::number("lifetime", "LIFETIME", |row| Cell::Number(row.advertisement.lifetime.into())),
    Column::text("at", "AT", |row| Cell::of(row.advertisement.at, Cell::Instant)),
    Column::text("freshness", "STATE", |row| Cell::text(row.freshness.word())),
    Column::detail("role", |row| Cell::text(row.advertisement.role.as_str())),
    Column::detail("destination", |row| Cell::Address(row.advertisement.destination)),
    Column::detail("routers", |row| {
        Cell::List(row.advertisement.routers.iter().copied().map(Cell::Address).collect())
    }),
    Column::detail("prefix_lengths", |row| {
        let lengths = row.advertisement.prefix_lengths.iter();
        Cell::List(lengths.map(|length| Cell::Number((*length).into())).collect())
    }),
    Column::detail("interval_max", |row| {
        Cell::of(row.advertisement.schedule, |it| Cell::Number(it.interval_max.into()))
    }),
    Column::detail("interval_min", |row| {
        Cell::of(row.advertisement.schedule, |it| Cell::Number(it.interval_min.into()))
    }),
    Column::detail("solicited_only", |row| {
        Cell::of(row.advertisement.schedule, |it| Cell::Truth(it.solicited_only))
    }),
    Column::detail("instance", |row| Cell::text(&row.advertisement.instance)),
];

#[cfg(test)]
mod tests {
    use super::letters;

    #[test]
    fn flags_are_letters_and_reserved_bits_are_none() {
        assert_eq!(letters(0x9100), "RFT");
        assert_eq!(letters(0x001f), "-");
        assert_eq!(letters(0x2020), "HI");
    }
}
