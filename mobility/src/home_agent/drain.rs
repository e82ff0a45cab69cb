//! A home agent that goes out of service.
//!
//! ```text
//!  created                          three quarters                deadline
//!    │ everybody is notified, again and again until it is heard │ paced revocations │ what is left is reported
//!    └── new nodes are refused or redirected; renewals are granted at most what is left ──▶ until it is
//!                                                                                            cancelled, or started anew
//! ```
//!
//! The operation is a row, so a home agent that is restarted in the middle goes
//! on with it; one that is cancelled, also after its end, serves as before.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use store::{
    Binding, BindingKey, Now, Operation, OperationAction, OperationId, OperationShare,
    OperationShareKey, OperationState, OperationWish, Role, Snapshot, TargetKey, TargetResult,
    Time, UtcTime,
};
use wire::{Lifetime, MessageDirection};

use super::HomeAgent;
use super::revocation::Work;
use crate::notification::ShutdownNotice;
use crate::operations::Task;
use crate::revocation::Revoker as _;

/// How long a node that did not acknowledge is left alone before it is notified again; twice as
/// long each time.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

/// How often it is seen whether a node that was notified has gone, at least; in a drain of many
/// nodes it is seen less often.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// A drain of this home agent.
#[derive(Debug)]
pub(super) struct Drain {
    operation: Arc<Operation>,
    deadline: UtcTime,
    alternate: Option<Ipv4Addr>,
    redirects: bool,
    /// How far it is with each node.
    steps: BTreeMap<BindingKey, Step>,
    /// How many have their time for revocation.
    slots: u64,
}

/// How far a drain is with one binding.
#[derive(Clone, Copy, Debug)]
struct Step {
    since: UtcTime,
    /// When it is revoked.
    revoked_at: Time,
    is_notified: bool,
    /// How many times it did not acknowledge.
    unheard: u32,
}

impl Drain {
    fn new(operation: &Arc<Operation>) -> Option<Self> {
        let OperationAction::Drain { alternate, redirect } = operation.action else { return None };
        Some(Self {
            deadline: operation.deadline?,
            alternate,
            redirects: redirect && alternate.is_some(),
            operation: Arc::clone(operation),
            steps: BTreeMap::new(),
            slots: 0,
        })
    }

    /// What is said to mobile nodes.
    fn notice(&self, now: Now) -> ShutdownNotice {
        ShutdownNotice { after: self.deadline.since(now.stamp()), alternate: self.alternate }
    }

    /// When the node that comes next is revoked: in the last quarter of the time, so that the last
    /// revocation is answered or given up before the deadline, and no more a second than the
    /// operation allows.
    fn next_slot(&mut self, targets: u64, settled_in: Duration) -> UtcTime {
        let begun = self.operation.created_at;
        let whole = self.deadline.since(begun);
        let last = whole.saturating_sub(settled_in);
        let index = self.slots % targets.max(1);
        self.slots += 1;
        let share = |span: Duration| {
            let span = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
            span.saturating_mul(index) / targets.max(1)
        };
        let after = match self.operation.rate {
            Some(rate) => {
                let per_second = u64::from(rate.max(1));
                let span = Duration::from_millis(targets.saturating_mul(1000) / per_second);
                let first = (whole * 3 / 4).min(last.saturating_sub(span));
                first + Duration::from_millis(index.saturating_mul(1000) / per_second)
            }
            None => {
                let first = whole * 3 / 4;
                first + Duration::from_millis(share(last.saturating_sub(first)))
            }
        };
        begun + after
    }
}

impl HomeAgent {
    /// Whether it takes no new mobile nodes because it goes out of service.
    pub fn is_draining(&self) -> bool {
        self.drain.is_some()
    }

