//! What managers see: every object that we answer, by module.
//!
//! A handler is asked typed questions about one [`Snapshot`] and knows no PDU.

mod agents;
mod context;
mod conventions;
mod drafts;
mod enable;
pub(crate) mod ext;
mod fa_reg_visitor;
mod fa_visitor;
mod flags;
mod ha_counter;
mod ha_mobility_binding;
mod ha_reg_counter;
pub(crate) mod identity;
mod index;
mod interfaces;
pub(crate) mod mip_security_assoc;
mod mip_security_violation;
mod mn_ha;
mod mobile_node;
mod mobility_agent;
mod object;
mod registry;
mod scalars;
mod small;
mod system;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;

use mibs::mip_mib;
use store::{Health, Now, Snapshot, Time};

use crate::Value;
use crate::alarms::Alarms;
use crate::engine::EngineFacts;

pub(crate) use drafts::Drafts;
pub(crate) use ext::{
    OperationDraft, admin_string, date_and_time, ending, going_back, is_stale, push_implied,
    variables,
};
pub use interfaces::{Interface, Traffic};
pub use object::{Cursor, Object, Scalar, TableObject, TableSource};
pub(crate) use object::{Writable, scalar_cursor};
pub use registry::{Registry, Walk};
pub use system::PRODUCT;
#[cfg(test)]
pub(crate) use system::register as register_system;

/// Every object of the modules, but those that the engine has of itself.
pub fn registry() -> Registry {
    let mut registry = Registry::new();
    system::register(&mut registry);
    interfaces::register(&mut registry);
    scalars::register(&mut registry);
    register_security(&mut registry);
    register_mobile_node(&mut registry);
    register_foreign_agent(&mut registry);
    register_home_agent(&mut registry);
    ext::register(&mut registry);
    registry
}

fn register_security(registry: &mut Registry) {
    use mip_security_assoc::{OldSource, Source};
    use mip_security_violation::{MipSecViolationTable, MipSecurityViolationTable};
    registry.add(mip_mib::MIP_SECURITY_ASSOCS_COUNT, Scalar(mip_security_assoc::count));
    let object = TableObject(Source);
    let table = Writable { object, set: mip_security_assoc::set };
    registry.add(mip_mib::mip_security_assoc_table::OID, table);
    registry.add(mip_mib::mip_sec_assoc_table::OID, TableObject(OldSource));
    let set = mip_security_violation::set;
    let oid = mip_mib::mip_security_violation_table::OID;
    writable::<MipSecurityViolationTable>(registry, oid, set);
    small::<MipSecViolationTable>(registry, mip_mib::mip_sec_violation_table::OID);
}

fn register_mobile_node(registry: &mut Registry) {
    use mn_ha::{MnHaTable, set_home_agent};
    use mobile_node::{MnFaTable, MnRegistrationTable};
    mobile_node::register(registry);
    writable::<MnHaTable>(registry, mip_mib::mn_ha_table::OID, set_home_agent);
    small::<MnFaTable>(registry, mip_mib::mn_fa_table::OID);
    small::<MnRegistrationTable>(registry, mip_mib::mn_registration_table::OID);
}

fn register_foreign_agent(registry: &mut Registry) {
    use mobility_agent::{FaAdvertConfTable, FaCoaTable, MaAdvConfigTable, MaAdvertConfTable};
    use mobility_agent::{set_advertisement, set_care_of_address, set_foreign_agent};
    mobility_agent::register(registry);
    let oid = mip_mib::ma_advert_conf_table::OID;
    writable::<MaAdvertConfTable>(registry, oid, set_advertisement);
    small::<MaAdvConfigTable>(registry, mip_mib::ma_adv_config_table::OID);
    let oid = mip_mib::fa_advert_conf_table::OID;
    writable::<FaAdvertConfTable>(registry, oid, set_foreign_agent);
    writable::<FaCoaTable>(registry, mip_mib::fa_coa_table::OID, set_care_of_address);
    registry.add(mip_mib::FA_REG_VISITOR_COUNT, Scalar(fa_reg_visitor::count));
    registry.add(mip_mib::fa_reg_visitor_table::OID, TableObject(fa_reg_visitor::Source));
    registry.add(mip_mib::fa_visitor_table::OID, TableObject(fa_visitor::Source));
}

fn register_home_agent(registry: &mut Registry) {
    let count = Scalar(ha_mobility_binding::count);
    registry.add(mip_mib::HA_REG_MOBILITY_BINDING_COUNT, count);
    registry.add(mip_mib::ha_mobility_binding_table::OID, TableObject(ha_mobility_binding::Source));
    registry.add(mip_mib::ha_reg_counter_table::OID, TableObject(ha_reg_counter::Source));
    registry.add(mip_mib::ha_counter_table::OID, TableObject(ha_counter::Source));
}

/// Adds a table of few rows.
fn small<T: small::SmallTable + 'static>(registry: &mut Registry, oid: &'static [u32]) {
    registry.add(oid, TableObject(small::Source::<T>::new()));
}

/// Adds a table of few rows that managers write to.
fn writable<T: small::SmallTable + 'static>(
    registry: &mut Registry,
    oid: &'static [u32],
    set: object::Setter,
) {
    registry.add(oid, Writable { object: TableObject(small::Source::<T>::new()), set });
}

/// What a request is answered from: one moment, one snapshot of all tables.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub now: Now,
    pub snapshot: &'a Snapshot,
    pub local: &'a LocalFacts,
    /// The daemon whose rows are shown, by its name in the store; those of all if there is none.
    pub instance: Option<&'a str>,
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
    /// The interfaces of this host, by index.
    pub interfaces: BTreeMap<u32, Interface>,
    pub engine: EngineFacts,
    /// Whether the store is still on its way: nothing that it has can be answered.
    pub is_loading: bool,
    /// How the store is, as the driver saw it last.
    pub store: Health,
    /// What is wrong, and what was said about it.
    pub alarms: Alarms,
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
