//! Replies of home agents at a foreign agent (RFC 5944 §3.7.3).

use std::net::SocketAddrV4;
use std::sync::Arc;

use store::{Batch, Counter, Identity, Now, Row, TargetResult, TrailEvent, Unknown, Visitor};
use wire::{Lifetime, MessageString, RegistrationReply, Spi};

use super::denial::ForeignAgentDenial as Denial;
use super::pending::{Pending, is_deregistration};
use super::request::least;
use super::{ForeignAgent, Purpose};
use crate::action::{Action, Output, Received};
use crate::extensions::Extensions;
use crate::notification::message::append_text;
use crate::notification::text_for;
use crate::revocation::Revoker as _;
use crate::trails::plain;

impl ForeignAgent {
    pub(super) fn on_reply(&mut self, received: &Received<'_>, now: Now) -> Output {
        let reply = match RegistrationReply::parse(received.octets) {
            Ok((reply, _)) => reply,
            Err(error) => {
                self.tally.count_malformed(&error);
                return Output::default();
            }
        };
        let extensions = Extensions::parse(received.octets, RegistrationReply::LEN);
        let nai = extensions.as_ref().ok().and_then(|extensions| extensions.nai.as_ref());
        let pending = self.pending.answered_by(&reply, nai, |it| !it.is_regional);
        // §3.8.3.1: home agents answer from where they were asked.
        let expected = |pending: &&Pending| pending.peer() == *received.source.ip();
        let Some(pending) = pending.filter(expected).cloned() else {
            // §3.7.3.1: silently discard what nobody asked for.
            match &extensions {
                Ok(_) => self.tally.count(Counter::DatagramsUnexpected),
                Err(error) => self.tally.count_malformed(error),
            }
            return Output::default();
        };
        let extensions = match extensions {
            Ok(extensions) if !extensions.mobile_home.is_empty() || is_of_foreign_agent(&reply) => {
                extensions
            }
            // What is not well-formed, or not authenticated for the mobile node.
            _ => return self.reject(&pending, Denial::PoorlyFormedReply, None, now),
        };
        self.tally.count(Counter::FaRegRepliesRecieved);
        if extensions.appended.normal {
            self.tally.count(Counter::FaNvsesFromHaIgnored);
        }
        if let Err(denial) = self.check_reply(&reply, &extensions, &pending) {
            let spi = extensions.foreign_home.first().map(|it| it.spi);
            return self.reject(&pending, denial, spi, now);
        }
        self.pending.remove(&pending.identity, pending.request.home_address);
        self.trail_home_agent(&reply, &extensions, &pending, now);
        self.take_reply(&reply, &extensions, &pending, received, now)
    }

    /// §3.7.3.1, and what RFC 2794 §3 asks of replies to requests with an NAI.
    fn check_reply(
        &self,
        reply: &RegistrationReply,
        extensions: &Extensions<'_>,
        pending: &Pending,
    ) -> Result<(), Denial> {
        // The RFC exempts replies with a lifetime of zero; a reply to what we signed has no reason
        // for one, and would end a service, so only deregistrations are exempt here (§3.5.4).
        if pending.signed_for_home_agent {
            let home_agent = Identity::Address(pending.request.home_agent);
            let valid = match extensions.foreign_home.as_slice() {
                [only] => self
                    .associations
                    .get(&home_agent, only.spi)
                    .is_some_and(|association| association.verifies(only)),
                _ => false,
            };
            if !valid {
                return Err(Denial::HomeAgentFailedAuthentication);
            }
        }
        // RFC 3543 §4.2.1: a home agent that does not take part may be unacceptable.
        let unanswered = pending.offer.is_some() && extensions.revocation_appended.is_none();
        if self.config.revocation.is_required && reply.code.is_accepted() && unanswered {
            return Err(Denial::RevocationRequired);
        }
        if extensions.appended.critical {
            return Err(Denial::VendorExtensionFromHomeAgent);
        }
        if pending.nai.is_some() && extensions.nai.is_none() {
            return Err(Denial::MissingNai);
        }
        // A reading: a refusal assigns no home address, so only acceptances must have one.
        if reply.code.is_accepted() && reply.home_agent.is_unspecified() {
            return Err(Denial::MissingHomeAgent);
        }
        if reply.code.is_accepted() && reply.home_address.is_unspecified() {
            return Err(Denial::MissingHomeAddress);
        }
        Ok(())
    }

    /// Whoever rolls the key of a home agent wants to see which SPI it uses.
    fn trail_home_agent(
        &mut self,
        reply: &RegistrationReply,
        extensions: &Extensions<'_>,
        pending: &Pending,
        now: Now,
    ) {
        if !pending.signed_for_home_agent {
            return;
        }
        let home_agent = pending.request.home_agent;
        let event = TrailEvent {
            code: Some(reply.code),
            peer: Some(SocketAddrV4::new(home_agent, self.config.home_agent_port)),
            spi: extensions.foreign_home.first().map(|it| it.spi),
            ..plain("answered", now.stamp())
        };
        self.trails.record(&Identity::Address(home_agent), event);
    }

