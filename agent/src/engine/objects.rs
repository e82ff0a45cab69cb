//! The managed objects of the engine itself.

use crate::mib::{Context, Registry, Scalar};
use crate::value::Value;

use super::{Counters, admin};

/// `snmpEngine` of SNMP-FRAMEWORK-MIB (RFC 3411 §5).
const SNMP_ENGINE: [&[u32]; 4] = [
    &[1, 3, 6, 1, 6, 3, 10, 2, 1, 1],
    &[1, 3, 6, 1, 6, 3, 10, 2, 1, 2],
    &[1, 3, 6, 1, 6, 3, 10, 2, 1, 3],
    &[1, 3, 6, 1, 6, 3, 10, 2, 1, 4],
];

/// Adds what the engine shows of itself.
pub(crate) fn add_objects(registry: &mut Registry) {
    admin::add_objects(registry);
    for &(root, read) in Counters::OBJECTS {
        add(registry, root, move |context| Value::Counter32(read(&context.local.engine.counters)));
    }
    let [id, boots, time, max_message_size] = SNMP_ENGINE;
    add(registry, id, |context| Value::octets(context.local.engine.engine_id()));
    add(registry, boots, |context| Value::Integer32(context.local.engine.engine_boots));
    add(registry, time, |context| Value::Integer32(context.local.engine.engine_time(context.now)));
    add(registry, max_message_size, |context| {
        let octets = i32::try_from(context.local.engine.message_size_max);
        Value::Integer32(octets.unwrap_or(i32::MAX))
    });
}

fn add<F>(registry: &mut Registry, root: &'static [u32], read: F)
where
    F: Fn(Context<'_>) -> Value + Send + Sync + 'static,
{
    registry.add(root, Scalar(move |context: Context<'_>| Some(read(context))));
}
