//! Where rows come from: the store, behind what commands need of it.

mod served;

use std::sync::Arc;
use std::time::Duration;

use store::{Batch, Event, Revision, Snapshot, Table};
use zeroize::Zeroizing;

use crate::failure::{ExitStatus, Failure};

pub(crate) use served::connect;

/// A store, as far as commands are concerned. Tests have one of their own.
pub(crate) trait Source {
    /// A line begins: what was pressed before is forgotten.
    fn begin(&mut self) {}

    /// All rows of `tables`, at one revision; the other tables may be empty. What was followed of
    /// fewer tables is forgotten.
    fn read(&mut self, tables: &[Table]) -> Result<Arc<Snapshot>, SourceError>;

    /// Waits until something is newer than `after`; `None` after `timeout`.
    fn wait(&mut self, after: Revision, timeout: Duration)
    -> Result<Option<Revision>, SourceError>;

    /// Starts to follow every change after `after`; forgets what was followed before.
    fn follow(&mut self, after: Revision) -> Result<(), SourceError>;

    /// The next change that is followed; `None` after `timeout`.
    fn next_change(&mut self, timeout: Duration) -> Result<Option<Event>, SourceError>;

    fn commit(&mut self, batch: Batch) -> Result<Revision, SourceError>;

    /// The secret at `path`; daemons and root alone may read it.
    fn secret(&mut self, path: &str) -> Result<Option<Zeroizing<Vec<u8>>>, SourceError>;

    fn put_secret(&mut self, path: &str, octets: &[u8]) -> Result<(), SourceError>;

    /// Forgets the secret at `path`; no error if there is none.
    fn delete_secret(&mut self, path: &str) -> Result<(), SourceError>;

    fn health(&mut self) -> Result<Health, SourceError>;
}

/// How the store is, in its own words.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health {
    pub(crate) engine: String,
    pub(crate) revision: Revision,
    /// How old the visible revision may be.
    pub(crate) age: Duration,
    /// Why commits fail, if they do.
    pub(crate) degraded: Option<String>,
}

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("cannot reach the store: {0}")]
    Unreachable(String),
    #[error("not permitted: {0}")]
    NotPermitted(String),
    /// Somebody else changed a row in between.
    #[error("`{0}` changed in between")]
    Changed(String),
    #[error("the store refused the change: {0}")]
    Refused(String),
    #[error("the store cannot write: {0}")]
    Unwritable(String),
    /// Changes up to this revision are forgotten before they were read.
    #[error("changes up to revision {0} were missed")]
    Missed(Revision),
    #[error("interrupted")]
    Interrupted,
}

impl From<SourceError> for crate::failure::Stop {
    fn from(err: SourceError) -> Self {
        let status = match &err {
            SourceError::Interrupted => return Self::Interrupted,
            SourceError::Unreachable(_) | SourceError::Unwritable(_) | SourceError::Missed(_) => {
                ExitStatus::Unreachable
            }
            SourceError::NotPermitted(_) => ExitStatus::NotPermitted,
            SourceError::Changed(_) | SourceError::Refused(_) => ExitStatus::Refused,
        };
        let mut failure = Failure::new(status, err.to_string());
        match &err {
            SourceError::Unreachable(_) => {
                failure = failure.hint(
                    "is `mip4d` running? name its store with `--store unix:PATH` or `MIP4_STORE`",
                );
            }
            SourceError::Changed(_) => {
                failure = failure.hint("look again, then repeat the command");
            }
            _ => {}
        }
        Self::Failure(failure)
    }
}
