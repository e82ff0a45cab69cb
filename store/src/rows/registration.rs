//! `registrations`: what every mobile node has asked for and got (RFC 5944 §3.6).

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use wire::{Flags, Identification, Lifetime};

use super::{RegionalVisit, Unknown};
use crate::{Identity, Key, Row, Table, UtcTime};

/// A registration of a mobile node, pending or accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Registration {
    /// The instance that the mobile node runs in.
    pub instance: String,
    /// The mobile node.
    pub identity: Identity,
    /// Where its requests go: the foreign agent, or the home agent.
    pub agent_address: Ipv4Addr,
    pub care_of_address: Ipv4Addr,
    pub home_address: Ipv4Addr,
    pub home_agent: Ipv4Addr,
    pub flags: Flags,
    pub identification: Identification,
    /// Whether the care-of address is the node's own.
    pub co_located: bool,
    /// What was asked for while it is pending, what was granted once it is accepted.
    pub lifetime: Lifetime,
    /// When a request was sent last.
    pub sent_at: UtcTime,
    pub accepted: bool,
    /// `None` if it never expires, or is not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<UtcTime>,
    /// The last text that an agent had for the user of the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<UserMessage>,
    /// Where it is registered within a region (RFC 4857 §6.1); the care-of address is its gateway's
    /// then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regional: Option<Box<RegionalVisit>>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// A text for the user of a mobile node (RFC 4917).
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct UserMessage {
    /// When it arrived.
    pub at: UtcTime,
    /// The home agent or foreign agent that it is from.
    pub from: Ipv4Addr,
    pub text: String,
}

/// Names a registration.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct RegistrationKey {
    pub instance: String,
    pub identity: Identity,
    pub agent_address: Ipv4Addr,
    pub care_of_address: Ipv4Addr,
}

impl Key for RegistrationKey {
    fn path(&self) -> String {
        let identity = self.identity.segment();
        let instance = self.instance.path();
        format!("{instance}/{identity}/{}/{}", self.agent_address, self.care_of_address)
    }

    fn from_path(path: &str) -> Option<Self> {
        let mut parts = path.split('/');
        let key = Self {
            instance: String::from_path(parts.next()?)?,
            identity: Identity::from_segment(parts.next()?)?,
            agent_address: parts.next()?.parse().ok()?,
            care_of_address: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(key)
    }
}

impl Row for Registration {
    type Key = RegistrationKey;
    type Orders = ();
    const TABLE: Table = Table::Registrations;

    fn key(&self) -> RegistrationKey {
        RegistrationKey {
            instance: self.instance.clone(),
            identity: self.identity.clone(),
            agent_address: self.agent_address,
            care_of_address: self.care_of_address,
        }
    }
}
