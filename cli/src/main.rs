//! `mip4ctl`, the shell of the Mobile IPv4 management plane.
//!
//! It knows rows of the store and nothing else: what a command reads and
//! changes, the daemons wrote and will see there.

mod cell;
mod commands;
mod failure;
#[cfg(test)]
mod fixture;
mod grammar;
mod key;
mod line;
mod output;
mod question;
mod run;
mod script;
mod selector;
mod session;
mod shell;
mod source;
mod terminal;
#[cfg(test)]
mod tests;
mod timeout;
mod usage;
mod view;
mod words;

use std::ffi::OsString;
use std::io::{self, BufWriter, IsTerminal as _};
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use store::UtcTime;
use tracing_subscriber::EnvFilter;

use crate::failure::ExitStatus;
use crate::output::Format;
use crate::session::World;

fn main() -> ExitCode {
    start_log();
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let status = panic::catch_unwind(AssertUnwindSafe(|| run::run(&words, world())));
    let status = status.unwrap_or_else(|_| {
        // The panic itself has been printed to standard error.
        if run::format_of(&words) == Some(Format::Json) {
            let failure = failure::Failure::new(ExitStatus::Bug, "this is a bug in `mip4ctl`");
            output::print_error(&failure, &mut io::stdout()).ok();
        }
        ExitStatus::Bug
    });
    ExitCode::from(status.code())
}

/// Logs what `MIP4_LOG` asks for to standard error; nothing by default.
fn start_log() {
    if let Ok(filter) = EnvFilter::try_from_env("MIP4_LOG") {
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    }
}

/// The process's own surroundings.
fn world() -> World {
    World {
        input: Box::new(io::stdin().lock()),
        input_is_terminal: io::stdin().is_terminal(),
        out: Box::new(BufWriter::new(io::stdout())),
        err: Box::new(io::stderr()),
        ask: question::ask,
        terminal: || io::stdout().is_terminal().then(terminal_width),
        now: utc_now,
        connect: Box::new(source::connect),
    }
}

/// The width of the terminal, or what terminals used to have.
fn terminal_width() -> u16 {
    comfy_table::Table::new().width().unwrap_or(80)
}

/// The only place that reads the clock.
fn utc_now() -> UtcTime {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UtcTime(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
