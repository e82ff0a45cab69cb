//! `visitors`: the visitor list of every foreign agent (RFC 5944 §3.7.1).

use std::net::{Ipv4Addr, SocketAddrV4};

use serde::{Deserialize, Serialize};
use wire::{Flags, Identification, Lifetime};

use super::{ReplayProtection, RevocationSupport, Revoking, Unknown};
use crate::{Identity, Key, Row, Table, UtcTime, VisitorOrders};

/// A mobile node that is, or wants to be, served by a foreign agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Visitor {
    pub foreign_agent: Ipv4Addr,
    /// The NAI if the request carried one, else the home address.
    pub identity: Identity,
    /// Zero while the node waits for one to be assigned.
    pub home_address: Ipv4Addr,
    pub home_agent: Ipv4Addr,
    pub care_of_address: Ipv4Addr,
    /// The instance that owns it.
    pub instance: String,
    /// Where its last request came from.
    pub source: SocketAddrV4,
    /// Where that arrived.
    pub local: SocketAddrV4,
    /// The index of the interface that the node is on, if the foreign agent can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<u32>,
    pub flags: Flags,
    pub identification: Identification,
    /// Whether it asked for the encapsulating delivery style (RFC 3024 §3.3).
    #[serde(default)]
    pub encapsulating_delivery: bool,
    pub lifetime_requested: Lifetime,
    /// What the home agent granted, cut to what the foreign agent allows; zero while it is awaited.
    pub lifetime_granted: Lifetime,
    /// False while the home agent's reply is awaited.
    pub accepted: bool,
    pub created_at: UtcTime,
    /// When the last request was accepted, or came.
    pub registered_at: UtcTime,
    /// `None` if it never expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<UtcTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<RevocationSupport>,
    /// A revocation that waits for its acknowledgment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoking: Option<Box<Revoking>>,
    /// How it is registered within a region, if it is (RFC 4857).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regional: Option<Box<RegionalVisit>>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// What a gateway, or a foreign agent beneath one, keeps of a visitor beside its home registration
/// (RFC 4857 §5.3); and what a mobile node keeps of itself (§6.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegionalVisit {
    pub gateway: Ipv4Addr,
    /// Where the node is within the region: at a foreign agent, or a co-located address.
    pub local_care_of_address: Ipv4Addr,
    pub lifetime_granted: Lifetime,
    /// `None` if it never expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<UtcTime>,
    pub replay: ReplayProtection,
    /// Of the last regional request that was accepted; zero if none was.
    pub identification: Identification,
    /// What the next regional request has to begin with, where nonces are used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<u32>,
    /// How many regional requests were accepted since the home registration: moves, and renewals
    /// that its home agent never saw.
    #[serde(default)]
    pub accepted: u64,
    /// What a gateway and the foreign agent beneath it agreed upon about revocation, in the row of
    /// the gateway; what it agreed upon with the home agent is in the visitor itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<RevocationSupport>,
    /// A revocation that the foreign agent beneath has not acknowledged. The home registration has
    /// ended: the row is there until it does, or is given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoking: Option<Revoking>,
}

impl Visitor {
    /// Whole seconds left at `now`, which is on the owner's clock; `None` for ever.
    pub fn remaining_seconds(&self, now: UtcTime) -> Option<u64> {
        self.expires_at.map(|at| at.since(now).as_secs())
    }
}

/// Names a visitor.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct VisitorKey {
    pub foreign_agent: Ipv4Addr,
    pub identity: Identity,
    pub home_address: Ipv4Addr,
}

impl Key for VisitorKey {
    fn path(&self) -> String {
        format!("{}/{}/{}", self.foreign_agent, self.identity.segment(), self.home_address)
    }

    fn from_path(path: &str) -> Option<Self> {
        let mut parts = path.split('/');
        let key = Self {
            foreign_agent: parts.next()?.parse().ok()?,
            identity: Identity::from_segment(parts.next()?)?,
            home_address: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(key)
    }
}

impl Row for Visitor {
    type Key = VisitorKey;
    type Orders = VisitorOrders;
    const TABLE: Table = Table::Visitors;

    fn key(&self) -> VisitorKey {
        VisitorKey {
            foreign_agent: self.foreign_agent,
            identity: self.identity.clone(),
            home_address: self.home_address,
        }
    }
}
