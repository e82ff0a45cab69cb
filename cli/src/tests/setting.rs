use std::rc::Rc;

use store::wire::Lifetime;
use store::{
    Advertisement, AdvertisementSchedule, AnyRow, CareOfAddress, Change, Instance, Origin, Role,
    Scope, Setting, SettingIndex, SettingValue, StorageType, Unknown,
};

use super::{on, snapshot};
use crate::failure::ExitStatus;
use crate::fixture::{Fake, home_agent_instance};

/// The network, with a foreign agent that advertises on interface 2, and a mobile node.
fn network() -> Fake {
    let mut fake = Fake::whole_network();
    fake.put(Instance {
        name: "fa@gate".to_owned(),
        roles: vec![Role::ForeignAgent],
        addresses: vec![[203, 0, 113, 1].into()],
        ..home_agent_instance()
    });
    fake.put(Instance {
        name: "mn@van".to_owned(),
        roles: vec![Role::MobileNode],
        addresses: Vec::new(),
        ..home_agent_instance()
    });
    fake.put(Advertisement {
        instance: "fa@gate".to_owned(),
        role: Role::ForeignAgent,
        interface: 2,
        source: [203, 0, 113, 1].into(),
        destination: [224, 0, 0, 1].into(),
        sequence_number: 7,
        flags: 0x1000,
        registration_lifetime: Lifetime(1800),
        lifetime: 1800,
        care_of_addresses: vec![[203, 0, 113, 1].into()],
        routers: Vec::new(),
        prefix_lengths: Vec::new(),
        network_nai: None,
        at: None,
        schedule: Some(AdvertisementSchedule {
            interval_max: 600,
            interval_min: 450,
            solicited_only: false,
            suspended: false,
        }),
        unknown: Unknown::default(),
    });
    fake
}

/// What a line commits, which has to succeed.
fn changes(fake: Fake, line: &str) -> Vec<Change> {
    let told = Rc::clone(&fake.told);
    let done = on(fake, line, "");
    assert_eq!(done.status, ExitStatus::Success, "{line}: {done}");
    let told = told.borrow();
    let [batch] = &told.committed[..] else { panic!("{line}: one commit") };
    batch.changes.clone()
}

/// The settings that a line writes.
fn written(fake: Fake, line: &str) -> Vec<Setting> {
    let rows = changes(fake, line).into_iter().map(|change| match change {
        // Who runs the tests is of no interest.
        Change::Put(AnyRow::Setting(row)) => Setting { changed: None, ..Setting::clone(&row) },
        other => panic!("{line}: {other:?}"),
    });
    rows.collect()
}

fn instance(name: &str) -> Scope {
    Scope::Instance(name.to_owned())
}

#[test]
fn agents_are_switched_like_managers_switch_them() {
    let rows = written(network(), "setting set enabled no");
    let scopes: Vec<Scope> = rows.iter().map(|row| row.scope.clone()).collect();
    assert_eq!(scopes, [Scope::Role(Role::HomeAgent), Scope::Role(Role::ForeignAgent)]);
    for row in &rows {
        assert_eq!(row.value, SettingValue::Enabled { enabled: false });
        assert_eq!((row.origin, row.storage), (Origin::Cli, StorageType::NonVolatile));
    }
    let [row] =
        &written(network(), "setting set enabled yes --instance fa@gate --until-restart")[..]
    else {
        panic!("one row")
    };
    assert_eq!((&row.scope, row.storage), (&instance("fa@gate"), StorageType::Volatile));
    snapshot!("setting_set_enabled", on(network(), "setting set enabled no", ""));
}

#[test]
fn an_interface_is_changed_where_it_is_advertised_on() {
    let line = "setting set advertisement 2 --interval-max 30 --interval-min 20 --lifetime 90";
    let [row] = &written(network(), line)[..] else { panic!("one row") };
    assert_eq!((&row.scope, row.active), (&instance("fa@gate"), true));
    assert_eq!(row.index, Some(SettingIndex::Interface(2)));
    let SettingValue::Advertisement(values) = &row.value else { panic!("{row:?}") };
    assert_eq!((values.interval_max, values.interval_min, values.lifetime), (30, 20, 90));
    // What was not said stays.
    assert_eq!((values.registration_lifetime, values.foreign_agent), (1800, true));
    assert!(!values.home_agent);

    // And from what was written last time.
    let mut fake = network();
    fake.put(row.clone());
    let again = written(fake, "setting set advertisement 2 --active no");
    let SettingValue::Advertisement(values) = &again[0].value else { panic!("{again:?}") };
    assert_eq!((values.interval_max, again[0].active), (30, false));

    let required = written(network(), "setting set registration-required 2 yes");
    assert_eq!(required[0].value, SettingValue::RegistrationRequired { required: true });
}

