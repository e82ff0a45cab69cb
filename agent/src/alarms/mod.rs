//! What managers are told of by themselves: alarms that are raised and cleared, and failed authentications.
//!
//! ```text
//!            once a second, and when violations change
//!  snapshot ─────────► conditions ──► raised: a table, and a notification each
//!  health                        └──► no more: gone from the table, and a notification each
//!  violations ───────► one notification for each offender with news
//!  operations ───────► one notification for each that has ended
//!  regional commits ─► one notification for each that took others back
//!                              │
//!                     gate and limit by kind
//! ```
//!
//! Everything is worked out from rows, so that it does not matter which process
//! the agent with the trouble runs in, nor whether it can still speak.

mod conditions;
mod gate;
mod operations;
mod regional;
mod violations;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use store::{Snapshot, UtcTime};

use crate::mib::{Context, Registry, admin_string, date_and_time, push_implied, variables};
use crate::notify::Notification;
use crate::{Oid, Value};

pub(crate) use gate::setting_key;
pub use gate::{GateState, NotificationKind};

use conditions::{Condition, Memory};
use gate::Gates;
use operations::Endings;
use regional::Returns;
use violations::Offenders;

/// How bad an alarm is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    Cleared,
    Warning,
    Major,
    Critical,
}

impl Severity {
    pub(crate) const fn number(self) -> i32 {
        match self {
            Self::Cleared => 1,
            Self::Warning => 2,
            Self::Major => 3,
            Self::Critical => 4,
        }
    }
}

/// Something that is wrong at present.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Alarm {
    pub kind: NotificationKind,
    /// An instance, or role, address and resource of an agent.
    pub subject: String,
    pub severity: Severity,
    pub since: UtcTime,
    /// The probable cause, with figures.
    pub cause: String,
    /// What to do about it.
    pub action: &'static str,
}

impl Alarm {
    /// Its index in `mip4ExtAlarmTable`.
    pub(crate) fn index(&self) -> Oid {
        let mut index = Oid::from([self.kind.number()]);
        push_implied(&mut index, &self.subject);
        index
    }

    /// The notification that it is raised, or with `Severity::Cleared` that it is no more.
    fn notification(&self, kind: &[u32], severity: Severity) -> Notification {
        let index = self.index();
        let columns = [
            ("mip4ExtAlarmSeverity", Some(Value::Integer32(severity.number()))),
            ("mip4ExtAlarmSince", Some(date_and_time(self.since))),
            ("mip4ExtAlarmCause", Some(admin_string(&self.cause))),
            ("mip4ExtAlarmAction", Some(admin_string(self.action))),
        ];
        Notification::new(kind, variables(&index, columns))
    }
}

/// What is wrong, and what was said about it.
#[derive(Clone, Debug, Default)]
pub struct Alarms {
    raised: BTreeMap<(NotificationKind, String), Alarm>,
    gates: Gates,
    memory: Memory,
    offenders: Offenders,
    endings: Endings,
    returns: Returns,
}

impl Alarms {
    /// The alarms that are raised, in the order of their indexes.
    pub(crate) fn raised(&self) -> impl ExactSizeIterator<Item = &Alarm> {
        self.raised.values()
    }

    /// Raises an alarm that nothing in the rows is the reason of.
    #[cfg(test)]
    pub(crate) fn raise(&mut self, alarm: Alarm) {
        self.raised.insert((alarm.kind, alarm.subject.clone()), alarm);
    }

    /// How a gate stands.
    pub(crate) fn gate(&self, snapshot: &Snapshot, kind: NotificationKind) -> GateState {
        self.gates.state(snapshot, kind)
    }

    /// Looks at everything; returns what managers are to be told.
    pub(crate) fn observe(
        &mut self,
        context: Context<'_>,
        registry: &Registry,
    ) -> Vec<Notification> {
        let mut news = Vec::new();
        self.update(context, &mut news);
        self.endings.update(context, &mut news);
        self.returns.update(context, &mut news);
        let now = context.now.uptime;
        news.retain(|(kind, _)| self.gates.pass(context.snapshot, *kind, now));
        let mut news = news.into_iter().map(|(_, notification)| notification).collect();
        self.offenders.update(context, registry, &mut self.gates, &mut news);
        news
    }

    fn update(&mut self, context: Context<'_>, news: &mut Vec<(NotificationKind, Notification)>) {
        let is_raised = |kind, subject: &str| self.raised.contains_key(&(kind, subject.to_owned()));
        let mut present = BTreeMap::new();
        for condition in self.memory.conditions(context, is_raised) {
            present.insert((condition.kind, condition.subject.clone()), condition);
        }
        let ended: Vec<_> =
            self.raised.keys().filter(|key| !present.contains_key(key)).cloned().collect();
        for key in ended {
            if let Some(alarm) = self.raised.remove(&key)
                && let Some([_, cleared]) = alarm.kind.notifications()
            {
                news.push((alarm.kind, alarm.notification(cleared, Severity::Cleared)));
            }
        }
        for (key, Condition { kind, subject, severity, cause, action }) in present {
            if let Some(alarm) = self.raised.get_mut(&key) {
                (alarm.severity, alarm.cause) = (severity, cause);
                continue;
            }
            let since = context.now.utc;
            let alarm = Alarm { kind, subject, severity, since, cause, action };
            if let Some([raised, _]) = kind.notifications() {
                news.push((kind, alarm.notification(raised, severity)));
            }
            self.raised.insert(key, alarm);
        }
    }
}