    /// Sees whether there is a drain of this home agent that it has taken on.
    ///
    /// One that is done stays in force until it is cancelled, or the home agent is started anew:
    /// whoever took it out of service does not want it to come back by itself.
    pub(super) fn look_for_drain(&mut self, snapshot: &Snapshot) {
        let operations = snapshot.rows::<Operation>();
        let is_open = |operation: &&Arc<Operation>| {
            matches!(operation.action, OperationAction::Drain { .. })
                && !operation.state.is_final()
                && operation.wish != OperationWish::Cancel
                && self.has_taken_on(operation.id, snapshot)
        };
        if let Some(open) = operations.iter().rfind(is_open) {
            match &mut self.drain {
                Some(drain) if drain.operation.id == open.id => drain.operation = Arc::clone(open),
                _ => self.drain = Drain::new(open),
            }
            return;
        }
        let Some(drain) = &self.drain else { return };
        let row = operations.get(&drain.operation.id);
        // What ended well and what is not kept any more stay in force.
        if row.is_some_and(|row| !row.is_in_force()) {
            self.drain = None;
        }
    }

    fn has_taken_on(&self, id: OperationId, snapshot: &Snapshot) -> bool {
        let address = self.config.address;
        let key = OperationShareKey { id, role: Role::HomeAgent, address };
        let share = snapshot.rows::<OperationShare>().get(&key);
        share.is_some_and(|share| share.state != OperationState::Failed)
    }

    /// What is left of the time, for a renewal; `None` if there is no limit.
    pub(super) fn lifetime_left(&self, now: Now) -> Option<Lifetime> {
        let left = self.drain.as_ref()?.deadline.since(now.stamp()).as_secs();
        // Infinity is the greatest value, and no number of seconds.
        let left = u16::try_from(left).unwrap_or(u16::MAX).min(u16::MAX - 1);
        Some(Lifetime(left))
    }

    /// What replies say of the drain.
    pub(super) fn drain_notice(&self, now: Now) -> Option<ShutdownNotice> {
        self.drain.as_ref().map(|drain| drain.notice(now))
    }

    /// Who new nodes that ask for any home agent are redirected to (RFC 4433 §5.3).
    pub(super) fn redirects_to(&self) -> Option<Ipv4Addr> {
        self.drain.as_ref().filter(|drain| drain.redirects)?.alternate
    }

    /// Does the next thing about a binding: notifies its node, waits, or revokes it.
    pub(super) fn drain_target(&mut self, task: Task, key: &BindingKey, work: &mut Work, now: Now) {
        let binding = self.state.binding(key).filter(|it| it.created_at == task.row.since);
        let Some(binding) = binding.cloned() else {
            self.forget_step(key);
            return self.finish_target(&task, TargetResult::Gone, work, now);
        };
        let Some(step) = self.step(&task, &binding, key) else {
            // It was cancelled, or the store is about to say that it is ours.
            return self.operations.postpone(task, now.uptime + Duration::from_millis(100));
        };
        if step.revoked_at <= now.uptime {
            self.forget_step(key);
            return self.revoke_target(task, key, None, work, now);
        }
        let earliest = self.notifications.earliest(key, now.uptime);
        let may_notify = self.config.notification.enabled && binding.revoking.is_none();
        if step.is_notified || !may_notify {
            let at = self.look_again(step, now);
            self.operations.postpone(task, at);
        } else if earliest > now.uptime {
            self.operations.postpone(task, earliest.min(step.revoked_at));
        } else {
            let direction = MessageDirection::HOME_AGENT_TO_MOBILE_NODE;
            self.begin_notification(&task, &binding, direction, String::new(), work, now);
        }
    }

    /// How far it is with a binding; from the beginning if it is another than before.
    fn step(&mut self, task: &Task, binding: &Binding, key: &BindingKey) -> Option<Step> {
        let settled_in = self.settled_in();
        let targets = self.operations.targets(task.row.id);
        let drain = self.drain.as_mut().filter(|drain| drain.operation.id == task.row.id)?;
        match drain.steps.get(key) {
            Some(step) if step.since == binding.created_at => Some(*step),
            _ => {
                let slot = drain.next_slot(targets, settled_in);
                let revoked_at = self.state.uptime(slot);
                let since = binding.created_at;
                let step = Step { since, revoked_at, is_notified: false, unheard: 0 };
                drain.steps.insert(key.clone(), step);
                Some(step)
            }
        }
    }

