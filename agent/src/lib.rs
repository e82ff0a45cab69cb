//! The SNMP side: what managers see of the store, and the engine that answers them.

pub mod agentx;
pub mod alarms;
mod ber;
pub mod engine;
mod frame;
mod message;
pub mod mib;
pub mod notify;
mod oid;
mod row_status;
mod security;
mod table;
pub mod usm;
pub mod vacm;
mod value;

pub use engine::{
    Action, AssociationSecret, CommitId, CommitOutcome, Community, Engine, EngineConfig, Saved,
    SavedRow, Staging, SystemNames,
};
pub use frame::Frame;
pub use mib::{Context, GetResult, LocalFacts, Registry, Walk};
pub use oid::Oid;
pub use row_status::{RowAction, RowStatus, StorageType};
pub use security::{Name, SecurityLevel, SecurityModel};
pub use table::Table;
pub use value::{Octets, Value};
