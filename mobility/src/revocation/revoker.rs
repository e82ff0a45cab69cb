//! What the agents on both sides of a registration do alike: revoke, are revoked, and do what
//! operators ask for.

use std::net::Ipv4Addr;
use std::sync::Arc;

use store::{
    Batch, Counter, Identity, Now, OperationId, Row, Snapshot, TargetKey, TargetResult,
    ViolationReason,
};
use wire::{Nai, RegistrationRevocation, RegistrationRevocationAcknowledgment};

use super::revocable::Revocable;
use super::{AT_ONCE, Outstanding, Recent, RevocationConfig, Turn, Verdict, message};
use crate::action::{Action, Output, Received};
use crate::association::{Associations, Failure, SecurityAssociation};
use crate::between::Between;
use crate::clock;
use crate::extensions::{Extensions, read};
use crate::notification::{self as notifications, NotificationId, Notifier};
use crate::operations::{Operations, Step, Task};
use crate::tally::Tally;

/// What one turn has done.
#[derive(Debug)]
pub(crate) struct Work<K> {
    pub(crate) batch: Batch,
    pub(crate) actions: Vec<Action>,
    /// Revocations that are sent once the batch is durable.
    pub(crate) sent: Vec<K>,
    /// Notifications that are sent then.
    pub(crate) notified: Vec<NotificationId>,
    /// Nodes that have lost their registration, and the word for it in their trails.
    pub(crate) ended: Vec<(Identity, &'static str)>,
}

impl<K> Default for Work<K> {
    fn default() -> Self {
        Self {
            batch: Batch::default(),
            actions: Vec::new(),
            sent: Vec::new(),
            notified: Vec::new(),
            ended: Vec::new(),
        }
    }
}

/// The parts of a role that revocations and operations are about.
#[derive(Debug)]
pub(crate) struct Revoking<'a, R: Revocable> {
    pub(crate) outstanding: &'a mut Outstanding<R>,
    pub(crate) notifications: &'a notifications::Outstanding<R::Key>,
    pub(crate) operations: &'a mut Operations,
    pub(crate) recent: &'a mut Recent,
    pub(crate) config: &'a RevocationConfig,
    pub(crate) tally: &'a mut Tally,
}

/// Who sent a revocation that was found to be authentic, and with what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender<'a> {
    pub(crate) received: &'a Received<'a>,
    pub(crate) nai: Option<&'a Nai>,
    pub(crate) signer: &'a SecurityAssociation,
    pub(crate) between: Between,
}

type Key<R> = <R as Notifier>::Key;

/// A mobility agent: it revokes and is revoked, and does its part of operations.
pub(crate) trait Revoker: Notifier {
    /// What it keeps of a registration.
    type Row: Revocable + Row<Key = <Self as Notifier>::Key>;

    /// Whether those who revoke what it keeps are home agents, as the `A` bit says (§3.3).
    const IS_REVOKED_BY_HOME_AGENTS: bool;

    /// Between whom the revocations are that such a role gets: home agents and foreign agents, where
    /// it knows nothing of regions.
    fn between(_: &Extensions<'_>) -> Between {
        Between::HomeAndForeign
    }

    fn revoking(&mut self) -> Revoking<'_, Self::Row>;
    fn associations(&self) -> &Associations;

    /// Whether the domains of a revocation are the peer's and ours.
    fn names_us(&self, fixed: &RegistrationRevocation, source: Ipv4Addr) -> bool;

    /// What a revocation of `source` may mean.
    fn meant(
        &self,
        fixed: &RegistrationRevocation,
        nai: Option<&Nai>,
        source: Ipv4Addr,
    ) -> Vec<Arc<Self::Row>>;

    /// Whether the store is about to remove what a revocation means; the answer waits for that.
    fn is_being_removed(&self, fixed: &RegistrationRevocation) -> bool;

    /// Acknowledges a revocation, and ends what it means if there is something left of it.
    fn take_revocation(
        &mut self,
        fixed: &RegistrationRevocation,
        row: Option<Arc<Self::Row>>,
        sender: Sender<'_>,
        now: Now,
    ) -> Output;

    /// Sees that an acknowledgment is of whom the revocation of `row` went to.
    fn check_acknowledgment(
        &self,
        row: &Self::Row,
        extensions: &Extensions<'_>,
        source: Ipv4Addr,
    ) -> Result<(), Failure>;

    /// Sees whether an acknowledgment that nobody waits for is at least of whom it says that it is
    /// of: it may be late, or there twice.
    fn check_stray_acknowledgment(
        &self,
        fixed: &RegistrationRevocationAcknowledgment,
        extensions: &Extensions<'_>,
        source: Ipv4Addr,
    ) -> Result<(), Failure>;

