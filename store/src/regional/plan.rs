//! Changes of the regional configuration as batches.

use std::sync::Arc;

use super::{Configuration, Difference, Problem, commits_since, structure};
use crate::{
    Batch, Candidate, CandidateEdit, Changed, Class, CommitCause, CommitState, Expect, Invalid,
    Origin, Prepared, Proposal, Regional, RegionalChange, RegionalCommit, RegionalCommitId, Row,
    Snapshot, StorageType, Unknown,
};

/// Why a change cannot be made; nothing was.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// It would change nothing.
    Nothing,
    /// The commit of that number waits to be confirmed: nothing else is committed meanwhile.
    Unconfirmed(Arc<RegionalCommit>),
    /// No commit waits to be confirmed.
    NoneUnconfirmed,
    /// Others committed since the candidate was begun; these commits, with what they changed.
    Moved(Vec<(Arc<RegionalCommit>, Vec<Difference>)>),
    /// It does not hold together.
    Problems(Vec<Problem>),
    /// A row of it may not be so.
    Invalid(Invalid),
    /// History does not reach back to that commit.
    Unknown(RegionalCommitId),
}

/// Who wants a commit, and how.
#[derive(Clone, Debug)]
pub struct Wish {
    pub by: Changed,
    pub reason: Option<String>,
    /// Roll it back unless it is confirmed within so many seconds.
    pub confirm_within: Option<u32>,
}

/// A commit that passed every check on its snapshot.
#[derive(Clone, Debug)]
pub struct Commit {
    pub id: RegionalCommitId,
    pub differences: Vec<Difference>,
    /// Refused by the store if anything it is based on has changed since.
    pub prepared: Prepared,
}

/// Commits the candidate `name`.
pub fn commit(name: &str, snapshot: &Snapshot, wish: &Wish) -> Result<Commit, Refusal> {
    let Some(candidate) = snapshot.rows::<Candidate>().get(&name.to_owned()) else {
        return Err(Refusal::Nothing);
    };
    let base = RegionalCommitId(candidate.base);
    if base != RegionalCommit::last_id(snapshot) {
        return Err(Refusal::Moved(commits_since(base, snapshot)));
    }
    let wanted = Configuration::of_candidate(name, snapshot);
    let mut commit = plan(&wanted, CommitCause::Candidate, snapshot, wish)?;
    take_away(&mut commit.prepared.batch, name, snapshot);
    Ok(commit)
}

/// Goes back to how it was after the commit `to`.
pub fn roll_back_to(
    to: RegionalCommitId,
    snapshot: &Snapshot,
    wish: &Wish,
) -> Result<Commit, Refusal> {
    let wanted = Configuration::after(to, snapshot).ok_or(Refusal::Unknown(to))?;
    plan(&wanted, CommitCause::RollBack(to), snapshot, wish)
}

/// Goes back to how it was before the last commit, which waits to be confirmed.
pub fn roll_back(snapshot: &Snapshot, cause: CommitCause, wish: &Wish) -> Result<Commit, Refusal> {
    let last = unconfirmed(snapshot)?;
    let to = RegionalCommitId(last.id.0.saturating_sub(1));
    let wanted = Configuration::after(to, snapshot).ok_or(Refusal::Unknown(to))?;
    let mut commit = write(&wanted, cause, snapshot, wish)?;
    let ended = RegionalCommit {
        state: CommitState::RolledBack,
        ended_by: Some(wish.by.by.clone()),
        ..RegionalCommit::clone(last)
    };
    commit.prepared.batch.put(ended);
    Ok(commit)
}

/// Keeps the last commit, which waits to be confirmed.
pub fn confirm(snapshot: &Snapshot, by: &Changed) -> Result<(RegionalCommitId, Batch), Refusal> {
    let last = unconfirmed(snapshot)?;
    let mut batch = Batch::new(Class::Durable);
    expect_last(&mut batch, snapshot);
    batch.put(RegionalCommit {
        state: CommitState::Confirmed,
        ended_by: Some(by.by.clone()),
        ..RegionalCommit::clone(last)
    });
    Ok((last.id, batch))
}

