//! Errors of the store as etcd spells them, and back.

use tonic::{Code, Status};

use crate::{CommitError, Revision};

/// Tells how a commit must be waited for; the value is [`RELAXED`] or absent.
pub(crate) const CLASS: &str = "mip4-class";
pub(crate) const RELAXED: &str = "relaxed";

pub(crate) const NO_SPACE: &str = "etcdserver: mvcc: database space exceeded";

pub(crate) fn compacted() -> Status {
    Status::out_of_range("etcdserver: mvcc: required revision has been compacted")
}

pub(crate) fn future() -> Status {
    Status::out_of_range("etcdserver: mvcc: required revision is a future revision")
}

pub(crate) fn from_commit(error: CommitError) -> Status {
    match error {
        CommitError::Refused(compare) => {
            Status::aborted(format!("{} changes too fast; try again", compare.key.path()))
        }
        CommitError::Invalid(words) => Status::invalid_argument(words),
        CommitError::Full(words) => Status::resource_exhausted(format!("{NO_SPACE}: {words}")),
        CommitError::ReadOnly(words) => Status::failed_precondition(words),
        CommitError::Broken(words) => Status::internal(words),
        CommitError::NotPermitted(words) => Status::permission_denied(words),
        CommitError::Unreachable(words) => Status::unavailable(words),
        CommitError::Closed => Status::unavailable("the store is closed"),
    }
}

pub(crate) fn to_commit(status: &Status) -> CommitError {
    let words = status.message();
    match status.code() {
        Code::InvalidArgument | Code::OutOfRange | Code::NotFound => {
            CommitError::Invalid(words.to_owned())
        }
        Code::ResourceExhausted => {
            let words = words.strip_prefix(NO_SPACE).unwrap_or(words);
            let words = words.trim_start_matches([':', ' ']);
            CommitError::Full(
                if words.is_empty() { "no space in the cluster" } else { words }.into(),
            )
        }
        Code::FailedPrecondition => CommitError::ReadOnly(words.to_owned()),
        Code::Internal | Code::DataLoss | Code::Unimplemented => {
            CommitError::Broken(words.to_owned())
        }
        Code::PermissionDenied | Code::Unauthenticated => {
            CommitError::NotPermitted(words.to_owned())
        }
        _ => CommitError::Unreachable(describe(status)),
    }
}

/// The words of `status` and of what caused it.
pub(crate) fn describe(status: &Status) -> String {
    let mut words = status.message().to_owned();
    let mut cause = std::error::Error::source(status);
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = error.source();
    }
    words
}

/// A revision as the protocol counts: signed.
pub(crate) fn signed(revision: Revision) -> i64 {
    i64::try_from(revision.0).unwrap_or(i64::MAX)
}

/// A revision or version that the protocol counts signed; negative ones are zero.
pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
