//! `mip4ExtNotifyTable`: what each agent counted of generic notification (RFC 6098), and of the
//! texts that go with registration replies (RFC 4917).

use mibs::mip4_ext_mib::mip4_ext_notify_table;
use store::{Awaited, Counter, Counters, OperationAction};

use super::{agents, revocation};
use crate::mib::Context;
use crate::mib::small::SmallTable;
use crate::{Oid, Value};

pub(super) struct NotifyTable;

impl SmallTable for NotifyTable {
    type Column = mip4_ext_notify_table::Column;
    type Row<'a> = &'a Counters;

    fn rows(context: Context<'_>) -> Option<Vec<(Oid, &Counters)>> {
        Some(agents::named(context))
    }

    fn cell(context: Context<'_>, row: &&Counters, column: Self::Column) -> Option<Value> {
        use mip4_ext_notify_table::Column;
        let count = |counter| Value::Counter64(row.value(counter));
        Some(match column {
            Column::Sent => count(Counter::NotificationsSent),
            Column::Retried => count(Counter::NotificationsRetried),
            Column::Acknowledged => count(Counter::NotificationsAcknowledged),
            Column::Denied => count(Counter::NotificationsDenied),
            Column::TimedOut => count(Counter::NotificationsTimedOut),
            Column::Pending => {
                Value::gauge32(revocation::pending(context, row, OperationAction::is_notification))
            }
            Column::Waiting => Value::gauge32(row.waiting(Awaited::Notifications)),
            Column::Received => count(Counter::NotificationsReceived),
            Column::AcknowledgementsSent => count(Counter::NotificationAcknowledgementsSent),
            Column::Discarded => count(Counter::NotificationsDiscarded),
            Column::Relayed => count(Counter::NotificationsRelayed),
            Column::AcknowledgementsUnexpected => {
                count(Counter::NotificationAcknowledgementsUnexpected)
            }
            Column::MessageStringsSent => count(Counter::MessageStringsSent),
            Column::MessageStringsReceived => count(Counter::MessageStringsReceived),
        })
    }
}
