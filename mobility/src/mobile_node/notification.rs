//! Notifications that a mobile node gets and sends (RFC 6098 §4.5).

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use store::{Counter, Identity, Now, UserMessage, ViolationReason};
use wire::{
    Code, GenericNotification, GenericNotificationAcknowledgement, Identification,
    MessageDirection, Spi, extension_type,
};

use super::discovery::Attachment;
use super::operations::OUTSTANDING_MAX;
use super::{MobileNode, Wish};
use crate::action::{Action, Output, Received};
use crate::association::{Failure, SecurityAssociation, Signers};
use crate::extensions::{Extensions, read};
use crate::notification::message::{About, acknowledgement, back};
use crate::notification::{Heard, NotificationId, Notifier, Notifying, Opened, Sending, open};
use crate::refusal::Refuse;
use crate::tally::Tally;
use crate::violations::Violations;

/// Who a mobile node notifies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NotificationReceiver {
    /// Directly, or through the foreign agent that the node is attached to.
    HomeAgent,
    /// The foreign agent that the node is attached to.
    ForeignAgent,
}

impl MobileNode {
    /// Tells an agent something, and repeats it until it is acknowledged (§4.5.3); how it ends is
    /// [`Action::NotificationEnded`].
    ///
    /// Nothing is sent by a node that is not registered, has no association with the receiver, or
    /// has too many notifications on their way.
    pub fn notify(&mut self, receiver: NotificationReceiver, text: &str, now: Now) -> Output {
        let Some(direction) = self.direction(receiver) else { return Output::default() };
        let is_possible = self.config.notification.enabled
            && self.registration.is_some()
            && self.notifications.len() < OUTSTANDING_MAX;
        if !is_possible {
            return Output::default();
        }
        let peer = *self.destination().ip();
        let id = self.notifications.insert(Sending::new((), direction, text.to_owned(), peer));
        let earliest = self.earliest_notification(now);
        if earliest > now.uptime {
            self.notifications.arm(id, earliest);
            return Output::default();
        }
        let Some(action) = self.send_notification(id, now) else {
            self.notifications.remove(id);
            return Output::at_once(vec![Action::NotificationEnded { code: None }]);
        };
        self.arm_notified(&[id], now);
        Output::at_once(vec![action])
    }

    /// The direction of what goes to `receiver`, if there is one.
    pub(super) fn direction(&self, receiver: NotificationReceiver) -> Option<MessageDirection> {
        match receiver {
            NotificationReceiver::HomeAgent => Some(MessageDirection::MOBILE_NODE_TO_HOME_AGENT),
            NotificationReceiver::ForeignAgent => {
                self.notified_agent().map(|_| MessageDirection::MOBILE_NODE_TO_FOREIGN_AGENT)
            }
        }
    }

    /// Sends a notification, or sends it again; [`Notifier::arm_notified`] follows.
    pub(super) fn send_notification(&mut self, id: NotificationId, now: Now) -> Option<Action> {
        let sending = self.notifications.get(id)?;
        let (direction, text) = (sending.direction, sending.text.clone());
        let registration = self.registration?;
        let about = About {
            home_address: self.home_address?,
            home_agent: registration.home_agent,
            care_of_address: registration.care_of_address,
        };
        let signers = self.notification_signers(direction)?;
        // The clock of the home agent is what its association goes by (§4.5.3).
        let corrected = self.corrected(now);
        let parts = (&mut self.tally, &mut self.random);
        let octets = self.notifications.message(id, (about, &text), &signers, parts, corrected)?;
        Some(self.send_off(self.source(), self.destination(), octets))
    }

    /// The foreign agent that notifications are from and to, or go through.
    ///
    /// A reading: where the node is registered regionally that is its gateway, whose care-of address
    /// the home agent knows; the foreign agent on the link passes them on octet for octet.
    fn notified_agent(&self) -> Option<Identity> {
        let gateway = self.visit().map(|visit| Identity::Address(visit.gateway()));
        gateway.or_else(|| self.agent_identity())
    }

    /// What a message with that direction is authenticated with, in the order of §4.5.3.
    pub(super) fn notification_signers(&self, direction: MessageDirection) -> Option<Signers> {
        let agent = self.notified_agent();
        let of_agent = self.associations.iter().find(|it| Some(&it.peer) == agent.as_ref());
        let of_agent = of_agent
            .map(|it| (extension_type::MOBILE_FOREIGN_AUTHENTICATION, Arc::new(it.clone())));
        if direction == MessageDirection::MOBILE_NODE_TO_FOREIGN_AGENT {
            return of_agent.map(|it| vec![it]);
        }
        let of_home = Arc::new(self.home_association()?.clone());
        let of_home = (extension_type::MOBILE_HOME_AUTHENTICATION, of_home);
        Some(std::iter::once(of_home).chain(of_agent).collect())
    }

