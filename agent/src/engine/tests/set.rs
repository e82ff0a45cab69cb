//! SET (RFC 3416 §4.2.5), of the engine's own tables and of the store.

use store::{Batch, Change, Class, Instance, InstanceState, Revision, Snapshot, Unknown, UtcTime};

use super::super::*;
use super::world::{Answer, ROOT, integer, objects, read_answer};
use crate::ber::{Writer, tag};
use crate::message::PduType;
use crate::mib::{Context, Cursor, GetResult, Object, scalar_cursor};
use crate::security::{SecurityLevel, SecurityModel};
use crate::vacm::Access;
use crate::value::Value;
use crate::{RowStatus, StorageType};

/// `processId.0` of the one instance in the store: a writable scalar.
const PROCESS_ID: &[u32] = &[1, 3, 6, 1, 4, 1, 98];

struct ProcessId;

impl Object for ProcessId {
    fn get(&self, context: Context<'_>, _: &[u32]) -> GetResult {
        let row = context.snapshot.rows::<Instance>().get(&"x".to_owned());
        row.map(|row| Value::Gauge32(row.process_id)).into()
    }

    fn seek<'a>(&'a self, _: Context<'a>, _: &[u32]) -> Box<dyn Cursor + 'a> {
        scalar_cursor(None)
    }

    fn set(&self, staging: &mut Staging<'_>, _: &[u32], value: &Value) -> Result<(), ErrorStatus> {
        let Value::Gauge32(process_id) = value else { return Err(ErrorStatus::WrongType) };
        let row = staging.row::<Instance>(&"x".to_owned()).ok_or(ErrorStatus::InconsistentName)?;
        staging.put(Instance { process_id: *process_id, ..Instance::clone(&row) });
        Ok(())
    }
}

struct Setting {
    engine: Engine,
    /// What was saved last.
    disk: Option<Box<Saved>>,
    is_disk_full: bool,
    snapshot: Snapshot,
}

fn instance(process_id: u32) -> Instance {
    Instance {
        name: "x".to_owned(),
        roles: Vec::new(),
        addresses: Vec::new(),
        version: String::new(),
        process_id,
        started_at: UtcTime(0),
        heartbeat_at: UtcTime(0),
        clock_step: 0,
        state: InstanceState::Serving,
        applied_revision: 0,
        apply_error: None,
        clock_health: None,
        apply_errors: BTreeMap::new(),
        unknown: Unknown::default(),
    }
}

const PEER: &str = "127.0.0.1:4000";

impl Setting {
    fn new() -> Self {
        let mut config = EngineConfig::default();
        config.allow_read("public", &[1]);
        let vacm = &mut config.vacm;
        config.communities.push(Community::new("private", "writer".into()));
        for model in [SecurityModel::SNMPV1, SecurityModel::SNMPV2C] {
            vacm.add_group(model, "writer".into(), "writer".into());
        }
        vacm.add_family("all".into(), &[1], true);
        vacm.add_family("most".into(), &[1], true);
        vacm.add_family("most".into(), &[1, 3, 6, 1, 4, 1, 99, 3], false);
        let views =
            Access { read_view: "all".into(), write_view: "most".into(), ..Access::default() };
        vacm.add_access("writer".into(), SecurityLevel::NoAuthNoPriv, views);
        let mut registry = Registry::new();
        registry.add(ROOT, objects()).add(PROCESS_ID, ProcessId);
        crate::mib::register_system(&mut registry);
        let mut setting = Self {
            engine: Engine::with_registry(config, registry),
            disk: None,
            is_disk_full: false,
            snapshot: Snapshot::default(),
        };
        setting.store(instance(1));
        setting
    }

    /// Somebody writes to the store.
    fn store(&mut self, row: Instance) {
        let mut batch = Batch::new(Class::Durable);
        batch.put(row);
        self.apply(&batch);
    }

    fn apply(&mut self, batch: &Batch) {
        self.snapshot.revision = Revision(self.snapshot.revision.0 + 1);
        self.snapshot.tables.apply(batch, self.snapshot.revision);
    }

