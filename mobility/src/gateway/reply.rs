//! Replies of home agents at a gateway (RFC 4857 §5.3).

use std::sync::Arc;

use store::{
    Batch, Counter, Identity, Now, RegionalVisit, ReplayProtection, Row, TargetResult, Unknown,
    Visitor, VisitorKey,
};
use wire::{
    Identification, Lifetime, RegionalRegistrationLifetime, RegistrationReply,
    ReplayProtectionStyle,
};

use super::beneath::{self, is_leaving};
use super::denial::GatewayDenial as Denial;
use super::origin::Fault;
use super::pending::Pending;
use super::{Gateway, Purpose};
use crate::action::{Action, Output, Received};
use crate::clock;
use crate::extensions::Extensions;
use crate::revocation::Revoker as _;

impl Gateway {
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
        let pending = self.pending.answered_by(&reply, nai, |_| true);
        let expected = |pending: &&Pending| pending.request.home_agent == *received.source.ip();
        let Some(pending) = pending.filter(expected).cloned() else {
            match &extensions {
                Ok(_) => self.tally.count(Counter::DatagramsUnexpected),
                Err(error) => self.tally.count_malformed(error),
            }
            return Output::default();
        };
        self.pending.remove(&pending.identity, pending.request.home_address);
        let checked = match &extensions {
            Ok(extensions) => self.check_reply(&reply, extensions, &pending),
            Err(_) => Err((Denial::PoorlyFormedReply, None)),
        };
        match (extensions, checked) {
            (Ok(extensions), Ok(())) => {
                self.tally.count(Counter::FaRegRepliesRecieved);
                self.take_reply(&reply, &extensions, &pending, received, now)
            }
            (_, Err((denial, spi))) => {
                Output::at_once(self.deny(&pending, denial, spi, now).into_iter().collect())
            }
            (Err(_), Ok(())) => Output::default(), // An error was made of it above.
        }
    }

    fn check_reply(
        &self,
        reply: &RegistrationReply,
        extensions: &Extensions<'_>,
        pending: &Pending,
    ) -> Result<(), Fault> {
        if extensions.mobile_home.is_empty() {
            return Err((Denial::PoorlyFormedReply, None));
        }
        if pending.signed_for_home_agent {
            let home_agent = Identity::Address(pending.request.home_agent);
            let spi = extensions.foreign_home.first().map(|it| it.spi);
            let valid = match extensions.foreign_home.as_slice() {
                [only] => self
                    .associations
                    .get(&home_agent, only.spi)
                    .is_some_and(|association| association.verifies(only)),
                _ => false,
            };
            if !valid {
                return Err((Denial::HomeAgentFailedAuthentication, spi));
            }
        }
        // RFC 3543 §4.2.1: a home agent that does not take part may be unacceptable.
        let unanswered = pending.offer.is_some() && extensions.revocation_appended.is_none();
        if self.config.revocation.is_required && reply.code.is_accepted() && unanswered {
            return Err((Denial::RevocationRequired, None));
        }
        // §7.4: who accepts without a care-of address says which one it is instead.
        let names_us = extensions.gateway_covered == Some(self.config.address);
        let lacks_us = pending.is_dynamic() && !pending.is_deregistration() && !names_us;
        if reply.code.is_accepted() && (lacks_us || reply.home_address.is_unspecified()) {
            return Err((Denial::PoorlyFormedReply, None));
        }
        Ok(())
    }

    fn take_reply(
        &mut self,
        reply: &RegistrationReply,
        extensions: &Extensions<'_>,
        pending: &Pending,
        received: &Received<'_>,
        now: Now,
    ) -> Output {
        let end = extensions.mobile_home_end();
        let mut octets = received.octets.get(..end).unwrap_or(received.octets).to_vec();
        if !reply.code.is_accepted() {
            self.trail(pending, "denied-by-home-agent", Some(reply.code), now);
            self.count_answer(pending, reply.code);
            pending.sign(&mut octets);
            return Output::at_once(vec![pending.send(octets, &self.config)]);
        }
        let lifetime = reply.lifetime.min(pending.request.lifetime).min(self.config.lifetime_max);
        let mut batch = Batch::default();
        let mut actions = Vec::new();
        let left;
        if lifetime == Lifetime::ZERO || pending.is_deregistration() {
            let visitor = self.visitors.get(&pending.identity, reply.home_address).cloned();
            left =
                visitor.and_then(|it| self.end_visit(&it, pending, &mut batch, &mut actions, now));
            pending.sign(&mut octets);
        } else {
            let offer = self.offer_beneath(pending, now);
            let mut visitor = self.visitor(reply, pending, lifetime, now);
            let row = Arc::make_mut(&mut visitor);
            let support = extensions.revocation_appended.filter(|_| pending.signed_for_home_agent);
            row.revocation = pending.offer.zip(support).map(|(offer, it)| offer.with(it));
            if let Some(regional) = &mut row.regional {
                regional.revocation = pending.agreed(offer);
                tell(&mut octets, pending, regional, now);
            }
            pending.agree(offer, &mut octets);
            left = self.take_over(&visitor, &mut batch, &mut actions, now);
        }
        actions.push(pending.send(octets, &self.config));
        let answers = Pending { authenticated: true, ..pending.clone() };
        if batch.is_empty() {
            self.count_answer(pending, reply.code);
            return Output::at_once(actions);
        }
        let purpose = Purpose::Answer { pending: Box::new(answers), code: reply.code, left };
        self.send_off(batch, actions, purpose)
    }

    /// Puts a visitor that is registered anew, or from somewhere else, in the place of what was known
    /// of it; returns the name of what it left behind with a foreign agent.
    pub(super) fn take_over(
        &mut self,
        visitor: &Arc<Visitor>,
        batch: &mut Batch,
        actions: &mut Vec<Action>,
        now: Now,
    ) -> Option<VisitorKey> {
        let before = self.visitors.get(&visitor.identity, visitor.home_address).cloned();
        self.give_up_revocation(&visitor.key(), TargetResult::Gone, batch, now);
        // Whatever was left with the foreign agent that it is at is registered again.
        self.beneath.list.remove(&beneath::name(visitor));
        let service = self.config.service(visitor);
        let goes_on = before.as_ref().is_some_and(|old| {
            let is_stopped = has_ended(old) || old.revoking.is_some() || is_leaving(old);
            !is_stopped && self.config.service(old) == service
        });
        if !goes_on {
            actions.push(Action::StartService(service));
        }
        let moved = before.filter(|old| old.source.ip() != visitor.source.ip());
        let left = moved.and_then(|old| self.leave_behind(&old));
        self.insert(Arc::clone(visitor));
        batch.put::<Visitor>(Arc::clone(visitor));
        left
    }

    /// Removes a visitor that has deregistered; returns the name of what it left behind, if it did
    /// so from somewhere else.
    pub(super) fn end_visit(
        &mut self,
        visitor: &Arc<Visitor>,
        pending: &Pending,
        batch: &mut Batch,
        actions: &mut Vec<Action>,
        now: Now,
    ) -> Option<VisitorKey> {
        self.give_up_revocation(&visitor.key(), TargetResult::Gone, batch, now);
        let is_there = visitor.source.ip() == pending.source.ip();
        if is_there {
            self.beneath.list.remove(&beneath::name(visitor));
        }
        if let Some(gone) = self.visitors.remove(&visitor.identity, visitor.home_address) {
            self.disarm(&gone);
        }
        batch.delete::<Visitor>(visitor.key());
        if visitor.revoking.is_none() && !is_leaving(visitor) {
            actions.push(Action::StopService(self.config.service(visitor)));
        }
        if is_there { None } else { self.leave_behind(visitor) }
    }

    /// What the visitor list says of a home registration (§5.3).
    fn visitor(
        &mut self,
        reply: &RegistrationReply,
        pending: &Pending,
        lifetime: Lifetime,
        now: Now,
    ) -> Arc<Visitor> {
        let before = self.visitors.get(&pending.identity, reply.home_address).cloned();
        let known = before.as_ref().and_then(|it| it.regional.clone());
        let regional_lifetime = lifetime.min(self.config.regional_lifetime_max);
        let same_style = known.filter(|it| it.replay == pending.replay);
        let nonce = match (&same_style, pending.replay) {
            (Some(known), ReplayProtection::Nonces) if known.nonce.is_some() => known.nonce,
            (_, ReplayProtection::Nonces) => Some(self.random.next_u32()),
            _ => None,
        };
        let regional = RegionalVisit {
            gateway: self.config.address,
            local_care_of_address: pending.local_care_of_address,
            lifetime_granted: regional_lifetime,
            expires_at: regional_lifetime.duration().map(|duration| now.stamp() + duration),
            replay: pending.replay,
            // An update of a binding leaves what protects regional requests as it is; so does one
            // from another place, or an old request could be played again.
            identification: same_style.map_or_else(Identification::default, |it| it.identification),
            nonce,
            accepted: 0,
            revocation: None,
            revoking: None,
        };
        Arc::new(Visitor {
            foreign_agent: self.config.address,
            identity: pending.identity.clone(),
            home_address: reply.home_address,
            home_agent: pending.request.home_agent,
            care_of_address: self.config.address,
            instance: self.config.instance.clone(),
            source: pending.source,
            local: pending.local,
            interface: None,
            flags: pending.request.flags,
            identification: pending.request.identification,
            encapsulating_delivery: false,
            lifetime_requested: pending.request.lifetime,
            lifetime_granted: lifetime,
            accepted: true,
            created_at: before.as_ref().map_or(now.stamp(), |visitor| visitor.created_at),
            registered_at: now.stamp(),
            expires_at: lifetime.duration().map(|duration| now.stamp() + duration),
            revocation: None,
            revoking: None,
            regional: Some(Box::new(regional)),
            unknown: before.map_or_else(Unknown::default, |visitor| visitor.unknown.clone()),
        })
    }
}

