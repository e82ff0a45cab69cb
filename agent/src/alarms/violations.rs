//! `mipAuthFailure2`, and the deprecated `mipAuthFailure`: somebody failed a check.
//!
//! One notification for each offender with news, made from the row that a
//! manager could read: its objects are that row's, and its instance tells who.

use std::collections::BTreeMap;

use mibs::mip_mib::MODULE;
use store::{Identity, Row as _, Violation, ViolationKey};

use super::NotificationKind;
use super::gate::Gates;
use crate::mib::{Context, GetResult, Registry, identity};
use crate::notify::Notification;
use crate::{Oid, Value};

/// How often each offender was caught, as far as managers know.
#[derive(Clone, Debug, Default)]
pub(super) struct Offenders(Option<BTreeMap<ViolationKey, u64>>);

impl Offenders {
    /// Finds the offenders with news. What was there at the start is none.
    ///
    /// The gates are asked before anything is read: in a flood every offender has news, and
    /// each object of a notification looks through all of them.
    pub(super) fn update(
        &mut self,
        context: Context<'_>,
        registry: &Registry,
        gates: &mut Gates,
        news: &mut Vec<Notification>,
    ) {
        let rows = context.snapshot.rows::<Violation>();
        let Some(known) = &mut self.0 else {
            self.0 = Some(rows.iter().map(|row| (row.key(), row.count)).collect());
            return;
        };
        // Agents bound how many offenders they keep, so this is bounded, too.
        known.retain(|key, _| rows.get(key).is_some());
        for row in rows.iter() {
            if known.insert(row.key(), row.count).is_none_or(|before| before < row.count) {
                for kind in [
                    NotificationKind::AuthenticationFailure,
                    NotificationKind::OldAuthenticationFailure,
                ] {
                    if gates.pass(context.snapshot, kind, context.now.uptime) {
                        news.extend(notification(context, registry, kind, row));
                    }
                }
            }
        }
    }
}

/// The index of the offender in the table of the notification.
fn index(kind: NotificationKind, row: &Violation) -> Oid {
    let mut index = Oid::new();
    match (kind, &row.violator) {
        (NotificationKind::OldAuthenticationFailure, Identity::Address(address)) => {
            index.extend_from_octets(&address.octets());
        }
        (NotificationKind::OldAuthenticationFailure, Identity::Nai(_)) => {
            index.extend_from_octets(&row.address.octets());
        }
        (_, violator) => identity::push(&mut index, violator),
    }
    index
}

fn notification(
    context: Context<'_>,
    registry: &Registry,
    kind: NotificationKind,
    row: &Violation,
) -> Option<Notification> {
    let oid = kind.authentication_failure()?;
    let index = index(kind, row);
    let definition = MODULE.notifications.iter().find(|it| it.oid == oid)?;
    let mut variables = Vec::new();
    for object in definition.objects {
        let object = MODULE.object(object)?;
        let mut name = Oid::from(object.oid);
        name.extend_from_slice(&index);
        let value = if object.name == "mipSecViolatorAddress" {
            address(&index)?
        } else {
            match registry.get(context, &name) {
                GetResult::Value(value) => value,
                // No role is configured whose objects these are.
                GetResult::NoSuchObject | GetResult::NoSuchInstance => return None,
            }
        };
        variables.push((name, value));
    }
    Some(Notification::new(oid, variables))
}

/// The index object `mipSecViolatorAddress`, which is for notifications alone.
fn address(index: &[u32]) -> Option<Value> {
    let octets: Option<Vec<u8>> = index.iter().map(|part| u8::try_from(*part).ok()).collect();
    Some(Value::IpAddress(octets?.try_into().ok()?))
}
