//! Notifications, and where they go (RFC 3413 §3.3, §4 and §6).

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::Oid;
use crate::row_status::{RowStatus, StorageType};
use crate::security::{Name, SecurityLevel, SecurityModel};
use crate::vacm::{Family, Subtree, View};
use crate::value::Value;

mod limit;
mod transport;

pub(crate) use limit::RateLimit;
pub use transport::TransportAddress;

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
    pub parameters: BTreeMap<Vec<u8>, ParametersRow>,
    /// `snmpNotifyTable`.
    pub notify: BTreeMap<Vec<u8>, Notify>,
    /// `snmpNotifyFilterProfileTable`, by the name of parameters.
    pub profiles: BTreeMap<Vec<u8>, Profile>,
    /// `snmpNotifyFilterTable`.
    pub filters: BTreeMap<(Name, Subtree), Family>,
}

/// A row of `snmpTargetAddrTable`.
#[derive(Clone, Debug, Default)]
pub struct TargetAddress {
    pub address: TransportAddress,
    /// How long to wait for the answer to an inform, in hundredths of a second.
    pub timeout: i32,
    pub retry_count: i32,
    /// Tags with one delimiter between two.
    pub tag_list: Vec<u8>,
    pub parameters: Vec<u8>,
    pub storage: StorageType,
    pub status: RowStatus,
}

impl TargetAddress {
    fn has_tag(&self, tag: &[u8]) -> bool {
        self.tag_list.split(|octet| is_tag_delimiter(*octet)).any(|other| other == tag)
    }
}

/// What stands between tags (`SnmpTagList`, RFC 3413 §4.1.1).
pub(crate) const fn is_tag_delimiter(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}

/// A row of `snmpTargetParamsTable`; what is `None` was not written yet.
#[derive(Clone, Debug, Default)]
pub struct ParametersRow {
    /// An `SnmpMessageProcessingModel`: 0 for SNMPv1, 1 for SNMPv2c, 3 for SNMPv3.
    pub processing: Option<i32>,
    pub model: Option<SecurityModel>,
    pub security_name: Option<Name>,
    pub level: Option<SecurityLevel>,
    pub storage: StorageType,
    pub status: RowStatus,
}

impl ParametersRow {
    /// The parameters, if all of them are there and agree: each version of messages has its
    /// one security model here.
    pub(crate) fn resolved(&self) -> Option<TargetParameters> {
        let model = self.model?;
        let version = match model {
            SecurityModel::SNMPV1 => 0,
            SecurityModel::SNMPV2C => 1,
            SecurityModel::USM => 3,
            _ => return None,
        };
        let (security_name, level) = (self.security_name.clone()?, self.level?);
        // A community neither authenticates nor encrypts.
        let is_level_possible = version == 3 || level == SecurityLevel::NoAuthNoPriv;
        let agrees = self.processing == Some(version) && is_level_possible;
        agrees.then_some(TargetParameters { model, security_name, level })
    }
}

/// How messages to a target are made. The model tells the version, too.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct TargetParameters {
    pub(crate) model: SecurityModel,
    pub(crate) security_name: Name,
    pub(crate) level: SecurityLevel,
}

/// A row of `snmpNotifyTable`.
#[derive(Clone, Debug, Default)]
pub struct Notify {
    pub tag: Vec<u8>,
    /// Whether the target has to acknowledge.
    pub inform: bool,
    pub storage: StorageType,
    pub status: RowStatus,
}

/// A row of `snmpNotifyFilterProfileTable`.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    pub name: Name,
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
        let (tag_list, parameters) = (name.clone(), name.clone());
        let address = address.into();
        self.addresses.insert(
            name.clone(),
            TargetAddress { address, timeout, retry_count, tag_list, parameters, storage, status },
        );
        let processing = match model {
            SecurityModel::SNMPV1 => 0,
            SecurityModel::SNMPV2C => 1,
            _ => 3,
        };
        self.parameters.insert(
            name.clone(),
            ParametersRow {
                processing: Some(processing),
                model: Some(model),
                security_name: Some(security_name),
                level: Some(level),
                storage,
                status,
            },
        );
        self.notify.insert(name.clone(), Notify { tag: name, inform, storage, status });
    }

    /// Lets a receiver that was added have what is in `subtrees` and no other notification.
    pub fn add_filter(&mut self, name: &str, subtrees: &[(Vec<u32>, bool)]) {
        let (storage, status) = (StorageType::ReadOnly, RowStatus::Active);
        let profile = Name::from(name);
        let row = Profile { name: profile.clone(), storage, status };
        self.profiles.insert(name.as_bytes().to_vec(), row);
        for (subtree, included) in subtrees {
            let row = Family { mask: Vec::new(), included: *included, storage, status };
            self.filters.insert((profile.clone(), Subtree(subtree.clone())), row);
        }
    }

    /// The targets that rows of `snmpNotifyTable` select by tag, each with its
    /// address, its parameters, and whether it has to acknowledge.
    pub(crate) fn selected(
        &self,
    ) -> impl Iterator<Item = (&TargetAddress, SocketAddr, TargetParameters, bool)> {
        let notify = self.notify.values().filter(|row| row.status == RowStatus::Active);
        notify.flat_map(move |row| {
            let addresses = self.addresses.values();
            let tagged =
                addresses.filter(|to| to.status == RowStatus::Active && to.has_tag(&row.tag));
            tagged.filter_map(move |to| {
                let parameters = self.parameters.get(&to.parameters)?;
                let parameters = match parameters.status {
                    RowStatus::Active => parameters.resolved()?,
                    RowStatus::NotInService | RowStatus::NotReady => return None,
                };
                Some((to, to.address.socket()?, parameters, row.inform))
            })
        })
    }

    /// Whether the filter of these parameters lets the notification pass (RFC 3413 §6).
    pub(crate) fn passes(&self, parameters: &[u8], notification: &Notification) -> bool {
        let profile = self.profiles.get(parameters);
        let Some(profile) = profile.filter(|row| row.status == RowStatus::Active) else {
            return true;
        };
        let filters = self.filters.iter().filter(|((name, _), filter)| {
            *name == profile.name && filter.status == RowStatus::Active
        });
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
