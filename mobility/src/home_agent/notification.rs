//! Notifications that this home agent sends (RFC 6098 §4.7.1), and what comes back.

use std::net::SocketAddrV4;
use std::sync::Arc;

use store::{
    Binding, BindingKey, Counter, Identity, NotificationPath, Now, OperationAction, Row as _,
    TargetKey, TargetResult, Time,
};
use wire::{Code, GenericNotificationAcknowledgement, MessageDirection, extension_type};

use super::HomeAgent;
use super::revocation::Work;
use crate::action::{Action, Output, Received};
use crate::association::{SecurityAssociation, authentic};
use crate::clock;
use crate::extensions::{Extensions, read};
use crate::notification::message::{About, back, notification};
use crate::notification::{NotificationId, SPACING, Sending, ShutdownNotice};
use crate::operations::Task;
use crate::revocation::AT_ONCE;

impl HomeAgent {
    /// Begins with a target of an operation that notifies.
    pub(super) fn notify_target(
        &mut self,
        task: Task,
        key: &BindingKey,
        work: &mut Work,
        now: Now,
    ) {
        let (direction, text) = match &task.operation.action {
            // What it says depends on when it is said.
            OperationAction::NotifyShutdown { .. } => {
                (MessageDirection::HOME_AGENT_TO_MOBILE_NODE, String::new())
            }
            OperationAction::NotifyMessage { text, path } => (way(*path), text.clone()),
            _ => return self.finish_target(&task, TargetResult::NotTried, work, now),
        };
        if !self.config.notification.enabled {
            return self.finish_target(&task, TargetResult::NotTried, work, now);
        }
        let binding = self.state.binding(key).filter(|it| it.created_at == task.row.since);
        let Some(binding) = binding.filter(|it| it.revoking.is_none()).cloned() else {
            return self.finish_target(&task, TargetResult::Gone, work, now);
        };
        let is_through = binding.foreign_agent.is_some();
        if direction == MessageDirection::HOME_AGENT_TO_FOREIGN_AGENT && !is_through {
            return self.finish_target(&task, TargetResult::NoAssociation, work, now);
        }
        // The message names the home address, and an NAI is not permitted in it (§4.1).
        if is_through && self.shares_home_address(&binding) {
            return self.finish_target(&task, TargetResult::Ambiguous, work, now);
        }
        if self.notification_signers(&binding, direction).is_none() {
            return self.finish_target(&task, TargetResult::NoAssociation, work, now);
        }
        let earliest = self.notifications.earliest(key, now.uptime);
        if earliest > now.uptime {
            return self.operations.postpone(task, earliest);
        }
        self.begin_notification(&task, &binding, direction, text, work, now);
    }

    /// Sends the first message of a notification that is part of an operation.
    pub(super) fn begin_notification(
        &mut self,
        task: &Task,
        binding: &Arc<Binding>,
        direction: MessageDirection,
        text: String,
        work: &mut Work,
        now: Now,
    ) {
        let mut sending = Sending::new(binding.key(), direction, text, *binding.source.ip());
        sending.operation = Some(task.row.id);
        sending.since = binding.created_at;
        let id = self.notifications.insert(sending);
        // That it is tried is durable before it is on the wire.
        self.operations.note_sent(task.row.id, &task.row.target, &mut work.batch, now);
        self.send_notification(id, work, now);
    }

    /// Ends, repeats what is due.
    pub(super) fn notification_work(&mut self, work: &mut Work, now: Now) {
        for _ in 0..AT_ONCE {
            let Some((id, result)) = self.answered.pop() else { break };
            self.end_notification(id, result, work, now);
        }
        for _ in 0..AT_ONCE {
            let Some(id) = self.notifications.due(now.uptime) else { return };
            let Some(sending) = self.notifications.get(id) else { continue };
            let sent = sending.sent;
            if sent >= self.config.notification.attempts_max {
                self.tally.count(Counter::NotificationsTimedOut);
                self.end_notification(id, TargetResult::TimedOut(sent), work, now);
            } else {
                self.send_notification(id, work, now);
            }
        }
    }

    /// When there is something to do about notifications.
    pub(super) fn notification_deadline(&self) -> Option<Time> {
        let answered = (!self.answered.is_empty()).then(Time::default);
        answered.into_iter().chain(self.notifications.first_deadline()).min()
    }

