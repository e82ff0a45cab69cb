//! Notifications that this foreign agent sends (RFC 6098 §4.6.3), and what comes back.

use std::net::SocketAddrV4;
use std::sync::Arc;

use store::{
    Counter, Identity, NotificationPath, Now, OperationAction, Row as _, TargetKey, TargetResult,
    Time, Visitor, VisitorKey,
};
use wire::{Code, GenericNotificationAcknowledgement, MessageDirection, extension_type};

use super::ForeignAgent;
use super::pending::reach;
use super::revocation::Work;
use crate::action::{Action, Output, Received};
use crate::association::{SecurityAssociation, authentic};
use crate::clock;
use crate::extensions::{Extensions, read};
use crate::notification::message::{About, back, notification};
use crate::notification::{NotificationId, SPACING, Sending};
use crate::operations::Task;
use crate::revocation::AT_ONCE;

impl ForeignAgent {
    /// Begins with a target of an operation that notifies.
    pub(super) fn notify_target(
        &mut self,
        task: Task,
        key: &VisitorKey,
        work: &mut Work,
        now: Now,
    ) {
        let OperationAction::NotifyMessage { text, path } = &task.operation.action else {
            return self.finish_target(&task, TargetResult::NotTried, work, now);
        };
        if !self.config.notification.enabled {
            return self.finish_target(&task, TargetResult::NotTried, work, now);
        }
        let visitor = self.visitors.get(&key.identity, key.home_address);
        let visitor = visitor.filter(|it| it.created_at == task.row.since && it.revoking.is_none());
        let Some(visitor) = visitor.cloned() else {
            return self.finish_target(&task, TargetResult::Gone, work, now);
        };
        let (direction, peer) = match path {
            NotificationPath::ForeignAgentToHomeAgent => {
                (MessageDirection::FOREIGN_AGENT_TO_HOME_AGENT, visitor.home_agent)
            }
            _ => {
                let peer = reach(visitor.source, visitor.home_address);
                (MessageDirection::FOREIGN_AGENT_TO_MOBILE_NODE, *peer.ip())
            }
        };
        if self.notification_signer(&visitor, direction).is_none() {
            return self.finish_target(&task, TargetResult::NoAssociation, work, now);
        }
        let earliest = self.notifications.earliest(key, now.uptime);
        if earliest > now.uptime {
            return self.operations.postpone(task, earliest);
        }
        let mut sending = Sending::new(key.clone(), direction, text.clone(), peer);
        sending.operation = Some(task.row.id);
        sending.since = visitor.created_at;
        let id = self.notifications.insert(sending);
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
        let (direction, text) = (sending.direction, sending.text.clone());
        let is_first = sending.sent == 0;
        let (identity, home_address) = (&sending.key.identity, sending.key.home_address);
        let visitor = self.visitors.get(identity, home_address);
        let visitor = visitor.filter(|it| it.created_at == sending.since && it.revoking.is_none());
        let Some(visitor) = visitor.cloned() else {
            return self.end_notification(id, TargetResult::Gone, work, now);
        };
        let Some((kind, signer)) = self.notification_signer(&visitor, direction) else {
            return self.end_notification(id, TargetResult::NoAssociation, work, now);
        };
        let (stamps, random) = (&mut self.stamps, &mut self.random);
        let next = self.notifications.next_identification(id, stamps, random, now);
        let Some(identification) = next else { return };
        let about = about(&visitor);
        let mut octets = notification(direction, about, identification, &text);
        signer.sign(&mut octets, kind);
        self.tally.count(if is_first {
            Counter::NotificationsSent
        } else {
            Counter::NotificationsRetried
        });
        work.actions.push(if direction == MessageDirection::FOREIGN_AGENT_TO_HOME_AGENT {
            let from = self.config.relay_source(visitor.care_of_address);
            let to = SocketAddrV4::new(visitor.home_agent, self.config.home_agent_port);
            Action::Send { from, to, octets }
        } else {
            self.to_node(&visitor, octets)
        });
        work.notified.push(id);
    }

    /// What a notification about `visitor` is authenticated with (§4.6.3).
    fn notification_signer(
        &self,
        visitor: &Visitor,
        direction: MessageDirection,
    ) -> Option<(u8, Arc<SecurityAssociation>)> {
        let (kind, peer) = if direction == MessageDirection::FOREIGN_AGENT_TO_HOME_AGENT {
            let peer = Identity::Address(visitor.home_agent);
            (extension_type::FOREIGN_HOME_AUTHENTICATION, peer)
        } else {
            (extension_type::MOBILE_FOREIGN_AUTHENTICATION, visitor.identity.clone())
        };
        Some((kind, Arc::clone(self.associations.with(&peer).next()?)))
    }

