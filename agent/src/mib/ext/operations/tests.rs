use std::net::Ipv4Addr;

use mibs::mip4_ext_mib as module;
use store::{
    BindingKey, Changed, Identity, Operation, OperationAction, OperationId, OperationOwner,
    OperationSelector, OperationShare, OperationState, OperationTarget, OperationWish,
    RegistrationKey, Revision, Role, TargetKey, TargetResult, TargetState, Unknown, UtcTime,
    VisitorKey,
};

use super::OperationDraft;
use crate::engine::ErrorStatus;
use crate::mib::tests::rows::{address, at};
use crate::mib::tests::{HOME_AGENT, INSTANCE, World, binding, nai};
use crate::mib::{GetResult, ending};
use crate::row_status::RowAction;
use crate::{Octets, Value};

fn owner(role: Role) -> OperationOwner {
    OperationOwner { role, address: HOME_AGENT, instance: INSTANCE.to_owned() }
}

/// An operation that has ended, as a manager may have asked for it.
fn operation(id: u32) -> Operation {
    Operation {
        id: OperationId(id),
        action: OperationAction::RevokeBindings { inform: Some(false) },
        selector: "nai=*@a.example network=10.0.0.0/8".parse().unwrap(),
        counted_at: Revision(1),
        maximum: 412,
        owners: vec![owner(Role::HomeAgent)],
        deadline: Some(at(160)),
        rate: Some(50),
        reason: Some("maintenance".to_owned()),
        who: "snmp:noc".to_owned(),
        created_at: at(100),
        wish: OperationWish::Run,
        state: OperationState::Done,
        finished_at: Some(at(110)),
        error: None,
        unknown: Unknown::default(),
    }
}

fn target(id: u32, target: TargetKey, state: TargetState) -> OperationTarget {
    let has_ended = matches!(state, TargetState::Ended(_));
    OperationTarget {
        id: OperationId(id),
        target,
        owner: owner(Role::HomeAgent),
        state,
        since: at(1),
        begun_at: Some(at(101)),
        ended_at: has_ended.then(|| at(109)),
        messages: 2,
        unknown: Unknown::default(),
    }
}

fn bound(last: u8, name: Option<&str>) -> TargetKey {
    TargetKey::Binding(BindingKey {
        home_agent: HOME_AGENT,
        home_address: Ipv4Addr::new(10, 0, 0, last),
        care_of_address: Ipv4Addr::new(192, 0, 2, 1),
        nai: name.map(nai),
    })
}

fn visiting(identity: Identity) -> TargetKey {
    let home_address = Ipv4Addr::new(10, 0, 0, 9);
    TargetKey::Visitor(VisitorKey { foreign_agent: HOME_AGENT, identity, home_address })
}

fn registered(identity: Identity) -> TargetKey {
    let [agent_address, care_of_address] = [HOME_AGENT, Ipv4Addr::new(192, 0, 2, 1)];
    let instance = "mn1".to_owned();
    TargetKey::Registration(RegistrationKey { instance, identity, agent_address, care_of_address })
}

fn share(id: u32, state: OperationState, results: &[(TargetResult, u64)]) -> OperationShare {
    OperationShare {
        id: OperationId(id),
        owner: owner(Role::HomeAgent),
        state,
        targets: 5,
        results: results.iter().map(|(result, n)| (result.word().to_owned(), *n)).collect(),
        claimed_at: at(100),
        finished_at: None,
        error: None,
        unknown: Unknown::default(),
    }
}

/// Rows for every object of operations.
pub(crate) fn operations(world: &mut World) {
    world.put(operation(3));
    world.put(share(
        3,
        OperationState::Done,
        &[(TargetResult::Acknowledged, 4), (TargetResult::TimedOut(3), 1)],
    ));
    world.put(target(3, bound(1, None), TargetState::Ended(TargetResult::Acknowledged)));
    world.put(target(3, bound(2, Some("b@a.example")), TargetState::Pending));
    world.put(target(
        3,
        visiting(address("10.0.0.9")),
        TargetState::Ended(TargetResult::Denied(wire::Code(70))),
    ));
    world.put(target(
        3,
        registered(address("10.0.0.9")),
        TargetState::Ended(TargetResult::TimedOut(3)),
    ));
}

fn world() -> World {
    let mut world = World::with_home_agent();
    operations(&mut world);
    world
}

