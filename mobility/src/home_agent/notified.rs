//! Notifications that mobile nodes and foreign agents send us (RFC 6098 §4.7.3, §4.7.4).

use std::net::Ipv4Addr;
use std::sync::Arc;

use store::{Binding, Counter, Identity, Now, TrailEvent, ViolationReason};
use wire::{Code, GenericNotification, Identification, MessageDirection, Spi, extension_type};

use super::HomeAgent;
use crate::action::{Action, Output, Received};
use crate::association::{SecurityAssociation, Signers};
use crate::notification::message::acknowledgement;
use crate::notification::{Heard, Opened, open};
use crate::refusal::Refuse as _;
use crate::trails::plain;

impl HomeAgent {
    pub(super) fn on_notification(&mut self, received: &Received<'_>, now: Now) -> Output {
        let source = *received.source.ip();
        if !self.limiter.allows(source, now.uptime) {
            self.tally.count(Counter::DatagramsRateLimited);
            return Output::default();
        }
        let opened = match open(received.octets) {
            Ok(opened) => opened,
            Err(error) => return self.malformed(&error),
        };
        self.tally.count(Counter::NotificationsReceived);
        if opened.extensions.not_for_notifications {
            // §4.7.3: what is not permitted in it makes it silently discarded.
            return self.discard(Counter::NotificationsDiscarded);
        }
        let bindings = self.notified_bindings(&opened.fixed, source);
        match opened.fixed.direction {
            MessageDirection::MOBILE_NODE_TO_HOME_AGENT => {
                self.on_word_of_mobile_node(&opened, &bindings, received, now)
            }
            MessageDirection::FOREIGN_AGENT_TO_HOME_AGENT => {
                self.on_word_of_foreign_agent(&opened, &bindings, received, now)
            }
            // A home agent's own, which came back to us, or none that there is.
            direction => {
                let reason = if direction.0 < 2 {
                    ViolationReason::BadIdentifier
                } else {
                    ViolationReason::Other
                };
                let identification = opened.fixed.identification;
                self.refuse_notification(source, identification, (reason, Spi(0)), now)
            }
        }
    }

    /// The bindings that a notification may be about: it names home address and care-of address,
    /// and comes from where the last registration came from.
    fn notified_bindings(
        &self,
        fixed: &GenericNotification,
        source: Ipv4Addr,
    ) -> Vec<Arc<Binding>> {
        if fixed.home_agent != self.config.address {
            return Vec::new();
        }
        let identities: Vec<Identity> = self.state.bound_to(fixed.home_address).collect();
        let bindings = identities.iter().flat_map(|identity| self.state.bindings(identity));
        let fitting = bindings.filter(|binding| {
            binding.home_address == fixed.home_address
                && binding.care_of_address == fixed.care_of_address
                && *binding.source.ip() == source
        });
        fitting.cloned().collect()
    }

    fn on_word_of_mobile_node(
        &mut self,
        opened: &Opened<'_>,
        bindings: &[Arc<Binding>],
        received: &Received<'_>,
        now: Now,
    ) -> Output {
        let fixed = &opened.fixed;
        let source = *received.source.ip();
        let list = &opened.extensions.mobile_home;
        // Nodes may share a home address: the key says which of them it is.
        let signed = bindings.iter().find_map(|binding| {
            Some((binding, self.associations.authenticate(list, &binding.identity()).ok()?))
        });
        let Some((binding, key)) = signed else {
            return self.reject_stranger(opened, bindings, received, now);
        };
        let (binding, identity) = (Arc::clone(binding), binding.identity());
        let signers = self.answer_signers(&binding, &key);
        let refuse = |home_agent: &mut Self, code, failure| {
            let identification = Heard::mismatch(fixed.identification, now);
            let answer = home_agent.denial(fixed, code, identification, &signers, received, now);
            home_agent.refuse_notification(source, fixed.identification, failure, now);
            Output::at_once(answer.into_iter().collect())
        };
        let between_agents = &opened.extensions.foreign_home;
        if let Some(agent) = binding.foreign_agent
            && !between_agents.is_empty()
            && let Err(failure) =
                self.associations.authenticate(between_agents, &Identity::Address(agent))
        {
            return refuse(self, Code(132), failure);
        }
        if !self.heard.is_fresh(&identity, fixed.identification, &key, now) {
            return refuse(self, Code(133), (ViolationReason::BadIdentifier, key.spi));
        }
        self.take_notification(opened, &identity, &binding, &signers, received, now)
    }

