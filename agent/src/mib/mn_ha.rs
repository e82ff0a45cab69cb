//! `mnHATable`: the home agents that the mobile node may use, read and written.
//!
//! A row is there for the home agent of its file, for those that managers made, and for one that it
//! found or was given and is registered with. What managers make is for all mobile nodes of the
//! store, and lasts: the table has no `StorageType`.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use mibs::mip_mib::mn_ha_table;
use store::{
    Origin, Role, Scope, Setting, SettingIndex, SettingKey, SettingValue, StorageType, Unknown,
};

use super::conventions::row_status;
use super::mobile_node::{is_running, registrations};
use super::small::{SmallTable, addresses};
use super::{Context, index};
use crate::engine::{ErrorStatus, Staging};
use crate::row_status::{RowAction, RowStatus};
use crate::{Oid, Value};

/// The word of the setting.
const KIND: &str = "home-agent";

/// A home agent of a mobile node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HomeAgent {
    /// Whether the node is registered there now.
    is_current: bool,
    is_active: bool,
}

/// What is configured, with the addresses.
fn configured(context: Context<'_>) -> impl Iterator<Item = (Ipv4Addr, &Setting)> {
    let settings = context.snapshot.rows::<Setting>().iter();
    let settings = settings.filter(move |row| match &row.scope {
        Scope::Instance(name) => context.shows(name),
        Scope::Role(_) => true,
    });
    settings.filter_map(|row| match (&row.value, &row.index) {
        (SettingValue::HomeAgent {}, Some(SettingIndex::Address(address))) => {
            Some((*address, row.as_ref()))
        }
        _ => None,
    })
}

/// By the address of the home agent.
pub(crate) struct MnHaTable;

impl SmallTable for MnHaTable {
    type Column = mn_ha_table::Column;
    type Row<'a> = HomeAgent;

    fn rows(context: Context<'_>) -> Option<Vec<(Oid, HomeAgent)>> {
        context.has_role(Role::MobileNode).then_some(())?;
        let mut agents = BTreeMap::<Ipv4Addr, HomeAgent>::new();
        for (address, setting) in configured(context) {
            let new = HomeAgent { is_current: false, is_active: false };
            agents.entry(address).or_insert(new).is_active |= setting.active;
        }
        for row in registrations(context) {
            let new = HomeAgent { is_current: false, is_active: true };
            agents.entry(row.home_agent).or_insert(new).is_current |= is_running(context, row);
        }
        Some(agents.into_iter().map(|(address, agent)| (addresses([address]), agent)).collect())
    }

    fn cell(_: Context<'_>, agent: &HomeAgent, column: Self::Column) -> Option<Value> {
        use mn_ha_table::Column;
        Some(match column {
            Column::CurrentHa => Value::truth(agent.is_current),
            Column::HaStatus => row_status(agent.is_active),
        })
    }
}

/// Writes to `mnHAStatus`, the one column that can be.
pub(crate) fn set_home_agent(
    staging: &mut Staging<'_>,
    suffix: &[u32],
    value: &Value,
) -> Result<(), ErrorStatus> {
    let [1, 3, address @ ..] = suffix else { return Err(ErrorStatus::NotWritable) };
    let address: Ipv4Addr = index::exact::<4>(address).ok_or(ErrorStatus::NoCreation)?.into();
    let context = staging.context;
    if !context.has_role(Role::MobileNode) {
        return Err(ErrorStatus::NoCreation);
    }
    let action = RowAction::from_value(value)?;
    let present = configured(context).find(|(of, _)| *of == address);
    let key = present.map_or_else(|| new_key(context, address), |(_, row)| store::Row::key(row));
    let before = staging.row::<Setting>(&key);
    let is_found = || registrations(context).any(|row| row.home_agent == address);
    let status = match &before {
        Some(row) if row.active => Some(RowStatus::Active),
        Some(_) => Some(RowStatus::NotInService),
        // It was neither made nor configured, so there is nothing to change.
        None if is_found() => return Err(ErrorStatus::InconsistentValue),
        None => None,
    };
    let Some(after) = action.apply(status, true)? else {
        return staging.delete_configuration::<Setting>(&key);
    };
    if Some(after) == status {
        return Ok(());
    }
    staging.put_configuration(Setting {
        scope: key.scope,
        index: key.index,
        value: SettingValue::HomeAgent {},
        origin: Origin::Snmp,
        storage: before.as_ref().map_or(StorageType::NonVolatile, |row| row.storage),
        active: after == RowStatus::Active,
        instance: None,
        changed: None,
        unknown: before.as_ref().map_or_else(Unknown::default, |row| row.unknown.clone()),
    })
}

/// For all mobile nodes; in the context of one daemon, for that one.
fn new_key(context: Context<'_>, address: Ipv4Addr) -> SettingKey {
    let scope = match context.instance {
        Some(name) => Scope::Instance(name.to_owned()),
        None => Scope::Role(Role::MobileNode),
    };
    SettingKey::new(scope, KIND, Some(SettingIndex::Address(address)))
}
