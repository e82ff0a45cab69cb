//! What the `wait` commands share.

use std::thread;
use std::time::Duration;

use store::Table;

use crate::failure::{ExitStatus, Failure, Stop};
use crate::session::Session;
use crate::timeout::{self, Deadline};
use crate::view::View;

/// How often a store that cannot be reached is tried.
const RETRY_EVERY: Duration = Duration::from_millis(200);

/// Looks at the store, and again whenever it changes, until `found` is content.
///
/// A store that cannot be reached may come back; it is tried until time is up.
pub(super) fn until<T>(
    session: &mut Session,
    tables: &[Table],
    timeout: Duration,
    awaited: &str,
    mut found: impl FnMut(View) -> Option<T>,
) -> Result<T, Stop> {
    let deadline = Deadline::after(timeout);
    loop {
        let looked = session.read(tables).and_then(|view| {
            let revision = view.revision();
            if let Some(found) = found(view) {
                return Ok(Some(found));
            }
            session.ask(|source| source.wait(revision, deadline.remaining()))?;
            Ok(None)
        });
        match looked {
            Ok(Some(found)) => return Ok(found),
            Ok(None) if !deadline.remaining().is_zero() => {}
            Err(Stop::Failure(failure))
                if failure.status == ExitStatus::Unreachable && !deadline.remaining().is_zero() =>
            {
                thread::sleep(RETRY_EVERY.min(deadline.remaining()));
            }
            Ok(None) => {
                let words = timeout::words(timeout);
                let message = format!("waited {words} for {awaited}");
                return Err(Failure::new(ExitStatus::TimedOut, message).into());
            }
            Err(stop) => return Err(stop),
        }
    }
}
