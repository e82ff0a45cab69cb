//! The tables: one file a row type.

mod advertisement;
mod association;
mod audit;
mod binding;
mod candidate;
mod care_of_address;
mod configuration;
mod counters;
mod instance;
mod json;
mod node;
mod node_counters;
mod operation;
mod regional;
mod regional_commit;
mod registration;
mod setting;
mod trail;
mod violation;
mod visitor;
mod written;

#[cfg(test)]
mod tests;

pub use advertisement::{Advertisement, AdvertisementKey, AdvertisementSchedule};
pub use association::{Algorithm, Association, AssociationKey, ReplayProtection};
pub use audit::{AuditEntry, AuditKey};
pub use binding::{Binding, BindingKey, RevocationSupport, Revoking};
pub use candidate::{Candidate, CandidateEdit, CandidateEditKey};
pub use care_of_address::{CareOfAddress, CareOfAddressKey};
pub use configuration::{Changed, Origin, StorageType};
pub use counters::{Awaited, Began, Counter, Counters, CountersKey, Resource, Usage};
pub use instance::{
    ClockHealth, ClockState, HEARTBEAT, HEARTBEATS_MISSED_MAX, Instance, InstanceState, Role,
};
pub use node::{Node, NodeKey};
pub use node_counters::NodeCounters;
pub use operation::{
    Found, NotificationPath, Operation, OperationAction, OperationId, OperationOwner,
    OperationSelector, OperationShare, OperationShareKey, OperationState, OperationTarget,
    OperationTargetKey, OperationWish, Progress, Subject, TargetKey, TargetResult, TargetState,
};
pub use regional::{
    GatewayAssignment, GatewaySetting, Regional, RegionalForeignAgent, RegionalReplay,
    RegionalSubject, RegionalValue,
};
pub use regional_commit::{
    CommitCause, CommitState, RegionalChange, RegionalChangeKey, RegionalCommit, RegionalCommitId,
};
pub use registration::{Registration, RegistrationKey, UserMessage};
pub use setting::{AdvertisementSetting, Scope, Setting, SettingIndex, SettingKey, SettingValue};
pub use trail::{Trail, TrailEvent};
pub use violation::{Violation, ViolationKey, ViolationReason};
pub use visitor::{RegionalVisit, Visitor, VisitorKey};

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::Visitor as SerdeVisitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Fields of a row that this version does not know; they survive a rewrite.
///
/// Nearly no row has any, and there may be a million rows: without fields it is a null pointer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Unknown(Option<Box<Fields>>);

type Fields = BTreeMap<String, serde_json::Value>;

impl Unknown {
    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The field of this name.
    pub fn get(&self, name: &str) -> Option<&serde_json::Value> {
        self.0.as_ref()?.get(name)
    }

    /// Sets a field.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<serde_json::Value>) {
        self.0.get_or_insert_default().insert(name.into(), value.into());
    }

    /// All of them.
    pub fn into_fields(self) -> BTreeMap<String, serde_json::Value> {
        self.0.map(|fields| *fields).unwrap_or_default()
    }
}

impl From<Fields> for Unknown {
    fn from(fields: Fields) -> Self {
        Self((!fields.is_empty()).then(|| Box::new(fields)))
    }
}

impl Serialize for Unknown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().flat_map(|fields| fields.iter()))
    }
}

impl<'de> Deserialize<'de> for Unknown {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Fields::deserialize(deserializer).map(Self::from)
    }
}

/// Reads a row as `written` does, which takes what this version writes; else as `known` does, which
/// takes no field beyond those of this version; or the slow way if it has others.
///
/// `flatten` buffers every field of every row, which is most of the time that loading a million of
/// them takes; rows of this version need none of it. That it is UTF-8 is seen once for the whole
/// row, which is faster than once for each of its strings.
fn decode_known<'de, R: Deserialize<'de>>(
    octets: &'de [u8],
    written: impl FnOnce(&'de [u8]) -> Option<R>,
    known: impl FnOnce(&mut Json<'de>) -> Result<R, serde_json::Error>,
) -> Result<R, serde_json::Error> {
    if let Some(row) = written(octets) {
        return Ok(row);
    }
    if let Ok(text) = str::from_utf8(octets) {
        let mut json = serde_json::Deserializer::from_str(text);
        if let Ok(row) = known(&mut json)
            && json.end().is_ok()
        {
            return Ok(row);
        }
    }
    serde_json::from_slice(octets)
}

type Json<'de> = serde_json::Deserializer<serde_json::de::StrRead<'de>>;

/// Reads a name that nearly all rows share, such as that of their instance, without keeping a
/// copy of it for each.
fn shared_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
    struct SharedName;

    impl SerdeVisitor<'_> for SharedName {
        type Value = Arc<str>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a name")
        }

        fn visit_str<E>(self, name: &str) -> Result<Arc<str>, E> {
            Ok(share(name))
        }
    }

    deserializer.deserialize_str(SharedName)
}

/// A name that nearly all rows share: the one that was read last in this thread, if it is the same.
fn share(name: &str) -> Arc<str> {
    thread_local! {
        static LAST: RefCell<Arc<str>> = RefCell::new("".into());
    }
    LAST.with_borrow_mut(|last| {
        if **last != *name {
            *last = name.into();
        }
        Arc::clone(last)
    })
}
