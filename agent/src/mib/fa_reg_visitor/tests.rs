use std::net::Ipv4Addr;
use std::time::Duration;

use store::{Identity, Role};

use crate::Value;
use crate::mib::GetResult;
use crate::mib::tests::rows::{FA, FOREIGN_AGENT, address, visitor};
use crate::mib::tests::{World, instance, nai};

const TABLE: &[u32] = mibs::mip_mib::fa_reg_visitor_table::OID;
const OLD_TABLE: &[u32] = mibs::mip_mib::fa_visitor_table::OID;

fn world() -> World {
    let mut world = World::empty();
    world.put(instance(FA, Role::ForeignAgent, FOREIGN_AGENT));
    world
}

#[test]
fn each_column() {
    let mut world = world();
    world.put(visitor(Identity::Nai(nai("a@b")), [192, 0, 2, 5]));
    let row = [3, 3, 97, 64, 98];
    for (column, value) in [
        ("faRegVisitorHomeAddress", Value::IpAddress([10, 0, 0, 7])),
        ("faRegVisitorHomeAgentAddress", Value::IpAddress([127, 0, 0, 1])),
        ("faRegVisitorTimeGranted", Value::Integer32(600)),
        ("faRegVisitorTimeRemaining", Value::Gauge32(500)),
        ("faRegVisitorRegFlags", Value::octets([0x02])),
        ("faRegVisitorRegIDLow", Value::Gauge32(0x8000_0006)),
        ("faRegVisitorRegIDHigh", Value::Gauge32(0xE000_0005)),
        ("faRegVisitorRegIsAccepted", Value::Integer32(1)),
        ("faRegVisitorDeliveryStyle", Value::Integer32(2)),
        ("faRegVisitorNAI", Value::octets("a@b")),
    ] {
        assert_eq!(world.value(column, &row), value, "{column}");
    }
    assert_eq!(world.get("faRegVisitorInPkts", &row), GetResult::NoSuchInstance);
    let old = [192, 0, 2, 5];
    let low = Value::Integer32(0x8000_0006_u32.cast_signed());
    assert_eq!(world.value("faVisitorRegIDLow", &old), low);
    assert_eq!(world.value("faVisitorIPAddress", &old), Value::IpAddress([192, 0, 2, 5]));
}

#[test]
fn while_the_reply_is_awaited_no_time_runs() {
    let mut world = world();
    let mut row = visitor(address("10.0.0.7"), [192, 0, 2, 5]);
    row.accepted = false;
    world.put(row);
    let index = [2, 4, 10, 0, 0, 7];
    assert_eq!(world.value("faRegVisitorRegIsAccepted", &index), Value::Integer32(2));
    assert_eq!(world.value("faRegVisitorTimeRemaining", &index), Value::Gauge32(0));
}

#[test]
fn a_node_of_two_foreign_agents_is_shown_as_it_was_heard_last() {
    let mut world = world();
    world.put(visitor(address("10.0.0.7"), [192, 0, 2, 5]));
    let mut later = visitor(address("10.0.0.7"), [192, 0, 2, 6]);
    later.foreign_agent = Ipv4Addr::new(127, 0, 0, 9);
    later.registered_at = later.registered_at + Duration::from_secs(1);
    later.encapsulating_delivery = false;
    world.put(later);
    let index = [2, 4, 10, 0, 0, 7];
    assert_eq!(world.value("faRegVisitorDeliveryStyle", &index), Value::Integer32(1));
    assert_eq!(world.value("faRegVisitorCount", &[0]), Value::Gauge32(1));
    assert_eq!(world.check_walk(TABLE), 10);
    assert_eq!(world.check_walk(OLD_TABLE), 2 * 9);
}

#[test]
fn of_visitors_with_one_source_the_old_table_shows_the_latest() {
    let mut world = world();
    world.put(visitor(address("10.0.0.7"), [192, 0, 2, 5]));
    let mut later = visitor(address("10.0.0.8"), [192, 0, 2, 5]);
    later.home_address = Ipv4Addr::new(10, 0, 0, 8);
    later.registered_at = later.registered_at + Duration::from_secs(1);
    world.put(later);
    assert_eq!(world.instances("faVisitorIPAddress"), ["192.0.2.5"]);
    let home = world.value("faVisitorHomeAddress", &[192, 0, 2, 5]);
    assert_eq!(home, Value::IpAddress([10, 0, 0, 8]));
    // The row follows a visitor that moves to another source.
    world.put(visitor(address("10.0.0.7"), [192, 0, 2, 4]));
    assert_eq!(world.instances("faVisitorIPAddress"), ["192.0.2.4", "192.0.2.5"]);
}
