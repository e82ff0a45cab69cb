//! The managed objects of the engine itself.

use crate::mib::{Context, Registry, Scalar};
use crate::value::Value;

use super::Counters;

/// Adds what the engine shows of itself.
pub(crate) fn add_objects(registry: &mut Registry) {
    for &(root, read) in Counters::OBJECTS {
        let scalar = move |context: Context<'_>| {
            Some(Value::Counter32(read(&context.local.engine.counters)))
        };
        registry.add(root, Scalar(scalar));
    }
}
