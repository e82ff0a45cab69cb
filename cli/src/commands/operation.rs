//! `mip4ctl operation pause|resume|cancel` and `mip4ctl wait operation`

use std::time::Duration;

use store::{Batch, Class, Expect, Operation, OperationAction, OperationId, OperationWish};

use super::operate::{FOLLOWED, follow, unknown};
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
///
/// A drain that has done its work is cancelled as well: its home agent serves again.
#[derive(clap::Args, Debug)]
pub(crate) struct OperationCancel {
    /// The number of the operation
    id: OperationId,
}

impl OperationPause {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        wish(session, self.id, OperationWish::Pause)
    }
}

impl OperationResume {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        wish(session, self.id, OperationWish::Run)
    }
}

impl OperationCancel {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        wish(session, self.id, OperationWish::Cancel)
    }
}

/// Says what is to become of an operation.
pub(super) fn wish(
    session: &mut Session,
    id: OperationId,
    wish: OperationWish,
) -> Result<(), Stop> {
    /// How often it is tried while daemons change the row.
    const TRIES: usize = 16;
    for _ in 0..TRIES {
        let view = session.read(FOLLOWED)?;
        let Some(entry) = view.rows::<Operation>().entry(&id) else {
            return Err(unknown(id).into());
        };
        let row = Operation { wish, ..Operation::clone(&entry.row) };
        if Operation::admits(Some(&entry.row), &row).is_err() {
            let message = format!("operation {id} has ended: it is {}", entry.row.state.word());
            return Err(Failure::refused(message).into());
        }
        if entry.row.wish == OperationWish::Cancel && wish != OperationWish::Cancel {
            let message = format!("operation {id} is being cancelled");
            return Err(Failure::refused(message).into());
        }
        let words = words(&entry.row, wish);
        let mut batch = Batch::new(Class::Durable);
        batch.expect::<Operation>(id, Expect::Modified(entry.modified)).put(row);
        match session.source()?.commit(batch) {
            Ok(revision) => return session.report_done(revision, &words),
            Err(crate::source::SourceError::Changed(_)) => {}
            Err(err) => return Err(err.into()),
        }
    }
    let message = format!("operation {id} changes all the time");
    Err(Failure::refused(message).hint("repeat the command").into())
}

/// What is said of an operation that is wished otherwise.
fn words(operation: &Operation, wish: OperationWish) -> String {
    let id = operation.id;
    match (wish, &operation.action, operation.selector.home_agents.first()) {
        (OperationWish::Pause, ..) => format!("operation {id} is to pause"),
        (OperationWish::Run, ..) => format!("operation {id} is to go on"),
        (OperationWish::Cancel, OperationAction::Drain { .. }, Some(home_agent)) => {
            format!("operation {id} is to be cancelled: {home_agent} serves again")
        }
        (OperationWish::Cancel, ..) => format!("operation {id} is to be cancelled"),
    }
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
