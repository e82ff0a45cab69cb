//! Notifications (RFC 3413 §3.3): who gets them, in which form, how often.

use std::net::SocketAddr;
use std::time::Duration;

use rasn_snmp::v2::Pdus;
use store::{Snapshot, Time};

use super::super::*;
use super::world::{ROOT, World, message, name};
use crate::Oid;
use crate::message::PduType;
use crate::notify::{COLD_START, Notification, Receiver};
use crate::security::{SecurityLevel, SecurityModel};
use crate::value::Value;

const RECEIVER: &str = "127.0.0.1:162";

fn receiver(model: SecurityModel, inform: bool) -> Receiver {
    Receiver {
        address: RECEIVER.parse().unwrap(),
        model,
        security_name: "community-0".into(),
        level: SecurityLevel::NoAuthNoPriv,
        inform,
        timeout: 100,
        retry_count: 2,
    }
}

fn world(receivers: &[Receiver]) -> World {
    let mut config = EngineConfig::default();
    config.allow_read("public", ROOT);
    config.vacm.add_family("community-0".into(), COLD_START, true);
    for (number, receiver) in receivers.iter().enumerate() {
        config.targets.add(&number.to_string(), receiver.clone());
    }
    World::with(config)
}

fn at(milliseconds: u64) -> Now {
    Now { uptime: Time::from_uptime(Duration::from_millis(milliseconds)), ..Now::default() }
}

const KIND: &[u32] = &[1, 3, 6, 1, 4, 1, 99, 0, 7];

fn notification(value: Value) -> Notification {
    Notification::new(KIND, vec![(Oid::from(&name(&[1, 7])[..]), value)])
}

fn sent(actions: Vec<Action>) -> Vec<Vec<u8>> {
    let octets = |action| match action {
        Action::Notify { to, octets } if to == RECEIVER.parse().unwrap() => octets,
        other => panic!("{other:?}"),
    };
    actions.into_iter().map(octets).collect()
}

/// Type, request-id and names of a notification, as `rasn` reads them.
fn read(octets: &[u8]) -> (PduType, i32, Vec<Vec<u32>>) {
    let message: rasn_snmp::v2c::Message<Pdus> = rasn::ber::decode(octets).unwrap();
    assert_eq!(&message.community[..], b"public");
    let (kind, pdu) = match message.data {
        Pdus::Trap(trap) => (PduType::Trap, trap.0),
        Pdus::InformRequest(inform) => (PduType::Inform, inform.0),
        other => panic!("{other:?}"),
    };
    let names = pdu.variable_bindings.iter().map(|variable| variable.name.to_vec());
    (kind, pdu.request_id, names.collect())
}

#[test]
fn a_trap_begins_with_the_time_and_the_kind() {
    let mut world = world(&[receiver(SecurityModel::SNMPV2C, false)]);
    let [trap] = &sent(world.engine.notify(at(1230), &notification(Value::Integer32(5))))[..]
    else {
        panic!("not one trap")
    };
    let (kind, _, names) = read(trap);
    assert_eq!(kind, PduType::Trap);
    let up_time = vec![1, 3, 6, 1, 2, 1, 1, 3, 0];
    let trap_oid = vec![1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0];
    assert_eq!(names, [up_time, trap_oid, name(&[1, 7])]);
    assert!(trap.windows(3).any(|part| part == [0x43, 1, 123]), "hundredths of a second");
    assert_eq!(world.counters().out_traps, 1);
}

#[test]
fn version_1_has_its_own_trap() {
    let mut world = world(&[receiver(SecurityModel::SNMPV1, false)]);
    world.engine.set_agent_address("192.0.2.1".parse().unwrap());
    let mut trap = |notification: &Notification| {
        let trap = sent(world.engine.notify(at(0), notification)).remove(0);
        let message: rasn_snmp::v1::Message<rasn_snmp::v1::Pdus> =
            rasn::ber::decode(&trap).unwrap();
        assert_eq!(message.version, 0.into());
        match message.data {
            rasn_snmp::v1::Pdus::Trap(trap) => trap,
            other => panic!("{other:?}"),
        }
    };
    let own = trap(&notification(Value::Integer32(5)));
    assert_eq!(own.enterprise[..], KIND[..7]);
    assert_eq!((own.generic_trap, own.specific_trap), (6.into(), 7.into()));
    assert_eq!(own.variable_bindings.len(), 1);
    let rasn_smi::v1::NetworkAddress::Internet(address) = own.agent_addr;
    assert_eq!(&address.0[..], [192, 0, 2, 1]);
    let cold = trap(&Notification::new(COLD_START, Vec::new()));
    assert_eq!(cold.enterprise[..], COLD_START[..9]);
    assert_eq!((cold.generic_trap, cold.specific_trap), (0.into(), 0.into()));
}

#[test]
fn version_1_cannot_carry_counter64() {
    let mut world =
        world(&[receiver(SecurityModel::SNMPV1, false), receiver(SecurityModel::SNMPV2C, false)]);
    let traps = sent(world.engine.notify(at(0), &notification(Value::Counter64(5))));
    assert_eq!(traps.len(), 1);
    assert_eq!(read(&traps[0]).0, PduType::Trap);
}