    fn send(
        &mut self,
        version: i32,
        community: &str,
        variables: &[(Vec<u32>, Value)],
    ) -> Vec<Action> {
        self.send_from(PEER, version, community, variables)
    }

    fn send_from(
        &mut self,
        peer: &str,
        version: i32,
        community: &str,
        variables: &[(Vec<u32>, Value)],
    ) -> Vec<Action> {
        let mut writer = Writer::default();
        writer.clear();
        for (name, value) in variables {
            writer.append_variable(name, value);
        }
        writer.wrap(tag::SEQUENCE, 0);
        writer.prepend_integer(0);
        writer.prepend_integer(0);
        writer.prepend_integer(9);
        writer.wrap(PduType::Set.tag(), 0);
        writer.prepend_octet_string(community.as_bytes());
        writer.prepend_integer(version);
        writer.wrap(tag::SEQUENCE, 0);
        let octets = writer.octets().to_vec();
        let peer = peer.parse().unwrap();
        let actions = self.engine.handle(Now::default(), &self.snapshot, peer, &octets);
        self.saved(actions)
    }

    /// What comes of the actions once all that is to be saved is saved.
    fn saved(&mut self, mut actions: Vec<Action>) -> Vec<Action> {
        match actions.first_mut() {
            Some(Action::Commit { id, batch, saved, .. }) if batch.changes.is_empty() => {
                let id = *id;
                if self.is_disk_full {
                    return self.end(id, CommitOutcome::Failed);
                }
                self.disk = saved.take();
                self.end(id, CommitOutcome::Done)
            }
            _ => actions,
        }
    }

    fn set(&mut self, variables: &[(Vec<u32>, Value)]) -> Answer {
        answer(self.send(1, "private", variables))
    }

    /// Status and index.
    fn outcome(&mut self, variables: &[(Vec<u32>, Value)]) -> (u32, u32) {
        let answer = self.set(variables);
        (answer.status, answer.index)
    }

    fn end(&mut self, id: CommitId, outcome: CommitOutcome) -> Vec<Action> {
        self.engine.on_commit(id, outcome, Now::default(), &self.snapshot)
    }
}

fn answer(actions: Vec<Action>) -> Answer {
    match actions.into_iter().next() {
        Some(Action::Reply(octets)) => read_answer(&octets),
        other => panic!("no reply: {other:?}"),
    }
}

fn commit(actions: Vec<Action>) -> (CommitId, Batch) {
    match actions.into_iter().next() {
        Some(Action::Commit { id, batch, .. }) => (id, batch),
        other => panic!("no commit: {other:?}"),
    }
}

const fn int(value: i32) -> Value {
    Value::Integer32(value)
}

/// A name below `vacmMIBObjects`.
fn vacm(suffix: &[u32]) -> Vec<u32> {
    [&[1, 3, 6, 1, 6, 3, 16, 1], suffix].concat()
}

/// A column of the group row of the security name "noc" in SNMPv3.
fn group(column: u32) -> Vec<u32> {
    vacm(&[2, 1, column, 3, 3, 110, 111, 99])
}

const SERIAL: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 6, 1, 0];
const AUTHEN_TRAPS: &[u32] = &[1, 3, 6, 1, 2, 1, 11, 30, 0];

#[test]
fn the_serial_number_counts_up_when_it_is_right() {
    let mut setting = Setting::new();
    assert_eq!(setting.outcome(&[(SERIAL.to_vec(), int(0))]), (0, 0));
    assert_eq!(setting.outcome(&[(SERIAL.to_vec(), int(0))]), (12, 1), "inconsistentValue");
    assert_eq!(setting.outcome(&[(SERIAL.to_vec(), int(1))]), (0, 0));
    setting.engine.local.engine.admin.locks.set = i32::MAX;
    assert_eq!(setting.outcome(&[(SERIAL.to_vec(), int(i32::MAX))]), (0, 0));
    assert_eq!(setting.outcome(&[(SERIAL.to_vec(), int(0))]), (0, 0), "it wraps to 0");
    assert_eq!(setting.outcome(&[(SERIAL.to_vec(), int(-1))]), (10, 1), "wrongValue");
}

