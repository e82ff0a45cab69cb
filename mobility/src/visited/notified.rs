//! Notifications that arrive at a foreign agent or a gateway: those for it, and those that it relays
//! (RFC 6098 §4.6.1, §4.6.2).

use std::sync::Arc;

use store::{Counter, Identity, Now, TrailEvent, ViolationReason, Visitor};
use wire::{Code, GenericNotification, Identification, MessageDirection, Spi, extension_type};

use super::Visited;
use crate::action::{Action, Output, Received};
use crate::association::SecurityAssociation;
use crate::extensions::Extensions;
use crate::notification::message::{About, acknowledgement};
use crate::notification::{Heard, Opened, open};
use crate::trails::plain;

/// Takes notifications about its visitors, and passes on those that are for others.
pub(crate) trait Receives: Visited {
    fn take_notification_message(&mut self, received: &Received<'_>, now: Now) -> Output {
        let source = *received.source.ip();
        if !self.parts().limiter.allows(source, now.uptime) {
            return self.discard(Counter::DatagramsRateLimited);
        }
        let opened = match open(received.octets) {
            Ok(opened) => opened,
            Err(error) => return self.malformed(&error),
        };
        self.parts().tally.count(Counter::NotificationsReceived);
        let (fixed, extensions) = (&opened.fixed, &opened.extensions);
        if extensions.not_for_notifications {
            return self.discard(Counter::NotificationsDiscarded);
        }
        let (about, identification) = (About::of(fixed), fixed.identification);
        match fixed.direction {
            MessageDirection::HOME_AGENT_TO_MOBILE_NODE => {
                self.relay_to_node(about, identification, extensions, received, now)
            }
            MessageDirection::MOBILE_NODE_TO_HOME_AGENT => {
                self.relay_to_home_agent(about, identification, extensions, received, now)
            }
            MessageDirection::HOME_AGENT_TO_FOREIGN_AGENT => {
                let peer = Identity::Address(source);
                self.on_word_for_us(&opened, &peer, received, now)
            }
            MessageDirection::MOBILE_NODE_TO_FOREIGN_AGENT => {
                let visitor = self.notified_visitor(about).filter(|it| it.source.ip() == &source);
                let peer = visitor.map(|visitor| visitor.identity.clone());
                let peer = peer.unwrap_or(Identity::Address(fixed.home_address));
                self.on_word_for_us(&opened, &peer, received, now)
            }
            // A foreign agent's own, which came back to us, or none that there is.
            direction => {
                let reason = if matches!(direction.0, 4 | 5) {
                    ViolationReason::BadIdentifier
                } else {
                    ViolationReason::Other
                };
                self.refuse_notification(source, identification, (reason, Spi(0)), now)
            }
        }
    }

    /// The visitor that a message names; none if there are several, which it cannot tell apart.
    fn notified_visitor(&self, about: About) -> Option<Arc<Visitor>> {
        let visitors = self.visitors().with_home(about.home_address);
        let mut fitting = visitors.filter(|visitor| {
            let is_leaving = visitor.regional.as_ref().is_some_and(|it| it.revoking.is_some());
            visitor.home_agent == about.home_agent
                && visitor.care_of_address == about.care_of_address
                && !is_leaving
        });
        let first = fitting.next()?;
        fitting.next().is_none().then(|| Arc::clone(first))
    }

    /// Where a message between the two goes on to, and how much of it: up to and with what they
    /// authenticate to each other. `is_sender` knows who of a visitor sends it.
    fn relayed(
        &self,
        about: About,
        extensions: &Extensions<'_>,
        is_sender: impl FnOnce(&Visitor) -> bool,
    ) -> Relayed {
        let end = extensions.mobile_home_end();
        match self.notified_visitor(about) {
            // Who is not there, or not told apart, has nothing to hear or to say here.
            None => Relayed::Nowhere,
            Some(_) if !self.is_notifying() => Relayed::Nowhere,
            Some(visitor) if !is_sender(&visitor) => Relayed::Offends(ViolationReason::Other),
            Some(_) if end == 0 => Relayed::Offends(ViolationReason::MissingSecurityExtension),
            Some(visitor) => Relayed::On(visitor, end),
        }
    }

    /// What a home agent has for a mobile node goes on octet for octet, up to and with what the
    /// node authenticates; what follows is for us (§4.6.1).
    ///
    /// A reading: an invalid Foreign-Home authentication does not keep us from relaying, as the
    /// text says, because we use nothing of what it protects; but it is a violation.
    fn relay_to_node(
        &mut self,
        about: About,
        identification: Identification,
        extensions: &Extensions<'_>,
        received: &Received<'_>,
        now: Now,
    ) -> Output {
        let source = *received.source.ip();
        let (visitor, end) = match self.relayed(about, extensions, |it| it.home_agent == source) {
            Relayed::On(visitor, end) => (visitor, end),
            Relayed::Nowhere => return self.discard(Counter::NotificationsDiscarded),
            Relayed::Offends(reason) => {
                let failure = (reason, Spi(0));
                return self.refuse_notification(source, identification, failure, now);
            }
        };
        if !extensions.foreign_home.is_empty() {
            let list = &extensions.foreign_home;
            let known = self.associations().authenticate(list, &Identity::Address(source));
            if let Err(failure) = known {
                self.note_offence(source, identification, failure, now);
            }
        }
        let mut octets = received.octets.get(..end).unwrap_or_default().to_vec();
        if let Some(association) = self.associations().with(&visitor.identity).next() {
            association.sign(&mut octets, extension_type::MOBILE_FOREIGN_AUTHENTICATION);
        }
        self.parts().tally.count(Counter::NotificationsRelayed);
        Output::at_once(vec![self.to_node(&visitor, octets)])
    }

