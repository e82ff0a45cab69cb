//! What SET makes of the tables, column by column, and what of it is kept.

use std::sync::LazyLock;

use store::{Now, Snapshot};

use super::*;
use crate::mib::LocalFacts;
use crate::notify::ParametersRow;
use crate::usm::{Key, key_change};

/// The engine's administration, and who writes to it.
struct Desk {
    admin: Admin,
    requester: Requester,
}

fn private(name: &str) -> Requester {
    let (model, level) = (SecurityModel::USM, SecurityLevel::AuthPriv);
    Requester { model, security_name: name.into(), level }
}

impl Desk {
    fn new() -> Self {
        static ADMIN: LazyLock<Admin> = LazyLock::new(admin);
        Self { admin: ADMIN.clone(), requester: private("boss") }
    }

    /// Number of the status and of the variable; the change is made if both are 0.
    fn set(&mut self, variables: &[(Vec<u32>, Value)]) -> (i32, usize) {
        let mut registry = Registry::new();
        add_objects(&mut registry);
        let mut local = LocalFacts::default();
        local.engine.admin = self.admin.clone();
        let snapshot = Snapshot::default();
        let context =
            Context { now: Now::default(), snapshot: &snapshot, local: &local, instance: None };
        let mut staging = Staging::new(context, self.requester.clone());
        for (position, (name, value)) in variables.iter().enumerate() {
            staging.turn_to(position);
            let written = registry.set(&mut staging, name, value);
            let written = written.and_then(|()| staging.record(name, value));
            if let Err(status) = written {
                return (status.number(), position + 1);
            }
        }
        match staging.finish() {
            Ok(staged) => {
                if let Some(admin) = staged.admin {
                    self.admin = *admin;
                }
                (0, 0)
            }
            Err(failure) => (failure.status.number(), failure.index),
        }
    }

    /// What there is after a restart with the same configuration.
    fn restart(&mut self) -> Vec<String> {
        let saved = Saved::of(&self.admin);
        let fresh = Self::new();
        let mut again = fresh.admin;
        let problems = saved.clone().restore(&mut again);
        assert_eq!(Saved::of(&again), saved, "what is kept once is kept twice");
        self.admin = again;
        problems
    }

    fn cell(&self, table: &dyn AdminTable, index: &[u32], column: u32) -> Option<Value> {
        table.cell(&self.admin, index, column)
    }
}

const fn int(value: i32) -> Value {
    Value::Integer32(value)
}

fn oid(sub_ids: &[u32]) -> Value {
    Value::ObjectIdentifier(sub_ids.into())
}

fn named(table: &dyn AdminTable, column: u32, index: &[u32]) -> Vec<u32> {
    [table.root(), &[1, column], index].concat()
}

const NOC: &[u32] = &[110, 111, 99];

fn address(column: u32) -> Vec<u32> {
    named(&target::AddressTable, column, NOC)
}

fn parameters(column: u32) -> Vec<u32> {
    named(&target::ParametersTable, column, NOC)
}

const UDP: &[u32] = &[1, 3, 6, 1, 6, 1, 1];

/// The rows of a target, in one request, as Net-SNMP's manual shows them.
fn a_target() -> Vec<(Vec<u32>, Value)> {
    vec![
        (address(9), int(4)),
        (address(2), oid(UDP)),
        (address(3), Value::octets([192, 0, 2, 1, 0, 162])),
        (address(6), Value::octets("urgent all")),
        (address(7), Value::octets("noc")),
        (parameters(7), int(4)),
        (parameters(2), int(1)),
        (parameters(3), int(2)),
        (parameters(4), Value::octets("readers")),
        (parameters(5), int(1)),
        (named(&notify::NotifyTable, 5, NOC), int(4)),
        (named(&notify::NotifyTable, 2, NOC), Value::octets("all")),
    ]
}

#[test]
fn a_target_made_by_set_is_selected_and_survives_a_restart() {
    let mut desk = Desk::new();
    let before = desk.admin.targets.selected().count();
    assert_eq!(desk.set(&a_target()), (0, 0));
    let selected = |desk: &Desk| {
        desk.admin
            .targets
            .selected()
            .filter(|(_, to, ..)| to.to_string() == "192.0.2.1:162")
            .count()
    };
    assert_eq!(selected(&desk), 1);
    assert_eq!(desk.cell(&target::AddressTable, NOC, 4), Some(int(1500)), "the default time-out");
    assert_eq!(desk.cell(&target::AddressTable, NOC, 8), Some(int(3)), "nonVolatile");
    assert_eq!(desk.restart(), Vec::<String>::new());
    assert_eq!((selected(&desk), desk.admin.targets.selected().count()), (1, before + 1));
    // What is volatile does not come back.
    assert_eq!(desk.set(&[(address(8), int(2))]), (0, 0));
    desk.restart();
    assert_eq!(desk.cell(&target::AddressTable, NOC, 8), None);
    assert_eq!(desk.cell(&target::ParametersTable, NOC, 6), Some(int(3)));
}

