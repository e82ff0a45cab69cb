//! The scalars of MIP-MIB: what entities are, and what they counted.

use mibs::mip_mib as module;
use store::{Counter, Role};

use super::{Context, Registry, Scalar, Writable, enable, flags};
use crate::Value;

pub(super) fn register(registry: &mut Registry) {
    registry.add(module::MIP_ENTITIES, Scalar(entities));
    let switch = Writable { object: Scalar(enable::read), set: enable::set };
    registry.add(module::MIP_ENABLE, switch);
    registry.add(module::MIP_ENCAPSULATION_SUPPORTED, Scalar(encapsulation_supported));
    for &counter in Counter::ALL {
        // Those that only our own module shows have no object there.
        if let Some(object) = module::MODULE.object(&counter.descriptor()) {
            registry.add(object.oid, Scalar(move |context: Context<'_>| count(context, counter)));
        }
    }
}

/// The roles that take part in Mobile IP and are configured.
fn roles(context: Context<'_>) -> impl Iterator<Item = Role> {
    super::context::MOBILITY_ROLES.into_iter().filter(move |role| context.has_role(*role))
}

/// `mipEntities`, whose bits are in the order of the roles.
fn entities(context: Context<'_>) -> Option<Value> {
    let mut present = [false; 3];
    for (bit, role) in present.iter_mut().zip(super::context::MOBILITY_ROLES) {
        *bit = context.has_role(role);
    }
    present.contains(&true).then(|| flags::bits(&present))
}

/// `mipEncapsulationSupported`: IP in IP, which every agent must support (RFC 5944 §1.5)
/// and registrations are granted with.
fn encapsulation_supported(context: Context<'_>) -> Option<Value> {
    roles(context).next()?;
    Some(flags::bits(&[true, false, false, false, false]))
}

/// A counter, summed over the agents that keep it; absent if there are none.
fn count(context: Context<'_>, counter: Counter) -> Option<Value> {
    roles(context).find(|role| counter.belongs_to(*role))?;
    Some(Value::counter32(context.count(counter)))
}
