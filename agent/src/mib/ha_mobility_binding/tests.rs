use std::net::Ipv4Addr;
use std::time::Duration;

use store::Role;
use store::wire::{Flags, Lifetime};

use crate::Value;
use crate::mib::GetResult;
use crate::mib::tests::{HOME_AGENT, INSTANCE, World, binding, instance, nai};

const ROW: [u32; 8] = [10, 0, 0, 7, 192, 0, 2, 1];
const TABLE: &[u32] = mibs::mip_mib::ha_mobility_binding_table::OID;

#[test]
fn each_column() {
    let mut world = World::with_home_agent();
    world.put(binding([10, 0, 0, 7], [192, 0, 2, 1]));
    for (column, value) in [
        ("haMobilityBindingMN", Value::IpAddress([10, 0, 0, 7])),
        ("haMobilityBindingCOA", Value::IpAddress([192, 0, 2, 1])),
        ("haMobilityBindingSourceAddress", Value::IpAddress([192, 0, 2, 9])),
        // S is bit 5, T is bit 6.
        ("haMobilityBindingRegFlags", Value::octets([0x06])),
        ("haMobilityBindingRegIDLow", Value::Gauge32(0x8000_0002)),
        ("haMobilityBindingRegIDHigh", Value::Gauge32(0xE000_0001)),
        ("haMobilityBindingTimeGranted", Value::Gauge32(1800)),
        ("haMobilityBindingTimeRemaining", Value::Gauge32(1700)),
        ("haMobilityBindingMnIdType", Value::Integer32(2)),
        ("haMobilityBindingMnId", Value::octets([10, 0, 0, 7])),
        ("haMobilityBindingHA", HOME_AGENT.into()),
        ("haMobilityBindingNAI", Value::octets("")),
    ] {
        assert_eq!(world.value(column, &ROW), value, "{column}");
    }
}

#[test]
fn a_node_with_a_nai_is_named_by_it() {
    let mut world = World::with_home_agent();
    let mut row = binding([10, 0, 0, 7], [192, 0, 2, 1]);
    let long = "x".repeat(100) + "@example.net";
    row.nai = Some(nai(&long));
    world.put(row);
    assert_eq!(world.value("haMobilityBindingMnIdType", &ROW), Value::Integer32(3));
    assert_eq!(world.value("haMobilityBindingMnId", &ROW), Value::octets(&long[..64]));
    assert_eq!(world.value("haMobilityBindingNAI", &ROW), Value::octets(&long));
}

#[test]
fn traffic_is_not_counted_while_nothing_forwards() {
    let mut world = World::with_home_agent();
    world.put(binding([10, 0, 0, 7], [192, 0, 2, 1]));
    for column in ["InPkts", "InOctets", "OutPkts", "OutOctets"] {
        let column = format!("haMobilityBinding{column}");
        assert_eq!(world.get(&column, &ROW), GetResult::NoSuchInstance, "{column}");
    }
    // The columns without instances end no walk: the counters follow.
    let after = world.walk(&[1, 3, 6, 1, 2, 1, 44, 1, 6, 3]);
    assert!(after.len() > 24);
    assert_eq!(world.walk(TABLE).len(), 12);
}

#[test]
fn the_owners_clock_steps_move_no_remaining_time() {
    let mut world = World::with_home_agent();
    world.put(binding([10, 0, 0, 7], [192, 0, 2, 1]));
    // The wall clock of the machine is set an hour ahead: the owner says so.
    let mut stepped = instance(INSTANCE, Role::HomeAgent, HOME_AGENT);
    stepped.clock_step = 3_600_000;
    world.put(stepped);
    world.now.utc = world.now.utc + Duration::from_secs(3600);
    assert_eq!(world.value("haMobilityBindingTimeRemaining", &ROW), Value::Gauge32(1700));
}

#[test]
fn remaining_time_ends_at_zero_and_infinity_stays() {
    let mut world = World::with_home_agent();
    let mut infinite = binding([10, 0, 0, 7], [192, 0, 2, 1]);
    infinite.lifetime_granted = Lifetime::INFINITE;
    infinite.expires_at = None;
    world.put(infinite);
    assert_eq!(world.value("haMobilityBindingTimeGranted", &ROW), Value::Gauge32(65_535));
    assert_eq!(world.value("haMobilityBindingTimeRemaining", &ROW), Value::Gauge32(65_535));
    let mut late = binding([10, 0, 0, 7], [192, 0, 2, 1]);
    late.expires_at = Some(late.registered_at + Duration::from_secs(1));
    world.put(late);
    assert_eq!(world.value("haMobilityBindingTimeRemaining", &ROW), Value::Gauge32(0));
}

/// Two home agents, and two nodes with one dummy address, share an index: the newest is shown.
#[test]
fn of_several_bindings_with_one_index_the_newest_is_shown() {
    let mut world = World::with_home_agent();
    world.put(binding([10, 0, 0, 7], [192, 0, 2, 1]));
    let mut second = binding([10, 0, 0, 7], [192, 0, 2, 1]);
    second.nai = Some(nai("second@example.net"));
    second.registered_at = second.registered_at + Duration::from_secs(9);
    world.put(second);
    assert_eq!(world.value("haMobilityBindingMnIdType", &ROW), Value::Integer32(3));
    let mut third = binding([10, 0, 0, 7], [192, 0, 2, 1]);
    third.home_agent = Ipv4Addr::new(127, 0, 0, 2);
    third.registered_at = third.registered_at + Duration::from_secs(10);
    world.put(third);
    assert_eq!(world.value("haMobilityBindingHA", &ROW), Value::IpAddress([127, 0, 0, 2]));
    assert_eq!(world.instances("haMobilityBindingMN"), ["10.0.0.7.192.0.2.1"]);
}

/// Rows of three home agents whose addresses interleave, in the order of the index alone.
#[test]
fn the_order_is_that_of_addresses_over_all_home_agents() {
    let mut world = World::with_home_agent();
    let mut expected = Vec::new();
    for (n, home) in [[255, 255, 255, 255], [0, 0, 0, 0], [10, 0, 0, 2], [9, 255, 255, 255]]
        .into_iter()
        .enumerate()
    {
        for care_of in [[0, 0, 0, 0], [192, 0, 2, 255], [255, 255, 255, 255]] {
            let mut row = binding(home, care_of);
            let last = [1, 255, 0][n % 3];
            row.home_agent = Ipv4Addr::new(last, last, last, last);
            world.put(row);
            let index: Vec<u32> = home.into_iter().chain(care_of).map(u32::from).collect();
            expected.push(index);
        }
    }
    expected.sort();
    let text = |index: &Vec<u32>| crate::Oid::from(&index[..]).to_string();
    let expected: Vec<String> = expected.iter().map(text).collect();
    assert_eq!(world.instances("haMobilityBindingTimeGranted"), expected);
    assert_eq!(world.check_walk(TABLE), 12 * 12);
}

#[test]
fn reserved_bits_of_a_request_are_not_shown() {
    let mut world = World::with_home_agent();
    let mut row = binding([10, 0, 0, 7], [192, 0, 2, 1]);
    row.flags = Flags(0xff);
    world.put(row);
    assert_eq!(world.value("haMobilityBindingRegFlags", &ROW), Value::octets([0x7e]));
}
