//! A Registration Request, and what an answer to it needs.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use store::{Identity, Now, UtcTime};
use wire::{
    Code, DynamicHomeAgent, Flags, GfaIpAddress, Identification, Lifetime, MessageString, Nai,
    ParseError, RegistrationReply, RegistrationRequest, Spi, extension_type,
};

use crate::action::{Action, Received};
use crate::association::SecurityAssociation;
use crate::extensions::{Extensions, read};
use crate::notification::message::append_text;
use crate::revocation::Offer;

/// A request that parsed.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) fixed: RegistrationRequest,
    pub(super) extensions: Extensions<'a>,
    pub(super) received: Received<'a>,
    pub(super) now: Now,
    /// The gateway that assigned itself, where the request has no care-of address (RFC 4857 §7.4).
    pub(super) gateway: Option<Ipv4Addr>,
}

impl<'a> Request<'a> {
    pub(super) fn parse(received: &Received<'a>, now: Now) -> Result<Self, ParseError> {
        type Fixed = RegistrationRequest;
        let (mut fixed, extensions) = read(received.octets, Fixed::LEN, Fixed::parse)?;
        let is_open = fixed.care_of_address.is_unspecified();
        let gateway = extensions.gateway_appended.filter(|_| is_open);
        if let Some(gateway) = gateway {
            // It is the care-of address from here on; what is authenticated are the octets.
            fixed.care_of_address = gateway;
        }
        Ok(Self { fixed, extensions, received: *received, now, gateway })
    }

    /// Who asks, by NAI whenever there is one: home addresses need not be unique.
    pub(super) fn identity(&self) -> Option<Identity> {
        match &self.extensions.nai {
            Some(nai) => Some(Identity::Nai(nai.clone())),
            None if self.fixed.home_address.is_unspecified() => None,
            None => Some(Identity::Address(self.fixed.home_address)),
        }
    }

    pub(super) fn is_deregistration(&self) -> bool {
        self.fixed.lifetime == Lifetime::ZERO
    }

    /// The foreign agent that relayed the request, if one did.
    ///
    /// A reading: the RFC has no mark for it, so a request is taken as direct if
    /// it comes from the home address, or from the care-of address of a mobile
    /// node that decapsulates by itself (§3.6.1.1, §3.7.2.2).
    pub(super) fn foreign_agent(&self) -> Option<Ipv4Addr> {
        let source = *self.received.source.ip();
        let co_located = self.fixed.flags.any(Flags::DECAPSULATION_BY_MOBILE_NODE)
            && source == self.fixed.care_of_address;
        let direct = co_located || source == self.fixed.home_address || source.is_unspecified();
        (!direct).then_some(source)
    }
}

/// What a reply carries beyond what it answers.
#[derive(Debug, Default)]
pub(super) struct Extras {
    /// What it says of revocation.
    pub(super) offer: Option<Offer>,
    /// Texts for the user of the node (RFC 4917).
    pub(super) texts: Vec<String>,
    /// The home agent that the node is redirected to (RFC 4433 §3.4.2).
    pub(super) redirected: Option<Ipv4Addr>,
}

/// All that a reply needs to know of the request it answers (§3.8.3).
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) request: RegistrationRequest,
    pub(super) identity: Identity,
    nai: Option<Nai>,
    from: SocketAddrV4,
    /// Where the request came from.
    pub(super) to: SocketAddrV4,
    /// Whom the reply is authenticated for.
    pub(super) signer: Arc<SecurityAssociation>,
    pub(super) foreign_signer: Option<Arc<SecurityAssociation>>,
    /// When the request arrived, by our clock.
    pub(super) arrived_at: UtcTime,
    /// The SPI of the Mobile-Home authentication.
    pub(super) spi: Spi,
    /// The SPI of the first Foreign-Home authentication.
    pub(super) foreign_spi: Option<Spi>,
    /// Whether the request was authenticated with `signer`.
    pub(super) authenticated: bool,
    request_len: usize,
    /// Whether the mobile node registers without a foreign agent.
    is_direct: bool,
    gateway: Option<Ipv4Addr>,
}

