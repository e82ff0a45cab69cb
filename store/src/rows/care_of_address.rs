//! `care_of_addresses`: what foreign agents offer (RFC 5944 §3.7.1).

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::{Changed, Origin, StorageType, Unknown};
use crate::{Key, Row, Table};

/// A care-of address of a foreign agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CareOfAddress {
    pub instance: String,
    pub address: Ipv4Addr,
    /// Addresses that are not active are not advertised and take no visitors.
    pub active: bool,
    pub origin: Origin,
    pub storage: StorageType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<Changed>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// Names a care-of address.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct CareOfAddressKey {
    pub instance: String,
    pub address: Ipv4Addr,
}

impl Key for CareOfAddressKey {
    fn path(&self) -> String {
        format!("{}/{}", self.instance.path(), self.address)
    }

    fn from_path(path: &str) -> Option<Self> {
        let (instance, address) = path.split_once('/')?;
        Some(Self { instance: String::from_path(instance)?, address: address.parse().ok()? })
    }
}

impl Row for CareOfAddress {
    type Key = CareOfAddressKey;
    type Orders = ();
    const TABLE: Table = Table::CareOfAddresses;

    fn key(&self) -> CareOfAddressKey {
        CareOfAddressKey { instance: self.instance.clone(), address: self.address }
    }
}
