//! What managers see: every object that we answer, by module.
//!
//! A handler is asked typed questions about one [`Snapshot`] and knows no PDU.

mod context;
mod flags;
mod ha_counter;
mod ha_mobility_binding;
mod ha_reg_counter;
mod home_agents;
mod identity;
mod index;
mod object;
mod registry;
mod scalars;
mod system;
#[cfg(test)]
mod tests;

use mibs::mip_mib::{self, ha_counter_table, ha_mobility_binding_table, ha_reg_counter_table};
use store::{Now, Snapshot, Time};

use crate::Value;
use crate::engine::EngineFacts;

pub(crate) use object::scalar_cursor;
pub use object::{Cursor, Object, Scalar, TableObject, TableSource};
pub use registry::{Registry, Walk};
pub use system::PRODUCT;

/// Every object of the modules, but those that the engine has of itself.
pub fn registry() -> Registry {
    let mut registry = Registry::new();
    system::register(&mut registry);
    scalars::register(&mut registry);
    registry.add(ha_mobility_binding_table::OID, TableObject(ha_mobility_binding::Source));
    registry.add(mip_mib::HA_REG_MOBILITY_BINDING_COUNT, Scalar(ha_mobility_binding::count));
    registry.add(ha_reg_counter_table::OID, TableObject(ha_reg_counter::Source));
    registry.add(ha_counter_table::OID, TableObject(ha_counter::Source));
    registry
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
