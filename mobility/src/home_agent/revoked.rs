//! Bindings that foreign agents revoke (RFC 3543 §3.5, §4.2.3.2).

use std::net::Ipv4Addr;
use std::sync::Arc;

use store::{Binding, Identity, Now, TargetResult, ViolationReason};
use wire::{Authentication, Nai, RegistrationRevocation, Spi};

use super::HomeAgent;
use super::revocation::Work;
use crate::action::Output;
use crate::association::Failure;
use crate::refusal::Refuse;
use crate::revocation::{Revoker as _, Sender, uses_inform};
use crate::tally::Tally;
use crate::violations::Violations;

impl HomeAgent {
    /// A foreign agent has revoked a binding.
    pub(super) fn end_revoked(
        &mut self,
        fixed: &RegistrationRevocation,
        binding: Option<Arc<Binding>>,
        sender: Sender<'_>,
        now: Now,
    ) -> Output {
        let negotiated = binding.as_ref().and_then(|binding| binding.revocation);
        let inform = negotiated.as_ref().is_some_and(uses_inform) && self.config.revocation.informs;
        let acknowledgment = self.acknowledge(fixed, inform, sender);
        let mut work = Work::default();
        let Some(binding) = binding else { return Output::at_once(vec![acknowledgment]) };
        self.drop_binding(&binding, &mut work);
        // Ours may be on its way to them: they have ended it by themselves.
        let key = store::Row::key(&*binding);
        self.give_up_revocation(&key, TargetResult::Gone, &mut work.batch, now);
        work.actions.push(acknowledgment);
        work.ended = vec![(binding.identity(), "revoked-by-foreign-agent")];
        self.commit(work, now)
    }

    /// The bindings that a revocation of `source` may mean.
    pub(super) fn revoked_bindings(
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

    /// Sees whether a message that nobody waits for is signed with the key of a node that it may be
    /// of; whose keys are not known is given the benefit of the doubt.
    pub(super) fn check_stray(
        &self,
        home_address: Ipv4Addr,
        nai: Option<&Nai>,
        mobile_home: &[Authentication<'_>],
    ) -> Result<(), Failure> {
        let [only] = mobile_home else {
            return Err((ViolationReason::MissingSecurityExtension, Spi(0)));
        };
        let named = Identity::of_node(nai, home_address);
        let nodes = self.state.bound_to(home_address).chain(std::iter::once(named));
        let mut keys = nodes.filter_map(|node| self.associations.get(&node, only.spi)).peekable();
        let is_known = keys.peek().is_some();
        if !is_known || keys.any(|key| key.verifies(only)) {
            return Ok(());
        }
        Err((ViolationReason::BadAuthenticator, only.spi))
    }
}

impl Refuse for HomeAgent {
    fn watch(&mut self) -> (&mut Tally, &mut Violations) {
        (&mut self.tally, &mut self.violations)
    }
}
