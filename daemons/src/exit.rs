//! How the program ends.

use std::io::{self, Write as _};
use std::process::ExitCode;

use tracing::error;

/// What the exit status means; the same numbers as `mip4ctl`. The parser of the command line
/// itself ends the program with 2.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ExitStatus {
    Failed,
    /// Options that do not go together.
    Usage,
    StoreUnreachable,
    /// The configuration is wrong.
    Refused,
    NotPermitted,
}

impl ExitStatus {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::StoreUnreachable => 3,
            Self::Refused => 5,
            Self::NotPermitted => 8,
        }
    }
}

/// Why the program cannot go on, and with which exit status.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: ExitStatus,
    pub(crate) error: anyhow::Error,
}

impl Failure {
    pub(crate) fn new(status: ExitStatus, error: impl Into<anyhow::Error>) -> Self {
        Self { status, error: error.into() }
    }

    /// Tells why, once, and gives the exit status.
    pub(crate) fn report(&self) -> ExitCode {
        // A log that machines read must not be broken by a plain line.
        if tracing::dispatcher::has_been_set() && self.status != ExitStatus::Refused {
            error!("{:#}", self.error);
        } else {
            drop(writeln!(io::stderr(), "mip4d: {:#}", self.error));
        }
        ExitCode::from(self.status.code())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(ExitStatus::Failed, error)
    }
}

impl From<crate::config::ConfigError> for Failure {
    fn from(error: crate::config::ConfigError) -> Self {
        Self::new(ExitStatus::Refused, error)
    }
}

impl From<store::OpenError> for Failure {
    fn from(error: store::OpenError) -> Self {
        use store::OpenError;
        let status = match &error {
            OpenError::NotPermitted(_) => ExitStatus::NotPermitted,
            _ => ExitStatus::StoreUnreachable,
        };
        Self::new(status, error)
    }
}
