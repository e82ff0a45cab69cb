//! What is wrong with a configuration file, and where.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Problem {
    pub(crate) line: usize,
    /// In characters, from 1.
    pub(crate) column: usize,
    pub(crate) message: String,
}

/// Collects what is wrong while the file is read, so that all of it is told at once.
pub(super) struct Problems<'i> {
    text: &'i str,
    found: RefCell<Vec<Problem>>,
}

impl<'i> Problems<'i> {
    pub(super) fn new(text: &'i str) -> Self {
        Self { text, found: RefCell::default() }
    }

    pub(super) fn add(&self, span: &Range<usize>, message: impl Into<String>) {
        let (line, column) = place(self.text, span.start);
        self.found.borrow_mut().push(Problem { line, column, message: message.into() });
    }

    pub(super) fn into_sorted(self) -> Vec<Problem> {
        let mut found = self.found.into_inner();
        found.sort();
        found.dedup();
        found
    }
}

/// Line and column of an octet, both from 1.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("cannot read the configuration {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{}", Listing { path, problems })]
    Wrong { path: PathBuf, problems: Vec<Problem> },
}

/// `FILE:LINE:COLUMN: MESSAGE`, one problem a line, as compilers write it.
struct Listing<'a> {
    path: &'a Path,
    problems: &'a [Problem],
}

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, Problem { line, column, message }) in self.problems.iter().enumerate() {
            let separator = if number == 0 { "" } else { "\n" };
            write!(f, "{separator}{}:{line}:{column}: {message}", self.path.display())?;
        }
        Ok(())
    }
}
