//! `nodes`: what a home agent remembers of a mobile node beyond its bindings.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use wire::{Identification, Spi};

use super::Unknown;
use crate::key::push_address;
use crate::{Identity, Key, Row, Table, UtcTime};

/// Replay state and identity of a mobile node.
///
/// It outlives the binding: §5.7.1 compares with all previously accepted
/// Identifications, also after a deregistration or a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    pub home_agent: Ipv4Addr,
    pub identity: Identity,
    /// The home address it used last.
    pub home_address: Ipv4Addr,
    pub last_identification: Identification,
    /// The nonce it has to use next, in the nonce style (§5.7.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<u32>,
    pub last_spi: Spi,
    pub last_accepted_at: UtcTime,
    /// The greatest Revocation Identifier that was sent or accepted about it (RFC 3543 §3.5): the
    /// timestamp of a new registration is not less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_revocation: Option<u32>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// Names a per-node row of a home agent.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct NodeKey {
    pub home_agent: Ipv4Addr,
    pub identity: Identity,
}

impl Key for NodeKey {
    fn path(&self) -> String {
        let mut path = String::new();
        self.push_path(&mut path);
        path
    }

    fn push_path(&self, path: &mut String) {
        push_address(path, self.home_agent);
        path.push('/');
        self.identity.push_segment(path);
    }

    fn from_path(path: &str) -> Option<Self> {
        let (home_agent, identity) = path.split_once('/')?;
        Some(Self {
            home_agent: home_agent.parse().ok()?,
            identity: Identity::from_segment(identity)?,
        })
    }
}

impl Row for Node {
    type Key = NodeKey;
    type Orders = ();
    const TABLE: Table = Table::Nodes;

    fn key(&self) -> NodeKey {
        NodeKey { home_agent: self.home_agent, identity: self.identity.clone() }
    }
}
