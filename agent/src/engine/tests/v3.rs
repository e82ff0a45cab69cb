//! SNMPv3 step by step: RFC 3412 §7.2 and RFC 3414 §3.2.

use std::net::Ipv4Addr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use store::{Class, Health, Instance, Revision, Role, Time};

use super::super::secure::{Origin, Secured};
use super::super::*;
use super::world::{World, name};
use crate::ber::{Reader, Writer, tag};
use crate::message::{Pdu, PduType, ScopedPdu, V3Data, V3Message};
use crate::mib::tests as mib_world;
use crate::security::SecurityLevel;
use crate::usm::{AuthenticationProtocol, PrivacyProtocol, Secret, User};

const ENGINE_ID: &[u8] = &[0x80, 0, 0, 0, 5];
const BOOTS: i32 = 3;
/// The uptime of the world, in seconds.
const UPTIME: i32 = 1000;

const NO_AUTH: SecurityLevel = SecurityLevel::NoAuthNoPriv;
const AUTH: SecurityLevel = SecurityLevel::AuthNoPriv;
const PRIV: SecurityLevel = SecurityLevel::AuthPriv;

fn user(name: &str, password: &str) -> User {
    let secret = Secret::password(password);
    let user = User::new(name).unwrap();
    let user = user.with_authentication(ENGINE_ID, AuthenticationProtocol::Sha256, &secret);
    user.unwrap().with_privacy(ENGINE_ID, PrivacyProtocol::Aes128, &secret).unwrap()
}

/// A user without keys, and `noc` with all.
pub(super) fn world() -> World {
    let mut config = EngineConfig {
        engine_id: ENGINE_ID.to_vec(),
        engine_boots: BOOTS,
        ..EngineConfig::default()
    };
    config.allow_read("public", &[1]);
    config.allow_user(User::new("nobody").unwrap(), &[1], None);
    config.allow_user(user("noc", "maplesyrup"), &[1], None);
    let mut world = World::with(config);
    world.now.uptime = Time::from_uptime(Duration::from_secs(1000));
    world
}

/// What a manager sends, to be bent by a test.
struct Manager {
    user: Arc<User>,
    level: SecurityLevel,
    engine_id: Vec<u8>,
    boots: i32,
    time: i32,
    flags: u8,
    max_size: usize,
    context: &'static [u8],
    kind: PduType,
}

const REPORTABLE: u8 = 4;
const REQUEST_ID: i32 = 4711;

impl Manager {
    fn new(user: User, level: SecurityLevel) -> Self {
        Self {
            user: Arc::new(user),
            level,
            engine_id: ENGINE_ID.to_vec(),
            boots: BOOTS,
            time: UPTIME,
            flags: REPORTABLE,
            max_size: 65_507,
            context: b"",
            kind: PduType::Get,
        }
    }

    fn noc(level: SecurityLevel) -> Self {
        Self::new(user("noc", "maplesyrup"), level)
    }

    fn message(&self) -> Vec<u8> {
        self.message_about(&[name(&[1, 7])])
    }

    fn message_about(&self, names: &[Vec<u32>]) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.clear();
        for name in names {
            writer.append_empty(name, tag::NULL);
        }
        writer.wrap(tag::SEQUENCE, 0);
        writer.prepend_integer(0);
        writer.prepend_integer(0);
        writer.prepend_integer(REQUEST_ID);
        writer.wrap(self.kind.tag(), 0);
        let secured = Secured {
            message_id: 99,
            flags: self.flags,
            level: self.level,
            user: Some(&self.user),
            context_name: self.context,
            engine_id: None,
            engine_boots: self.boots,
            engine_time: self.time,
            salt: 0x0102_0304_0506_0708,
        };
        let origin = Origin { engine_id: &self.engine_id, message_size_max: self.max_size };
        secured.seal(origin, &mut writer).unwrap();
        writer.octets().to_vec()
    }
}

