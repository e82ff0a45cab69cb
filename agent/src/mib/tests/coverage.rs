//! Every readable object of MIP-MIB is answered where all roles are configured.

use mibs::{Kind, Object};

use super::registry::check_syntax;
use super::rows::everything;
use super::*;

/// Nothing forwards, so nothing is counted; the capabilities statement says so.
const TRAFFIC: [&str; 8] = [
    "faRegVisitorInPkts",
    "faRegVisitorInOctets",
    "faRegVisitorOutPkts",
    "faRegVisitorOutOctets",
    "haMobilityBindingInPkts",
    "haMobilityBindingInOctets",
    "haMobilityBindingOutPkts",
    "haMobilityBindingOutOctets",
];

fn readable() -> impl Iterator<Item = &'static Object> {
    let is_value = |kind| matches!(kind, Kind::Scalar | Kind::Column);
    let objects = mip_mib::MODULE.objects.iter();
    objects.filter(move |object| is_value(object.kind) && object.access.is_readable())
}

#[test]
#[expect(clippy::print_stdout, reason = "the figure that `--nocapture` is asked for")]
fn every_readable_object_is_answered() {
    let world = everything();
    let mut missing = Vec::new();
    for object in readable() {
        // By a walk, and each instance of it by GET.
        let instances = world.walk(object.oid);
        for (name, value) in &instances {
            let answer = world.registry.get(world.context(), name);
            assert_eq!(answer, GetResult::Value(value.clone()), "{}", object.name);
            // A key has 16 octets, and reads as none: see `mibs/README.md`.
            if !["mipSecurityKey", "mipSecKey"].contains(&object.name) {
                check_syntax(object, value);
            }
        }
        if instances.is_empty() {
            missing.push(object.name);
        }
    }
    let (all, answered) = (readable().count(), readable().count() - missing.len());
    println!("MIP-MIB: {answered} of {all} readable objects answered, all but traffic");
    assert_eq!(missing, TRAFFIC);
    assert_eq!(all, 218);
}

#[test]
fn every_object_of_every_compliance_is_answered() {
    let world = everything();
    for compliance in mip_mib::MODULE.compliances {
        for group in compliance.mandatory.iter().chain(compliance.conditional) {
            for member in mip_mib::MODULE.group(group).unwrap().members {
                // Notifications, and what only they carry, are not asked for.
                let object = mip_mib::MODULE.object(member).filter(|o| o.access.is_readable());
                let is_expected = object.is_some() && !TRAFFIC.contains(member);
                let is_there = object.is_some_and(|object| !world.walk(object.oid).is_empty());
                assert_eq!(is_there, is_expected, "{member} of {group}");
            }
        }
    }
}

#[test]
fn every_table_is_in_order() {
    let world = everything();
    for table in mip_mib::MODULE.objects.iter().filter(|object| object.kind == Kind::Table) {
        assert_ne!(world.check_walk(table.oid), 0, "{}", table.name);
    }
}

/// A key is written and never read: in no way of asking, for no row.
#[test]
fn no_read_yields_a_key() {
    let world = everything();
    for column in ["mipSecurityKey", "mipSecKey"] {
        let object = mip_mib::MODULE.object(column).unwrap();
        let keys = world.walk(object.oid);
        assert!(!keys.is_empty());
        assert!(keys.iter().all(|(_, value)| *value == Value::octets("")), "{keys:?}");
    }
}

/// Reading 26: indexes that may be read are columns like others, also those that the appendix of
/// the module's text leaves out.
#[test]
fn readable_indexes_are_answered_like_other_columns() {
    let world = everything();
    for (column, places) in [
        ("mnFAAddress", 0..4),
        ("mnCOA", 4..8),
        ("mnRegAgentAddress", 0..4),
        ("mnRegCOA", 4..8),
        ("mipSecViolatorAddress", 0..4),
        ("faVisitorIPAddress", 0..4),
        ("haMobilityBindingMN", 0..4),
        ("haMobilityBindingCOA", 4..8),
    ] {
        let object = mip_mib::MODULE.object(column).unwrap();
        let walked = world.walk(object.oid);
        let has_instances = object.access.is_readable();
        assert_eq!(!walked.is_empty(), has_instances, "{column}");
        for (name, value) in walked {
            let index = &name[object.oid.len()..];
            let octets = index[places.clone()].iter().map(|part| u8::try_from(*part).unwrap());
            let octets: [u8; 4] = octets.collect::<Vec<_>>().try_into().unwrap();
            assert_eq!(value, Value::IpAddress(octets), "{column}");
        }
    }
    assert!(mip_mib::MODULE.object("mnFAAddress").unwrap().access.is_readable());
    assert!(mip_mib::MODULE.object("mnCOA").unwrap().access.is_readable());
}
