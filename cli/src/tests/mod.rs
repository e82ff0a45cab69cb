//! The program from its words to exit status, standard output and standard error.
//!
//! Snapshots are in `cli/tests/snapshots/`; `INSTA_UPDATE=always` rewrites them.

mod association;
mod explain;
mod export;
mod notify;
mod regional;
mod script;
mod setting;
mod show;
mod usage;
mod wait;
mod watch;

use std::cell::RefCell;
use std::ffi::OsString;
use std::io::{self, Write};
use std::rc::Rc;

use crate::failure::{ExitStatus, Stop};
use crate::fixture::{self, Fake};
use crate::run::run;
use crate::session::World;
use crate::source::{Source, SourceError};

/// What the program left behind.
pub(super) struct Done {
    pub(super) status: ExitStatus,
    pub(super) out: String,
    pub(super) err: String,
}

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "exit status: {}", self.status.code())?;
        writeln!(f, "----- standard output -----\n{}", self.out.replace('\r', "\\r"))?;
        write!(f, "----- standard error -----\n{}", self.err)
    }
}

impl Done {
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

#[derive(Clone, Default)]
struct Buffer(Rc<RefCell<Vec<u8>>>);

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).unwrap()
    }
}

impl Write for Buffer {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Standard output whose reader has gone.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _octets: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A world with `source` for a store, and no terminal.
fn world(
    source: Option<Fake>,
    input: &'static str,
    out: impl Write + 'static,
    err: Buffer,
) -> World {
    let source = RefCell::new(source);
    World {
        input: Box::new(input.as_bytes()),
        input_is_terminal: false,
        ask: |_| Ok(None),
        out: Box::new(out),
        err: Box::new(err),
        terminal: || None,
        now: || fixture::NOW,
        connect: Box::new(move |_place| match source.borrow_mut().take() {
            Some(fake) => {
                let source: Box<dyn Source> = Box::new(fake);
                Ok(source)
            }
            None => Err(Stop::from(SourceError::Unreachable("connection refused".to_owned()))),
        }),
    }
}

/// What a run prints.
#[derive(Default)]
pub(super) struct Buffers {
    out: Buffer,
    err: Buffer,
}

impl Buffers {
    pub(super) fn out(&self) -> String {
        self.out.text()
    }

    pub(super) fn run(&self, source: Option<Fake>, words: &[&str]) -> ExitStatus {
        self.run_with_input(source, words, "")
    }

    fn run_with_input(
        &self,
        source: Option<Fake>,
        words: &[&str],
        input: &'static str,
    ) -> ExitStatus {
        // A variable of whoever runs the tests must not matter.
        let store = ["--store", "unix:store.sock"];
        let words: Vec<OsString> = store.iter().chain(words).map(OsString::from).collect();
        run(&words, world(source, input, self.out.clone(), self.err.clone()))
    }
}

/// Runs the program with the words of `line` on `source`.
pub(super) fn on(source: impl Into<Option<Fake>>, line: &str, input: &'static str) -> Done {
    let buffers = Buffers::default();
    let words: Vec<&str> = line.split_whitespace().collect();
    let status = buffers.run_with_input(source.into(), &words, input);
    Done { status, out: buffers.out.text(), err: buffers.err.text() }
}

/// Compares what the program leaves behind with a file.
macro_rules! snapshot {
    ($name:expr, $done:expr) => {
        insta::with_settings!({
            snapshot_path => concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots"),
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!($name, $done.to_string()) });
    };
}
pub(super) use snapshot;

#[test]
fn a_closed_pipe_is_success() {
    let err = Buffer::default();
    let words: Vec<OsString> =
        ["--store", "unix:store.sock", "show", "bindings"].map(OsString::from).into();
    let status = run(&words, world(Some(Fake::network()), "", Closed, err.clone()));
    assert_eq!((status, err.text().as_str()), (ExitStatus::Success, ""));
}

#[test]
fn the_grammar_is_consistent() {
    use clap::CommandFactory as _;
    crate::grammar::Cli::command().debug_assert();
    crate::grammar::Line::command().debug_assert();
}
