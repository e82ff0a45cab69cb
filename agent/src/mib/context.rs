//! Questions that many handlers have about a snapshot.

use std::net::Ipv4Addr;
use std::time::Duration;

use store::{Association, Counter, Counters, Instance, Role, UtcTime};

use super::Context;
use crate::Value;

/// Roles that take part in Mobile IP.
pub(crate) const MOBILITY_ROLES: [Role; 3] =
    [Role::MobileNode, Role::ForeignAgent, Role::HomeAgent];

impl<'a> Context<'a> {
    /// The instances that play `role`.
    pub(crate) fn instances(self, role: Role) -> impl Iterator<Item = &'a Instance> {
        self.all_instances().filter(move |instance| instance.roles.contains(&role))
    }

    /// The instances that are shown.
    pub(crate) fn all_instances(self) -> impl Iterator<Item = &'a Instance> {
        let instances = self.snapshot.rows::<Instance>().iter().map(AsRef::as_ref);
        instances.filter(move |instance: &&Instance| self.shows(&instance.name))
    }

    /// Whether rows of the instance `name` are shown: an SNMP context may be of one alone.
    pub(crate) fn shows(self, name: &str) -> bool {
        self.instance.is_none_or(|shown| shown == name)
    }

    /// Whether rows of the agent at `address` are shown.
    pub(crate) fn shows_agent(self, address: Ipv4Addr) -> bool {
        let is_its = |row: &Instance| row.addresses.contains(&address);
        self.instance.is_none_or(|name| self.named(name).is_some_and(is_its))
    }

    /// Whether an association is shown: those that are of no one file are of all who act on them.
    pub(crate) fn shows_association(self, row: &Association) -> bool {
        let acts = |instance: &Instance| instance.roles.contains(&row.role);
        self.instance.is_none_or(|name| {
            row.instance.as_ref().is_none_or(|owner| owner == name)
                && self.named(name).is_some_and(acts)
        })
    }

    fn named(self, name: &str) -> Option<&'a Instance> {
        self.snapshot.rows::<Instance>().named(name).map(AsRef::as_ref)
    }

    /// Whether some instance was ever configured with `role`; its objects are absent if not.
    ///
    /// A gateway is a foreign agent with more to do (RFC 4857 §4.1.1): it has visitors, and counts
    /// what foreign agents count.
    pub(crate) fn has_role(self, role: Role) -> bool {
        let is_of = |instance: &Instance| {
            instance.roles.contains(&role)
                || (role == Role::ForeignAgent && instance.roles.contains(&Role::Gateway))
        };
        self.all_instances().any(is_of)
    }

    /// Whether some instance acts as `role` itself, whatever has the same objects.
    pub(crate) fn plays(self, role: Role) -> bool {
        self.instances(role).next().is_some()
    }

    /// What all agents counted under `counter`.
    pub(crate) fn count(self, counter: Counter) -> u64 {
        let rows = self.snapshot.rows::<Counters>().iter();
        let shown = rows.filter(|row| self.shows(&row.instance));
        shown.map(|row| row.value(counter)).fold(0, u64::wrapping_add)
    }

    /// The present moment on the clock of the instance `name`.
    ///
    /// Rows are stamped by the clock that their owner started with, which its
    /// steps do not move; the instance row tells how far it was stepped.
    pub(crate) fn owner_now(self, name: &str) -> UtcTime {
        let owner = self.snapshot.rows::<Instance>().named(name);
        self.now.utc.shifted(owner.map_or(0, |owner| owner.clock_step.saturating_neg()))
    }

    /// The present moment on the clock of the home agent at `address`, and when it started.
    pub(crate) fn home_agent_times(self, address: Ipv4Addr) -> (UtcTime, UtcTime) {
        let owner =
            self.instances(Role::HomeAgent).find(|instance| instance.addresses.contains(&address));
        let step = owner.map_or(0, |owner| owner.clock_step);
        let started_at = owner.map_or(UtcTime::default(), |owner| owner.started_at);
        (self.now.utc.shifted(step.saturating_neg()), started_at)
    }

    /// `sysUpTime`, before it wraps.
    pub(crate) fn up_time(self) -> Duration {
        self.now.uptime.since(self.local.started)
    }

    /// A `TimeStamp` (RFC 2579) for an instant `at` on a clock that now shows `owner_now`:
    /// what `sysUpTime` was then, 0 if that was before the start.
    pub(crate) fn time_stamp(self, at: Option<UtcTime>, owner_now: UtcTime) -> Value {
        let then = at.and_then(|at| self.up_time().checked_sub(owner_now.since(at)));
        ticks(then.unwrap_or_default())
    }
}

/// Hundredths of a second, modulo 2³².
pub(crate) fn ticks(duration: Duration) -> Value {
    let hundredths = u64::try_from(duration.as_millis() / 10).unwrap_or(u64::MAX);
    Value::TimeTicks(crate::value::low_half(hundredths))
}
