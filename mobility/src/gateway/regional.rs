//! Regional registrations, which home agents never see (RFC 4857 §6.3).

use std::sync::Arc;

use store::{Batch, Counter, Now, RegionalVisit, ReplayProtection, UtcTime, Visitor};
use wire::{
    Code, Flags, Identification, Lifetime, RegionalRegistrationRequest, RegistrationRequest,
};

use super::beneath::is_leaving;
use super::denial::GatewayDenial as Denial;
use super::origin::Fault;
use super::pending::Pending;
use super::{Gateway, Purpose};
use crate::action::{Output, Received};
use crate::clock;
use crate::extensions::{Extensions, read};
use crate::home_agent::ReservedBits;

impl Gateway {
    pub(super) fn on_regional_request(&mut self, received: &Received<'_>, now: Now) -> Output {
        type Fixed = RegionalRegistrationRequest;
        if !self.limiter.allows(*received.source.ip(), now.uptime) {
            self.tally.count(Counter::DatagramsRateLimited);
            return Output::default();
        }
        let (request, extensions) = match read(received.octets, Fixed::LEN, Fixed::parse) {
            Ok(parsed) => parsed,
            Err(error) => {
                self.tally.count_malformed(&error);
                return Output::default();
            }
        };
        self.tally.count(Counter::RegionalRequestsReceived);
        let fixed = RegistrationRequest {
            flags: request.flags,
            lifetime: request.lifetime,
            home_address: request.home_address,
            home_agent: request.gfa_ip_address,
            care_of_address: request.care_of_address,
            identification: request.identification,
        };
        let mut pending = Pending::new(fixed, true, &extensions, received, now);
        pending.spi = extensions.mobile_gateway.first().map(|it| it.spi);
        pending.signer = self.mobile_signer(&pending.identity, pending.spi);
        match self.check_regional(&mut pending, &extensions, received, now) {
            Ok(visitor) => self.register(&pending, &visitor, now),
            Err((denial, spi)) => {
                Output::at_once(self.deny(&pending, denial, spi, now).into_iter().collect())
            }
        }
    }

    /// Checks a regional request; the visitor that it is from.
    fn check_regional(
        &self,
        pending: &mut Pending,
        extensions: &Extensions<'_>,
        received: &Received<'_>,
        now: Now,
    ) -> Result<Arc<Visitor>, Fault> {
        pending.local_care_of_address =
            self.local_care_of_address(pending, extensions, received, now)?;
        pending.vouching = self.vouching(extensions, received);
        let of = |denial| (denial, None);
        let request = &pending.request;
        if request.home_agent != self.config.address {
            return Err(of(Denial::InvalidHomeAgent));
        }
        if !extensions.foreign_home.is_empty() {
            return Err(of(Denial::Unauthenticated));
        }
        // §10: it MUST be there; whoever has none, or two, has not authenticated.
        let valid = match extensions.mobile_gateway.as_slice() {
            [only] => self
                .associations
                .get(&pending.identity, only.spi)
                .is_some_and(|association| association.verifies(only)),
            _ => false,
        };
        if !valid {
            return Err((Denial::MobileNodeFailedAuthentication, pending.spi));
        }
        pending.authenticated = true;
        if extensions.nai_misplaced {
            return Err(of(Denial::MisplacedNai));
        }
        let flags = pending.request.flags;
        if self.config.reserved_bits == ReservedBits::Reject && flags.any(Flags::RESERVED) {
            return Err(of(Denial::ReservedBits));
        }
        let home = pending.request.home_address;
        let visitor = self.visitors.get(&pending.identity, home).cloned();
        let visitor = visitor.filter(|it| remaining(it, now.stamp()) != Lifetime::ZERO);
        // What is being revoked is none any more.
        let visitor = visitor.filter(|it| it.revoking.is_none() && !is_leaving(it));
        let Some(visitor) = visitor else { return Err(of(Denial::NoHomeRegistration)) };
        let Some(regional) = &visitor.regional else {
            return Err(of(Denial::NoHomeRegistration));
        };
        check_replay(pending, regional, now).map_err(of)?;
        if !pending.is_deregistration() {
            self.check_capabilities(flags).map_err(of)?;
            self.check_admission(pending).map_err(of)?;
        }
        Ok(visitor)
    }

