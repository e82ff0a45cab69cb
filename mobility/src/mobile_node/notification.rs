//! Notifications that a mobile node gets and sends (RFC 6098 §4.5).

use std::net::{Ipv4Addr, SocketAddrV4};

use store::{Counter, Identity, Now, Time, UserMessage, ViolationReason};
use wire::{
    Code, GenericNotification, GenericNotificationAcknowledgement, Identification,
    MessageDirection, Spi, extension_type,
};

use super::discovery::Attachment;
use super::{MobileNode, Wish};
use crate::action::{Action, Output, Received};
use crate::association::SecurityAssociation;
use crate::clock;
use crate::extensions::read;
use crate::notification::message::{About, acknowledgement, back, notification};
use crate::notification::{Heard, NotificationId, Opened, SPACING, Sending, open};
use crate::violations::Offence;

/// How many notifications of its own may wait for their answers.
const OUTSTANDING_MAX: usize = 8;

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
        let is_attached = self.agent_identity().is_some();
        let direction = match receiver {
            NotificationReceiver::HomeAgent => MessageDirection::MOBILE_NODE_TO_HOME_AGENT,
            NotificationReceiver::ForeignAgent if is_attached => {
                MessageDirection::MOBILE_NODE_TO_FOREIGN_AGENT
            }
            NotificationReceiver::ForeignAgent => return Output::default(),
        };
        let is_possible = self.config.notification.enabled
            && self.registration.is_some()
            && self.notifications.len() < OUTSTANDING_MAX;
        if !is_possible {
            return Output::default();
        }
        let peer = *self.destination().ip();
        let id = self.notifications.insert(Sending::new((), direction, text.to_owned(), peer));
        let at = self.notifications.earliest(&(), now.uptime);
        self.notifications.arm(id, at);
        Output::at_once(self.notification_work(now))
    }

    /// Repeats what is due, or gives up.
    pub(super) fn notification_work(&mut self, now: Now) -> Vec<Action> {
        let mut actions = Vec::new();
        while let Some(id) = self.notifications.due(now.uptime) {
            let Some(sent) = self.notifications.get(id).map(|it| it.sent) else { continue };
            let earliest = self.notifications.earliest(&(), now.uptime);
            if sending_is_over(sent, self.config.notification.attempts_max) {
                self.tally.count(Counter::NotificationsTimedOut);
                self.notifications.remove(id);
                actions.push(Action::NotificationEnded { code: None });
            } else if earliest > now.uptime {
                self.notifications.arm(id, earliest);
            } else {
                actions.extend(self.send_notification(id, now));
            }
        }
        actions
    }

    pub(super) fn notification_deadline(&self) -> Option<Time> {
        self.notifications.first_deadline()
    }

    fn send_notification(&mut self, id: NotificationId, now: Now) -> Option<Action> {
        let sending = self.notifications.get(id)?;
        let (direction, text, is_first) =
            (sending.direction, sending.text.clone(), sending.sent == 0);
        let registration = self.registration?;
        let about = About {
            home_address: self.home_address?,
            home_agent: registration.home_agent,
            care_of_address: registration.care_of_address,
        };
        let signers = self.notification_signers(direction)?;
        // The clock of the home agent is what its association goes by (§4.5.3).
        let corrected = self.corrected(now);
        let (stamps, random) = (&mut self.stamps, &mut self.random);
        let identification =
            self.notifications.next_identification(id, stamps, random, corrected)?;
        let mut octets = notification(direction, about, identification, &text);
        for (kind, signer) in signers {
            signer.sign(&mut octets, kind);
        }
        self.tally.count(if is_first {
            Counter::NotificationsSent
        } else {
            Counter::NotificationsRetried
        });
        let sent = self.notifications.get(id)?.sent;
        self.notifications.arm(id, now.uptime + self.config.notification.wait(sent));
        Some(self.send_off(self.source(), self.destination(), octets))
    }

    /// What a message with that direction is authenticated with, in the order of §4.5.3.
    fn notification_signers(
        &self,
        direction: MessageDirection,
    ) -> Option<Vec<(u8, SecurityAssociation)>> {
        let agent = self.agent_identity();
        let of_agent = self.associations.iter().find(|it| Some(&it.peer) == agent.as_ref());
        let of_agent =
            of_agent.map(|it| (extension_type::MOBILE_FOREIGN_AUTHENTICATION, it.clone()));
        if direction == MessageDirection::MOBILE_NODE_TO_FOREIGN_AGENT {
            return of_agent.map(|it| vec![it]);
        }
        let of_home = self.home_association()?.clone();
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
            Err(error) => {
                self.tally.count_malformed(&error);
                return Output::default();
            }
        };
        self.tally.count(Counter::NotificationsReceived);
        let fixed = &opened.fixed;
        if opened.extensions.not_for_notifications {
            self.tally.count(Counter::NotificationsDiscarded);
            return Output::default();
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
                return self.refuse_notification(source, Spi(0), fixed, reason, now);
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
            return self.deny_notification(&opened, (failed, reason, spi), received, now);
        };
        let peer = Identity::Address(sender);
        if !self.heard.is_fresh(&peer, fixed.identification, &signer, self.corrected(now)) {
            let failure = (Code(197), ViolationReason::BadIdentifier, signer.spi);
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
        let agent = self.agent_identity();
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
        (code, reason, spi): (Code, ViolationReason, Spi),
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
        self.refuse_notification(source, spi, fixed, reason, now);
        Output::at_once(answer.into_iter().collect())
    }

    fn refuse_notification(
        &mut self,
        source: Ipv4Addr,
        spi: Spi,
        fixed: &GenericNotification,
        reason: ViolationReason,
        now: Now,
    ) -> Output {
        self.tally.count(Counter::NotificationsDiscarded);
        self.tally.count(Counter::MipSecTotalViolations);
        let violator = Identity::Address(source);
        let identification = fixed.identification;
        let offence =
            Offence { violator, address: source, spi, identification, reason, code: None };
        self.violations.record(offence, now);
        Output::default()
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
            Err(error) => {
                self.tally.count_malformed(&error);
                return Output::default();
            }
        };
        let source = *received.source.ip();
        let found = self.notifications.answered_by(source, fixed.identification);
        let found = found.and_then(|id| Some((id, self.notifications.get(id)?)));
        let fitting = found.filter(|(_, sending)| {
            back(sending.direction) == fixed.direction
                && Some(fixed.home_address) == self.home_address
        });
        let Some((id, sent)) = fitting.map(|(id, sending)| (id, sending.sent)) else {
            self.tally.count(Counter::NotificationAcknowledgementsUnexpected);
            return Output::default();
        };
        let list = if fixed.direction == MessageDirection::FOREIGN_AGENT_TO_MOBILE_NODE {
            &extensions.mobile_foreign
        } else {
            &extensions.mobile_home
        };
        let is_authentic = match list.as_slice() {
            [only] => self.verifying(only, fixed.direction).is_some(),
            _ => false,
        };
        if !is_authentic || extensions.not_for_notifications {
            self.tally.count(Counter::NotificationsDiscarded);
            self.tally.count(Counter::MipSecTotalViolations);
            return Output::default();
        }
        let is_mismatch = matches!(fixed.code, Code(69 | 133));
        self.notifications.close(id);
        if is_mismatch && !sending_is_over(sent, self.config.notification.attempts_max) {
            let ours = clock::ntp(self.corrected(now).utc).high();
            let ahead = fixed.identification.high().wrapping_sub(ours).cast_signed();
            if let Some(sending) = self.notifications.get_mut(id) {
                sending.ahead = ahead.into();
            }
            self.notifications.arm(id, now.uptime + SPACING);
            return Output::default();
        }
        self.notifications.remove(id);
        self.tally.count(if fixed.code == Code(0) {
            Counter::NotificationsAcknowledged
        } else {
            Counter::NotificationsDenied
        });
        Output::at_once(vec![Action::NotificationEnded { code: Some(fixed.code) }])
    }

    /// Whether the node wants to be registered somewhere.
    pub(super) fn wants_registration(&self) -> bool {
        self.wish == Some(Wish::Registered) && self.attachment != Attachment::Home
    }
}

const fn sending_is_over(sent: u32, attempts_max: u32) -> bool {
    sent >= attempts_max
}