/// The commit that waits to be confirmed, if one does.
pub fn waiting(snapshot: &Snapshot) -> Option<&Arc<RegionalCommit>> {
    unconfirmed(snapshot).ok()
}

/// Throws the candidate `name` away, with its edits.
pub fn discard(name: &str, snapshot: &Snapshot) -> Batch {
    let mut batch = Batch::new(Class::Durable);
    take_away(&mut batch, name, snapshot);
    batch
}

/// The edits of a candidate as they have to be written to make it `wanted`, with the candidate
/// itself as `editor` leaves it.
///
/// An edit that changes nothing is none.
pub fn edit(
    name: &str,
    wanted: &Configuration,
    snapshot: &Snapshot,
    (editor, by): (&str, &Changed),
) -> Batch {
    let mut batch = Batch::new(Class::Durable);
    let key = name.to_owned();
    let entry = snapshot.rows::<Candidate>().entry(&key);
    let mut candidate = match entry {
        Some(entry) => Candidate::clone(&entry.row),
        None => Candidate {
            name: key.clone(),
            base: RegionalCommit::last_id(snapshot).0,
            begun_at: by.at,
            editors: std::collections::BTreeMap::new(),
            changed: None,
            unknown: Unknown::default(),
        },
    };
    let expect = entry.map_or(Expect::Absent, |entry| Expect::Modified(entry.modified));
    batch.expect::<Candidate>(key, expect);
    if CandidateEdit::of(name, snapshot).next().is_none() {
        // Nothing was meant yet, so there is nothing that others could have overtaken.
        candidate.base = RegionalCommit::last_id(snapshot).0;
        candidate.begun_at = by.at;
    }
    candidate.note_editor(editor, by.at);
    candidate.changed = Some(by.clone());
    batch.put(candidate);
    let differences = Configuration::running(snapshot).differences(wanted);
    for edit in CandidateEdit::of(name, snapshot) {
        if !differences.iter().any(|difference| difference.subject == edit.subject) {
            batch.delete::<CandidateEdit>(edit.key());
        }
    }
    for Difference { subject, after, .. } in differences {
        let edit = CandidateEdit {
            candidate: name.to_owned(),
            subject,
            value: after,
            unknown: Unknown::default(),
        };
        let before = snapshot.rows::<CandidateEdit>().get(&edit.key());
        if before.is_none_or(|before| before.value != edit.value) {
            batch.put(edit);
        }
    }
    batch
}

/// Bases the candidate `name` on what is in force at this moment, edits as they are; `None` if there
/// is no such candidate.
pub fn rebase(name: &str, snapshot: &Snapshot, (editor, by): (&str, &Changed)) -> Option<Batch> {
    let entry = snapshot.rows::<Candidate>().entry(&name.to_owned())?;
    let mut candidate = Candidate::clone(&entry.row);
    candidate.base = RegionalCommit::last_id(snapshot).0;
    candidate.note_editor(editor, by.at);
    candidate.changed = Some(by.clone());
    let mut batch = Batch::new(Class::Durable);
    batch.expect::<Candidate>(name.to_owned(), Expect::Modified(entry.modified));
    expect_last(&mut batch, snapshot);
    batch.put(candidate);
    // What others made of an agent meanwhile may be what this candidate wants.
    let running = Configuration::running(snapshot);
    for edit in CandidateEdit::of(name, snapshot) {
        if running.get(edit.subject) == edit.value.as_ref() {
            batch.delete::<CandidateEdit>(edit.key());
        }
    }
    Some(batch)
}

/// Deletes the oldest commits of a history that is too long, a part at a time.
pub fn forget(snapshot: &Snapshot) -> Option<Batch> {
    /// How many rows go into one batch.
    const ROWS_AT_ONCE: usize = 1000;
    let commits = snapshot.rows::<RegionalCommit>();
    let oldest = commits.iter().next().filter(|_| commits.len() > RegionalCommit::KEPT_MAX)?;
    let mut batch = Batch::new(Class::Durable);
    for change in RegionalChange::of(oldest.id, snapshot).take(ROWS_AT_ONCE) {
        batch.delete::<RegionalChange>(change.key());
    }
    if batch.changes.len() < ROWS_AT_ONCE {
        batch.delete::<RegionalCommit>(oldest.id);
    }
    Some(batch)
}

