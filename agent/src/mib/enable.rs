//! `mipEnable`: the master switch of all agents of the store.
//!
//! It is a setting of each role that serves nodes. Reads show what is in force:
//! enabled(1) while some agent that is at work is not switched off.

use std::sync::Arc;

use store::{
    Instance, InstanceState, Origin, Role, Scope, Setting, SettingKey, SettingValue, StorageType,
    Unknown,
};

use super::{Context, context::MOBILITY_ROLES};
use crate::Value;
use crate::engine::{ErrorStatus, Staging};

/// The word of the setting.
const KIND: &str = "enabled";

/// Writes to the switch: a setting of each role, or of the one daemon of the context.
pub(super) fn set(
    staging: &mut Staging<'_>,
    suffix: &[u32],
    value: &Value,
) -> Result<(), ErrorStatus> {
    if suffix != [0] || read(staging.context).is_none() {
        return Err(ErrorStatus::NoCreation);
    }
    let enabled = match value {
        Value::Integer32(1) => true,
        Value::Integer32(2) => false,
        Value::Integer32(_) => return Err(ErrorStatus::WrongValue),
        _ => return Err(ErrorStatus::WrongType),
    };
    let context = staging.context;
    let roles = Role::SWITCHED.into_iter().filter(|role| context.plays(*role)).map(Scope::Role);
    let scopes: Vec<Scope> = match context.instance {
        None => roles.collect(),
        // In the context of one daemon it is that one's switch.
        Some(name) => vec![Scope::Instance(name.to_owned())],
    };
    for scope in scopes {
        let before: Option<Arc<Setting>> = staging.row::<Setting>(&key(scope.clone()));
        staging.put_configuration(Setting {
            scope,
            index: None,
            value: SettingValue::Enabled { enabled },
            origin: Origin::Snmp,
            storage: before.as_ref().map_or(StorageType::NonVolatile, |row| row.storage),
            active: true,
            instance: None,
            changed: None,
            unknown: before.as_ref().map_or_else(Unknown::default, |row| row.unknown.clone()),
        })?;
    }
    Ok(())
}

fn key(scope: Scope) -> SettingKey {
    SettingKey::new(scope, KIND, None)
}

/// What a scope says, if anything.
fn said(context: Context<'_>, scope: Scope) -> Option<bool> {
    let row = context.snapshot.rows::<Setting>().get(&key(scope)).filter(|row| row.active)?;
    match row.value {
        SettingValue::Enabled { enabled } => Some(enabled),
        _ => None,
    }
}

/// Whether an instance is at work in some role of Mobile IP.
fn is_enabled(context: Context<'_>, instance: &Instance) -> bool {
    let own = said(context, Scope::Instance(instance.name.clone()));
    let mut roles = instance
        .roles
        .iter()
        .filter(|role| MOBILITY_ROLES.contains(role) || Role::SWITCHED.contains(role));
    instance.state != InstanceState::Gone
        && roles.any(|role| own.or_else(|| said(context, Scope::Role(*role))).unwrap_or(true))
}

/// enabled(1), or disabled(2).
pub(super) fn read(context: Context<'_>) -> Option<Value> {
    MOBILITY_ROLES.into_iter().find(|role| context.has_role(*role))?;
    let enabled = context.all_instances().any(|instance| is_enabled(context, instance));
    Some(Value::Integer32(if enabled { 1 } else { 2 }))
}
