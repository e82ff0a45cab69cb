//! Questions to somebody at a terminal.

use crate::failure::{ExitStatus, Failure, Stop};
use crate::terminal::{self, Shown, Typed};

/// Asks; `None` if the answer is Ctrl-D. Ctrl-C ends the command.
pub(crate) fn ask(words: &str) -> Result<Option<String>, Stop> {
    match terminal::ask(words, Shown::AsItIs) {
        Ok(Typed::Line(answer)) => Ok(Some(answer.to_string())),
        Ok(Typed::End) => Ok(None),
        Ok(Typed::Interrupted) => Err(Stop::Interrupted),
        Err(err) => {
            let message = format!("failed to use the terminal: {err}");
            Err(Failure::new(ExitStatus::PartlyFailed, message).into())
        }
    }
}
