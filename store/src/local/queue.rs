//! What callers hand to the writer thread.

use tokio::sync::oneshot;

use super::checkpoint::Manifest;
use crate::journal::item::{Item, PATH_MAX, VALUE_MAX, set_stamp};
use crate::journal::record::PAYLOAD_MAX;
use crate::{Batch, Change, Class, CommitError, Revision, Stamp};

/// What became of commits that were queued together, in their order.
pub(crate) type Results = Vec<Result<Revision, CommitError>>;

/// Commits that were queued together.
pub(crate) struct Queued {
    /// One that cannot be stored is here as well, so that results keep their places.
    pub(crate) commits: Vec<Result<Commit, CommitError>>,
    pub(crate) reply: oneshot::Sender<Results>,
}

impl Queued {
    /// Whether any of them must be synced before it is answered.
    pub(crate) fn is_durable(&self) -> bool {
        self.commits.iter().flatten().any(|commit| commit.class() == Class::Durable)
    }

    /// The octets of their keys and values.
    pub(crate) fn octets(&self) -> usize {
        self.commits.iter().flatten().map(Commit::octets).sum()
    }

    /// Answers all of them with `error`, but those that had one of their own.
    pub(crate) fn fail(self, error: &CommitError) {
        let failed = |commit: Result<Commit, CommitError>| {
            Err(commit.err().unwrap_or_else(|| error.clone()))
        };
        let _ = self.reply.send(self.commits.into_iter().map(failed).collect());
    }
}

/// One thing for the writer thread to do.
pub(crate) enum Work {
    Commits(Queued),
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

/// A batch with the stored form of its changes, which lacks only their stamps.
pub(crate) struct Encoded {
    pub(crate) batch: Batch,
    /// The payload of its record.
    items: Vec<u8>,
    /// Where the stamp of each put belongs, in order.
    stamps_at: Vec<usize>,
}

impl Commit {
    pub(crate) fn class(&self) -> Class {
        match self {
            Self::Batch(encoded) => encoded.batch.class,
            Self::Secret { .. } => Class::Durable,
        }
    }

    fn octets(&self) -> usize {
        match self {
            Self::Batch(encoded) => encoded.octets(),
            Self::Secret { sealed, .. } => sealed.as_ref().map_or(0, Vec::len),
        }
    }
}

/// Room for the two rows that a registration writes, which is most of what is written, and for
/// the longer of their paths.
const ITEMS_ROOM: usize = 1024;
const PATH_ROOM: usize = 128;

impl Encoded {
    /// The octets of its keys and values.
    fn octets(&self) -> usize {
        self.items.len()
    }

    /// Encodes the changes of `batch`, or says why it cannot be stored.
    pub(crate) fn new(batch: Batch) -> Result<Self, CommitError> {
        let mut items = Vec::with_capacity(ITEMS_ROOM);
        let mut stamps_at = Vec::with_capacity(batch.changes.len());
        let mut path = String::with_capacity(PATH_ROOM);
        for change in &batch.changes {
            path.clear();
            match change {
                Change::Put(row) => {
                    row.key().push_path(&mut path);
                    let put = Item::emit_put(&path, &mut items, |out| row.encode_into(out));
                    let put = put.map_err(|error| CommitError::Invalid(error.to_string()))?;
                    check(&path, put.value)?;
                    stamps_at.push(put.at);
                }
                Change::Delete(key) => {
                    key.push_path(&mut path);
                    check(&path, 0)?;
                    Item::emit_delete(&path, &mut items);
                }
            }
        }
        if items.len() > PAYLOAD_MAX {
            let octets = items.len();
            let words = format!("a commit of {octets} octets; at most {PAYLOAD_MAX} are possible");
            return Err(CommitError::Invalid(words));
        }
        Ok(Self { batch, items, stamps_at })
    }

    /// Appends the items; `stamps` are those of the puts, in order.
    pub(crate) fn emit(&self, stamps: impl Iterator<Item = Stamp>, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.items);
        for (at, stamp) in self.stamps_at.iter().zip(stamps) {
            set_stamp(out, start + at, stamp);
        }
    }
}

/// Seals nothing itself; only checks what is about to be queued.
pub(crate) fn secret(path: String, sealed: Option<Vec<u8>>) -> Result<Commit, CommitError> {
    check(&path, sealed.as_ref().map_or(0, Vec::len))?;
    Ok(Commit::Secret { path, sealed })
}

/// Refuses a key or a value that is too long to be stored.
fn check(path: &str, value: usize) -> Result<(), CommitError> {
    if path.len() > PATH_MAX {
        let words = format!("a key of {} octets; at most {PATH_MAX} are possible", path.len());
        return Err(CommitError::Invalid(words));
    }
    if value > VALUE_MAX {
        let words = format!("{path}: {value} octets; a row has at most {VALUE_MAX}");
        return Err(CommitError::Invalid(words));
    }
    Ok(())
}
