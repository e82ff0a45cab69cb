//! `associations`: mobility security associations, without their keys.

use serde::{Deserialize, Serialize};
pub use wire::AuthenticationAlgorithm as Algorithm;
use wire::Spi;

use super::{Changed, Origin, Role, StorageType, Unknown};
use crate::{Identity, Key, Row, Table};

/// A mobility security association with a peer (RFC 5944 §1.6).
///
/// The key octets are a sealed secret under `/mip4-secret/associations/`, with
/// the same path as this row; they are never part of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Association {
    /// A mobile node (home address or NAI) or an agent (address).
    pub peer: Identity,
    pub spi: Spi,
    /// Whoever made it wants an SPI that is reserved (0 to 255): there are networks that use them.
    #[serde(default, skip_serializing_if = "is_false")]
    pub reserved_spi: bool,
    pub algorithm: Algorithm,
    pub replay: ReplayProtection,
    /// How far the peer's timestamp may be off, in seconds.
    pub tolerance: u8,
    pub origin: Origin,
    pub storage: StorageType,
    /// Inactive associations authenticate nothing.
    pub active: bool,
    /// Whether its key was not said yet: such a row cannot be active.
    #[serde(default, skip_serializing_if = "is_false")]
    pub keyless: bool,
    /// Which agent of ours it belongs to: a home agent's association with a mobile node must not
    /// make a foreign agent ask that node for another authentication.
    #[serde(default = "home_agent", skip_serializing_if = "is_home_agent")]
    pub role: Role,
    /// Whose file it is from: several processes, each with a file of its own, may share a store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<Changed>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

const fn home_agent() -> Role {
    Role::HomeAgent
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_false(truth: &bool) -> bool {
    !*truth
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_home_agent(role: &Role) -> bool {
    *role == Role::HomeAgent
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReplayProtection {
    Timestamps,
    Nonces,
    /// Only between agents: a Foreign-Home association has none of its own.
    None,
}

/// Names an association: the peer and the SPI.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct AssociationKey {
    pub peer: Identity,
    pub spi: Spi,
}

impl Key for AssociationKey {
    fn path(&self) -> String {
        format!("{}/{}", self.peer.segment(), self.spi)
    }

    fn from_path(path: &str) -> Option<Self> {
        let (peer, spi) = path.split_once('/')?;
        Some(Self { peer: Identity::from_segment(peer)?, spi: Spi(spi.parse().ok()?) })
    }
}

impl Row for Association {
    type Key = AssociationKey;
    type Orders = ();
    const TABLE: Table = Table::Associations;

    fn key(&self) -> AssociationKey {
        AssociationKey { peer: self.peer.clone(), spi: self.spi }
    }
}
