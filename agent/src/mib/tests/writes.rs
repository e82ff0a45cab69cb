//! What managers may write, and what becomes of it in the store.

use store::{CareOfAddress, Setting, SettingValue, StorageType};

use super::rows::{
    FA, FOREIGN_AGENT, MN, address, advertisement, care_of_address, registration, violation,
};
use super::*;
use ErrorStatus::{
    InconsistentName, InconsistentValue, NoCreation, NotWritable, WrongLength, WrongType,
    WrongValue,
};

const ACTIVE: Value = Value::Integer32(1);
const NOT_IN_SERVICE: Value = Value::Integer32(2);
const CREATE_AND_GO: Value = Value::Integer32(4);
const CREATE_AND_WAIT: Value = Value::Integer32(5);
const DESTROY: Value = Value::Integer32(6);

/// A home agent, and a foreign agent that advertises on interface 5.
fn world() -> World {
    let mut world = World::with_home_agent();
    world.put(instance(FA, Role::ForeignAgent, FOREIGN_AGENT));
    world.put(advertisement(FA, Role::ForeignAgent, 5));
    world
}

/// The settings that there are.
fn settings(world: &World) -> Vec<Setting> {
    world.snapshot.rows::<Setting>().iter().map(|row| Setting::clone(row)).collect()
}

#[test]
fn how_an_interface_is_advertised_on_can_be_changed_and_is_the_files_again() {
    let mut world = world();
    let row: &[u32] = &[5];
    assert_eq!(
        world.set(&[
            ("maAdvertStatus", row, NOT_IN_SERVICE),
            ("maAdvertMaxInterval", row, Value::Integer32(30)),
            ("maAdvertMinInterval", row, Value::Integer32(20)),
            ("maAdvertMaxAdvLifetime", row, Value::Integer32(90)),
            ("maAdvertMaxRegLifetime", row, Value::Integer32(65_535)),
            ("maAdvertPrefixLengthInclusion", row, Value::Integer32(2)),
            ("maAdvertAddress", row, Value::IpAddress([224, 0, 0, 1])),
            ("maAdvertResponseSolicitationOnly", row, Value::Integer32(1)),
            ("maAdvertNetworkNAI", row, Value::octets("fa@example.net")),
            ("maAdvertStorageType", row, Value::Integer32(2)),
        ]),
        Ok(())
    );
    for (column, value) in [
        ("maAdvertStatus", NOT_IN_SERVICE),
        ("maAdvertMaxInterval", Value::Integer32(30)),
        ("maAdvertMinInterval", Value::Integer32(20)),
        ("maAdvertMaxAdvLifetime", Value::Integer32(90)),
        ("maAdvertMaxRegLifetime", Value::Integer32(65_535)),
        ("maAdvertPrefixLengthInclusion", Value::Integer32(2)),
        ("maAdvertAddress", Value::IpAddress([224, 0, 0, 1])),
        ("maAdvertResponseSolicitationOnly", Value::Integer32(1)),
        ("maAdvertNetworkNAI", Value::octets("fa@example.net")),
        ("maAdvertStorageType", Value::Integer32(2)),
    ] {
        assert_eq!(world.value(column, row), value, "{column}");
    }
    let [setting] = &settings(&world)[..] else { panic!("one setting") };
    assert_eq!((setting.active, setting.storage), (false, StorageType::Volatile));
    assert!(setting.changed.as_ref().unwrap().by.starts_with("snmp:"));
    world.set(&[("maAdvertStatus", row, ACTIVE)]).unwrap();
    assert_eq!(world.value("maAdvertStatus", row), ACTIVE);
    world.set(&[("maAdvertStatus", row, DESTROY)]).unwrap();
    assert_eq!(world.value("maAdvertMaxInterval", row), Value::Integer32(600), "the file's");
    assert!(settings(&world).is_empty());
    assert_eq!(world.set(&[("maAdvertStatus", row, DESTROY)]), Err((InconsistentValue, 1)));
}

