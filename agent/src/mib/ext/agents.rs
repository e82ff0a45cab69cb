//! What each agent counted: `mip4ExtAgentTable`, `mip4ExtReplyTable` and `mip4ExtUsageTable`.

use mibs::mip4_ext_mib::{mip4_ext_agent_table, mip4_ext_reply_table, mip4_ext_usage_table};
use store::wire::Code;
use store::{Counter, Counters, Resource, Usage};

use super::{admin_string, date_and_time, push_implied, role_number};
use crate::mib::Context;
use crate::mib::small::SmallTable;
use crate::{Oid, Value};

/// The rows of agents and mobile nodes, each with the start of its index.
pub(super) fn rows(context: Context<'_>) -> impl Iterator<Item = (Oid, &Counters)> {
    let rows = context.snapshot.rows::<Counters>().iter();
    rows.filter(move |row| context.shows(&row.instance)).filter_map(|row| {
        let mut index = Oid::from([role_number(row.role)?]);
        index.extend_from_octets(&row.address.octets());
        Some((index, row.as_ref()))
    })
}

/// The same, each with an index that ends with the name of its instance.
pub(super) fn named(context: Context<'_>) -> Vec<(Oid, &Counters)> {
    let indexed = rows(context).map(|(mut index, row)| {
        push_implied(&mut index, &row.instance);
        (index, row)
    });
    indexed.collect()
}

pub(super) struct AgentTable;

impl SmallTable for AgentTable {
    type Column = mip4_ext_agent_table::Column;
    type Row<'a> = &'a Counters;

    fn rows(context: Context<'_>) -> Option<Vec<(Oid, &Counters)>> {
        Some(named(context))
    }

    fn cell(_: Context<'_>, row: &&Counters, column: Self::Column) -> Option<Value> {
        use mip4_ext_agent_table::Column;
        let count = |counter| Value::Counter64(row.value(counter));
        Some(match column {
            Column::DiscontinuityTime => date_and_time(row.discontinuity_at),
            Column::Violations => count(Counter::MipSecTotalViolations),
            Column::DatagramsReceived => count(Counter::DatagramsReceived),
            Column::DatagramsTruncated => count(Counter::DatagramsTruncated),
            Column::DatagramsUnknownType => count(Counter::DatagramsUnknownType),
            Column::DatagramsUnskippable => count(Counter::DatagramsUnskippableExtension),
            Column::DatagramsMalformed => count(Counter::DatagramsMalformed),
            Column::DatagramsUnexpected => count(Counter::DatagramsUnexpected),
            Column::DatagramsRateLimited => count(Counter::DatagramsRateLimited),
            Column::SendErrors => count(Counter::SendErrors),
        })
    }
}

pub(super) struct ReplyTable;

impl SmallTable for ReplyTable {
    type Column = mip4_ext_reply_table::Column;
    type Row<'a> = (Code, u64);

    fn rows(context: Context<'_>) -> Option<Vec<(Oid, (Code, u64))>> {
        let indexed = rows(context).flat_map(|(index, row)| {
            row.replies.iter().map(move |&(code, count)| {
                let mut index = index.clone();
                index.push(code.0.into());
                push_implied(&mut index, &row.instance);
                (index, (code, count))
            })
        });
        Some(indexed.collect())
    }

    fn cell(_: Context<'_>, (code, count): &(Code, u64), column: Self::Column) -> Option<Value> {
        use mip4_ext_reply_table::Column;
        Some(match column {
            Column::Count => Value::Counter64(*count),
            Column::Meaning => admin_string(code.meaning().unwrap_or("not assigned")),
        })
    }
}

pub(super) struct UsageTable;

impl SmallTable for UsageTable {
    type Column = mip4_ext_usage_table::Column;
    type Row<'a> = Usage;

    fn rows(context: Context<'_>) -> Option<Vec<(Oid, Usage)>> {
        let indexed = rows(context).flat_map(|(index, row)| {
            row.usage.iter().map(move |usage| {
                let mut index = index.clone();
                index.push(match usage.resource {
                    Resource::Bindings => 1,
                    Resource::Visitors => 2,
                    Resource::Pending => 3,
                });
                push_implied(&mut index, &row.instance);
                (index, *usage)
            })
        });
        Some(indexed.collect())
    }

    fn cell(_: Context<'_>, usage: &Usage, column: Self::Column) -> Option<Value> {
        use mip4_ext_usage_table::Column;
        Some(match column {
            Column::Limit => Value::gauge32(usage.limit),
            Column::InUse => Value::gauge32(usage.in_use),
            Column::Peak => Value::gauge32(usage.peak),
            Column::PeakAt => date_and_time(usage.peak_at),
        })
    }
}
