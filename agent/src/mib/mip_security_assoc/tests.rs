use store::{Algorithm, Identity, Origin, ReplayProtection, Role, StorageType};

use super::write;
use crate::Value;
use crate::mib::GetResult;
use crate::mib::tests::rows::{address, association};
use crate::mib::tests::{World, instance, nai};

const TABLE: &[u32] = mibs::mip_mib::mip_security_assoc_table::OID;
const OLD_TABLE: &[u32] = mibs::mip_mib::mip_sec_assoc_table::OID;

#[test]
fn each_column_of_a_peer_with_an_address() {
    let mut world = World::with_home_agent();
    world.put(association(address("10.0.0.1"), 256));
    let row = [2, 4, 10, 0, 0, 1, 256];
    for (column, value) in [
        ("mipSecurityAlgorithmType", Value::Integer32(2)),
        ("mipSecurityAlgorithmMode", Value::Integer32(3)),
        ("mipSecurityKey", Value::octets("")),
        ("mipSecurityReplayMethod", Value::Integer32(2)),
        ("mipSecurityReplayTime", Value::Gauge32(7)),
        ("mipSecurityPeerNAI", Value::octets("")),
        ("mipSecurityPeerIpAddress", Value::IpAddress([10, 0, 0, 1])),
        ("mipSecurityStatus", Value::Integer32(1)),
        ("mipSecurityStorageType", Value::Integer32(3)),
    ] {
        assert_eq!(world.value(column, &row), value, "{column}");
    }
    let old = [10, 0, 0, 1, 256];
    assert_eq!(world.value("mipSecAlgorithmType", &old), Value::Integer32(2));
    assert_eq!(world.value("mipSecAlgorithmMode", &old), Value::Integer32(1));
    assert_eq!(world.value("mipSecKey", &old), Value::octets(""));
    assert_eq!(world.value("mipSecReplayMethod", &old), Value::Integer32(2));
}

#[test]
fn what_the_module_does_not_know_is_other() {
    let mut world = World::with_home_agent();
    let mut row = association(Identity::Nai(nai("a@b")), 300);
    row.algorithm = Algorithm::HmacSha256;
    row.replay = ReplayProtection::None;
    row.tolerance = 2;
    row.origin = Origin::File;
    row.storage = StorageType::Volatile;
    row.active = false;
    world.put(row);
    let row = [3, 3, 97, 64, 98, 300];
    for (column, value) in [
        ("mipSecurityAlgorithmType", Value::Integer32(1)),
        ("mipSecurityReplayMethod", Value::Integer32(1)),
        ("mipSecurityPeerNAI", Value::octets("a@b")),
        ("mipSecurityPeerIpAddress", Value::IpAddress([0; 4])),
        ("mipSecurityStatus", Value::Integer32(2)),
        ("mipSecurityStorageType", Value::Integer32(5)),
    ] {
        assert_eq!(world.value(column, &row), value, "{column}");
    }
    assert_eq!(world.get("mipSecurityReplayTime", &row), GetResult::NoSuchInstance);
    assert_eq!(world.walk(OLD_TABLE), [], "peers without an address are not in the old table");
}

#[test]
fn rows_are_in_the_order_of_peer_and_spi() {
    let mut world = World::with_home_agent();
    let stem = "p".repeat(64);
    for (peer, spi) in [
        (Identity::Nai(nai("aa@b")), 300),
        (Identity::Nai(nai("z@b")), 256),
        (Identity::Nai(nai("z@b")), u32::MAX),
        (address("10.0.0.255"), 256),
        (address("10.0.0.255"), 0),
        (address("10.0.1.0"), 7),
        (address("255.255.255.255"), u32::MAX),
        // These three agree in all that an index holds: their SPIs mingle.
        (Identity::Nai(nai(&stem)), 500),
        (Identity::Nai(nai(&format!("{stem}a"))), 400),
        (Identity::Nai(nai(&format!("{stem}b"))), 600),
        (Identity::Nai(nai(&format!("{stem}b"))), 500),
    ] {
        world.put(association(peer, spi));
    }
    let spis: Vec<String> = world
        .instances("mipSecurityStatus")
        .iter()
        .map(|index| index.rsplit('.').next().unwrap().to_owned())
        .collect();
    let max = u32::MAX.to_string();
    let expected =
        ["0", "256", "7", &max, "256", &max, "300", "400", "500", "600"].map(str::to_owned);
    assert_eq!(spis, expected);
    assert_eq!(world.check_walk(TABLE), 10 * 9);
    assert_eq!(world.check_walk(OLD_TABLE), 4 * 4);
    assert_eq!(world.value("mipSecurityAssocsCount", &[0]), Value::Gauge32(11));
}

#[test]
fn a_new_one_is_of_a_role_that_is_played() {
    for (role, address) in [
        (Role::HomeAgent, [127, 0, 0, 1]),
        (Role::ForeignAgent, [127, 0, 0, 3]),
        // It has the objects of a foreign agent, and is none.
        (Role::Gateway, [127, 0, 0, 9]),
    ] {
        let mut world = World::empty();
        world.put(instance("one", role, address.into()));
        assert_eq!(write::role(world.context()), role);
    }
}