#[test]
fn every_check_has_its_status_and_the_index_of_its_variable() {
    let mut setting = Setting::new();
    let fine = (AUTHEN_TRAPS.to_vec(), int(1));
    let mut wrong = |name: &[u32], value: Value| {
        let (status, index) = setting.outcome(&[fine.clone(), (name.to_vec(), value)]);
        assert_eq!(index, 2);
        status
    };
    let too_long = Value::octets([0x41; 33]);
    let [.., not_zero] = [AUTHEN_TRAPS; 1].map(|name| [&name[..8], &[1]].concat());
    assert_eq!(wrong(&[1, 3, 6, 1, 4, 1, 99, 3, 1], int(1)), 6, "noAccess: not in the view");
    assert_eq!(wrong(&[1, 3, 6, 1, 4, 1, 99, 1, 1], int(1)), 17, "notWritable");
    assert_eq!(wrong(&[1, 3, 6, 1, 2, 1, 999], int(1)), 17, "notWritable: no such object");
    assert_eq!(wrong(SERIAL, Value::Gauge32(0)), 7, "wrongType");
    assert_eq!(wrong(&group(3), too_long), 8, "wrongLength");
    assert_eq!(wrong(AUTHEN_TRAPS, int(3)), 10, "wrongValue");
    assert_eq!(wrong(&not_zero, int(1)), 11, "noCreation");
    assert_eq!(
        wrong(&vacm(&[2, 1, 3, 0, 1, 65]), Value::octets("g")),
        11,
        "noCreation: no such index"
    );
    assert_eq!(wrong(&group(3), Value::octets("g")), 18, "inconsistentName: nothing makes the row");
    assert_eq!(wrong(SERIAL, int(77)), 12, "inconsistentValue");
    assert!(!setting.engine.local.engine.admin.authentication_traps, "and nothing was done");
}

#[test]
fn without_a_write_view_there_is_an_authorization_error() {
    let mut setting = Setting::new();
    let reply = answer(setting.send(1, "public", &[(AUTHEN_TRAPS.to_vec(), int(1))]));
    assert_eq!((reply.status, reply.index), (16, 0));
    assert_eq!(setting.engine.counters().in_bad_community_uses, 1);
}

#[test]
fn null_is_the_wrong_type() {
    let mut setting = Setting::new();
    let mut writer = Writer::default();
    writer.clear();
    writer.append_empty(AUTHEN_TRAPS, tag::NULL);
    writer.wrap(tag::SEQUENCE, 0);
    for _ in 0..3 {
        writer.prepend_integer(0);
    }
    writer.wrap(PduType::Set.tag(), 0);
    writer.prepend_octet_string(b"private");
    writer.prepend_integer(1);
    writer.wrap(tag::SEQUENCE, 0);
    let (peer, octets) = (PEER.parse().unwrap(), writer.octets());
    let actions = setting.engine.handle(Now::default(), &setting.snapshot, peer, octets);
    assert_eq!(answer(actions).status, 7);
}

#[test]
fn one_object_twice_must_say_the_same() {
    let mut setting = Setting::new();
    let name = AUTHEN_TRAPS.to_vec();
    let twice = [(name.clone(), int(1)), (name.clone(), int(2))];
    assert_eq!(setting.outcome(&twice), (12, 2));
    let same = [(name.clone(), int(1)), (name, int(1))];
    assert_eq!(setting.outcome(&same), (0, 0));
}

#[test]
fn statuses_are_those_of_version_1_in_version_1() {
    let mut setting = Setting::new();
    for (name, value, want) in [
        (AUTHEN_TRAPS.to_vec(), int(3), 3),
        (SERIAL.to_vec(), Value::Gauge32(1), 3),
        ([ROOT, &[1, 1]].concat(), int(1), 2),
        ([ROOT, &[3, 1]].concat(), int(1), 2),
    ] {
        assert_eq!(answer(setting.send(0, "private", &[(name, value)])).status, want);
    }
}

