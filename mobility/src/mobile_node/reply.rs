//! Registration Replies at a mobile node (RFC 5944 §3.6.2).

use std::net::{Ipv4Addr, SocketAddrV4};

use store::{Counter, Identity, Now, ReplayProtection, ViolationReason};
use wire::{Code, Lifetime, MessageString, ParseError, RegistrationReply, Spi, message_type};

use super::regional::Route;
use super::{MobileNode, Pending, RESYNCHRONISATIONS, Wish};
use crate::action::{Action, Output, Received};
use crate::extensions::Extensions;
use crate::notification::Heard;
use crate::violations::Offence;

impl MobileNode {
    /// Takes a datagram of the port that the node sends from.
    pub fn on_datagram(&mut self, received: &Received<'_>, now: Now) -> Output {
        self.tally.count(Counter::DatagramsReceived);
        match message_type(received.octets) {
            Some(message_type::REGISTRATION_REVOCATION) => self.on_revocation(received, now),
            Some(message_type::GENERIC_NOTIFICATION) => self.on_notification(received, now),
            Some(message_type::GENERIC_NOTIFICATION_ACKNOWLEDGMENT) => {
                self.on_notification_acknowledgement(received, now)
            }
            Some(message_type::REGIONAL_REGISTRATION_REPLY) => {
                self.on_regional_reply(received, now)
            }
            _ => self.on_reply(received, now),
        }
    }

    fn on_reply(&mut self, received: &Received<'_>, now: Now) -> Output {
        let reply = match RegistrationReply::parse(received.octets) {
            Ok((reply, _)) => reply,
            Err(error) => {
                self.tally.count_malformed(&error);
                return Output::default();
            }
        };
        self.tally.count(if reply.lifetime == Lifetime::ZERO {
            Counter::MnDeRegRepliesRecieved
        } else {
            Counter::MnRegRepliesRecieved
        });
        self.tally.count_reply(reply.code);
        let extensions = match Extensions::parse(received.octets, RegistrationReply::LEN) {
            Ok(extensions) => extensions,
            Err(error) => return self.drop_malformed(&error),
        };
        if extensions.skipped > 0 {
            self.tally.count(Counter::MnRepliesIgnoredUnknownExtension);
        }
        if let Err(counter) = self.check(&reply, &extensions) {
            self.tally.count(counter);
            let failures = [
                Counter::MnRepliesHAAuthenticationFailure,
                Counter::MnRepliesFAAuthenticationFailure,
            ];
            if failures.contains(&counter) {
                self.note_violation(&reply, &extensions, counter, received, now);
            }
            return Output::default();
        }
        let Some(pending) = self.pending.take() else { return Output::default() };
        if pending.route != Route::Plain && !extensions.mobile_foreign.is_empty() {
            self.heard_of_gateway();
        }
        let mut actions = self.take_reply(&reply, &extensions, &pending, now);
        if let Some(registration) = &mut self.registration {
            registration.revocable_since = extensions.revocation_covered.map(|it| it.timestamp);
        }
        if reply.code == Code(143) {
            actions.extend(self.redirected(extensions.redirected_to, now));
        }
        actions.extend(self.take_texts(&reply, &extensions, now));
        Output::at_once(actions)
    }

    /// The texts of a reply (RFC 4917 §4): those of the home agent that its authentication covers,
    /// and those of the foreign agent.
    fn take_texts(
        &mut self,
        reply: &RegistrationReply,
        extensions: &Extensions<'_>,
        now: Now,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        let by_home_agent = !is_of_foreign_agent(reply.code);
        for (from, text, is_covered) in &extensions.messages {
            match (*from, self.agent_identity()) {
                (MessageString::FROM_HOME_AGENT, _) if by_home_agent && *is_covered => {
                    actions.push(self.show(reply.home_agent, text, now));
                    self.on_shutdown_notice(reply.home_agent, text, now);
                }
                (MessageString::FROM_FOREIGN_AGENT, Some(Identity::Address(agent)))
                    if !(by_home_agent && *is_covered) =>
                {
                    actions.push(self.show(agent, text, now));
                }
                _ => {} // Nobody vouches for it.
            }
        }
        actions
    }

    /// RFC 4433 §5.1: the home agent names another, which the node asks next.
    fn redirected(&mut self, home_agent: Option<Ipv4Addr>, now: Now) -> Option<Action> {
        let home_agent = home_agent.filter(|it| {
            !(it.is_unspecified() || it.is_broadcast() || it.is_multicast())
                && it != self.home_agent.ip()
        })?;
        self.home_agent = SocketAddrV4::new(home_agent, self.home_agent.port());
        self.send_at = Some(self.earliest(now));
        Some(Action::HomeAgentChanged { home_agent })
    }

