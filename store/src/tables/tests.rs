use super::*;
use crate::{Class, Role};

fn instance(heartbeat_at: i64, clock_step: i64, state: InstanceState) -> Snapshot {
    let row = Instance {
        name: "ha1".to_owned(),
        roles: vec![Role::HomeAgent],
        addresses: Vec::new(),
        version: "1".to_owned(),
        process_id: 1,
        started_at: UtcTime(0),
        heartbeat_at: UtcTime(heartbeat_at),
        clock_step,
        state,
        applied_revision: 0,
        apply_error: None,
        clock_health: None,
        apply_errors: std::collections::BTreeMap::new(),
        unknown: crate::Unknown::default(),
    };
    let mut batch = Batch::new(Class::Relaxed);
    batch.put(row);
    let mut snapshot = Snapshot::default();
    snapshot.tables.apply(&batch, Revision(1));
    snapshot
}

#[test]
fn an_instance_is_stale_after_three_missed_heartbeats() {
    let live = instance(10_000, 0, InstanceState::Serving);
    assert!(!live.is_stale("ha1", UtcTime(13_000)));
    assert!(live.is_stale("ha1", UtcTime(13_001)));
    assert!(live.is_stale("ha2", UtcTime(10_000)), "unknown");
    assert!(instance(10_000, 0, InstanceState::Gone).is_stale("ha1", UtcTime(10_000)));
}

#[test]
fn a_step_of_the_clock_makes_nothing_stale() {
    // Both clocks went ahead by an hour since the instance started.
    let stepped = instance(10_000, 3_600_000, InstanceState::Serving);
    assert!(!stepped.is_stale("ha1", UtcTime(3_611_000)));
    assert!(stepped.is_stale("ha1", UtcTime(3_614_000)));
}
