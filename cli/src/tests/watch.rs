use std::time::Duration;

use store::{Batch, Binding, Class, Row as _};

use super::{on, snapshot};
use crate::failure::ExitStatus;
use crate::fixture::{self, Fake};

/// A network in which a binding is renewed, another comes, and the first goes.
fn busy() -> Fake {
    let mut renewed = fixture::binding();
    renewed.registered_at = fixture::NOW;
    renewed.expires_at = Some(fixture::NOW + Duration::from_secs(1800));
    let mut another = fixture::binding();
    another.home_address = [10, 99, 0, 8].into();
    let mut fake = Fake::network();
    for row in [renewed, another] {
        let mut batch = Batch::new(Class::Durable);
        batch.put(row);
        fake.later.push(batch);
    }
    let mut batch = Batch::new(Class::Durable);
    batch.delete::<Binding>(fixture::binding().key());
    fake.later.push(batch);
    fake
}

#[test]
fn watch_shows_what_happens() {
    snapshot!("watch_bindings", on(busy(), "watch bindings --initial --count 5", ""));
    snapshot!("watch_bindings_json", on(busy(), "-o json watch bindings --count 3", ""));
    snapshot!("watch_bindings_csv", on(busy(), "-o csv watch bindings --timeout 20ms", ""));
}

#[test]
fn watch_selects() {
    let done = on(busy(), "-o json watch bindings --home-address 10.99.0.8 --count 1", "");
    assert_eq!(done.json()["event"], "added");
}

#[test]
fn an_error_in_mid_stream_is_the_last_line() {
    let done = on(busy(), "-o json watch bindings --count 4 --timeout 20ms", "");
    assert_eq!(done.status, ExitStatus::TimedOut);
    assert_eq!(done.out.lines().count(), 4);
    let last: serde_json::Value = serde_json::from_str(done.out.lines().last().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], 6);
}
