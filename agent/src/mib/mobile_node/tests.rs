use std::net::Ipv4Addr;

use store::Role;
use store::wire::Lifetime;

use crate::Value;
use crate::mib::GetResult;
use crate::mib::tests::rows::{MN, advertisement, at, registration};
use crate::mib::tests::{World, instance};

fn world() -> World {
    let mut world = World::empty();
    world.put(instance(MN, Role::MobileNode, Ipv4Addr::new(10, 0, 0, 7)));
    world
}

const ROW: [u32; 8] = [127, 0, 0, 3, 192, 0, 2, 1];

#[test]
fn each_column_of_a_registration() {
    let mut world = world();
    world.put(registration([192, 0, 2, 1]));
    for (column, value) in [
        ("mnRegAgentAddress", Value::IpAddress([127, 0, 0, 3])),
        ("mnRegCOA", Value::IpAddress([192, 0, 2, 1])),
        ("mnRegFlags", Value::octets([0x08])),
        ("mnRegIDLow", Value::Gauge32(0x8000_0008)),
        ("mnRegIDHigh", Value::Gauge32(0xE000_0007)),
        ("mnRegTimeRequested", Value::Gauge32(300)),
        ("mnRegTimeRemaining", Value::Gauge32(200)),
        ("mnRegTimeSent", Value::TimeTicks(490_000)),
        ("mnRegIsAccepted", Value::Integer32(1)),
        ("mnCOAIsLocal", Value::Integer32(2)),
        ("mnRegDeliveryStyle", Value::Integer32(1)),
    ] {
        assert_eq!(world.value(column, &ROW), value, "{column}");
    }
    let mut own = registration([192, 0, 2, 1]);
    own.co_located = true;
    world.put(own);
    assert_eq!(world.get("mnRegDeliveryStyle", &ROW), GetResult::NoSuchInstance);
    assert_eq!(world.value("mnCOAIsLocal", &ROW), Value::Integer32(1));
}

#[test]
fn the_state_follows_the_registrations() {
    let mut world = world();
    assert_eq!(world.value("mnState", &[0]), Value::Integer32(5));
    assert_eq!(world.value("mnHomeAddress", &[0]), Value::IpAddress([0; 4]));
    assert_eq!(world.value("mnIdentifierType", &[0]), Value::Integer32(2));
    let mut pending = registration([192, 0, 2, 1]);
    pending.accepted = false;
    pending.expires_at = None;
    world.put(pending);
    assert_eq!(world.value("mnState", &[0]), Value::Integer32(3));
    assert_eq!(world.value("mnRegTimeRemaining", &ROW), Value::Gauge32(0));
    assert_eq!(world.value("mnCurrentHA", &[127, 0, 0, 1]), Value::Integer32(2));
    world.put(registration([192, 0, 2, 1]));
    assert_eq!(world.value("mnState", &[0]), Value::Integer32(2));
    assert_eq!(world.value("mnHomeAddress", &[0]), Value::IpAddress([10, 0, 0, 7]));
    assert_eq!(world.value("mnIdentifier", &[0]), Value::octets("mn@example.net"));
    assert_eq!(world.value("mnCurrentHA", &[127, 0, 0, 1]), Value::Integer32(1));
    let mut expired = registration([192, 0, 2, 1]);
    expired.expires_at = Some(at(4999));
    world.put(expired);
    assert_eq!(world.value("mnState", &[0]), Value::Integer32(4));
}

#[test]
fn the_newest_advertisement_is_shown() {
    let mut world = world();
    assert_eq!(world.get("mnAdvSequence", &[0]), GetResult::NoSuchInstance);
    world.put(advertisement(MN, Role::MobileNode, 1));
    let mut newer = advertisement(MN, Role::MobileNode, 2);
    newer.at = Some(at(4500));
    newer.sequence_number = 65_535;
    newer.source = Ipv4Addr::new(192, 0, 2, 77);
    // All bits of the wire: R B H F M G r T U X I.
    newer.flags = 0xffff;
    newer.registration_lifetime = Lifetime::ZERO;
    world.put(newer);
    assert_eq!(world.value("mnAdvSequence", &[0]), Value::Integer32(65_535));
    assert_eq!(world.value("mnAdvSourceAddress", &[0]), Value::IpAddress([192, 0, 2, 77]));
    assert_eq!(world.value("mnAdvFlags", &[0]), Value::octets([0x7f, 0xc0]));
    assert_eq!(world.value("mnAdvTimeReceived", &[0]), Value::TimeTicks(450_000));
    assert_eq!(world.value("mnAdvMaxAdvLifetime", &[0]), Value::Integer32(1800));
    // 0 has no value in the syntax.
    assert_eq!(world.get("mnAdvMaxRegLifetime", &[0]), GetResult::NoSuchInstance);
}

/// Each bit of the wire alone, highest first: R B H F M G r T U X I.
#[test]
fn each_flag_of_an_advertisement_has_its_place() {
    let places: [[u8; 2]; 11] = [
        [0x02, 0],
        [0x04, 0],
        [0x08, 0],
        [0x10, 0],
        [0x20, 0],
        [0x40, 0],
        [0, 0],
        [0x01, 0],
        [0, 0x80],
        [0, 0],
        [0, 0x40],
    ];
    for (bit, place) in places.into_iter().enumerate() {
        let mut world = world();
        let mut row = advertisement(MN, Role::MobileNode, 1);
        row.flags = 0x8000 >> bit;
        world.put(row);
        assert_eq!(world.value("mnAdvFlags", &[0]), Value::octets(place), "wire bit {bit}");
    }
}

#[test]
fn foreign_agents_go_when_their_advertisement_expires() {
    let mut world = world();
    let mut row = advertisement(MN, Role::MobileNode, 1);
    row.care_of_addresses = vec![Ipv4Addr::new(192, 0, 2, 2), Ipv4Addr::new(192, 0, 2, 1)];
    world.put(row.clone());
    let pairs = ["127.0.0.3.192.0.2.1", "127.0.0.3.192.0.2.2"];
    assert_eq!(world.instances("mnCOA"), pairs);
    row.lifetime = 999;
    world.put(row);
    assert_eq!(world.instances("mnFAAddress"), [""; 0]);
}
