//! Requests that wait for the home agent's reply (RFC 5944 §3.7.1).

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use store::{Identity, Now, Time};
use wire::{Code, Lifetime, MessageString, Nai, RegistrationRequest, Spi, extension_type};

use super::config::ForeignAgentConfig;
use crate::action::{Action, Received};
use crate::association::SecurityAssociation;
use crate::notification::message::append_text;
use crate::pending::{Waiting, reply};
use crate::revocation::Offer;

/// A relayed request, and all that its answer needs.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the request")]
pub(super) struct Pending {
    pub(super) request: RegistrationRequest,
    pub(super) identity: Identity,
    pub(super) nai: Option<Nai>,
    pub(super) source: SocketAddrV4,
    pub(super) local: SocketAddrV4,
    /// The link that the node is on, if the driver can tell.
    pub(super) interface: Option<u32>,
    pub(super) encapsulating_delivery: bool,
    /// The association with the mobile node, if there is one.
    pub(super) signer: Option<Arc<SecurityAssociation>>,
    /// Whether the request carries our Foreign-Home authentication.
    pub(super) signed_for_home_agent: bool,
    /// The SPI by which the mobile node is known: to us if it can be, else to its home agent.
    pub(super) spi: Option<Spi>,
    /// Whether somebody who has a key vouches for the request: the node to us, or its home agent.
    pub(super) authenticated: bool,
    pub(super) request_len: usize,
    /// The gateway that it was relayed to instead of the home agent (RFC 4857).
    pub(super) gateway: Option<Ipv4Addr>,
    /// Whether it is a Regional Registration Request, with the gateway in the place of the home agent.
    pub(super) is_regional: bool,
    /// What was offered of revocation.
    pub(super) offer: Option<Offer>,
    pub(super) sent_at: Now,
    pub(super) expires_at: Time,
}

impl Pending {
    /// Whom the reply is expected from.
    pub(super) fn peer(&self) -> Ipv4Addr {
        self.gateway.unwrap_or(self.request.home_agent)
    }

    /// The care-of address that the home agent knows, or will know: the gateway's, if it goes there.
    pub(super) fn care_of_address(&self) -> Ipv4Addr {
        self.gateway.unwrap_or(self.request.care_of_address)
    }

    /// A reply of our own (§3.7.2.3), or nothing if it would be more than an unproven request
    /// deserves: nobody gets more octets reflected than were sent without proof.
    pub(super) fn deny(
        &self,
        code: Code,
        text: Option<&str>,
        config: &ForeignAgentConfig,
    ) -> Option<Action> {
        // Only Code 69 says something in the lifetime: the longest we allow.
        let lifetime = if code == Code(69) { config.lifetime_max } else { self.request.lifetime };
        let RegistrationRequest { home_address, identification, .. } = self.request;
        let answer = (code, lifetime, identification);
        let mut octets = reply(&self.request, self.is_regional, self.nai.as_ref(), answer);
        if let Some(text) = text {
            append_text(&mut octets, MessageString::FROM_FOREIGN_AGENT, text);
        }
        let sent = self.send(octets, home_address, config);
        let length = match &sent {
            Action::Send { octets, .. } | Action::SendOnLink { octets, .. } => octets.len(),
            _ => 0,
        };
        (self.authenticated || length <= self.request_len).then_some(sent)
    }

    /// Sends a reply to the mobile node, with our authentication if there is an association (§3.7.3.2).
    pub(super) fn send(
        &self,
        mut octets: Vec<u8>,
        home_address: Ipv4Addr,
        config: &ForeignAgentConfig,
    ) -> Action {
        if let Some(association) = &self.signer {
            association.sign(&mut octets, extension_type::MOBILE_FOREIGN_AUTHENTICATION);
        }
        let (from, to) = (self.reply_source(config), self.reply_destination(home_address));
        match self.interface {
            // §3.7.2.3: to the link that the request came from, not to where the home address is.
            Some(interface) => Action::SendOnLink { interface, from, to, octets },
            None => Action::Send { from, to, octets },
        }
    }

    /// §3.7.2.3: where the request was sent to, unless that was the group of all agents.
    fn reply_source(&self, config: &ForeignAgentConfig) -> SocketAddrV4 {
        let of_many = self.local.ip().is_multicast() || self.local.ip().is_broadcast();
        let address = if of_many { config.address } else { *self.local.ip() };
        SocketAddrV4::new(address, self.local.port())
    }

    /// §3.7.2.3: the home address in the reply, or else the broadcast address.
    ///
    /// A reading: a node that sent from another address than its home address has a co-located one
    /// (the `R` bit, §2.1.1), and is answered there; nothing else would reach it.
    fn reply_destination(&self, home_address: Ipv4Addr) -> SocketAddrV4 {
        reach(self.source, home_address)
    }
}

/// Where a node is reached whose request came from `source`.
pub(super) fn reach(source: SocketAddrV4, home_address: Ipv4Addr) -> SocketAddrV4 {
    let address = match (source.ip().is_unspecified(), home_address.is_unspecified()) {
        (false, _) => *source.ip(),
        (true, false) => home_address,
        (true, true) => Ipv4Addr::BROADCAST,
    };
    SocketAddrV4::new(address, source.port())
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

/// A request that arrived, as the answer to it needs it.
pub(super) fn pending(
    request: RegistrationRequest,
    identity: Identity,
    nai: Option<Nai>,
    received: &Received<'_>,
    now: Now,
    timeout: std::time::Duration,
) -> Pending {
    // §3.7.2.2: a request whose own lifetime ends sooner is given up then.
    let lifetime = request.lifetime.duration().filter(|lifetime| !lifetime.is_zero());
    let timeout = lifetime.map_or(timeout, |lifetime| lifetime.min(timeout));
    Pending {
        request,
        identity,
        nai,
        source: received.source,
        local: received.local,
        interface: received.interface,
        encapsulating_delivery: false,
        signer: None,
        signed_for_home_agent: false,
        spi: None,
        authenticated: false,
        request_len: received.octets.len(),
        gateway: None,
        is_regional: false,
        offer: None,
        sent_at: now,
        expires_at: now.uptime + timeout,
    }
}

/// The zero lifetime, by which a node deregisters.
pub(super) fn is_deregistration(request: &RegistrationRequest) -> bool {
    request.lifetime == Lifetime::ZERO
}
