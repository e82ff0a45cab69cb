//! `mip4ctl watch operations`

use std::collections::BTreeMap;
use std::time::Duration;

use store::OperationId;

use super::operate::FOLLOWED;
use super::show_operations::{self, COLUMNS};
use crate::failure::{ExitStatus, Failure, Stop};
use crate::session::Session;
use crate::timeout::{self, Deadline};

/// Show operations as they begin, go on and end; in JSON a document a line
#[derive(clap::Args, Debug)]
pub(crate) struct WatchOperations {
    /// End after so many events
    #[arg(long, value_name = "NUMBER")]
    count: Option<u64>,
    /// End after this long; a failure if `--count` is not reached
    #[arg(long, value_name = "TIME", value_parser = timeout::parse)]
    timeout: Option<Duration>,
}

impl WatchOperations {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        /// How often it is seen how far they are.
        const EVERY: Duration = Duration::from_millis(500);
        let deadline = Deadline::after(self.timeout.unwrap_or(Duration::MAX));
        let mut known: BTreeMap<OperationId, _> = BTreeMap::new();
        let mut events = 0_u64;
        session.print_event_header(COLUMNS)?;
        loop {
            let view = session.read(FOLLOWED)?;
            for row in show_operations::rows(&view, None) {
                let state = (row.operation.state, row.operation.wish, row.progress.ended());
                if known.insert(row.operation.id, state) == Some(state) {
                    continue;
                }
                session.print_event(COLUMNS, &row)?;
                events += 1;
                if self.count == Some(events) {
                    return Ok(());
                }
            }
            let left = deadline.remaining();
            if left.is_zero() {
                let Some(count) = self.count else { return Ok(()) };
                let message = format!("{events} of {count} events came");
                return Err(Failure::new(ExitStatus::TimedOut, message).into());
            }
            let revision = view.revision();
            let waited = session.ask(|source| source.wait(revision, EVERY.min(left)));
            match waited {
                // The usual way to end it.
                Err(Stop::Interrupted) if self.count.is_none() => return Ok(()),
                other => drop(other?),
            }
        }
    }
}
