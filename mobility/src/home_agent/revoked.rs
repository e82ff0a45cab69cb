//! Revocations that foreign agents send us, and acknowledgments of ours (RFC 3543 §3.5, §4.2.3.2).

use std::net::Ipv4Addr;
use std::sync::Arc;

use store::{Binding, BindingKey, Counter, Identity, Now, TargetResult, ViolationReason};
use wire::{
    Authentication, Identification, Nai, ParseError, RegistrationRevocation,
    RegistrationRevocationAcknowledgment, Spi, extension_type,
};

use super::revocation::Work;
use super::{HomeAgent, Purpose};
use crate::action::{Action, Output, Received};
use crate::association::{SecurityAssociation, authentic};
use crate::clock;
use crate::extensions::read;
use crate::revocation::{Verdict, message, uses_inform};
use crate::violations::Offence;

impl HomeAgent {
    /// A foreign agent revokes a binding.
    pub(super) fn on_revocation(&mut self, received: &Received<'_>, now: Now) -> Output {
        type Fixed = RegistrationRevocation;
        let (fixed, extensions) = match read(received.octets, Fixed::LEN, Fixed::parse) {
            Ok(parsed) => parsed,
            Err(error) => return self.malformed(&error),
        };
        self.tally.count(Counter::RevocationsReceived);
        let source = *received.source.ip();
        let signer = match self.authenticate_agent(&extensions.foreign_home, source) {
            Ok(signer) => signer,
            Err((reason, spi)) => {
                return self.refuse_revocation(source, spi, fixed.identifier, reason, now);
            }
        };
        let spi = signer.spi;
        let refuse = |home_agent: &mut Self, reason| {
            home_agent.refuse_revocation(source, spi, fixed.identifier, reason, now)
        };
        // §3.5: the `A` bit tells a message that came back to us from one of a foreign agent.
        if fixed.is_from_home_agent() {
            return refuse(self, ViolationReason::BadIdentifier);
        }
        let name = (source, fixed.home_address, fixed.foreign_domain_address);
        if self.recent.judge(name, fixed.identifier) == Verdict::Replay {
            return refuse(self, ViolationReason::BadIdentifier);
        }
        if fixed.home_domain_address != self.config.address {
            return refuse(self, ViolationReason::Other);
        }
        let nai = extensions.nai.as_ref();
        let bindings = self.revoked_bindings(&fixed, nai, source);
        let binding = match bindings.as_slice() {
            [] if self.is_being_removed(&fixed) => return Output::default(), // It is repeated.
            // Nothing is left to revoke: acknowledged, so that the peer forgets it as well. That is
            // what happens after the acknowledgment was lost, and after we lost the binding.
            [] => None,
            [only] => Some(Arc::clone(only)),
            // Which of several is meant, nothing says.
            _ => return refuse(self, ViolationReason::Other),
        };
        if let Some(binding) = &binding {
            // Both timestamps are the foreign agent's (§4.2.3.2).
            let fresh = binding.revocation.is_some_and(|negotiated| {
                clock::is_later(fixed.identifier, negotiated.peer_timestamp)
            });
            if !fresh {
                return refuse(self, ViolationReason::BadIdentifier);
            }
        }
        self.recent.remember(name, fixed.identifier, now.uptime);
        self.take_revocation(&fixed, binding, (received, nai, &signer), now)
    }