    /// What a mobile node has for its home agent (§4.6.1, §4.6.4).
    ///
    /// A reading: where there is an association with the node its authentication has to be there,
    /// as with requests (RFC 5944 §3.7.2.1).
    fn relay_to_home_agent(
        &mut self,
        about: About,
        identification: Identification,
        extensions: &Extensions<'_>,
        received: &Received<'_>,
        now: Now,
    ) -> Output {
        let source = *received.source.ip();
        let is_its = |it: &Visitor| self.reached_at(it) == source;
        let (visitor, end) = match self.relayed(about, extensions, is_its) {
            Relayed::On(visitor, end) => (visitor, end),
            Relayed::Nowhere => return self.discard(Counter::NotificationsDiscarded),
            Relayed::Offends(reason) => {
                let failure = (reason, Spi(0));
                return self.refuse_notification(source, identification, failure, now);
            }
        };
        let identity = &visitor.identity;
        if self.associations().with(identity).next().is_some() {
            let list = &extensions.mobile_foreign;
            if let Err(failure) = self.associations().authenticate(list, identity) {
                return self.refuse_notification(source, identification, failure, now);
            }
        }
        let mut octets = received.octets.get(..end).unwrap_or_default().to_vec();
        let home_agent = Identity::Address(visitor.home_agent);
        if let Some(association) = self.associations().with(&home_agent).next() {
            association.sign(&mut octets, extension_type::FOREIGN_HOME_AUTHENTICATION);
        }
        self.parts().tally.count(Counter::NotificationsRelayed);
        Output::at_once(vec![self.to_home_agent(&visitor, octets)])
    }

    /// A notification that ends here, of the home agent or mobile node that `peer` names.
    fn on_word_for_us(
        &mut self,
        opened: &Opened<'_>,
        peer: &Identity,
        received: &Received<'_>,
        now: Now,
    ) -> Output {
        let fixed = &opened.fixed;
        let source = *received.source.ip();
        let is_of_home_agent = fixed.direction == MessageDirection::HOME_AGENT_TO_FOREIGN_AGENT;
        let (list, failed) = if is_of_home_agent {
            (&opened.extensions.foreign_home, Code(68))
        } else {
            (&opened.extensions.mobile_foreign, Code(67))
        };
        let signer = self.associations().authenticate(list, peer);
        let (signer, failure) = match signer {
            Ok(signer) if self.parts().heard.is_fresh(peer, fixed.identification, &signer, now) => {
                (Some(signer), None)
            }
            Ok(signer) => {
                let spi = signer.spi;
                (Some(signer), Some((Code(69), (ViolationReason::BadIdentifier, spi))))
            }
            Err(failure) => {
                let likely = self.associations().with(peer).next().cloned();
                (likely, Some((failed, failure)))
            }
        };
        if let Some((code, failure)) = failure {
            let is_allowed = fixed.wants_acknowledgement()
                && signer.is_some()
                && self.parts().refusals.allows(source, now.uptime);
            let signer = signer.filter(|_| is_allowed);
            let stamp = Heard::mismatch(fixed.identification, now);
            let answer =
                signer.map(|it| self.answer_notification(fixed, code, stamp, &it, received));
            self.refuse_notification(source, fixed.identification, failure, now);
            return Output::at_once(answer.into_iter().collect());
        }
        let Some(signer) = signer else { return Output::default() };
        self.parts().heard.accept(peer, fixed.identification, now);
        self.take_notification(opened, &signer, received, now)
    }

    fn take_notification(
        &mut self,
        opened: &Opened<'_>,
        signer: &Arc<SecurityAssociation>,
        received: &Received<'_>,
        now: Now,
    ) -> Output {
        let fixed = &opened.fixed;
        let visitor = self.notified_visitor(About::of(fixed));
        let is_accepted = self.is_notifying();
        if let Some(visitor) = visitor.filter(|_| is_accepted) {
            let event = TrailEvent {
                peer: Some(received.source),
                care_of_address: Some(visitor.care_of_address),
                spi: Some(signer.spi),
                ..plain(format!("notified: {}", opened.text()), now.stamp())
            };
            self.parts().trails.record(&visitor.identity, event);
        } else if !is_accepted {
            self.parts().tally.count(Counter::NotificationsDiscarded);
        }
        if !fixed.wants_acknowledgement() {
            return Output::default();
        }
        let code = if is_accepted { Code(0) } else { Code(65) };
        let stamp = fixed.identification;
        Output::at_once(vec![self.answer_notification(fixed, code, stamp, signer, received)])
    }

    fn answer_notification(
        &mut self,
        fixed: &GenericNotification,
        code: Code,
        identification: Identification,
        signer: &Arc<SecurityAssociation>,
        received: &Received<'_>,
    ) -> Action {
        let mut octets = acknowledgement(fixed, code, identification);
        let is_of_home_agent = fixed.direction == MessageDirection::HOME_AGENT_TO_FOREIGN_AGENT;
        signer.sign(
            &mut octets,
            if is_of_home_agent {
                extension_type::FOREIGN_HOME_AUTHENTICATION
            } else {
                extension_type::MOBILE_FOREIGN_AUTHENTICATION
            },
        );
        self.parts().tally.count(Counter::NotificationAcknowledgementsSent);
        let (from, to) = (received.local, received.source);
        match received.interface {
            Some(interface) if !is_of_home_agent => {
                Action::SendOnLink { interface, from, to, octets }
            }
            _ => Action::Send { from, to, octets },
        }
    }
}

impl<T: Visited> Receives for T {}

/// What becomes of a message between a home agent and a mobile node.
pub(crate) enum Relayed {
    /// It goes on, as many octets of it.
    On(Arc<Visitor>, usize),
    Nowhere,
    Offends(ViolationReason),
}
