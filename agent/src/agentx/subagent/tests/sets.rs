//! SET through the master (RFC 2741 §7.2.4).

use store::{Change, Class, Instance, InstanceState, Revision, Unknown, UtcTime};

use super::*;
use crate::engine::{ErrorStatus, Staging};
use crate::mib::scalar_cursor;

/// A number in the store, which 0 is no value of.
pub(super) struct Stored;

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
        clock_health: None,
        state: InstanceState::Serving,
        applied_revision: 0,
        apply_error: None,
        apply_errors: std::collections::BTreeMap::new(),
        unknown: Unknown::default(),
    }
}

impl Object for Stored {
    fn get(&self, _: Context<'_>, _: &[u32]) -> GetResult {
        GetResult::NoSuchInstance
    }

    fn seek<'a>(&'a self, _: Context<'a>, _: &[u32]) -> Box<dyn Cursor + 'a> {
        scalar_cursor(None)
    }

    fn set(&self, staging: &mut Staging<'_>, _: &[u32], value: &Value) -> Result<(), ErrorStatus> {
        match value {
            Value::Gauge32(0) => Err(ErrorStatus::WrongValue),
            Value::Gauge32(number) => {
                staging.put(instance(*number));
                Ok(())
            }
            _ => Err(ErrorStatus::WrongType),
        }
    }
}

fn test_set(numbers: &[u32]) -> Body {
    let variable = |number: &u32| VarBind {
        name: name(&[4, 0]),
        data: VarData::Value(Value::Gauge32(*number)),
    };
    Body::TestSet { context: None, variables: numbers.iter().map(variable).collect() }
}

/// The changes that are to be committed.
fn changes(actions: &[SubagentAction]) -> &[Change] {
    match actions {
        [SubagentAction::Commit(batch)] => &batch.changes,
        other => panic!("{other:?}"),
    }
}

/// The error of the one response.
fn error(actions: &[SubagentAction]) -> ErrorCode {
    match &sent(actions)[..] {
        [Pdu { body: Body::Response { error, .. }, .. }] => *error,
        other => panic!("{other:?}"),
    }
}

impl World {
    fn request(&mut self, body: Body) -> Vec<SubagentAction> {
        self.give(&Pdu { ids: ids(600), body })
    }

    /// Up to the commit.
    fn committing(number: u32) -> Self {
        let mut world = Self::serving();
        assert_eq!(world.ask(test_set(&[number])).0, ErrorCode::NO_ERROR);
        let actions = world.request(Body::CommitSet);
        assert!(matches!(changes(&actions), [Change::Put(_)]));
        world
    }
}

#[test]
fn a_set_is_tested_then_committed_then_cleaned_up() {
    let mut world = World::committing(7);
    assert_eq!(error(&world.subagent.on_committed(true)), ErrorCode::NO_ERROR);
    assert_eq!(world.request(Body::CleanupSet), []);
    assert_eq!(error(&world.request(Body::CommitSet)), ErrorCode::COMMIT_FAILED, "it is over");
}

#[test]
fn tests_say_what_is_wrong_with_which_variable() {
    let mut world = World::serving();
    assert_eq!(world.ask(test_set(&[7, 0])), (ErrorCode(10), 2, Vec::new()), "wrongValue");
    assert_eq!(world.ask(test_set(&[7, 8])), (ErrorCode(12), 2, Vec::new()), "twice, not the same");
    let null = vec![VarBind { name: name(&[4, 0]), data: VarData::Null }];
    let test = Body::TestSet { context: None, variables: null };
    assert_eq!(world.ask(test).0, ErrorCode(7), "wrongType");
    assert_eq!(error(&world.request(Body::CommitSet)), ErrorCode::COMMIT_FAILED);
}

#[test]
fn what_was_committed_can_be_undone() {
    let mut world = World::committing(7);
    world.subagent.on_committed(true);
    let actions = world.request(Body::UndoSet);
    assert!(matches!(changes(&actions), [Change::Delete(_)]), "there was no such row");
    assert_eq!(error(&world.subagent.on_committed(true)), ErrorCode::NO_ERROR);
    // Where there was one, it is as before.
    let mut world = World::serving();
    let mut batch = Batch::new(Class::Durable);
    batch.put(instance(1));
    world.snapshot.tables.apply(&batch, Revision(1));
    assert_eq!(world.ask(test_set(&[7])).0, ErrorCode::NO_ERROR);
    world.request(Body::CommitSet);
    world.subagent.on_committed(true);
    let actions = world.request(Body::UndoSet);
    assert!(matches!(changes(&actions), [Change::Put(_)]));
    assert_eq!(error(&world.subagent.on_committed(false)), ErrorCode::UNDO_FAILED);
}

#[test]
fn a_commit_that_fails_is_said() {
    let mut world = World::committing(7);
    assert_eq!(error(&world.subagent.on_committed(false)), ErrorCode::COMMIT_FAILED);
    assert_eq!(error(&world.request(Body::UndoSet)), ErrorCode::NO_ERROR, "nothing to undo");
}

#[test]
fn a_commit_that_is_late_is_answered_in_time_and_undone() {
    let mut world = World::committing(7);
    assert_eq!(world.request(test_set(&[8])).len(), 1);
    let actions = world.reach_deadline();
    assert_eq!(error(&actions), ErrorCode::COMMIT_FAILED, "before the master gives up");
    assert_eq!(world.ask(test_set(&[8])).0, ErrorCode::RESOURCE_UNAVAILABLE);
    let actions = world.subagent.on_committed(true);
    assert!(matches!(changes(&actions), [Change::Delete(_)]));
    assert_eq!(world.subagent.on_committed(true), []);
}

#[test]
fn a_session_that_ends_during_a_commit_is_told_nothing() {
    let mut world = World::committing(7);
    world.subagent.on_disconnected(world.now);
    assert_eq!(world.subagent.on_committed(true), []);
    for packet in world.open() {
        world.respond(packet, ErrorCode::NO_ERROR);
    }
    assert_eq!(world.ask(test_set(&[8])).0, ErrorCode::NO_ERROR, "and the next SET is served");
}
