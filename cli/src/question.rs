//! Questions to somebody at a terminal.

use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Behavior, Config, Editor};

use crate::failure::{ExitStatus, Failure, Stop};

/// Asks; `None` if the answer is Ctrl-D. Ctrl-C ends the command.
///
/// The terminal itself is asked, so that what is redirected stays clean. Nothing is kept of the
/// answer: the history is for commands.
pub(crate) fn ask(words: &str) -> Result<Option<String>, Stop> {
    let failed = |err: &ReadlineError| -> Stop {
        let message = format!("failed to use the terminal: {err}");
        Failure::new(ExitStatus::PartlyFailed, message).into()
    };
    let config = Config::builder().behavior(Behavior::PreferTerm).build();
    let editor = Editor::<(), MemHistory>::with_history(config, MemHistory::new());
    let mut editor = editor.map_err(|err| failed(&err))?;
    match editor.readline(words) {
        Ok(answer) => Ok(Some(answer)),
        Err(ReadlineError::Eof) => Ok(None),
        Err(ReadlineError::Interrupted) => Err(Stop::Interrupted),
        Err(err) => Err(failed(&err)),
    }
}
