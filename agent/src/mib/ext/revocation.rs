//! `mip4ExtRevocationTable`: what each agent counted of registration revocation (RFC 3543).

use mibs::mip4_ext_mib::mip4_ext_revocation_table;
use store::{Counter, Counters, OperationShare};

use super::agents;
use crate::mib::Context;
use crate::mib::small::SmallTable;
use crate::{Oid, Value};

pub(super) struct RevocationTable;

impl SmallTable for RevocationTable {
    type Column = mip4_ext_revocation_table::Column;
    type Row<'a> = &'a Counters;

    fn rows(context: Context<'_>) -> Option<Vec<(Oid, &Counters)>> {
        let indexed = agents::rows(context).map(|(mut index, row)| {
            super::push_implied(&mut index, &row.instance);
            (index, row)
        });
        Some(indexed.collect())
    }

    fn cell(context: Context<'_>, row: &&Counters, column: Self::Column) -> Option<Value> {
        use mip4_ext_revocation_table::Column;
        let count = |counter| Value::Counter64(row.value(counter));
        Some(match column {
            Column::Sent => count(Counter::RevocationsSent),
            Column::Retried => count(Counter::RevocationsRetried),
            Column::Acknowledged => count(Counter::RevocationsAcknowledged),
            Column::TimedOut => count(Counter::RevocationsTimedOut),
            Column::Pending => Value::gauge32(pending(context, row)),
            Column::Received => count(Counter::RevocationsReceived),
            Column::AcknowledgmentsSent => count(Counter::RevocationAcknowledgmentsSent),
            Column::Discarded => count(Counter::RevocationsDiscarded),
            Column::AcknowledgmentsUnexpected => {
                count(Counter::RevocationAcknowledgmentsUnexpected)
            }
        })
    }
}

/// What is left to do for this agent of operations that have not ended. There are few shares, and
/// may be a million bindings.
fn pending(context: Context<'_>, row: &Counters) -> u64 {
    let shares = context.snapshot.rows::<OperationShare>().iter();
    let open = shares.filter(|share| {
        let owner = &share.owner;
        !share.state.is_final() && (owner.role, owner.address) == (row.role, row.address)
    });
    open.map(|share| share.targets.saturating_sub(share.results.values().sum())).sum()
}
