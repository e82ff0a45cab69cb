//! `mip4ctl regional show`

use std::sync::Arc;

use store::regional::{self, Configuration};
use store::{
    GatewaySetting, Instance, Regional, RegionalCommit, RegionalForeignAgent, RegionalSubject,
    RegionalValue,
};

use super::regional::{CandidateName, TABLES, commit_words, is_candidate, no_candidate};
use crate::cell::{Cell, Column};
use crate::failure::Stop;
use crate::output::{Listing, Sort};
use crate::session::Session;
use crate::view::{Freshness, View};

/// Show gateways and the foreign agents beneath them, as they are in force
#[derive(clap::Args, Debug)]
pub(crate) struct RegionalShow {
    #[command(flatten)]
    candidate: CandidateName,
    #[command(flatten)]
    sort: Sort,
}

impl RegionalShow {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        self.sort.check(COLUMNS)?;
        let view = session.read(TABLES)?;
        let configuration = if self.candidate.is_given() {
            let name = self.candidate.get(&view);
            if !is_candidate(&view, &name) {
                return Err(no_candidate(&name).into());
            }
            Configuration::of_candidate(&name, &view.snapshot)
        } else {
            Configuration::running(&view.snapshot)
        };
        let mut rows = rows(&view, &configuration);
        self.sort.apply(COLUMNS, &mut rows)?;
        let last = RegionalCommit::last(&view.snapshot);
        let preface: Vec<String> = last.map(|commit| preface(commit)).into_iter().collect();
        session.print(&Listing {
            preface: &preface,
            about: last
                .and_then(|commit| serde_json::to_value(&**commit).ok())
                .map(|about| ("commit", about)),
            ..Listing::new(view.revision(), COLUMNS, &rows)
        })?;
        for (candidate, edits) in regional::others("", &view.snapshot) {
            let agents = super::regional::agents(edits);
            session.note(&format!("note: candidate `{}` changes {agents}", candidate.name))?;
        }
        Ok(())
    }
}

/// `commit 7 by alice at …, confirmed`.
fn preface(commit: &RegionalCommit) -> String {
    let state = match commit.deadline() {
        Some(at) => format!("rolled back at {} unless confirmed", at.rfc3339()),
        None => commit.state.as_str().to_owned(),
    };
    format!("{}, {state}", commit_words(commit))
}

/// An agent of a region.
pub(crate) struct AgentRow {
    subject: RegionalSubject,
    value: RegionalValue,
    /// As it is in force, if it is.
    row: Option<Arc<Regional>>,
    /// The daemon that plays it, if one does.
    instance: Option<Arc<Instance>>,
    state: &'static str,
    /// Why that daemon does not act on the row, if it does not.
    error: Option<String>,
}

fn rows(view: &View, configuration: &Configuration) -> Vec<AgentRow> {
    let one = |(subject, value): (&RegionalSubject, &RegionalValue)| {
        let instances = view.rows::<Instance>().iter();
        let here = instances.filter(|it| {
            it.addresses.contains(&subject.address()) && it.roles.contains(&subject.role())
        });
        let instance = here.max_by_key(|it| it.heartbeat_at).cloned();
        let row = view.rows::<Regional>().get(subject).cloned();
        let freshness = instance.as_ref().map(|it| view.freshness(&it.name));
        let path = store::AnyKey::Regional(*subject).path();
        let error = instance.as_ref().and_then(|it| it.apply_errors.get(&path).cloned());
        let state = match (freshness, &error) {
            (None, _) => "absent",
            (Some(Freshness::Live), Some(_)) => "not applied",
            (Some(freshness), _) => freshness.word(),
        };
        AgentRow { subject: *subject, value: value.clone(), row, instance, state, error }
    };
    configuration.0.iter().map(one).collect()
}

impl AgentRow {
    fn gateway(&self) -> Option<&GatewaySetting> {
        match &self.value {
            RegionalValue::Gateway(gateway) => Some(gateway),
            RegionalValue::ForeignAgent(_) => None,
        }
    }

    fn foreign_agent(&self) -> Option<&RegionalForeignAgent> {
        match &self.value {
            RegionalValue::ForeignAgent(foreign_agent) => Some(foreign_agent),
            RegionalValue::Gateway(_) => None,
        }
    }
}

fn seconds(lifetime: Option<u16>) -> Cell {
    Cell::of(lifetime, |seconds| Cell::Number(seconds.into()))
}

pub(crate) const COLUMNS: &[Column<AgentRow>] = &[
    Column::text("role", "ROLE", |row| Cell::text(row.subject.role().as_str())),
    Column::text("address", "ADDRESS", |row| Cell::Address(row.subject.address())),
    Column::text("state", "STATE", |row| Cell::text(row.state)),
    Column::text("gateway", "GATEWAY", |row| {
        Cell::of(row.foreign_agent(), |it| Cell::Address(it.gateway))
    }),
    Column::text("assignment", "ASSIGNMENT", |row| {
        Cell::of(row.foreign_agent(), |it| Cell::text(it.assignment.as_str()))
    }),
    Column::text("nai", "NAI", |row| {
        Cell::of(row.foreign_agent().and_then(|it| it.nai.as_ref()), Cell::text)
    }),
    Column::number("spi", "SPI", |row| {
        Cell::of(row.foreign_agent().and_then(|it| it.spi), |spi| Cell::Number(spi.0.into()))
    }),
    Column::number("lifetime", "LIFETIME", |row| seconds(row.gateway().and_then(|it| it.lifetime))),
    Column::number("regional_lifetime", "REGIONAL", |row| {
        seconds(row.gateway().and_then(|it| it.regional_lifetime))
    }),
    Column::text("replay", "REPLAY", |row| {
        Cell::of(row.gateway(), |it| Cell::text(it.replay.as_str()))
    }),
    Column::text("dynamic", "DYNAMIC", |row| Cell::of(row.gateway(), |it| Cell::Truth(it.dynamic))),
    Column::detail("also", |row| Cell::of(row.foreign_agent(), |it| Cell::list(&it.also))),
    Column::detail("instance", |row| {
        Cell::of(row.instance.as_ref(), |instance| Cell::text(&instance.name))
    }),
    Column::detail("error", |row| Cell::of(row.error.as_ref(), Cell::text)),
    Column::detail("origin", |row| Cell::of(row.row.as_ref(), |it| Cell::text(it.origin.as_str()))),
    Column::detail("changed_by", |row| {
        let changed = row.row.as_ref().and_then(|it| it.changed.as_ref());
        Cell::of(changed, |changed| Cell::text(&changed.by))
    }),
    Column::detail("changed_at", |row| {
        let changed = row.row.as_ref().and_then(|it| it.changed.as_ref());
        Cell::of(changed, |changed| Cell::Instant(changed.at))
    }),
];