    /// Sends by the link where the node has only its home address (RFC 5944 §3.6.1.1).
    fn send_off(&self, from: SocketAddrV4, to: SocketAddrV4, octets: Vec<u8>) -> Action {
        match self.attachment {
            Attachment::ForeignAgent { .. } if self.config.sends_from_home_address => {
                Action::SendOnLink { interface: self.interface, from, to, octets }
            }
            _ => Action::Send { from, to, octets },
        }
    }

    /// The time of day as the home agent has it.
    pub(super) fn corrected(&self, now: Now) -> Now {
        Now { utc: now.utc.shifted(self.clock.offset), ..now }
    }

    /// A home agent or foreign agent has something to say (§4.5.1).
    pub(super) fn on_notification(&mut self, received: &Received<'_>, now: Now) -> Output {
        let source = *received.source.ip();
        let opened = match open(received.octets) {
            Ok(opened) => opened,
            Err(error) => return self.malformed(&error),
        };
        self.tally.count(Counter::NotificationsReceived);
        let fixed = &opened.fixed;
        if opened.extensions.not_for_notifications {
            return self.discard(Counter::NotificationsDiscarded);
        }
        let (sender, list, failed) = match fixed.direction {
            MessageDirection::HOME_AGENT_TO_MOBILE_NODE if self.knows_home_agent(fixed) => {
                (fixed.home_agent, &opened.extensions.mobile_home, Code(196))
            }
            MessageDirection::FOREIGN_AGENT_TO_MOBILE_NODE
                if self.agent_identity() == Some(Identity::Address(source)) =>
            {
                (source, &opened.extensions.mobile_foreign, Code(195))
            }
            // A mobile node's own, which came back to us; or nobody's that we know.
            direction => {
                let reason = if matches!(direction.0, 2 | 3) {
                    ViolationReason::BadIdentifier
                } else {
                    ViolationReason::Other
                };
                let failure = (reason, Spi(0));
                return self.refuse_notification(source, fixed.identification, failure, now);
            }
        };
        let signer = match list.as_slice() {
            [only] => self.verifying(only, fixed.direction).cloned(),
            _ => None,
        };
        let Some(signer) = signer.filter(|_| Some(fixed.home_address) == self.home_address) else {
            let reason = match list.as_slice() {
                [_] => ViolationReason::BadAuthenticator,
                _ => ViolationReason::MissingSecurityExtension,
            };
            let spi = list.first().map_or(Spi(0), |it| it.spi);
            return self.deny_notification(&opened, (failed, (reason, spi)), received, now);
        };
        let peer = Identity::Address(sender);
        if !self.heard.is_fresh(&peer, fixed.identification, &signer, self.corrected(now)) {
            let failure = (Code(197), (ViolationReason::BadIdentifier, signer.spi));
            return self.deny_notification(&opened, failure, received, now);
        }
        self.heard.accept(&peer, fixed.identification, self.corrected(now));
        self.take_notification(&opened, sender, received, now)
    }

    /// Whether a message is of the home agent that the node is with, or was with.
    fn knows_home_agent(&self, fixed: &GenericNotification) -> bool {
        let registered = self.registration.map(|it| it.home_agent);
        let former = self.former.map(|it| it.home_agent);
        let ours = std::iter::once(*self.home_agent.ip()).chain(registered).chain(former);
        ours.into_iter().any(|home_agent| home_agent == fixed.home_agent)
    }

    /// The association that an authentication was made with, if it is with the right party.
    fn verifying(
        &self,
        authentication: &wire::Authentication<'_>,
        direction: MessageDirection,
    ) -> Option<&SecurityAssociation> {
        let agent = self.notified_agent();
        let is_of_agent = direction == MessageDirection::FOREIGN_AGENT_TO_MOBILE_NODE;
        self.associations.iter().find(|it| {
            (Some(&it.peer) == agent.as_ref()) == is_of_agent && it.verifies(authentication)
        })
    }

    fn take_notification(
        &mut self,
        opened: &Opened<'_>,
        sender: Ipv4Addr,
        received: &Received<'_>,
        now: Now,
    ) -> Output {
        let fixed = &opened.fixed;
        let mut actions = Vec::new();
        let is_accepted = self.config.notification.enabled;
        if fixed.wants_acknowledgement() {
            let code = if is_accepted { Code(0) } else { Code(193) };
            actions.extend(self.answer(fixed, code, fixed.identification, received));
        }
        if !is_accepted {
            self.tally.count(Counter::NotificationsDiscarded);
            return Output::at_once(actions);
        }
        for (_, text, _) in &opened.extensions.messages {
            actions.push(self.show(sender, text, now));
            if fixed.direction == MessageDirection::HOME_AGENT_TO_MOBILE_NODE {
                self.on_shutdown_notice(sender, text, now);
            }
        }
        Output::at_once(actions)
    }

