//! SET through a master: test, commit, undo, clean up (RFC 2741 §7.2.4).
//!
//! ```text
//!  TestSet ──▶ Tested ──CommitSet──▶ Committing ──▶ Committed ──UndoSet──▶ Undoing
//!                 │                      │ too late      │                    │
//!                 │                      ▼               │ CleanupSet         │
//!                 │                   Late ──done──▶ undone                   │
//!                 └────── CleanupSet or UndoSet: forgotten ◀─────────────────┘
//! ```

use std::time::Duration;

use store::{Batch, Change, Class, Snapshot, Time};

use super::{ErrorCode, Ids, VarBind, VarData};
use crate::engine::{ErrorStatus, Requester, Staging};
use crate::mib::{Context, Registry};

/// A commit that takes longer is answered `commitFailed`: a master that gave up on us would not
/// hear of it at all.
pub(super) const COMMIT_MAX: Duration = Duration::from_secs(4);

/// The SET that a master has begun.
#[derive(Debug)]
pub(super) struct Transaction {
    /// `h.transactionID`
    pub(super) id: u32,
    state: State,
}

#[derive(Debug)]
enum State {
    Tested(Batch),
    Committing {
        ids: Ids,
        until: Time,
        undo: Batch,
    },
    /// The master was told that it failed; if it is done after all, it is undone.
    Late(Batch),
    Committed(Batch),
    Undoing(Ids),
    /// An undo that nobody waits for.
    Forgotten,
}

/// What comes of a request, or of a commit.
#[derive(Debug)]
pub(super) enum Step {
    Respond(Ids, ErrorCode),
    Commit(Batch),
    Nothing,
}

impl Transaction {
    /// Checks every variable on one snapshot; the position of the one at fault counts from 0.
    pub(super) fn test(
        id: u32,
        registry: &Registry,
        context: Context<'_>,
        variables: &[VarBind],
    ) -> Result<Self, (ErrorCode, usize)> {
        let mut staging = Staging::new(context, Requester::default());
        for (position, variable) in variables.iter().enumerate() {
            staging.turn_to(position);
            let staged = match &variable.data {
                VarData::Value(value) => registry
                    .set(&mut staging, &variable.name, value)
                    .and_then(|()| staging.record(&variable.name, value)),
                _ => Err(ErrorStatus::WrongType),
            };
            staged.map_err(|status| (code(status), position))?;
        }
        let staged = staging.finish().map_err(|failure| {
            let position = failure.index.saturating_sub(1);
            (code(failure.status), position)
        })?;
        Ok(Self { id, state: State::Tested(staged.batch) })
    }

    /// Nothing in it waits for the store.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.state, State::Tested(_) | State::Committed(_))
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        match &self.state {
            State::Committing { until, .. } => Some(*until),
            _ => None,
        }
    }

    /// `CommitSet`.
    pub(super) fn commit(&mut self, ids: Ids, now: Time, snapshot: &Snapshot) -> Step {
        match &mut self.state {
            State::Tested(batch) if batch.is_empty() => {
                self.state = State::Committed(Batch::default());
                Step::Respond(ids, ErrorCode::NO_ERROR)
            }
            State::Tested(batch) => {
                let batch = std::mem::take(batch);
                let undo = inverse(&batch, snapshot);
                self.state = State::Committing { ids, until: now + COMMIT_MAX, undo };
                Step::Commit(batch)
            }
            _ => Step::Respond(ids, ErrorCode::COMMIT_FAILED),
        }
    }

    /// `UndoSet`.
    pub(super) fn undo(&mut self, ids: Ids) -> Step {
        match &mut self.state {
            State::Committed(undo) if !undo.is_empty() => {
                let undo = std::mem::take(undo);
                self.state = State::Undoing(ids);
                Step::Commit(undo)
            }
            // Nothing was done yet; what is late undoes itself.
            _ => Step::Respond(ids, ErrorCode::NO_ERROR),
        }
    }

    /// The commit that was asked for last has ended.
    pub(super) fn on_committed(&mut self, done: bool) -> Step {
        let state = std::mem::replace(&mut self.state, State::Forgotten);
        match state {
            State::Committing { ids, undo, .. } if done => {
                self.state = State::Committed(undo);
                Step::Respond(ids, ErrorCode::NO_ERROR)
            }
            State::Committing { ids, .. } => Step::Respond(ids, ErrorCode::COMMIT_FAILED),
            State::Late(undo) if done => Step::Commit(undo),
            State::Undoing(ids) if done => Step::Respond(ids, ErrorCode::NO_ERROR),
            State::Undoing(ids) => Step::Respond(ids, ErrorCode::UNDO_FAILED),
            State::Late(_) | State::Forgotten => Step::Nothing,
            idle @ (State::Tested(_) | State::Committed(_)) => {
                self.state = idle;
                Step::Nothing
            }
        }
    }

    /// The master must hear something by now.
    pub(super) fn on_deadline(&mut self, now: Time) -> Step {
        if self.deadline().is_none_or(|deadline| deadline > now) {
            return Step::Nothing;
        }
        match std::mem::replace(&mut self.state, State::Forgotten) {
            State::Committing { ids, undo, .. } => {
                self.state = State::Late(undo);
                Step::Respond(ids, ErrorCode::COMMIT_FAILED)
            }
            other => {
                self.state = other;
                Step::Nothing
            }
        }
    }
}

/// What puts everything back that `batch` changes.
fn inverse(batch: &Batch, snapshot: &Snapshot) -> Batch {
    let mut undo = Batch::new(Class::Durable);
    for change in &batch.changes {
        let key = match change {
            Change::Put(row) => row.key(),
            Change::Delete(key) => key.clone(),
        };
        undo.changes.push(match snapshot.tables.find(&key) {
            Some((row, _)) => Change::Put(row),
            None => Change::Delete(key),
        });
    }
    undo
}

/// The statuses of SNMP have the same numbers here (RFC 2741 §6.2.16).
fn code(status: ErrorStatus) -> ErrorCode {
    ErrorCode(u16::try_from(status.number()).unwrap_or(ErrorCode::GEN_ERR.0))
}