    /// Sends a notification, or sends it again with a later Identification (§4.3).
    fn send_notification(&mut self, id: NotificationId, work: &mut Work, now: Now) {
        let Some(sending) = self.notifications.get(id) else { return };
        let (direction, text) = (sending.direction, self.text_of(sending, now));
        let is_first = sending.sent == 0;
        let binding = self.state.binding(&sending.key);
        let binding = binding.filter(|it| it.created_at == sending.since && it.revoking.is_none());
        let Some(binding) = binding.cloned() else {
            return self.end_notification(id, TargetResult::Gone, work, now);
        };
        let Some(signers) = self.notification_signers(&binding, direction) else {
            return self.end_notification(id, TargetResult::NoAssociation, work, now);
        };
        let (stamps, random) = (&mut self.stamps, &mut self.random);
        let next = self.notifications.next_identification(id, stamps, random, now);
        let Some(identification) = next else { return };
        let about = About {
            home_address: binding.home_address,
            home_agent: self.config.address,
            care_of_address: binding.care_of_address,
        };
        let mut octets = notification(direction, about, identification, &text);
        for (kind, signer) in signers {
            signer.sign(&mut octets, kind);
        }
        self.tally.count(if is_first {
            Counter::NotificationsSent
        } else {
            Counter::NotificationsRetried
        });
        // §4.1: the headers of the last registration, so that translators let it through.
        let from = self.answer_source(binding.local);
        work.actions.push(Action::Send { from, to: binding.source, octets });
        work.notified.push(id);
    }

    /// What a notification says at `now`.
    fn text_of(&self, sending: &Sending<BindingKey>, now: Now) -> String {
        let action = sending.operation.and_then(|id| self.operations.action(id));
        let notice = match action {
            Some(OperationAction::NotifyShutdown { at, alternate }) => {
                Some(ShutdownNotice { after: at.since(now.stamp()), alternate: *alternate })
            }
            Some(OperationAction::Drain { .. }) => self.drain_notice(now),
            _ => None,
        };
        notice.map_or_else(|| sending.text.clone(), |notice| notice.to_string())
    }

    /// What a notification of `binding` is authenticated with, in the order of the extensions
    /// (§4.7.1); nothing if what is required is not there.
    fn notification_signers(
        &self,
        binding: &Binding,
        direction: MessageDirection,
    ) -> Option<Vec<(u8, Arc<SecurityAssociation>)>> {
        let agent = binding.foreign_agent.map(Identity::Address);
        let between_agents = agent.and_then(|agent| self.associations.with(&agent).next().cloned());
        let between_agents =
            between_agents.map(|it| (extension_type::FOREIGN_HOME_AUTHENTICATION, it));
        if direction == MessageDirection::HOME_AGENT_TO_FOREIGN_AGENT {
            return between_agents.map(|it| vec![it]);
        }
        let of_node = self.associations.get(&binding.identity(), binding.spi)?;
        let of_node = (extension_type::MOBILE_HOME_AUTHENTICATION, Arc::clone(of_node));
        Some(std::iter::once(of_node).chain(between_agents).collect())
    }

    /// Where messages to who sent to `local` come from: there, unless that is an address of many.
    pub(super) fn answer_source(&self, local: SocketAddrV4) -> SocketAddrV4 {
        let of_many = local.ip().is_broadcast() || local.ip().is_multicast();
        let address = if of_many { self.config.address } else { *local.ip() };
        SocketAddrV4::new(address, local.port())
    }

    /// A notification is over.
    fn end_notification(
        &mut self,
        id: NotificationId,
        result: TargetResult,
        work: &mut Work,
        now: Now,
    ) {
        let Some(sending) = self.notifications.remove(id) else { return };
        let Some(operation) = sending.operation else { return };
        if self.operations.is_drain(operation) {
            return self.after_drain_notification(operation, &sending.key, result, now);
        }
        let target = TargetKey::Binding(sending.key.clone());
        let sent = usize::try_from(sending.sent).unwrap_or(usize::MAX);
        self.operations.finish(operation, &target, (result, sent), &mut work.batch, now);
    }

    /// Begins to wait for acknowledgements: the messages have left.
    pub(super) fn arm_notified(&mut self, notified: &[NotificationId], now: Now) {
        for id in notified {
            let Some(sent) = self.notifications.get(*id).map(|it| it.sent) else { continue };
            self.notifications.arm(*id, now.uptime + self.config.notification.wait(sent));
        }
    }

