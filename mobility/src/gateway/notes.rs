//! What a gateway counts and notes of requests for those who ask why.

use store::{Counter, Identity, Now, TrailEvent};
use wire::{Code, Identification, Spi};

use super::Gateway;
use super::denial::GatewayDenial;
use super::pending::Pending;
use crate::action::Action;
use crate::trails::{Word, plain};
use crate::violations::Offence;

impl Gateway {
    /// Counts and notes a denial; returns the reply that says it.
    pub(super) fn deny(
        &mut self,
        pending: &Pending,
        denial: GatewayDenial,
        spi: Option<Spi>,
        now: Now,
    ) -> Option<Action> {
        let (code, counter) = denial.answer();
        if let Some(counter) = counter {
            self.tally.count(counter);
        }
        if denial == GatewayDenial::ForeignAgentOfAnotherGateway {
            self.trail(pending, denial.word(), Some(code), now);
            return None;
        }
        self.count_answer(pending, code);
        if let Some(reason) = denial.violation() {
            self.tally.count(Counter::MipSecTotalViolations);
            let home_agent = pending.request.home_agent;
            let (violator, address) = match denial {
                GatewayDenial::HomeAgentFailedAuthentication => {
                    (Identity::Address(home_agent), home_agent)
                }
                GatewayDenial::ForeignAgentOfAnotherRegion
                | GatewayDenial::ForeignAgentFailedAuthentication => {
                    (Identity::Address(*pending.source.ip()), *pending.source.ip())
                }
                _ => (pending.identity.clone(), *pending.source.ip()),
            };
            let identification = pending.request.identification;
            let spi = spi.or(pending.spi).unwrap_or(Spi(0));
            let code = Some(code);
            let offence = Offence { violator, address, spi, identification, reason, code };
            self.violations.record(offence, now);
        }
        self.trail(pending, denial.word(), Some(code), now);
        let is_mismatch = denial == GatewayDenial::IdentificationMismatch;
        let identification = self.identification(pending, is_mismatch, now);
        pending.deny(code, identification, &self.config)
    }

    /// The Identification of a refusal: what a node needs to get it right the next time.
    fn identification(&self, pending: &Pending, is_mismatch: bool, now: Now) -> Identification {
        let asked = pending.request.identification;
        if !is_mismatch {
            return asked;
        }
        let home = pending.request.home_address;
        let visitor = self.visitors.get(&pending.identity, home);
        let nonce = visitor.and_then(|it| it.regional.as_ref()).and_then(|it| it.nonce);
        let high = nonce.unwrap_or(crate::clock::ntp(now.utc).high());
        Identification::from_halves(high, asked.low())
    }

    pub(super) fn count_answer(&mut self, pending: &Pending, code: Code) {
        self.tally.count(match (pending.is_regional, code.is_accepted()) {
            (true, true) => Counter::RegionalRequestsAccepted,
            (true, false) => Counter::RegionalRequestsDenied,
            (false, _) => Counter::FaRegRepliesRelayed,
        });
        self.tally.count_reply(code);
    }

    pub(super) fn trail(
        &mut self,
        pending: &Pending,
        event: impl Into<Word>,
        code: Option<Code>,
        now: Now,
    ) {
        let event = TrailEvent {
            code,
            peer: Some(pending.source),
            care_of_address: Some(pending.local_care_of_address),
            spi: pending.spi,
            ..plain(event, now.stamp())
        };
        let is_known = pending.authenticated
            || code.is_some_and(Code::is_accepted)
            || self.visitors.contains(&pending.identity, pending.request.home_address);
        self.trails.note(&pending.identity, event, is_known);
    }

    /// Something that no request is the cause of.
    pub(super) fn note_event(&mut self, identity: &Identity, event: impl Into<Word>, now: Now) {
        self.trails.record(identity, plain(event, now.stamp()));
    }
}