    fn begin_target(&mut self, task: Task, work: &mut Work<Key<Self>>, now: Now);
    fn send_revocation(&mut self, key: &Key<Self>, work: &mut Work<Key<Self>>, now: Now);
    fn end_revocation(
        &mut self,
        key: &Key<Self>,
        result: TargetResult,
        work: &mut Work<Key<Self>>,
        now: Now,
    );
    fn send_notification(&mut self, id: NotificationId, work: &mut Work<Key<Self>>, now: Now);
    fn end_notification(
        &mut self,
        id: NotificationId,
        result: TargetResult,
        work: &mut Work<Key<Self>>,
        now: Now,
    );

    /// Sends off the batch of `work`, which is not empty.
    fn commit(&mut self, work: Work<Key<Self>>, now: Now) -> Output;

    /// Sends off what is to be written about an operation.
    fn commit_step(&mut self, step: Step) -> Output;

    /// Makes memory say what the store says about a row.
    fn reload_row(&mut self, key: &Key<Self>, snapshot: &Snapshot);

    /// A peer revokes what we keep (§3.5, §4.2.2.2, §4.2.3.2).
    fn on_revocation(&mut self, received: &Received<'_>, now: Now) -> Output {
        type Fixed = RegistrationRevocation;
        let (fixed, extensions) = match read(received.octets, Fixed::LEN, Fixed::parse) {
            Ok(parsed) => parsed,
            Err(error) => return self.malformed(&error),
        };
        self.watch().0.count(Counter::RevocationsReceived);
        let source = *received.source.ip();
        let between = Self::between(&extensions);
        let list = between.list(&extensions);
        let signer = self.associations().authenticate(list, &Identity::Address(source));
        let signer = match signer {
            Ok(signer) => signer,
            Err(failure) => {
                return self.refuse_revocation(source, fixed.identifier, failure, now);
            }
        };
        let nai = extensions.nai.as_ref();
        let sender = Sender { received, nai, signer: &signer, between };
        match self.judge_revocation(&fixed, sender) {
            Ok(Meant::BeingRemoved) => Output::default(), // It is repeated.
            Ok(Meant::Row(row)) => {
                let name = (source, fixed.home_address, fixed.foreign_domain_address);
                self.revoking().recent.remember(name, fixed.identifier, now.uptime);
                self.take_revocation(&fixed, row, sender, now)
            }
            Err(reason) => {
                let failure = (reason, signer.spi);
                self.refuse_revocation(source, fixed.identifier, failure, now)
            }
        }
    }

    /// What an authentic revocation means, unless it is a reflection, a replay or stale.
    fn judge_revocation(
        &mut self,
        fixed: &RegistrationRevocation,
        sender: Sender<'_>,
    ) -> Result<Meant<Self::Row>, ViolationReason> {
        let source = *sender.received.source.ip();
        // §3.5: the `A` bit tells a message that came back to us from one of the other side.
        if fixed.is_from_home_agent() != Self::IS_REVOKED_BY_HOME_AGENTS {
            return Err(ViolationReason::BadIdentifier);
        }
        let name = (source, fixed.home_address, fixed.foreign_domain_address);
        if self.revoking().recent.judge(name, fixed.identifier) == Verdict::Replay {
            return Err(ViolationReason::BadIdentifier);
        }
        if !self.names_us(fixed, source) {
            return Err(ViolationReason::Other);
        }
        match self.meant(fixed, sender.nai, source).as_slice() {
            [] if self.is_being_removed(fixed) => Ok(Meant::BeingRemoved),
            // Nothing is left to revoke: acknowledged, so that the peer forgets it as well. That is
            // what happens after the acknowledgment was lost, and after we lost the row.
            [] => Ok(Meant::Row(None)),
            [only] => {
                // Both timestamps are the peer's.
                let since = only.peer_timestamp();
                let is_fresh = since.is_some_and(|at| clock::is_later(fixed.identifier, at));
                let row = Some(Arc::clone(only));
                is_fresh.then_some(Meant::Row(row)).ok_or(ViolationReason::BadIdentifier)
            }
            // Which of several is meant, nothing says.
            _ => Err(ViolationReason::Other),
        }
    }

    /// The acknowledgment of a revocation (§3.4), which is counted.
    fn acknowledge(
        &mut self,
        fixed: &RegistrationRevocation,
        inform: bool,
        Sender { received, nai, signer, between }: Sender<'_>,
    ) -> Action {
        let mut octets = message::acknowledgment(fixed, inform, nai);
        between.sign(signer, &mut octets);
        self.watch().0.count(Counter::RevocationAcknowledgmentsSent);
        Action::Send { from: received.local, to: received.source, octets }
    }

