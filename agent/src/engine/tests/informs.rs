//! Informs in SNMPv3: the receiver is the authoritative engine (RFC 3414 §3.1 (6), §3.2 (7) b), §4).

use std::sync::Arc;
use std::time::Duration;

use store::Time;

use super::super::secure::{Origin, Secured};
use super::super::*;
use super::world::{ROOT, World, name};
use crate::Oid;
use crate::ber::{Writer, tag};
use crate::message::{PduType, ScopedPdu, V3Data, V3Message};
use crate::notify::{Notification, Receiver};
use crate::security::{SecurityLevel, SecurityModel};
use crate::usm::{AuthenticationProtocol, RemoteUser, Secret, User};
use crate::value::Value;

const RECEIVER: &str = "192.0.2.7:162";
const REMOTE: &[u8] = &[0x80, 0, 0, 0, 9, 9];
const BOOTS: i32 = 5;
const UNKNOWN_ENGINE: &[u32] = &[1, 3, 6, 1, 6, 3, 15, 1, 1, 4, 0];
const NOT_IN_TIME: &[u32] = &[1, 3, 6, 1, 6, 3, 15, 1, 1, 2, 0];

fn at(seconds: u64) -> Now {
    Now { uptime: Time::from_uptime(Duration::from_secs(seconds)), ..Now::default() }
}

/// Who receives, and the keys that it has.
struct Remote {
    user: Arc<User>,
    boots: i32,
    time: i32,
}

impl Remote {
    fn new() -> Self {
        let secret = Secret::password("maplesyrup");
        let user = User::new("noc").unwrap();
        let user = user.with_authentication(REMOTE, AuthenticationProtocol::Sha256, &secret);
        Self { user: Arc::new(user.unwrap()), boots: BOOTS, time: 1000 }
    }

    /// A report or a response.
    fn say(&self, kind: PduType, level: SecurityLevel, id: i32, object: Option<&[u32]>) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.clear();
        if let Some(object) = object {
            writer.append_variable(object, &Value::Counter32(1));
        }
        writer.wrap(tag::SEQUENCE, 0);
        writer.prepend_integer(0);
        writer.prepend_integer(0);
        writer.prepend_integer(id);
        writer.wrap(kind.tag(), 0);
        let secured = Secured {
            message_id: id,
            flags: 0,
            level,
            user: Some(&self.user),
            context_name: b"",
            engine_id: None,
            engine_boots: self.boots,
            engine_time: self.time,
            salt: 1,
        };
        secured.seal(Origin { engine_id: REMOTE, message_size_max: 65_507 }, &mut writer).unwrap();
        writer.octets().to_vec()
    }
}

/// A message of ours: its ID, the engine that it is for, boots and time, and the PDU.
fn read(actions: &[Action]) -> (i32, Vec<u8>, i32, i32, PduType) {
    let [Action::Notify { octets, .. }] = actions else { panic!("{actions:?}") };
    let message = V3Message::parse(octets).unwrap();
    let parameters = message.usm_parameters().unwrap();
    let V3Data::Plain(scoped) = message.data else { panic!("it is not encrypted") };
    let kind = PduType::peek(ScopedPdu::parse(scoped).unwrap().pdu).unwrap();
    let (boots, time) = (parameters.engine_boots, parameters.engine_time);
    (message.id, parameters.engine_id.to_vec(), boots, time, kind)
}

fn world() -> World {
    let mut config = EngineConfig { engine_id: vec![1, 2, 3, 4, 5], ..EngineConfig::default() };
    let secret = Secret::password("maplesyrup");
    let user = User::new("noc").unwrap();
    let user = user.with_authentication(&[1, 2, 3, 4, 5], AuthenticationProtocol::Sha256, &secret);
    config.allow_user(user.unwrap(), ROOT, None);
    let authentication = Some((AuthenticationProtocol::Sha256, "maplesyrup"));
    config.remote_users.push(RemoteUser::new("noc", authentication, None).unwrap());
    let receiver = Receiver {
        address: RECEIVER.parse().unwrap(),
        model: SecurityModel::USM,
        security_name: "noc".into(),
        level: SecurityLevel::AuthNoPriv,
        inform: true,
        timeout: 100,
        retry_count: 3,
    };
    config.targets.add("noc", receiver);
    World::with(config)
}

