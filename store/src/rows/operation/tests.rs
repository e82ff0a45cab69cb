use std::net::Ipv4Addr;

use super::*;
use crate::testing::binding;
use crate::{Batch, Binding, Tables};

const HOME_AGENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

fn operation(selector: OperationSelector) -> Operation {
    Operation {
        id: OperationId(1),
        action: OperationAction::RevokeBindings { inform: None },
        selector,
        counted_at: Revision::default(),
        maximum: 10,
        owners: Vec::new(),
        deadline: None,
        rate: None,
        reason: None,
        who: "root".to_owned(),
        created_at: UtcTime(0),
        wish: OperationWish::Run,
        state: OperationState::Pending,
        finished_at: None,
        error: None,
        unknown: Unknown::default(),
    }
}

fn snapshot(rows: impl IntoIterator<Item = (Binding, u64)>) -> Snapshot {
    let mut tables = Tables::default();
    let mut newest = Revision::default();
    for (row, revision) in rows {
        let mut batch = Batch::default();
        batch.put(row);
        tables.apply(&batch, Revision(revision));
        newest = newest.max(Revision(revision));
    }
    Snapshot { revision: newest, tables }
}

#[test]
fn selectors_have_words() {
    let words = "home-address=10.0.0.1/32 nai=*@one.example nai=b? care-of=192.0.2.0/24 \
                 home-agent=10.0.0.1 foreign-agent=192.0.2.1 network=10.0.0.0/8 all";
    let selector: OperationSelector = words.parse().unwrap();
    assert_eq!(selector.to_string(), words);
    assert_eq!(
        "care-of=192.0.2.7".parse::<OperationSelector>().unwrap().to_string(),
        "care-of=192.0.2.7/32"
    );
    assert!(!"".parse::<OperationSelector>().unwrap().is_given());
    for wrong in
        ["everything", "all=1", "nai=", "home-agent=10.0.0.0/8", "network=10.0.0.0/33", "="]
    {
        assert!(wrong.parse::<OperationSelector>().is_err(), "{wrong}");
    }
}

#[test]
fn what_came_to_be_after_the_count_is_no_target() {
    let rows = [
        (binding(1, HOME_AGENT, Some("a@one.example")), 1),
        (binding(2, HOME_AGENT, Some("b@two.example")), 2),
        (binding(3, HOME_AGENT, Some("c@one.example")), 3),
    ];
    let snapshot = snapshot(rows);
    let selector =
        OperationSelector { nais: vec!["*@one.example".to_owned()], ..Default::default() };
    let mut operation = operation(selector);
    assert_eq!(operation.targets(&snapshot, Revision(2)).len(), 1);
    let counts = operation.count(&snapshot);
    assert_eq!(counts.iter().map(|(_, count)| count).sum::<usize>(), 2);
    assert_eq!(operation.owners.len(), 1);
    assert_eq!(operation.counted_at, Revision(3));
}

#[test]
fn an_empty_selector_selects_nothing() {
    let snapshot = snapshot([(binding(1, HOME_AGENT, None), 1)]);
    let none = operation(OperationSelector::default());
    assert!(none.targets(&snapshot, Revision(9)).is_empty());
    assert!(none.check().is_err());
    let all = operation(OperationSelector { all: true, ..Default::default() });
    assert_eq!(all.targets(&snapshot, Revision(9)).len(), 1);
    assert!(all.check().is_ok());
}

#[test]
fn operators_change_the_wish_and_nothing_else() {
    let all = OperationSelector { all: true, ..Default::default() };
    let old = operation(all);
    let paused = Operation { wish: OperationWish::Pause, ..old.clone() };
    assert!(Operation::admits(Some(&old), &paused).is_ok());
    let more = Operation { maximum: 1000, ..old.clone() };
    assert!(Operation::admits(Some(&old), &more).is_err());
    let ended = Operation { state: OperationState::Done, ..old.clone() };
    assert!(Operation::admits(None, &ended).is_err());
    let cancelled = Operation { wish: OperationWish::Cancel, ..ended.clone() };
    assert!(Operation::admits(Some(&ended), &cancelled).is_err());
}

#[test]
fn a_drain_that_is_done_can_be_cancelled_once() {
    let selector = OperationSelector { home_agents: vec![HOME_AGENT], ..Default::default() };
    let action = OperationAction::Drain { alternate: None, redirect: false };
    let done = Operation { action, state: OperationState::Done, ..operation(selector) };
    let cancelled = Operation { wish: OperationWish::Cancel, ..done.clone() };
    assert!(Operation::admits(Some(&done), &cancelled).is_ok());
    assert!(Operation::admits(Some(&cancelled), &done).is_err(), "it does not come back");
    let paused = Operation { wish: OperationWish::Pause, ..done.clone() };
    assert!(Operation::admits(Some(&done), &paused).is_err());
    let failed = Operation { state: OperationState::Failed, ..done.clone() };
    let wish = OperationWish::Cancel;
    assert!(Operation::admits(Some(&failed), &Operation { wish, ..failed.clone() }).is_err());
    let holding = |row: &Operation| {
        let mut batch = Batch::default();
        batch.put(row.clone());
        let mut tables = Tables::default();
        tables.apply(&batch, Revision(1));
        Snapshot { revision: Revision(1), tables }
    };
    assert!(Operation::drain_of(HOME_AGENT, &holding(&done)).is_some());
    assert!(Operation::drain_of(Ipv4Addr::LOCALHOST, &holding(&done)).is_none());
    assert!(Operation::drain_of(HOME_AGENT, &holding(&cancelled)).is_none());
    assert!(Operation::drain_of(HOME_AGENT, &holding(&failed)).is_none());
}

#[test]
fn keys_of_targets_are_paths_and_back() {
    for row in [binding(7, HOME_AGENT, Some("a/b@x.example")), binding(8, HOME_AGENT, None)] {
        let key = OperationTargetKey { id: OperationId(12), target: TargetKey::Binding(row.key()) };
        assert_eq!(OperationTargetKey::from_path(&key.path()), Some(key));
    }
    let visitor = VisitorKey {
        foreign_agent: HOME_AGENT,
        identity: crate::Identity::Address(HOME_AGENT),
        home_address: HOME_AGENT,
    };
    let key = OperationTargetKey { id: OperationId(1), target: TargetKey::Visitor(visitor) };
    assert_eq!(OperationTargetKey::from_path(&key.path()), Some(key.clone()));
    let text = serde_json::to_string(&key.target).unwrap();
    assert_eq!(serde_json::from_str::<TargetKey>(&text).unwrap(), key.target);
    assert_eq!(OperationId::from_path("01"), None);
}

use crate::VisitorKey;
