//! What the home agent notes of requests for those who ask why: violations and trails.

use store::{Counter, Identity, Now, ReplayProtection, TrailEvent, UtcTime, ViolationReason};
use wire::{Code, Spi};

use super::HomeAgent;
use super::check::Offender;
use super::denial::Denial;
use super::request::{Answer, Request};
use crate::clock;
use crate::trails::{Word, plain};
use crate::violations::Offence;

impl HomeAgent {
    /// A request that gets no answer.
    pub(super) fn note_discard(
        &mut self,
        request: &Request<'_>,
        offender: Offender,
        reason: ViolationReason,
    ) {
        self.tally.count(Counter::MipSecTotalViolations);
        let address = *request.received.source.ip();
        let (violator, authentication) = match offender {
            Offender::MobileNode => (request.identity(), request.extensions.mobile_home.first()),
            Offender::ForeignAgent => (None, request.extensions.foreign_home.first()),
        };
        let offence = Offence {
            violator: violator.unwrap_or(Identity::Address(address)),
            address,
            spi: authentication.map_or(Spi(0), |it| it.spi),
            identification: request.fixed.identification,
            reason,
            code: None,
        };
        self.violations.record(offence, request.now);
    }

    pub(super) fn note_denied(&mut self, answer: &Answer, denial: Denial, now: Now) {
        if let Some(reason) = denial.violation() {
            self.tally.count(Counter::MipSecTotalViolations);
            let address = *answer.to.ip();
            let of_foreign_agent = denial == Denial::ForeignAgentFailedAuthentication;
            let (violator, spi) = if of_foreign_agent {
                (Identity::Address(address), answer.foreign_spi.unwrap_or(Spi(0)))
            } else {
                (answer.identity.clone(), answer.spi)
            };
            let offence = Offence {
                violator,
                address,
                spi,
                identification: answer.request.identification,
                reason,
                code: Some(denial.code()),
            };
            self.violations.record(offence, now);
        }
        let event = TrailEvent {
            clock_offset: clock_offset(answer, now.utc),
            ..event(answer, denial.word(), denial.code(), now.stamp())
        };
        self.trails.record(&answer.identity, event);
    }

    pub(super) fn note_accepted(&mut self, answer: &Answer, code: Code, at: UtcTime) {
        let word = if answer.is_deregistration() { "deregistered" } else { "registered" };
        let event = TrailEvent {
            clock_offset: clock_offset(answer, answer.arrived_at),
            ..event(answer, word, code, at)
        };
        self.trails.record(&answer.identity, event);
        // Whoever rolls the key of a foreign agent wants to see which SPI it uses.
        if let Some(spi) = answer.foreign_spi
            && answer.foreign_signer.is_some()
            && !answer.is_deregistration()
        {
            let agent = Identity::Address(*answer.to.ip());
            let event = TrailEvent {
                code: Some(code),
                peer: Some(answer.to),
                spi: Some(spi),
                ..plain("relayed", at)
            };
            self.trails.record(&agent, event);
        }
    }

    /// What an authentic timestamp says of our clock: that of a request which was let in, or
    /// refused for it. A timestamp of the past is not looked at, since anybody can send it again.
    pub(super) fn note_clock(&mut self, answer: &Answer, denial: Option<Denial>, now: Now) {
        let Some(offset) = clock_offset(answer, now.utc) else { return };
        let disagrees_by = match denial {
            None => None,
            Some(Denial::TimestampOutOfTolerance) if !self.is_of_the_past(answer) => Some(offset),
            Some(_) => return,
        };
        self.clock_opinions.note(&answer.identity, disagrees_by, now);
    }

    fn is_of_the_past(&self, answer: &Answer) -> bool {
        let row = self.state.row(&answer.identity).filter(|row| row.nonce.is_none());
        row.is_some_and(|row| {
            clock::ahead(answer.request.identification, row.last_identification) <= 0
        })
    }

    /// Something that no request is the cause of.
    pub(super) fn note_event(&mut self, identity: &Identity, event: impl Into<Word>, at: UtcTime) {
        self.trails.record(identity, plain(event, at));
    }
}

fn event(answer: &Answer, event: impl Into<Word>, code: Code, at: UtcTime) -> TrailEvent {
    TrailEvent {
        code: Some(code),
        peer: Some(answer.to),
        care_of_address: Some(answer.request.care_of_address),
        spi: Some(answer.spi),
        ..plain(event, at)
    }
}

/// How far the timestamp of an authentic request was ahead of our clock.
fn clock_offset(answer: &Answer, utc: UtcTime) -> Option<i64> {
    let has_timestamp = answer.authenticated && answer.signer.replay != ReplayProtection::Nonces;
    has_timestamp.then(|| clock::offset_milliseconds(answer.request.identification, utc))
}
