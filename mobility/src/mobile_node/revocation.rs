//! Revocations that a mobile node without a foreign agent is told of (RFC 3543 §4.2.2.3).

use store::{Counter, Now, ViolationReason};
use wire::{
    Lifetime, RegistrationRequest, RegistrationRevocation, RevocationSupport, Spi, extension_type,
};

use super::discovery::Attachment;
use super::{MobileNode, Wish};
use crate::action::{Action, Output, Received};
use crate::association::SecurityAssociation;
use crate::clock;
use crate::extensions::{Extensions, read};
use crate::refusal::Refuse as _;
use crate::revocation::message;

impl MobileNode {
    /// Says that the node wants to be told; only where there is no foreign agent to tell (§3.2).
    pub(super) fn offer_revocation(
        &self,
        request: &RegistrationRequest,
        octets: &mut Vec<u8>,
        now: Now,
    ) {
        let is_direct = self.attachment == Attachment::CoLocated;
        if self.config.supports_revocation && is_direct && request.lifetime != Lifetime::ZERO {
            let timestamp = clock::seconds(now.utc.shifted(self.clock.offset));
            RevocationSupport { flags: RevocationSupport::INFORM, timestamp }.emit(octets);
        }
    }

    pub(super) fn on_revocation(&mut self, received: &Received<'_>, now: Now) -> Output {
        type Fixed = RegistrationRevocation;
        let (fixed, extensions) = match read(received.octets, Fixed::LEN, Fixed::parse) {
            Ok(parsed) => parsed,
            Err(error) => return self.malformed(&error),
        };
        self.tally.count(Counter::RevocationsReceived);
        let source = *received.source.ip();
        let signer = match extensions.mobile_home.as_slice() {
            [only] => {
                let known = self.associations.iter().find(|it| it.verifies(only)).cloned();
                known.ok_or((ViolationReason::BadAuthenticator, only.spi))
            }
            _ => Err((ViolationReason::MissingSecurityExtension, Spi(0))),
        };
        let signer = match signer {
            Ok(signer) => signer,
            Err(failure) => {
                return self.refuse_revocation(source, fixed.identifier, failure, now);
            }
        };
        let refuse = |node: &mut Self, reason| {
            node.refuse_revocation(source, fixed.identifier, (reason, signer.spi), now)
        };
        if let Some(former) = self.former
            && former.home_agent == fixed.home_domain_address
            && !self.is_meant(&fixed)
        {
            let is_fresh =
                former.revocable_since.is_some_and(|at| clock::is_later(fixed.identifier, at));
            if !fixed.is_from_home_agent() || !is_fresh {
                return refuse(self, ViolationReason::BadIdentifier);
            }
            if Some(fixed.home_address) != self.home_address {
                return refuse(self, ViolationReason::Other);
            }
            return self.on_word_of_former(&fixed, &extensions, &signer, received);
        }
        let is_repeated = self.last_revocation == Some(fixed.identifier);
        let is_old = self
            .last_revocation
            .is_some_and(|last| !clock::is_later(fixed.identifier, last) && !is_repeated);
        if !fixed.is_from_home_agent() || is_old {
            return refuse(self, ViolationReason::BadIdentifier);
        }
        if !self.is_meant(&fixed) {
            return refuse(self, ViolationReason::Other);
        }
        let since = self.registration.as_ref().and_then(|it| it.revocable_since);
        match since {
            Some(since) if clock::is_later(fixed.identifier, since) => {}
            // It is over already, and the acknowledgment was lost; or we never asked to be told.
            None if self.registration.is_none() && self.last_revocation.is_some() => {}
            Some(_) | None => return refuse(self, ViolationReason::BadIdentifier),
        }
        self.last_revocation = Some(fixed.identifier);
        let nai = extensions.nai.as_ref();
        let mut octets = message::acknowledgment(&fixed, true, nai);
        signer.sign(&mut octets, extension_type::MOBILE_HOME_AUTHENTICATION);
        self.tally.count(Counter::RevocationAcknowledgmentsSent);
        let mut actions = vec![Action::Send { from: received.local, to: received.source, octets }];
        if self.registration.take().is_some() {
            self.is_row_stale = true;
            actions.push(Action::Revoked { home_address: fixed.home_address });
            if self.wish == Some(Wish::Registered) {
                // Whoever was thrown out waits before asking to be let in again.
                self.pending = None;
                self.hold_off(now);
                self.hasten_departure(now);
            }
        }
        Output::at_once(actions)
    }

    /// A home agent that the node has left ends what is there: there is nothing to end here.
    fn on_word_of_former(
        &mut self,
        fixed: &RegistrationRevocation,
        extensions: &Extensions<'_>,
        signer: &SecurityAssociation,
        received: &Received<'_>,
    ) -> Output {
        let mut octets = message::acknowledgment(fixed, true, extensions.nai.as_ref());
        signer.sign(&mut octets, extension_type::MOBILE_HOME_AUTHENTICATION);
        self.tally.count(Counter::RevocationAcknowledgmentsSent);
        let answer = Action::Send { from: received.local, to: received.source, octets };
        Output::at_once(vec![answer])
    }

    /// Whether a revocation names this node, its home agent and its care-of address.
    fn is_meant(&self, fixed: &RegistrationRevocation) -> bool {
        Some(fixed.home_address) == self.home_address
            && fixed.home_domain_address == *self.home_agent.ip()
            && fixed.foreign_domain_address == *self.config.local.ip()
    }
}
