//! The shared store: one ordered, durable, watchable set of typed tables.
//!
//! Layers: `rows` say what there is, [`Batch`] is a change, [`Tables`] is all of
//! it in memory at one revision, and the engines make it durable and shared.

mod batch;
mod change;
#[cfg(test)]
mod conformance;
mod engine;
mod files;
mod glob;
mod instant;
mod journal;
mod key;
mod local;
pub mod maintenance;
mod memory;
#[cfg(test)]
mod mutation;
mod orders;
mod passphrase;
mod progress;
mod published;
pub mod regional;
mod remote;
mod rows;
mod secrets;
mod served;
mod store;
mod tables;
#[cfg(test)]
mod testing;
mod time;
mod watch;

pub use batch::{Batch, Change, Class, Compare, Expect};
pub use change::{
    Advertising, Application, Author, Concerns, Configuration, Invalid, InvalidKind, Owner,
    Prepared, Proposal, SPI_MIN, TOLERANCE_MIN, admit, audit, nearest_foreign_agent,
};
pub use glob::Glob;
pub use key::{Identity, Key};
pub use orders::{BindingOrders, MibIndex, Orders, VisitorOrders};
pub use passphrase::{KeyDerivation, PassphraseError, PassphraseKey};
pub use remote::{Client, ClientError, Page};
pub use rows::{
    Advertisement, AdvertisementKey, AdvertisementSchedule, AdvertisementSetting, Algorithm,
    Association, AssociationKey, AuditEntry, AuditKey, Awaited, Began, Binding, BindingKey,
    Candidate, CandidateEdit, CandidateEditKey, CareOfAddress, CareOfAddressKey, Changed,
    ClockHealth, ClockState, CommitCause, CommitState, Counter, Counters, CountersKey, Found,
    GatewayAssignment, GatewaySetting, HEARTBEAT, HEARTBEATS_MISSED_MAX, Instance, InstanceState,
    Node, NodeCounters, NodeKey, NotificationPath, Operation, OperationAction, OperationId,
    OperationOwner, OperationSelector, OperationShare, OperationShareKey, OperationState,
    OperationTarget, OperationTargetKey, OperationWish, Origin, Progress, Regional, RegionalChange,
    RegionalChangeKey, RegionalCommit, RegionalCommitId, RegionalForeignAgent, RegionalReplay,
    RegionalSubject, RegionalValue, RegionalVisit, Registration, RegistrationKey, ReplayProtection,
    Resource, RevocationSupport, Revoking, Role, Scope, Setting, SettingIndex, SettingKey,
    SettingValue, StorageType, Subject, TargetKey, TargetResult, TargetState, Trail, TrailEvent,
    Unknown, Usage, UserMessage, Violation, ViolationKey, ViolationReason, Visitor, VisitorKey,
};
pub use served::{Policy, serve};
pub use store::{
    CommitError, Disk, EtcdOptions, Health, OpenError, OpenOptions, Store, StoreUrl, StoreUrlError,
};
pub use tables::{AnyKey, AnyRow, Entry, Range, Revision, Row, Rows, Snapshot, Table, Tables};
pub use time::{Now, Time, UtcTime};
pub use watch::{Event, Stamp, WatchEvent, WatchStream};
/// What rows are made of, for those who only use the store.
pub use wire;
