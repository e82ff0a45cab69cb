//! Notifications, and where they go (RFC 3413 §3.3, §4 and §6).

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::Oid;
use crate::row_status::{RowStatus, StorageType};
use crate::security::{Name, SecurityLevel, SecurityModel};
use crate::vacm::{Family, Subtree, View};
use crate::value::Value;

mod limit;

pub(crate) use limit::RateLimit;

/// Something that happened, and that managers may want to know.
#[derive(Clone, Debug, PartialEq)]
pub struct Notification {
    /// The value of `snmpTrapOID.0`; notifications are rate limited by it.
    pub kind: Oid,
    pub variables: Vec<(Oid, Value)>,
    pub context: Name,
}

impl Notification {
    /// A notification of the default context.
    pub fn new(kind: &[u32], variables: Vec<(Oid, Value)>) -> Self {
        Self { kind: Oid::from(kind), variables, context: Name::default() }
    }
}

/// The notifications of SNMPv2-MIB (RFC 3418).
pub const COLD_START: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 5, 1];
pub const WARM_START: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 5, 2];
pub const AUTHENTICATION_FAILURE: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 5, 5];

/// The tables of SNMP-TARGET-MIB and SNMP-NOTIFICATION-MIB.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    /// `snmpTargetAddrTable`.
    pub addresses: BTreeMap<Vec<u8>, TargetAddress>,
    /// `snmpTargetParamsTable`.
    pub parameters: BTreeMap<Vec<u8>, TargetParameters>,
    /// `snmpNotifyTable`.
    pub notify: BTreeMap<Vec<u8>, Notify>,
    /// `snmpNotifyFilterProfileTable`: from the name of parameters to that of a profile.
    pub profiles: BTreeMap<Vec<u8>, Name>,
    /// `snmpNotifyFilterTable`.
    pub filters: BTreeMap<(Name, Subtree), Family>,
}

/// A row of `snmpTargetAddrTable`.
#[derive(Clone, Debug)]
pub struct TargetAddress {
    pub address: SocketAddr,
    /// How long to wait for the answer to an inform, in hundredths of a second.
    pub timeout: i32,
    pub retry_count: i32,
    pub tags: Vec<Vec<u8>>,
    pub parameters: Vec<u8>,
    pub storage: StorageType,
    pub status: RowStatus,
}

/// A row of `snmpTargetParamsTable`.
#[derive(Clone, Debug)]
pub struct TargetParameters {
    /// It tells the version of the message, too: each version has its model here.
    pub model: SecurityModel,
    pub security_name: Name,
    pub level: SecurityLevel,
    pub storage: StorageType,
    pub status: RowStatus,
}

/// A row of `snmpNotifyTable`.
#[derive(Clone, Debug)]
pub struct Notify {
    pub tag: Vec<u8>,
    /// Whether the target has to acknowledge.
    pub inform: bool,
    pub storage: StorageType,
    pub status: RowStatus,
}

/// One receiver of notifications, as a configuration has it.
#[derive(Clone, Debug)]
pub struct Receiver {
    pub address: SocketAddr,
    pub model: SecurityModel,
    pub security_name: Name,
    pub level: SecurityLevel,
    pub inform: bool,
    /// In hundredths of a second.
    pub timeout: i32,
    pub retry_count: i32,
}

impl Targets {
    /// Adds a receiver, with a row of the same name in each of three tables.
    pub fn add(&mut self, name: &str, receiver: Receiver) {
        let name = name.as_bytes().to_vec();
        let (storage, status) = (StorageType::ReadOnly, RowStatus::Active);
        let Receiver { address, model, security_name, level, inform, timeout, retry_count } =
            receiver;
        let (tags, parameters) = (vec![name.clone()], name.clone());
        self.addresses.insert(
            name.clone(),
            TargetAddress { address, timeout, retry_count, tags, parameters, storage, status },
        );
        self.parameters.insert(
            name.clone(),
            TargetParameters { model, security_name, level, storage, status },
        );
        self.notify.insert(name.clone(), Notify { tag: name, inform, storage, status });
    }

    /// The targets that rows of `snmpNotifyTable` select by tag, each with its
    /// parameters, and whether it has to acknowledge.
    pub(crate) fn selected(
        &self,
    ) -> impl Iterator<Item = (&TargetAddress, &TargetParameters, bool)> {
        let notify = self.notify.values().filter(|row| row.status == RowStatus::Active);
        notify.flat_map(move |row| {
            let addresses = self.addresses.values();
            let tagged =
                addresses.filter(|to| to.status == RowStatus::Active && to.tags.contains(&row.tag));
            tagged.filter_map(move |to| {
                let parameters = self.parameters.get(&to.parameters)?;
                (parameters.status == RowStatus::Active).then_some((to, parameters, row.inform))
            })
        })
    }

    /// Whether the filter of these parameters lets the notification pass (RFC 3413 §6).
    pub(crate) fn passes(&self, parameters: &[u8], notification: &Notification) -> bool {
        let Some(profile) = self.profiles.get(parameters) else { return true };
        let filters = self
            .filters
            .iter()
            .filter(|((name, _), filter)| name == profile && filter.status == RowStatus::Active);
        let filters: Vec<_> =
            filters.map(|((_, subtree), filter)| (subtree.0.as_slice(), filter)).collect();
        if filters.is_empty() {
            return true;
        }
        let filter = View::new(filters);
        let excluded = |name: &Oid| filter.includes(name) == Some(false);
        filter.includes(&notification.kind) == Some(true)
            && !notification.variables.iter().any(|(name, _)| excluded(name))
    }
}

#[cfg(test)]
mod tests;
