//! Home registrations that wait for the home agent's reply, and where their answers go.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use store::{Identity, Now, ReplayProtection, Time};
use wire::{
    Code, Flags, GeneralizedAuthentication, Identification, Lifetime, Nai, RegistrationRequest,
    Spi, extension_type,
};

use super::config::GatewayConfig;
use crate::action::{Action, Received};
use crate::association::SecurityAssociation;
use crate::between::Between;
use crate::extensions::Extensions;
use crate::pending::{Waiting, reply};
use crate::revocation::Offer;

/// A request, and all that its answer needs. Regional ones have the gateway in the place of the
/// home agent, and are answered at once.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) request: RegistrationRequest,
    pub(super) is_regional: bool,
    pub(super) identity: Identity,
    pub(super) nai: Option<Nai>,
    /// The foreign agent, or the mobile node with a co-located address.
    pub(super) source: SocketAddrV4,
    pub(super) local: SocketAddrV4,
    /// Where the node is within the region.
    pub(super) local_care_of_address: Ipv4Addr,
    /// The association with the mobile node, if there is one.
    pub(super) signer: Option<Arc<SecurityAssociation>>,
    /// The association with the foreign agent that the request came through, if that has offered
    /// revocation, and what it offered.
    pub(super) vouching: Option<(Arc<SecurityAssociation>, wire::RevocationSupport)>,
    /// What was offered to the home agent of revocation.
    pub(super) offer: Option<Offer>,
    /// Whether the request carries our Foreign-Home authentication.
    pub(super) signed_for_home_agent: bool,
    /// What protects regional requests from replays, once it is accepted.
    pub(super) replay: ReplayProtection,
    /// The SPI by which the mobile node is known.
    pub(super) spi: Option<Spi>,
    /// Whether somebody who has a key vouches for the request.
    pub(super) authenticated: bool,
    pub(super) request_len: usize,
    pub(super) expires_at: Time,
}

impl Pending {
    /// A request that arrived, before anything is known of who sent it.
    pub(super) fn new(
        request: RegistrationRequest,
        is_regional: bool,
        extensions: &Extensions<'_>,
        received: &Received<'_>,
        now: Now,
    ) -> Self {
        let nai = extensions.nai.clone();
        let identity = Identity::of_node(nai.as_ref(), request.home_address);
        Self {
            request,
            is_regional,
            identity,
            nai,
            source: received.source,
            local: received.local,
            local_care_of_address: *received.source.ip(),
            signer: None,
            vouching: None,
            offer: None,
            signed_for_home_agent: false,
            replay: ReplayProtection::Timestamps,
            spi: None,
            authenticated: false,
            request_len: received.octets.len(),
            expires_at: now.uptime,
        }
    }

    /// The zero lifetime, by which a node deregisters.
    pub(super) fn is_deregistration(&self) -> bool {
        self.request.lifetime == Lifetime::ZERO
    }

    pub(super) fn is_co_located(&self) -> bool {
        self.request.flags.any(Flags::DECAPSULATION_BY_MOBILE_NODE)
    }

    /// Whether the gateway is to assign itself (RFC 4857 §7.1).
    pub(super) fn is_dynamic(&self) -> bool {
        !self.is_regional && self.request.care_of_address.is_unspecified()
    }

    /// A reply of our own, or nothing if it would be more than an unproven request deserves.
    pub(super) fn deny(
        &self,
        code: Code,
        identification: Identification,
        config: &GatewayConfig,
    ) -> Option<Action> {
        let limit =
            if self.is_regional { config.regional_lifetime_max } else { config.lifetime_max };
        let lifetime = if code == Code(69) { limit } else { self.request.lifetime };
        let octets = self.reply(code, lifetime, identification);
        let deserved = self.authenticated || octets.len() <= self.request_len;
        deserved.then(|| self.send(octets, config))
    }

    /// A reply with our authentication, if there is an association.
    pub(super) fn reply(
        &self,
        code: Code,
        lifetime: Lifetime,
        identification: Identification,
    ) -> Vec<u8> {
        let answer = (code, lifetime, identification);
        let mut octets = reply(&self.request, self.is_regional, self.nai.as_ref(), answer);
        self.sign(&mut octets);
        octets
    }

    /// Authenticates what is for the mobile node, if there is an association (RFC 4857 §5.3, §10).
    pub(super) fn sign(&self, octets: &mut Vec<u8>) {
        let Some(association) = &self.signer else { return };
        if self.is_regional {
            association.sign_generalized(octets, GeneralizedAuthentication::MOBILE_GATEWAY);
        } else {
            association.sign(octets, extension_type::MOBILE_FOREIGN_AUTHENTICATION);
        }
    }

    /// Says to the foreign agent that we revoke as it has offered: behind what is for the node, and
    /// protected by what is between the two of us.
    pub(super) fn agree(&self, offer: Option<Offer>, octets: &mut Vec<u8>) {
        if let (Some(offer), Some((association, _))) = (offer, &self.vouching) {
            offer.emit(octets);
            Between::ForeignAgents.sign(association, octets);
        }
    }

    /// What we and the foreign agent have agreed upon, once [`Self::agree`] has said so.
    pub(super) fn agreed(&self, offer: Option<Offer>) -> Option<store::RevocationSupport> {
        let (_, support) = self.vouching.as_ref()?;
        Some(offer?.with(*support))
    }

    /// Sends a reply to where the request came from.
    pub(super) fn send(&self, octets: Vec<u8>, config: &GatewayConfig) -> Action {
        let from = SocketAddrV4::new(config.address, self.local.port());
        Action::Send { from, to: self.source, octets }
    }
}

impl Waiting for Pending {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn nai(&self) -> Option<&Nai> {
        self.nai.as_ref()
    }

    fn request(&self) -> &RegistrationRequest {
        &self.request
    }

    fn expires_at(&self) -> Time {
        self.expires_at
    }
}