#[test]
fn values_of_targets_are_checked() {
    let mut desk = Desk::new();
    for (name, value, status) in [
        (address(2), oid(&[1, 3, 6, 1, 6, 1, 2]), 10),
        (address(2), int(1), 7),
        (address(5), int(256), 10),
        (address(6), Value::octets("two  blanks"), 10),
        (address(6), Value::octets(" ends"), 10),
        (address(7), Value::octets([65; 33]), 8),
        (parameters(2), int(4), 10),
        (parameters(3), int(0), 10),
        (parameters(5), int(4), 10),
        (named(&notify::NotifyTable, 2, NOC), Value::octets("two tags"), 10),
        (named(&notify::NotifyTable, 3, NOC), int(3), 10),
        (named(&notify::ProfileTable, 1, NOC), Value::octets(""), 8),
        (named(&notify::FilterTable, 2, &[1, 65, 1, 3]), Value::octets([255; 17]), 8),
        (named(&notify::FilterTable, 5, &[0, 1, 3]), int(4), 11),
        (named(&notify::NotifyTable, 5, &[]), int(4), 11),
        (named(&notify::NotifyTable, 5, &[1; 33]), int(4), 11),
        (named(&community::CommunityTable, 3, NOC), Value::octets("x"), 17),
    ] {
        assert_eq!(desk.set(&[(name.clone(), value.clone())]), (status, 1), "{name:?} {value:?}");
    }
}

#[test]
fn versions_and_models_must_agree() {
    let row = |processing, model, level| ParametersRow {
        processing: Some(processing),
        model: Some(SecurityModel(model)),
        security_name: Some("x".into()),
        level: Some(level),
        ..ParametersRow::default()
    };
    let (none, auth) = (SecurityLevel::NoAuthNoPriv, SecurityLevel::AuthNoPriv);
    for (processing, model, level, resolves) in [
        (0, 1, none, true),
        (1, 2, none, true),
        (3, 3, auth, true),
        (1, 1, none, false),
        (0, 3, none, false),
        (3, 2, none, false),
        (1, 2, auth, false),
        (2, 7, none, false),
    ] {
        assert_eq!(row(processing, model, level).resolved().is_some(), resolves);
    }
    let mut desk = Desk::new();
    let mut request = a_target();
    request[7].1 = int(3);
    assert_eq!(desk.set(&request), (12, 6), "SNMPv2c messages have no users");
}

#[test]
fn what_names_an_active_target_is_fixed() {
    let mut desk = Desk::new();
    assert_eq!(desk.set(&a_target()), (0, 0));
    let moved = (address(3), Value::octets([192, 0, 2, 2, 0, 162]));
    assert_eq!(desk.set(&[(address(5), int(1)), moved.clone()]), (12, 2));
    assert_eq!(desk.set(&[(parameters(5), int(1))]), (12, 1));
    assert_eq!(desk.set(&[(address(4), int(10))]), (0, 0), "the time-out is not");
    assert_eq!(desk.set(&[moved.clone(), (address(9), int(2))]), (0, 0));
    assert_eq!(desk.set(&[(address(3), Value::octets([1, 2])), (address(9), int(1))]), (12, 1));
    assert_eq!(desk.set(&[(address(9), int(1))]), (0, 0));
}

#[test]
fn filters_sort_by_their_implied_subtree() {
    let mut desk = Desk::new();
    let filter = |column, subtree: &[u32]| {
        named(&notify::FilterTable, column, &[&[3], NOC, subtree].concat())
    };
    for subtree in [&[1, 9][..], &[1, 3, 6, 1], &[1]] {
        assert_eq!(desk.set(&[(filter(5, subtree), int(4))]), (0, 0));
    }
    let indexes = notify::FilterTable.indexes(&desk.admin);
    assert!(indexes.is_sorted());
    let ours: Vec<_> = indexes.iter().filter_map(|index| index.strip_prefix(&[3])).collect();
    assert_eq!(ours.iter().map(|index| index.len()).collect::<Vec<_>>(), [4, 7, 5]);
    assert_eq!(desk.restart(), Vec::<String>::new());
}

/// A column of the user `name`.
fn user(column: u32, name: &str) -> Vec<u32> {
    let mut index = Vec::new();
    index::push_name(&mut index, &Name::new(ENGINE_ID));
    index::push_name(&mut index, &name.into());
    named(&usm::UserTable, column, &index)
}

fn pointer(name: &str) -> Value {
    oid(&user(3, name))
}