    /// A valid reply: the visitor list changes as it says, and it goes on to the node (§3.7.3.2).
    pub(super) fn take_reply(
        &mut self,
        reply: &RegistrationReply,
        extensions: &Extensions<'_>,
        pending: &Pending,
        received: &Received<'_>,
        now: Now,
    ) -> Output {
        let end = match extensions.mobile_home_end() {
            // What a gateway says to the node comes behind that (RFC 4857 §5.3), and behind all of
            // it what it says to us.
            _ if pending.gateway.is_some() => {
                extensions.revocation_appended_at.unwrap_or(received.octets.len())
            }
            0 => received.octets.len(),
            end => end,
        };
        let mut octets = received.octets.get(..end).unwrap_or(received.octets).to_vec();
        // RFC 4917 §5: behind the Mobile-Home authentication, before the Mobile-Foreign one.
        let nai = pending.nai.as_ref();
        // What a gateway signed for the node is not added to.
        let is_ours = pending.gateway.is_none();
        if let Some(text) = text_for(&self.config.messages, reply.code, nai).filter(|_| is_ours) {
            append_text(&mut octets, MessageString::FROM_FOREIGN_AGENT, text);
            self.tally.count(Counter::MessageStringsSent);
        }
        let relayed = pending.send(octets, reply.home_address, &self.config);
        let event = match (reply.code.is_accepted(), pending.is_regional) {
            (true, _) => "accepted",
            (false, true) => "denied-by-gateway",
            (false, false) => "denied-by-home-agent",
        };
        self.trail(pending, event, Some(reply.code), now);
        if !reply.code.is_accepted() {
            // A denial ends the request, not the service (§3.7.3.2).
            self.count_relayed(pending, reply.code);
            return Output::at_once(vec![relayed]);
        }
        let is_protected = pending.signed_for_home_agent || self.is_of_gateway(extensions, pending);
        let support = extensions.revocation_appended.filter(|_| is_protected);
        let lifetime = least(reply.lifetime, pending.request.lifetime, self.config.lifetime_max);
        let regional = extensions.regional_lifetime.filter(|_| pending.gateway.is_some());
        let lifetime = lifetime.min(regional.unwrap_or(lifetime));
        let mut batch = Batch::default();
        let mut actions = Vec::new();
        if lifetime == Lifetime::ZERO || is_deregistration(&pending.request) {
            let care_of_address = pending.care_of_address();
            let left = self.visitors.leave(&pending.identity, reply.home_address, care_of_address);
            if let Some(visitor) = left {
                self.give_up_revocation(&visitor.key(), TargetResult::Gone, &mut batch, now);
                batch.delete::<Visitor>(visitor.key());
                actions.push(Action::StopService(self.config.service(&visitor)));
            }
        } else {
            let mut visitor = self.visitor_row(reply, pending, lifetime, now);
            if let (Some(offer), Some(support)) = (pending.offer, support) {
                Arc::make_mut(&mut visitor).revocation = Some(offer.with(support));
            }
            let was_revoked = self.revocations.get(&visitor.key()).is_some();
            self.give_up_revocation(&visitor.key(), TargetResult::Gone, &mut batch, now);
            let service = self.config.service(&visitor);
            let before = self.visitors.get(&visitor.identity, visitor.home_address);
            let unchanged = before.is_some_and(|old| self.config.service(old) == service);
            if !unchanged || was_revoked || self.is_in_flight(&visitor) {
                actions.push(Action::StartService(service));
            }
            self.visitors.insert(Arc::clone(&visitor));
            batch.put::<Visitor>(visitor);
        }
        actions.push(relayed);
        if batch.is_empty() {
            self.count_relayed(pending, reply.code);
            return Output::at_once(actions);
        }
        let pending = Pending { authenticated: true, ..pending.clone() };
        self.send_off(batch, actions, Purpose::Reply(Box::new(pending), reply.code))
    }

    fn visitor_row(
        &self,
        reply: &RegistrationReply,
        pending: &Pending,
        lifetime: Lifetime,
        now: Now,
    ) -> Arc<Visitor> {
        let before = self.visitors.get(&pending.identity, reply.home_address);
        let home_agent = match before {
            // A regional request does not name it.
            Some(before) if pending.is_regional => before.home_agent,
            _ => pending.request.home_agent,
        };
        Arc::new(Visitor {
            foreign_agent: self.config.address,
            identity: pending.identity.clone(),
            home_address: reply.home_address,
            home_agent,
            care_of_address: pending.care_of_address(),
            instance: self.config.instance.clone(),
            source: pending.source,
            local: pending.local,
            interface: pending.interface,
            flags: pending.request.flags,
            identification: pending.request.identification,
            encapsulating_delivery: pending.encapsulating_delivery,
            lifetime_requested: pending.request.lifetime,
            lifetime_granted: lifetime,
            accepted: true,
            created_at: before.map_or(now.stamp(), |visitor| visitor.created_at),
            registered_at: now.stamp(),
            // §3.7.3.2: it begins when the reply is forwarded.
            expires_at: lifetime.duration().map(|duration| now.stamp() + duration),
            revocation: None,
            revoking: None,
            regional: self.regional_visit(pending, lifetime, now).map(Box::new),
            unknown: before.map_or_else(Unknown::default, |visitor| visitor.unknown.clone()),
        })
    }

    /// Ends a pending request with a reply of our own.
    pub(super) fn reject(
        &mut self,
        pending: &Pending,
        denial: Denial,
        spi: Option<Spi>,
        now: Now,
    ) -> Output {
        self.pending.remove(&pending.identity, pending.request.home_address);
        Output::at_once(self.deny(pending, denial, spi, now).into_iter().collect())
    }
}

/// Replies of a foreign agent beyond ours are authenticated by nobody that we know.
fn is_of_foreign_agent(reply: &RegistrationReply) -> bool {
    (64..128).contains(&reply.code.0)
}
