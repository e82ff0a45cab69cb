//! The configuration of a region (RFC 4857) as a whole: what is in force, what candidates would
//! make of it, what it was after each commit, and how one becomes another.
//!
//! ```text
//!   running ◄────────────── commit ◄── validate ◄── candidate ◄── set, delete, load
//!     │                        │
//!     │                        └─ regional_commits: who, when, why; confirmed, or not yet
//!     └─ daemons follow it        regional_changes: what was and what is, for each agent
//! ```
//!
//! A commit is one batch: it compares the last commit, so that of two at once one is refused, and
//! it takes the rows of its candidate away. One that has to be confirmed says within which time;
//! any daemon rolls it back when that has passed ([`waiting`], [`roll_back`]).

mod plan;
mod problems;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use plan::{
    Commit, Refusal, Wish, commit, confirm, discard, edit, forget, rebase, roll_back, roll_back_to,
    waiting,
};
pub use problems::{Problem, Severity, problems, structure};

use crate::{
    Candidate, CandidateEdit, Regional, RegionalChange, RegionalCommit, RegionalCommitId,
    RegionalSubject, RegionalValue, Row as _, Snapshot, Table,
};

/// The tables that all of this is in.
pub const TABLES: &[Table] = &[
    Table::Regional,
    Table::Candidates,
    Table::CandidateEdits,
    Table::RegionalCommits,
    Table::RegionalChanges,
];

/// A whole configuration: what is said of each agent of the region.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Configuration(pub BTreeMap<RegionalSubject, RegionalValue>);

impl Configuration {
    /// What is in force.
    pub fn running(snapshot: &Snapshot) -> Self {
        let rows = snapshot.rows::<Regional>().iter();
        Self(rows.map(|row| (row.key(), row.value.clone())).collect())
    }

    /// What is in force, with the edits of a candidate.
    pub fn of_candidate(name: &str, snapshot: &Snapshot) -> Self {
        let mut configuration = Self::running(snapshot);
        for edit in CandidateEdit::of(name, snapshot) {
            configuration.set(edit.subject, edit.value.clone());
        }
        configuration
    }

    /// What was in force after the commit of that number; zero is before the first one.
    ///
    /// `None` if history does not reach so far back.
    pub fn after(id: RegionalCommitId, snapshot: &Snapshot) -> Option<Self> {
        let commits = snapshot.rows::<RegionalCommit>();
        let last = RegionalCommit::last_id(snapshot);
        let first_needed = id.next();
        if id > last || (first_needed <= last && commits.get(&first_needed).is_none()) {
            return None;
        }
        let mut configuration = Self::running(snapshot);
        let changes: Vec<_> = RegionalChange::since(first_needed, snapshot).collect();
        // From the newest one back: what was before the oldest change of an agent is what counts.
        for change in changes.into_iter().rev() {
            configuration.set(change.subject, change.before.clone());
        }
        Some(configuration)
    }

    /// What is said of an agent, if something is.
    pub fn get(&self, subject: RegionalSubject) -> Option<&RegionalValue> {
        self.0.get(&subject)
    }

    /// Says something else of an agent, or nothing.
    pub fn set(&mut self, subject: RegionalSubject, value: Option<RegionalValue>) {
        match value {
            Some(value) => drop(self.0.insert(subject, value)),
            None => drop(self.0.remove(&subject)),
        }
    }

    /// What has to change to make `new` out of it, in the order of the agents.
    pub fn differences(&self, new: &Self) -> Vec<Difference> {
        let mut subjects: Vec<_> = self.0.keys().chain(new.0.keys()).copied().collect();
        subjects.sort_unstable();
        subjects.dedup();
        let one = |subject| Difference {
            subject,
            before: self.get(subject).cloned(),
            after: new.get(subject).cloned(),
        };
        subjects.into_iter().map(one).filter(|it| it.before != it.after).collect()
    }
}

/// What differs between two configurations, for one agent.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    pub subject: RegionalSubject,
    /// `None` if it was not there.
    pub before: Option<RegionalValue>,
    /// `None` if it is there no more.
    pub after: Option<RegionalValue>,
}

/// What differs in one field, in words; `None` is not set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FieldDifference {
    pub field: &'static str,
    pub before: Option<String>,
    pub after: Option<String>,
}

impl Difference {
    /// The fields that differ, in the order in which they are configured.
    pub fn fields(&self) -> Vec<FieldDifference> {
        let words = |value: &Option<RegionalValue>| {
            value.as_ref().map(RegionalValue::fields).unwrap_or_default()
        };
        let (before, after) = (words(&self.before), words(&self.after));
        let of = |fields: &[(&'static str, String)], name: &str| {
            fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.clone())
        };
        let gone = before.iter().filter(|(name, _)| of(&after, name).is_none());
        let names = after.iter().chain(gone).map(|(name, _)| *name);
        let one =
            |field| FieldDifference { field, before: of(&before, field), after: of(&after, field) };
        names.map(one).filter(|it| it.before != it.after).collect()
    }

    /// `added`, `changed` or `deleted`.
    pub const fn word(&self) -> &'static str {
        match (&self.before, &self.after) {
            (None, _) => "added",
            (_, None) => "deleted",
            _ => "changed",
        }
    }
}

impl From<&RegionalChange> for Difference {
    fn from(change: &RegionalChange) -> Self {
        Self { subject: change.subject, before: change.before.clone(), after: change.after.clone() }
    }
}

/// The commits after `base`, each with what it changed.
pub fn commits_since(
    base: RegionalCommitId,
    snapshot: &Snapshot,
) -> Vec<(std::sync::Arc<RegionalCommit>, Vec<Difference>)> {
    let commits = snapshot.rows::<RegionalCommit>().range(base.next()..);
    let with_changes = commits.map(|(id, entry)| {
        let changes = RegionalChange::of(*id, snapshot).map(|change| Difference::from(&**change));
        (std::sync::Arc::clone(&entry.row), changes.collect())
    });
    with_changes.collect()
}

/// The candidates that change something, but for the one called `name`.
pub fn others<'s>(
    name: &str,
    snapshot: &'s Snapshot,
) -> impl Iterator<Item = (&'s std::sync::Arc<Candidate>, usize)> {
    let others = snapshot.rows::<Candidate>().iter().filter(move |it| it.name != name);
    let counted = others.map(|it| (it, CandidateEdit::of(&it.name, snapshot).count()));
    counted.filter(|(_, edits)| *edits > 0)
}