#[test]
fn a_row_is_created_used_and_destroyed() {
    let mut setting = Setting::new();
    let create = [(group(3), Value::octets("staff")), (group(5), int(4))];
    let reply = setting.set(&create);
    assert_eq!((reply.status, reply.variables.len()), (0, 2));
    let key = (SecurityModel::USM, "noc".into());
    let row = &setting.engine.local.engine.admin.vacm.groups[&key];
    assert_eq!((row.name.octets(), row.status), (&b"staff"[..], RowStatus::Active));
    assert_eq!(row.storage, StorageType::NonVolatile);
    assert_eq!(setting.outcome(&create), (12, 1), "createAndGo of what there is");
    assert_eq!(setting.outcome(&[(group(5), int(6))]), (0, 0));
    assert!(!setting.engine.local.engine.admin.vacm.groups.contains_key(&key));
    assert_eq!(setting.outcome(&[(group(5), int(6))]), (0, 0), "destroy of nothing");
}

#[test]
fn the_order_of_variables_does_not_matter() {
    let mut setting = Setting::new();
    let create = [(group(5), int(4)), (group(3), Value::octets("staff"))];
    assert_eq!(setting.outcome(&create), (0, 0));
}

#[test]
fn a_row_can_wait_until_it_is_complete() {
    let mut setting = Setting::new();
    let status = |setting: &Setting| {
        let key = (SecurityModel::USM, "noc".into());
        setting.engine.local.engine.admin.vacm.groups.get(&key).map(|row| row.status)
    };
    assert_eq!(setting.outcome(&[(group(5), int(4))]), (12, 1), "createAndGo without a group name");
    assert_eq!(status(&setting), None);
    assert_eq!(setting.outcome(&[(group(5), int(5))]), (0, 0));
    assert_eq!(status(&setting), Some(RowStatus::NotReady));
    assert_eq!(setting.outcome(&[(group(5), int(1))]), (12, 1));
    assert_eq!(setting.outcome(&[(group(3), Value::octets("staff"))]), (0, 0));
    assert_eq!(status(&setting), Some(RowStatus::NotInService));
    assert_eq!(setting.outcome(&[(group(5), int(1))]), (0, 0));
    assert_eq!(status(&setting), Some(RowStatus::Active));
    assert_eq!(setting.outcome(&[(group(5), int(2))]), (0, 0));
    assert_eq!(status(&setting), Some(RowStatus::NotInService));
    assert_eq!(setting.outcome(&[(group(5), int(3))]), (10, 1), "notReady is never written");
}

#[test]
fn rows_of_the_configuration_stay() {
    let mut setting = Setting::new();
    let name = |column| vacm(&[2, 1, column, 2, 6, 119, 114, 105, 116, 101, 114]);
    assert_eq!(setting.outcome(&[(name(3), Value::octets("other"))]), (17, 1));
    assert_eq!(setting.outcome(&[(name(5), int(6))]), (12, 1));
    assert_eq!(setting.outcome(&[(name(4), int(2))]), (17, 1));
}

#[test]
fn a_set_of_the_store_waits_for_its_commit() {
    let mut setting = Setting::new();
    let name = [PROCESS_ID, &[0]].concat();
    let request = [(name.clone(), Value::Gauge32(7)), (AUTHEN_TRAPS.to_vec(), int(1))];
    let (id, batch) = commit(setting.send(1, "private", &request));
    assert_eq!(batch.compares.len(), 1);
    assert!(matches!(batch.changes[..], [Change::Put(_)]));
    assert!(setting.send(1, "private", &request).is_empty(), "a retransmission");
    assert!(!setting.engine.local.engine.admin.authentication_traps);
    assert!(setting.snapshot.tables.refuses(&batch).is_none());
    setting.apply(&batch);
    let reply = answer(setting.end(id, CommitOutcome::Done));
    assert_eq!((reply.request_id, reply.status), (9, 0));
    assert_eq!(reply.names(), [name, AUTHEN_TRAPS.to_vec()]);
    assert_eq!(reply.values()[1], integer(1));
    assert!(setting.engine.local.engine.admin.authentication_traps);
    assert!(setting.end(id, CommitOutcome::Done).is_empty(), "only once");
    assert_eq!(setting.engine.counters().in_total_set_vars, 2);
}

