//! How a command ends.

use std::fmt;
use std::io;

use serde::Serialize;

/// The exit status of the program; the same number is `code` in JSON.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ExitStatus {
    Success,
    /// Some of several targets failed.
    PartlyFailed,
    /// The words of the command are wrong.
    Usage,
    /// The store did not answer.
    Unreachable,
    /// A selector matched nothing.
    NothingMatched,
    /// The content of the command was refused.
    Refused,
    TimedOut,
    /// `--fresh` was asked for, and a row is stale.
    Stale,
    NotPermitted,
    /// This program is wrong.
    Bug,
    /// The user pressed Ctrl-C.
    Interrupted,
}

impl ExitStatus {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::PartlyFailed => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::NothingMatched => 4,
            Self::Refused => 5,
            Self::TimedOut => 6,
            Self::Stale => 7,
            Self::NotPermitted => 8,
            Self::Bug => 70,
            Self::Interrupted => 130,
        }
    }

    /// Its word in JSON.
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::PartlyFailed => "partly-failed",
            Self::Usage => "usage",
            Self::Unreachable => "unreachable",
            Self::NothingMatched => "nothing-matched",
            Self::Refused => "refused",
            Self::TimedOut => "timed-out",
            Self::Stale => "stale",
            Self::NotPermitted => "not-permitted",
            Self::Bug => "bug",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Why a command did not succeed: a status, a message for people, and what they could do.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: ExitStatus,
    pub(crate) message: String,
    pub(crate) hints: Vec<String>,
}

impl Failure {
    pub(crate) fn new(status: ExitStatus, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), hints: Vec::new() }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(ExitStatus::Usage, message)
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(ExitStatus::Refused, message)
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

/// `error: …`, then a line for each hint.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        self.hints.iter().try_for_each(|hint| write!(f, "\nhint: {hint}"))
    }
}

/// What ends a command early.
#[derive(Debug)]
pub(crate) enum Stop {
    Failure(Failure),
    /// Whoever read the output has closed it; that is success.
    Closed,
    /// The user pressed Ctrl-C.
    Interrupted,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// A failure to write the output.
impl From<io::Error> for Stop {
    fn from(err: io::Error) -> Self {
        if err.kind() == io::ErrorKind::BrokenPipe {
            return Self::Closed;
        }
        Self::Failure(Failure::new(
            ExitStatus::PartlyFailed,
            format!("failed to write the output: {err}"),
        ))
    }
}

/// The whole chain of causes of `err`, in one line.
pub(crate) fn chain(err: &dyn std::error::Error) -> String {
    let mut text = err.to_string();
    let mut cause = err.source();
    while let Some(err) = cause {
        let words = err.to_string();
        // Some libraries repeat the cause in their own message.
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = err.source();
    }
    text
}

/// An error as JSON shows it.
#[derive(Serialize)]
pub(crate) struct ErrorObject<'a> {
    code: u8,
    kind: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    hints: &'a [String],
}

impl<'a> From<&'a Failure> for ErrorObject<'a> {
    fn from(failure: &'a Failure) -> Self {
        Self {
            code: failure.status.code(),
            kind: failure.status.kind(),
            message: &failure.message,
            hints: &failure.hints,
        }
    }
}
