//! Revocations that home agents send us, and acknowledgments of ours (RFC 3543 §3.5, §4.2.2.2).

use std::net::Ipv4Addr;
use std::sync::Arc;

use store::{Counter, Identity, Now, Row as _, TargetResult, ViolationReason, Visitor};
use wire::{
    Identification, Nai, RegistrationRevocation, RegistrationRevocationAcknowledgment, Spi,
    extension_type,
};

use super::revocation::{Work, informing};
use super::{ForeignAgent, Purpose};
use crate::action::{Action, Output, Received};
use crate::association::{SecurityAssociation, authentic};
use crate::clock;
use crate::extensions::read;
use crate::revocation::{Verdict, message, uses_inform};
use crate::violations::Offence;

impl ForeignAgent {
    /// A home agent revokes a binding.
    pub(super) fn on_revocation(&mut self, received: &Received<'_>, now: Now) -> Output {
        type Fixed = RegistrationRevocation;
        let (fixed, extensions) = match read(received.octets, Fixed::LEN, Fixed::parse) {
            Ok(parsed) => parsed,
            Err(error) => {
                self.tally.count_malformed(&error);
                return Output::default();
            }
        };
        self.tally.count(Counter::RevocationsReceived);
        let source = *received.source.ip();
        let peer = Identity::Address(source);
        let signer =
            authentic(&extensions.foreign_home, |spi| self.associations.get(&peer, spi).cloned());
        let signer = match signer {
            Ok(signer) => signer,
            Err((reason, spi)) => {
                return self.refuse_revocation(source, spi, fixed.identifier, reason, now);
            }
        };
        let spi = signer.spi;
        let refuse = |foreign_agent: &mut Self, reason| {
            foreign_agent.refuse_revocation(source, spi, fixed.identifier, reason, now)
        };
        // §3.5: the `A` bit tells a message that came back to us from one of a home agent.
        if !fixed.is_from_home_agent() {
            return refuse(self, ViolationReason::BadIdentifier);
        }
        let name = (source, fixed.home_address, fixed.foreign_domain_address);
        if self.recent.judge(name, fixed.identifier) == Verdict::Replay {
            return refuse(self, ViolationReason::BadIdentifier);
        }
        if fixed.home_domain_address != source || !self.config.is_own(fixed.foreign_domain_address)
        {
            return refuse(self, ViolationReason::Other);
        }
        let nai = extensions.nai.as_ref();
        let visitors = self.revoked_visitors(&fixed, nai, source);
        let visitor = match visitors.as_slice() {
            [] if self.is_being_removed(fixed.home_address) => return Output::default(),
            // Nothing is left to revoke: acknowledged, so that the peer forgets it as well.
            [] => None,
            [only] => Some(Arc::clone(only)),
            // Which of several is meant, nothing says.
            _ => return refuse(self, ViolationReason::Other),
        };
        if let Some(visitor) = &visitor {
            // Both timestamps are the home agent's (§4.2.2.2).
            let fresh = visitor.revocation.is_some_and(|negotiated| {
                clock::is_later(fixed.identifier, negotiated.peer_timestamp)
            });
            if !fresh {
                return refuse(self, ViolationReason::BadIdentifier);
            }
        }
        self.recent.remember(name, fixed.identifier, now.uptime);
        self.take_revocation(&fixed, visitor, (received, nai, &signer), now)
    }

