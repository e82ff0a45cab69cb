//! `mip4ExtStore`, and `mip4ExtSnmp`: how the store is as this engine sees it, and what was dropped.

use mibs::mip4_ext_mib as module;
use store::{Disk, Health};

use super::admin_string;
use crate::Value;
use crate::engine::Counters;
use crate::mib::object::SparseScalar;
use crate::mib::{Context, Registry, Scalar};

pub(super) fn register(registry: &mut Registry) {
    let mut add = |oid, read: fn(Context<'_>, &Health) -> Value| {
        let read = move |context: Context<'_>| Some(read(context, &context.local.store));
        registry.add(oid, Scalar(read));
    };
    add(module::MIP4_EXT_STORE_ENGINE, |_, health| admin_string(health.engine));
    add(module::MIP4_EXT_STORE_REVISION, |context, _| {
        Value::Counter64(context.snapshot.revision.0)
    });
    add(module::MIP4_EXT_STORE_AGE, |_, health| milliseconds(health.age));
    add(module::MIP4_EXT_STORE_STATE, |_, health| {
        Value::Integer32(if health.degraded.is_some() { 2 } else { 1 })
    });
    add(module::MIP4_EXT_STORE_DETAIL, |_, health| {
        admin_string(health.degraded.as_deref().unwrap_or(""))
    });
    add(module::MIP4_EXT_STORE_LAST_ERROR, |_, health| {
        admin_string(health.last_error.as_deref().unwrap_or(""))
    });
    let mut add = |oid, read: fn(&Health) -> Option<Value>| {
        let read = move |context: Context<'_>| Some(read(&context.local.store));
        registry.add(oid, SparseScalar(read));
    };
    add(module::MIP4_EXT_STORE_SYNC_LATENCY, |health| {
        let micros = health.sync_latency?.as_micros();
        Some(Value::gauge32(u64::try_from(micros).unwrap_or(u64::MAX)))
    });
    add(module::MIP4_EXT_STORE_DISK_FREE, |health| disk(health, |disk| disk.free_octets));
    add(module::MIP4_EXT_STORE_DISK_TOTAL, |health| disk(health, |disk| disk.total_octets));
    add(module::MIP4_EXT_STORE_DISK_USED, |health| disk(health, |disk| disk.used_octets));
    let mut add = |oid, read: fn(&Counters) -> u32| {
        let read = move |context: Context<'_>| {
            Some(Value::Counter32(read(&context.local.engine.counters)))
        };
        registry.add(oid, Scalar(read));
    };
    add(module::MIP4_EXT_SNMP_NOTIFICATIONS_LIMITED, |counters| counters.notifications_limited);
    add(module::MIP4_EXT_SNMP_NOTIFICATIONS_DROPPED, |counters| counters.notifications_dropped);
    add(module::MIP4_EXT_SNMP_INFORMS_ACKNOWLEDGED, |counters| counters.informs_acknowledged);
    add(module::MIP4_EXT_SNMP_INFORMS_FAILED, |counters| counters.informs_failed);
}

fn milliseconds(duration: std::time::Duration) -> Value {
    Value::gauge32(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// Octets of a disk in mebioctets, rounded down.
fn disk(health: &Health, octets: fn(&Disk) -> u64) -> Option<Value> {
    health.disk.as_ref().map(|disk| Value::gauge32(octets(disk) >> 20))
}
