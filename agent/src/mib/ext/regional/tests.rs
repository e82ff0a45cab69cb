use std::net::Ipv4Addr;

use mibs::mip4_ext_mib as module;
use store::wire::{Identification, Lifetime, Spi};
use store::{
    CommitCause, CommitState, Counter, Counters, GatewaySetting, Origin, Regional, RegionalCommit,
    RegionalCommitId, RegionalForeignAgent, RegionalReplay, RegionalValue, RegionalVisit,
    ReplayProtection, Resource, Role, StorageType, Unknown,
};

use super::super::date_and_time;
use crate::Value;
use crate::mib::GetResult;
use crate::mib::tests::rows::{FA, FOREIGN_AGENT, address, at, visitor};
use crate::mib::tests::{HOME_AGENT, World, counters, instance, nai};

const GATEWAY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);
const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 10);

/// A commit by an operator.
pub(crate) fn commit(id: u32, cause: CommitCause) -> RegionalCommit {
    RegionalCommit {
        id: RegionalCommitId(id),
        cause,
        who: "operator".to_owned(),
        at: at(4000),
        reason: Some("too much".to_owned()),
        changes: 3,
        confirm_within: None,
        state: CommitState::Confirmed,
        ended_by: None,
        unknown: Unknown::default(),
    }
}

fn row(address: Ipv4Addr, value: RegionalValue) -> Regional {
    Regional {
        address,
        value,
        origin: Origin::Cli,
        storage: StorageType::NonVolatile,
        instance: None,
        changed: None,
        unknown: Unknown::default(),
    }
}

fn counted() -> Counters {
    let values = [(Counter::RegionalRequestsAccepted, 6), (Counter::RegionalStrangersRefused, 2)];
    let mut row = counters("gw1", Role::Gateway, values);
    row.address = GATEWAY;
    row.add_reply(wire::Code(193));
    row.set_usage(Resource::Visitors, 100, 12, at(10));
    row
}

/// A gateway that serves, one that never was there, and a foreign agent beneath both; a visitor.
pub(crate) fn region(world: &mut World) {
    world.put(instance("gw1", Role::Gateway, GATEWAY));
    world.put(instance(FA, Role::ForeignAgent, FOREIGN_AGENT));
    let setting = GatewaySetting {
        lifetime: Some(1800),
        replay: RegionalReplay::Any,
        dynamic: true,
        ..GatewaySetting::default()
    };
    world.put(row(GATEWAY, RegionalValue::Gateway(setting)));
    world.put(row(OTHER, RegionalValue::Gateway(GatewaySetting::default())));
    let beneath = RegionalForeignAgent {
        also: [OTHER].into(),
        nai: Some(nai("fa1@region.example")),
        spi: Some(Spi(5001)),
        ..RegionalForeignAgent::beneath(GATEWAY)
    };
    world.put(row(FOREIGN_AGENT, RegionalValue::ForeignAgent(beneath)));
    world.put(counted());
    world.put(commit(1, CommitCause::Candidate));
    let unconfirmed = RegionalCommit {
        confirm_within: Some(1600),
        state: CommitState::Unconfirmed,
        ..commit(2, CommitCause::RollBack(RegionalCommitId(0)))
    };
    world.put(unconfirmed);
    let mut visiting = visitor(address("10.0.0.7"), [192, 0, 2, 7]);
    visiting.regional = Some(Box::new(RegionalVisit {
        gateway: GATEWAY,
        local_care_of_address: FOREIGN_AGENT,
        lifetime_granted: Lifetime(300),
        expires_at: Some(at(5060)),
        replay: ReplayProtection::Nonces,
        identification: Identification(7),
        nonce: Some(1),
        accepted: 5,
        revocation: None,
        revoking: None,
    }));
    world.put(visiting);
}

fn octets(address: Ipv4Addr) -> [u32; 4] {
    address.octets().map(u32::from)
}

#[test]
fn gateways_and_what_is_beneath_them() {
    let mut world = World::with_home_agent();
    region(&mut world);
    for (column, first, second) in [
        ("Lifetime", Value::Gauge32(1800), Value::Gauge32(0)),
        ("RegionalLifetime", Value::Gauge32(0), Value::Gauge32(0)),
        ("Replay", Value::Integer32(3), Value::Integer32(1)),
        ("Dynamic", Value::truth(true), Value::truth(false)),
        ("Origin", Value::Integer32(2), Value::Integer32(2)),
        ("ForeignAgents", Value::Gauge32(1), Value::Gauge32(1)),
        ("Visitors", Value::Gauge32(12), Value::Gauge32(0)),
        // One serves, one never was there.
        ("State", Value::Integer32(1), Value::Integer32(3)),
    ] {
        let column = format!("mip4ExtRegionalGateway{column}");
        assert_eq!(world.value(&column, &octets(GATEWAY)), first, "{column}");
        assert_eq!(world.value(&column, &octets(OTHER)), second, "{column}");
    }
    for (column, value) in [
        ("Assignment", Value::Integer32(1)),
        ("Nai", Value::octets("fa1@region.example")),
        ("Spi", Value::Gauge32(5001)),
        ("State", Value::Integer32(1)),
    ] {
        let column = format!("mip4ExtRegionalForeignAgent{column}");
        let index = [octets(OTHER), octets(FOREIGN_AGENT)].concat();
        assert_eq!(world.value(&column, &index), value, "{column}");
    }
    for (gateway, is_primary) in [(GATEWAY, true), (OTHER, false)] {
        let index = [octets(gateway), octets(FOREIGN_AGENT)].concat();
        let value = world.value("mip4ExtRegionalForeignAgentIsPrimary", &index);
        assert_eq!(value, Value::truth(is_primary));
    }
    // Who is silent is not there, whatever its rows say.
    let mut silent = instance("gw1", Role::Gateway, GATEWAY);
    silent.heartbeat_at = at(100);
    world.put(silent);
    let state = world.value("mip4ExtRegionalGatewayState", &octets(GATEWAY));
    assert_eq!(state, Value::Integer32(2));
}

