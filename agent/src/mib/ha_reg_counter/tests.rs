use std::net::Ipv4Addr;
use std::time::Duration;

use store::{Identity, UtcTime};

use crate::Value;
use crate::mib::GetResult;
use crate::mib::tests::{STARTED, UP, World, nai, node_counters};

const TABLE: &[u32] = mibs::mip_mib::ha_reg_counter_table::OID;

fn address(last: u8) -> Identity {
    Identity::Address(Ipv4Addr::new(10, 0, 0, last))
}

fn named(text: &str) -> Identity {
    Identity::Nai(nai(text))
}

#[test]
fn each_column() {
    let mut world = World::with_home_agent();
    world.put(node_counters(named("a@b")));
    let row = [3, 3, 97, 64, 98];
    for (column, value) in [
        ("haRegServiceRequestsAccepted", Value::Counter32(3)),
        ("haRegServiceRequestsDenied", Value::Counter32(2)),
        ("haRegOverallServiceTime", Value::Gauge32(61)),
        ("haRegRecentServiceAcceptedTime", Value::TimeTicks(4000)),
        ("haRegRecentServiceDeniedTime", Value::TimeTicks(5000)),
        ("haRegRecentServiceDeniedCode", Value::Integer32(133)),
    ] {
        assert_eq!(world.value(column, &row), value, "{column}");
    }
}

#[test]
fn service_that_goes_on_is_counted() {
    let mut world = World::with_home_agent();
    let mut row = node_counters(address(1));
    row.serving_since = Some(UtcTime(STARTED) + UP.saturating_sub(Duration::from_millis(1500)));
    world.put(row);
    // 61.5 s before, 1.5 s since.
    let value = world.value("haRegOverallServiceTime", &[2, 4, 10, 0, 0, 1]);
    assert_eq!(value, Value::Gauge32(63));
}

#[test]
fn what_never_happened_or_was_before_the_start_is_at_zero() {
    let mut world = World::with_home_agent();
    let mut row = node_counters(address(1));
    row.last_accepted_at = Some(UtcTime(STARTED - 1));
    row.last_denied_at = None;
    row.last_denied_code = None;
    world.put(row);
    let index = [2, 4, 10, 0, 0, 1];
    assert_eq!(world.value("haRegRecentServiceAcceptedTime", &index), Value::TimeTicks(0));
    assert_eq!(world.value("haRegRecentServiceDeniedTime", &index), Value::TimeTicks(0));
    assert_eq!(world.value("haRegRecentServiceDeniedCode", &index), Value::Integer32(0));
}

/// Kind, then length, then octets: short names first, not by the alphabet.
#[test]
fn the_order_is_kind_length_octets() {
    let mut world = World::with_home_agent();
    for identity in [named("aa@b"), named("z@a"), address(255), address(2), named("y@b")] {
        world.put(node_counters(identity));
    }
    let rows =
        ["2.4.10.0.0.2", "2.4.10.0.0.255", "3.3.121.64.98", "3.3.122.64.97", "3.4.97.97.64.98"];
    assert_eq!(world.instances("haRegRecentServiceDeniedCode"), rows);
    assert_eq!(world.check_walk(TABLE), 5 * 6);
}

#[test]
fn awkward_names_are_walked_in_order() {
    let mut world = World::with_home_agent();
    let long = "l".repeat(63);
    let names =
        ["é", "~", "\u{10ffff}x", &long, &format!("{long}é"), &format!("{long}a"), "a", "b@c"];
    for name in names {
        world.put(node_counters(named(name)));
    }
    assert_eq!(world.check_walk(TABLE), names.len() * 6);
}

#[test]
fn names_that_agree_in_64_octets_share_a_row() {
    let mut world = World::with_home_agent();
    let stem = "s".repeat(64);
    for tail in ["", "a", "b"] {
        world.put(node_counters(named(&format!("{stem}{tail}"))));
    }
    world.put(node_counters(named(&format!("{}t", &stem[1..]))));
    assert_eq!(world.check_walk(TABLE), 2 * 6);
    let mut index = vec![3, 64];
    index.resize(66, u32::from(b's'));
    assert_eq!(world.value("haRegServiceRequestsAccepted", &index), Value::Counter32(9));
    index.push(0);
    assert_eq!(world.get("haRegServiceRequestsAccepted", &index), GetResult::NoSuchInstance);
}

#[test]
fn a_node_with_two_home_agents_has_one_row() {
    let mut world = World::with_home_agent();
    world.put(node_counters(address(1)));
    let mut other = node_counters(address(1));
    other.home_agent = Ipv4Addr::new(127, 0, 0, 2);
    other.last_accepted_at = Some(UtcTime(STARTED) + Duration::from_secs(70));
    world.put(other);
    let index = [2, 4, 10, 0, 0, 1];
    assert_eq!(world.value("haRegServiceRequestsAccepted", &index), Value::Counter32(6));
    assert_eq!(world.value("haRegRecentServiceAcceptedTime", &index), Value::TimeTicks(7000));
    assert_eq!(world.check_walk(TABLE), 6);
}
