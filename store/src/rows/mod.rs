//! The tables: one file a row type.

mod advertisement;
mod association;
mod binding;
mod care_of_address;
mod configuration;
mod counters;
mod instance;
mod node;
mod node_counters;
mod registration;
mod setting;
mod trail;
mod violation;
mod visitor;

#[cfg(test)]
mod tests;

pub use advertisement::{Advertisement, AdvertisementKey, AdvertisementSchedule};
pub use association::{Algorithm, Association, AssociationKey, ReplayProtection};
pub use binding::{Binding, BindingKey, RevocationSupport};
pub use care_of_address::{CareOfAddress, CareOfAddressKey};
pub use configuration::{Changed, Origin, StorageType};
pub use counters::{Counter, Counters, CountersKey, Resource, Usage};
pub use instance::{
    ClockHealth, ClockState, HEARTBEAT, HEARTBEATS_MISSED_MAX, Instance, InstanceState, Role,
};
pub use node::{Node, NodeKey};
pub use node_counters::NodeCounters;
pub use registration::{Registration, RegistrationKey};
pub use setting::{
    AdvertisementSetting, Generation, Scope, Setting, SettingIndex, SettingKey, SettingValue,
};
pub use trail::{Trail, TrailEvent};
pub use violation::{Violation, ViolationKey, ViolationReason};
pub use visitor::{Visitor, VisitorKey};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Fields of a row that this version does not know; they survive a rewrite.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unknown(pub BTreeMap<String, serde_json::Value>);
