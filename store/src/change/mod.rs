//! Changes of configuration: the one way that an SNMP SET, the shell and the file share.
//!
//! ```text
//!  snapshot ──► Proposal: read, create, replace, delete      each checked by `admit`
//!                   │ prepare                                every row read is compared
//!                   ▼
//!               Prepared { batch, concerns } ──► Store::commit ──► revision
//!                                                                     │
//!               Application::of(snapshot, concerns, revision) ◄───────┘
//!               every live instance that acts on a changed row has `applied_revision` ≥ revision,
//!               or its `apply_errors` name the row
//! ```
//!
//! Rows of configuration are those that implement [`Configuration`]: what they may say is checked
//! in one place each ([`Configuration::validate`]), whoever writes them; what may be done to them
//! follows from their [`Origin`] and [`StorageType`] ([`admit`]). The served engine checks both
//! again for what comes over its socket, so that a client of another make is held to the same.
//!
//! A new row of configuration is: the trait for it in `validate.rs`, an arm in
//! [`AnyRow::configuration`] and [`AnyRow::stamped`], and whoever acts on it.

mod agents;
mod application;
mod audit;
mod proposal;
#[cfg(test)]
mod tests;
mod validate;
mod who;

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

pub use agents::{Advertising, nearest_foreign_agent};
pub(crate) use application::utc_now;
pub use application::{Application, Concerns};
pub use audit::{Author, audit};
pub(crate) use audit::{of_refusal, of_secret};
pub use proposal::{Prepared, Proposal};
pub(crate) use validate::validate_regional;
pub use validate::{SPI_MIN, TOLERANCE_MIN};
pub(crate) use who::user_name;

use crate::{
    AnyKey, AnyRow, Association, Candidate, CareOfAddress, Changed, Origin, Regional, Role,
    Setting, StorageType, Table,
};

/// Why a row of configuration may not be as it is proposed: a field of it, and the reason.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{field}`: {reason}")]
pub struct Invalid {
    /// The field as the row's JSON names it.
    pub field: &'static str,
    pub reason: String,
    pub kind: InvalidKind,
}

/// What sort of mistake it is; SNMP has an error for each (RFC 3416 §4.2.5).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InvalidKind {
    /// The value is never right (`wrongValue`).
    Value,
    /// It does not fit with other values (`inconsistentValue`).
    Inconsistent,
    /// There is such a row already, or there is none (`inconsistentName`).
    Name,
    /// The row cannot be changed like this by anybody but its origin (`notWritable`).
    Protected,
}

impl Invalid {
    pub fn value(field: &'static str, reason: impl fmt::Display) -> Self {
        Self { field, reason: reason.to_string(), kind: InvalidKind::Value }
    }

    pub fn inconsistent(field: &'static str, reason: impl fmt::Display) -> Self {
        Self { kind: InvalidKind::Inconsistent, ..Self::value(field, reason) }
    }

    fn name(reason: impl fmt::Display) -> Self {
        Self { kind: InvalidKind::Name, ..Self::value("key", reason) }
    }

    fn protected(field: &'static str, reason: impl fmt::Display) -> Self {
        Self { kind: InvalidKind::Protected, ..Self::value(field, reason) }
    }
}

/// Who acts on a row of configuration.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Owner {
    /// The instance of that name.
    Instance(String),
    /// Every instance that plays the role.
    Role(Role),
    /// The instance that plays the role at that address.
    Address(Role, Ipv4Addr),
}

/// A row of configuration.
pub trait Configuration: Send + Sync {
    /// Checks all that can be said of the row alone.
    fn validate(&self) -> Result<(), Invalid>;
    fn origin(&self) -> Origin;
    fn storage(&self) -> StorageType;
    fn owner(&self) -> Owner;
    /// Who acts on it as well.
    fn other_owners(&self) -> Vec<Owner> {
        Vec::new()
    }
    /// Whose file the row is from, if it says so.
    fn file_of(&self) -> Option<&str>;
    fn changed(&self) -> Option<&Changed>;
    fn set_origin(&mut self, origin: Origin, storage: StorageType);
    fn set_changed(&mut self, changed: Option<Changed>);
}

