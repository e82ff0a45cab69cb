//! Notifications that foreign agents and gateways send (RFC 6098 §4.6.3), and what comes back.

use std::net::Ipv4Addr;
use std::sync::Arc;

use store::{
    Counter, Identity, NotificationPath, Now, OperationAction, Row as _, TargetKey, TargetResult,
    ViolationReason, Visitor, VisitorKey,
};
use wire::{GenericNotificationAcknowledgement, MessageDirection, Spi, extension_type};

use super::{Parts, Receives, Work};
use crate::action::{Output, Received};
use crate::association::{Failure, Signers};
use crate::extensions::{Extensions, read};
use crate::notification::message::About;
use crate::notification::{NotificationId, Sending};
use crate::operations::Task;

/// Sends notifications about its visitors.
pub(crate) trait Sends: Receives {
    /// Begins with a target of an operation that notifies.
    fn notify_target(&mut self, task: Task, key: &VisitorKey, work: &mut Work, now: Now) {
        let OperationAction::NotifyMessage { text, path } = &task.operation.action else {
            return self.finish_target(&task, TargetResult::NotTried, work, now);
        };
        if !self.parts().config.enabled {
            return self.finish_target(&task, TargetResult::NotTried, work, now);
        }
        let visitor = self.visitors().get(&key.identity, key.home_address);
        let visitor = visitor.filter(|it| it.created_at == task.row.since && it.revoking.is_none());
        let Some(visitor) = visitor.cloned() else {
            return self.finish_target(&task, TargetResult::Gone, work, now);
        };
        let (direction, peer) = match path {
            NotificationPath::ForeignAgentToHomeAgent => {
                (MessageDirection::FOREIGN_AGENT_TO_HOME_AGENT, visitor.home_agent)
            }
            _ => (MessageDirection::FOREIGN_AGENT_TO_MOBILE_NODE, self.reached_at(&visitor)),
        };
        if self.notification_signers(&visitor, direction).is_none() {
            return self.finish_target(&task, TargetResult::NoAssociation, work, now);
        }
        let Parts { outstanding, operations, .. } = self.parts();
        let earliest = outstanding.earliest(key, now.uptime);
        if earliest > now.uptime {
            return operations.postpone(task, earliest);
        }
        let mut sending = Sending::new(key.clone(), direction, text.clone(), peer);
        sending.operation = Some(task.row.id);
        sending.since = visitor.created_at;
        let id = outstanding.insert(sending);
        operations.note_sent(task.row.id, &task.row.target, &mut work.batch, now);
        self.notify_again(id, work, now);
    }

    /// Sends a notification, or sends it again with a later Identification (§4.3).
    fn notify_again(&mut self, id: NotificationId, work: &mut Work, now: Now) {
        let Some(sending) = self.parts().outstanding.get(id).cloned() else { return };
        let (direction, text) = (sending.direction, sending.text.clone());
        let (identity, home_address) = (&sending.key.identity, sending.key.home_address);
        let visitor = self.visitors().get(identity, home_address);
        let visitor = visitor.filter(|it| it.created_at == sending.since && it.revoking.is_none());
        let Some(visitor) = visitor.cloned() else {
            return self.end_notified(id, TargetResult::Gone, work, now);
        };
        let Some(signers) = self.notification_signers(&visitor, direction) else {
            return self.end_notified(id, TargetResult::NoAssociation, work, now);
        };
        let Parts { outstanding, tally, random, .. } = self.parts();
        let said = (about(&visitor), &*text);
        let message = outstanding.message(id, said, &signers, (tally, random), now);
        let Some(octets) = message else { return };
        work.actions.push(if direction == MessageDirection::FOREIGN_AGENT_TO_HOME_AGENT {
            self.to_home_agent(&visitor, octets)
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
            if !self.is_known_at_home(visitor) {
                return None;
            }
            let peer = Identity::Address(visitor.home_agent);
            (extension_type::FOREIGN_HOME_AUTHENTICATION, peer)
        } else {
            (extension_type::MOBILE_FOREIGN_AUTHENTICATION, visitor.identity.clone())
        };
        Some(vec![(kind, Arc::clone(self.associations().with(&peer).next()?))])
    }

    fn end_notified(
        &mut self,
        id: NotificationId,
        result: TargetResult,
        work: &mut Work,
        now: Now,
    ) {
        let Parts { outstanding, operations, .. } = self.parts();
        let Some(sending) = outstanding.remove(id) else { return };
        let Some(operation) = sending.operation else { return };
        let target = TargetKey::Visitor(sending.key.clone());
        let sent = usize::try_from(sending.sent).unwrap_or(usize::MAX);
        operations.finish(operation, &target, (result, sent), &mut work.batch, now);
    }

    /// A mobile node or home agent answers a notification of ours, or each other's (§4.6.4).
    fn take_acknowledgement(&mut self, received: &Received<'_>, now: Now) -> Output {
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

    /// Whether an answer is of whom a notification went to.
    fn is_answer_of(
        &self,
        sending: &Sending<VisitorKey>,
        fixed: &GenericNotificationAcknowledgement,
        extensions: &Extensions<'_>,
    ) -> Result<(), Failure> {
        if fixed.direction == MessageDirection::HOME_AGENT_TO_FOREIGN_AGENT {
            let peer = Identity::Address(sending.peer);
            return self.associations().authenticate(&extensions.foreign_home, &peer).map(drop);
        }
        let node = &sending.key.identity;
        self.associations().authenticate(&extensions.mobile_foreign, node).map(drop)
    }

    /// Whether an answer that nobody waits for is at least of whom it says that it is of.
    fn is_stray_of(
        &self,
        source: Ipv4Addr,
        fixed: &GenericNotificationAcknowledgement,
        extensions: &Extensions<'_>,
    ) -> Result<(), Failure> {
        match fixed.direction {
            MessageDirection::HOME_AGENT_TO_FOREIGN_AGENT => {
                let peer = Identity::Address(source);
                self.associations().authenticate(&extensions.foreign_home, &peer).map(drop)
            }
            MessageDirection::MOBILE_NODE_TO_FOREIGN_AGENT => {
                let mut visitors = self.visitors().with_home(fixed.home_address);
                let Some(visitor) = visitors.next() else { return Ok(()) };
                let list = &extensions.mobile_foreign;
                let known = self.associations().authenticate(list, &visitor.identity).map(drop);
                // Which of several it is of, nothing says.
                if visitors.next().is_some() { Ok(()) } else { known }
            }
            // Ours, which came back to us, or nobody's.
            _ => Err((ViolationReason::BadIdentifier, Spi(0))),
        }
    }
}

impl<T: Receives> Sends for T {}

/// Whom a notification about a visitor names.
fn about(visitor: &Visitor) -> About {
    debug_assert_eq!(visitor.key().home_address, visitor.home_address);
    About {
        home_address: visitor.home_address,
        home_agent: visitor.home_agent,
        care_of_address: visitor.care_of_address,
    }
}
