use store::{Batch, Class};

use super::*;
use crate::fixture;

fn view(instance: Instance, now: UtcTime) -> View {
    let mut snapshot = Snapshot::default();
    snapshot.tables.apply(Batch::new(Class::Relaxed).put(instance), Revision(1));
    View { snapshot: Arc::new(snapshot), now }
}

#[test]
fn an_instance_is_stale_after_three_missed_heartbeats() {
    let instance = fixture::home_agent_instance();
    let at = |milliseconds| {
        let now = instance.heartbeat_at + Duration::from_millis(milliseconds);
        view(instance.clone(), now).freshness(&instance.name)
    };
    assert_eq!(at(0), Freshness::Live);
    assert_eq!(at(3000), Freshness::Live);
    assert_eq!(at(3001), Freshness::Stale(Some(Duration::from_millis(3001))));
}

#[test]
fn a_step_of_the_owners_clock_makes_nothing_stale() {
    let mut instance = fixture::home_agent_instance();
    instance.clock_step = 3_600_000;
    let wall_clock = instance.heartbeat_at.shifted(instance.clock_step) + Duration::from_secs(1);
    let view = view(instance.clone(), wall_clock);
    assert_eq!(view.freshness(&instance.name), Freshness::Live);
    assert_eq!(view.heartbeat_age(&instance), Duration::from_secs(1));
}

#[test]
fn an_unknown_owner_is_stale_and_one_that_left_is_gone() {
    let mut instance = fixture::home_agent_instance();
    instance.state = InstanceState::Gone;
    let view = view(instance.clone(), instance.heartbeat_at);
    assert_eq!(view.freshness(&instance.name), Freshness::Gone);
    assert_eq!(view.freshness("nobody"), Freshness::Stale(None));
}
