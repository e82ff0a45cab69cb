use store::{Identity, Role, ViolationReason};

use crate::Value;
use crate::mib::tests::rows::{FA, address, at, violation};
use crate::mib::tests::{INSTANCE, World, nai};

#[test]
fn each_column() {
    let mut world = World::with_home_agent();
    world.put(violation(INSTANCE, Role::HomeAgent, Identity::Nai(nai("a@b"))));
    let row = [3, 3, 97, 64, 98];
    for (column, value) in [
        ("mipSecurityViolationCounter", Value::Counter32(4)),
        ("mipSecurityRecentViolationSPI", Value::Gauge32(1001)),
        ("mipSecurityRecentViolationTime", Value::TimeTicks(6000)),
        ("mipSecurityRecentViolationIDLow", Value::Gauge32(0x9000_0004)),
        ("mipSecurityRecentViolationIDHigh", Value::Gauge32(0xE000_0003)),
        ("mipSecurityRecentViolationReason", Value::Integer32(2)),
        ("mipSecurityViolatorNAI", Value::octets("a@b")),
        ("mipSecurityViolatorIpAddress", Value::IpAddress([192, 0, 2, 66])),
        ("mipSecurityRecentViolationErrCode", Value::Gauge32(131)),
        ("mipSecurityviolationStorageType", Value::Integer32(3)),
    ] {
        assert_eq!(world.value(column, &row), value, "{column}");
    }
    let old = [192, 0, 2, 66];
    assert_eq!(world.value("mipSecViolationCounter", &old), Value::Counter32(4));
    let low = Value::Integer32(0x9000_0004_u32.cast_signed());
    assert_eq!(world.value("mipSecRecentViolationIDLow", &old), low);
}

#[test]
fn the_spi_is_shown_for_two_reasons_only() {
    let mut world = World::with_home_agent();
    for (reason, spi) in [
        (ViolationReason::NoMobilitySecurityAssociation, 0),
        (ViolationReason::BadAuthenticator, 1001),
        (ViolationReason::BadIdentifier, 1001),
        (ViolationReason::BadSpi, 0),
        (ViolationReason::MissingSecurityExtension, 0),
        (ViolationReason::Other, 0),
    ] {
        let mut row = violation(INSTANCE, Role::HomeAgent, address("10.0.0.1"));
        row.reason = reason;
        row.code = None;
        world.put(row);
        let index = [2, 4, 10, 0, 0, 1];
        assert_eq!(world.value("mipSecurityRecentViolationSPI", &index), Value::Gauge32(spi));
        assert_eq!(world.value("mipSecurityRecentViolationErrCode", &index), Value::Gauge32(0));
    }
}

#[test]
fn an_offender_that_two_agents_saw_has_one_row() {
    let mut world = World::with_home_agent();
    world.put(violation(INSTANCE, Role::HomeAgent, address("10.0.0.1")));
    let mut later = violation(FA, Role::ForeignAgent, address("10.0.0.1"));
    later.at = at(70);
    later.reason = ViolationReason::BadIdentifier;
    world.put(later);
    let index = [2, 4, 10, 0, 0, 1];
    assert_eq!(world.value("mipSecurityViolationCounter", &index), Value::Counter32(8));
    assert_eq!(world.value("mipSecurityRecentViolationTime", &index), Value::TimeTicks(7000));
    assert_eq!(world.value("mipSecurityRecentViolationReason", &index), Value::Integer32(3));
}
