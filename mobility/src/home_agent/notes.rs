//! What the home agent notes of requests for those who ask why: violations and trails.

use store::{Counter, Identity, Now, ReplayProtection, TrailEvent, UtcTime, ViolationReason};
use wire::{Code, Spi};

use super::HomeAgent;
use super::denial::Denial;
use super::request::{Answer, Request};
use crate::clock;
use crate::violations::Offence;

impl HomeAgent {
    /// A request that gets no answer.
    pub(super) fn note_discard(&mut self, request: &Request<'_>, reason: ViolationReason) {
        self.tally.count(Counter::MipSecTotalViolations);
        let address = *request.received.source.ip();
        let spi = request.extensions.mobile_home.first().map_or(Spi(0), |it| it.spi);
        let offence = Offence {
            violator: request.identity().unwrap_or(Identity::Address(address)),
            address,
            spi,
            identification: request.fixed.identification,
            reason,
            code: None,
        };
        self.violations.record(offence, request.now);
    }

    pub(super) fn note_denied(&mut self, answer: &Answer, denial: Denial, now: Now) {
        if let Some(reason) = denial.violation() {
            self.tally.count(Counter::MipSecTotalViolations);
            let offence = Offence {
                violator: answer.identity.clone(),
                address: *answer.to.ip(),
                spi: answer.spi,
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
            ..event(answer, word.to_owned(), code, at)
        };
        self.trails.record(&answer.identity, event);
    }

    pub(super) fn note_expired(&mut self, identity: &Identity, at: UtcTime) {
        let event = TrailEvent {
            at,
            event: "expired".to_owned(),
            code: None,
            peer: None,
            care_of_address: None,
            spi: None,
            clock_offset: None,
            times: 1,
        };
        self.trails.record(identity, event);
    }
}

fn event(answer: &Answer, event: String, code: Code, at: UtcTime) -> TrailEvent {
    TrailEvent {
        at,
        event,
        code: Some(code),
        peer: Some(answer.to),
        care_of_address: Some(answer.request.care_of_address),
        spi: Some(answer.spi),
        clock_offset: None,
        times: 1,
    }
}

/// How far the timestamp of an authentic request was ahead of our clock.
fn clock_offset(answer: &Answer, utc: UtcTime) -> Option<i64> {
    let has_timestamp = answer.authenticated && answer.signer.replay != ReplayProtection::Nonces;
    has_timestamp.then(|| clock::offset_milliseconds(answer.request.identification, utc))
}
