use std::net::Ipv4Addr;

use store::Role;

use crate::Value;
use crate::mib::GetResult;
use crate::mib::tests::rows::{FA, FOREIGN_AGENT, advertisement, care_of_address};
use crate::mib::tests::{HOME_AGENT, INSTANCE, World, instance};

fn world() -> World {
    let mut world = World::with_home_agent();
    world.put(instance(FA, Role::ForeignAgent, FOREIGN_AGENT));
    world
}

#[test]
fn each_column_of_an_interface() {
    let mut world = world();
    world.put(advertisement(FA, Role::ForeignAgent, 5));
    for (column, value) in [
        ("maAdvertMaxRegLifetime", Value::Integer32(1800)),
        ("maAdvertPrefixLengthInclusion", Value::Integer32(1)),
        ("maAdvertAddress", Value::IpAddress([255; 4])),
        ("maAdvertMaxInterval", Value::Integer32(600)),
        ("maAdvertMinInterval", Value::Integer32(450)),
        ("maAdvertMaxAdvLifetime", Value::Integer32(1800)),
        ("maAdvertResponseSolicitationOnly", Value::Integer32(2)),
        ("maAdvertService", Value::octets([0x80])),
        ("maAdvertNetworkNAI", Value::octets("")),
        ("maAdvertStatus", Value::Integer32(1)),
        ("maAdvertStorageType", Value::Integer32(4)),
        ("faAdvertIsBusy", Value::Integer32(2)),
        ("faAdvertRegRequired", Value::Integer32(1)),
        ("faAdvertChallengeWindow", Value::Integer32(0)),
    ] {
        assert_eq!(world.value(column, &[5]), value, "{column}");
    }
    let source = [127, 0, 0, 3];
    assert_eq!(world.value("maAdvMaxRegLifetime", &source), Value::Integer32(1800));
    assert_eq!(world.value("maAdvStatus", &source), Value::Integer32(1));
}

#[test]
fn agents_that_share_an_interface_share_a_row() {
    let mut world = world();
    world.put(advertisement(FA, Role::ForeignAgent, 5));
    let mut home = advertisement(INSTANCE, Role::HomeAgent, 5);
    home.source = HOME_AGENT;
    home.flags = 0x2000;
    world.put(home);
    assert_eq!(world.instances("maAdvertStatus"), ["5"]);
    assert_eq!(world.value("maAdvertService", &[5]), Value::octets([0xc0]));
    assert_eq!(world.instances("faAdvertIsBusy"), ["5"]);
    assert_eq!(world.instances("maAdvStatus"), ["127.0.0.1", "127.0.0.3"]);
}

#[test]
fn what_the_module_does_not_allow_has_no_instance() {
    let mut world = world();
    let mut row = advertisement(FA, Role::ForeignAgent, 5);
    row.destination = Ipv4Addr::new(192, 0, 2, 1);
    row.registration_lifetime = wire::Lifetime::ZERO;
    world.put(row);
    assert_eq!(world.get("maAdvertAddress", &[5]), GetResult::NoSuchInstance);
    assert_eq!(world.get("maAdvertMaxRegLifetime", &[5]), GetResult::NoSuchInstance);
    assert_eq!(world.value("maAdvMaxRegLifetime", &[127, 0, 0, 3]), Value::Integer32(0));
}

#[test]
fn what_mobile_nodes_hear_is_not_what_agents_send() {
    let mut world = world();
    world.put(advertisement("mn1", Role::MobileNode, 5));
    assert_eq!(world.instances("maAdvertStatus"), [""; 0]);
}

#[test]
fn care_of_addresses_sort_by_address() {
    let mut world = world();
    let mut idle = care_of_address(Ipv4Addr::new(192, 0, 2, 9));
    idle.active = false;
    world.put(idle);
    world.put(care_of_address(Ipv4Addr::new(10, 0, 0, 1)));
    assert_eq!(world.instances("faCOAStatus"), ["10.0.0.1", "192.0.2.9"]);
    assert_eq!(world.value("faCOAStatus", &[192, 0, 2, 9]), Value::Integer32(2));
    assert_eq!(world.value("faCOAStorageType", &[10, 0, 0, 1]), Value::Integer32(5));
}

/// Reading 18: `faAdvertRegRequired` and `faAdvertIsBusy` are the R and B bits that are advertised,
/// and the deprecated scalars those of any interface.
#[test]
fn required_and_busy_are_the_bits_that_are_advertised() {
    let mut world = world();
    // R 0x8000, B 0x4000, F 0x1000.
    for (flags, required, busy) in [(0x1000, 2, 2), (0x9000, 1, 2), (0x5000, 2, 1), (0xd000, 1, 1)]
    {
        let mut row = advertisement(FA, Role::ForeignAgent, 5);
        row.flags = flags;
        world.put(row);
        for (object, index, value) in [
            ("faAdvertRegRequired", 5, required),
            ("faAdvertIsBusy", 5, busy),
            ("faRegistrationRequired", 0, required),
            ("faIsBusy", 0, busy),
        ] {
            assert_eq!(
                world.value(object, &[index]),
                Value::Integer32(value),
                "{object} {flags:x}"
            );
        }
    }
}