    fn take_revocation(
        &mut self,
        fixed: &RegistrationRevocation,
        visitor: Option<Arc<Visitor>>,
        (received, nai, signer): (&Received<'_>, Option<&Nai>, &SecurityAssociation),
        now: Now,
    ) -> Output {
        let negotiated = visitor.as_ref().and_then(|visitor| visitor.revocation);
        // §4.2.2.2: where the `I` bit was negotiated it decides, and our policy elsewhere.
        let inform = match &negotiated {
            Some(negotiated) if uses_inform(negotiated) => fixed.informs(),
            Some(_) => self.config.revocation.informs,
            None => false,
        };
        let mut octets = message::acknowledgment(fixed, inform, nai);
        signer.sign(&mut octets, extension_type::FOREIGN_HOME_AUTHENTICATION);
        let acknowledgment = Action::Send { from: received.local, to: received.source, octets };
        self.tally.count(Counter::RevocationAcknowledgmentsSent);
        let Some(visitor) = visitor else { return Output::at_once(vec![acknowledgment]) };
        let mut work = Work::default();
        self.drop_visitor(&visitor, &mut work);
        // Ours may be on its way to them: they have ended it by themselves.
        self.give_up_revocation(&visitor.key(), TargetResult::Gone, &mut work.batch, now);
        work.actions.push(acknowledgment);
        work.actions.extend(inform.then(|| informing(&visitor)));
        let ended = vec![(visitor.identity.clone(), "revoked-by-home-agent")];
        let purpose = Purpose::Revocation { sent: Vec::new(), notified: Vec::new(), ended };
        self.send_off(work.batch, work.actions, purpose)
    }

    /// A home agent acknowledges a revocation of ours.
    pub(super) fn on_revocation_acknowledgment(
        &mut self,
        received: &Received<'_>,
        now: Now,
    ) -> Output {
        type Fixed = RegistrationRevocationAcknowledgment;
        let (fixed, extensions) = match read(received.octets, Fixed::LEN, Fixed::parse) {
            Ok(parsed) => parsed,
            Err(error) => {
                self.tally.count_malformed(&error);
                return Output::default();
            }
        };
        let source = *received.source.ip();
        let (home_address, identifier) = (fixed.home_address, fixed.identifier);
        let Some(key) = self.revocations.acknowledged_by(home_address, identifier, source) else {
            self.tally.count(Counter::RevocationAcknowledgmentsUnexpected);
            return Output::default();
        };
        let peer = Identity::Address(source);
        let signer =
            authentic(&extensions.foreign_home, |spi| self.associations.get(&peer, spi).cloned());
        if let Err((reason, spi)) = signer {
            return self.refuse_revocation(source, spi, identifier, reason, now);
        }
        self.tally.count(Counter::RevocationsAcknowledged);
        if let Some(revocation) = self.revocations.get_mut(&key)
            && !std::mem::replace(&mut revocation.is_acknowledged, true)
        {
            revocation.acknowledged_inform = fixed.informs();
            self.acknowledged.push(key);
        }
        Output::default()
    }

    /// The visitors that a revocation of `home_agent` may mean.
    fn revoked_visitors(
        &self,
        fixed: &RegistrationRevocation,
        nai: Option<&Nai>,
        home_agent: Ipv4Addr,
    ) -> Vec<Arc<Visitor>> {
        let named = |visitor: &Visitor| match nai {
            Some(nai) => visitor.identity == Identity::Nai(nai.clone()),
            None => true,
        };
        let visitors = self.visitors.with_home(fixed.home_address);
        let fitting = visitors.filter(|visitor| {
            visitor.care_of_address == fixed.foreign_domain_address
                && visitor.home_agent == home_agent
                && named(visitor)
        });
        fitting.cloned().collect()
    }

    /// Whether the store is about to remove what a revocation means; the answer waits for that.
    fn is_being_removed(&self, home_address: Ipv4Addr) -> bool {
        let changes = self.in_flight.values().flat_map(|it| &it.changes);
        changes.filter_map(super::visitor_key).any(|key| key.home_address == home_address)
    }

    /// Discards a message without a word (§3.3, §3.5), and says so to the operator.
    fn refuse_revocation(
        &mut self,
        source: Ipv4Addr,
        spi: Spi,
        identifier: u32,
        reason: ViolationReason,
        now: Now,
    ) -> Output {
        self.tally.count(Counter::RevocationsDiscarded);
        self.tally.count(Counter::MipSecTotalViolations);
        let offence = Offence {
            violator: Identity::Address(source),
            address: source,
            spi,
            identification: Identification::from_halves(identifier, 0),
            reason,
            code: None,
        };
        self.violations.record(offence, now);
        Output::default()
    }
}