#[test]
fn every_column_of_an_operation_and_its_targets() {
    let world = world();
    let selector = "nai=*@a.example network=10.0.0.0/8";
    for (column, value) in [
        ("mip4ExtOperationAction", Value::Integer32(1)),
        ("mip4ExtOperationSelector", Value::octets(selector)),
        ("mip4ExtOperationMaximum", Value::Gauge32(412)),
        ("mip4ExtOperationRate", Value::Gauge32(50)),
        ("mip4ExtOperationInform", Value::Integer32(3)),
        ("mip4ExtOperationReason", Value::octets("maintenance")),
        ("mip4ExtOperationTimeLimit", Value::Gauge32(60)),
        ("mip4ExtOperationWish", Value::Integer32(1)),
        ("mip4ExtOperationState", Value::Integer32(5)),
        ("mip4ExtOperationWho", Value::octets("snmp:noc")),
        ("mip4ExtOperationError", Value::octets("")),
        ("mip4ExtOperationTargets", Value::Gauge32(5)),
        ("mip4ExtOperationEnded", Value::Gauge32(5)),
        ("mip4ExtOperationFailures", Value::Gauge32(1)),
        ("mip4ExtOperationRowStatus", Value::Integer32(1)),
        ("mip4ExtOperationText", Value::octets("")),
        ("mip4ExtOperationPath", Value::Integer32(1)),
        ("mip4ExtOperationAlternate", Value::IpAddress([0; 4])),
        ("mip4ExtOperationDelay", Value::Gauge32(0)),
    ] {
        assert_eq!(world.value(column, &[3]), value, "{column}");
    }
    assert_eq!(world.value("mip4ExtOperationNextId", &[0]), Value::Gauge32(4));
    assert_eq!(world.value("mip4ExtOperationOpenCount", &[0]), Value::Gauge32(0));
    assert_eq!(world.value("mip4ExtOperationResultCount", &[3, 3]), Value::Gauge32(4));
    assert_eq!(world.value("mip4ExtOperationResultCount", &[3, 5]), Value::Gauge32(1));
    assert_eq!(world.get("mip4ExtOperationResultCount", &[3, 4]), GetResult::NoSuchInstance);
    let index = |last: u32, name: &[u32]| {
        let agent = HOME_AGENT.octets().map(u32::from);
        [&[3], &agent[..], &[10, 0, 0, last, 192, 0, 2, 1], name].concat()
    };
    let first = index(1, &[0]);
    assert_eq!(world.value("mip4ExtBindingTargetState", &first), Value::Integer32(3));
    assert_eq!(world.value("mip4ExtBindingTargetMessages", &first), Value::Gauge32(2));
    let name: Vec<u32> = b"b@a.example".iter().map(|octet| u32::from(*octet)).collect();
    let second = index(2, &name);
    assert_eq!(world.value("mip4ExtBindingTargetState", &second), Value::Integer32(1));
    assert_eq!(world.get("mip4ExtBindingTargetEndedAt", &second), GetResult::NoSuchInstance);
    assert_eq!(world.get("mip4ExtBindingTargetState", &index(2, &[0])), GetResult::NoSuchInstance);
    let agent = HOME_AGENT.octets().map(u32::from);
    let visitor = [&[3], &agent[..], &[2, 4, 10, 0, 0, 9, 10, 0, 0, 9]].concat();
    assert_eq!(world.value("mip4ExtVisitorTargetState", &visitor), Value::Integer32(4));
    assert_eq!(world.value("mip4ExtVisitorTargetCode", &visitor), Value::Gauge32(70));
    let registration = [&[3, 2, 4, 10, 0, 0, 9], &agent[..], &[192, 0, 2, 1]].concat();
    assert_eq!(world.value("mip4ExtRegistrationTargetState", &registration), Value::Integer32(5));
    assert_eq!(world.value("mip4ExtRegistrationTargetMessages", &registration), Value::Gauge32(2));
}

#[test]
fn targets_are_in_order_over_all_operations() {
    let mut world = World::with_home_agent();
    let names = ["a@x", "bb@x", "b@x", "z", "ü@x"];
    for id in [1, 2, 7, u32::MAX] {
        world.put(operation(id));
        for last in [0, 1, 255] {
            world.put(target(id, bound(last, None), TargetState::Pending));
            for name in names {
                world.put(target(id, bound(last, Some(name)), TargetState::Pending));
                world.put(target(id, visiting(Identity::Nai(nai(name))), TargetState::Pending));
            }
        }
        world.put(target(id, visiting(address("10.0.0.3")), TargetState::Pending));
        for name in names {
            world.put(target(id, registered(Identity::Nai(nai(name))), TargetState::Pending));
        }
    }
    // Four columns, of which one has no instance while nothing has ended.
    let bindings = world.check_walk(module::mip4_ext_binding_target_table::OID);
    assert_eq!(bindings, 3 * 4 * 3 * (1 + names.len()));
    let visitors = world.check_walk(module::mip4_ext_visitor_target_table::OID);
    assert_eq!(visitors, 3 * 4 * (1 + names.len()));
    let registrations = world.check_walk(module::mip4_ext_registration_target_table::OID);
    assert_eq!(registrations, 3 * 4 * names.len());
}