fn inform(world: &mut World, now: Now) -> Vec<Action> {
    let variables = vec![(Oid::from(&name(&[1, 7])[..]), Value::Integer32(1))];
    let kind = [ROOT, &[0, 7]].concat();
    world.engine.notify(now, &Notification::new(&kind, variables))
}

fn hear(world: &mut World, now: Now, octets: &[u8]) -> Vec<Action> {
    world.engine.handle_answer(now, RECEIVER.parse().unwrap(), octets)
}

/// Discovers the engine and its time; returns the ID of the inform that waits.
fn discovered(world: &mut World, remote: &Remote) -> i32 {
    let (probe, engine_id, boots, time, kind) = read(&inform(world, at(10)));
    assert_eq!((engine_id.as_slice(), boots, time, kind), (&b""[..], 0, 0, PduType::Get));
    let none = SecurityLevel::NoAuthNoPriv;
    let report = remote.say(PduType::Report, none, probe, Some(UNKNOWN_ENGINE));
    let (id, engine_id, boots, time, kind) = read(&hear(world, at(10), &report));
    assert_eq!((engine_id.as_slice(), boots, time, kind), (REMOTE, 0, 0, PduType::Inform));
    let auth = SecurityLevel::AuthNoPriv;
    let report = remote.say(PduType::Report, auth, id, Some(NOT_IN_TIME));
    let (id, _, boots, time, kind) = read(&hear(world, at(10), &report));
    assert_eq!((boots, time, kind), (BOOTS, 1000, PduType::Inform));
    id
}

#[test]
fn the_engine_and_its_time_are_discovered_and_then_kept() {
    let (mut world, remote) = (world(), Remote::new());
    let id = discovered(&mut world, &remote);
    let auth = SecurityLevel::AuthNoPriv;
    assert!(hear(&mut world, at(10), &remote.say(PduType::Response, auth, id, None)).is_empty());
    assert_eq!(world.counters().informs_acknowledged, 1);
    assert_eq!(world.engine.next_deadline(), None);
    let (_, engine_id, boots, time, kind) = read(&inform(&mut world, at(70)));
    assert_eq!((engine_id.as_slice(), boots, time, kind), (REMOTE, BOOTS, 1060, PduType::Inform));
}

#[test]
fn answers_that_are_forged_or_old_acknowledge_nothing() {
    let (mut world, mut remote) = (world(), Remote::new());
    let id = discovered(&mut world, &remote);
    let (none, auth) = (SecurityLevel::NoAuthNoPriv, SecurityLevel::AuthNoPriv);
    let mut forged = remote.say(PduType::Response, auth, id, None);
    *forged.last_mut().unwrap() ^= 1;
    hear(&mut world, at(10), &forged);
    hear(&mut world, at(10), &remote.say(PduType::Response, none, id, None));
    remote.time = 849;
    hear(&mut world, at(10), &remote.say(PduType::Response, auth, id, None));
    (remote.boots, remote.time) = (BOOTS - 1, 2000);
    hear(&mut world, at(10), &remote.say(PduType::Response, auth, id, None));
    assert_eq!(world.counters().informs_acknowledged, 0);
    assert_eq!(world.counters().answers_not_in_time, 2);
    (remote.boots, remote.time) = (BOOTS, 850);
    hear(&mut world, at(10), &remote.say(PduType::Response, auth, id, None));
    assert_eq!(world.counters().informs_acknowledged, 1, "150 seconds is in time");
}

#[test]
fn nobody_can_ask_where_answers_arrive() {
    let (mut world, remote) = (world(), Remote::new());
    let get = super::world::message(1, "public", PduType::Get, [1, 0, 0], &[name(&[1, 7])]);
    assert!(hear(&mut world, at(0), &get).is_empty());
    let get = remote.say(PduType::Get, SecurityLevel::AuthNoPriv, 77, Some(UNKNOWN_ENGINE));
    assert!(hear(&mut world, at(0), &get).is_empty());
    assert_eq!(world.counters().unknown_pdu_handlers, 1);
    assert_eq!(world.counters().in_bad_community_names, 1, "there is no community");
}