/// The same validation as that of managers: `agent/src/mib/tests/writes.rs` has theirs.
#[test]
fn what_managers_are_refused_is_refused_here() {
    for (line, status, words) in [
        ("set advertisement 2 --interval-max 3", ExitStatus::Refused, "`interval_max`: from 4"),
        ("set advertisement 2 --lifetime 30", ExitStatus::Refused, "less than `interval_max`"),
        ("set advertisement 2 --destination 10.0.0.1", ExitStatus::Refused, "224.0.0.1"),
        ("set advertisement 2 --home-agent yes", ExitStatus::Refused, "no home agent advertises"),
        ("set advertisement 2", ExitStatus::Usage, "must be given"),
        ("set advertisement 3 --lifetime 30", ExitStatus::NothingMatched, "on interface 3"),
        ("set notification-gate clock --per-minute 0", ExitStatus::Refused, "from 1 to 60000"),
        ("set notification-gate weather --open no", ExitStatus::Usage, "possible words"),
        ("set notification-gate clock", ExitStatus::Usage, "--open"),
        ("set home-agent 224.0.0.1", ExitStatus::Refused, "is no host's"),
        ("set care-of-address 0.0.0.0", ExitStatus::Refused, "is no host's"),
        ("set violation 10.99.0.99", ExitStatus::NothingMatched, "nobody has caught"),
        ("set enabled no --instance nobody", ExitStatus::NothingMatched, "no instance `nobody`"),
        ("unset home-agent 192.0.2.9", ExitStatus::NothingMatched, "no such setting"),
    ] {
        let fake = network();
        let told = Rc::clone(&fake.told);
        let done = on(fake, &format!("setting {line}"), "");
        assert_eq!(done.status, status, "{line}: {done}");
        assert!(done.err.contains(words), "{line}: {done}");
        assert!(told.borrow().committed.is_empty(), "{line}");
    }
    let lonely = on(Fake::network(), "setting set home-agent 192.0.2.9", "");
    assert_eq!(lonely.status, ExitStatus::NothingMatched, "{lonely}");
    assert!(lonely.err.contains("no mobile node"), "{lonely}");
}

#[test]
fn a_care_of_address_is_of_the_nearest_foreign_agent() {
    let changes = changes(network(), "setting set care-of-address 203.0.113.9");
    let [Change::Put(AnyRow::CareOfAddress(row))] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!((row.instance.as_str(), row.active), ("fa@gate", true));
    let mut fake = network();
    fake.put(CareOfAddress::clone(row));
    let done = on(fake, "setting unset care-of-address 203.0.113.9", "");
    assert_eq!(done.status, ExitStatus::Success, "{done}");
    let mut fake = network();
    fake.put(CareOfAddress { origin: Origin::File, ..CareOfAddress::clone(row) });
    let done = on(fake, "setting unset care-of-address 203.0.113.9", "");
    assert_eq!(done.status, ExitStatus::Refused, "{done}");
    assert!(done.err.contains("belongs to the configuration file"), "{done}");
}

#[test]
fn home_agents_offenders_and_gates() {
    let rows = written(network(), "setting set home-agent 192.0.2.9");
    assert_eq!(rows[0].scope, Scope::Role(Role::MobileNode));
    assert_eq!(rows[0].index, Some(SettingIndex::Address([192, 0, 2, 9].into())));

    let rows = written(network(), "setting set violation 10.99.0.66");
    assert_eq!((&rows[0].scope, rows[0].storage), (&instance("ha@gate"), StorageType::Volatile));

    let rows = written(network(), "setting set notification-gate regional --open no");
    assert_eq!(rows[0].scope, Scope::Role(Role::Snmp));
    assert_eq!(rows[0].value, SettingValue::NotificationGate { open: false, per_minute: 600 });
    let mut fake = network();
    fake.put(rows[0].clone());
    let rows = written(fake, "setting set notification-gate regional --per-minute 6");
    assert_eq!(rows[0].value, SettingValue::NotificationGate { open: false, per_minute: 6 });
}

#[test]
fn unset_ends_what_was_set_for_whomever_it_was() {
    let mut fake = network();
    for row in written(network(), "setting set enabled no") {
        fake.put(row);
    }
    for row in written(network(), "setting set enabled no --instance fa@gate") {
        fake.put(row);
    }
    snapshot!("setting_list", on(fake, "setting list", ""));
    let mut fake = network();
    for row in written(network(), "setting set enabled no") {
        fake.put(row);
    }
    let one = on(fake, "setting unset enabled --instance fa@gate", "");
    assert_eq!(one.status, ExitStatus::NothingMatched, "{one}");
    let mut fake = network();
    for row in written(network(), "setting set enabled no") {
        fake.put(row);
    }
    snapshot!("setting_unset_enabled", on(fake, "setting unset enabled", ""));
}

#[test]
fn a_setting_on_which_nobody_acts_is_told_of() {
    let mut fake = network();
    let path = "/mip4/config/instance=fa@gate/enabled".to_owned();
    fake.apply_errors.insert(path, "it is busy".to_owned());
    let done = on(fake, "setting set enabled no --instance fa@gate", "");
    assert_eq!(done.status, ExitStatus::PartlyFailed, "{done}");
    assert!(done.err.contains("does not act on it: it is busy"), "{done}");
}
