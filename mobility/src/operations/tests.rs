use std::net::Ipv4Addr;

use store::{OperationAction, OperationSelector, Revision, UtcTime};

use super::*;

/// An operation with as many owners.
pub(super) fn operation(owners: u8) -> Operation {
    let owner = |number: u8| OperationOwner {
        role: Role::HomeAgent,
        address: Ipv4Addr::new(10, 0, 0, number),
        instance: format!("ha{number}"),
    };
    Operation {
        id: OperationId(1),
        action: OperationAction::RevokeBindings { inform: None },
        selector: OperationSelector { all: true, ..OperationSelector::default() },
        counted_at: Revision(1),
        maximum: 10,
        owners: (1..=owners).map(owner).collect(),
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

pub(super) fn share(operation: &Operation, state: OperationState) -> OperationShare {
    OperationShare {
        id: operation.id,
        owner: operation.owners[0].clone(),
        state,
        targets: 0,
        results: BTreeMap::new(),
        claimed_at: UtcTime(0),
        finished_at: None,
        error: None,
        unknown: Unknown::default(),
    }
}