    fn on_word_of_foreign_agent(
        &mut self,
        opened: &Opened<'_>,
        bindings: &[Arc<Binding>],
        received: &Received<'_>,
        now: Now,
    ) -> Output {
        let fixed = &opened.fixed;
        let source = *received.source.ip();
        let kind = extension_type::FOREIGN_HOME_AUTHENTICATION;
        let sender = Identity::Address(source);
        let list = &opened.extensions.foreign_home;
        let signer = match self.associations.authenticate(list, &sender) {
            Ok(signer) => signer,
            Err(failure) => {
                let likely = self.associations.with(&sender).next();
                let signers: Signers =
                    likely.map(|it| (kind, Arc::clone(it))).into_iter().collect();
                let stamp = Heard::mismatch(fixed.identification, now);
                let answer = self.denial(fixed, Code(132), stamp, &signers, received, now);
                self.refuse_notification(source, fixed.identification, failure, now);
                return Output::at_once(answer.into_iter().collect());
            }
        };
        let signers = vec![(kind, Arc::clone(&signer))];
        if !self.heard.is_fresh(&sender, fixed.identification, &signer, now) {
            let stamp = Heard::mismatch(fixed.identification, now);
            let answer = self.denial(fixed, Code(133), stamp, &signers, received, now);
            let failure = (ViolationReason::BadIdentifier, signer.spi);
            self.refuse_notification(source, fixed.identification, failure, now);
            return Output::at_once(answer.into_iter().collect());
        }
        let binding = bindings.iter().find(|binding| binding.foreign_agent == Some(source));
        let Some(binding) = binding.cloned() else {
            // §4.7: without a registration it is dropped.
            self.tally.count(Counter::NotificationsDiscarded);
            return Output::default();
        };
        self.take_notification(opened, &sender, &binding, &signers, received, now)
    }

    /// No key of a node that it may be about fits.
    fn reject_stranger(
        &mut self,
        opened: &Opened<'_>,
        bindings: &[Arc<Binding>],
        received: &Received<'_>,
        now: Now,
    ) -> Output {
        let fixed = &opened.fixed;
        let source = *received.source.ip();
        let list = &opened.extensions.mobile_home;
        let (answer, failure) = match bindings.first() {
            Some(binding) => {
                let failure = self.associations.authenticate(list, &binding.identity()).err();
                let likely = self.associations.get(&binding.identity(), binding.spi).cloned();
                let signers = likely.map(|it| self.answer_signers(binding, &it));
                let stamp = Heard::mismatch(fixed.identification, now);
                let signers = signers.unwrap_or_default();
                let answer = self.denial(fixed, Code(131), stamp, &signers, received, now);
                (answer, failure.unwrap_or((ViolationReason::BadAuthenticator, Spi(0))))
            }
            None => (None, (ViolationReason::NoMobilitySecurityAssociation, Spi(0))),
        };
        self.refuse_notification(source, fixed.identification, failure, now);
        Output::at_once(answer.into_iter().collect())
    }

    /// §4.7.4: the Mobile-Home authentication, and that for the foreign agent on the way.
    ///
    /// A reading: the text names the Mobile-Foreign authentication for it, which a home agent has
    /// no key for; §7 demands the Foreign-Home one between the two.
    fn answer_signers(&self, binding: &Binding, signer: &Arc<SecurityAssociation>) -> Signers {
        let of_node = (extension_type::MOBILE_HOME_AUTHENTICATION, Arc::clone(signer));
        let agent = binding.foreign_agent.map(Identity::Address);
        let agent = agent.and_then(|agent| self.associations.with(&agent).next().cloned());
        let between = agent.map(|it| (extension_type::FOREIGN_HOME_AUTHENTICATION, it));
        std::iter::once(of_node).chain(between).collect()
    }

    /// An authentic and fresh notification: it is noted, and has no effect on the binding (§1).
    fn take_notification(
        &mut self,
        opened: &Opened<'_>,
        sender: &Identity,
        binding: &Binding,
        signers: &Signers,
        received: &Received<'_>,
        now: Now,
    ) -> Output {
        let fixed = &opened.fixed;
        self.heard.accept(sender, fixed.identification, now);
        let is_accepted = self.config.notification.enabled;
        if is_accepted {
            let event = TrailEvent {
                peer: Some(received.source),
                care_of_address: Some(binding.care_of_address),
                spi: signers.first().map(|(_, signer)| signer.spi),
                ..plain(format!("notified: {}", opened.text()), now.stamp())
            };
            self.trails.record(&binding.identity(), event);
        } else {
            self.tally.count(Counter::NotificationsDiscarded);
        }
        if !fixed.wants_acknowledgement() {
            return Output::default();
        }
        let code = if is_accepted { Code(0) } else { Code(129) };
        let answer = self.answer(fixed, code, fixed.identification, signers, received);
        Output::at_once(vec![answer])
    }

    /// An answer to who failed a check; none without a key to sign it with, and no more than one a
    /// second to the same address.
    fn denial(
        &mut self,
        fixed: &GenericNotification,
        code: Code,
        identification: Identification,
        signers: &Signers,
        received: &Received<'_>,
        now: Now,
    ) -> Option<Action> {
        let is_wanted = fixed.wants_acknowledgement() && !signers.is_empty();
        let is_allowed = is_wanted && self.refusals.allows(*received.source.ip(), now.uptime);
        is_allowed.then(|| self.answer(fixed, code, identification, signers, received))
    }

    fn answer(
        &mut self,
        fixed: &GenericNotification,
        code: Code,
        identification: Identification,
        signers: &Signers,
        received: &Received<'_>,
    ) -> Action {
        let mut octets = acknowledgement(fixed, code, identification);
        for (kind, signer) in signers {
            signer.sign(&mut octets, *kind);
        }
        self.tally.count(Counter::NotificationAcknowledgementsSent);
        Action::Send { from: self.answer_source(received.local), to: received.source, octets }
    }
}
