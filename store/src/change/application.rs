//! Whether those who have to act on a change do.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use super::{Configuration, Owner};
use crate::{AnyKey, Instance, InstanceState, Revision, Snapshot, Store, UtcTime};

/// Who has to act on a change, and on which of its rows.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Concerns {
    owners: BTreeMap<Owner, BTreeSet<String>>,
}

/// How far a change has come with those whom it concerns.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Application {
    /// The instances that act on it.
    pub applied: Vec<String>,
    /// Those that do not, and why.
    pub failed: Vec<(String, String)>,
    /// Those that have not got to it yet.
    pub waiting: Vec<String>,
}

impl Concerns {
    /// Adds that all owners of `row` have to act on it; its key is `key`.
    pub(crate) fn add_row<R: Configuration + ?Sized>(&mut self, key: &AnyKey, row: &R) {
        self.add(key, row.owner());
        for owner in row.other_owners() {
            self.add(key, owner);
        }
    }

    /// Adds that `owner` has to act on the row of `key`.
    fn add(&mut self, key: &AnyKey, owner: Owner) {
        self.owners.entry(owner).or_default().insert(key.path());
    }

    pub fn is_empty(&self) -> bool {
        self.owners.is_empty()
    }

    /// The paths of the rows that `instance` has to act on.
    fn paths<'a>(&'a self, instance: &'a Instance) -> impl Iterator<Item = &'a String> {
        let concerned = self.owners.iter().filter(|(owner, _)| match owner {
            Owner::Instance(name) => *name == instance.name,
            Owner::Role(role) => instance.roles.contains(role),
            Owner::Address(role, address) => {
                instance.roles.contains(role) && instance.addresses.contains(address)
            }
        });
        concerned.flat_map(|(_, paths)| paths)
    }
}

impl Application {
    /// How the change that was committed at `revision` stands in `snapshot`, at `now`.
    ///
    /// Only instances that are alive count: the others take the change up when they start.
    pub fn of(concerns: &Concerns, revision: Revision, snapshot: &Snapshot, now: UtcTime) -> Self {
        let mut application = Self::default();
        for instance in snapshot.rows::<Instance>().iter() {
            let mut paths = concerns.paths(instance).peekable();
            let is_up = instance.state != InstanceState::Gone && !instance.is_silent(now);
            if paths.peek().is_none() || !is_up {
                continue;
            }
            let name = instance.name.clone();
            if instance.applied_revision < revision.0 {
                application.waiting.push(name);
                continue;
            }
            match paths.find_map(|path| instance.apply_errors.get(path)) {
                Some(why) => application.failed.push((name, why.clone())),
                None => application.applied.push(name),
            }
        }
        application
    }

    /// Whether nobody has to be waited for.
    pub fn is_settled(&self) -> bool {
        self.waiting.is_empty()
    }
}

impl Store {
    /// Waits until everybody whom a change of `revision` concerns acts on it, or says why not, or
    /// `patience` ends; whoever is still `waiting` then has not got to it.
    pub async fn applied(
        &self,
        concerns: &Concerns,
        revision: Revision,
        patience: Duration,
    ) -> Application {
        let mut revisions = self.revisions();
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let snapshot = std::sync::Arc::clone(&self.snapshot());
            let application = Application::of(concerns, revision, &snapshot, utc_now());
            if application.is_settled() {
                return application;
            }
            // An instance that falls silent changes nothing: look again now and then.
            let again = deadline.min(tokio::time::Instant::now() + Duration::from_millis(500));
            let newer = revisions.wait_for(|visible| *visible > snapshot.revision);
            let _ = tokio::time::timeout_at(again, newer).await;
            if tokio::time::Instant::now() >= deadline {
                return Application::of(concerns, revision, &self.snapshot(), utc_now());
            }
        }
    }
}

/// The wall clock, as rows have it.
pub(crate) fn utc_now() -> UtcTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UtcTime(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