    /// A peer acknowledges a revocation of ours.
    fn on_revocation_acknowledgment(&mut self, received: &Received<'_>, now: Now) -> Output {
        type Fixed = RegistrationRevocationAcknowledgment;
        let (fixed, extensions) = match read(received.octets, Fixed::LEN, Fixed::parse) {
            Ok(parsed) => parsed,
            Err(error) => return self.malformed(&error),
        };
        let source = *received.source.ip();
        let (home_address, identifier) = (fixed.home_address, fixed.identifier);
        let outstanding = self.revoking().outstanding;
        let key = outstanding.acknowledged_by(home_address, identifier, source);
        let row = key.as_ref().and_then(|key| Some(Arc::clone(&outstanding.get(key)?.row)));
        let (Some(key), Some(row)) = (key, row) else {
            if let Err(failure) = self.check_stray_acknowledgment(&fixed, &extensions, source) {
                return self.refuse_revocation(source, identifier, failure, now);
            }
            // §3.5: what we did not ask for, or is over, is silently discarded.
            return self.discard(Counter::RevocationAcknowledgmentsUnexpected);
        };
        if let Err(failure) = self.check_acknowledgment(&row, &extensions, source) {
            return self.refuse_revocation(source, identifier, failure, now);
        }
        let Revoking { outstanding, tally, .. } = self.revoking();
        tally.count(Counter::RevocationsAcknowledged);
        outstanding.acknowledge(key, fixed.informs());
        Output::default()
    }

    /// Goes on with the operations that were taken on before a restart; the revocations from then
    /// are resumed.
    fn resume_operations(&mut self, snapshot: &Snapshot) {
        let Revoking { outstanding, notifications, operations, .. } = self.revoking();
        operations.resume(snapshot, is_begun::<Self::Row>(outstanding, notifications));
    }

    /// Takes on what operators want; to be called until nothing comes of it.
    fn observe_operations(&mut self, snapshot: &Snapshot, now: Now) -> Output {
        let Revoking { outstanding, notifications, operations, .. } = self.revoking();
        let is_begun = is_begun::<Self::Row>(outstanding, notifications);
        let step = operations.observe(snapshot, now, is_begun);
        step.map_or_else(Output::default, |step| self.commit_step(step))
    }

    /// Ends, repeats and begins what is due.
    fn revocation_work(&mut self, now: Now) -> Output {
        let mut work = Work::default();
        for _ in 0..AT_ONCE {
            let Revoking { outstanding, config, tally, .. } = self.revoking();
            match outstanding.turn(config, tally, now) {
                Some(Turn::Send(key)) => self.send_revocation(&key, &mut work, now),
                Some(Turn::End(key, result)) => self.end_revocation(&key, result, &mut work, now),
                None => break,
            }
        }
        for _ in 0..AT_ONCE {
            match self.notification_turn(now) {
                Some(notifications::Turn::Send(id)) => self.send_notification(id, &mut work, now),
                Some(notifications::Turn::End(id, result)) => {
                    self.end_notification(id, result, &mut work, now);
                }
                None => break,
            }
        }
        for _ in 0..AT_ONCE {
            let Some(task) = self.revoking().operations.next(now) else { break };
            self.begin_target(task, &mut work, now);
        }
        self.revoking().operations.put(&mut work.batch, now);
        if work.batch.is_empty() {
            self.arm_work(&work.sent, &work.notified, now);
            return Output::at_once(work.actions);
        }
        self.commit(work, now)
    }

    /// Begins to wait for what answers messages that have left.
    fn arm_work(&mut self, sent: &[Key<Self>], notified: &[NotificationId], now: Now) {
        let Revoking { outstanding, config, .. } = self.revoking();
        outstanding.arm_sent(sent, config, now.uptime);
        self.arm_notified(notified, now);
    }

    /// The store did not take the intents: nothing was sent, and it is tried again later.
    fn unsend_work(
        &mut self,
        sent: &[Key<Self>],
        notified: &[NotificationId],
        snapshot: &Snapshot,
        now: Now,
    ) {
        self.revoking().outstanding.unsend(sent, now.uptime);
        for key in sent {
            self.reload_row(key, snapshot);
        }
        self.unsend_notified(notified, now);
    }

    /// What was being revoked is gone or registered anew.
    fn give_up_revocation(
        &mut self,
        key: &Key<Self>,
        result: TargetResult,
        batch: &mut Batch,
        now: Now,
    ) {
        let Revoking { outstanding, operations, .. } = self.revoking();
        if let Some(revocation) = outstanding.remove(key) {
            revocation.finish(result, operations, batch, now);
            operations.put(batch, now);
        }
    }

    /// A target has its result, and nothing was sent for it.
    fn finish_target(
        &mut self,
        task: &Task,
        result: TargetResult,
        work: &mut Work<Key<Self>>,
        now: Now,
    ) {
        let (id, target) = (task.row.id, &task.row.target);
        self.revoking().operations.finish(id, target, (result, 0), &mut work.batch, now);
    }
}

/// Knows of targets of operations that are on their way.
fn is_begun<R: Revocable>(
    revocations: &Outstanding<R>,
    notifications: &notifications::Outstanding<R::Key>,
) -> impl Fn(OperationId, &TargetKey) -> bool {
    |id, target| {
        R::named_by(target).is_some_and(|key| {
            revocations.get(key).is_some_and(|it| it.operations.contains(&id))
                || notifications.is_of(id, key)
        })
    }
}

/// What a revocation means.
#[derive(Debug)]
pub(crate) enum Meant<R> {
    /// A row, or none that is left.
    Row(Option<Arc<R>>),
    /// What the store has not removed yet.
    BeingRemoved,
}
