use std::net::Ipv4Addr;

use store::{AdvertisementSchedule, Batch, Class, Now, Revision, Snapshot, Unknown};
use wire::Lifetime;

use super::*;
use crate::mib::{GetResult, LocalFacts};

fn advertisement(role: Role, interface: u32) -> Advertisement {
    Advertisement {
        instance: "x".to_owned(),
        role,
        interface,
        source: Ipv4Addr::LOCALHOST,
        destination: Ipv4Addr::BROADCAST,
        sequence_number: 1,
        flags: 0,
        registration_lifetime: Lifetime(300),
        lifetime: 300,
        care_of_addresses: Vec::new(),
        routers: Vec::new(),
        prefix_lengths: Vec::new(),
        network_nai: None,
        at: None,
        schedule: Some(AdvertisementSchedule {
            interval_max: 10,
            interval_min: 7,
            solicited_only: false,
            suspended: false,
        }),
        unknown: Unknown::default(),
    }
}

fn names(interfaces: &[u32], advertised: &[(Role, u32)]) -> (Vec<String>, GetResult) {
    let mut local = LocalFacts::default();
    for index in interfaces {
        let name = format!("eth{index}");
        let received = Traffic { octets: 1 << 33, packets: 10, multicast: 3, ..Traffic::default() };
        let interface =
            Interface { name, received, speed: Some(10_000_000_000), ..Interface::default() };
        local.interfaces.insert(*index, interface);
    }
    let mut batch = Batch::new(Class::Relaxed);
    for (role, interface) in advertised {
        batch.put(advertisement(*role, *interface));
    }
    let mut snapshot = Snapshot::default();
    snapshot.tables.apply(&batch, Revision(1));
    let context =
        Context { now: Now::default(), snapshot: &snapshot, local: &local, instance: None };
    let mut registry = Registry::new();
    register(&mut registry);
    let mut walk = registry.walk(context, &[1]);
    let mut lines = Vec::new();
    while let Some((name, value)) = walk.next() {
        lines.push(format!("{name} {value:?}"));
    }
    (lines, registry.get(context, &[module::IF_NUMBER, &[0]].concat()))
}

#[test]
fn interfaces_of_advertisements_are_shown_and_no_others() {
    let advertised = [(Role::ForeignAgent, 3), (Role::HomeAgent, 3), (Role::MobileNode, 2)];
    let (lines, number) = names(&[1, 2, 3], &advertised);
    assert_eq!(number, GetResult::Value(Value::Integer32(1)));
    assert!(lines.iter().all(|line| line.contains(".3 ") || line.starts_with("1.3.6.1.2.1.2.1.0")));
    assert!(lines.contains(&"1.3.6.1.2.1.2.2.1.2.3 OctetString(\"eth3\")".to_owned()), "{lines:?}");
    let has = |line: &str| assert!(lines.iter().any(|other| other == line), "{line} {lines:?}");
    has("1.3.6.1.2.1.2.2.1.5.3 Gauge32(4294967295)");
    has("1.3.6.1.2.1.2.2.1.10.3 Counter32(0)");
    has("1.3.6.1.2.1.31.1.1.1.6.3 Counter64(8589934592)");
    has("1.3.6.1.2.1.31.1.1.1.15.3 Gauge32(10000)");
    has("1.3.6.1.2.1.2.2.1.11.3 Counter32(7)");
}

#[test]
fn without_advertisements_there_are_no_interfaces() {
    let (lines, number) = names(&[1, 2], &[(Role::MobileNode, 1)]);
    assert_eq!((lines.len(), number), (0, GetResult::NoSuchObject));
    assert_eq!(names(&[1], &[(Role::HomeAgent, 9)]).0.len(), 0, "of another host");
}