    /// Sends something to a visitor, with the headers of its last reply (§4.1).
    pub(super) fn to_node(&self, visitor: &Visitor, octets: Vec<u8>) -> Action {
        let of_many = visitor.local.ip().is_multicast() || visitor.local.ip().is_broadcast();
        let address = if of_many { self.config.address } else { *visitor.local.ip() };
        let from = SocketAddrV4::new(address, visitor.local.port());
        let to = reach(visitor.source, visitor.home_address);
        match visitor.interface {
            Some(interface) => Action::SendOnLink { interface, from, to, octets },
            None => Action::Send { from, to, octets },
        }
    }

    fn end_notification(
        &mut self,
        id: NotificationId,
        result: TargetResult,
        work: &mut Work,
        now: Now,
    ) {
        let Some(sending) = self.notifications.remove(id) else { return };
        let Some(operation) = sending.operation else { return };
        let target = TargetKey::Visitor(sending.key.clone());
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

    /// A mobile node or home agent answers a notification of ours, or each other's (§4.6.4).
    pub(super) fn on_notification_acknowledgement(
        &mut self,
        received: &Received<'_>,
        now: Now,
    ) -> Output {
        type Fixed = GenericNotificationAcknowledgement;
        let (fixed, extensions) = match read(received.octets, Fixed::LEN, Fixed::parse) {
            Ok(parsed) => parsed,
            Err(error) => {
                self.tally.count_malformed(&error);
                return Output::default();
            }
        };
        if extensions.not_for_notifications {
            self.tally.count(Counter::NotificationsDiscarded);
            return Output::default();
        }
        let about = About {
            home_address: fixed.home_address,
            home_agent: fixed.home_agent,
            care_of_address: fixed.care_of_address,
        };
        let identification = fixed.identification;
        match fixed.direction {
            MessageDirection::MOBILE_NODE_TO_HOME_AGENT => {
                self.relay_to_home_agent(about, identification, &extensions, received, now)
            }
            MessageDirection::HOME_AGENT_TO_MOBILE_NODE => {
                self.relay_to_node(about, identification, &extensions, received, now)
            }
            _ => self.on_answer(&fixed, &extensions, received, now),
        }
    }

    fn on_answer(
        &mut self,
        fixed: &GenericNotificationAcknowledgement,
        extensions: &Extensions<'_>,
        received: &Received<'_>,
        now: Now,
    ) -> Output {
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
        let (list, peer) = if fixed.direction == MessageDirection::HOME_AGENT_TO_FOREIGN_AGENT {
            (&extensions.foreign_home, Identity::Address(source))
        } else {
            (&extensions.mobile_foreign, sending.key.identity.clone())
        };
        let known = authentic(list, |spi| self.associations.get(&peer, spi).cloned());
        if let Err((reason, spi)) = known {
            return self.refuse_notification(source, spi, fixed.identification, reason, now);
        }
        let is_mismatch = matches!(fixed.code, Code(133 | 197));
        self.notifications.close(id);
        if is_mismatch && sending.sent < self.config.notification.attempts_max {
            // §7.1.1: the upper half is the peer's clock.
            let ours = clock::ntp(now.utc).high();
            let ahead = fixed.identification.high().wrapping_sub(ours).cast_signed();
            if let Some(sending) = self.notifications.get_mut(id) {
                sending.ahead = ahead.into();
            }
            let at = self.notifications.earliest(&sending.key, now.uptime);
            self.notifications.arm(id, at);
            return Output::default();
        }
        let (counter, result) = if fixed.code == Code(0) {
            (Counter::NotificationsAcknowledged, TargetResult::Acknowledged)
        } else {
            (Counter::NotificationsDenied, TargetResult::Denied(fixed.code))
        };
        self.tally.count(counter);
        self.answered.push((id, result));
        Output::default()
    }
}

/// Whom a notification about a visitor names.
fn about(visitor: &Visitor) -> About {
    debug_assert_eq!(visitor.key().home_address, visitor.home_address);
    About {
        home_address: visitor.home_address,
        home_agent: visitor.home_agent,
        care_of_address: visitor.care_of_address,
    }
}
