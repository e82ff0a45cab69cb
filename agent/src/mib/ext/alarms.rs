//! `mip4ExtAlarmTable`, and the gates of notifications.

use mibs::mip4_ext_mib::{self as module, mip4_ext_alarm_table, mip4_ext_gate_table};

use store::{Origin, Setting, SettingValue, StorageType, Unknown};

use super::{admin_string, date_and_time};
use crate::alarms::{Alarm, GateState, NotificationKind, setting_key};
use crate::engine::{ErrorStatus, Staging};
use crate::mib::conventions::from_truth;
use crate::mib::small::SmallTable;
use crate::mib::{Context, Registry, Scalar, writable};
use crate::{Oid, Value};

pub(super) fn register(registry: &mut Registry) {
    let count = |context: Context<'_>| Some(super::instances::gauge(raised(context).count()));
    registry.add(module::MIP4_EXT_ALARM_COUNT, Scalar(count));
    super::add_small::<AlarmTable>(registry, mip4_ext_alarm_table::OID);
    writable::<GateTable>(registry, mip4_ext_gate_table::OID, set_gate);
}

/// Writes to a gate: a setting that all SNMP engines of the store act on.
fn set_gate(staging: &mut Staging<'_>, suffix: &[u32], value: &Value) -> Result<(), ErrorStatus> {
    let [1, column @ 2..=3, index @ ..] = suffix else { return Err(ErrorStatus::NotWritable) };
    let kind = NotificationKind::ALL.into_iter().find(|kind| *index == [kind.number()]);
    let kind = kind.ok_or(ErrorStatus::NoCreation)?;
    let key = setting_key(kind);
    let before = staging.row::<Setting>(&key);
    let (mut open, mut per_minute) = match before.as_ref().map(|row| &row.value) {
        Some(SettingValue::NotificationGate { open, per_minute }) => (*open, *per_minute),
        _ => {
            let gate = staging.context.local.alarms.gate(staging.context.snapshot, kind);
            (gate.open, gate.per_minute)
        }
    };
    match (column, value) {
        (2, value) => open = from_truth(value)?,
        (_, Value::Gauge32(number)) => per_minute = *number,
        _ => return Err(ErrorStatus::WrongType),
    }
    staging.put_configuration(Setting {
        scope: key.scope,
        index: key.index,
        value: SettingValue::NotificationGate { open, per_minute },
        origin: Origin::Snmp,
        storage: before.as_ref().map_or(StorageType::NonVolatile, |row| row.storage),
        active: true,
        instance: None,
        changed: None,
        unknown: before.as_ref().map_or_else(Unknown::default, |row| row.unknown.clone()),
    })
}

/// The alarms that are raised; in the context of a daemon, those of it.
fn raised(context: Context<'_>) -> impl Iterator<Item = &Alarm> {
    let is_shown = move |alarm: &&Alarm| {
        context.instance.is_none_or(|name| {
            // Subjects are an instance, or an agent of one, perhaps with what it runs out of.
            alarm.subject == name || {
                let agent =
                    alarm.subject.split_once(" of ").and_then(|(_, of)| of.strip_prefix(name));
                agent.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
            }
        })
    };
    context.local.alarms.raised().filter(is_shown)
}

pub(super) struct AlarmTable;

impl SmallTable for AlarmTable {
    type Column = mip4_ext_alarm_table::Column;
    type Row<'a> = &'a Alarm;

    fn rows(context: Context<'_>) -> Option<Vec<(Oid, &Alarm)>> {
        Some(raised(context).map(|alarm| (alarm.index(), alarm)).collect())
    }

    fn cell(_: Context<'_>, alarm: &&Alarm, column: Self::Column) -> Option<Value> {
        use mip4_ext_alarm_table::Column;
        Some(match column {
            Column::Severity => Value::Integer32(alarm.severity.number()),
            Column::Since => date_and_time(alarm.since),
            Column::Cause => admin_string(&alarm.cause),
            Column::Action => admin_string(alarm.action),
        })
    }
}

pub(super) struct GateTable;

impl SmallTable for GateTable {
    type Column = mip4_ext_gate_table::Column;
    type Row<'a> = GateState;

    fn rows(context: Context<'_>) -> Option<Vec<(Oid, GateState)>> {
        let gates = NotificationKind::ALL.into_iter();
        let rows = gates.map(|kind| {
            (Oid::from([kind.number()]), context.local.alarms.gate(context.snapshot, kind))
        });
        Some(rows.collect())
    }

    fn cell(_: Context<'_>, gate: &GateState, column: Self::Column) -> Option<Value> {
        use mip4_ext_gate_table::Column;
        Some(match column {
            Column::Open => Value::truth(gate.open),
            Column::PerMinute => Value::Gauge32(gate.per_minute),
            Column::Sent => Value::Counter32(gate.sent),
            Column::Suppressed => Value::Counter32(gate.suppressed),
        })
    }
}