/// A message of `noc`, authentic and encrypted, or of `nobody`.
pub(super) fn manager(kind: PduType, private: bool, names: &[Vec<u32>]) -> Vec<u8> {
    // Making the keys is what takes time.
    static NOC: LazyLock<User> = LazyLock::new(|| user("noc", "maplesyrup"));
    let nobody = || Manager::new(User::new("nobody").unwrap(), NO_AUTH);
    let manager = if private { Manager::new(NOC.clone(), PRIV) } else { nobody() };
    Manager { kind, ..manager }.message_about(names)
}

/// A reply as the manager reads it: with its own keys.
#[derive(Debug, PartialEq)]
struct Reply {
    id: i32,
    flags: u8,
    kind: PduType,
    request_id: i32,
    status: i32,
    variables: Vec<Vec<u32>>,
    value: String,
}

fn read(octets: &[u8], user: &User) -> Reply {
    let message = V3Message::parse(octets).unwrap();
    let parameters = message.usm_parameters().unwrap();
    assert_eq!(parameters.engine_id, ENGINE_ID);
    if message.flags & 1 != 0 {
        let (protocol, key) = user.authentication.as_ref().unwrap();
        assert!(protocol.verify(key, message.whole, parameters.mac_place.clone()));
        assert_eq!((parameters.engine_boots, parameters.engine_time), (BOOTS, UPTIME));
    }
    let scoped = match message.data {
        V3Data::Plain(octets) => octets.to_vec(),
        V3Data::Encrypted(octets) => {
            let (protocol, key) = user.privacy.as_ref().unwrap();
            let context = crate::usm::PrivacyContext {
                engine_boots: parameters.engine_boots,
                engine_time: parameters.engine_time,
                salt: parameters.privacy.try_into().unwrap(),
            };
            let mut octets = octets.to_vec();
            protocol.decrypt(key, &context, &mut octets).unwrap();
            octets
        }
    };
    let scoped = ScopedPdu::parse(&scoped).unwrap();
    assert_eq!(scoped.context_engine_id, ENGINE_ID);
    let pdu = Pdu::parse(scoped.pdu).unwrap();
    Reply {
        id: message.id,
        flags: message.flags,
        kind: pdu.kind,
        request_id: pdu.request_id,
        status: pdu.status,
        variables: pdu.variables.iter().map(|variable| variable.name.to_vec()).collect(),
        value: pdu.variables.first().map(|first| format!("{:?}", first.value)).unwrap_or_default(),
    }
}

impl World {
    fn tell(&mut self, manager: &Manager) -> Option<Reply> {
        let octets = self.send(&manager.message())?;
        Some(read(&octets, &manager.user))
    }
}

fn assert_report(reply: Option<Reply>, object: &[u32], value: u32) {
    let reply = reply.expect("a report");
    assert_eq!(reply.kind, PduType::Report);
    assert_eq!(reply.variables, [[&[1, 3, 6, 1, 6, 3], object, &[0]].concat()]);
    assert!(reply.value.contains(&format!("Counter({value})")), "{reply:?}");
    assert_eq!((reply.id, reply.request_id, reply.status), (99, REQUEST_ID, 0));
}

#[test]
fn requests_are_answered_at_their_level() {
    let mut world = world();
    for (manager, flags) in
        [(Manager::new(User::new("nobody").unwrap(), NO_AUTH), 0), (Manager::noc(PRIV), 3)]
    {
        let reply = world.tell(&manager).unwrap();
        assert_eq!((reply.id, reply.flags, reply.kind), (99, flags, PduType::Response));
        assert_eq!((reply.request_id, reply.status), (REQUEST_ID, 0));
        assert_eq!(reply.variables, [name(&[1, 7])]);
    }
    // VACM gives the user nothing at a lower level.
    assert_eq!(world.tell(&Manager::noc(AUTH)).unwrap().status, 16);
}

#[test]
fn discovery_tells_the_engine_id_and_then_the_time() {
    let mut world = world();
    let mut probe = Manager::new(User::new("x").unwrap(), NO_AUTH);
    probe.engine_id = Vec::new();
    probe.boots = 0;
    assert_report(world.tell(&probe), &[15, 1, 1, 4], 1);
    let mut probe = Manager::noc(AUTH);
    (probe.boots, probe.time) = (0, 0);
    let reply = world.tell(&probe).unwrap();
    assert_eq!(reply.flags, 1, "the time is authentic, and not encrypted");
    assert_report(Some(reply), &[15, 1, 1, 2], 1);
}

