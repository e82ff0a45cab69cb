//! `mip4ctl show care-of-addresses`

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use store::{CareOfAddress, Role, Table, Visitor};

use super::association::origin_word;
use crate::cell::{Cell, Column};
use crate::failure::Stop;
use crate::output::Sort;
use crate::selector::{Field, Selector, Subject};
use crate::session::Session;
use crate::view::{Freshness, View};

/// Show what foreign agents offer, and how many use it
#[derive(clap::Args, Debug)]
pub(crate) struct ShowCareOfAddresses {
    #[command(flatten)]
    selector: Selector,
    #[command(flatten)]
    sort: Sort,
}

impl ShowCareOfAddresses {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        let fields = [Field::ForeignAgent, Field::CareOf];
        self.selector.require(&fields, "show care-of-addresses")?;
        self.sort.check(COLUMNS)?;
        let view = session.read(&[Table::CareOfAddresses, Table::Visitors, Table::Instances])?;
        let rows = (view.revision(), rows(&view, &self.selector));
        let options = (&self.selector, &self.sort);
        session.show("care-of addresses", options, COLUMNS, rows, |row| row.freshness)
    }
}

/// A care-of address, its foreign agents, and the visitors that use it.
pub(crate) struct OfferRow {
    offer: Arc<CareOfAddress>,
    foreign_agents: Vec<Ipv4Addr>,
    visitors: u64,
    freshness: Freshness,
}

fn rows(view: &View, selector: &Selector) -> Vec<OfferRow> {
    let mut visitors: BTreeMap<(&str, Ipv4Addr), u64> = BTreeMap::new();
    for visitor in view.rows::<Visitor>().iter().filter(|visitor| visitor.accepted) {
        *visitors.entry((&visitor.instance, visitor.care_of_address)).or_default() += 1;
    }
    let offers = view.rows::<CareOfAddress>().iter().map(|offer| OfferRow {
        foreign_agents: foreign_agents(view, &offer.instance),
        visitors: visitors.get(&(offer.instance.as_str(), offer.address)).copied().unwrap_or(0),
        freshness: view.freshness(&offer.instance),
        offer: Arc::clone(offer),
    });
    offers.filter(|row| selector.matches(&subject(row))).collect()
}

/// The addresses of an instance that is a foreign agent, perhaps beside a home agent's.
fn foreign_agents(view: &View, instance: &str) -> Vec<Ipv4Addr> {
    let instance = view.instance(instance).filter(|it| it.roles.contains(&Role::ForeignAgent));
    instance.map(|it| it.addresses.clone()).unwrap_or_default()
}

fn subject(row: &OfferRow) -> Subject<'static> {
    Subject {
        care_of_addresses: vec![row.offer.address],
        foreign_agents: row.foreign_agents.clone(),
        ..Subject::default()
    }
}

pub(crate) const COLUMNS: &[Column<OfferRow>] = &[
    Column::text("address", "CARE-OF ADDRESS", |row| Cell::Address(row.offer.address)),
    Column::number("visitors", "VISITORS", |row| Cell::Number(row.visitors)),
    Column::text("active", "ACTIVE", |row| Cell::Truth(row.offer.active)),
    Column::text("origin", "ORIGIN", |row| Cell::text(origin_word(row.offer.origin))),
    Column::text("instance", "INSTANCE", |row| Cell::text(&row.offer.instance)),
    Column::text("freshness", "STATE", |row| Cell::text(row.freshness.word())),
];
