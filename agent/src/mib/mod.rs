//! What managers see: every object that we answer, by module.
//!
//! A handler is asked typed questions about one [`Snapshot`] and knows no PDU.

mod object;
mod registry;

use store::{Now, Snapshot, Time};

use crate::Value;
use crate::engine::EngineFacts;

pub(crate) use object::scalar_cursor;
pub use object::{Cursor, Object, Scalar, TableObject, TableSource};
pub use registry::{Registry, Walk};

/// Every object of the modules, but those that the engine has of itself.
pub fn registry() -> Registry {
    Registry::new()
}

/// What a request is answered from: one moment, one snapshot of all tables.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub now: Now,
    pub snapshot: &'a Snapshot,
    pub local: &'a LocalFacts,
}

/// What only this process knows: it is configuration, not a row.
#[derive(Clone, Debug, Default)]
pub struct LocalFacts {
    /// When the management part of this process was (re)initialised: `sysUpTime` counts from it.
    pub started: Time,
    pub description: String,
    pub contact: String,
    pub name: String,
    pub location: String,
    pub engine: EngineFacts,
}

/// The answer to GET for one name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum GetResult {
    Value(Value),
    /// There is no object of that type here.
    NoSuchObject,
    /// There is, but not this instance of it.
    NoSuchInstance,
}

impl From<Option<Value>> for GetResult {
    /// A value, or no such instance.
    fn from(value: Option<Value>) -> Self {
        value.map_or(Self::NoSuchInstance, Self::Value)
    }
}