    /// §3.6.2.1: what fails authentication is a security exception.
    fn note_violation(
        &mut self,
        reply: &RegistrationReply,
        extensions: &Extensions<'_>,
        counter: Counter,
        received: &Received<'_>,
        now: Now,
    ) {
        self.tally.count(Counter::MipSecTotalViolations);
        let address = *received.source.ip();
        let (violator, list) = match (counter, self.agent_identity()) {
            (Counter::MnRepliesFAAuthenticationFailure, Some(agent)) => {
                (agent, &extensions.mobile_foreign)
            }
            _ => (Identity::Address(*self.home_agent.ip()), &extensions.mobile_home),
        };
        let reason = if list.is_empty() {
            ViolationReason::MissingSecurityExtension
        } else {
            ViolationReason::BadAuthenticator
        };
        let spi = list.first().map_or(Spi(0), |it| it.spi);
        let identification = reply.identification;
        let offence = Offence { violator, address, spi, identification, reason, code: None };
        self.violations.record(offence, now);
    }

    fn drop_malformed(&mut self, _error: &ParseError) -> Output {
        self.tally.count(Counter::MnRepliesDroppedInvalidExtension);
        Output::default()
    }

    /// The validity checks of §3.6.2.1; an error is the counter of a reply to be discarded.
    fn check(&self, reply: &RegistrationReply, extensions: &Extensions<'_>) -> Result<(), Counter> {
        let Some(pending) = &self.pending else {
            return Err(Counter::MnRepliesInvalidID);
        };
        let request = &pending.request;
        if reply.identification.low() != request.identification.low() {
            return Err(Counter::MnRepliesInvalidID);
        }
        let assigned = request.home_address.is_unspecified();
        if !assigned && reply.home_address != request.home_address
            || assigned && reply.code.is_accepted() && reply.home_address.is_unspecified()
        {
            return Err(Counter::MnRepliesInvalidHomeAddress);
        }
        if !self.is_discovering() && reply.home_agent != request.home_agent {
            return Err(Counter::MnRepliesUnknownHA);
        }
        match pending.route {
            Route::Plain => self.check_foreign_agent(reply, extensions)?,
            route => self.check_gateway(route, reply, extensions)?,
        }
        if is_of_foreign_agent(reply.code) {
            return Ok(());
        }
        // b: exactly one Mobile-Home authentication, and a valid one.
        let authentic = match extensions.mobile_home.as_slice() {
            [only] => self.associations.iter().any(|association| association.verifies(only)),
            _ => false,
        };
        if authentic { Ok(()) } else { Err(Counter::MnRepliesHAAuthenticationFailure) }
    }

    /// §3.6.2.1 a: exactly one valid Mobile-Foreign authentication, if there is an association.
    fn check_foreign_agent(
        &self,
        reply: &RegistrationReply,
        extensions: &Extensions<'_>,
    ) -> Result<(), Counter> {
        let Some(agent) = self.agent_identity() else {
            // Only a foreign agent sends these, and the node has none: it registers directly.
            let unknown = is_of_foreign_agent(reply.code);
            return if unknown { Err(Counter::MnRepliesUnknownFA) } else { Ok(()) };
        };
        let mut associations = self.associations.iter().filter(|it| it.peer == agent).peekable();
        if associations.peek().is_none() {
            return Ok(());
        }
        let authentic = match extensions.mobile_foreign.as_slice() {
            [only] => associations.any(|association| association.verifies(only)),
            _ => false,
        };
        if authentic { Ok(()) } else { Err(Counter::MnRepliesFAAuthenticationFailure) }
    }

