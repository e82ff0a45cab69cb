//! The group `system` of SNMPv2-MIB (RFC 3418).

use mibs::snmpv2_mib as module;

use super::context::ticks;
use super::{Context, Registry, Scalar};
use crate::{Oid, Value};

/// What this product is named as: a place below netSnmpPlaypen, until there is
/// an assigned number.
pub const PRODUCT: &[u32] = &[1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 434];

/// Layers 3 (routing) and 7 (applications): 2² + 2⁶.
const SERVICES: i32 = 68;

pub(super) fn register(registry: &mut Registry) {
    let mut add = |oid, read: fn(Context<'_>) -> Value| {
        registry.add(oid, Scalar(move |context: Context<'_>| Some(read(context))));
    };
    add(module::SYS_DESCR, |context| display_string(&context.local.description));
    add(module::SYS_OBJECT_ID, |_| Value::ObjectIdentifier(Oid::from(PRODUCT)));
    add(module::SYS_UP_TIME, |context| ticks(context.up_time()));
    add(module::SYS_CONTACT, |context| display_string(&context.local.contact));
    add(module::SYS_NAME, |context| display_string(&context.local.name));
    add(module::SYS_LOCATION, |context| display_string(&context.local.location));
    add(module::SYS_SERVICES, |_| Value::Integer32(SERVICES));
}

/// A `DisplayString`: at most 255 octets, of NVT ASCII.
fn display_string(text: &str) -> Value {
    let ascii: String =
        text.chars().map(|c| if c.is_ascii() { c } else { '?' }).take(255).collect();
    Value::octets(ascii)
}