    /// Has a text shown to the user.
    pub(super) fn show(&mut self, from: Ipv4Addr, text: &str, now: Now) -> Action {
        let text = text.to_owned();
        self.tally.count(Counter::MessageStringsReceived);
        self.message = Some(UserMessage { at: now.stamp(), from, text: text.clone() });
        self.is_row_stale = true;
        Action::Message { from, text }
    }

    /// §4.5.2: what the sender checks comes first, then what the foreign agent on the way checks.
    fn answer(
        &mut self,
        fixed: &GenericNotification,
        code: Code,
        identification: Identification,
        received: &Received<'_>,
    ) -> Option<Action> {
        let mut octets = acknowledgement(fixed, code, identification);
        for (kind, signer) in self.notification_signers(back(fixed.direction))? {
            signer.sign(&mut octets, kind);
        }
        self.tally.count(Counter::NotificationAcknowledgementsSent);
        Some(self.send_off(received.local, received.source, octets))
    }

    /// Refuses a message and says so to its sender, but no more than once a second.
    fn deny_notification(
        &mut self,
        opened: &Opened<'_>,
        (code, failure): (Code, Failure),
        received: &Received<'_>,
        now: Now,
    ) -> Output {
        let fixed = &opened.fixed;
        let source = *received.source.ip();
        let is_wanted = fixed.wants_acknowledgement();
        let stamp = Heard::mismatch(fixed.identification, self.corrected(now));
        let answer = (is_wanted && self.refusals.allows(source, now.uptime))
            .then(|| self.answer(fixed, code, stamp, received))
            .flatten();
        self.refuse_notification(source, fixed.identification, failure, now);
        Output::at_once(answer.into_iter().collect())
    }

    /// An agent answers a notification of ours (§4.5.4).
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
        let output = self.on_answer(*received.source.ip(), &fixed, &extensions, now);
        debug_assert!(output.actions.is_empty(), "an answer is answered by nothing");
        self.notification_work(now)
    }

    /// Sees that an answer is signed by the agent that its direction names.
    fn check_signature(
        &self,
        fixed: &GenericNotificationAcknowledgement,
        extensions: &Extensions<'_>,
    ) -> Result<(), Failure> {
        let list = if fixed.direction == MessageDirection::FOREIGN_AGENT_TO_MOBILE_NODE {
            &extensions.mobile_foreign
        } else {
            &extensions.mobile_home
        };
        let [only] = list.as_slice() else {
            return Err((ViolationReason::MissingSecurityExtension, Spi(0)));
        };
        let known = self.verifying(only, fixed.direction).map(drop);
        known.ok_or((ViolationReason::BadAuthenticator, only.spi))
    }

    /// Whether the node wants to be registered somewhere.
    pub(super) fn wants_registration(&self) -> bool {
        self.wish == Some(Wish::Registered) && self.attachment != Attachment::Home
    }
}

impl Notifier for MobileNode {
    /// It has one registration.
    type Key = ();

    fn notifying(&mut self) -> Notifying<'_, ()> {
        Notifying {
            outstanding: &mut self.notifications,
            config: &self.config.notification,
            tally: &mut self.tally,
        }
    }

    fn is_about(&self, (): &(), fixed: &GenericNotificationAcknowledgement) -> bool {
        Some(fixed.home_address) == self.home_address
    }

    fn check_answer(
        &self,
        _: &Sending<()>,
        fixed: &GenericNotificationAcknowledgement,
        extensions: &Extensions<'_>,
    ) -> Result<(), Failure> {
        self.check_signature(fixed, extensions)
    }

    fn check_stray_answer(
        &self,
        _: Ipv4Addr,
        fixed: &GenericNotificationAcknowledgement,
        extensions: &Extensions<'_>,
    ) -> Result<(), Failure> {
        match fixed.direction {
            MessageDirection::HOME_AGENT_TO_MOBILE_NODE => self.check_signature(fixed, extensions),
            // The node may have left the foreign agent that answers.
            MessageDirection::FOREIGN_AGENT_TO_MOBILE_NODE => Ok(()),
            // Ours, which came back to us, or nobody's.
            _ => Err((ViolationReason::BadIdentifier, Spi(0))),
        }
    }

    /// The clock of the home agent is what the association goes by (§4.5.3).
    fn clock(&self, now: Now) -> Now {
        self.corrected(now)
    }
}

impl Refuse for MobileNode {
    fn watch(&mut self) -> (&mut Tally, &mut Violations) {
        (&mut self.tally, &mut self.violations)
    }
}
