use std::net::Ipv4Addr;

use wire::{Lifetime, Nai, Spi};

use super::*;
use crate::{
    Advertisement, Algorithm, Association, Batch, Changed, Class, CommitCause, CommitError,
    CommitState, GatewayAssignment, GatewaySetting, Identity, Instance, InstanceState, Origin,
    RegionalForeignAgent, ReplayProtection, Role, StorageType, Store, Unknown, UtcTime,
};

const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);
const FOREIGN_AGENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const NOW: UtcTime = UtcTime(1_700_000_000_000);

fn by(name: &str) -> Changed {
    Changed { by: name.to_owned(), at: NOW }
}

fn wish(confirm_within: Option<u32>) -> Wish {
    Wish { by: by("alice"), reason: Some("a new site".to_owned()), confirm_within }
}

fn gateway(regional_lifetime: u16) -> RegionalValue {
    RegionalValue::Gateway(GatewaySetting {
        regional_lifetime: Some(regional_lifetime),
        ..GatewaySetting::default()
    })
}

fn foreign_agent() -> RegionalValue {
    RegionalValue::ForeignAgent(RegionalForeignAgent {
        nai: Some(Nai::new("fa1@region.example").unwrap()),
        spi: Some(Spi(5000)),
        ..RegionalForeignAgent::beneath(GATEWAY)
    })
}

fn region(regional_lifetime: u16) -> Configuration {
    Configuration(BTreeMap::from([
        (RegionalSubject::Gateway(GATEWAY), gateway(regional_lifetime)),
        (RegionalSubject::ForeignAgent(FOREIGN_AGENT), foreign_agent()),
    ]))
}

async fn edit_to(store: &Store, name: &str, wanted: &Configuration) {
    let batch = edit(name, wanted, &store.snapshot(), (name, &by(name)));
    store.commit(batch).await.unwrap();
}

async fn commit_of(store: &Store, name: &str, confirm_within: Option<u32>) -> RegionalCommitId {
    let commit = commit(name, &store.snapshot(), &wish(confirm_within)).unwrap();
    store.commit(commit.prepared.batch).await.unwrap();
    commit.id
}

#[tokio::test]
async fn a_candidate_is_not_in_force_before_it_is_committed() {
    let store = Store::in_memory();
    edit_to(&store, "alice", &region(600)).await;
    assert_eq!(Configuration::running(&store.snapshot()), Configuration::default());
    assert_eq!(Configuration::of_candidate("alice", &store.snapshot()), region(600));

    let id = commit_of(&store, "alice", None).await;
    let snapshot = store.snapshot();
    assert_eq!(Configuration::running(&snapshot), region(600));
    assert_eq!(snapshot.rows::<CandidateEdit>().len(), 0);
    let row = RegionalCommit::last(&snapshot).unwrap();
    assert_eq!((row.id, row.state, row.changes), (id, CommitState::Confirmed, 2));
    assert_eq!(row.reason.as_deref(), Some("a new site"));
}

#[tokio::test]
async fn an_edit_that_is_taken_back_is_none() {
    let store = Store::in_memory();
    edit_to(&store, "alice", &region(600)).await;
    commit_of(&store, "alice", None).await;
    edit_to(&store, "alice", &region(300)).await;
    assert_eq!(CandidateEdit::of("alice", &store.snapshot()).count(), 1);
    edit_to(&store, "alice", &region(600)).await;
    assert_eq!(CandidateEdit::of("alice", &store.snapshot()).count(), 0);
    let nothing = commit("alice", &store.snapshot(), &wish(None));
    assert!(matches!(nothing, Err(Refusal::Nothing)), "{nothing:?}");
}

#[tokio::test]
async fn of_two_commits_at_once_one_wins_and_the_other_is_told_what_changed() {
    let store = Store::in_memory();
    edit_to(&store, "alice", &region(600)).await;
    edit_to(&store, "bob", &region(300)).await;
    let snapshot = store.snapshot();
    let one = commit("alice", &snapshot, &wish(None)).unwrap();
    let other = commit("bob", &snapshot, &wish(None)).unwrap();
    store.commit(one.prepared.batch).await.unwrap();
    let refused = store.commit(other.prepared.batch).await;
    assert!(matches!(refused, Err(CommitError::Refused(_))), "{refused:?}");
    assert_eq!(Configuration::running(&store.snapshot()), region(600));
    assert_eq!(Configuration::of_candidate("bob", &store.snapshot()), region(300));

    let Err(Refusal::Moved(commits)) = commit("bob", &store.snapshot(), &wish(None)) else {
        panic!("it is based on what is gone");
    };
    let [(row, changes)] = &commits[..] else { panic!("one commit") };
    assert_eq!((row.who.as_str(), changes.len()), ("alice", 2));
    assert_eq!(changes[0].word(), "added");
}