/// Reading 20: what RFC 1256 forbids is refused; and nothing is changed while a row is active.
#[test]
fn intervals_and_lifetimes_of_advertisements_fit_together() {
    let mut world = world();
    let row: &[u32] = &[5];
    let number = Value::Integer32;
    for (column, value, expected) in [
        ("maAdvertMaxInterval", number(3), WrongValue),
        ("maAdvertMaxInterval", number(1801), WrongValue),
        ("maAdvertMaxInterval", number(400), InconsistentValue),
        ("maAdvertMinInterval", number(2), WrongValue),
        ("maAdvertMinInterval", number(601), InconsistentValue),
        ("maAdvertMaxAdvLifetime", number(599), InconsistentValue),
        ("maAdvertMaxAdvLifetime", number(9001), WrongValue),
        ("maAdvertMaxRegLifetime", number(0), WrongValue),
        ("maAdvertMaxRegLifetime", number(65_536), WrongValue),
        ("maAdvertMaxRegLifetime", Value::Gauge32(5), WrongType),
        ("maAdvertAddress", Value::IpAddress([224, 0, 0, 11]), WrongValue),
        ("maAdvertAddress", Value::IpAddress([10, 0, 0, 1]), WrongValue),
        ("maAdvertPrefixLengthInclusion", number(3), WrongValue),
        ("maAdvertService", Value::octets([0x20]), WrongValue),
        ("maAdvertNetworkNAI", Value::octets(vec![b'a'; 256]), WrongLength),
        ("maAdvertNetworkNAI", Value::octets([0xff]), WrongValue),
        ("maAdvertStorageType", number(4), InconsistentValue),
        ("maAdvertIfIndex", number(6), NotWritable),
    ] {
        let set =
            world.set(&[("maAdvertStatus", row, NOT_IN_SERVICE), (column, row, value.clone())]);
        let (status, variable) = set.unwrap_err();
        assert_eq!(status, expected, "{column} {value:?}");
        assert!(variable <= 2);
    }
    let set = world.set(&[("maAdvertMaxInterval", row, number(700))]);
    assert_eq!(set, Err((InconsistentValue, 1)), "the row is active");
    for action in [CREATE_AND_GO, CREATE_AND_WAIT] {
        assert_eq!(
            world.set(&[("maAdvertStatus", row, action.clone())]),
            Err((InconsistentValue, 1))
        );
        let unknown = world.set(&[("maAdvertStatus", &[6], action)]);
        assert_eq!(unknown, Err((InconsistentName, 1)), "nothing is advertised there");
    }
    assert!(settings(&world).is_empty());
}