#[test]
fn what_the_target_may_not_see_is_not_sent() {
    let mut world = world(&[receiver(SecurityModel::SNMPV2C, false)]);
    let hidden = vec![(Oid::from([1, 3, 6, 1, 2, 1, 1, 1, 0]), Value::Integer32(1))];
    assert!(world.engine.notify(at(0), &Notification::new(KIND, hidden)).is_empty());
    let hidden_kind = [1, 3, 6, 1, 6, 3, 1, 1, 5, 3];
    assert!(world.engine.notify(at(0), &Notification::new(&hidden_kind, Vec::new())).is_empty());
    assert_eq!(world.engine.notify(at(0), &notification(Value::Integer32(1))).len(), 1);
}

#[test]
fn a_flood_of_one_kind_is_limited_and_counted() {
    let mut world = world(&[receiver(SecurityModel::SNMPV2C, false)]);
    let mut count = 0;
    for _ in 0..500 {
        count += world.engine.notify(at(0), &notification(Value::Integer32(1))).len();
    }
    assert_eq!(count, 50);
    assert_eq!(world.counters().notifications_limited, 450);
    let cold = Notification::new(COLD_START, Vec::new());
    assert_eq!(world.engine.notify(at(0), &cold).len(), 1, "another kind");
}

#[test]
fn authentication_failure_is_sent_if_it_is_enabled() {
    let mut world = world(&[receiver(SecurityModel::SNMPV2C, false)]);
    world.engine.local.engine.admin.vacm.add_family(
        "community-0".into(),
        &[1, 3, 6, 1, 6, 3, 1],
        true,
    );
    let wrong = message(1, "wrong", PduType::Get, [1, 0, 0], &[]);
    let (peer, snapshot) = (RECEIVER.parse().unwrap(), Snapshot::default());
    assert!(world.engine.handle(at(0), &snapshot, peer, &wrong).is_empty());
    world.engine.local.engine.admin.authentication_traps = true;
    assert_eq!(sent(world.engine.handle(at(0), &snapshot, peer, &wrong)).len(), 1);
}

/// The acknowledgement of an inform, or something that is none.
fn response(community: &str, kind: PduType, request_id: i32) -> Vec<u8> {
    message(1, community, kind, [request_id, 0, 0], &[])
}

#[test]
fn an_inform_is_sent_until_it_is_acknowledged() {
    let mut world = world(&[receiver(SecurityModel::SNMPV2C, true)]);
    let first = sent(world.engine.notify(at(0), &notification(Value::Integer32(1)))).remove(0);
    let (kind, request_id, _) = read(&first);
    assert_eq!(kind, PduType::Inform);
    assert_eq!(world.engine.next_deadline(), Some(at(1000).uptime), "100 hundredths");
    assert!(world.engine.on_deadline(at(999)).is_empty());
    let again = sent(world.engine.on_deadline(at(1000))).remove(0);
    assert_eq!(again, first, "the request-id stays, and so does the time of the event");
    let snapshot = Snapshot::default();
    let stranger: SocketAddr = "127.0.0.2:162".parse().unwrap();
    let receiver = RECEIVER.parse().unwrap();
    for (peer, octets) in [
        (stranger, response("public", PduType::Response, request_id)),
        (receiver, response("public", PduType::Response, request_id + 1)),
        (receiver, response("wrong", PduType::Response, request_id)),
        (receiver, response("public", PduType::Report, request_id)),
    ] {
        assert!(world.engine.handle(at(1000), &snapshot, peer, &octets).is_empty());
        assert!(world.engine.next_deadline().is_some());
    }
    let acknowledgement = response("public", PduType::Response, request_id);
    assert!(world.engine.handle(at(1000), &snapshot, receiver, &acknowledgement).is_empty());
    assert_eq!(world.engine.next_deadline(), None);
    assert_eq!(world.counters().informs_acknowledged, 1);
}

#[test]
fn an_inform_that_nobody_answers_is_given_up() {
    let mut world = world(&[receiver(SecurityModel::SNMPV2C, true)]);
    let mut count = world.engine.notify(at(0), &notification(Value::Integer32(1))).len();
    for second in 1..10 {
        count += world.engine.on_deadline(at(second * 1000)).len();
    }
    assert_eq!(count, 3, "the first and two retries");
    assert_eq!(world.engine.next_deadline(), None);
    assert_eq!(world.counters().informs_failed, 1);
}

#[test]
fn informs_that_wait_are_bounded() {
    let mut world = world(&[receiver(SecurityModel::SNMPV2C, true)]);
    for second in 0..30 {
        for _ in 0..50 {
            let mut inform = notification(Value::Integer32(1));
            inform.kind = Oid::from(&[KIND, &[second]].concat()[..]);
            world.engine.notify(at(0), &inform);
        }
    }
    assert_eq!(world.engine.informs.len(), 1000);
    assert_eq!(world.counters().notifications_dropped, 500);
}