#[test]
fn steps_are_taken_in_the_order_of_rfc_3414() {
    let mut world = world();
    // Wrong in every way: each is reported only when those before it are right.
    let mut wrong = Manager::new(user("stranger", "another-word"), PRIV);
    wrong.engine_id = vec![1, 2, 3, 4, 5];
    wrong.time = 0;
    assert_report(world.tell_in_clear(&wrong), &[15, 1, 1, 4], 1);
    wrong.engine_id = ENGINE_ID.to_vec();
    assert_report(world.tell_in_clear(&wrong), &[15, 1, 1, 3], 1);
    let mut nobody = user("nobody", "another-word");
    nobody.name = "nobody".into();
    wrong.user = Arc::new(nobody);
    assert_report(world.tell_in_clear(&wrong), &[15, 1, 1, 1], 1);
    wrong.user = Arc::new(user("noc", "another-word"));
    assert_report(world.tell_in_clear(&wrong), &[15, 1, 1, 5], 1);
    wrong.user = Arc::new(user("noc", "maplesyrup"));
    assert_report(world.tell_in_clear(&wrong), &[15, 1, 1, 2], 1);
    wrong.time = UPTIME;
    assert_eq!(world.tell(&wrong).unwrap().kind, PduType::Response);
}

impl World {
    /// As [`Self::tell`], for requests whose request-id nobody can see.
    fn tell_in_clear(&mut self, manager: &Manager) -> Option<Reply> {
        let mut reply = self.tell(manager)?;
        assert_eq!(reply.request_id, 0, "the PDU was encrypted");
        reply.request_id = REQUEST_ID;
        Some(reply)
    }
}

#[test]
fn the_time_window_is_150_seconds() {
    let mut world = world();
    for (boots, time, in_time) in [
        (BOOTS, UPTIME - 150, true),
        (BOOTS, UPTIME + 150, true),
        (BOOTS, UPTIME - 151, false),
        (BOOTS, UPTIME + 151, false),
        (BOOTS - 1, UPTIME, false),
        (BOOTS + 1, UPTIME, false),
    ] {
        let mut manager = Manager::noc(PRIV);
        (manager.boots, manager.time) = (boots, time);
        let reply = world.tell(&manager).unwrap();
        assert_eq!(reply.kind == PduType::Response, in_time, "{boots} {time}");
    }
    assert_eq!(world.counters().usm_not_in_time_windows, 4);
}

#[test]
fn engine_boots_at_its_end_is_never_in_time() {
    let mut world = world();
    world.engine.local.engine.engine_boots = i32::MAX;
    let mut manager = Manager::noc(AUTH);
    manager.boots = i32::MAX;
    assert!(world.send(&manager.message()).is_some());
    assert_eq!(world.counters().usm_not_in_time_windows, 1);
}

#[test]
fn a_replayed_message_is_refused_after_the_window() {
    let mut world = world();
    let message = Manager::noc(PRIV).message();
    assert!(world.send(&message).is_some());
    world.now.uptime = Time::from_uptime(Duration::from_secs(1151));
    world.send(&message);
    assert_eq!(world.counters().usm_not_in_time_windows, 1);
    assert_eq!(world.counters().in_get_requests, 1);
}

