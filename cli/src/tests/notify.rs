use store::{
    Operation, OperationAction, OperationId, OperationSelector, OperationState, OperationWish,
    Revision, Unknown, UtcTime,
};

use super::on;
use crate::failure::ExitStatus;
use crate::fixture::{Fake, registration};

#[test]
fn nobody_is_notified_by_accident() {
    for (line, status) in [
        ("notify message hello", ExitStatus::Usage),
        ("notify message hello --all", ExitStatus::Usage),
        (
            "notify message hello --all --yes --from foreign-agent --to foreign-agent",
            ExitStatus::Usage,
        ),
        ("notify message hello --all --yes --from mobile-node --to mobile-node", ExitStatus::Usage),
        ("drain home-agent 192.0.2.1 --by 0s --yes", ExitStatus::Usage),
        (
            "notify message hello --nai nobody@* --yes --from mobile-node --to home-agent",
            ExitStatus::NothingMatched,
        ),
        ("notify message hello --all --limit 1", ExitStatus::Refused),
        ("notify message hello --nai nobody@* --yes", ExitStatus::NothingMatched),
        ("notify message hello --all --yes --from foreign-agent", ExitStatus::NothingMatched),
        ("notify ha-shutdown --yes", ExitStatus::Usage),
        ("notify ha-shutdown --all --yes --in soon", ExitStatus::Usage),
        ("drain home-agent 192.0.2.77 --yes", ExitStatus::NothingMatched),
        ("drain home-agent 192.0.2.1 --alternate 192.0.2.1 --yes", ExitStatus::Usage),
        ("drain home-agent 192.0.2.1", ExitStatus::Usage),
        ("drain home-agent", ExitStatus::Usage),
        ("undrain home-agent", ExitStatus::Usage),
        ("undrain home-agent 192.0.2.1", ExitStatus::NothingMatched),
    ] {
        let fake = Fake::network();
        let told = std::rc::Rc::clone(&fake.told);
        let done = on(fake, line, "");
        assert_eq!(done.status, status, "{line}: {done}");
        assert!(told.borrow().committed.is_empty(), "{line}");
    }
    let done = on(Fake::network(), "drain home-agent 192.0.2.1", "");
    assert!(done.err.contains("this would drain 2 bindings of 1 home agent"), "{done}");
}

#[test]
fn a_dry_run_says_whom_it_would_concern() {
    for (line, words) in [
        ("notify message hello --all", "would notify about 2 bindings of 1 home agent"),
        ("notify ha-shutdown --nai *", "would notify 1 binding of 1 home agent"),
        ("drain home-agent 192.0.2.1 --by 5m", "would drain 2 bindings of 1 home agent"),
    ] {
        let done = on(Fake::network(), &format!("{line} --dry-run"), "");
        assert_eq!(done.status, ExitStatus::Success, "{line}: {done}");
        assert!(done.out.contains(words) && done.out.contains("192.0.2.1"), "{line}: {done}");
    }
}

#[test]
fn mobile_nodes_are_told_to_notify() {
    for receiver in ["", "--to home-agent", "--to foreign-agent"] {
        let line = format!("notify message hello --all --from mobile-node {receiver}");
        let mut fake = Fake::whole_network();
        // Who is not registered yet is not asked to tell anybody.
        let waiting = on(Fake::whole_network(), &format!("{line} --dry-run"), "");
        assert_eq!(waiting.status, ExitStatus::NothingMatched, "{waiting}");
        fake.put(store::Registration { accepted: true, ..registration() });
        let done = on(fake, &format!("{line} --dry-run"), "");
        assert_eq!(done.status, ExitStatus::Success, "{done}");
        assert!(done.out.contains("would notify about 1 registration of 1 mobile node"), "{done}");
    }
}

#[test]
fn a_drain_has_a_deadline_and_redirects_to_its_alternate() {
    let fake = Fake::network();
    let told = std::rc::Rc::clone(&fake.told);
    let line = "drain home-agent 192.0.2.1 --alternate 192.0.2.9 --by 2m --rate 5/s --yes";
    let done = on(fake, line, "");
    assert_eq!(done.status, ExitStatus::Success, "{done}");
    let told = told.borrow();
    let operations = told.committed.iter().flat_map(|batch| &batch.changes);
    let operation: Vec<&Operation> = operations
        .filter_map(|change| match change {
            store::Change::Put(store::AnyRow::Operation(row)) => Some(&**row),
            _ => None,
        })
        .collect();
    let [operation] = operation[..] else { panic!("{operation:?}") };
    let alternate = Some([192, 0, 2, 9].into());
    assert_eq!(operation.action, OperationAction::Drain { alternate, redirect: true });
    assert_eq!(operation.deadline.unwrap().since(operation.created_at).as_secs(), 120);
    assert_eq!((operation.rate, operation.maximum, operation.owners.len()), (Some(5), 2, 1));
}

#[test]
fn a_drain_in_force_is_undone() {
    let mut done = None;
    for (state, wish, is_in_force) in [
        (OperationState::Running, OperationWish::Run, true),
        (OperationState::Running, OperationWish::Pause, true),
        (OperationState::Done, OperationWish::Run, true),
        (OperationState::Done, OperationWish::Cancel, false),
        (OperationState::Failed, OperationWish::Run, false),
        (OperationState::Cancelled, OperationWish::Cancel, false),
    ] {
        let mut fake = Fake::network();
        fake.put(drain(state, wish));
        let told = std::rc::Rc::clone(&fake.told);
        let said = on(fake, "undrain home-agent 192.0.2.1", "");
        let told = told.borrow();
        let committed = told.committed.iter().flat_map(|batch| &batch.changes);
        let wishes: Vec<OperationWish> = committed
            .filter_map(|change| match change {
                store::Change::Put(store::AnyRow::Operation(row)) => Some(row.wish),
                _ => None,
            })
            .collect();
        if is_in_force {
            assert_eq!(said.status, ExitStatus::Success, "{state:?}: {said}");
            assert_eq!(wishes, [OperationWish::Cancel]);
            done = Some(said);
        } else {
            assert_eq!(said.status, ExitStatus::NothingMatched, "{state:?}: {said}");
            assert!(wishes.is_empty());
        }
    }
    let done = done.unwrap();
    assert!(done.err.contains("192.0.2.1 serves again"), "{done}");
}

fn drain(state: OperationState, wish: OperationWish) -> Operation {
    Operation {
        action: OperationAction::Drain { alternate: None, redirect: false },
        selector: OperationSelector {
            home_agents: vec![[192, 0, 2, 1].into()],
            ..OperationSelector::default()
        },
        state,
        wish,
        id: OperationId(7),
        counted_at: Revision::default(),
        maximum: 10,
        owners: Vec::new(),
        deadline: Some(UtcTime(1)),
        rate: None,
        reason: None,
        who: "root".to_owned(),
        created_at: UtcTime(0),
        finished_at: None,
        error: None,
        unknown: Unknown::default(),
    }
}
