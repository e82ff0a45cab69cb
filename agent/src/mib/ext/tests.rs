use std::net::Ipv4Addr;
use std::time::Duration;

use mibs::{Kind, mip4_ext_mib as module};
use store::{Counter, Counters, Disk, Health, InstanceState, Resource, Role, UtcTime};

pub(crate) use super::regional::tests::commit;
use super::{civil, date_and_time};
use crate::alarms::{Alarm, NotificationKind, Severity};
use crate::mib::tests::registry::check_syntax;
use crate::mib::tests::rows::{self, FOREIGN_AGENT, address, at, everything, visitor};
use crate::mib::tests::{
    HOME_AGENT, INSTANCE, STARTED, UP, World, binding, counters, instance, nai,
};
use crate::mib::{GetResult, PRODUCT};
use crate::{Octets, Value};

/// Nothing forwards, so nothing is counted; the capabilities statement says so.
pub(crate) const TRAFFIC: [&str; 8] = [
    "mip4ExtBindingInPkts",
    "mip4ExtBindingInOctets",
    "mip4ExtBindingOutPkts",
    "mip4ExtBindingOutOctets",
    "mip4ExtVisitorInPkts",
    "mip4ExtVisitorInOctets",
    "mip4ExtVisitorOutPkts",
    "mip4ExtVisitorOutOctets",
];

/// A row of the world's home agent with replies and usage.
fn counted() -> Counters {
    let values = [(Counter::MipSecTotalViolations, 7), (Counter::DatagramsMalformed, 1 << 40)];
    let mut row = counters(INSTANCE, Role::HomeAgent, values);
    for code in [0, 0, 144] {
        row.add_reply(wire::Code(code));
    }
    row.set_usage(Resource::Bindings, 1000, 20, at(10));
    row.set_usage(Resource::Bindings, 1000, 5, at(20));
    row
}

/// Rows for every object of the module.
pub(crate) fn complete() -> World {
    let mut world = everything();
    world.put(counted());
    super::operations::tests::operations(&mut world);
    super::regional::tests::region(&mut world);
    let mut revocable = binding([10, 0, 9, 9], [192, 0, 2, 9]);
    revocable.revocation = Some(store::RevocationSupport {
        peer_inform: true,
        own_inform: false,
        peer_timestamp: 1,
        own_timestamp: 2,
    });
    world.put(revocable);
    let disk = Disk { free_octets: 5 << 30, total_octets: 9 << 30, used_octets: 3 << 20 };
    world.local.store = Health {
        engine: "sled",
        sync_latency: Some(Duration::from_micros(1234)),
        disk: Some(disk),
        ..Health::default()
    };
    world.local.alarms.raise(Alarm {
        kind: NotificationKind::Capacity,
        subject: "x".to_owned(),
        severity: Severity::Major,
        since: at(1),
        cause: "full".to_owned(),
        action: "empty it",
    });
    world
}

#[test]
#[expect(clippy::print_stdout, reason = "the figure that `--nocapture` is asked for")]
fn every_readable_object_is_answered() {
    let world = complete();
    let is_value = |kind| matches!(kind, Kind::Scalar | Kind::Column);
    let readable: Vec<_> = module::MODULE
        .objects
        .iter()
        .filter(|object| is_value(object.kind) && object.access.is_readable())
        .collect();
    let mut missing = Vec::new();
    for object in &readable {
        let instances = world.walk(object.oid);
        for (name, value) in &instances {
            assert_eq!(world.ask(name), GetResult::Value(value.clone()), "{}", object.name);
            check_syntax(object, value);
        }
        if instances.is_empty() {
            missing.push(object.name);
        }
    }
    let (all, answered) = (readable.len(), readable.len() - missing.len());
    println!("MIP4-EXT-MIB: {answered} of {all} readable objects answered, all but traffic");
    assert_eq!(missing, TRAFFIC);
}