#[tokio::test]
async fn what_is_not_confirmed_is_rolled_back() {
    let store = Store::in_memory();
    edit_to(&store, "alice", &region(600)).await;
    commit_of(&store, "alice", None).await;
    edit_to(&store, "alice", &region(300)).await;
    let id = commit_of(&store, "alice", Some(600)).await;
    let snapshot = store.snapshot();
    let deadline = waiting(&snapshot).unwrap().deadline();
    assert_eq!(deadline, Some(UtcTime(NOW.0 + 600_000)));

    // Nothing else is committed meanwhile.
    edit_to(&store, "bob", &region(200)).await;
    let refused = commit("bob", &store.snapshot(), &wish(None));
    assert!(matches!(refused, Err(Refusal::Unconfirmed(_))), "{refused:?}");

    let cause = CommitCause::NotConfirmed(id);
    let back = roll_back(&store.snapshot(), cause, &wish(None)).unwrap();
    store.commit(back.prepared.batch).await.unwrap();
    let snapshot = store.snapshot();
    assert_eq!(Configuration::running(&snapshot), region(600));
    assert_eq!(snapshot.rows::<RegionalCommit>().get(&id).unwrap().state, CommitState::RolledBack);
    assert_eq!(RegionalCommit::last(&snapshot).unwrap().cause, cause);
    assert!(waiting(&snapshot).is_none());
}

#[tokio::test]
async fn what_is_confirmed_stays() {
    let store = Store::in_memory();
    edit_to(&store, "alice", &region(600)).await;
    commit_of(&store, "alice", Some(60)).await;
    let (_, batch) = confirm(&store.snapshot(), &by("alice")).unwrap();
    let late =
        roll_back(&store.snapshot(), CommitCause::NotConfirmed(RegionalCommitId(1)), &wish(None));
    store.commit(batch).await.unwrap();
    let refused = store.commit(late.unwrap().prepared.batch).await;
    assert!(matches!(refused, Err(CommitError::Refused(_))), "the confirmation was faster");
    assert!(matches!(confirm(&store.snapshot(), &by("bob")), Err(Refusal::NoneUnconfirmed)));
}

#[tokio::test]
async fn history_leads_back_to_any_commit() {
    let store = Store::in_memory();
    for lifetime in [600, 500, 400] {
        edit_to(&store, "alice", &region(lifetime)).await;
        commit_of(&store, "alice", None).await;
    }
    let snapshot = store.snapshot();
    let after = |id| Configuration::after(RegionalCommitId(id), &snapshot);
    assert_eq!(after(0), Some(Configuration::default()));
    assert_eq!(
        (after(1), after(2), after(3)),
        (Some(region(600)), Some(region(500)), Some(region(400)))
    );
    assert_eq!(after(4), None);

    let back = roll_back_to(RegionalCommitId(1), &snapshot, &wish(None)).unwrap();
    store.commit(back.prepared.batch).await.unwrap();
    assert_eq!(Configuration::running(&store.snapshot()), region(600));
    let again = roll_back_to(RegionalCommitId(1), &store.snapshot(), &wish(None));
    assert!(matches!(again, Err(Refusal::Nothing)), "{again:?}");
}

#[tokio::test]
async fn old_history_is_forgotten_and_says_so() {
    let store = Store::in_memory();
    let kept = u16::try_from(RegionalCommit::KEPT_MAX).unwrap();
    for lifetime in 1..=kept + 2 {
        edit_to(&store, "alice", &region(lifetime)).await;
        commit_of(&store, "alice", None).await;
    }
    while let Some(batch) = forget(&store.snapshot()) {
        store.commit(batch).await.unwrap();
    }
    let snapshot = store.snapshot();
    assert_eq!(snapshot.rows::<RegionalCommit>().len(), RegionalCommit::KEPT_MAX);
    assert_eq!(Configuration::after(RegionalCommitId(1), &snapshot), None);
    assert_eq!(Configuration::after(RegionalCommitId(2), &snapshot), Some(region(2)));
}

