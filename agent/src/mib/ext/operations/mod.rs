//! `mip4ExtOperationTable` and what became of each target: operations as managers see them.

mod registrations;
mod targets;
#[cfg(test)]
pub(super) mod tests;
mod write;

use mibs::mip4_ext_mib::{
    self as module, mip4_ext_operation_result_table, mip4_ext_operation_table,
};
use store::{
    NotificationPath, Operation, OperationAction, OperationId, OperationState, OperationWish,
    Progress, TargetResult,
};

use super::{admin_string, date_and_time, variables};
use crate::mib::small::SmallTable;
use crate::mib::{Context, Registry, Scalar, TableObject, writable};
use crate::row_status::RowStatus;
use crate::{Oid, Value};

pub(crate) use write::OperationDraft;

pub(super) fn register(registry: &mut Registry) {
    let count = |context: Context<'_>| Some(super::instances::gauge(shown(context).count()));
    registry.add(module::MIP4_EXT_OPERATION_COUNT, Scalar(count));
    let open = |context: Context<'_>| {
        let open = shown(context).filter(|row| !row.state.is_final());
        Some(super::instances::gauge(open.count()))
    };
    registry.add(module::MIP4_EXT_OPERATION_OPEN_COUNT, Scalar(open));
    let next =
        |context: Context<'_>| Some(Value::Gauge32(OperationId::next(context.snapshot).0.max(1)));
    registry.add(module::MIP4_EXT_OPERATION_NEXT_ID, Scalar(next));
    writable::<OperationTable>(registry, mip4_ext_operation_table::OID, write::set);
    super::add_small::<ResultTable>(registry, mip4_ext_operation_result_table::OID);
    registry.add(module::mip4_ext_binding_target_table::OID, TableObject(targets::BindingTargets));
    registry.add(module::mip4_ext_visitor_target_table::OID, TableObject(targets::VisitorTargets));
    let registrations = module::mip4_ext_registration_target_table::OID;
    super::add_small::<registrations::RegistrationTargets>(registry, registrations);
}

/// The operations that are shown: in the context of one daemon those that it has a part in.
fn shown(context: Context<'_>) -> impl Iterator<Item = &Operation> {
    let rows = context.snapshot.rows::<Operation>().iter().map(AsRef::as_ref);
    rows.filter(move |row: &&Operation| is_shown(context, row))
}

fn is_shown(context: Context<'_>, row: &Operation) -> bool {
    context.instance.is_none() || row.owners.iter().any(|owner| context.shows(&owner.instance))
}

/// An operation, and how far it is.
#[derive(Clone)]
pub(crate) struct Row<'a> {
    operation: &'a Operation,
    progress: Progress,
}

impl<'a> Row<'a> {
    fn of(operation: &'a Operation, context: Context<'a>) -> Self {
        Self { operation, progress: Progress::of(operation.id, context.snapshot) }
    }
}

pub(super) struct OperationTable;

impl SmallTable for OperationTable {
    type Column = mip4_ext_operation_table::Column;
    type Row<'a> = Row<'a>;

    fn rows(context: Context<'_>) -> Option<Vec<(Oid, Row<'_>)>> {
        let rows = shown(context);
        Some(rows.map(|row| (Oid::from([row.id.0]), Row::of(row, context))).collect())
    }

    fn cell(_: Context<'_>, row: &Row<'_>, column: Self::Column) -> Option<Value> {
        use mip4_ext_operation_table::Column;
        let Row { operation, progress } = row;
        Some(match column {
            Column::Action => Value::Integer32(action_number(&operation.action)),
            Column::Selector => admin_string(&operation.selector.to_string()),
            Column::Maximum => Value::Gauge32(operation.maximum.max(1)),
            Column::Rate => Value::Gauge32(operation.rate.unwrap_or(0)),
            Column::Inform => Value::Integer32(match operation.action {
                OperationAction::RevokeBindings { inform: Some(true) }
                | OperationAction::RevokeVisitors { inform: Some(true) } => 2,
                OperationAction::RevokeBindings { inform: Some(false) }
                | OperationAction::RevokeVisitors { inform: Some(false) } => 3,
                _ => 1,
            }),
            Column::Reason => admin_string(operation.reason.as_deref().unwrap_or("")),
            Column::TimeLimit => {
                let limit = operation.deadline.map(|at| at.since(operation.created_at).as_secs());
                Value::gauge32(limit.unwrap_or(0))
            }
            Column::Wish => Value::Integer32(match operation.wish {
                OperationWish::Run => 1,
                OperationWish::Pause => 2,
                OperationWish::Cancel => 3,
            }),
            Column::State => Value::Integer32(state_number(operation.state)),
            Column::Who => admin_string(&operation.who),
            Column::CreatedAt => date_and_time(operation.created_at),
            Column::FinishedAt => date_and_time(operation.finished_at?),
            Column::Error => admin_string(operation.error.as_deref().unwrap_or("")),
            Column::Targets => Value::gauge32(progress.targets),
            Column::Ended => Value::gauge32(progress.ended()),
            Column::Failures => Value::gauge32(progress.failed()),
            Column::RowStatus => Value::Integer32(RowStatus::Active.number()),
            Column::Text => match &operation.action {
                OperationAction::NotifyMessage { text, .. } => admin_string(text),
                _ => admin_string(""),
            },
            Column::Path => Value::Integer32(match operation.action {
                OperationAction::NotifyMessage { path, .. } => path_number(path),
                _ => 1,
            }),
            Column::Alternate => super::address_or_zero(match operation.action {
                OperationAction::NotifyShutdown { alternate, .. }
                | OperationAction::Drain { alternate, .. } => alternate,
                _ => None,
            }),
            Column::Delay => Value::gauge32(match operation.action {
                OperationAction::NotifyShutdown { at, .. } => {
                    at.since(operation.created_at).as_secs()
                }
                _ => 0,
            }),
        })
    }
}