fn unconfirmed(snapshot: &Snapshot) -> Result<&Arc<RegionalCommit>, Refusal> {
    let last = RegionalCommit::last(snapshot);
    let waits = last.filter(|last| last.state == CommitState::Unconfirmed);
    waits.ok_or(Refusal::NoneUnconfirmed)
}

fn plan(
    wanted: &Configuration,
    cause: CommitCause,
    snapshot: &Snapshot,
    wish: &Wish,
) -> Result<Commit, Refusal> {
    if let Ok(last) = unconfirmed(snapshot) {
        return Err(Refusal::Unconfirmed(Arc::clone(last)));
    }
    let problems = structure(wanted);
    if !problems.is_empty() {
        return Err(Refusal::Problems(problems));
    }
    let commit = write(wanted, cause, snapshot, wish)?;
    if commit.differences.is_empty() { Err(Refusal::Nothing) } else { Ok(commit) }
}

/// The batch that makes `wanted` the running configuration, and a commit of it.
fn write(
    wanted: &Configuration,
    cause: CommitCause,
    snapshot: &Snapshot,
    wish: &Wish,
) -> Result<Commit, Refusal> {
    let id = RegionalCommit::last_id(snapshot).next();
    let differences = Configuration::running(snapshot).differences(wanted);
    let mut proposal = Proposal::new(snapshot, Origin::Cli).by(wish.by.clone());
    for Difference { subject, after, .. } in &differences {
        let done = match after {
            Some(value) => {
                let old = proposal.row::<Regional>(subject);
                let row = Regional {
                    address: subject.address(),
                    value: value.clone(),
                    origin: Origin::Cli,
                    storage: old.as_ref().map_or(StorageType::NonVolatile, |old| old.storage),
                    instance: None,
                    changed: None,
                    unknown: old.map(|old| old.unknown.clone()).unwrap_or_default(),
                };
                proposal.put(row)
            }
            None => proposal.delete::<Regional>(subject).map(drop),
        };
        done.map_err(Refusal::Invalid)?;
    }
    let mut prepared = proposal.prepare();
    let batch = &mut prepared.batch;
    expect_last(batch, snapshot);
    batch.expect::<RegionalCommit>(id, Expect::Absent);
    batch.put(RegionalCommit {
        id,
        cause,
        who: wish.by.by.clone(),
        at: wish.by.at,
        reason: wish.reason.clone(),
        changes: u32::try_from(differences.len()).unwrap_or(u32::MAX),
        confirm_within: wish.confirm_within,
        state: match wish.confirm_within {
            Some(_) => CommitState::Unconfirmed,
            None => CommitState::Confirmed,
        },
        ended_by: None,
        unknown: Unknown::default(),
    });
    for Difference { subject, before, after } in differences.clone() {
        batch.put(RegionalChange { id, subject, before, after, unknown: Unknown::default() });
    }
    Ok(Commit { id, differences, prepared })
}

/// Compares the last commit: who is faster wins.
fn expect_last(batch: &mut Batch, snapshot: &Snapshot) {
    let id = RegionalCommit::last_id(snapshot);
    if let Some(entry) = snapshot.rows::<RegionalCommit>().entry(&id) {
        batch.expect::<RegionalCommit>(id, Expect::Modified(entry.modified));
    }
}

/// Deletes a candidate as it is in the snapshot.
fn take_away(batch: &mut Batch, name: &str, snapshot: &Snapshot) {
    let key = name.to_owned();
    if let Some(entry) = snapshot.rows::<Candidate>().entry(&key) {
        // Each edit writes this row as well.
        batch.expect::<Candidate>(key.clone(), Expect::Modified(entry.modified));
        batch.delete::<Candidate>(key);
    }
    for edit in CandidateEdit::of(name, snapshot) {
        batch.delete::<CandidateEdit>(edit.key());
    }
}
