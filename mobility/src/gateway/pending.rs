//! Home registrations that wait for the home agent's reply, and where their answers go.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use store::{Identity, Now, ReplayProtection, Time};
use wire::{
    Code, Flags, GeneralizedAuthentication, Identification, Lifetime, Nai,
    RegionalRegistrationReply, RegistrationReply, RegistrationRequest, Spi, extension_type,
};

use super::config::GatewayConfig;
use crate::action::{Action, Received};
use crate::association::SecurityAssociation;
use crate::extensions::Extensions;

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
        let identity = match &nai {
            Some(nai) => Identity::Nai(nai.clone()),
            None => Identity::Address(request.home_address),
        };
        Self {
            request,
            is_regional,
            identity,
            nai,
            source: received.source,
            local: received.local,
            local_care_of_address: *received.source.ip(),
            signer: None,
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
        let RegistrationRequest { home_address, home_agent, .. } = self.request;
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

    /// Sends a reply to where the request came from.
    pub(super) fn send(&self, octets: Vec<u8>, config: &GatewayConfig) -> Action {
        let from = SocketAddrV4::new(config.address, self.local.port());
        Action::Send { from, to: self.source, octets }
    }
}

/// The requests that wait for home agents, one for each mobile node and home address.
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

    /// The request that a reply answers (RFC 5944 §3.7.3.1).
    pub(super) fn answered_by(
        &self,
        reply: &RegistrationReply,
        nai: Option<&Nai>,
    ) -> Option<&Pending> {
        let low = reply.identification.low();
        let mut fitting = self.list.values().filter(|pending| {
            let home = pending.request.home_address;
            pending.request.identification.low() == low
                && (home == reply.home_address || home.is_unspecified())
        });
        match nai {
            Some(nai) => fitting.find(|pending| pending.nai.as_ref() == Some(nai)),
            None => fitting.next(),
        }
    }
}
