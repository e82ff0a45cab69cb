//! Who sent a request to a gateway, and where its node is (RFC 4857 §5.1, §5.2, §9.2).

use std::net::Ipv4Addr;
use std::sync::Arc;

use store::{Identity, Now};
use wire::Spi;

use super::Gateway;
use super::denial::GatewayDenial as Denial;
use super::pending::Pending;
use crate::action::Received;
use crate::association::SecurityAssociation;
use crate::extensions::Extensions;

/// What is wrong with whoever sent a request, and the SPI that it used.
pub(super) type Fault = (Denial, Option<Spi>);

impl Gateway {
    /// Where the node is, and whether somebody vouches for it: the foreign agent that relayed the
    /// request, or the node itself, where it is co-located.
    pub(super) fn local_care_of_address(
        &self,
        pending: &Pending,
        extensions: &Extensions<'_>,
        received: &Received<'_>,
        now: Now,
    ) -> Result<Ipv4Addr, Fault> {
        let source = *received.source.ip();
        match (extensions.hierarchical, extensions.foreign_foreign.is_empty()) {
            (Some((address, start)), false) => {
                self.check_foreign_agent(source, start, extensions, now)?;
                // A node with an address of its own stays there, whoever relays (§5.1, the `R` bit).
                let own = pending.request.care_of_address;
                let is_own = pending.is_regional && pending.is_co_located();
                Ok(if is_own { own } else { address })
            }
            (Some((address, start)), true) if address == source => {
                let vouches = extensions.mobile_foreign.first().or(extensions.mobile_home.first());
                let covers = vouches.is_some_and(|it| it.covered.len() > start);
                if covers { Ok(address) } else { Err((Denial::MissingHierarchy, None)) }
            }
            // A reading: a regional request that comes from the very address that it registers needs
            // no extension to say so; what authenticates it covers that address.
            (None, true)
                if pending.is_regional
                    && pending.is_co_located()
                    && pending.request.care_of_address == source =>
            {
                Ok(source)
            }
            _ => Err((Denial::MissingHierarchy, None)),
        }
    }

    /// §11: exactly one valid authentication of a foreign agent of ours, right behind where it says
    /// that the node is, and behind everything else.
    fn check_foreign_agent(
        &self,
        source: Ipv4Addr,
        hierarchical_at: usize,
        extensions: &Extensions<'_>,
        now: Now,
    ) -> Result<(), Fault> {
        let [only] = extensions.foreign_foreign.as_slice() else {
            return Err((Denial::ForeignAgentFailedAuthentication, None));
        };
        let association = self.associations.get(&Identity::Address(source), only.spi);
        let is_valid =
            association.is_some_and(|it| it.verifies(only)) && only.covered.len() > hierarchical_at;
        let is_leaving = self.leaving.get(&source).is_some_and(|until| *until > now.uptime);
        let is_beneath = self.config.foreign_agents.contains(&source) || is_leaving;
        match (is_beneath, is_valid) {
            (true, true) => Ok(()),
            (true, false) => Err((Denial::ForeignAgentFailedAuthentication, Some(only.spi))),
            (false, true) if self.config.elsewhere.contains(&source) => {
                Err((Denial::ForeignAgentOfAnotherGateway, Some(only.spi)))
            }
            (false, _) => Err((Denial::ForeignAgentOfAnotherRegion, Some(only.spi))),
        }
    }

    /// What the foreign agent that vouched for a request offers of revocation, if it does.
    pub(super) fn vouching(
        &self,
        extensions: &Extensions<'_>,
        received: &Received<'_>,
    ) -> Option<(Arc<SecurityAssociation>, wire::RevocationSupport)> {
        let support = extensions.revocation_appended?;
        let [only] = extensions.foreign_foreign.as_slice() else { return None };
        let peer = Identity::Address(*received.source.ip());
        Some((Arc::clone(self.associations.get(&peer, only.spi)?), support))
    }

    /// The association with the mobile node: the one it used, or else any.
    pub(super) fn mobile_signer(
        &self,
        identity: &Identity,
        named: Option<Spi>,
    ) -> Option<Arc<SecurityAssociation>> {
        let named = named.and_then(|spi| self.associations.get(identity, spi));
        named.or_else(|| self.associations.with(identity).next()).map(Arc::clone)
    }
}