    /// Acts on an authentic reply to the last request.
    fn take_reply(
        &mut self,
        reply: &RegistrationReply,
        extensions: &Extensions<'_>,
        pending: &Pending,
        now: Now,
    ) -> Vec<Action> {
        let nonces = self.home_association().map(|it| it.replay) == Some(ReplayProtection::Nonces);
        self.is_row_stale = true;
        if is_of_foreign_agent(reply.code) {
            self.tally.count(Counter::MnRegRequestsDeniedByFA);
            if self.is_departing() && reply.code != Code(69) {
                return Self::denied(reply.code).into_iter().chain(self.fall_back(now)).collect();
            }
            if pending.route != Route::Plain {
                return self.denied_in_region(reply, extensions, pending, now);
            }
            return self.denied_by_foreign_agent(reply, now);
        }
        if nonces {
            // §5.7.2: every reply brings the nonce of the next request.
            self.clock.take_nonce(reply.identification);
        }
        if reply.code.is_accepted() {
            return self.accepted(reply, extensions, pending, now);
        }
        self.tally.count(Counter::MnRegRequestsDeniedByHA);
        let is_mendable = reply.code == Code(133) && self.resynchronisations < RESYNCHRONISATIONS;
        if self.is_departing() && !is_mendable {
            return Self::denied(reply.code).into_iter().chain(self.fall_back(now)).collect();
        }
        match reply.code {
            Code(133) => {
                self.tally.count(Counter::MnRegRequestsDeniedByHADueToID);
                if !nonces {
                    self.clock.correct(reply.identification, now);
                    self.heard = Heard::new(self.corrected(now));
                }
                self.resynchronisations += 1;
                if self.resynchronisations > RESYNCHRONISATIONS {
                    self.hold_off(now);
                } else {
                    self.send_at = Some(self.earliest(now));
                }
            }
            Code(136) if self.is_discovering() && is_unicast(reply) => {
                // §3.6.2.3: the home agent has made itself known.
                self.home_agent = SocketAddrV4::new(reply.home_agent, self.home_agent.port());
                self.send_at = Some(self.earliest(now));
            }
            // RFC 4857 §7.4: the home agent takes no gateway that a region assigns.
            Code(145 | 146) if matches!(pending.route, Route::Assigned(_)) => {
                let mut actions = Self::denied(reply.code);
                actions.extend(self.fail_gateway(Ipv4Addr::BROADCAST, Some(reply.code), now));
                return actions;
            }
            _ if self.wish == Some(Wish::Deregistered) => self.settle_deregistration(),
            _ if self.is_leaving => self.settle_leaving(now),
            Code(129) if self.config.home_address.is_none() => {
                // The assigned home address is not served any more: ask for another.
                self.home_address = None;
                self.hold_off(now);
            }
            _ => self.ask_another(now),
        }
        Self::denied(reply.code)
    }

    /// §3.6.2.3: Code 69 says which lifetime would do; after others the node waits.
    pub(super) fn denied_by_foreign_agent(
        &mut self,
        reply: &RegistrationReply,
        now: Now,
    ) -> Vec<Action> {
        if reply.code == Code(69)
            && reply.lifetime != Lifetime::ZERO
            && reply.lifetime < self.lifetime
        {
            self.lifetime = reply.lifetime;
            self.send_at = Some(self.earliest(now));
        } else if matches!(reply.code, Code(80..=95)) {
            self.ask_another(now); // The home network or the home agent cannot be reached.
        } else {
            self.hold_off(now);
        }
        Self::denied(reply.code)
    }

    /// §3.6.2.2: the home agent accepted the request.
    fn accepted(
        &mut self,
        reply: &RegistrationReply,
        extensions: &Extensions<'_>,
        pending: &Pending,
        now: Now,
    ) -> Vec<Action> {
        self.tally.count(Counter::MnRegRequestsAccepted);
        self.resynchronisations = 0;
        self.asked = 0;
        self.hold_off = self.config.hold_off;
        if self.home_address != Some(reply.home_address) {
            self.home_address = Some(reply.home_address);
            self.tally.set_address(reply.home_address);
            self.operations.set_address(reply.home_address);
        }
        // §3.4: the smaller of what was asked for and what was granted.
        let lifetime = reply.lifetime.min(pending.request.lifetime);
        if lifetime == Lifetime::ZERO {
            self.forget_visit("left-region", now);
            self.registration = None;
            self.settle_deregistration();
            self.settle_leaving(now);
            return vec![Action::Deregistered { home_address: reply.home_address }];
        }
        self.arrived();
        let gateway = pending.route.gateway(extensions);
        let care_of_address = gateway.unwrap_or(pending.request.care_of_address);
        self.registration = Some(self.granted(lifetime, care_of_address, pending));
        self.settle_region(pending, lifetime, extensions, now);
        vec![Action::Registered {
            home_address: reply.home_address,
            home_agent: reply.home_agent,
            care_of_address,
            lifetime,
            code: reply.code,
        }]
    }
}

/// Whether a foreign agent made the reply; the RFC prints 194 for what IANA numbered 116.
pub(super) fn is_of_foreign_agent(code: Code) -> bool {
    matches!(code, Code(64..=127 | 194))
}

fn is_unicast(reply: &RegistrationReply) -> bool {
    let address = reply.home_agent;
    !(address.is_unspecified() || address.is_broadcast() || address.is_multicast())
}
