//! `mip4ExtInstanceTable`: every daemon, and how fresh its rows are.

use mibs::mip4_ext_mib::{self as module, mip4_ext_instance_table};
use store::{Instance, InstanceState, Role};

use super::{admin_string, date_and_time, is_stale, push_implied};
use crate::mib::small::SmallTable;
use crate::mib::{Context, Registry, Scalar, flags};
use crate::{Oid, Value};

pub(super) fn register(registry: &mut Registry) {
    let count = |context: Context<'_>| Some(gauge(rows(context).count()));
    registry.add(module::MIP4_EXT_INSTANCE_COUNT, Scalar(count));
    let stale = |context: Context<'_>| {
        Some(gauge(rows(context).filter(|row| is_stale(context, &row.name)).count()))
    };
    registry.add(module::MIP4_EXT_INSTANCE_STALE_COUNT, Scalar(stale));
    super::add_small::<InstanceTable>(registry, mip4_ext_instance_table::OID);
}

/// A number of things.
pub(super) fn gauge(count: usize) -> Value {
    Value::gauge32(u64::try_from(count).unwrap_or(u64::MAX))
}

fn rows(context: Context<'_>) -> impl Iterator<Item = &Instance> {
    context.all_instances()
}

pub(super) struct InstanceTable;

impl SmallTable for InstanceTable {
    type Column = mip4_ext_instance_table::Column;
    type Row<'a> = &'a Instance;

    fn rows(context: Context<'_>) -> Option<Vec<(Oid, &Instance)>> {
        let indexed = rows(context).map(|row| {
            let mut index = Oid::new();
            push_implied(&mut index, &row.name);
            (index, row)
        });
        Some(indexed.collect())
    }

    fn cell(context: Context<'_>, row: &&Instance, column: Self::Column) -> Option<Value> {
        use mip4_ext_instance_table::Column;
        Some(match column {
            Column::Roles => {
                let order = [
                    Role::HomeAgent,
                    Role::ForeignAgent,
                    Role::MobileNode,
                    Role::Snmp,
                    Role::Store,
                    Role::Gateway,
                ];
                flags::bits(&order.map(|role| row.roles.contains(&role)))
            }
            Column::Addresses => {
                let addresses: Vec<String> =
                    row.addresses.iter().map(ToString::to_string).collect();
                admin_string(&addresses.join(" "))
            }
            Column::State => Value::Integer32(match row.state {
                InstanceState::Starting => 1,
                InstanceState::Serving => 2,
                InstanceState::Draining => 3,
                InstanceState::Gone => 4,
            }),
            Column::Stale => Value::truth(is_stale(context, &row.name)),
            Column::HeartbeatAge => {
                let age = row.heartbeat_age(context.now.utc).as_millis();
                Value::gauge32(u64::try_from(age).unwrap_or(u64::MAX))
            }
            Column::StartedAt => date_and_time(row.started_at),
            Column::ClockStep => {
                let limits = i64::from(i32::MIN)..=i64::from(i32::MAX);
                let step = row.clock_step.clamp(*limits.start(), *limits.end());
                Value::Integer32(i32::try_from(step).unwrap_or(0))
            }
            Column::Version => admin_string(&row.version),
            Column::ProcessId => Value::Gauge32(row.process_id),
            Column::AppliedRevision => Value::Counter64(row.applied_revision),
            Column::ApplyError => admin_string(row.apply_error.as_deref().unwrap_or("")),
        })
    }
}
