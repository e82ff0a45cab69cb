use store::{Batch, Class, InstanceState};

use super::{on, snapshot};
use crate::failure::ExitStatus;
use crate::fixture::{self, Fake};

#[test]
fn wait_binding_shows_what_it_waited_for() {
    let mut fake = Fake::default();
    fake.put(fixture::home_agent_instance());
    let mut batch = Batch::new(Class::Durable);
    batch.put(fixture::binding());
    fake.later.push(batch);
    let done = on(fake, "-o json wait binding --home-address 10.99.0.7", "");
    assert_eq!(done.status, ExitStatus::Success, "{done}");
    assert_eq!(done.json()["rows"][0]["home_address"], "10.99.0.7");
}

#[test]
fn wait_binding_gives_up() {
    let line = "wait binding --home-address 10.99.0.8 --timeout 20ms";
    snapshot!("wait_timeout", on(Fake::network(), line, ""));
    let done = on(Fake::network(), &format!("-o json {line}"), "");
    assert_eq!(done.json()["error"]["code"], 6);
    assert_eq!(on(None, "wait binding", "").status, ExitStatus::Usage);
}

#[test]
fn wait_binding_until_it_is_gone() {
    let mut fake = Fake::network();
    let mut batch = Batch::new(Class::Durable);
    batch.delete::<store::Binding>(store::Row::key(&fixture::binding()));
    fake.later.push(batch);
    let done = on(fake, "-o json wait binding --gone --home-address 10.99.0.7", "");
    assert_eq!(done.status, ExitStatus::Success, "{done}");
    assert_eq!(done.json()["rows"], serde_json::json!([]));
}

#[test]
fn wait_serving_takes_only_a_live_daemon_that_serves() {
    let mut fake = Fake::default();
    let mut starting = fixture::home_agent_instance();
    starting.state = InstanceState::Starting;
    fake.put(starting);
    let mut batch = Batch::new(Class::Relaxed);
    batch.put(fixture::home_agent_instance());
    fake.later.push(batch);
    let done = on(fake, "-o json wait serving --home-agent 192.0.2.1", "");
    assert_eq!(done.json()["rows"][0]["state"], "serving");

    let mut silent = Fake::default();
    let mut instance = fixture::home_agent_instance();
    instance.heartbeat_at = fixture::seconds_ago(9);
    silent.put(instance);
    let done = on(silent, "wait serving --timeout 20ms", "");
    assert_eq!(done.status, ExitStatus::TimedOut);
    // A store that cannot be reached may still come up; in the end it is the reason.
    assert_eq!(on(None, "wait serving --timeout 20ms", "").status, ExitStatus::Unreachable);
}
