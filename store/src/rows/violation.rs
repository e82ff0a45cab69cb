//! `violations`: who failed the security checks of an agent.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use wire::{Code, Identification, Nai, Spi};

use super::{Role, StorageType, Unknown};
use crate::{Identity, Key, Row, Table, UtcTime};

/// The violations of one offender, and the latest of them.
///
/// Anybody can make these up, so an agent keeps a bounded number of rows, and drops the one whose
/// latest event is oldest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Violation {
    /// The instance that saw them.
    pub instance: String,
    pub role: Role,
    /// Who it claimed to be: the NAI if there was one, else the home address, else the source.
    pub violator: Identity,
    /// Where the latest came from.
    pub address: Ipv4Addr,
    pub count: u64,
    pub at: UtcTime,
    /// The SPI of the extension that failed, or that identified the sender; 0 if there was none.
    pub spi: Spi,
    pub identification: Identification,
    pub reason: ViolationReason,
    /// The Code that was answered; `None` if nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// Rows that are volatile end when their owner starts again.
    #[serde(default = "non_volatile", skip_serializing_if = "is_non_volatile")]
    pub storage: StorageType,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// What rows are unless they say otherwise.
const fn non_volatile() -> StorageType {
    StorageType::NonVolatile
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn is_non_volatile(storage: &StorageType) -> bool {
    *storage == StorageType::NonVolatile
}

/// A security violation, in the words of `mipSecurityRecentViolationReason`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ViolationReason {
    NoMobilitySecurityAssociation,
    BadAuthenticator,
    BadIdentifier,
    BadSpi,
    MissingSecurityExtension,
    Other,
}

/// Names the row of an offender.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ViolationKey {
    pub instance: String,
    pub role: Role,
    pub violator: Identity,
}

impl Key for ViolationKey {
    fn path(&self) -> String {
        let role = self.role.as_str();
        format!("{}/{role}/{}", self.instance.path(), self.violator.segment())
    }

    fn from_path(path: &str) -> Option<Self> {
        let mut parts = path.split('/');
        let key = Self {
            instance: String::from_path(parts.next()?)?,
            role: Role::from_str(parts.next()?)?,
            violator: Identity::from_segment(parts.next()?)?,
        };
        parts.next().is_none().then_some(key)
    }
}

impl Row for Violation {
    type Key = ViolationKey;
    type Orders = ();
    const TABLE: Table = Table::Violations;

    fn key(&self) -> ViolationKey {
        ViolationKey {
            instance: self.instance.clone(),
            role: self.role,
            violator: self.violator.clone(),
        }
    }
}

impl Violation {
    /// The NAI of the offender, if it named one.
    pub fn nai(&self) -> Option<&Nai> {
        self.violator.nai()
    }
}
