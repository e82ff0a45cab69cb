use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use wire::Spi;

use super::*;
use crate::{
    AdvertisementSetting, Algorithm, Batch, Class, CommitError, Identity, Instance, InstanceState,
    ReplayProtection, Revision, Row, Scope, SettingIndex, SettingValue, Snapshot, Store, Unknown,
    UtcTime,
};

fn association(origin: Origin, storage: StorageType) -> Association {
    Association {
        peer: Identity::Address(Ipv4Addr::new(10, 0, 0, 1)),
        spi: Spi(1000),
        reserved_spi: false,
        keyless: false,
        algorithm: Algorithm::HmacMd5,
        replay: ReplayProtection::Timestamps,
        tolerance: 7,
        origin,
        storage,
        active: true,
        role: Role::HomeAgent,
        instance: None,
        changed: None,
        unknown: Unknown::default(),
    }
}

fn setting(value: SettingValue, index: Option<SettingIndex>) -> Setting {
    Setting {
        scope: Scope::Instance("ha1".to_owned()),
        index,
        value,
        origin: Origin::Cli,
        storage: StorageType::NonVolatile,
        active: true,
        instance: None,
        changed: None,
        unknown: Unknown::default(),
    }
}

fn instance(name: &str, role: Role) -> Instance {
    Instance {
        name: name.to_owned(),
        roles: vec![role],
        addresses: Vec::new(),
        version: "1".to_owned(),
        process_id: 1,
        started_at: UtcTime(0),
        heartbeat_at: utc_now(),
        clock_step: 0,
        state: InstanceState::Serving,
        applied_revision: 0,
        apply_error: None,
        apply_errors: BTreeMap::new(),
        clock_health: None,
        unknown: Unknown::default(),
    }
}

fn utc_now() -> UtcTime {
    application::utc_now()
}

fn with<R: Row>(row: R) -> Snapshot {
    let mut snapshot = Snapshot { revision: Revision(4), ..Snapshot::default() };
    let mut batch = Batch::new(Class::Durable);
    batch.put(row);
    snapshot.tables.apply(&batch, Revision(4));
    snapshot
}

/// The field that a row is refused for.
fn fault(row: &dyn Configuration) -> Option<&'static str> {
    row.validate().err().map(|invalid| invalid.field)
}

#[test]
fn associations_are_refused_for_the_field_that_is_wrong() {
    let good = association(Origin::Cli, StorageType::NonVolatile);
    assert_eq!(fault(&good), None);
    let peer = |address| Association { peer: Identity::Address(address), ..good.clone() };
    assert_eq!(fault(&peer(Ipv4Addr::UNSPECIFIED)), Some("peer"));
    assert_eq!(fault(&peer(Ipv4Addr::new(224, 0, 0, 1))), Some("peer"));
    assert_eq!(fault(&Association { spi: Spi(255), ..good.clone() }), Some("spi"));
    let wanted = Association { spi: Spi(255), reserved_spi: true, ..good.clone() };
    assert_eq!(fault(&wanted), None, "somebody insists");
    assert_eq!(fault(&Association { tolerance: 2, ..good.clone() }), Some("tolerance"));
    let nonces = Association { replay: ReplayProtection::Nonces, tolerance: 0, ..good };
    assert_eq!(fault(&nonces), None, "nonces have no tolerance");
    let file = association(Origin::File, StorageType::ReadOnly);
    assert_eq!(fault(&Association { tolerance: 1, ..file.clone() }), None);
    assert_eq!(fault(&Association { tolerance: 0, ..file }), Some("tolerance"));
}

#[test]
fn settings_are_refused_for_the_field_that_is_wrong() {
    let interface = Some(SettingIndex::Interface(2));
    let advertisement = |change: fn(&mut AdvertisementSetting)| {
        let mut values = AdvertisementSetting::default();
        change(&mut values);
        fault(&setting(SettingValue::Advertisement(values), Some(SettingIndex::Interface(2))))
    };
    assert_eq!(advertisement(|_| ()), None);
    assert_eq!(advertisement(|it| it.registration_lifetime = 0), Some("registration_lifetime"));
    assert_eq!(advertisement(|it| it.interval_max = 3), Some("interval_max"));
    assert_eq!(advertisement(|it| it.interval_min = 700), Some("interval_min"));
    assert_eq!(advertisement(|it| it.lifetime = 500), Some("lifetime"));
    assert_eq!(advertisement(|it| it.lifetime = 9001), Some("lifetime"));
    assert_eq!(advertisement(|it| it.destination = Ipv4Addr::LOCALHOST), Some("destination"));
    let enabled = SettingValue::Enabled { enabled: true };
    assert_eq!(fault(&setting(enabled.clone(), None)), None);
    assert_eq!(fault(&setting(enabled, interface.clone())), Some("index"));
    let window = SettingValue::ChallengeWindow { window: 0 };
    assert_eq!(fault(&setting(window, interface)), Some("window"));
    let address = Some(SettingIndex::Address(Ipv4Addr::BROADCAST));
    assert_eq!(fault(&setting(SettingValue::HomeAgent {}, address)), Some("index"));
    let other = SettingValue::Other { kind: "of-tomorrow".to_owned(), values: BTreeMap::new() };
    assert_eq!(fault(&setting(other, None)), Some("kind"));
}

