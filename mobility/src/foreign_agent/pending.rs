//! Requests that wait for the home agent's reply (RFC 5944 §3.7.1).

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use store::{Identity, Now, Time};
use wire::{
    Code, Lifetime, MessageString, Nai, RegionalRegistrationReply, RegistrationReply,
    RegistrationRequest, Spi, extension_type,
};

use super::config::ForeignAgentConfig;
use crate::action::{Action, Received};
use crate::association::SecurityAssociation;
use crate::notification::message::append_text;
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
        let RegistrationRequest { home_address, home_agent, identification, .. } = self.request;
        let mut octets = Vec::with_capacity(96);
        if self.is_regional {
            let gfa_ip_address = home_agent;
            RegionalRegistrationReply {
                code,
                lifetime,
                home_address,
                gfa_ip_address,
                identification,
            }
            .emit(&mut octets);
        } else {
            RegistrationReply { code, lifetime, home_address, home_agent, identification }
                .emit(&mut octets);
        }
        if let Some(nai) = &self.nai {
            nai.emit(&mut octets);
        }
        if let Some(text) = text {
            append_text(&mut octets, MessageString::FROM_FOREIGN_AGENT, text);
        }
        let reply = self.send(octets, home_address, config);
        let length = match &reply {
            Action::Send { octets, .. } | Action::SendOnLink { octets, .. } => octets.len(),
            _ => 0,
        };
        (self.authenticated || length <= self.request_len).then_some(reply)
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

/// The pending requests, one for each mobile node and home address.
#[derive(Debug, Default)]
pub(super) struct PendingList {
    list: BTreeMap<(Identity, Ipv4Addr), Pending>,
    /// Invariant: one entry for each request, by when it is given up.
    deadlines: BTreeSet<(Time, Identity, Ipv4Addr)>,
}

impl PendingList {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn contains(&self, identity: &Identity, home_address: Ipv4Addr) -> bool {
        self.list.contains_key(&(identity.clone(), home_address))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Pending> {
        self.list.values()
    }

    /// Adds a request in the place of the one that the node sent before.
    pub(super) fn insert(&mut self, pending: Pending) {
        let key = (pending.identity.clone(), pending.request.home_address);
        self.remove(&key.0, key.1);
        // A node that has learnt its home address asks no more for one.
        self.remove(&key.0, Ipv4Addr::UNSPECIFIED);
        self.deadlines.insert((pending.expires_at, key.0.clone(), key.1));
        self.list.insert(key, pending);
    }

    pub(super) fn remove(&mut self, identity: &Identity, home: Ipv4Addr) -> Option<Pending> {
        let pending = self.list.remove(&(identity.clone(), home))?;
        self.deadlines.remove(&(pending.expires_at, identity.clone(), home));
        Some(pending)
    }

    /// Removes and returns one request whose time is over.
    pub(super) fn expire(&mut self, now: Time) -> Option<Pending> {
        let (at, identity, home) = self.deadlines.first()?;
        if *at > now {
            return None;
        }
        let (identity, home) = (identity.clone(), *home);
        self.remove(&identity, home)
    }

    pub(super) fn first_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(at, ..)| *at)
    }

    /// The request that a reply answers (§3.7.3.1): same home address, or none yet, and the same lower
    /// half of the Identification; the NAI tells apart nodes with the same home address.
    pub(super) fn answered_by(
        &self,
        reply: &RegistrationReply,
        nai: Option<&Nai>,
        is_regional: bool,
    ) -> Option<&Pending> {
        let low = reply.identification.low();
        let mut fitting = self.list.values().filter(|pending| {
            let home = pending.request.home_address;
            pending.is_regional == is_regional
                && pending.request.identification.low() == low
                && (home == reply.home_address || home.is_unspecified())
        });
        match nai {
            Some(nai) => fitting.find(|pending| pending.nai.as_ref() == Some(nai)),
            None => fitting.next(),
        }
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
