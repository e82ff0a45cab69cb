//! Visitors that home agents revoke (RFC 3543 §3.5, §4.2.2.2).

use std::net::Ipv4Addr;
use std::sync::Arc;

use store::{Identity, Now, Row as _, TargetResult, Visitor};
use wire::{Nai, RegistrationRevocation};

use super::ForeignAgent;
use super::revocation::informing;
use crate::action::Output;
use crate::refusal::Refuse;
use crate::revocation::{Revoker as _, Sender};
use crate::tally::Tally;
use crate::violations::Violations;
use crate::visited::{Revokes as _, Work};

impl ForeignAgent {
    /// A home agent has revoked a binding.
    pub(super) fn end_revoked(
        &mut self,
        fixed: &RegistrationRevocation,
        visitor: Option<Arc<Visitor>>,
        sender: Sender<'_>,
        now: Now,
    ) -> Output {
        let negotiated = visitor.as_ref().and_then(|visitor| visitor.revocation.as_ref());
        let inform = self.config.revocation.informs_of(fixed, negotiated);
        let acknowledgment = self.acknowledge(fixed, inform, sender);
        let Some(visitor) = visitor else { return Output::at_once(vec![acknowledgment]) };
        let mut work = Work::default();
        self.drop_visitor(&visitor, &mut work);
        // Ours may be on its way to them: they have ended it by themselves.
        self.give_up_revocation(&visitor.key(), TargetResult::Gone, &mut work.batch, now);
        work.actions.push(acknowledgment);
        work.actions.extend(inform.then(|| informing(&visitor)));
        let is_regional = visitor.regional.is_some();
        let by = if is_regional { "revoked-by-gateway" } else { "revoked-by-home-agent" };
        work.ended = vec![(visitor.identity.clone(), by)];
        self.commit(work, now)
    }

    /// The visitors that a revocation of `peer` may mean: those of a home agent at the care-of address,
    /// or those of a gateway that are with us.
    pub(super) fn revoked_visitors(
        &self,
        fixed: &RegistrationRevocation,
        nai: Option<&Nai>,
        peer: Ipv4Addr,
    ) -> Vec<Arc<Visitor>> {
        let named = |visitor: &Visitor| match nai {
            Some(nai) => visitor.identity == Identity::Nai(nai.clone()),
            None => true,
        };
        let visitors = self.visitors.with_home(fixed.home_address);
        let fitting = visitors.filter(|visitor| {
            let upstream = self.upstream(visitor);
            upstream.peer == peer
                && upstream.domain == fixed.foreign_domain_address
                && named(visitor)
        });
        fitting.cloned().collect()
    }
}

impl Refuse for ForeignAgent {
    fn watch(&mut self) -> (&mut Tally, &mut Violations) {
        (&mut self.tally, &mut self.violations)
    }
}