    /// Writes where the node is, and answers once that is durable.
    fn register(&mut self, pending: &Pending, visitor: &Arc<Visitor>, now: Now) -> Output {
        let asked = pending.request.identification;
        let mut batch = Batch::default();
        let mut actions = Vec::new();
        let answer = |left| Purpose::Answer {
            pending: Box::new(pending.clone()),
            code: Code::ACCEPTED,
            left,
        };
        if pending.is_deregistration() {
            let left = self.end_visit(visitor, pending, &mut batch, &mut actions, now);
            let octets = pending.reply(Code::ACCEPTED, Lifetime::ZERO, asked);
            actions.push(pending.send(octets, &self.config));
            return self.send_off(batch, actions, answer(left));
        }
        // §6.3: never longer than what is left of the home registration.
        let left = remaining(visitor, now.stamp());
        let lifetime = pending.request.lifetime.min(self.config.regional_lifetime_max).min(left);
        let mut new = Visitor::clone(visitor);
        new.source = pending.source;
        new.local = pending.local;
        new.flags = pending.request.flags;
        let mut identification = asked;
        let offer = self.offer_beneath(pending, now);
        if let Some(regional) = &mut new.regional {
            regional.local_care_of_address = pending.local_care_of_address;
            regional.lifetime_granted = lifetime;
            regional.expires_at = lifetime.duration().map(|duration| now.stamp() + duration);
            regional.identification = asked;
            regional.accepted += 1;
            regional.revocation = pending.agreed(offer);
            if regional.replay == ReplayProtection::Nonces {
                let nonce = self.next_nonce(asked);
                regional.nonce = Some(nonce);
                identification = Identification::from_halves(nonce, asked.low());
            }
        }
        let new = Arc::new(new);
        let mut octets = pending.reply(Code::ACCEPTED, lifetime, identification);
        pending.agree(offer, &mut octets);
        let left = self.take_over(&new, &mut batch, &mut actions, now);
        actions.push(pending.send(octets, &self.config));
        self.send_off(batch, actions, answer(left))
    }

    /// A nonce that is not the one that was just used (RFC 5944 §5.7.2).
    fn next_nonce(&mut self, consumed: Identification) -> u32 {
        loop {
            let nonce = self.random.of(&consumed.0.to_be_bytes()) ^ self.random.next_u32();
            if nonce != consumed.high() {
                return nonce;
            }
        }
    }
}

/// As RFC 5944 §5.7 has it between node and home agent, with a sequence of its own (§6.1).
fn check_replay(pending: &Pending, regional: &RegionalVisit, now: Now) -> Result<(), Denial> {
    let identification = pending.request.identification;
    let is_right = match regional.nonce {
        Some(nonce) if regional.replay == ReplayProtection::Nonces => {
            identification.high() == nonce
        }
        _ => {
            let tolerance = pending.signer.as_ref().map(|it| it.tolerance).unwrap_or_default();
            let is_new = regional.identification == Identification::default()
                || clock::ahead(identification, regional.identification) > 0;
            is_new && clock::is_close(identification, clock::ntp(now.utc), tolerance)
        }
    };
    if is_right { Ok(()) } else { Err(Denial::IdentificationMismatch) }
}

/// What is left of a home registration, in whole seconds.
fn remaining(visitor: &Visitor, now: UtcTime) -> Lifetime {
    match visitor.remaining_seconds(now) {
        None => Lifetime::INFINITE,
        Some(seconds) => u16::try_from(seconds).map_or(Lifetime::INFINITE, Lifetime),
    }
}