/// Reading 21: the services are those of all agents on the interface.
#[test]
fn a_service_is_offered_where_such_an_agent_is() {
    let mut world = world();
    let row: &[u32] = &[5];
    let write = |world: &mut World, bits: u8| {
        world.set(&[
            ("maAdvertStatus", row, NOT_IN_SERVICE),
            ("maAdvertService", row, Value::octets([bits])),
        ])
    };
    assert_eq!(write(&mut world, 0xc0), Err((InconsistentValue, 1)), "no home agent is there");
    assert_eq!(write(&mut world, 0x00), Ok(()));
    assert_eq!(world.value("maAdvertService", row), Value::octets([0]));
    let mut home = advertisement(INSTANCE, Role::HomeAgent, 5);
    (home.source, home.flags) = (HOME_AGENT, 0x2000);
    world.put(home);
    assert_eq!(write(&mut world, 0x40), Ok(()));
    assert_eq!(world.value("maAdvertService", row), Value::octets([0x40]));
    let offers: Vec<_> = settings(&world)
        .into_iter()
        .map(|setting| match setting.value {
            SettingValue::Advertisement(values) => (values.foreign_agent, values.home_agent),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(offers, [(false, false), (false, true)], "each does its part");
}

/// Reading 17: a row for each interface of a foreign agent; the window is 0 and is not written.
#[test]
fn the_r_bit_can_be_written_and_the_window_cannot() {
    let mut world = world();
    assert_eq!(world.value("faAdvertRegRequired", &[5]), Value::Integer32(1));
    world.set(&[("faAdvertRegRequired", &[5], Value::Integer32(2))]).unwrap();
    assert_eq!(world.value("faAdvertRegRequired", &[5]), Value::Integer32(2));
    let set = |world: &mut World, column, row: &[u32], value| world.set(&[(column, row, value)]);
    let window = set(&mut world, "faAdvertChallengeWindow", &[5], Value::Integer32(0));
    assert_eq!(window, Err((NotWritable, 1)));
    let elsewhere = set(&mut world, "faAdvertRegRequired", &[6], Value::Integer32(1));
    assert_eq!(elsewhere, Err((NoCreation, 1)));
    let value = set(&mut world, "faAdvertRegRequired", &[5], Value::Integer32(3));
    assert_eq!(value, Err((WrongValue, 1)));
}

#[test]
fn care_of_addresses_are_made_changed_and_ended() {
    let mut world = world();
    world.put(care_of_address(FOREIGN_AGENT));
    world.put(instance("fa2", Role::ForeignAgent, Ipv4Addr::new(192, 0, 2, 1)));
    let row: &[u32] = &[192, 0, 2, 77];
    let storage = ("faCOAStorageType", row, Value::Integer32(2));
    assert_eq!(world.set(std::slice::from_ref(&storage)), Err((InconsistentName, 1)));
    world.set(&[storage, ("faCOAStatus", row, CREATE_AND_WAIT)]).unwrap();
    let made =
        || world.snapshot.rows::<CareOfAddress>().iter().find(|it| it.address.octets()[3] == 77);
    let made = made().unwrap();
    assert_eq!(made.instance, "fa2", "the nearest foreign agent");
    assert_eq!((made.active, made.storage), (false, StorageType::Volatile));
    assert_eq!(world.set(&[("faCOAStatus", row, CREATE_AND_GO)]), Err((InconsistentValue, 1)));
    world.set(&[("faCOAStatus", row, ACTIVE)]).unwrap();
    assert_eq!(world.value("faCOAStatus", row), ACTIVE);
    world.set(&[("faCOAStatus", row, DESTROY)]).unwrap();
    assert_eq!(world.instances("faCOAStatus"), ["127.0.0.3"]);
    let of_file = world.set(&[("faCOAStatus", &[127, 0, 0, 3], DESTROY)]);
    assert_eq!(of_file, Err((NotWritable, 1)), "it is the file's");
    let nobody = world.set(&[("faCOAStatus", &[224, 0, 0, 5], CREATE_AND_GO)]);
    assert_eq!(nobody, Err((WrongValue, 1)), "no address of a host");
}

#[test]
fn home_agents_of_a_mobile_node_are_made_and_ended() {
    let mut world = world();
    let row: &[u32] = &[10, 0, 0, 9];
    assert_eq!(world.set(&[("mnHAStatus", row, CREATE_AND_GO)]), Err((NoCreation, 1)));
    world.put(instance(MN, Role::MobileNode, Ipv4Addr::new(10, 0, 0, 7)));
    world.put(registration([192, 0, 2, 1]));
    world.set(&[("mnHAStatus", row, CREATE_AND_GO)]).unwrap();
    assert_eq!(world.instances("mnHAStatus"), ["10.0.0.9", "127.0.0.1"]);
    assert_eq!(world.value("mnCurrentHA", row), Value::Integer32(2));
    world.set(&[("mnHAStatus", row, NOT_IN_SERVICE)]).unwrap();
    assert_eq!(world.value("mnHAStatus", row), NOT_IN_SERVICE);
    let found = world.set(&[("mnHAStatus", &[127, 0, 0, 1], DESTROY)]);
    assert_eq!(found, Err((InconsistentValue, 1)), "nobody made it");
    assert_eq!(world.set(&[("mnCurrentHA", row, ACTIVE)]), Err((NotWritable, 1)));
    world.set(&[("mnHAStatus", row, DESTROY)]).unwrap();
    assert_eq!(world.instances("mnHAStatus"), ["127.0.0.1"]);
}

/// Reading 15.
#[test]
fn an_offender_can_be_forgotten_at_the_next_start() {
    let mut world = world();
    world.put(violation(FA, Role::ForeignAgent, address("10.0.0.8")));
    world.put(violation(INSTANCE, Role::HomeAgent, address("10.0.0.8")));
    let row: &[u32] = &[2, 4, 10, 0, 0, 8];
    let column = "mipSecurityviolationStorageType";
    assert_eq!(world.value(column, row), Value::Integer32(3));
    world.set(&[(column, row, Value::Integer32(2))]).unwrap();
    assert_eq!(world.value(column, row), Value::Integer32(2));
    assert_eq!(settings(&world).len(), 2, "one for each agent that saw it");
    assert_eq!(world.set(&[(column, row, Value::Integer32(4))]), Err((InconsistentValue, 1)));
    let unknown = [2, 4, 10, 0, 0, 9];
    assert_eq!(world.set(&[(column, &unknown, Value::Integer32(2))]), Err((NoCreation, 1)));
    world.set(&[(column, row, Value::Integer32(3))]).unwrap();
    assert!(settings(&world).is_empty());
}

#[test]
fn gates_of_notifications_can_be_shut_and_limited() {
    let mut world = world();
    let row: &[u32] = &[4];
    world
        .set(&[
            ("mip4ExtGateOpen", row, Value::Integer32(2)),
            ("mip4ExtGatePerMinute", row, Value::Gauge32(5)),
        ])
        .unwrap();
    assert_eq!(world.value("mip4ExtGateOpen", row), Value::Integer32(2));
    assert_eq!(world.value("mip4ExtGatePerMinute", row), Value::Gauge32(5));
    assert_eq!(world.value("mip4ExtGatePerMinute", &[5]), Value::Gauge32(600), "of its own");
    for number in [0, 60_001] {
        let set = world.set(&[("mip4ExtGatePerMinute", row, Value::Gauge32(number))]);
        assert_eq!(set, Err((WrongValue, 1)));
    }
    let unknown = world.set(&[("mip4ExtGateOpen", &[99], Value::Integer32(1))]);
    assert_eq!(unknown, Err((NoCreation, 1)));
    let sent = world.set(&[("mip4ExtGateSent", row, Value::Counter32(1))]);
    assert_eq!(sent, Err((NotWritable, 1)));
}
