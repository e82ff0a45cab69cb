//! The tables: one file a row type.

mod association;
mod binding;
mod counters;
mod instance;
mod node;
mod node_counters;

pub use association::{
    Algorithm, Association, AssociationKey, Origin, ReplayProtection, StorageType,
};
pub use binding::{Binding, BindingKey, RevocationSupport};
pub use counters::{Counter, Counters, CountersKey};
pub use instance::{Instance, InstanceState, Role};
pub use node::{Node, NodeKey};
pub use node_counters::NodeCounters;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Fields of a row that this version does not know; they survive a rewrite.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unknown(pub BTreeMap<String, serde_json::Value>);
