//! Kinds of notification, and how many of each may be sent.

use std::collections::BTreeMap;

use mibs::{mip_mib, mip4_ext_mib as module};
use store::{Role, Scope, Setting, SettingIndex, SettingKey, SettingValue, Snapshot, Time};

/// A kind of notification (`Mip4ExtNotificationKind`).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum NotificationKind {
    /// `mipAuthFailure2`.
    AuthenticationFailure,
    /// `mipAuthFailure`, deprecated.
    OldAuthenticationFailure,
    Instance,
    Capacity,
    Violations,
    Clock,
    Store,
    /// An operation has ended.
    Operation,
    /// The configuration of regions went back.
    Regional,
}

impl NotificationKind {
    pub const ALL: [Self; 9] = [
        Self::AuthenticationFailure,
        Self::OldAuthenticationFailure,
        Self::Instance,
        Self::Capacity,
        Self::Violations,
        Self::Clock,
        Self::Store,
        Self::Operation,
        Self::Regional,
    ];

    /// Its number in the module.
    pub const fn number(self) -> u32 {
        match self {
            Self::AuthenticationFailure => 1,
            Self::OldAuthenticationFailure => 2,
            Self::Instance => 3,
            Self::Capacity => 4,
            Self::Violations => 5,
            Self::Clock => 6,
            Self::Store => 7,
            Self::Operation => 8,
            Self::Regional => 9,
        }
    }

    /// Its word in keys of settings.
    pub const fn as_str(self) -> &'static str {
        let [
            authentication,
            old_authentication,
            instance,
            capacity,
            violations,
            clock,
            store,
            operation,
            regional,
        ] = SettingIndex::NOTIFICATIONS;
        match self {
            Self::AuthenticationFailure => authentication,
            Self::OldAuthenticationFailure => old_authentication,
            Self::Instance => instance,
            Self::Capacity => capacity,
            Self::Violations => violations,
            Self::Clock => clock,
            Self::Store => store,
            Self::Operation => operation,
            Self::Regional => regional,
        }
    }

    /// The notifications that an alarm of this kind is raised and cleared with.
    pub(crate) const fn notifications(self) -> Option<[&'static [u32]; 2]> {
        Some(match self {
            Self::AuthenticationFailure
            | Self::OldAuthenticationFailure
            | Self::Operation
            | Self::Regional => return None,
            Self::Instance => [module::MIP4_EXT_INSTANCE_GONE, module::MIP4_EXT_INSTANCE_BACK],
            Self::Capacity => [module::MIP4_EXT_CAPACITY_HIGH, module::MIP4_EXT_CAPACITY_NORMAL],
            Self::Violations => {
                [module::MIP4_EXT_VIOLATION_BURST, module::MIP4_EXT_VIOLATION_BURST_END]
            }
            Self::Clock => [module::MIP4_EXT_CLOCK_TROUBLE, module::MIP4_EXT_CLOCK_SETTLED],
            Self::Store => [module::MIP4_EXT_STORE_TROUBLE, module::MIP4_EXT_STORE_HEALTHY],
        })
    }

    /// The notification of a failed authentication of this kind.
    pub(super) const fn authentication_failure(self) -> Option<&'static [u32]> {
        match self {
            Self::AuthenticationFailure => Some(mip_mib::MIP_AUTH_FAILURE2),
            Self::OldAuthenticationFailure => Some(mip_mib::MIP_AUTH_FAILURE),
            Self::Instance
            | Self::Capacity
            | Self::Violations
            | Self::Clock
            | Self::Store
            | Self::Operation
            | Self::Regional => None,
        }
    }
}

/// How a gate stands: a row of `mip4ExtGateTable`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GateState {
    pub open: bool,
    pub per_minute: u32,
    pub sent: u32,
    pub suppressed: u32,
}

/// Where it is said how a gate is to be.
pub(crate) fn setting_key(kind: NotificationKind) -> SettingKey {
    let index = SettingIndex::Notification(kind.as_str().to_owned());
    SettingKey::new(Scope::Role(Role::Snmp), "notification-gate", Some(index))
}

/// How many may come at once, whatever the limit is.
const BURST: u64 = 50;
/// What one notification costs: a minute, in milliseconds.
const COST: u64 = 60_000;

/// A bucket of tokens for each kind: who causes one kind without end takes
/// nothing from the others, and little from the network.
#[derive(Clone, Debug, Default)]
pub(super) struct Gates(BTreeMap<NotificationKind, Gate>);

#[derive(Clone, Debug, Default)]
struct Gate {
    sent: u32,
    suppressed: u32,
    /// How much of the bucket is used, in tokens of 1/`COST` notification.
    used: u64,
    /// When tokens were put in last.
    filled_at: Time,
}

impl Gates {
    pub(super) fn state(&self, snapshot: &Snapshot, kind: NotificationKind) -> GateState {
        let (sent, suppressed) =
            self.0.get(&kind).map_or((0, 0), |gate| (gate.sent, gate.suppressed));
        let setting = snapshot.rows::<Setting>().get(&setting_key(kind));
        let said = setting.filter(|row| row.active).map(|row| &row.value);
        let (open, per_minute) = match said {
            Some(SettingValue::NotificationGate { open, per_minute }) => (*open, *per_minute),
            _ => (true, SettingValue::GATE_PER_MINUTE),
        };
        GateState { open, per_minute, sent, suppressed }
    }

    /// Whether there may be one more of this kind now; counts it.
    pub(super) fn pass(&mut self, snapshot: &Snapshot, kind: NotificationKind, now: Time) -> bool {
        let GateState { open, per_minute, .. } = self.state(snapshot, kind);
        let gate = self.0.entry(kind).or_default();
        let elapsed = u64::try_from(now.since(gate.filled_at).as_millis()).unwrap_or(u64::MAX);
        gate.used = gate.used.saturating_sub(elapsed.saturating_mul(per_minute.into()));
        gate.filled_at = now;
        let passes = open && gate.used + COST <= BURST * COST;
        if passes {
            gate.used += COST;
        }
        let count = if passes { &mut gate.sent } else { &mut gate.suppressed };
        *count = count.wrapping_add(1);
        passes
    }
}