    fn take_revocation(
        &mut self,
        fixed: &RegistrationRevocation,
        binding: Option<Arc<Binding>>,
        (received, nai, signer): (&Received<'_>, Option<&Nai>, &SecurityAssociation),
        now: Now,
    ) -> Output {
        let negotiated = binding.as_ref().and_then(|binding| binding.revocation);
        let inform = negotiated.as_ref().is_some_and(uses_inform) && self.config.revocation.informs;
        let mut octets = message::acknowledgment(fixed, inform, nai);
        signer.sign(&mut octets, extension_type::FOREIGN_HOME_AUTHENTICATION);
        let acknowledgment = Action::Send { from: received.local, to: received.source, octets };
        self.tally.count(Counter::RevocationAcknowledgmentsSent);
        let mut work = Work::default();
        let Some(binding) = binding else { return Output::at_once(vec![acknowledgment]) };
        self.drop_binding(&binding, &mut work);
        // Ours may be on its way to them: they have ended it by themselves.
        let key = store::Row::key(&*binding);
        self.give_up_revocation(&key, TargetResult::Gone, &mut work.batch, now);
        work.actions.push(acknowledgment);
        let ended = vec![(binding.identity(), "revoked-by-foreign-agent")];
        let (sent, notified) = (Vec::new(), Vec::new());
        let purpose = Purpose::Revocation { sent, notified, ended, at: now.stamp() };
        self.send_off(work.batch, work.actions, purpose)
    }

    /// A peer acknowledges a revocation of ours.
    pub(super) fn on_revocation_acknowledgment(
        &mut self,
        received: &Received<'_>,
        now: Now,
    ) -> Output {
        type Fixed = RegistrationRevocationAcknowledgment;
        let (fixed, extensions) = match read(received.octets, Fixed::LEN, Fixed::parse) {
            Ok(parsed) => parsed,
            Err(error) => return self.malformed(&error),
        };
        let source = *received.source.ip();
        let (home_address, identifier) = (fixed.home_address, fixed.identifier);
        let Some(key) = self.revocations.acknowledged_by(home_address, identifier, source) else {
            // §3.5: what we did not ask for, or is over, is silently discarded.
            self.tally.count(Counter::RevocationAcknowledgmentsUnexpected);
            return Output::default();
        };
        let is_authentic = match self.revocations.get(&key) {
            Some(it) if it.row.foreign_agent.is_some() => {
                self.authenticate_agent(&extensions.foreign_home, source).map(drop)
            }
            Some(it) => {
                let identity = it.row.identity();
                authentic(&extensions.mobile_home, |spi| {
                    self.associations.get(&identity, spi).cloned()
                })
                .map(drop)
            }
            None => return Output::default(),
        };
        if let Err((reason, spi)) = is_authentic {
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

    /// The bindings that a revocation of `source` may mean.
    fn revoked_bindings(
        &self,
        fixed: &RegistrationRevocation,
        nai: Option<&Nai>,
        source: Ipv4Addr,
    ) -> Vec<Arc<Binding>> {
        let identities: Vec<Identity> = match nai {
            Some(nai) => vec![Identity::Nai(nai.clone())],
            None => self.state.bound_to(fixed.home_address).collect(),
        };
        let bindings = identities.iter().flat_map(|identity| self.state.bindings(identity));
        let fitting = bindings.filter(|binding| {
            binding.home_address == fixed.home_address
                && binding.care_of_address == fixed.foreign_domain_address
                && binding.foreign_agent == Some(source)
        });
        fitting.cloned().collect()
    }

    /// Whether the store is about to remove what a revocation means; the answer waits for that.
    fn is_being_removed(&self, fixed: &RegistrationRevocation) -> bool {
        let is_meant = |key: &BindingKey| {
            key.home_address == fixed.home_address
                && key.care_of_address == fixed.foreign_domain_address
        };
        let changes = self.in_flight.values().flat_map(|in_flight| &in_flight.changes);
        changes.filter_map(super::binding_key).any(|key| is_meant(&key))
    }

    /// Exactly one valid Foreign-Home authentication (§3.3).
    pub(super) fn authenticate_agent(
        &self,
        foreign_home: &[Authentication<'_>],
        peer: Ipv4Addr,
    ) -> Result<Arc<SecurityAssociation>, (ViolationReason, Spi)> {
        let peer = Identity::Address(peer);
        authentic(foreign_home, |spi| self.associations.get(&peer, spi).cloned())
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

    pub(super) fn malformed(&mut self, error: &ParseError) -> Output {
        self.tally.count_malformed(error);
        Output::default()
    }
}
