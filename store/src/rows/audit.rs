//! `audit`: who asked for what, and what became of it.

use serde::{Deserialize, Serialize};

use super::{Origin, Unknown};
use crate::{Key, Row, Table, UtcTime};

/// One thing that somebody did to configuration or operations.
///
/// It is written in the batch of what it tells of. The oldest entries make room for new ones; no
/// key of an association is ever in one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    pub at: UtcTime,
    /// Tells apart what was done in one millisecond; it says nothing of the order.
    pub number: u64,
    /// A user of this machine, `snmp:` and a security name, or who asked for the operation that ends.
    pub who: String,
    pub origin: Origin,
    /// The socket or the file that it came by; empty if the process owns the store.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub from: String,
    /// `create`, `change`, `delete`, `set-key`, `delete-key`; of operations their action, `pause`,
    /// `resume`, `cancel` and `end`.
    pub verb: String,
    /// The table and the key of what it was done to.
    pub what: String,
    /// The fields that changed, or what an operation is about.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// `done`, `asked`, the state in which an operation ended, or `refused: ` and why.
    pub outcome: String,
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl AuditEntry {
    /// How many entries are kept.
    pub const KEPT_MAX: usize = 10_000;
    /// The longest detail, and the longest outcome, in octets.
    pub const TEXT_MAX: usize = 400;
}

/// Names an entry; the order of keys is that of time.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct AuditKey {
    pub at: UtcTime,
    pub number: u64,
}

impl Key for AuditKey {
    fn path(&self) -> String {
        format!("{:015}/{:x}", self.at.0, self.number)
    }

    fn from_path(path: &str) -> Option<Self> {
        let (at, number) = path.split_once('/')?;
        let at = UtcTime(at.parse().ok()?);
        let key = Self { at, number: u64::from_str_radix(number, 16).ok()? };
        (key.path() == path).then_some(key)
    }
}

impl Row for AuditEntry {
    type Key = AuditKey;
    type Orders = ();
    const TABLE: Table = Table::Audit;

    fn key(&self) -> AuditKey {
        AuditKey { at: self.at, number: self.number }
    }
}