/// Messages that were recorded at any time and arrive in any order: those of the window are
/// answered, and all others are refused and counted, whatever came before them.
#[test]
fn replayed_delayed_and_reordered_messages_are_refused_and_counted() {
    let mut world = world();
    let user = user("noc", "maplesyrup");
    let mut recorded = Vec::new();
    for (boots, time) in (0..40).map(|number| (BOOTS - i32::from(number % 5 == 0), 13 * number)) {
        let manager = Manager { boots, time, ..Manager::new(user.clone(), PRIV) };
        recorded.push((boots, time, manager.message()));
    }
    let (mut fresh, mut stale) = (0, 0);
    // From the newest to the oldest, twice, as the clock goes on.
    for now in [400, 300, 520, 900] {
        world.now.uptime = Time::from_uptime(Duration::from_secs(now));
        for (boots, time, message) in recorded.iter().rev().chain(&recorded) {
            world.send(message);
            let apart = (i64::try_from(now).unwrap() - i64::from(*time)).abs();
            if *boots == BOOTS && apart <= 150 { fresh += 1 } else { stale += 1 }
        }
    }
    assert!(fresh > 20 && stale > 20, "{fresh} {stale}");
    assert_eq!(world.counters().in_get_requests, fresh);
    assert_eq!(world.counters().usm_not_in_time_windows, stale);
}

#[test]
fn every_flipped_octet_of_an_authentic_message_is_noticed() {
    let mut world = world();
    let message = Manager::noc(PRIV).message();
    for position in 0..message.len() {
        let mut forged = message.clone();
        forged[position] ^= 0x10;
        world.send(&forged);
    }
    assert_eq!(world.counters().in_get_requests, 0, "no request was performed");
}

#[test]
fn octets_after_the_message_are_not_authenticated() {
    let mut world = world();
    let mut message = Manager::noc(PRIV).message();
    message.extend(b"trailing");
    assert!(world.send(&message).is_some());
    assert_eq!(world.counters().in_get_requests, 1);
}

#[test]
fn a_message_in_an_unusual_encoding_is_authentic() {
    // The outer length in three octets where one or two would do.
    let message = Manager::noc(AUTH).message();
    let outer = Reader::new(&message).tlv().unwrap();
    let length = u16::try_from(outer.content.len()).unwrap().to_be_bytes();
    let mut unusual = [&[0x30, 0x83, 0][..], &length, outer.content].concat();
    let parsed = V3Message::parse(&unusual).unwrap();
    let place = parsed.usm_parameters().unwrap().mac_place;
    unusual[place.clone()].fill(0);
    let user = user("noc", "maplesyrup");
    let (protocol, key) = user.authentication.as_ref().unwrap();
    let mac = protocol.mac(key, &[&unusual]);
    unusual[place].copy_from_slice(&mac);
    let mut world = world();
    let reply = read(&world.send(&unusual).unwrap(), &user);
    assert_eq!((reply.kind, reply.status), (PduType::Response, 16));
}

#[test]
fn reports_answer_confirmed_pdus_or_who_asks_for_them() {
    let mut world = world();
    let mut probe = Manager::new(User::new("x").unwrap(), NO_AUTH);
    probe.engine_id = Vec::new();
    // In clear the type of the PDU decides.
    probe.flags = 0;
    assert_report(world.tell(&probe), &[15, 1, 1, 4], 1);
    probe.kind = PduType::Inform;
    assert_report(world.tell(&probe), &[15, 1, 1, 4], 2);
    probe.flags = REPORTABLE;
    for kind in [PduType::Trap, PduType::Response, PduType::Report] {
        probe.kind = kind;
        assert_eq!(world.tell(&probe), None);
    }
    assert_eq!(world.counters().usm_unknown_engine_ids, 5, "counted all the same");
    // Encrypted, the flag does.
    let mut sealed = Manager::new(user("stranger", "another-word"), PRIV);
    assert!(world.tell(&sealed).is_some());
    sealed.flags = 0;
    assert_eq!(world.tell(&sealed), None);
}

#[test]
fn other_models_and_levels_are_counted_and_dropped() {
    let mut world = world();
    let mut message = Manager::new(User::new("nobody").unwrap(), NO_AUTH).message();
    let flags = message.windows(3).position(|part| part == [4, 1, REPORTABLE]).unwrap() + 2;
    message[flags] = 0x02;
    assert_eq!(world.send(&message), None);
    assert_eq!(world.counters().invalid_msgs, 1);
    message[flags] = REPORTABLE;
    message[flags + 3] = 7;
    assert_eq!(world.send(&message), None);
    assert_eq!(world.counters().unknown_security_models, 1);
    message[flags + 3] = 3;
    message[flags] = 0xf4;
    assert!(world.send(&message).is_some(), "other flags are ignored");
}