#[tokio::test]
async fn rows_of_the_file_are_the_files() {
    let store = Store::in_memory();
    let mut batch = Batch::new(Class::Durable);
    batch.put(Regional {
        address: GATEWAY,
        value: gateway(600),
        origin: Origin::File,
        storage: StorageType::ReadOnly,
        instance: Some("gw".to_owned()),
        changed: None,
        unknown: Unknown::default(),
    });
    store.commit(batch).await.unwrap();
    edit_to(&store, "alice", &region(300)).await;
    let refused = commit("alice", &store.snapshot(), &wish(None));
    assert!(matches!(&refused, Err(Refusal::Invalid(why)) if why.field == "origin"), "{refused:?}");
}

#[test]
fn differences_name_fields() {
    let differences = region(600).differences(&region(300));
    let [difference] = &differences[..] else { panic!("one agent differs") };
    assert_eq!((difference.word(), difference.subject.address()), ("changed", GATEWAY));
    let field = FieldDifference {
        field: "regional-lifetime",
        before: Some("600".to_owned()),
        after: Some("300".to_owned()),
    };
    assert_eq!(difference.fields(), [field]);
}

fn words(problems: &[Problem]) -> Vec<&str> {
    problems.iter().map(|problem| problem.what.as_str()).collect()
}

#[test]
fn a_region_that_cannot_work_is_refused_as_it_stands() {
    let mut without = region(600);
    without.set(RegionalSubject::Gateway(GATEWAY), None);
    assert_eq!(words(&structure(&without)), ["there is no gateway 192.0.2.9"]);

    let mut dynamic = region(600);
    let mut it = RegionalForeignAgent::beneath(GATEWAY);
    it.assignment = GatewayAssignment::Dynamic;
    let subject = RegionalSubject::ForeignAgent(FOREIGN_AGENT);
    dynamic.set(subject, Some(RegionalValue::ForeignAgent(it)));
    assert!(words(&structure(&dynamic))[0].contains("is not `dynamic`"));

    let mut both = region(600);
    both.set(RegionalSubject::Gateway(FOREIGN_AGENT), Some(gateway(1)));
    assert!(words(&structure(&both))[0].contains("an address of its own"));

    let outlives = RegionalValue::Gateway(GatewaySetting {
        lifetime: Some(300),
        regional_lifetime: Some(301),
        ..GatewaySetting::default()
    });
    let mut long = region(600);
    long.set(RegionalSubject::Gateway(GATEWAY), Some(outlives));
    assert_eq!(
        words(&structure(&long)),
        ["`regional_lifetime`: more than `lifetime`, which is 300 s"]
    );
}

fn instance(name: &str, role: Role, address: Ipv4Addr) -> Instance {
    Instance {
        name: name.to_owned(),
        roles: vec![role],
        addresses: vec![address],
        version: "1".to_owned(),
        process_id: 1,
        started_at: NOW,
        heartbeat_at: NOW,
        clock_step: 0,
        state: InstanceState::Serving,
        applied_revision: 0,
        apply_error: None,
        apply_errors: BTreeMap::new(),
        clock_health: None,
        unknown: Unknown::default(),
    }
}

fn association(peer: Ipv4Addr, role: Role) -> Association {
    Association {
        peer: Identity::Address(peer),
        spi: Spi(5000),
        reserved_spi: false,
        keyless: false,
        algorithm: Algorithm::HmacMd5,
        replay: ReplayProtection::None,
        tolerance: 7,
        origin: Origin::Cli,
        storage: StorageType::NonVolatile,
        active: true,
        role,
        instance: None,
        changed: None,
        unknown: Unknown::default(),
    }
}

/// A network in which [`region`] works.
async fn network() -> Store {
    let store = Store::in_memory();
    let mut batch = Batch::new(Class::Durable);
    batch.put(instance("gw", Role::Gateway, GATEWAY));
    batch.put(instance("fa", Role::ForeignAgent, FOREIGN_AGENT));
    batch.put(association(FOREIGN_AGENT, Role::Gateway));
    batch.put(association(GATEWAY, Role::ForeignAgent));
    store.commit(batch).await.unwrap();
    store
}

