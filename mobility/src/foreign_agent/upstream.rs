//! Whom a foreign agent answers to about a visitor: its home agent, or the gateway that it is beneath.
//!
//! A reading: RFC 3543 has no word of gateways and RFC 4857 none of revocation. Beneath a gateway the
//! gateway takes the home agent's part: it is the home domain, the foreign agent's own address is the
//! foreign domain, and the Foreign-Foreign authentication (RFC 4857 §11) protects what they say.

use std::net::Ipv4Addr;
use std::sync::Arc;

use store::Identity;

use super::ForeignAgent;
use super::pending::Pending;
use crate::association::SecurityAssociation;
use crate::between::Between;
use crate::visited::Upstream;

impl ForeignAgent {
    /// What is upstream of a request that waits for its reply.
    pub(super) fn upstream_of(&self, pending: &Pending) -> Upstream {
        let request = &pending.request;
        self.beneath(pending.gateway, request.home_agent, request.care_of_address)
    }

    /// With a gateway it is that, else the home agent.
    pub(super) fn beneath(
        &self,
        gateway: Option<Ipv4Addr>,
        home_agent: Ipv4Addr,
        care_of_address: Ipv4Addr,
    ) -> Upstream {
        match gateway {
            Some(peer) => {
                Upstream { peer, domain: self.config.address, between: Between::ForeignAgents }
            }
            None => Upstream {
                peer: home_agent,
                domain: care_of_address,
                between: Between::HomeAndForeign,
            },
        }
    }

    /// The association with a gateway: under the SPI of the region, or else the first.
    pub(super) fn gateway_association(
        &self,
        gateway: Ipv4Addr,
    ) -> Option<&Arc<SecurityAssociation>> {
        let peer = Identity::Address(gateway);
        let spi = self.config.regional.as_ref().and_then(|region| region.spi);
        match spi {
            Some(spi) => self.associations.get(&peer, spi),
            None => self.associations.with(&peer).next(),
        }
    }
}