/// What a node has to know for its regional registrations: how they are protected from replays,
/// and how long they last (§5.3, §9.3, §9.4). Without an association nothing would protect it.
fn tell(octets: &mut Vec<u8>, pending: &Pending, regional: &RegionalVisit, now: Now) {
    let Some(association) = &pending.signer else { return };
    let ours = clock::ntp(now.utc);
    let theirs = pending.request.identification;
    let style = match (regional.nonce, regional.replay) {
        (Some(nonce), _) => {
            Some((ReplayProtectionStyle::NONCE, Identification::from_halves(nonce, theirs.low())))
        }
        // §5.3: only where the clocks differ. A node that uses nonces with its home agent shows
        // no clock, and is told ours.
        (None, _) if !clock::is_close(theirs, ours, association.tolerance) => {
            Some((ReplayProtectionStyle::TIMESTAMP, ours))
        }
        _ => None,
    };
    if let Some((style, initial_identification)) = style {
        ReplayProtectionStyle { style, initial_identification }.emit(octets);
    }
    // §5.3: behind all others, and protected.
    RegionalRegistrationLifetime::from(regional.lifetime_granted).emit(octets);
    pending.sign(octets);
}

/// Whether the regional registration of a visitor ended before its home registration.
fn has_ended(visitor: &Visitor) -> bool {
    visitor.regional.as_ref().is_some_and(|it| it.lifetime_granted == Lifetime::ZERO)
}
