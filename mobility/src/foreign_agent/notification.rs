//! Notifications that this foreign agent sends (RFC 6098 §4.6.3), and what comes back.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use store::{
    Counter, Identity, NotificationPath, Now, OperationAction, Row as _, TargetKey, TargetResult,
    ViolationReason, Visitor, VisitorKey,
};
use wire::{GenericNotificationAcknowledgement, MessageDirection, Spi, extension_type};

use super::ForeignAgent;
use super::pending::reach;
use super::revocation::Work;
use crate::action::{Action, Output, Received};
use crate::association::{Failure, Signers};
use crate::extensions::{Extensions, read};
use crate::notification::message::About;
use crate::notification::{NotificationId, Notifier, Notifying, Sending};
use crate::operations::Task;
use crate::refusal::Refuse as _;
use crate::revocation::Revoker as _;

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
        if self.notification_signers(&visitor, direction).is_none() {
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
        self.notify_again(id, work, now);
    }

    /// Sends a notification, or sends it again with a later Identification (§4.3).
    pub(super) fn notify_again(&mut self, id: NotificationId, work: &mut Work, now: Now) {
        let Some(sending) = self.notifications.get(id) else { return };
        let (direction, text) = (sending.direction, sending.text.clone());
        let (identity, home_address) = (&sending.key.identity, sending.key.home_address);
        let visitor = self.visitors.get(identity, home_address);
        let visitor = visitor.filter(|it| it.created_at == sending.since && it.revoking.is_none());
        let Some(visitor) = visitor.cloned() else {
            return self.end_notified(id, TargetResult::Gone, work, now);
        };
        let Some(signers) = self.notification_signers(&visitor, direction) else {
            return self.end_notified(id, TargetResult::NoAssociation, work, now);
        };
        let (said, parts) = ((about(&visitor), &*text), (&mut self.tally, &mut self.random));
        let message = self.notifications.message(id, said, &signers, parts, now);
        let Some(octets) = message else { return };
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
    fn notification_signers(
        &self,
        visitor: &Visitor,
        direction: MessageDirection,
    ) -> Option<Signers> {
        let (kind, peer) = if direction == MessageDirection::FOREIGN_AGENT_TO_HOME_AGENT {
            let peer = Identity::Address(visitor.home_agent);
            (extension_type::FOREIGN_HOME_AUTHENTICATION, peer)
        } else {
            (extension_type::MOBILE_FOREIGN_AUTHENTICATION, visitor.identity.clone())
        };
        Some(vec![(kind, Arc::clone(self.associations.with(&peer).next()?))])
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

    pub(super) fn end_notified(
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

    /// A mobile node or home agent answers a notification of ours, or each other's (§4.6.4).
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
        if extensions.not_for_notifications {
            return self.discard(Counter::NotificationsDiscarded);
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
            _ => self.on_answer(*received.source.ip(), &fixed, &extensions, now),
        }
    }
}

impl Notifier for ForeignAgent {
    type Key = VisitorKey;

    fn notifying(&mut self) -> Notifying<'_, VisitorKey> {
        Notifying {
            outstanding: &mut self.notifications,
            config: &self.config.notification,
            tally: &mut self.tally,
        }
    }

    fn is_about(&self, key: &VisitorKey, fixed: &GenericNotificationAcknowledgement) -> bool {
        key.home_address == fixed.home_address
    }

    fn check_answer(
        &self,
        sending: &Sending<VisitorKey>,
        fixed: &GenericNotificationAcknowledgement,
        extensions: &Extensions<'_>,
    ) -> Result<(), Failure> {
        if fixed.direction == MessageDirection::HOME_AGENT_TO_FOREIGN_AGENT {
            let peer = Identity::Address(sending.peer);
            return self.associations.authenticate(&extensions.foreign_home, &peer).map(drop);
        }
        let node = &sending.key.identity;
        self.associations.authenticate(&extensions.mobile_foreign, node).map(drop)
    }

    fn check_stray_answer(
        &self,
        source: Ipv4Addr,
        fixed: &GenericNotificationAcknowledgement,
        extensions: &Extensions<'_>,
    ) -> Result<(), Failure> {
        match fixed.direction {
            MessageDirection::HOME_AGENT_TO_FOREIGN_AGENT => {
                let peer = Identity::Address(source);
                self.associations.authenticate(&extensions.foreign_home, &peer).map(drop)
            }
            MessageDirection::MOBILE_NODE_TO_FOREIGN_AGENT => {
                let mut visitors = self.visitors.with_home(fixed.home_address);
                let Some(visitor) = visitors.next() else { return Ok(()) };
                let list = &extensions.mobile_foreign;
                let known = self.associations.authenticate(list, &visitor.identity).map(drop);
                // Which of several it is of, nothing says.
                if visitors.next().is_some() { Ok(()) } else { known }
            }
            // Ours, which came back to us, or nobody's.
            _ => Err((ViolationReason::BadIdentifier, Spi(0))),
        }
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
