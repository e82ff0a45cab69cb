//! The SNMP side: what managers see of the store, and the engine that answers them.

pub mod mib;
mod oid;
mod table;
mod value;

pub use mib::{Context, GetResult, LocalFacts, Registry, Walk};
pub use oid::Oid;
pub use table::Table;
pub use value::{Octets, Value};
