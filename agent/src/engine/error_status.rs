//! `error-status` (RFC 3416 §3), and what SNMPv1 has for it.

use super::Counters;
use super::counters::count;

/// Why a request was not done; the numbers are those on the wire.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ErrorStatus {
    #[default]
    NoError,
    TooBig,
    NoSuchName,
    BadValue,
    GenErr,
    NoAccess,
    WrongType,
    WrongLength,
    WrongEncoding,
    WrongValue,
    NoCreation,
    InconsistentValue,
    ResourceUnavailable,
    CommitFailed,
    UndoFailed,
    AuthorizationError,
    NotWritable,
    InconsistentName,
}

impl ErrorStatus {
    pub const fn number(self) -> i32 {
        match self {
            Self::NoError => 0,
            Self::TooBig => 1,
            Self::NoSuchName => 2,
            Self::BadValue => 3,
            Self::GenErr => 5,
            Self::NoAccess => 6,
            Self::WrongType => 7,
            Self::WrongLength => 8,
            Self::WrongEncoding => 9,
            Self::WrongValue => 10,
            Self::NoCreation => 11,
            Self::InconsistentValue => 12,
            Self::ResourceUnavailable => 13,
            Self::CommitFailed => 14,
            Self::UndoFailed => 15,
            Self::AuthorizationError => 16,
            Self::NotWritable => 17,
            Self::InconsistentName => 18,
        }
    }

    /// The same in the words of SNMPv1 (RFC 3584 §4.4).
    #[must_use]
    pub const fn in_v1(self) -> Self {
        match self {
            Self::NoError => Self::NoError,
            Self::TooBig => Self::TooBig,
            Self::WrongValue
            | Self::WrongEncoding
            | Self::WrongType
            | Self::WrongLength
            | Self::InconsistentValue
            | Self::BadValue => Self::BadValue,
            Self::NoSuchName
            | Self::NoAccess
            | Self::NotWritable
            | Self::NoCreation
            | Self::InconsistentName
            | Self::AuthorizationError => Self::NoSuchName,
            Self::GenErr | Self::ResourceUnavailable | Self::CommitFailed | Self::UndoFailed => {
                Self::GenErr
            }
        }
    }

    /// Counts a response that says so.
    pub(super) fn count_out(self, counters: &mut Counters) {
        match self {
            Self::TooBig => count(&mut counters.out_too_bigs),
            Self::NoSuchName => count(&mut counters.out_no_such_names),
            Self::BadValue => count(&mut counters.out_bad_values),
            Self::GenErr => count(&mut counters.out_gen_errs),
            _ => {}
        }
    }
}