#[test]
fn a_message_size_below_484_is_malformed() {
    let mut world = world();
    let mut manager = Manager::new(User::new("nobody").unwrap(), NO_AUTH);
    manager.max_size = 483;
    assert_eq!(world.tell(&manager), None);
    assert_eq!(world.counters().in_asn_parse_errs, 1);
    manager.max_size = 484;
    assert!(world.tell(&manager).is_some());
}

#[test]
fn contexts_and_engines_that_are_not_here_are_reported() {
    let mut world = world();
    let mut manager = Manager::noc(PRIV);
    manager.context = b"elsewhere";
    let reply = world.tell(&manager).unwrap();
    assert_eq!(reply.flags, 3);
    assert_eq!(reply.variables, [[1, 3, 6, 1, 6, 3, 12, 1, 5, 0]]);
    assert_eq!(world.counters().unknown_contexts, 1);
}

#[test]
fn every_daemon_of_the_store_has_a_context() {
    let mut world = world();
    let mut manager = Manager::noc(PRIV);
    manager.context = b"ha2";
    assert!(world.tell(&manager).is_some());
    assert_eq!(world.counters().unknown_contexts, 1);
    let mut batch = Batch::new(Class::Relaxed);
    for name in ["ha2", "a name that is longer than those of contexts can be"] {
        batch.put(mib_world::instance(name, Role::HomeAgent, Ipv4Addr::LOCALHOST));
    }
    world.snapshot.tables.apply(&batch, Revision(1));
    world.engine.observe(world.now, &world.snapshot, Health::default());
    let reply = world.tell(&manager).unwrap();
    assert_eq!((reply.flags, world.counters().unknown_contexts), (3, 1));
    assert_eq!(world.engine.local.engine.admin.vacm.contexts.len(), 2);
    let mut batch = Batch::new(Class::Relaxed);
    batch.delete::<Instance>("ha2".to_owned());
    world.snapshot.tables.apply(&batch, Revision(2));
    world.engine.observe(world.now, &world.snapshot, Health::default());
    world.tell(&manager);
    assert_eq!(world.counters().unknown_contexts, 2);
}

#[test]
fn notifications_and_responses_have_no_handler() {
    let mut world = world();
    let mut manager = Manager::noc(PRIV);
    manager.kind = PduType::Inform;
    let reply = world.tell(&manager).unwrap();
    assert_eq!(reply.variables, [[1, 3, 6, 1, 6, 3, 11, 2, 1, 3, 0]]);
    for kind in [PduType::Trap, PduType::Response, PduType::Report] {
        manager.kind = kind;
        assert_eq!(world.tell(&manager), None);
    }
    assert_eq!(world.counters().unknown_pdu_handlers, 2);
}

#[test]
fn what_cannot_be_decrypted_is_counted() {
    let mut world = world();
    // Claims to be private and is not: the flags are under the MAC, the content is in clear.
    let message = Manager::noc(AUTH).message();
    let parsed = V3Message::parse(&message).unwrap();
    let place = parsed.usm_parameters().unwrap().mac_place;
    let mut forged = message.clone();
    let flags = message.windows(3).position(|part| part == [4, 1, 5]).unwrap() + 2;
    forged[flags] = 7;
    forged[place.clone()].fill(0);
    let user = user("noc", "maplesyrup");
    let (protocol, key) = user.authentication.as_ref().unwrap();
    let mac = protocol.mac(key, &[&forged]);
    forged[place].copy_from_slice(&mac);
    assert_report(world.send(&forged).map(|octets| read(&octets, &user)), &[15, 1, 1, 6], 1);
}

#[test]
fn no_salt_is_used_twice() {
    let mut world = world();
    let manager = Manager::noc(PRIV);
    let salts: BTreeSet<Vec<u8>> = (0..50)
        .map(|_| {
            let octets = world.send(&manager.message()).unwrap();
            V3Message::parse(&octets).unwrap().usm_parameters().unwrap().privacy.to_vec()
        })
        .collect();
    assert_eq!(salts.len(), 50);
}
