//! One owner's part of an operation, in memory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use store::{
    Now, Operation, OperationId, OperationShare, OperationState, OperationTarget, OperationWish,
    Snapshot, TargetKey, TargetResult, TargetState, Time,
};

use super::pace::Pace;

/// How many targets may wait for a peer at a time.
const WINDOW: usize = 1024;

#[derive(Debug)]
pub(super) struct Job {
    pub(super) operation: Arc<Operation>,
    pub(super) share: OperationShare,
    /// Rows that are not written yet.
    pub(super) unexpanded: VecDeque<OperationTarget>,
    /// Targets whose turn is still to come.
    pub(super) queue: VecDeque<OperationTarget>,
    /// Targets that have to wait, until when.
    pub(super) waiting: BTreeMap<(Time, TargetKey), OperationTarget>,
    /// Targets that wait for a peer.
    pub(super) begun: BTreeMap<TargetKey, OperationTarget>,
    /// Targets that are not tried any more, without their results.
    pub(super) given_up: VecDeque<OperationTarget>,
    pub(super) pace: Pace,
    /// Whether the share as it is has been put into a batch.
    pub(super) is_dirty: bool,
    /// Whether the store has the claim.
    pub(super) is_claimed: bool,
    /// Whether it may end once all targets have: a drain only when nothing is left to drain.
    pub(super) may_end: bool,
    /// When a drain was last seen to be without targets.
    pub(super) looked_at: Option<Time>,
}

impl Job {
    pub(super) fn new(operation: Arc<Operation>, share: OperationShare) -> Self {
        let pace = Pace::new(operation.rate, operation.owners.len());
        let is_drain = matches!(operation.action, store::OperationAction::Drain { .. });
        Self {
            operation,
            share,
            unexpanded: VecDeque::new(),
            queue: VecDeque::new(),
            waiting: BTreeMap::new(),
            begun: BTreeMap::new(),
            given_up: VecDeque::new(),
            pace,
            is_dirty: false,
            is_claimed: false,
            may_end: !is_drain,
            looked_at: None,
        }
    }

    /// Goes on where the last owner of the share was: what it had begun is begun again, unless
    /// `is_begun` knows of it.
    pub(super) fn resume(
        operation: Arc<Operation>,
        share: &OperationShare,
        snapshot: &Snapshot,
        is_begun: impl Fn(OperationId, &TargetKey) -> bool,
    ) -> Self {
        let mut job = Self::new(operation, share.clone());
        job.is_claimed = true;
        job.share.results.clear();
        let mut known = BTreeSet::new();
        for row in OperationTarget::of(share.id, snapshot) {
            if row.owner.address != share.owner.address || row.owner.role != share.owner.role {
                continue;
            }
            known.insert(row.target.clone());
            match row.state {
                TargetState::Ended(result) => job.count(result),
                TargetState::Pending | TargetState::Sent if is_begun(share.id, &row.target) => {
                    job.begun.insert(row.target.clone(), (**row).clone());
                }
                TargetState::Pending | TargetState::Sent => job.queue.push_back((**row).clone()),
            }
        }
        if share.state == OperationState::Expanding {
            let created = snapshot.rows::<Operation>().entry(&share.id).map(|it| it.created);
            let revision = job.operation.revision(created.unwrap_or_default());
            let found = job.operation.targets(snapshot, revision).into_iter();
            let missing = found.filter(|found| {
                found.owner.address == share.owner.address && !known.contains(&found.target)
            });
            let id = share.id;
            job.unexpanded = missing.map(|found| super::target(id, found)).collect();
        }
        job
    }

    pub(super) fn count(&mut self, result: TargetResult) {
        *self.share.results.entry(result.word().to_owned()).or_insert(0) += 1;
    }

    /// Takes a result back: its target is to be done again.
    pub(super) fn uncount(&mut self, result: TargetResult) {
        if let Some(count) = self.share.results.get_mut(result.word()) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.share.results.remove(result.word());
            }
        }
    }

    /// Whether targets may be begun.
    fn is_running(&self) -> bool {
        self.is_claimed
            && self.share.state == OperationState::Running
            && self.operation.wish == OperationWish::Run
    }

    /// Whether the deadline for trying has come.
    pub(super) fn is_too_late(&self, now: Now) -> bool {
        self.operation.deadline.is_some_and(|at| at <= now.stamp())
    }

    pub(super) fn is_drain(&self) -> bool {
        matches!(self.operation.action, store::OperationAction::Drain { .. })
    }

    /// What becomes of targets that are not tried any more: what a drain has not got to by its
    /// deadline is left over.
    pub(super) fn result_of_given_up(&self) -> TargetResult {
        if self.is_drain() && self.operation.wish != OperationWish::Cancel {
            TargetResult::LeftOver
        } else {
            TargetResult::NotTried
        }
    }

    /// The next target to begin with.
    pub(super) fn next(&mut self, now: Now) -> Option<OperationTarget> {
        if !self.is_running() || self.begun.len() >= WINDOW {
            return None;
        }
        if let Some(entry) = self.waiting.first_entry()
            && entry.key().0 <= now.uptime
        {
            let mut target = entry.remove();
            target.begun_at = Some(now.stamp());
            self.begun.insert(target.target.clone(), target.clone());
            return Some(target);
        }
        if !self.pace.allows(now.uptime) {
            return None;
        }
        let mut target = self.queue.pop_front()?;
        target.begun_at = Some(now.stamp());
        self.pace.begin(now.uptime);
        self.begun.insert(target.target.clone(), target.clone());
        Some(target)
    }

    /// When to ask for the next target.
    pub(super) fn next_at(&self) -> Option<Time> {
        if !self.given_up.is_empty() || self.is_dirty || self.is_over() {
            return Some(Time::default());
        }
        if !self.is_running() || self.begun.len() >= WINDOW {
            return None;
        }
        let waiting = self.waiting.first_key_value().map(|((at, _), _)| *at);
        let queue = (!self.queue.is_empty()).then(|| self.pace.next());
        waiting.into_iter().chain(queue).min()
    }

    /// Gives up what was not begun.
    pub(super) fn give_up(&mut self) {
        let unwritten = u64::try_from(self.unexpanded.len()).unwrap_or(u64::MAX);
        self.share.targets = self.share.targets.saturating_add(unwritten);
        self.given_up.extend(self.unexpanded.drain(..));
        self.given_up.extend(self.queue.drain(..));
        self.given_up.extend(std::mem::take(&mut self.waiting).into_values());
    }

    /// Whether all is done, and the share does not say so yet.
    pub(super) fn is_over(&self) -> bool {
        let is_cancelled = self.operation.wish == OperationWish::Cancel;
        (self.may_end || is_cancelled) && self.is_exhausted()
    }

    /// Whether every target that it knows of has its result.
    pub(super) fn is_exhausted(&self) -> bool {
        self.is_claimed
            && !self.share.state.is_final()
            && self.share.state != OperationState::Expanding
            && self.unexpanded.is_empty()
            && self.queue.is_empty()
            && self.waiting.is_empty()
            && self.begun.is_empty()
            && self.given_up.is_empty()
    }

    pub(super) fn end(&mut self, now: Now) {
        self.share.state = if self.operation.wish == OperationWish::Cancel {
            OperationState::Cancelled
        } else {
            OperationState::Done
        };
        self.share.finished_at = Some(now.stamp());
        self.is_dirty = true;
    }
}