/// Whether `new` may take the place of `old`, if `by` wants it; `None` is no row.
///
/// - A row of the file is the file's alone: others can neither make, nor change, nor delete one.
/// - `readOnly` rows stay as they are, `permanent` ones stay.
/// - A row is made `volatile` or `nonVolatile`; it may turn from one into the other and into nothing else.
/// - Whoever writes a row is its origin from then on.
pub fn admit<R: Configuration + ?Sized>(
    old: Option<&R>,
    new: Option<&R>,
    by: Origin,
) -> Result<(), Invalid> {
    if let Some(new) = new {
        new.validate()?;
    }
    if by == Origin::File {
        return Ok(());
    }
    if old.is_some_and(|old| old.origin() == Origin::File) {
        return Err(Invalid::protected("origin", "the row belongs to the configuration file"));
    }
    match (old.map(Configuration::storage), new.map(Configuration::storage)) {
        (Some(StorageType::ReadOnly), _) => {
            return Err(Invalid::protected("storage", "the row is read-only"));
        }
        (Some(StorageType::Permanent), None) => {
            return Err(Invalid::protected("storage", "a permanent row cannot be deleted"));
        }
        (Some(StorageType::Permanent), Some(StorageType::Permanent))
        | (_, None | Some(StorageType::Volatile | StorageType::NonVolatile)) => {}
        (_, Some(StorageType::Permanent | StorageType::ReadOnly)) => {
            let reason = "only volatile and non-volatile rows can be made";
            return Err(Invalid::inconsistent("storage", reason));
        }
    }
    if old.map(Configuration::storage) == Some(StorageType::Permanent)
        && new.map(Configuration::storage) != Some(StorageType::Permanent)
    {
        return Err(Invalid::inconsistent("storage", "a permanent row stays permanent"));
    }
    match new {
        Some(new) if new.origin() != by => {
            let (is, by) = (new.origin().as_str(), by.as_str());
            Err(Invalid::inconsistent("origin", format!("it says `{is}`, but comes from `{by}`")))
        }
        _ => Ok(()),
    }
}

impl AnyRow {
    /// The row as one of configuration, if it is.
    pub fn configuration(&self) -> Option<&dyn Configuration> {
        match self {
            Self::Association(row) => Some(&**row),
            Self::CareOfAddress(row) => Some(&**row),
            Self::Setting(row) => Some(&**row),
            Self::Regional(row) => Some(&**row),
            Self::Instance(_)
            | Self::Binding(_)
            | Self::Node(_)
            | Self::NodeCounters(_)
            | Self::Counters(_)
            | Self::Visitor(_)
            | Self::Registration(_)
            | Self::Violation(_)
            | Self::Advertisement(_)
            | Self::Trail(_)
            | Self::Operation(_)
            | Self::OperationShare(_)
            | Self::OperationTarget(_)
            | Self::Candidate(_)
            | Self::CandidateEdit(_)
            | Self::RegionalCommit(_)
            | Self::RegionalChange(_)
            | Self::AuditEntry(_) => None,
        }
    }

    /// The row with what the store says about who wrote it; others than rows of configuration and
    /// candidates come back as they are.
    #[must_use]
    pub fn stamped(self, changed: Option<Changed>) -> Self {
        fn stamp<R: Configuration + Clone>(row: &mut Arc<R>, changed: Option<Changed>) {
            Arc::make_mut(row).set_changed(changed);
        }
        let mut row = self;
        match &mut row {
            Self::Association(row) => stamp::<Association>(row, changed),
            Self::CareOfAddress(row) => stamp::<CareOfAddress>(row, changed),
            Self::Setting(row) => stamp::<Setting>(row, changed),
            Self::Regional(row) => stamp::<Regional>(row, changed),
            Self::Candidate(row) => Arc::<Candidate>::make_mut(row).changed = changed,
            _ => {}
        }
        row
    }
}

impl Table {
    /// Whether its rows are configuration: what operators and files say, and agents act on.
    pub(crate) fn is_configuration(self) -> bool {
        matches!(self, Self::Associations | Self::CareOfAddresses | Self::Config | Self::Regional)
    }
}

impl AnyKey {
    /// Whether rows with such a key are rows of configuration.
    pub fn is_configuration(&self) -> bool {
        self.table().is_configuration()
    }
}