#[test]
fn a_retransmission_is_the_same_request_of_the_same_peer_while_it_waits() {
    let mut setting = Setting::new();
    let request = |number| [([PROCESS_ID, &[0]].concat(), Value::Gauge32(number))];
    let (id, batch) = commit(setting.send(1, "private", &request(7)));
    for _ in 0..3 {
        assert!(setting.send(1, "private", &request(7)).is_empty());
    }
    assert_eq!(setting.engine.pending.len(), 1);
    // Another value, and another port of the same host, are requests of their own.
    let (other, _) = commit(setting.send(1, "private", &request(8)));
    let (elsewhere, _) = commit(setting.send_from("127.0.0.1:4001", 1, "private", &request(7)));
    assert!(id != other && other != elsewhere && id != elsewhere);
    setting.apply(&batch);
    assert_eq!(setting.end(id, CommitOutcome::Done).len(), 1, "one reply to all four");
    // It was answered: whoever sends it now did not get that, and wants it done.
    let (again, _) = commit(setting.send(1, "private", &request(7)));
    assert!(again != id);
    assert_eq!(setting.engine.counters().in_set_requests, 7);
}

/// A configuration like that of [`Setting`], with another community beside.
fn reconfigured() -> EngineConfig {
    let mut config = EngineConfig::default();
    config.allow_read("newcomer", &[1]);
    config.local.location = "rack 9".to_owned();
    config
}

#[test]
fn another_configuration_is_acted_on_and_what_was_set_stays() {
    let mut setting = Setting::new();
    let create = |name: &str, storage: i32| {
        let index: Vec<u32> = name.bytes().map(u32::from).collect();
        let column =
            |column: u32| [&[1, 3, 6, 1, 6, 3, 12, 1, 2, 1, column], index.as_slice()].concat();
        [(column(9), int(5)), (column(4), int(77)), (column(8), int(storage))]
    };
    assert_eq!(setting.outcome(&create("lasts", 3)), (0, 0));
    assert_eq!(setting.outcome(&create("fades", 2)), (0, 0));
    assert_eq!(setting.outcome(&[(AUTHEN_TRAPS.to_vec(), int(1))]), (0, 0));
    let saved = Saved::of(&setting.engine.local.engine.admin);
    let packets = setting.engine.counters().in_pkts;
    let problems = setting.engine.reconfigure(reconfigured(), saved).unwrap();
    assert!(problems.is_empty(), "{problems:?}");
    let admin = &setting.engine.local.engine.admin;
    assert!(admin.authentication_traps);
    let storages: Vec<_> = admin.targets.addresses.values().map(|row| row.storage).collect();
    assert_eq!(storages, [StorageType::Volatile, StorageType::NonVolatile]);
    assert_eq!(setting.engine.local.location, "rack 9");
    assert_eq!(setting.engine.counters().in_pkts, packets);
    // Who is in the new one is answered, who is not is not.
    assert!(setting.send(1, "private", &[(AUTHEN_TRAPS.to_vec(), int(2))]).is_empty());
    assert_eq!(setting.engine.counters().in_bad_community_names, 1);
    let denied = setting.send(1, "newcomer", &[(AUTHEN_TRAPS.to_vec(), int(2))]);
    assert_eq!(answer(denied).status, 16, "authorizationError");
}

#[test]
fn another_configuration_waits_for_a_set_of_the_engine() {
    let mut setting = Setting::new();
    let name = [PROCESS_ID, &[0]].concat();
    let request = [(name, Value::Gauge32(7)), (AUTHEN_TRAPS.to_vec(), int(1))];
    let (id, batch) = commit(setting.send(1, "private", &request));
    assert!(setting.engine.reconfigure(reconfigured(), Saved::default()).is_none());
    setting.apply(&batch);
    assert_eq!(answer(setting.end(id, CommitOutcome::Done)).status, 0);
    assert!(setting.engine.reconfigure(reconfigured(), Saved::default()).is_some());
}