impl Answer {
    pub(super) fn new(
        request: &Request<'_>,
        identity: Identity,
        home_agent: Ipv4Addr,
        signer: Arc<SecurityAssociation>,
        foreign_signer: Option<Arc<SecurityAssociation>>,
    ) -> Self {
        let local = request.received.local;
        // §3.8.3.1: what was sent to a broadcast or multicast address is answered from ours. That
        // of a subnet looks like any other, but the request names it as its home agent (§3.6.1.2).
        let of_many = local.ip().is_broadcast()
            || local.ip().is_multicast()
            || *local.ip() == request.fixed.home_agent;
        let address = if of_many { home_agent } else { *local.ip() };
        Self {
            request: request.fixed,
            identity,
            nai: request.extensions.nai.clone(),
            from: SocketAddrV4::new(address, local.port()),
            to: request.received.source,
            signer,
            foreign_signer,
            arrived_at: request.now.utc,
            spi: request.extensions.mobile_home.first().map_or(Spi(0), |it| it.spi),
            foreign_spi: request.extensions.foreign_home.first().map(|it| it.spi),
            authenticated: false,
            request_len: request.received.octets.len(),
            is_direct: request.foreign_agent().is_none(),
            gateway: request.gateway,
        }
    }

    pub(super) fn is_deregistration(&self) -> bool {
        self.request.lifetime == Lifetime::ZERO
    }

    pub(super) fn nai(&self) -> Option<&Nai> {
        self.nai.as_ref()
    }

    /// The reply, or nothing if it would be more than an unproven request deserves.
    pub(super) fn reply(
        &self,
        home_agent: Ipv4Addr,
        home_address: Ipv4Addr,
        code: Code,
        lifetime: Lifetime,
        identification: Identification,
        extras: &Extras,
    ) -> Option<Action> {
        let mut octets = Vec::with_capacity(128);
        RegistrationReply { code, lifetime, home_address, home_agent, identification }
            .emit(&mut octets);
        if let Some(nai) = &self.nai {
            nai.emit(&mut octets);
        }
        // What is for the mobile node comes before its authentication, what is for the foreign
        // agent behind it (RFC 3543 §3.2).
        let (is_direct, offer) = (self.is_direct, extras.offer);
        // RFC 4917 §5: before the Mobile-Home authentication, which protects it.
        for text in &extras.texts {
            append_text(&mut octets, MessageString::FROM_HOME_AGENT, text);
        }
        if let Some(home_agent) = extras.redirected {
            let subtype = DynamicHomeAgent::REDIRECTED;
            DynamicHomeAgent { subtype, home_agent }.emit(&mut octets);
        }
        if let Some(offer) = offer.filter(|_| is_direct) {
            offer.emit(&mut octets);
        }
        // RFC 4857 §7.4: the mobile node learns from us, and from nobody else, where it is bound.
        if let Some(gateway) = self.gateway.filter(|_| code.is_accepted()) {
            GfaIpAddress(gateway).emit(&mut octets);
        }
        self.signer.sign(&mut octets, extension_type::MOBILE_HOME_AUTHENTICATION);
        if let Some(offer) = offer.filter(|_| !is_direct) {
            offer.emit(&mut octets);
        }
        // §3.8.3.3 demands it whenever there is an association; §3.5.4 forbids it on
        // deregistrations, and the more particular rule holds.
        if let Some(association) = &self.foreign_signer
            && !self.is_deregistration()
        {
            association.sign(&mut octets, extension_type::FOREIGN_HOME_AUTHENTICATION);
        }
        // Nobody gets more octets reflected than were sent without proof.
        let deserved = self.authenticated || octets.len() <= self.request_len;
        deserved.then_some(Action::Send { from: self.from, to: self.to, octets })
    }
}
