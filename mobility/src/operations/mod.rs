//! What operators asked for, as one agent does its part of it.
//!
//! ```text
//!  snapshot ── observe ── claim ── expand, in pieces ── running
//!                                                        │ next: paced, a window at a time
//!                                                        ▼
//!                                   the agent does it ── finish ── batch with its own change
//! ```
//!
//! The rows are the truth: a restarted agent reads its share and the targets
//! that have no result, and goes on. What happens to a target and the row that
//! says so are one batch, which the agent makes.

mod drain;
mod job;
mod pace;
mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use store::{
    AnyRow, Batch, Change, Expect, Found, Now, Operation, OperationAction, OperationId,
    OperationOwner, OperationShare, OperationShareKey, OperationState, OperationTarget,
    OperationWish, Role, Row, Snapshot, TargetKey, TargetResult, TargetState, Time, Unknown,
};

use job::Job;

/// How many rows of targets go into one batch.
const ROWS_AT_ONCE: usize = 1000;

/// How long to wait before rows are written again that the store did not take.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The operations of one agent.
#[derive(Debug)]
pub(crate) struct Operations {
    owner: OperationOwner,
    jobs: BTreeMap<OperationId, Job>,
    /// Results that the store did not take.
    unwritten: Vec<Arc<OperationTarget>>,
    /// Results that came while the rows of their operation were not known: they are looked at anew
    /// after a step of it failed.
    early: BTreeMap<(OperationId, TargetKey), (TargetResult, usize)>,
    retry_at: Option<Time>,
}

/// A target whose turn it is.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) operation: Arc<Operation>,
    pub(crate) row: OperationTarget,
}

/// Rows to write about an operation, and which.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) id: OperationId,
    pub(crate) batch: Batch,
    /// Whether it is a share of ours, and not the row of the operation.
    pub(crate) is_ours: bool,
}

impl Operations {
    pub(crate) fn new(role: Role, address: Ipv4Addr, instance: &str) -> Self {
        Self {
            owner: OperationOwner { role, address, instance: instance.to_owned() },
            jobs: BTreeMap::new(),
            unwritten: Vec::new(),
            early: BTreeMap::new(),
            retry_at: None,
        }
    }

    /// Goes on with what an owner before this one had taken on. What is on its way from then may end
    /// at any moment, and its result is written with that.
    pub(crate) fn resume(
        &mut self,
        snapshot: &Snapshot,
        is_begun: impl Fn(OperationId, &TargetKey) -> bool,
    ) {
        for operation in snapshot.rows::<Operation>().iter() {
            if let Some(share) = self.open_share(operation, snapshot) {
                let job = Job::resume(Arc::clone(operation), share, snapshot, &is_begun);
                self.jobs.insert(operation.id, job);
            }
        }
    }

    fn is_ours(&self, operation: &Operation) -> bool {
        operation.action.role() == self.owner.role
            && operation.owners.iter().any(|owner| owner.address == self.owner.address)
    }