    /// The store did not take what goes with the messages: they were not sent.
    pub(super) fn unsend_notified(&mut self, notified: &[NotificationId], now: Now) {
        for id in notified {
            if let Some(sending) = self.notifications.get_mut(*id) {
                sending.sent = sending.sent.saturating_sub(1);
            }
            self.notifications.arm(*id, now.uptime + SPACING);
        }
    }

    /// A mobile node or foreign agent answers a notification of ours (§4.7.2).
    pub(super) fn on_notification_acknowledgement(
        &mut self,
        received: &Received<'_>,
        now: Now,
    ) -> Output {
        type Fixed = GenericNotificationAcknowledgement;
        let (fixed, extensions) = match read(received.octets, Fixed::LEN, Fixed::parse) {
            Ok(parsed) => parsed,
            Err(error) => return self.malformed(&error),
        };
        let source = *received.source.ip();
        let found = self.notifications.answered_by(source, fixed.identification);
        let found = found.and_then(|id| Some((id, self.notifications.get(id)?.clone())));
        let fitting = found.filter(|(_, sending)| {
            sending.key.home_address == fixed.home_address
                && back(sending.direction) == fixed.direction
        });
        let Some((id, sending)) = fitting else {
            self.tally.count(Counter::NotificationAcknowledgementsUnexpected);
            return Output::default();
        };
        if let Err((reason, spi)) = self.check_answer(&sending, &extensions) {
            return self.refuse_notification(source, spi, fixed.identification, reason, now);
        }
        if extensions.not_for_notifications {
            self.tally.count(Counter::NotificationsDiscarded);
            return Output::default();
        }
        self.take_answer(id, &sending, &fixed, now);
        Output::default()
    }

    /// §4.7.2: who has to have authenticated the answer.
    fn check_answer(
        &self,
        sending: &Sending<BindingKey>,
        extensions: &Extensions<'_>,
    ) -> Result<(), (store::ViolationReason, wire::Spi)> {
        if sending.direction == MessageDirection::HOME_AGENT_TO_FOREIGN_AGENT {
            return self.authenticate_agent(&extensions.foreign_home, sending.peer).map(drop);
        }
        if !extensions.foreign_home.is_empty() {
            self.authenticate_agent(&extensions.foreign_home, sending.peer)?;
        }
        let identity = super::identity(&sending.key);
        let own = |spi| self.associations.get(&identity, spi).cloned();
        authentic(&extensions.mobile_home, own).map(drop)
    }

    fn take_answer(
        &mut self,
        id: NotificationId,
        sending: &Sending<BindingKey>,
        fixed: &GenericNotificationAcknowledgement,
        now: Now,
    ) {
        let is_mismatch = matches!(fixed.code, Code(69 | 197));
        if is_mismatch && sending.sent < self.config.notification.attempts_max {
            // §7.1.1: the upper half is the peer's clock.
            let ours = clock::ntp(now.utc).high();
            let ahead = fixed.identification.high().wrapping_sub(ours).cast_signed();
            self.notifications.close(id);
            if let Some(sending) = self.notifications.get_mut(id) {
                sending.ahead = ahead.into();
            }
            let at = self.notifications.earliest(&sending.key, now.uptime);
            return self.notifications.arm(id, at);
        }
        let result = if fixed.code == Code(0) {
            self.tally.count(Counter::NotificationsAcknowledged);
            TargetResult::Acknowledged
        } else {
            self.tally.count(Counter::NotificationsDenied);
            TargetResult::Denied(fixed.code)
        };
        self.notifications.close(id);
        self.answered.push((id, result));
    }

    /// Whether another node with the same home address is behind the same foreign agent.
    fn shares_home_address(&self, binding: &Binding) -> bool {
        let own = binding.identity();
        let others = self.state.bound_to(binding.home_address).filter(|other| *other != own);
        let mut bindings = others.flat_map(|other| self.state.bindings(&other).to_vec());
        bindings.any(|other| {
            other.home_address == binding.home_address
                && other.care_of_address == binding.care_of_address
        })
    }
}

/// The direction that an operation names.
const fn way(path: NotificationPath) -> MessageDirection {
    match path {
        NotificationPath::HomeAgentToForeignAgent => MessageDirection::HOME_AGENT_TO_FOREIGN_AGENT,
        // The others are not a home agent's, and get none to do.
        _ => MessageDirection::HOME_AGENT_TO_MOBILE_NODE,
    }
}