#[test]
fn who_set_the_configuration_and_how_long_it_waits() {
    let mut world = World::with_home_agent();
    assert_eq!(world.get("mip4ExtRegionalRevision", &[0]), GetResult::NoSuchObject);
    world.put(instance("gw1", Role::Gateway, GATEWAY));
    assert_eq!(world.value("mip4ExtRegionalRevision", &[0]), Value::Gauge32(0));
    assert_eq!(world.get("mip4ExtRegionalChangedBy", &[0]), GetResult::NoSuchInstance);
    region(&mut world);
    assert_eq!(world.value("mip4ExtRegionalRevision", &[0]), Value::Gauge32(2));
    assert_eq!(world.value("mip4ExtRegionalChangedBy", &[0]), Value::octets("operator"));
    assert_eq!(world.value("mip4ExtRegionalChangedAt", &[0]), date_and_time(at(4000)));
    // The world is 5000 s old.
    assert_eq!(world.value("mip4ExtRegionalConfirmWithin", &[0]), Value::Gauge32(600));
    for (column, first, second) in [
        ("Cause", Value::Integer32(1), Value::Integer32(2)),
        ("Of", Value::Gauge32(0), Value::Gauge32(0)),
        ("Reason", Value::octets("too much"), Value::octets("too much")),
        ("Changes", Value::Gauge32(3), Value::Gauge32(3)),
        ("State", Value::Integer32(2), Value::Integer32(1)),
        ("EndedBy", Value::octets(""), Value::octets("")),
    ] {
        let column = format!("mip4ExtRegionalCommit{column}");
        assert_eq!([world.value(&column, &[1]), world.value(&column, &[2])], [first, second]);
    }
}

#[test]
fn visitors_within_a_region_are_named_as_all_visitors() {
    let mut world = World::with_home_agent();
    region(&mut world);
    world.put(visitor(address("10.0.0.8"), [192, 0, 2, 8]));
    let index = [&octets(FOREIGN_AGENT)[..], &[2, 4, 10, 0, 0, 7, 10, 0, 0, 7]].concat();
    for (column, value) in [
        ("Gateway", Value::IpAddress(GATEWAY.octets())),
        ("LocalCareOfAddress", Value::IpAddress(FOREIGN_AGENT.octets())),
        ("TimeGranted", Value::Gauge32(300)),
        ("TimeRemaining", Value::Gauge32(60)),
        ("Replay", Value::Integer32(3)),
        ("Accepted", Value::Counter64(5)),
    ] {
        let column = format!("mip4ExtRegionalVisitor{column}");
        assert_eq!(world.value(&column, &index), value, "{column}");
        assert_eq!(world.instances(&column).len(), 1, "the other one has none");
    }
    assert_eq!(world.instances("mip4ExtVisitorSourceAddress").len(), 2);
    assert_ne!(world.check_walk(module::mip4_ext_regional_visitor_table::OID), 0);
}

/// A gateway is counted like any agent, and its counters of regional registration beside them.
#[test]
fn counters_of_a_gateway_and_its_replies_by_code() {
    let mut world = World::with_home_agent();
    region(&mut world);
    let index = |rest: &[u32]| [&[4], &octets(GATEWAY)[..], rest, &[103, 119, 49]].concat();
    let accepted = world.value("mip4ExtRegionalCounterRequestsAccepted", &index(&[]));
    assert_eq!(accepted, Value::Counter64(6));
    let refused = world.value("mip4ExtRegionalCounterStrangersRefused", &index(&[]));
    assert_eq!(refused, Value::Counter64(2));
    assert_eq!(world.value("mip4ExtReplyCount", &index(&[193])), Value::Counter64(1));
    assert_eq!(world.value("mip4ExtUsageInUse", &index(&[2])), Value::Gauge32(12));
    // Home agents count nothing of it.
    world.put(counters("ha1", Role::HomeAgent, []));
    let home = [&[1], &octets(HOME_AGENT)[..], &[104, 97, 49]].concat();
    let name = "mip4ExtRegionalCounterRequestsAccepted";
    assert_eq!(world.get(name, &home), GetResult::NoSuchInstance);
}

/// In the context of one daemon its part of the region is shown.
#[test]
fn a_context_shows_its_part_of_the_region() {
    let mut world = World::with_home_agent();
    region(&mut world);
    let shown = |world: &World| {
        let gateways = world.instances("mip4ExtRegionalGatewayState").len();
        (gateways, world.instances("mip4ExtRegionalForeignAgentState").len())
    };
    assert_eq!(shown(&world), (2, 2));
    world.instance = Some("gw1".to_owned());
    assert_eq!(shown(&world), (1, 2));
    world.instance = Some("ha1".to_owned());
    assert_eq!(shown(&world), (0, 0));
}