#[test]
fn a_refused_commit_is_tried_once_more_on_the_newer_snapshot() {
    let mut setting = Setting::new();
    let request = [([PROCESS_ID, &[0]].concat(), Value::Gauge32(7))];
    let (id, batch) = commit(setting.send(1, "private", &request));
    setting.store(instance(2));
    assert!(setting.snapshot.tables.refuses(&batch).is_some());
    let (again, batch) = commit(setting.end(id, CommitOutcome::Refused));
    assert_eq!(again, id);
    assert!(setting.snapshot.tables.refuses(&batch).is_none());
    let reply = answer(setting.end(id, CommitOutcome::Refused));
    assert_eq!((reply.status, reply.index), (14, 0), "commitFailed");
    assert_eq!(setting.engine.pending.len(), 0);
}

#[test]
fn a_failed_commit_changes_nothing() {
    let mut setting = Setting::new();
    let name = [PROCESS_ID, &[0]].concat();
    let request = [(AUTHEN_TRAPS.to_vec(), int(1)), (name, Value::Gauge32(7))];
    let (id, _) = commit(setting.send(1, "private", &request));
    assert_eq!(answer(setting.end(id, CommitOutcome::Failed)).status, 14);
    assert!(!setting.engine.local.engine.admin.authentication_traps);
}

#[test]
fn what_waits_is_bounded() {
    let mut setting = Setting::new();
    let request = |n: u32| [([PROCESS_ID, &[0]].concat(), Value::Gauge32(n))];
    for n in 0..64 {
        commit(setting.send(1, "private", &request(n)));
    }
    assert_eq!(answer(setting.send(1, "private", &request(64))).status, 13, "resourceUnavailable");
}

#[test]
fn a_row_that_vanished_is_validated_away() {
    let mut setting = Setting::new();
    let request = [([PROCESS_ID, &[0]].concat(), Value::Gauge32(7))];
    let (id, _) = commit(setting.send(1, "private", &request));
    let mut batch = Batch::new(Class::Durable);
    batch.delete::<Instance>("x".to_owned());
    setting.apply(&batch);
    let reply = answer(setting.end(id, CommitOutcome::Refused));
    assert_eq!((reply.status, reply.index), (18, 1));
}

const SYS_NAME: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 5, 0];

#[test]
fn a_display_string_of_other_octets_is_wrongly_encoded() {
    let mut setting = Setting::new();
    assert_eq!(setting.outcome(&[(SYS_NAME.to_vec(), Value::octets([0x66, 0xff]))]), (9, 1));
    assert_eq!(setting.outcome(&[(SYS_NAME.to_vec(), Value::octets([0x66; 256]))]), (8, 1));
    assert_eq!(setting.outcome(&[(SYS_NAME.to_vec(), Value::octets("ha1"))]), (0, 0));
    assert_eq!(setting.disk.unwrap().system.name.as_deref(), Some("ha1"));
}

#[test]
fn what_is_committed_and_not_saved_is_undo_failed() {
    let mut setting = Setting::new();
    let name = [PROCESS_ID, &[0]].concat();
    let request = [(AUTHEN_TRAPS.to_vec(), int(1)), (name, Value::Gauge32(7))];
    let (id, _) = commit(setting.send(1, "private", &request));
    let reply = answer(setting.end(id, CommitOutcome::Half));
    assert_eq!((reply.status, reply.index), (15, 0));
    assert!(!setting.engine.local.engine.admin.authentication_traps);
}

#[test]
fn a_change_that_cannot_be_saved_is_not_made() {
    let mut setting = Setting::new();
    setting.is_disk_full = true;
    assert_eq!(setting.outcome(&[(AUTHEN_TRAPS.to_vec(), int(1))]), (14, 0), "commitFailed");
    assert!(!setting.engine.local.engine.admin.authentication_traps);
    setting.is_disk_full = false;
    assert_eq!(setting.outcome(&[(AUTHEN_TRAPS.to_vec(), int(1))]), (0, 0));
}
