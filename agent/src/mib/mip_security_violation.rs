//! `mipSecurityViolationTable`, and the deprecated `mipSecViolationTable`: who failed the checks.
//!
//! Agents keep a bounded number of offenders. Where two of them saw the same
//! one, the counts are added and the latest event is shown.

use std::collections::BTreeMap;
use std::time::Duration;

use mibs::mip_mib::{mip_sec_violation_table, mip_security_violation_table};
use store::{
    Identity, Origin, Scope, Setting, SettingIndex, SettingKey, SettingValue, StorageType, Unknown,
    Violation, ViolationReason,
};

use super::context::MOBILITY_ROLES;
use super::conventions::change_storage;
use super::small::{SmallTable, addresses};
use super::{Context, identity};
use crate::engine::{ErrorStatus, Staging};
use crate::{Oid, Value};

/// The word of the setting that makes a row volatile.
const KIND: &str = "violation";

/// The violations of one offender.
#[derive(Clone)]
pub(crate) struct Offender<'a> {
    count: u64,
    latest: &'a Violation,
    age: Duration,
}

/// The offenders by what `index` makes of a row.
fn offenders<'a>(
    context: Context<'a>,
    index: impl Fn(&Violation) -> Oid,
) -> Option<Vec<(Oid, Offender<'a>)>> {
    MOBILITY_ROLES.into_iter().find(|role| context.has_role(*role))?;
    let mut offenders = BTreeMap::<Oid, Offender<'a>>::new();
    let rows = context.snapshot.rows::<Violation>().iter();
    for row in rows.filter(|row| context.shows(&row.instance)) {
        let age = context.owner_now(&row.instance).since(row.at);
        offenders
            .entry(index(row))
            .and_modify(|offender| {
                offender.count = offender.count.wrapping_add(row.count);
                if age < offender.age {
                    (offender.latest, offender.age) = (row, age);
                }
            })
            .or_insert(Offender { count: row.count, latest: row, age });
    }
    Some(offenders.into_iter().collect())
}

/// `mipSecurityRecentViolationReason`.
fn reason(reason: ViolationReason) -> Value {
    Value::Integer32(match reason {
        ViolationReason::NoMobilitySecurityAssociation => 1,
        ViolationReason::BadAuthenticator => 2,
        ViolationReason::BadIdentifier => 3,
        ViolationReason::BadSpi => 4,
        ViolationReason::MissingSecurityExtension => 5,
        ViolationReason::Other => 6,
    })
}

fn time(context: Context<'_>, row: &Violation) -> Value {
    context.time_stamp(Some(row.at), context.owner_now(&row.instance))
}

/// The SPI, which the module wants only for these two reasons.
fn spi(row: &Violation) -> u32 {
    match row.reason {
        ViolationReason::BadIdentifier | ViolationReason::BadAuthenticator => row.spi.0,
        ViolationReason::NoMobilitySecurityAssociation
        | ViolationReason::BadSpi
        | ViolationReason::MissingSecurityExtension
        | ViolationReason::Other => 0,
    }
}

fn key(row: &Violation) -> SettingKey {
    let index = SettingIndex::Identity(row.violator.clone());
    SettingKey::new(Scope::Instance(row.instance.clone()), KIND, Some(index))
}

/// Whether a manager wants the row to end when its agent starts again.
fn is_volatile(context: Context<'_>, row: &Violation) -> bool {
    let setting = context.snapshot.rows::<Setting>().get(&key(row));
    setting.is_some_and(|setting| {
        setting.active && setting.value == SettingValue::Violation { volatile: true }
    })
}

