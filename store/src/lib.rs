//! The shared store: one ordered, durable, watchable set of typed tables.
//!
//! Layers: `rows` say what there is, [`Batch`] is a change, [`Tables`] is all of
//! it in memory at one revision, and the engines make it durable and shared.

mod batch;
mod key;
mod rows;
mod tables;
mod time;

pub use batch::{Batch, Change, Class, Compare, Expect};
pub use key::{Identity, Key};
pub use rows::{
    Algorithm, Association, AssociationKey, Binding, BindingKey, Counter, Counters, CountersKey,
    Instance, InstanceState, Node, NodeCounters, NodeKey, Origin, ReplayProtection,
    RevocationSupport, Role, StorageType, Unknown,
};
pub use tables::{AnyKey, AnyRow, Entry, Revision, Row, Rows, Snapshot, Table, Tables};
pub use time::{Now, Time, UtcTime};
/// What rows are made of, for those who only use the store.
pub use wire;