    /// Our share of an operation, if we have one that has not ended.
    fn open_share<'s>(
        &self,
        operation: &Operation,
        snapshot: &'s Snapshot,
    ) -> Option<&'s Arc<OperationShare>> {
        if operation.state.is_final() || !self.is_ours(operation) {
            return None;
        }
        let OperationOwner { role, address, .. } = self.owner;
        let key = OperationShareKey { id: operation.id, role, address };
        snapshot.rows::<OperationShare>().get(&key).filter(|share| !share.state.is_final())
    }

    /// Names the owner by another address, as a mobile node is once it has one.
    pub(crate) fn set_address(&mut self, address: Ipv4Addr) {
        self.owner.address = address;
    }

    /// Looks at what operators want; returns the next thing to write about it, if there is one.
    ///
    /// `is_begun` knows of targets that are on their way from before a restart.
    pub(crate) fn observe(
        &mut self,
        snapshot: &Snapshot,
        now: Now,
        is_begun: impl Fn(OperationId, &TargetKey) -> bool,
    ) -> Option<Step> {
        let operations = snapshot.rows::<Operation>();
        self.early.retain(|(id, _), _| operations.get(id).is_some_and(|it| !it.state.is_final()));
        for operation in snapshot.rows::<Operation>().iter() {
            if operation.state.is_final() {
                self.jobs.remove(&operation.id);
                continue;
            }
            if let Some(step) = self.observe_one(operation, snapshot, now, &is_begun) {
                return Some(step);
            }
            if let Some(batch) = state::change(operation, snapshot, now) {
                return Some(Step { id: operation.id, batch, is_ours: false });
            }
        }
        None
    }

    fn observe_one(
        &mut self,
        operation: &Arc<Operation>,
        snapshot: &Snapshot,
        now: Now,
        is_begun: &impl Fn(OperationId, &TargetKey) -> bool,
    ) -> Option<Step> {
        let id = operation.id;
        if !self.is_ours(operation) {
            return None;
        }
        if let Some(job) = self.jobs.get_mut(&id) {
            if operation.wish != job.operation.wish {
                job.pace.rest();
            }
            job.operation = Arc::clone(operation);
            let is_over = operation.wish == OperationWish::Cancel || job.is_too_late(now);
            if job.is_claimed && is_over {
                job.give_up();
            }
            drain::look(job, snapshot, now);
            return expand(job);
        }
        let Operations { owner, .. } = self;
        let key = OperationShareKey { id, role: owner.role, address: owner.address };
        match snapshot.rows::<OperationShare>().get(&key) {
            None if operation.wish == OperationWish::Cancel => None,
            None => self.claim(operation, snapshot, now),
            Some(share) if share.state.is_final() => None,
            Some(share) => {
                let early = &mut self.early;
                let is_begun = |id, target: &TargetKey| {
                    early.contains_key(&(id, target.clone())) || is_begun(id, target)
                };
                let job = Job::resume(Arc::clone(operation), share, snapshot, is_begun);
                expand(self.jobs.entry(id).or_insert(job))
            }
        }
    }

    /// Takes this agent's part of an operation, or refuses it.
    fn claim(&mut self, operation: &Arc<Operation>, snapshot: &Snapshot, now: Now) -> Option<Step> {
        let id = operation.id;
        let created = snapshot.rows::<Operation>().entry(&id)?.created;
        let found = operation.targets(snapshot, operation.revision(created));
        let maximum = usize::try_from(operation.maximum).unwrap_or(usize::MAX);
        let count = found.len();
        let ours = found.into_iter().filter(|found| found.owner.address == self.owner.address);
        let mut share = OperationShare {
            id,
            owner: self.owner.clone(),
            state: OperationState::Expanding,
            targets: 0,
            results: BTreeMap::new(),
            claimed_at: now.stamp(),
            finished_at: None,
            error: None,
            unknown: Unknown::default(),
        };
        let mut batch = Batch::default();
        batch.expect::<OperationShare>(share.key(), Expect::Absent);
        if count > maximum {
            share.state = OperationState::Failed;
            share.finished_at = Some(now.stamp());
            share.error = Some(format!("{count} targets, more than the {maximum} allowed"));
            batch.put(share);
            return Some(Step { id, batch, is_ours: true });
        }
        let mut job = Job::new(Arc::clone(operation), share);
        job.unexpanded = ours.map(|found| target(id, found)).collect();
        job.is_claimed = true;
        write_some(&mut job, &mut batch);
        job.is_claimed = false;
        self.jobs.insert(id, job);
        Some(Step { id, batch, is_ours: true })
    }

    /// The rows of a [`Step`] are durable.
    pub(crate) fn on_committed(&mut self, id: OperationId) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.is_claimed = true;
        }
    }

    /// The rows of a [`Step`] were not written: the next look begins anew.
    pub(crate) fn on_step_failed(&mut self, id: OperationId) {
        self.jobs.remove(&id);
    }

    /// The next target to begin with.
    pub(crate) fn next(&mut self, now: Now) -> Option<Task> {
        for job in self.jobs.values_mut() {
            if job.is_too_late(now) && job.is_claimed {
                job.give_up();
            }
            if let Some(row) = job.next(now) {
                return Some(Task { operation: Arc::clone(&job.operation), row });
            }
        }
        None
    }

    /// A target has to wait until `at`.
    pub(crate) fn postpone(&mut self, task: Task, at: Time) {
        if let Some(job) = self.jobs.get_mut(&task.row.id) {
            job.begun.remove(&task.row.target);
            job.waiting.insert((at, task.row.target.clone()), task.row);
        }
    }

    /// Writes down that a message about a target is about to be sent.
    pub(crate) fn note_sent(
        &mut self,
        id: OperationId,
        target: &TargetKey,
        batch: &mut Batch,
        now: Now,
    ) {
        let row = self.jobs.get_mut(&id).and_then(|job| job.begun.get_mut(target));
        let Some(row) = row else { return };
        row.state = TargetState::Sent;
        row.begun_at.get_or_insert(now.stamp());
        row.messages = row.messages.saturating_add(1);
        batch.put(row.clone());
    }

    /// A target that was begun has its turn again at `at`.
    pub(crate) fn again(&mut self, id: OperationId, target: &TargetKey, at: Time) {
        if let Some(job) = self.jobs.get_mut(&id)
            && let Some(row) = job.begun.remove(target)
        {
            job.waiting.insert((at, target.clone()), row);
        }
    }

    /// What an operation does that this agent has taken on.
    pub(crate) fn action(&self, id: OperationId) -> Option<&OperationAction> {
        self.jobs.get(&id).map(|job| &job.operation.action)
    }

    pub(crate) fn is_drain(&self, id: OperationId) -> bool {
        self.jobs.get(&id).is_some_and(Job::is_drain)
    }

    /// How many targets this agent has of an operation.
    pub(crate) fn targets(&self, id: OperationId) -> u64 {
        self.jobs.get(&id).map_or(0, |job| job.share.targets)
    }

    /// Puts the result of a target into `batch`, with what it is the result of.
    pub(crate) fn finish(
        &mut self,
        id: OperationId,
        target: &TargetKey,
        (result, messages): (TargetResult, usize),
        batch: &mut Batch,
        now: Now,
    ) {
        let Some(job) = self.jobs.get_mut(&id) else {
            self.early.insert((id, target.clone()), (result, messages));
            return;
        };
        let Some(mut row) = job.begun.remove(target) else { return };
        row.state = TargetState::Ended(result);
        row.ended_at = Some(now.stamp());
        row.messages = row.messages.max(u32::try_from(messages).unwrap_or(u32::MAX));
        job.count(result);
        job.is_dirty = true;
        batch.put(row);
    }

    /// Puts everything that has changed of shares, and the results that nobody waits for.
    pub(crate) fn put(&mut self, batch: &mut Batch, now: Now) {
        if self.retry_at.take_if(|at| *at <= now.uptime).is_some() {
            for row in self.unwritten.drain(..) {
                batch.put::<OperationTarget>(row);
            }
        }
        let known = |(id, _): &(OperationId, TargetKey)| self.jobs.contains_key(id);
        let early: Vec<_> = self.early.keys().filter(|it| known(it)).cloned().collect();
        for (id, target) in early {
            if let Some(result) = self.early.remove(&(id, target.clone())) {
                self.finish(id, &target, result, batch, now);
            }
        }
        for job in self.jobs.values_mut() {
            for _ in 0..ROWS_AT_ONCE {
                let Some(mut row) = job.given_up.pop_front() else { break };
                let result = job.result_of_given_up();
                row.state = TargetState::Ended(result);
                row.ended_at = Some(now.stamp());
                job.count(result);
                job.is_dirty = true;
                batch.put(row);
            }
            if job.is_over() {
                job.end(now);
            }
            if std::mem::take(&mut job.is_dirty) {
                batch.put(job.share.clone());
            }
        }
    }

    /// The store did not take `changes`: what they say of operations is written again.
    pub(crate) fn on_commit_failed(&mut self, changes: &[Change], now: Now) {
        for change in changes {
            match change {
                Change::Put(AnyRow::OperationTarget(row)) => self.unwritten.push(Arc::clone(row)),
                Change::Put(AnyRow::OperationShare(row)) => {
                    if let Some(job) = self.jobs.get_mut(&row.id) {
                        // What is newer has been counted since, and goes with it.
                        job.is_dirty = true;
                    }
                }
                Change::Put(_) | Change::Delete(_) => {}
            }
        }
        if !self.unwritten.is_empty() || self.jobs.values().any(|job| job.is_dirty) {
            self.retry_at = Some(now.uptime + RETRY_AFTER);
        }
    }

    /// When there is something to do.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        // While the store is in trouble nothing is due before the next try.
        match self.retry_at {
            Some(at) => Some(at),
            None => self.jobs.values().filter_map(Job::next_at).min(),
        }
    }
}