/// Writes to `mipSecurityviolationStorageType`, the one column that can be: rows of this table are
/// made by agents alone.
pub(crate) fn set(
    staging: &mut Staging<'_>,
    suffix: &[u32],
    value: &Value,
) -> Result<(), ErrorStatus> {
    let [1, 12, index @ ..] = suffix else { return Err(ErrorStatus::NotWritable) };
    let context = staging.context;
    let of_index = |row: &Violation| {
        let mut name = Oid::new();
        identity::push(&mut name, &row.violator);
        name[..] == *index
    };
    let rows = context.snapshot.rows::<Violation>().iter();
    let rows = rows.filter(|row| context.shows(&row.instance) && of_index(row));
    // Every agent that saw the offender has a row.
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return Err(ErrorStatus::NoCreation);
    }
    for row in rows {
        let key = key(row);
        let present = match staging.row::<Setting>(&key) {
            Some(_) => StorageType::Volatile,
            None => StorageType::NonVolatile,
        };
        match change_storage(present, value)? {
            wanted if wanted == present => {}
            StorageType::Volatile => staging.put_configuration(Setting {
                scope: key.scope,
                index: key.index,
                value: SettingValue::Violation { volatile: true },
                origin: Origin::Snmp,
                // It ends with the row that it is about.
                storage: StorageType::Volatile,
                active: true,
                instance: None,
                changed: None,
                unknown: Unknown::default(),
            })?,
            _ => staging.delete_configuration::<Setting>(&key)?,
        }
    }
    Ok(())
}

/// By kind and identifier of the offender.
pub(crate) struct MipSecurityViolationTable;

impl SmallTable for MipSecurityViolationTable {
    type Column = mip_security_violation_table::Column;
    type Row<'a> = Offender<'a>;

    fn rows(context: Context<'_>) -> Option<Vec<(Oid, Offender<'_>)>> {
        offenders(context, |row| {
            let mut index = Oid::new();
            identity::push(&mut index, &row.violator);
            index
        })
    }

    fn cell(context: Context<'_>, row: &Offender<'_>, column: Self::Column) -> Option<Value> {
        use mip_security_violation_table::Column;
        let latest = row.latest;
        Some(match column {
            Column::SecurityViolationCounter => Value::counter32(row.count),
            Column::SecurityRecentViolationSpi => Value::Gauge32(spi(latest)),
            Column::SecurityRecentViolationTime => time(context, latest),
            Column::SecurityRecentViolationIdLow => Value::Gauge32(latest.identification.low()),
            Column::SecurityRecentViolationIdHigh => Value::Gauge32(latest.identification.high()),
            Column::SecurityRecentViolationReason => reason(latest.reason),
            Column::SecurityViolatorNai => identity::full_nai(latest.nai()),
            Column::SecurityViolatorIpAddress => match latest.violator {
                Identity::Address(address) => address.into(),
                Identity::Nai(_) => latest.address.into(),
            },
            Column::SecurityRecentViolationErrCode => {
                Value::Gauge32(latest.code.map_or(0, |code| code.0.into()))
            }
            // Rows survive a restart, as long as there is room for them, unless somebody wants
            // them to end with it.
            Column::SecurityviolationStorageType => {
                Value::Integer32(if is_volatile(context, latest) { 2 } else { 3 })
            }
        })
    }
}

/// By the address of the offender: the one that it claimed, else where its datagram came from.
pub(crate) struct MipSecViolationTable;

impl SmallTable for MipSecViolationTable {
    type Column = mip_sec_violation_table::Column;
    type Row<'a> = Offender<'a>;

    fn rows(context: Context<'_>) -> Option<Vec<(Oid, Offender<'_>)>> {
        offenders(context, |row| match row.violator {
            Identity::Address(address) => addresses([address]),
            Identity::Nai(_) => addresses([row.address]),
        })
    }

    fn cell(context: Context<'_>, row: &Offender<'_>, column: Self::Column) -> Option<Value> {
        use mip_sec_violation_table::Column;
        let latest = row.latest;
        Some(match column {
            Column::ViolationCounter => Value::counter32(row.count),
            // Integer32 in these three: the same 32 bits.
            Column::RecentViolationSpi => Value::Integer32(spi(latest).cast_signed()),
            Column::RecentViolationTime => time(context, latest),
            Column::RecentViolationIdLow => {
                Value::Integer32(latest.identification.low().cast_signed())
            }
            Column::RecentViolationIdHigh => {
                Value::Integer32(latest.identification.high().cast_signed())
            }
            Column::RecentViolationReason => reason(latest.reason),
        })
    }
}

#[cfg(test)]
mod tests;
