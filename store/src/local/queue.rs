//! What callers hand to the writer thread.

use tokio::sync::oneshot;

use super::checkpoint::Manifest;
use crate::journal::item::{Item, PATH_MAX, VALUE_MAX};
use crate::journal::record::PAYLOAD_MAX;
use crate::{Batch, Change, Class, CommitError, Revision, Stamp};

/// Where the result of a commit goes.
pub(crate) type Reply = oneshot::Sender<Result<Revision, CommitError>>;

/// One thing for the writer thread to do.
pub(crate) enum Work {
    Commit(Commit, Reply),
    /// The checkpoint thread is done.
    Checkpointed(Result<Manifest, String>),
    /// Make a checkpoint of what is there, and say when it is done.
    Checkpoint(oneshot::Sender<Result<Revision, CommitError>>),
    Close(oneshot::Sender<()>),
}

/// A commit whose rows are encoded already: that is done in the caller's thread.
pub(crate) enum Commit {
    Batch(Encoded),
    /// A sealed secret, or none to forget it.
    Secret {
        path: String,
        sealed: Option<Vec<u8>>,
    },
}

/// A batch with the stored form of each of its changes.
pub(crate) struct Encoded {
    pub(crate) batch: Batch,
    changes: Vec<(String, Option<Vec<u8>>)>,
}

impl Commit {
    pub(crate) fn class(&self) -> Class {
        match self {
            Self::Batch(encoded) => encoded.batch.class,
            Self::Secret { .. } => Class::Durable,
        }
    }
}

impl Encoded {
    /// The octets of its keys and values.
    pub(crate) fn octets(&self) -> usize {
        let length = |(path, value): &(String, Option<Vec<u8>>)| {
            path.len() + value.as_ref().map_or(0, Vec::len)
        };
        self.changes.iter().map(length).sum()
    }

    /// Encodes the changes of `batch`, or says why it cannot be stored.
    pub(crate) fn new(batch: Batch) -> Result<Self, CommitError> {
        let mut changes = Vec::with_capacity(batch.changes.len());
        let mut sum = 0;
        for change in &batch.changes {
            let (path, value) = match change {
                Change::Put(row) => {
                    let path = row.key().path();
                    let value =
                        row.encode().map_err(|error| CommitError::Invalid(error.to_string()))?;
                    (path, Some(value))
                }
                Change::Delete(key) => (key.path(), None),
            };
            sum += check(&path, value.as_deref())?;
            changes.push((path, value));
        }
        if sum > PAYLOAD_MAX {
            let words = format!("a commit of {sum} octets; at most {PAYLOAD_MAX} are possible");
            return Err(CommitError::Invalid(words));
        }
        Ok(Self { batch, changes })
    }

    /// Appends the items; `stamps` are those of the puts, in order.
    pub(crate) fn emit(&self, mut stamps: impl Iterator<Item = Stamp>, out: &mut Vec<u8>) {
        for (path, value) in &self.changes {
            let put = value.as_deref().zip(value.as_ref().and_then(|_| stamps.next()));
            Item { path, put: put.map(|(value, stamp)| (stamp, value)) }.emit(out);
        }
    }
}

/// Seals nothing itself; only checks what is about to be queued.
pub(crate) fn secret(path: String, sealed: Option<Vec<u8>>) -> Result<Commit, CommitError> {
    check(&path, sealed.as_deref())?;
    Ok(Commit::Secret { path, sealed })
}

/// The room an item takes, if it is small enough to be stored.
fn check(path: &str, value: Option<&[u8]>) -> Result<usize, CommitError> {
    let length = value.map_or(0, <[u8]>::len);
    if path.len() > PATH_MAX {
        let words = format!("a key of {} octets; at most {PATH_MAX} are possible", path.len());
        return Err(CommitError::Invalid(words));
    }
    if length > VALUE_MAX {
        let words = format!("{path}: {length} octets; a row has at most {VALUE_MAX}");
        return Err(CommitError::Invalid(words));
    }
    Ok(path.len() + length + 64)
}
