//! `mip4ExtRevocationTable`: what each agent counted of registration revocation (RFC 3543).

use mibs::mip4_ext_mib::mip4_ext_revocation_table;
use store::{
    Awaited, Counter, Counters, Operation, OperationAction, OperationShare, OperationShareKey,
};

use super::agents;
use crate::mib::Context;
use crate::mib::small::SmallTable;
use crate::{Oid, Value};

pub(super) struct RevocationTable;

impl SmallTable for RevocationTable {
    type Column = mip4_ext_revocation_table::Column;
    type Row<'a> = &'a Counters;

    fn rows(context: Context<'_>) -> Option<Vec<(Oid, &Counters)>> {
        Some(agents::named(context))
    }

    fn cell(context: Context<'_>, row: &&Counters, column: Self::Column) -> Option<Value> {
        use mip4_ext_revocation_table::Column;
        let count = |counter| Value::Counter64(row.value(counter));
        Some(match column {
            Column::Sent => count(Counter::RevocationsSent),
            Column::Retried => count(Counter::RevocationsRetried),
            Column::Acknowledged => count(Counter::RevocationsAcknowledged),
            Column::TimedOut => count(Counter::RevocationsTimedOut),
            Column::Pending => {
                // What is left of a drain at its end is revoked.
                let is_meant = |action: &OperationAction| !action.is_notification();
                Value::gauge32(pending(context, row, is_meant))
            }
            Column::Waiting => Value::gauge32(row.waiting(Awaited::Revocations)),
            Column::Received => count(Counter::RevocationsReceived),
            Column::AcknowledgmentsSent => count(Counter::RevocationAcknowledgmentsSent),
            Column::Discarded => count(Counter::RevocationsDiscarded),
            Column::AcknowledgmentsUnexpected => {
                count(Counter::RevocationAcknowledgmentsUnexpected)
            }
        })
    }
}

/// What is left to do for this agent of open operations, of some actions: there are few of these,
/// and may be very many shares and bindings.
pub(super) fn pending(
    context: Context<'_>,
    row: &Counters,
    is_meant: fn(&OperationAction) -> bool,
) -> u64 {
    let operations = context.snapshot.rows::<Operation>().iter();
    let open = operations.filter(|it| !it.state.is_final() && is_meant(&it.action));
    let shares = context.snapshot.rows::<OperationShare>();
    let own = open.filter_map(|operation| {
        let (id, role, address) = (operation.id, row.role, row.address);
        shares.get(&OperationShareKey { id, role, address })
    });
    let own = own.filter(|share| !share.state.is_final());
    own.map(|share| share.targets.saturating_sub(share.results.values().sum())).sum()
}