#[test]
fn the_end_of_an_operation_is_good_or_it_is_not() {
    let mut world = world();
    let ended = |world: &World, row: &Operation| ending(row, world.context());
    let (has_failed, variables) = ended(&world, &operation(3));
    assert!(has_failed, "one target timed out");
    assert_eq!(variables.len(), 8);
    for (name, value) in &variables {
        assert_eq!(world.ask(name), GetResult::Value(value.clone()));
    }
    world.put(share(3, OperationState::Done, &[(TargetResult::Acknowledged, 5)]));
    assert!(!ended(&world, &operation(3)).0);
    let cancelled = Operation { state: OperationState::Cancelled, ..operation(3) };
    assert!(!ended(&world, &cancelled).0);
    let failed = Operation { state: OperationState::Failed, ..operation(3) };
    assert!(ended(&world, &failed).0);
}

fn by() -> Changed {
    Changed { by: "snmp:noc".to_owned(), at: UtcTime(5_000) }
}

#[test]
fn an_operation_is_made_whole_or_not_at_all() {
    let mut world = World::with_home_agent();
    for last in 1..=3 {
        world.put(binding([10, 0, 0, last], [192, 0, 2, 1]));
    }
    let complete = || {
        let mut draft = OperationDraft::new(None, 1);
        draft.set_all("network=10.0.0.0/8", 3);
        draft
    };
    let context = world.context();
    let made = |draft: OperationDraft, id| draft.finish(OperationId(id), context, by());
    let row = made(complete(), 1).unwrap().unwrap();
    assert_eq!((row.who.as_str(), row.created_at), ("snmp:noc", UtcTime(5_000)));
    assert_eq!((row.maximum, row.owners.len(), row.state), (3, 1, OperationState::Pending));
    assert_eq!(row.selector, "network=10.0.0.0/8".parse::<OperationSelector>().unwrap());
    // Another number than the next one, too many, none at all, something missing.
    assert_eq!(made(complete(), 2), Err(ErrorStatus::InconsistentName));
    for (selector, maximum) in [("all", 2), ("network=11.0.0.0/8", 9)] {
        let mut draft = complete();
        draft.set_all(selector, maximum);
        assert_eq!(made(draft, 1), Err(ErrorStatus::InconsistentValue), "{selector}");
    }
    let mut waiting = complete();
    waiting.action = Some(RowAction::Active);
    assert_eq!(made(waiting, 1), Err(ErrorStatus::InconsistentValue));
    let mut bare = OperationDraft::new(None, 1);
    assert_eq!(made(OperationDraft::new(None, 1), 1), Err(ErrorStatus::InconsistentName));
    bare.action = Some(RowAction::CreateAndGo);
    assert_eq!(made(bare, 1), Err(ErrorStatus::InconsistentValue));
}

/// What is written of each action, and what does not belong to it.
#[test]
fn notifications_and_drains_are_made_with_what_belongs_to_them() {
    let mut world = World::with_home_agent();
    world.put(binding([10, 0, 0, 1], [192, 0, 2, 1]));
    let context = world.context();
    let agent = HOME_AGENT.to_string();
    let alternate = Ipv4Addr::new(192, 0, 2, 9);
    let text = |text: &str| Value::OctetString(Octets::from(text.as_bytes()));
    // Action, text, path, whether there is an alternate, delay, time limit.
    let made = |action, words: &str, path, has_alternate: bool, delay, time_limit| {
        let mut draft = OperationDraft::new(None, 1);
        draft.set_all(&format!("home-agent={agent}"), 1);
        draft.set_action(&Value::Integer32(action)).unwrap();
        draft.set_text(&text(words)).unwrap();
        draft.set_path(&Value::Integer32(path)).unwrap();
        let octets = if has_alternate { alternate.octets() } else { [0; 4] };
        draft.set_alternate(&Value::IpAddress(octets)).unwrap();
        draft.set_times(delay, time_limit);
        let row = draft.finish(OperationId(1), context, by())?;
        Ok(row.unwrap().action)
    };
    let refused = || Err(ErrorStatus::InconsistentValue);
    let (at, in_ten_minutes) = (UtcTime(35_000), UtcTime(605_000));
    let shutdown = |at, alternate| OperationAction::NotifyShutdown { at, alternate };
    assert_eq!(made(3, "", 1, true, Some(30), 0), Ok(shutdown(at, Some(alternate))));
    assert_eq!(made(3, "", 1, false, None, 0), Ok(shutdown(in_ten_minutes, None)));
    assert_eq!(made(3, "bye", 1, false, None, 0), refused());
    let path = store::NotificationPath::HomeAgentToForeignAgent;
    let message = OperationAction::NotifyMessage { text: "bye".to_owned(), path };
    assert_eq!(made(4, "bye", 2, false, None, 0), Ok(message));
    assert_eq!(made(4, "", 1, false, None, 0), refused(), "nothing is said");
    assert_eq!(made(4, "bye", 1, true, None, 0), refused(), "a text has no alternate");
    assert_eq!(made(4, "bye", 1, false, Some(1), 0), refused(), "nor a delay");
    let drain = |alternate: Option<Ipv4Addr>| OperationAction::Drain {
        alternate,
        redirect: alternate.is_some(),
    };
    assert_eq!(made(5, "", 1, true, None, 600), Ok(drain(Some(alternate))));
    assert_eq!(made(5, "", 1, false, None, 600), Ok(drain(None)));
    assert_eq!(made(5, "", 1, false, None, 0), refused(), "a drain has an end");
    assert_eq!(made(5, "", 3, false, None, 600), refused());
    assert_eq!(made(1, "bye", 1, false, None, 0), refused());
}

