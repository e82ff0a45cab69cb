//! What operators have a mobile node do: notify its agents (RFC 6098 §4.5.3).
//!
//! A node is the owner of the targets that are its registrations, under its home address.

use store::{
    Change, NotificationPath, Now, OperationAction, OperationId, RegistrationKey, Snapshot,
    TargetKey, TargetResult, Time,
};

use super::discovery::Attachment;
use super::{InFlight, MobileNode, NotificationReceiver};
use crate::action::{Action, CommitId, Output};
use crate::notification::{NotificationId, Notifier as _, SPACING, Sending, Turn};
use crate::operations::{Step, Task};
use crate::revocation::Work;

/// How many notifications of its own may wait for their answers.
pub(super) const OUTSTANDING_MAX: usize = 8;

impl MobileNode {
    /// Looks at what operators want; called whenever the store's operations have changed, and
    /// again until nothing comes of it.
    pub fn on_operations(&mut self, snapshot: &Snapshot, now: Now) -> Output {
        let notifications = &self.notifications;
        let step = self.operations.observe(snapshot, now, |id, target| {
            matches!(target, TargetKey::Registration(_)) && notifications.is_of(id, &())
        });
        let Some(Step { id, batch, is_ours }) = step else { return Output::default() };
        self.commit(Work { batch, ..Work::default() }, is_ours.then_some(id))
    }

    /// The batch of an [`Output`] is durable; its actions are to be done.
    pub fn on_committed(&mut self, id: CommitId, now: Now) {
        let Some(InFlight { step, notified, .. }) = self.in_flight.remove(&id) else { return };
        if let Some(id) = step {
            self.operations.on_committed(id);
        }
        self.arm_notified(&notified, now);
    }

    /// The store did not take the batch of an [`Output`]; its actions are not to be done.
    pub fn on_commit_failed(&mut self, id: CommitId, now: Now) {
        let Some(InFlight { step, notified, changes }) = self.in_flight.remove(&id) else { return };
        match step {
            Some(id) => self.operations.on_step_failed(id),
            None => self.operations.on_commit_failed(&changes, now),
        }
        self.unsend_notified(&notified, now);
    }

    /// Ends, repeats and begins notifications that are due; what operations have to write about
    /// them is durable before they leave.
    pub(super) fn notification_work(&mut self, now: Now) -> Output {
        let mut work = Work::default();
        while let Some(turn) = self.notification_turn(now) {
            match turn {
                Turn::Send(id) => self.repeat_notification(id, &mut work, now),
                Turn::End(id, result) => self.end_notification(id, result, &mut work, now),
            }
        }
        while let Some(task) = self.operations.next(now) {
            self.begin_target(&task, &mut work, now);
        }
        self.operations.put(&mut work.batch, now);
        if work.batch.is_empty() {
            self.arm_notified(&work.notified, now);
            return Output::at_once(work.actions);
        }
        self.commit(work, None)
    }

    pub(super) fn notification_deadline(&self) -> Option<Time> {
        let operation = self.operations.next_deadline();
        self.notifications.next_deadline().into_iter().chain(operation).min()
    }

    fn repeat_notification(&mut self, id: NotificationId, work: &mut Work<()>, now: Now) {
        let is_gone = match self.told.get(&id) {
            Some(TargetKey::Registration(key)) => !self.has(key),
            Some(_) | None => false,
        };
        if is_gone {
            return self.end_notification(id, TargetResult::Gone, work, now);
        }
        let earliest = self.earliest_notification(now);
        if earliest > now.uptime {
            self.notifications.arm(id, earliest);
        } else if let Some(action) = self.send_notification(id, now) {
            work.actions.push(action);
            work.notified.push(id);
        } else {
            // The registration that it was about is gone, or a key.
            self.end_notification(id, TargetResult::Gone, work, now);
        }
    }