/// The change that makes the row of an operation say what its shares say; none if it does.
///
/// Owners make it as they go; a daemon makes it for operations whose owners are gone.
pub fn operation_change(
    operation: &Arc<Operation>,
    snapshot: &Snapshot,
    now: Now,
) -> Option<Batch> {
    state::change(operation, snapshot, now)
}

/// The first row of a target.
fn target(id: OperationId, found: Found) -> OperationTarget {
    OperationTarget {
        id,
        target: found.target,
        owner: found.owner,
        state: TargetState::Pending,
        since: found.since,
        begun_at: None,
        ended_at: None,
        messages: 0,
        unknown: Unknown::default(),
    }
}

/// The next rows of targets, if there are any that are not written.
fn expand(job: &mut Job) -> Option<Step> {
    if !job.is_claimed || job.share.state != OperationState::Expanding {
        return None;
    }
    let mut batch = Batch::default();
    write_some(job, &mut batch);
    Some(Step { id: job.share.id, batch, is_ours: true })
}

/// Puts rows of targets, and the share as it is with them.
fn write_some(job: &mut Job, batch: &mut Batch) {
    for _ in 0..ROWS_AT_ONCE {
        let Some(row) = job.unexpanded.pop_front() else { break };
        batch.put(row.clone());
        job.share.targets += 1;
        job.queue.push_back(row);
    }
    if job.unexpanded.is_empty() {
        job.share.state = OperationState::Running;
    }
    job.is_claimed = false;
    batch.put(job.share.clone());
}