    fn forget_step(&mut self, key: &BindingKey) {
        if let Some(drain) = &mut self.drain {
            drain.steps.remove(key);
        }
    }

    /// How long the last revocation may take, with all of its repetitions, and a second more.
    fn settled_in(&self) -> Duration {
        let config = &self.config.revocation;
        let attempts = usize::try_from(config.attempts_max).unwrap_or(usize::MAX).min(16);
        let waits = (1..=attempts).map(|sent| config.wait(sent));
        waits.fold(Duration::from_secs(1), Duration::saturating_add)
    }

    /// When to look at a node again that there is nothing to do about.
    fn look_again(&self, step: Step, now: Now) -> Time {
        let many = self.state.len() / 1000;
        let pause = LOOK_AGAIN.max(Duration::from_secs(u64::try_from(many).unwrap_or(0)));
        step.revoked_at.min(now.uptime + pause)
    }

    /// A node has acknowledged the notification of a drain, or has not.
    pub(super) fn after_drain_notification(
        &mut self,
        operation: OperationId,
        key: &BindingKey,
        result: TargetResult,
        now: Now,
    ) {
        let target = TargetKey::Binding(key.clone());
        let step = self.drain.as_mut().and_then(|drain| drain.steps.get_mut(key));
        let Some(step) = step else { return self.operations.again(operation, &target, now.uptime) };
        let at = if result == TargetResult::Acknowledged {
            step.is_notified = true;
            now.uptime
        } else {
            let doublings = step.unheard.min(10);
            step.unheard += 1;
            now.uptime + AGAIN_AFTER * (1 << doublings)
        };
        let at = at.min(step.revoked_at);
        self.operations.again(operation, &target, at);
    }
}

#[cfg(test)]
mod tests {
    use store::{OperationSelector, Revision, Unknown};

    use super::*;

    fn drain(seconds: u64, rate: Option<u32>) -> Drain {
        let created_at = UtcTime(1_800_000_000_000);
        let operation = Operation {
            id: OperationId(1),
            action: OperationAction::Drain { alternate: None, redirect: false },
            selector: OperationSelector::default(),
            counted_at: Revision(1),
            maximum: 10,
            owners: Vec::new(),
            deadline: Some(created_at + Duration::from_secs(seconds)),
            rate,
            reason: None,
            who: "root".to_owned(),
            created_at,
            wish: OperationWish::Run,
            state: OperationState::Running,
            finished_at: None,
            error: None,
            unknown: Unknown::default(),
        };
        Drain::new(&Arc::new(operation)).unwrap()
    }

    fn slots(drain: &mut Drain, targets: u64) -> Vec<u64> {
        let begun = drain.operation.created_at;
        let settled = Duration::from_secs(8);
        (0..targets).map(|_| drain.next_slot(targets, settled).since(begun).as_secs()).collect()
    }

    #[test]
    fn revocations_are_spread_over_the_last_quarter_and_settled_by_the_deadline() {
        assert_eq!(slots(&mut drain(600, None), 4), [450, 485, 521, 556]);
        assert_eq!(slots(&mut drain(12, None), 3), [9, 9, 9], "there is no time to spread them");
    }

    #[test]
    fn a_rate_makes_them_begin_as_early_as_is_needed() {
        assert_eq!(slots(&mut drain(600, Some(1)), 3), [450, 451, 452]);
        let mut many = drain(600, Some(2));
        let times = slots(&mut many, 1000);
        assert_eq!((times[0], times[999]), (92, 591), "the last is settled at 600");
        let mut too_many = drain(100, Some(1));
        assert_eq!(slots(&mut too_many, 500)[..2], [0, 1]);
    }
}