#[test]
fn every_object_is_in_a_group_that_the_compliance_asks_for() {
    let [compliance] = module::MODULE.compliances else { panic!("one compliance statement") };
    let mut members: Vec<&str> = compliance
        .mandatory
        .iter()
        .chain(compliance.conditional)
        .flat_map(|group| module::MODULE.group(group).unwrap().members)
        .copied()
        .collect();
    members.sort_unstable();
    let mut objects: Vec<&str> = module::MODULE
        .objects
        .iter()
        .filter(|object| object.access.is_readable())
        .map(|object| object.name)
        .chain(module::MODULE.notifications.iter().map(|it| it.name))
        .collect();
    objects.sort_unstable();
    assert_eq!(members, objects);
}

#[test]
fn every_table_is_in_order() {
    let world = complete();
    for table in module::MODULE.objects.iter().filter(|object| object.kind == Kind::Table) {
        assert_ne!(world.check_walk(table.oid), 0, "{}", table.name);
    }
}

/// The root of the module is where the product is.
#[test]
fn the_root_is_in_one_place() {
    for object in module::MODULE.objects {
        assert!(object.oid.starts_with(PRODUCT), "{}", object.name);
    }
    let taken =
        module::MODULE.objects.iter().filter_map(|object| object.oid.get(PRODUCT.len() + 1));
    assert!(taken.into_iter().all(|group| *group <= 12));
}

#[test]
fn nodes_that_share_an_address_have_a_row_each() {
    let mut world = World::with_home_agent();
    let names = ["", "!", "-", "b@x", "a-long-one@example.net", "ü@x"];
    for name in names {
        let mut row = binding([10, 0, 0, 1], [192, 0, 2, 1]);
        row.nai = (!name.is_empty()).then(|| nai(name));
        world.put(row);
    }
    let index = |name: &[u8]| {
        let start = [127, 0, 0, 1, 10, 0, 0, 1, 192, 0, 2, 1];
        start.into_iter().chain(name.iter().map(|octet| u32::from(*octet))).collect::<Vec<_>>()
    };
    for name in ["!", "-", "b@x", "ü@x"] {
        let value = world.value("mip4ExtBindingNai", &index(name.as_bytes()));
        assert_eq!(value, Value::octets(name));
    }
    assert_eq!(world.value("mip4ExtBindingNai", &index(&[0])), Value::octets(""));
    assert_eq!(world.get("mip4ExtBindingNai", &index(b"b@")), GetResult::NoSuchInstance);
    assert_eq!(world.get("mip4ExtBindingNai", &index(&[0, 0])), GetResult::NoSuchInstance);
    assert_eq!(world.value("mip4ExtBindingCount", &[0]), Value::Gauge32(6));
    assert_eq!(world.value("haRegMobilityBindingCount", &[0]), Value::Gauge32(1));
    assert_ne!(world.check_walk(module::mip4_ext_binding_table::OID), 0);
}

#[test]
fn names_that_agree_in_100_octets_share_a_row() {
    let mut world = World::with_home_agent();
    for (end, registered) in [("a", 10), ("b", 30), ("c", 20)] {
        let mut row = binding([10, 0, 0, 1], [192, 0, 2, 1]);
        row.nai = Some(nai(&("n".repeat(100) + end)));
        row.registered_at = at(registered);
        world.put(row);
    }
    let shown = world.walk(mibs::mip4_ext_mib::MODULE.object("mip4ExtBindingNai").unwrap().oid);
    let [(_, value)] = &shown[..] else { panic!("{shown:?}") };
    assert_eq!(*value, Value::octets("n".repeat(100) + "b"));
    assert_ne!(world.check_walk(module::mip4_ext_binding_table::OID), 0);
}

#[test]
fn visitors_are_named_by_agent_identity_and_home_address() {
    let mut world = World::empty();
    world.put(instance(rows::FA, Role::ForeignAgent, FOREIGN_AGENT));
    let long = "l".repeat(64);
    for (end, last) in [("x", 9), ("y", 3), ("x", 5)] {
        let identity = store::Identity::Nai(nai(&format!("{long}{end}")));
        let mut row = visitor(identity, [192, 0, 2, last]);
        row.home_address = Ipv4Addr::new(10, 0, 0, last);
        world.put(row);
    }
    world.put(visitor(address("10.0.0.7"), [192, 0, 2, 7]));
    let column = "mip4ExtVisitorSourceAddress";
    let last: Vec<_> = world
        .instances(column)
        .iter()
        .map(|instance| instance.rsplit('.').next().unwrap().to_owned())
        .collect();
    assert_eq!(last, ["7", "3", "5", "9"]);
    assert_ne!(world.check_walk(module::mip4_ext_visitor_table::OID), 0);
}

