//! Why looking after a store failed, for people and for scripts.

use std::io::ErrorKind;

use serde_json::{Value, json};
use store::OpenError;

use crate::exit::ExitStatus;

/// What went wrong, and what to do about it.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: ExitStatus,
    kind: &'static str,
    message: String,
    hint: Option<String>,
    /// What else JSON tells.
    details: Value,
}

impl Problem {
    pub(super) fn new(status: ExitStatus, kind: &'static str, message: String) -> Self {
        Self { status, kind, message, hint: None, details: json!({}) }
    }

    pub(super) fn refused(message: String) -> Self {
        Self::new(ExitStatus::Refused, "refused", message)
    }

    pub(super) fn failed(message: String) -> Self {
        Self::new(ExitStatus::Failed, "failed", message)
    }

    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The message, and below it what to do.
    pub(super) fn words(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{}\nhint: {hint}", self.message),
            None => self.message.clone(),
        }
    }

    /// The value of `error` in a document.
    pub(super) fn json(&self) -> Value {
        let mut error = self.details.clone();
        error["code"] = self.status.code().into();
        error["kind"] = self.kind.into();
        error["message"] = self.message.as_str().into();
        if let Some(hint) = &self.hint {
            error["hint"] = hint.as_str().into();
        }
        error
    }
}

impl From<OpenError> for Problem {
    fn from(error: OpenError) -> Self {
        let message = match &error {
            OpenError::Io { source, .. } => format!("{error}: {source}"),
            _ => error.to_string(),
        };
        match &error {
            OpenError::Damaged { file, offset, good, written, .. } => {
                let details = json!({
                    "file": file, "offset": offset, "good": good.0, "written": written.0,
                });
                let problem = Self::new(ExitStatus::Failed, "damaged", message);
                let hint = "`mip4d store repair` cuts the journal off after the last good revision; \
                            `mip4d store restore` makes a store out of a backup";
                Self { details, ..problem.with_hint(hint) }
            }
            OpenError::InUse { process_id, .. } => {
                let problem = Self::new(ExitStatus::StoreUnreachable, "in-use", message);
                let details = json!({ "process_id": process_id });
                Self { details, ..problem.with_hint("stop that process first") }
            }
            OpenError::Format { .. } => Self::new(ExitStatus::StoreUnreachable, "format", message)
                .with_hint("a later version of mip4d has written it: use that one"),
            OpenError::KeyFile { .. } => Self::new(ExitStatus::Failed, "key-file", message),
            OpenError::NotPermitted(_) => {
                Self::new(ExitStatus::NotPermitted, "not-permitted", message)
            }
            OpenError::Io { source, .. } => match source.kind() {
                ErrorKind::PermissionDenied => {
                    Self::new(ExitStatus::NotPermitted, "not-permitted", message)
                }
                ErrorKind::NotFound => {
                    Self::new(ExitStatus::StoreUnreachable, "not-found", message)
                }
                ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty => Self::refused(message)
                    .with_hint("nothing is ever overwritten: name another place, or move it away"),
                _ => Self::failed(message),
            },
            OpenError::Unsupported(_) | OpenError::Unreachable(_) => Self::failed(message),
        }
    }
}