fn keys(desk: &Desk, name: &str) -> [Key; 2] {
    let user = &desk.admin.users[&Name::from(name)];
    [user.authentication().unwrap().1.clone(), user.privacy().unwrap().1.clone()]
}

const HASH: AuthenticationProtocol = AuthenticationProtocol::Sha512;

/// A new key, and the value that makes it of the old one.
fn changed(old: &Key) -> (Key, Value) {
    let new = Key::new(&vec![7; old.octets().len()]);
    let change = key_change(HASH, old, &new, &vec![9; old.octets().len()]).unwrap();
    (new, Value::octets(change))
}

#[test]
fn a_user_is_cloned_and_gets_keys_of_its_own() {
    let mut desk = Desk::new();
    assert_eq!(desk.set(&[(user(13, "new"), int(4))]), (12, 1), "there is nothing to clone");
    assert_eq!(desk.set(&[(user(13, "new"), int(5))]), (0, 0));
    assert_eq!(desk.set(&[(user(13, "new"), int(1))]), (12, 1));
    let (_, change) = changed(&keys(&desk, "aaa")[0]);
    assert_eq!(desk.set(&[(user(6, "new"), change.clone())]), (18, 1), "inconsistentName");
    assert_eq!(desk.set(&[(user(4, "new"), pointer("nobody"))]), (18, 1));
    assert_eq!(desk.set(&[(user(4, "new"), pointer("new"))]), (18, 1), "it is not active");
    assert_eq!(desk.set(&[(user(4, "new"), pointer("aaa")), (user(13, "new"), int(1))]), (0, 0));
    let old = keys(&desk, "new");
    assert!(old == keys(&desk, "aaa"));
    assert_eq!(desk.set(&[(user(4, "new"), pointer("zz"))]), (0, 0), "later, it does nothing");
    assert!(old == keys(&desk, "new"));
    let [(auth, change_auth), (privacy, change_priv)] = [changed(&old[0]), changed(&old[1])];
    let change = [(user(6, "new"), change_auth), (user(9, "new"), change_priv)];
    assert_eq!(desk.set(&change), (0, 0));
    assert!(keys(&desk, "new") == [auth.clone(), privacy.clone()]);
    assert_eq!(desk.set(&[(user(6, "new"), Value::octets([1; 127]))]), (8, 1), "wrongLength");
    assert_eq!(desk.cell(&usm::UserTable, &user(6, "new")[12..], 6), Some(Value::octets(b"")));
    assert_eq!(desk.restart(), Vec::<String>::new());
    assert!(keys(&desk, "new") == [auth, privacy], "its keys survive");
    assert_eq!(desk.set(&[(user(13, "new"), int(6))]), (0, 0));
    desk.restart();
    assert!(!desk.admin.users.contains_key(&Name::from("new")));
}

#[test]
fn keys_are_written_at_auth_priv_alone() {
    let mut desk = Desk::new();
    assert_eq!(desk.set(&[(user(13, "new"), int(4)), (user(4, "new"), pointer("aaa"))]), (0, 0));
    let (_, change) = changed(&keys(&desk, "new")[0]);
    for level in [SecurityLevel::NoAuthNoPriv, SecurityLevel::AuthNoPriv] {
        desk.requester.level = level;
        assert_eq!(desk.set(&[(user(6, "new"), change.clone())]), (6, 1), "noAccess");
        assert_eq!(desk.set(&[(user(4, "other"), pointer("aaa"))]), (6, 1));
        assert_eq!(desk.set(&[(user(11, "new"), Value::octets("public"))]), (0, 0));
    }
}

#[test]
fn own_keys_are_changed_by_their_user_alone() {
    let mut desk = Desk::new();
    assert_eq!(desk.set(&[(user(13, "new"), int(4)), (user(4, "new"), pointer("aaa"))]), (0, 0));
    let (new, change) = changed(&keys(&desk, "new")[0]);
    let request = [(user(7, "new"), change.clone())];
    assert_eq!(desk.set(&request), (6, 1), "somebody else");
    desk.requester = Requester { model: SecurityModel::SNMPV2C, ..private("new") };
    assert_eq!(desk.set(&request), (6, 1), "by a community of the same name");
    desk.requester = private("new");
    assert_eq!(desk.set(&request), (0, 0));
    assert!(keys(&desk, "new")[0] == new);
    desk.requester = private("boss");
    assert_eq!(desk.set(&[(user(13, "new"), int(2))]), (0, 0));
    desk.requester = private("new");
    let (_, change) = changed(&keys(&desk, "new")[1]);
    assert_eq!(desk.set(&[(user(10, "new"), change)]), (12, 1), "the row is not active");
}