/// What may be done: rows are (origin, storage) of what is there, columns what is wanted.
#[test]
fn origin_and_storage_decide_what_may_be_done() {
    use Origin::{Cli, File, Snmp};
    use StorageType::{NonVolatile, Permanent, ReadOnly, Volatile};
    let wanted = [None, Some(Volatile), Some(NonVolatile), Some(Permanent), Some(ReadOnly)];
    for (old, expected) in [
        (None, "ooo.."),
        (Some((Cli, Volatile)), "ooo.."),
        (Some((Snmp, NonVolatile)), "ooo.."),
        (Some((Cli, Permanent)), "...o."),
        (Some((Cli, ReadOnly)), "....."),
        (Some((File, ReadOnly)), "....."),
        (Some((File, NonVolatile)), "....."),
    ] {
        let old = old.map(|(origin, storage)| association(origin, storage));
        let marks = wanted.map(|storage| {
            let new = storage.map(|storage| association(Cli, storage));
            if admit(old.as_ref(), new.as_ref(), Cli).is_ok() { 'o' } else { '.' }
        });
        assert_eq!(marks.iter().collect::<String>(), expected, "{old:?}");
    }
    let lie = association(File, NonVolatile);
    assert_eq!(admit(None, Some(&lie), Cli).unwrap_err().field, "origin");
    assert!(admit(Some(&association(Cli, Permanent)), None, File).is_ok(), "the file decides");
}

#[test]
fn a_proposal_compares_what_it_read_and_sees_what_it_did() {
    let snapshot = with(association(Origin::Snmp, StorageType::NonVolatile));
    let key = association(Origin::Cli, StorageType::Volatile).key();
    let mut proposal = Proposal::new(&snapshot, Origin::Cli);
    assert!(proposal.is_empty());
    let twice = proposal.create(association(Origin::Cli, StorageType::Volatile)).unwrap_err();
    assert_eq!(twice.kind, InvalidKind::Name);
    let mut changed = Association::clone(&proposal.row::<Association>(&key).unwrap());
    changed.tolerance = 20;
    proposal.replace(changed).unwrap();
    assert_eq!(proposal.row::<Association>(&key).unwrap().tolerance, 20);
    assert_eq!(proposal.row::<Association>(&key).unwrap().origin, Origin::Cli, "who wrote it last");
    assert!(proposal.delete::<Association>(&key).unwrap());
    assert!(!proposal.delete::<Association>(&key).unwrap(), "it is gone already");
    proposal.create(association(Origin::Cli, StorageType::Volatile)).unwrap();
    let prepared = proposal.prepare();
    assert_eq!(prepared.batch.compares.len(), 1);
    assert_eq!(prepared.batch.compares[0].expect, crate::Expect::Modified(Revision(4)));
    assert_eq!(prepared.batch.changes.len(), 3);
    assert_eq!(prepared.concerns, Prepared::of(prepared.batch.clone(), &snapshot).concerns);
}

#[tokio::test]
async fn a_change_is_refused_if_what_it_read_has_changed() {
    let store = Store::in_memory();
    let snapshot = store.snapshot();
    let prepare = || {
        let mut proposal = Proposal::new(&snapshot, Origin::Cli);
        proposal.create(association(Origin::Cli, StorageType::Volatile)).unwrap();
        proposal.prepare()
    };
    store.commit(prepare().batch).await.unwrap();
    let late = store.commit(prepare().batch).await.unwrap_err();
    assert!(matches!(late, CommitError::Refused(_)), "{late}");
}

#[tokio::test]
async fn a_change_is_done_when_those_whom_it_concerns_act_on_it() {
    let store = Store::in_memory();
    let put = async |row: Instance| {
        let mut batch = Batch::default();
        batch.put(row);
        store.commit(batch).await.unwrap();
    };
    put(instance("ha1", Role::HomeAgent)).await;
    put(instance("fa1", Role::ForeignAgent)).await;
    put(Instance { state: InstanceState::Gone, ..instance("ha2", Role::HomeAgent) }).await;
    put(Instance { heartbeat_at: UtcTime(1), ..instance("ha3", Role::HomeAgent) }).await;
    let snapshot = store.snapshot();
    let mut proposal = Proposal::new(&snapshot, Origin::Cli);
    proposal.create(association(Origin::Cli, StorageType::Volatile)).unwrap();
    let Prepared { batch, concerns } = proposal.prepare();
    let revision = store.commit(batch).await.unwrap();
    let early = store.applied(&concerns, revision, Duration::from_millis(20)).await;
    let waiting = Application { waiting: vec!["ha1".to_owned()], ..Application::default() };
    assert_eq!(early, waiting, "others play another role, are gone, or silent");

    let waiter = tokio::spawn({
        let (store, concerns) = (store.clone(), concerns.clone());
        async move { store.applied(&concerns, revision, Duration::from_secs(30)).await }
    });
    let path = "/mip4/associations/address=10.0.0.1/1000";
    let errors = |path: &str| BTreeMap::from([(path.to_owned(), "it has no key".to_owned())]);
    let applied_revision = revision.0;
    let row = Instance { applied_revision, ..instance("ha1", Role::HomeAgent) };
    put(Instance { apply_errors: errors(path), ..row.clone() }).await;
    let failed = waiter.await.unwrap();
    assert_eq!(failed.failed, [("ha1".to_owned(), "it has no key".to_owned())]);

    put(Instance { apply_errors: errors("/etc/mip4d.toml"), ..row }).await;
    let applied = store.applied(&concerns, revision, Duration::from_secs(30)).await;
    assert_eq!(applied.applied, ["ha1"], "an error of something else is none of this");
}
