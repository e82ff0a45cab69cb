//! `advertisements`: what agents advertise, and what mobile nodes heard (RFC 5944 §2).

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use wire::{Lifetime, Nai};

use super::{Role, Unknown};
use crate::{Key, Row, Table, UtcTime};

/// The agent advertisement that was sent last on an interface, or heard last from an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Advertisement {
    pub instance: String,
    /// A mobile node heard it; any other role sends it.
    pub role: Role,
    /// The index of the interface.
    pub interface: u32,
    /// Its IP source address.
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub sequence_number: u16,
    /// The flags as on the wire.
    pub flags: u16,
    pub registration_lifetime: Lifetime,
    /// How long it is valid, in seconds.
    pub lifetime: u16,
    pub care_of_addresses: Vec<Ipv4Addr>,
    /// The router addresses and their prefix lengths, if there are any.
    pub routers: Vec<Ipv4Addr>,
    #[serde(default)]
    pub prefix_lengths: Vec<u8>,
    /// The NAI that goes along (RFC 3846 §2), if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_nai: Option<Nai>,
    /// When it was sent or heard last; `None` if it is configured and was not sent yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<UtcTime>,
    /// How the sender is configured; `None` where it was heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<AdvertisementSchedule>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// When advertisements are sent (RFC 1256 §6.2), in seconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct AdvertisementSchedule {
    pub interval_max: u16,
    pub interval_min: u16,
    /// Only answers to solicitations are sent.
    pub solicited_only: bool,
    /// Nothing is sent at present: the agent is switched off, or was told so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
}

/// Names an advertisement.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct AdvertisementKey {
    pub instance: String,
    pub role: Role,
    pub interface: u32,
    pub source: Ipv4Addr,
}

impl Key for AdvertisementKey {
    fn path(&self) -> String {
        let (instance, role) = (self.instance.path(), self.role.as_str());
        format!("{instance}/{role}/{}/{}", self.interface, self.source)
    }

    fn from_path(path: &str) -> Option<Self> {
        let mut parts = path.split('/');
        let key = Self {
            instance: String::from_path(parts.next()?)?,
            role: Role::from_str(parts.next()?)?,
            interface: parts.next()?.parse().ok()?,
            source: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(key)
    }
}

impl Row for Advertisement {
    type Key = AdvertisementKey;
    type Orders = ();
    const TABLE: Table = Table::Advertisements;

    fn key(&self) -> AdvertisementKey {
        AdvertisementKey {
            instance: self.instance.clone(),
            role: self.role,
            interface: self.interface,
            source: self.source,
        }
    }
}
