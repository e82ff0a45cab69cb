//! From the words of a command line to an exit status.

use std::ffi::OsString;
use std::io::Write as _;

use clap::Parser as _;

use crate::failure::{ExitStatus, Failure, Stop};
use crate::grammar::Cli;
use crate::output::Format;
use crate::session::{LineOptions, Session, StorePlace, World};
use crate::usage::{Refusal, refusal};
use crate::{script, shell};

/// Runs the program; `words` are those after its name.
pub(crate) fn run(words: &[OsString], world: World) -> ExitStatus {
    let line = std::iter::once(OsString::from("mip4ctl")).chain(words.iter().cloned());
    match Cli::try_parse_from(line) {
        Ok(cli) => start(&cli, Session::new(world, cli.place(), cli.options)),
        Err(err) => {
            let options = LineOptions { output: format_of(words), fresh: false };
            let mut session = Session::new(world, StorePlace::default(), options);
            refuse(&err, &mut session)
        }
    }
}

fn start(cli: &Cli, mut session: Session) -> ExitStatus {
    if let Err(err) = session.store.url.parse::<store::StoreUrl>() {
        return session.conclude(Err(Failure::usage(err.to_string()).into()));
    }
    match (&cli.command, &cli.file) {
        (Some(_), Some(_)) => {
            let failure = Failure::usage("`--file` cannot be used with a command");
            session.conclude(Err(failure.into()))
        }
        (Some(command), None) => {
            let result = command.run(&mut session);
            session.conclude(result)
        }
        (None, Some(file)) => script::run_file(file, cli.keep_going, &mut session),
        (None, None) if session.world.input_is_terminal => shell::run(session),
        (None, None) => script::run_input(cli.keep_going, &mut session),
    }
}

/// Prints the help that was asked for, or what is wrong with the words.
pub(crate) fn refuse(err: &clap::Error, session: &mut Session) -> ExitStatus {
    let result = match refusal(err) {
        Refusal::Answer(text) => session.world.out.write_all(text.as_bytes()).map_err(Stop::from),
        Refusal::Failure(failure) => Err(failure.into()),
    };
    session.conclude(result)
}

/// The format that `words` ask for, although they are wrong as a whole.
pub(crate) fn format_of(words: &[OsString]) -> Option<Format> {
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let named = |(at, word): (usize, &std::borrow::Cow<'_, str>)| {
        let next = || words.get(at + 1).map(AsRef::as_ref);
        let value = match word.as_ref() {
            "-o" | "--output" => next()?,
            word => word.strip_prefix("--output=").or_else(|| word.strip_prefix("-o"))?,
        };
        clap::ValueEnum::from_str(value.trim_start_matches('='), false).ok()
    };
    words.iter().enumerate().filter_map(named).next_back()
}
