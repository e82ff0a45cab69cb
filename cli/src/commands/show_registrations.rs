//! `mip4ctl show registrations`

use std::sync::Arc;

use store::{Identity, Registration, Table, UtcTime};

use crate::cell::{Cell, Column};
use crate::failure::Stop;
use crate::output::Sort;
use crate::selector::{Selector, Subject};
use crate::session::Session;
use crate::view::{Freshness, View};
use crate::words;

/// Show the registrations of mobile nodes, as they see them themselves
#[derive(clap::Args, Debug)]
pub(crate) struct ShowRegistrations {
    #[command(flatten)]
    selector: Selector,
    #[command(flatten)]
    sort: Sort,
}

impl ShowRegistrations {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        self.sort.check(COLUMNS)?;
        let view = session.read(&[Table::Registrations, Table::Instances])?;
        let rows = (view.revision(), rows(&view, &self.selector));
        let options = (&self.selector, &self.sort);
        session.show("registrations", options, COLUMNS, rows, |row| row.freshness)
    }
}

/// A registration, and what the moment of reading adds to it.
pub(crate) struct RegistrationRow {
    registration: Arc<Registration>,
    now: UtcTime,
    freshness: Freshness,
}

fn rows(view: &View, selector: &Selector) -> Vec<RegistrationRow> {
    let registrations = view.rows::<Registration>().iter();
    registrations
        .filter(|registration| selector.matches(&subject(registration)))
        .map(|registration| RegistrationRow {
            now: view.owner_now(&registration.instance),
            freshness: view.freshness(&registration.instance),
            registration: Arc::clone(registration),
        })
        .collect()
}

fn subject(registration: &Registration) -> Subject<'_> {
    let foreign_agent = (!registration.co_located).then_some(registration.agent_address);
    Subject {
        home_address: Some(registration.home_address),
        nai: words::nai(&registration.identity),
        care_of_addresses: vec![registration.care_of_address],
        home_agents: vec![registration.home_agent],
        foreign_agents: foreign_agent.into_iter().collect(),
    }
}

pub(crate) const COLUMNS: &[Column<RegistrationRow>] = &[
    Column::text("identity", "NODE", |row| match &row.registration.identity {
        Identity::Address(address) => Cell::Address(*address),
        Identity::Nai(nai) => Cell::text(nai),
    }),
    Column::detail("identity_type", |row| {
        Cell::text(words::identity_type(&row.registration.identity))
    }),
    Column::text("home_address", "HOME ADDRESS", |row| {
        Cell::Address(row.registration.home_address)
    }),
    Column::text("care_of_address", "CARE-OF ADDRESS", |row| {
        Cell::Address(row.registration.care_of_address)
    }),
    Column::text("home_agent", "HOME AGENT", |row| Cell::Address(row.registration.home_agent)),
    Column::text("agent_address", "SENT TO", |row| Cell::Address(row.registration.agent_address)),
    Column::text("accepted", "ACCEPTED", |row| Cell::Truth(row.registration.accepted)),
    Column::number("lifetime", "LIFETIME", |row| Cell::Number(row.registration.lifetime.0.into())),
    Column::number("time_remaining_seconds", "REMAINING", |row| {
        match (row.registration.accepted, row.registration.expires_at) {
            (_, Some(at)) => Cell::Number(at.since(row.now).as_secs()),
            (true, None) => Cell::Infinite,
            (false, None) => Cell::Absent,
        }
    }),
    Column::text("message", "MESSAGE", |row| {
        Cell::of(row.registration.message.as_ref(), |message| Cell::text(&message.text))
    }),
    Column::text("freshness", "STATE", |row| Cell::text(row.freshness.word())),
    Column::detail("co_located", |row| Cell::Truth(row.registration.co_located)),
    Column::detail("flags", |row| Cell::Flags(row.registration.flags)),
    Column::detail("identification_high", |row| {
        Cell::Number(row.registration.identification.high().into())
    }),
    Column::detail("identification_low", |row| {
        Cell::Number(row.registration.identification.low().into())
    }),
    Column::detail("sent_at", |row| Cell::Instant(row.registration.sent_at)),
    Column::detail("expires_at", |row| Cell::of(row.registration.expires_at, Cell::Instant)),
    Column::detail("message_from", |row| {
        Cell::of(row.registration.message.as_ref(), |message| Cell::Address(message.from))
    }),
    Column::detail("message_at", |row| {
        Cell::of(row.registration.message.as_ref(), |message| Cell::Instant(message.at))
    }),
    Column::detail("instance", |row| Cell::text(&row.registration.instance)),
    Column::detail("gateway", |row| {
        Cell::of(row.registration.regional.as_ref(), |regional| Cell::Address(regional.gateway))
    }),
    Column::detail("local_care_of_address", |row| {
        let regional = row.registration.regional.as_ref();
        Cell::of(regional, |regional| Cell::Address(regional.local_care_of_address))
    }),
    Column::detail("regional_lifetime", |row| {
        let regional = row.registration.regional.as_ref();
        Cell::of(regional, |regional| Cell::Number(regional.lifetime_granted.0.into()))
    }),
    Column::detail("regional_expires_at", |row| {
        let regional = row.registration.regional.as_ref();
        Cell::of(regional.and_then(|regional| regional.expires_at), Cell::Instant)
    }),
    Column::detail("regional_accepted", |row| {
        let regional = row.registration.regional.as_ref();
        Cell::of(regional, |regional| Cell::Number(regional.accepted))
    }),
];
