//! `associations`: mobility security associations, without their keys.

use serde::{Deserialize, Serialize};
pub use wire::AuthenticationAlgorithm as Algorithm;
use wire::Spi;

use super::Unknown;
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
    pub algorithm: Algorithm,
    pub replay: ReplayProtection,
    /// How far the peer's timestamp may be off, in seconds.
    pub tolerance: u8,
    pub origin: Origin,
    pub storage: StorageType,
    /// Inactive associations authenticate nothing.
    pub active: bool,
    #[serde(flatten)]
    pub unknown: Unknown,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReplayProtection {
    Timestamps,
    Nonces,
    /// Only between agents: a Foreign-Home association has none of its own.
    None,
}

/// Who a row of configuration came from; rows from the file are read-only elsewhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    File,
    Cli,
    Snmp,
}

/// How a row survives a restart (RFC 2579).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StorageType {
    Volatile,
    NonVolatile,
    Permanent,
    ReadOnly,
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
