//! `mip4ctl operation pause|resume|cancel` and `mip4ctl wait operation`

use std::time::Duration;

use store::{Batch, Class, Expect, Operation, OperationId, OperationWish};

use super::operate::{TABLES, follow, unknown};
use crate::failure::{Failure, Stop};
use crate::session::Session;
use crate::timeout;

/// Begin with no more targets for now
#[derive(clap::Args, Debug)]
pub(crate) struct OperationPause {
    /// The number of the operation
    id: OperationId,
}

/// Go on with an operation that was paused
#[derive(clap::Args, Debug)]
pub(crate) struct OperationResume {
    /// The number of the operation
    id: OperationId,
}

/// End an operation: what was begun is finished, the rest is not tried
#[derive(clap::Args, Debug)]
pub(crate) struct OperationCancel {
    /// The number of the operation
    id: OperationId,
}

impl OperationPause {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        wish(session, self.id, OperationWish::Pause, "is to pause")
    }
}

impl OperationResume {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        wish(session, self.id, OperationWish::Run, "is to go on")
    }
}

impl OperationCancel {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        wish(session, self.id, OperationWish::Cancel, "is to be cancelled")
    }
}

fn wish(
    session: &mut Session,
    id: OperationId,
    wish: OperationWish,
    words: &str,
) -> Result<(), Stop> {
    /// How often it is tried while daemons change the row.
    const TRIES: usize = 16;
    for _ in 0..TRIES {
        let view = session.read(TABLES)?;
        let Some(entry) = view.rows::<Operation>().entry(&id) else {
            return Err(unknown(id).into());
        };
        if entry.row.state.is_final() {
            let message = format!("operation {id} has ended: it is {}", entry.row.state.word());
            return Err(Failure::refused(message).into());
        }
        if entry.row.wish == OperationWish::Cancel && wish != OperationWish::Cancel {
            let message = format!("operation {id} is being cancelled");
            return Err(Failure::refused(message).into());
        }
        let mut batch = Batch::new(Class::Durable);
        let row = Operation { wish, ..Operation::clone(&entry.row) };
        batch.expect::<Operation>(id, Expect::Modified(entry.modified)).put(row);
        match session.source()?.commit(batch) {
            Ok(revision) => {
                return session.report_done(revision, &format!("operation {id} {words}"));
            }
            Err(crate::source::SourceError::Changed(_)) => {}
            Err(err) => return Err(err.into()),
        }
    }
    let message = format!("operation {id} changes all the time");
    Err(Failure::refused(message).hint("repeat the command").into())
}

/// Wait until an operation has ended, then show it
///
/// Some targets that failed are a failure with status 1. Ctrl-C ends the waiting, not the operation.
#[derive(clap::Args, Debug)]
pub(crate) struct WaitOperation {
    /// The number of the operation
    id: OperationId,
    /// Give up after this long; for ever by default
    #[arg(long, value_name = "TIME", value_parser = timeout::parse)]
    timeout: Option<Duration>,
}

impl WaitOperation {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        follow(session, self.id, self.timeout.unwrap_or(Duration::MAX))
    }
}
