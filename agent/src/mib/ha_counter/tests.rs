use std::net::Ipv4Addr;

use store::Identity;
use store::wire::Code;

use crate::Value;
use crate::mib::GetResult;
use crate::mib::tests::{World, binding, nai, node_counters};

const TABLE: &[u32] = mibs::mip_mib::ha_counter_table::OID;

#[test]
fn each_column() {
    let mut world = World::with_home_agent();
    world.put(node_counters(Identity::Address(Ipv4Addr::new(10, 0, 0, 1))));
    let row = [10, 0, 0, 1];
    for (column, value) in [
        ("haServiceRequestsAccepted", Value::Counter32(3)),
        ("haServiceRequestsDenied", Value::Counter32(2)),
        ("haOverallServiceTime", Value::Gauge32(61)),
        ("haRecentServiceAcceptedTime", Value::TimeTicks(4000)),
        ("haRecentServiceDeniedTime", Value::TimeTicks(5000)),
        ("haRecentServiceDeniedCode", Value::Integer32(133)),
    ] {
        assert_eq!(world.value(column, &row), value, "{column}");
    }
}

#[test]
fn a_code_outside_the_enumeration_has_no_instance() {
    let mut world = World::with_home_agent();
    let mut row = node_counters(Identity::Address(Ipv4Addr::new(10, 0, 0, 1)));
    row.last_denied_code = Some(Code(139));
    world.put(row);
    let denied = world.get("haRecentServiceDeniedCode", &[10, 0, 0, 1]);
    assert_eq!(denied, GetResult::NoSuchInstance);
    assert_eq!(world.check_walk(TABLE), 5);
}

#[test]
fn nodes_named_by_nai_are_found_by_their_binding() {
    let mut world = World::with_home_agent();
    let mut bound = binding([10, 0, 0, 9], [192, 0, 2, 1]);
    bound.nai = Some(nai("a@b"));
    world.put(node_counters(bound.identity()));
    world.put(bound);
    world.put(node_counters(Identity::Nai(nai("gone@b"))));
    world.put(node_counters(Identity::Address(Ipv4Addr::new(10, 0, 0, 3))));
    world.put(node_counters(Identity::Address(Ipv4Addr::BROADCAST)));
    let rows = ["10.0.0.3", "10.0.0.9", "255.255.255.255"];
    assert_eq!(world.instances("haServiceRequestsAccepted"), rows);
    assert_eq!(world.check_walk(TABLE), 3 * 6);
}