    fn end_notification(
        &mut self,
        id: NotificationId,
        result: TargetResult,
        work: &mut Work<()>,
        now: Now,
    ) {
        let Some(sending) = self.notifications.remove(id) else { return };
        if let (Some(operation), Some(target)) = (sending.operation, self.told.remove(&id)) {
            let sent = usize::try_from(sending.sent).unwrap_or(usize::MAX);
            self.operations.finish(operation, &target, (result, sent), &mut work.batch, now);
        }
        let code = match result {
            TargetResult::Acknowledged => Some(wire::Code(0)),
            TargetResult::Denied(code) => Some(code),
            _ => None,
        };
        work.actions.push(Action::NotificationEnded { code });
    }

    /// Begins with a target of an operation.
    fn begin_target(&mut self, task: &Task, work: &mut Work<()>, now: Now) {
        let (id, target) = (task.row.id, &task.row.target);
        let action = &task.operation.action;
        let (TargetKey::Registration(key), Some((receiver, text))) = (target, word(action)) else {
            return self.finish_target(id, target, TargetResult::NotTried, work, now);
        };
        if !self.config.notification.enabled {
            return self.finish_target(id, target, TargetResult::NotTried, work, now);
        }
        if !self.has(key) {
            return self.finish_target(id, target, TargetResult::Gone, work, now);
        }
        let direction = self.direction(receiver);
        let direction = direction.filter(|it| self.notification_signers(*it).is_some());
        let Some(direction) = direction else {
            return self.finish_target(id, target, TargetResult::NoAssociation, work, now);
        };
        let earliest = self.earliest_notification(now);
        if earliest > now.uptime || self.notifications.len() >= OUTSTANDING_MAX {
            let at = earliest.max(now.uptime + SPACING);
            return self.operations.again(id, target, at);
        }
        let peer = *self.destination().ip();
        let mut sending = Sending::new((), direction, text.to_owned(), peer);
        sending.operation = Some(id);
        let notification = self.notifications.insert(sending);
        self.told.insert(notification, target.clone());
        self.operations.note_sent(id, target, &mut work.batch, now);
        self.repeat_notification(notification, work, now);
    }

    /// When the next notification may be sent (§4.3): not while the node looks for an agent, and has
    /// no way to its home agent.
    pub(super) fn earliest_notification(&mut self, now: Now) -> Time {
        if self.attachment == Attachment::Searching {
            return now.uptime + SPACING;
        }
        self.notifications.earliest(&(), now.uptime)
    }

    /// Whether the store shows this registration as the node's, and it is.
    fn has(&self, key: &RegistrationKey) -> bool {
        self.registration.is_some() && self.shown.as_ref() == Some(key)
    }

    fn finish_target(
        &mut self,
        id: OperationId,
        target: &TargetKey,
        result: TargetResult,
        work: &mut Work<()>,
        now: Now,
    ) {
        self.operations.finish(id, target, (result, 0), &mut work.batch, now);
    }

    fn commit(&mut self, work: Work<()>, step: Option<OperationId>) -> Output {
        self.last_commit.0 += 1;
        let id = self.last_commit;
        let Work { batch, actions, notified, .. } = work;
        let changes: Vec<Change> = batch.changes.clone();
        self.in_flight.insert(id, InFlight { step, notified, changes });
        Output { id, batch, actions }
    }
}

/// Whom an operation has mobile nodes tell something, and what.
fn word(action: &OperationAction) -> Option<(NotificationReceiver, &str)> {
    let OperationAction::NotifyMessage { text, path } = action else { return None };
    let receiver = match path {
        NotificationPath::MobileNodeToHomeAgent => NotificationReceiver::HomeAgent,
        NotificationPath::MobileNodeToForeignAgent => NotificationReceiver::ForeignAgent,
        NotificationPath::HomeAgentToMobileNode
        | NotificationPath::HomeAgentToForeignAgent
        | NotificationPath::ForeignAgentToMobileNode
        | NotificationPath::ForeignAgentToHomeAgent => return None,
    };
    Some((receiver, text))
}
