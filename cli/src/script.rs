//! Scripts: one command a line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use crate::failure::{ExitStatus, Failure};
use crate::line::{self, Outcome};
use crate::session::Session;

/// No command is as long as this; a file that is not text may be.
const LINE_MAX: u64 = 64 * 1024;

/// Runs the commands of `file`; `-` is standard input.
pub(crate) fn run_file(file: &Path, keep_going: bool, session: &mut Session) -> ExitStatus {
    if file == Path::new("-") {
        return run_input(keep_going, session);
    }
    match File::open(file) {
        Ok(opened) => run(&file.display().to_string(), BufReader::new(opened), keep_going, session),
        Err(err) => {
            let message = format!("failed to open `{}`: {err}", file.display());
            session.conclude(Err(Failure::usage(message).into()))
        }
    }
}

/// Runs the commands of standard input.
pub(crate) fn run_input(keep_going: bool, session: &mut Session) -> ExitStatus {
    let input = std::mem::replace(&mut session.world.input, Box::new(std::io::empty()));
    run("standard input", input, keep_going, session)
}

/// Stops at the first command that fails, unless told to keep going; its status is the script's.
fn run(name: &str, mut lines: impl BufRead, keep_going: bool, session: &mut Session) -> ExitStatus {
    session.many = true;
    let defaults = session.options;
    let mut status = ExitStatus::Success;
    for number in 1_u64.. {
        session.place = Some(format!("{name}:{number}"));
        let line = match read_line(&mut lines) {
            Ok(Some(line)) => line,
            Ok(None) => break,
            Err(failure) => {
                session.begin(defaults);
                return session.conclude(Err(failure.into()));
            }
        };
        let done = match line::run(&line, defaults, session) {
            Outcome::Nothing => continue,
            Outcome::Exit => break,
            Outcome::Done(done) => done,
        };
        if status == ExitStatus::Success {
            status = done;
        }
        if status != ExitStatus::Success && !keep_going {
            break;
        }
    }
    status
}

fn read_line(lines: &mut impl BufRead) -> Result<Option<String>, Failure> {
    let mut octets = Vec::new();
    let read = lines.by_ref().take(LINE_MAX).read_until(b'\n', &mut octets);
    let unreadable = |err| Failure::usage(format!("failed to read: {err}"));
    match read.map_err(unreadable)? {
        0 => Ok(None),
        _ if octets.len() >= usize::try_from(LINE_MAX).unwrap_or(usize::MAX) => {
            Err(Failure::usage("the line is too long"))
        }
        _ => String::from_utf8(octets)
            .map(Some)
            .map_err(|_| Failure::usage("the line is not text in UTF-8")),
    }
}