#[tokio::test]
async fn a_region_is_checked_against_what_runs() {
    let store = network().await;
    let check = |store: &Store| problems(&region(600), &store.snapshot(), NOW);
    assert_eq!(words(&check(&store)), Vec::<&str>::new());

    let late = problems(&region(600), &store.snapshot(), UtcTime(NOW.0 + 4000));
    assert_eq!(words(&late)[0], "`gw` does not serve: it is silent for 4 s");

    let mut batch = Batch::new(Class::Durable);
    batch.delete::<Instance>("fa".to_owned());
    batch.put(Association {
        algorithm: Algorithm::HmacSha256,
        ..association(GATEWAY, Role::ForeignAgent)
    });
    store.commit(batch).await.unwrap();
    let found = check(&store);
    let subject = RegionalSubject::ForeignAgent(FOREIGN_AGENT);
    assert!(found.iter().all(|it| it.subject == subject && it.severity == Severity::Error));
    assert_eq!(
        words(&found),
        [
            "no daemon is a foreign-agent at 192.0.2.1",
            "the associations with 192.0.2.9, SPI 5000, have different algorithms",
        ]
    );

    let mut batch = Batch::new(Class::Durable);
    batch.delete::<Association>(association(GATEWAY, Role::ForeignAgent).key());
    batch.put(Association { active: false, ..association(FOREIGN_AGENT, Role::Gateway) });
    store.commit(batch).await.unwrap();
    let found = check(&store);
    assert_eq!(
        words(&found)[1..],
        [
            "gateways have only an inactive association with 192.0.2.1, SPI 5000",
            "foreign agents have no association with 192.0.2.9, SPI 5000",
        ]
    );
}

#[tokio::test]
async fn a_regional_lifetime_longer_than_registrations_is_found() {
    let store = network().await;
    let mut batch = Batch::new(Class::Durable);
    batch.put(Advertisement {
        instance: "fa".to_owned(),
        role: Role::ForeignAgent,
        interface: 2,
        source: FOREIGN_AGENT,
        destination: Ipv4Addr::BROADCAST,
        sequence_number: 0,
        flags: 0,
        registration_lifetime: Lifetime(300),
        lifetime: 30,
        care_of_addresses: vec![FOREIGN_AGENT],
        routers: Vec::new(),
        prefix_lengths: Vec::new(),
        network_nai: None,
        at: None,
        schedule: None,
        unknown: Unknown::default(),
    });
    store.commit(batch).await.unwrap();
    let found = problems(&region(600), &store.snapshot(), NOW);
    assert!(words(&found)[0].contains("advertises registrations of at most 300 s"), "{found:?}");
    assert!(problems(&region(300), &store.snapshot(), NOW).is_empty());
}

#[test]
fn operators_add_to_history_and_change_none_of_it() {
    let commit = RegionalCommit {
        id: RegionalCommitId(7),
        cause: CommitCause::Candidate,
        who: "alice".to_owned(),
        at: NOW,
        reason: None,
        changes: 1,
        confirm_within: Some(60),
        state: CommitState::Unconfirmed,
        ended_by: None,
        unknown: Unknown::default(),
    };
    assert_eq!(RegionalCommit::admits(None, &commit), Ok(()));
    let confirmed = RegionalCommit { state: CommitState::Confirmed, ..commit.clone() };
    assert_eq!(RegionalCommit::admits(Some(&commit), &confirmed), Ok(()));
    assert!(RegionalCommit::admits(Some(&confirmed), &commit).is_err(), "it has ended");
    let other = RegionalCommit { who: "bob".to_owned(), ..confirmed.clone() };
    assert!(RegionalCommit::admits(Some(&commit), &other).is_err());
    let longer = RegionalCommit { confirm_within: Some(9_000_000), ..commit.clone() };
    assert!(RegionalCommit::admits(None, &longer).is_err());
    let daemons =
        RegionalCommit { cause: CommitCause::NotConfirmed(RegionalCommitId(6)), ..confirmed };
    assert!(RegionalCommit::admits(None, &daemons).is_err());
}

#[test]
fn rows_are_kept_as_they_are_written() {
    let text = r#"{"address":"192.0.2.9","gateway":{"regional_lifetime":600,"replay":"any","dynamic":true,"colour":"green"},"origin":"cli","storage":"non-volatile","shape":"round"}"#;
    let row: Regional = serde_json::from_str(text).unwrap();
    assert_eq!(row.key(), RegionalSubject::Gateway(GATEWAY));
    assert_eq!(row.unknown.get("shape").unwrap(), "round");
    assert_eq!(serde_json::to_string(&row).unwrap(), text);
}