/// The number of an action in the module.
const fn action_number(action: &OperationAction) -> i32 {
    match action {
        OperationAction::RevokeBindings { .. } => 1,
        OperationAction::RevokeVisitors { .. } => 2,
        OperationAction::NotifyShutdown { .. } => 3,
        OperationAction::NotifyMessage { .. } => 4,
        OperationAction::Drain { .. } => 5,
    }
}

/// The number of who says something to whom.
const fn path_number(path: NotificationPath) -> i32 {
    match path {
        NotificationPath::HomeAgentToMobileNode => 1,
        NotificationPath::HomeAgentToForeignAgent => 2,
        NotificationPath::ForeignAgentToMobileNode => 3,
        NotificationPath::ForeignAgentToHomeAgent => 4,
        NotificationPath::MobileNodeToHomeAgent => 5,
        NotificationPath::MobileNodeToForeignAgent => 6,
    }
}

const fn state_number(state: OperationState) -> i32 {
    match state {
        OperationState::Pending => 1,
        OperationState::Expanding => 2,
        OperationState::Running => 3,
        OperationState::Paused => 4,
        OperationState::Done => 5,
        OperationState::Failed => 6,
        OperationState::Cancelled => 7,
    }
}

/// The number of a result in `Mip4ExtTargetState`.
const fn result_number(result: TargetResult) -> u32 {
    match result {
        TargetResult::Acknowledged => 3,
        TargetResult::Denied(_) => 4,
        TargetResult::TimedOut(_) => 5,
        TargetResult::NotNegotiated => 6,
        TargetResult::Ambiguous => 7,
        TargetResult::Gone => 8,
        TargetResult::Unowned => 9,
        TargetResult::NotTried => 10,
        TargetResult::LeftOver => 11,
        TargetResult::NoAssociation => 12,
    }
}

/// The results, as shares count them by their words.
const RESULTS: [TargetResult; 10] = [
    TargetResult::Acknowledged,
    TargetResult::Denied(wire::Code(0)),
    TargetResult::TimedOut(0),
    TargetResult::NotNegotiated,
    TargetResult::Ambiguous,
    TargetResult::Gone,
    TargetResult::Unowned,
    TargetResult::NotTried,
    TargetResult::LeftOver,
    TargetResult::NoAssociation,
];

pub(super) struct ResultTable;

impl SmallTable for ResultTable {
    type Column = mip4_ext_operation_result_table::Column;
    type Row<'a> = u64;

    fn rows(context: Context<'_>) -> Option<Vec<(Oid, u64)>> {
        let mut rows = Vec::new();
        for operation in shown(context) {
            let progress = Progress::of(operation.id, context.snapshot);
            for result in RESULTS {
                if let Some(count) = progress.results.get(result.word()) {
                    rows.push((Oid::from([operation.id.0, result_number(result)]), *count));
                }
            }
        }
        Some(rows)
    }

    fn cell(_: Context<'_>, count: &u64, column: Self::Column) -> Option<Value> {
        match column {
            mip4_ext_operation_result_table::Column::Count => Some(Value::gauge32(*count)),
        }
    }
}

/// What the notification of the end of an operation says; whether it has failed.
pub(crate) fn ending(operation: &Operation, context: Context<'_>) -> (bool, Vec<(Oid, Value)>) {
    use mip4_ext_operation_table::Column;
    let row = Row::of(operation, context);
    let has_failed = operation.state == OperationState::Failed
        || (operation.state == OperationState::Done && row.progress.failed() > 0);
    let columns = [
        ("mip4ExtOperationAction", Column::Action),
        ("mip4ExtOperationState", Column::State),
        ("mip4ExtOperationWho", Column::Who),
        ("mip4ExtOperationReason", Column::Reason),
        ("mip4ExtOperationTargets", Column::Targets),
        ("mip4ExtOperationEnded", Column::Ended),
        ("mip4ExtOperationFailures", Column::Failures),
        ("mip4ExtOperationError", Column::Error),
    ];
    let cell = |(name, column)| (name, OperationTable::cell(context, &row, column));
    (has_failed, variables(&[operation.id.0], columns.map(cell)))
}