#[test]
fn an_instance_that_is_silent_or_gone_is_stale() {
    let mut world = World::with_home_agent();
    let mut silent = instance("silent", Role::HomeAgent, HOME_AGENT);
    silent.heartbeat_at = UtcTime(STARTED) + UP.saturating_sub(Duration::from_secs(4));
    world.put(silent);
    let mut gone = instance("gone", Role::HomeAgent, HOME_AGENT);
    gone.state = InstanceState::Gone;
    world.put(gone);
    let index = |name: &str| name.bytes().map(u32::from).collect::<Vec<_>>();
    let stale = |name| world.value("mip4ExtInstanceStale", &index(name));
    assert_eq!(stale(INSTANCE), Value::truth(false));
    assert_eq!(stale("silent"), Value::truth(true));
    assert_eq!(stale("gone"), Value::truth(true));
    assert_eq!(world.value("mip4ExtInstanceHeartbeatAge", &index("silent")), Value::Gauge32(4000));
    assert_eq!(world.value("mip4ExtInstanceStaleCount", &[0]), Value::Gauge32(2));
    let mut row = binding([10, 0, 0, 1], [192, 0, 2, 1]);
    row.instance = "silent".into();
    world.put(row);
    let row = [127, 0, 0, 1, 10, 0, 0, 1, 192, 0, 2, 1, 0];
    assert_eq!(world.value("mip4ExtBindingStale", &row), Value::truth(true));
    assert_eq!(world.value("mip4ExtBindingRegistrationAge", &row), Value::Gauge32(100));
}

#[test]
fn replies_are_counted_by_code_and_capacity_keeps_its_peak() {
    let mut world = World::with_home_agent();
    world.put(counted());
    let agent = |rest: &[u32]| [&[1, 127, 0, 0, 1], rest, &[104, 97, 49]].concat();
    assert_eq!(world.value("mip4ExtReplyCount", &agent(&[0])), Value::Counter64(2));
    assert_eq!(world.value("mip4ExtReplyCount", &agent(&[144])), Value::Counter64(1));
    let meaning = world.value("mip4ExtReplyMeaning", &agent(&[144]));
    assert_eq!(meaning, Value::octets("AAA authentication failed"));
    assert_eq!(world.value("mip4ExtUsageLimit", &agent(&[1])), Value::Gauge32(1000));
    assert_eq!(world.value("mip4ExtUsageInUse", &agent(&[1])), Value::Gauge32(5));
    assert_eq!(world.value("mip4ExtUsagePeak", &agent(&[1])), Value::Gauge32(20));
    assert_eq!(world.value("mip4ExtUsagePeakAt", &agent(&[1])), date_and_time(at(10)));
    let malformed = world.value("mip4ExtAgentDatagramsMalformed", &agent(&[]));
    assert_eq!(malformed, Value::Counter64(1 << 40));
}

#[test]
fn dates_are_those_of_the_calendar() {
    for (days, date) in [
        (0, (1970, 1, 1)),
        (59, (1970, 3, 1)),
        (11_016, (2000, 2, 29)),
        (11_017, (2000, 3, 1)),
        (20_782, (2026, 11, 25)),
        (47_540, (2100, 2, 28)),
        (47_541, (2100, 3, 1)),
    ] {
        assert_eq!(civil(days), date, "{days}");
    }
    let Value::OctetString(octets) = date_and_time(UtcTime(STARTED + 345)) else { panic!() };
    // 2023-11-14T22:13:20.3Z
    assert_eq!(octets, Octets::from(&[7, 231, 11, 14, 22, 13, 20, 3, b'+', 0, 0][..]));
}