/// A drain is of a home agent, not of its bindings; and nobody is sent back to where they are.
#[test]
fn a_drain_needs_a_home_agent_and_no_bindings() {
    let world = World::with_home_agent();
    let drain = |selector: &str, alternate: Ipv4Addr| {
        let mut draft = OperationDraft::new(None, 1);
        draft.set_all(selector, 1);
        draft.set_action(&Value::Integer32(5)).unwrap();
        draft.set_alternate(&Value::IpAddress(alternate.octets())).unwrap();
        draft.set_times(None, 600);
        let row = draft.finish(OperationId(1), world.context(), by());
        row.map(|row| row.unwrap().owners.len())
    };
    let own = format!("home-agent={HOME_AGENT}");
    let refused = Err(ErrorStatus::InconsistentValue);
    assert_eq!(drain(&own, Ipv4Addr::new(192, 0, 2, 9)), Ok(1));
    assert_eq!(drain(&own, HOME_AGENT), refused);
    assert_eq!(drain("home-agent=192.0.2.77", Ipv4Addr::UNSPECIFIED), refused, "nobody's");
    assert_eq!(drain("all", Ipv4Addr::UNSPECIFIED), refused);
}

#[test]
fn of_a_row_that_is_there_the_wish_alone_changes() {
    use OperationState::{Done, Running};
    use OperationWish::{Cancel, Pause, Run};
    let world = World::with_home_agent();
    let wished = |state, before, wish| {
        let row = Operation { state, wish: before, ..operation(1) };
        let mut draft = OperationDraft::new(Some(std::sync::Arc::new(row)), 1);
        draft.wish = wish;
        let done = draft.finish(OperationId(1), world.context(), by());
        done.map(|row| row.map(|row| row.wish))
    };
    assert_eq!(wished(Running, Run, Some(Pause)), Ok(Some(Pause)));
    assert_eq!(wished(Running, Pause, Some(Run)), Ok(Some(Run)));
    assert_eq!(wished(Running, Run, Some(Cancel)), Ok(Some(Cancel)));
    assert_eq!(wished(Running, Run, Some(Run)), Ok(None));
    assert_eq!(wished(Running, Run, None), Ok(None));
    assert_eq!(wished(Running, Cancel, Some(Run)), Err(ErrorStatus::InconsistentValue));
    assert_eq!(wished(Done, Run, Some(Cancel)), Err(ErrorStatus::InconsistentValue));
}

#[test]
fn what_is_no_value_of_a_column() {
    let mut draft = OperationDraft::new(None, 1);
    let text = |text: &str| Value::OctetString(Octets::from(text.as_bytes()));
    assert_eq!(draft.set_selector(&text("everything")), Err(ErrorStatus::WrongValue));
    assert_eq!(draft.set_selector(&text("")), Err(ErrorStatus::WrongLength));
    assert_eq!(draft.set_selector(&Value::Integer32(1)), Err(ErrorStatus::WrongType));
    assert_eq!(draft.set_action(&Value::Integer32(0)), Err(ErrorStatus::WrongValue));
    assert_eq!(draft.set_action(&Value::Integer32(6)), Err(ErrorStatus::WrongValue));
    assert_eq!(draft.set_wish(&Value::Integer32(0)), Err(ErrorStatus::WrongValue));
    assert_eq!(draft.set_inform(&Value::Integer32(4)), Err(ErrorStatus::WrongValue));
    assert_eq!(draft.set_text(&text(&"x".repeat(255))), Err(ErrorStatus::WrongLength));
    assert_eq!(draft.set_path(&Value::Integer32(7)), Err(ErrorStatus::WrongValue));
    let everybody = Value::IpAddress([255; 4]);
    assert_eq!(draft.set_alternate(&everybody), Err(ErrorStatus::WrongValue));
    assert_eq!(draft.set_alternate(&text("x")), Err(ErrorStatus::WrongType));
    assert_eq!(draft.set_reason(&text(&"x".repeat(201))), Err(ErrorStatus::WrongLength));
}
