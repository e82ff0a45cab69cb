//! What the row of an operation says, as its shares have it.

use std::sync::Arc;

use store::{
    AuditEntry, Batch, Expect, Now, Operation, OperationShare, OperationState, OperationWish,
    Row as _, Snapshot,
};

/// The change that makes the row say what its shares say; none if it does.
///
/// Any owner may make it: it compares the row, and the last to see a change wins.
pub(super) fn change(operation: &Arc<Operation>, snapshot: &Snapshot, now: Now) -> Option<Batch> {
    let shares: Vec<&Arc<OperationShare>> = OperationShare::of(operation.id, snapshot).collect();
    let state = state(operation, &shares);
    if state == operation.state {
        return None;
    }
    let mut row = Operation::clone(operation);
    row.state = state;
    if state.is_final() {
        row.finished_at = Some(now.stamp());
        row.error = shares.iter().find_map(|share| share.error.clone());
    }
    let entry = snapshot.rows::<Operation>().entry(&operation.id)?;
    let mut batch = Batch::default();
    if state.is_final() {
        batch.put(AuditEntry::of_end(&row, snapshot, now.stamp()));
    }
    batch.expect::<Operation>(row.key(), Expect::Modified(entry.modified)).put(row);
    Some(batch)
}

fn state(operation: &Operation, shares: &[&Arc<OperationShare>]) -> OperationState {
    use OperationState as State;
    let has = |state| shares.iter().any(|share| share.state == state);
    let cancelled = operation.wish == OperationWish::Cancel;
    // Whoever has not claimed its part by the time it is cancelled has none.
    let all_are_there = cancelled || shares.len() >= operation.owners.len();
    if all_are_there && shares.iter().all(|share| share.state.is_final()) {
        return if has(State::Failed) {
            State::Failed
        } else if cancelled {
            State::Cancelled
        } else {
            State::Done
        };
    }
    if operation.wish == OperationWish::Pause {
        State::Paused
    } else if has(State::Running) || has(State::Done) {
        State::Running
    } else if shares.is_empty() {
        State::Pending
    } else {
        State::Expanding
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::tests::{operation, share};

    #[test]
    fn an_operation_is_what_its_shares_are() {
        use OperationState as State;
        let mut operation = operation(2);
        let state_of = |operation: &Operation, states: &[State]| {
            let shares: Vec<_> =
                states.iter().map(|state| Arc::new(share(operation, *state))).collect();
            state(operation, &shares.iter().collect::<Vec<_>>())
        };
        assert_eq!(state_of(&operation, &[]), State::Pending);
        assert_eq!(state_of(&operation, &[State::Expanding]), State::Expanding);
        assert_eq!(state_of(&operation, &[State::Done]), State::Running);
        assert_eq!(state_of(&operation, &[State::Done, State::Running]), State::Running);
        assert_eq!(state_of(&operation, &[State::Done, State::Done]), State::Done);
        assert_eq!(state_of(&operation, &[State::Done, State::Failed]), State::Failed);
        operation.wish = OperationWish::Pause;
        assert_eq!(state_of(&operation, &[State::Done, State::Running]), State::Paused);
        operation.wish = OperationWish::Cancel;
        assert_eq!(state_of(&operation, &[]), State::Cancelled);
        assert_eq!(state_of(&operation, &[State::Cancelled]), State::Cancelled);
        assert_eq!(state_of(&operation, &[State::Running]), State::Running);
    }
}