#[test]
fn protocols_can_be_given_up_and_not_chosen() {
    let mut desk = Desk::new();
    assert_eq!(desk.set(&[(user(13, "new"), int(4)), (user(4, "new"), pointer("aaa"))]), (0, 0));
    let auth = |number| oid(&[1, 3, 6, 1, 6, 3, 10, 1, 1, number]);
    let privacy = |number| oid(&[1, 3, 6, 1, 6, 3, 10, 1, 2, number]);
    assert_eq!(desk.set(&[(user(5, "new"), auth(99))]), (10, 1), "wrongValue: not known");
    assert_eq!(desk.set(&[(user(5, "new"), auth(2))]), (12, 1), "inconsistentValue");
    assert_eq!(desk.set(&[(user(8, "new"), privacy(4))]), (12, 1));
    assert_eq!(desk.set(&[(user(5, "new"), auth(1))]), (12, 1), "there is still privacy");
    assert_eq!(desk.set(&[(user(8, "new"), privacy(1)), (user(5, "new"), auth(1))]), (0, 0));
    assert_eq!(desk.set(&[(user(6, "new"), Value::octets(b"x"))]), (0, 0), "no key, no operation");
    assert_eq!(desk.set(&[(user(3, "new"), Value::octets("x"))]), (17, 1), "the name is read-only");
    assert_eq!(desk.set(&[(user(11, "new"), Value::octets([0; 33]))]), (8, 1));
}

#[test]
fn users_of_the_configuration_and_of_other_engines_stay() {
    let mut desk = Desk::new();
    let (_, change) = changed(&keys(&desk, "aaa")[0]);
    assert_eq!(desk.set(&[(user(6, "aaa"), change)]), (17, 1), "readOnly");
    assert_eq!(desk.set(&[(user(13, "aaa"), int(6))]), (12, 1));
    let mut elsewhere = user(13, "new");
    elsewhere[13] = 77;
    assert_eq!(desk.set(&[(elsewhere, int(5))]), (11, 1), "noCreation");
    assert_eq!(
        desk.set(&[(named(&usm::UserTable, 13, &[5, 1, 2, 3, 4, 5, 1, 0xff]), int(5))]),
        (11, 1)
    );
}

#[test]
fn what_is_configured_goes_before_what_was_kept() {
    let mut desk = Desk::new();
    assert_eq!(desk.set(&a_target()), (0, 0));
    let saved = Saved::of(&desk.admin);
    let mut admin = desk.admin.clone();
    admin.targets.addresses.get_mut(&b"noc"[..]).unwrap().storage = StorageType::ReadOnly;
    let problems = saved.restore(&mut admin);
    assert!(problems[0].contains("snmpTargetAddrTable"), "{problems:?}");
    assert_eq!(admin.targets.addresses[&b"noc"[..]].storage, StorageType::ReadOnly);
    let damaged = SavedRow {
        table: "vacmAccessTable".to_owned(),
        index: vec![1, 65, 0, 0, 9],
        columns: Vec::new(),
        status: RowStatus::Active,
    };
    let unknown = SavedRow { table: "ifTable".to_owned(), ..damaged.clone() };
    let saved = Saved { rows: vec![damaged, unknown], ..Saved::default() };
    assert_eq!(saved.restore(&mut admin).len(), 2);
}

#[test]
fn locks_count_and_the_switch_for_traps_is_kept() {
    let mut desk = Desk::new();
    for lock in [
        &[1, 3, 6, 1, 6, 3, 1, 1, 6, 1, 0][..],
        &[1, 3, 6, 1, 6, 3, 12, 1, 1, 0],
        &[1, 3, 6, 1, 6, 3, 15, 1, 2, 1, 0],
        &[1, 3, 6, 1, 6, 3, 16, 1, 5, 1, 0],
    ] {
        assert_eq!(desk.set(&[(lock.to_vec(), int(0))]), (0, 0));
        assert_eq!(desk.set(&[(lock.to_vec(), int(0))]), (12, 1));
    }
    assert_eq!(Saved::of(&desk.admin), Saved::of(&Desk::new().admin), "locks are not kept");
    let traps = vec![1, 3, 6, 1, 2, 1, 11, 30, 0];
    assert_eq!(desk.set(&[(traps, int(1))]), (0, 0));
    desk.restart();
    assert!(desk.admin.authentication_traps);
}

#[test]
fn tables_do_not_grow_without_end() {
    let mut desk = Desk::new();
    for number in 0..1000 {
        let name = format!("user {number}").as_str().into();
        desk.admin.vacm.add_group(SecurityModel::USM, name, "group".into());
    }
    let one = named(&vacm::SecurityToGroupTable, 5, &[&[3, 3], NOC].concat());
    assert_eq!(desk.set(&[(one, int(5))]), (13, 1), "resourceUnavailable");
}
