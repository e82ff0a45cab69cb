//! Requests that were relayed and wait for their replies (RFC 5944 §3.7.1), as foreign agents and
//! gateways keep them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use store::{Identity, Time};
use wire::{
    Code, Identification, Lifetime, Nai, RegionalRegistrationReply, RegistrationReply,
    RegistrationRequest,
};

/// A request that waits for its reply.
pub(crate) trait Waiting {
    fn identity(&self) -> &Identity;
    fn nai(&self) -> Option<&Nai>;
    fn request(&self) -> &RegistrationRequest;
    /// When it is given up.
    fn expires_at(&self) -> Time;
}

/// The requests that wait, one for each mobile node and home address.
#[derive(Debug)]
pub(crate) struct PendingList<P> {
    list: BTreeMap<(Identity, Ipv4Addr), P>,
    /// Invariant: one entry for each request, by when it is given up.
    deadlines: BTreeSet<(Time, Identity, Ipv4Addr)>,
}

impl<P> Default for PendingList<P> {
    fn default() -> Self {
        Self { list: BTreeMap::new(), deadlines: BTreeSet::new() }
    }
}

impl<P: Waiting> PendingList<P> {
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn contains(&self, identity: &Identity, home_address: Ipv4Addr) -> bool {
        self.list.contains_key(&(identity.clone(), home_address))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &P> {
        self.list.values()
    }

    /// Adds a request in the place of the one that the node sent before.
    pub(crate) fn insert(&mut self, pending: P) {
        let key = (pending.identity().clone(), pending.request().home_address);
        self.remove(&key.0, key.1);
        self.deadlines.insert((pending.expires_at(), key.0.clone(), key.1));
        self.list.insert(key, pending);
    }

    pub(crate) fn remove(&mut self, identity: &Identity, home: Ipv4Addr) -> Option<P> {
        let pending = self.list.remove(&(identity.clone(), home))?;
        self.deadlines.remove(&(pending.expires_at(), identity.clone(), home));
        Some(pending)
    }

    /// Removes and returns one request whose time is over.
    pub(crate) fn expire(&mut self, now: Time) -> Option<P> {
        let (at, identity, home) = self.deadlines.first()?;
        if *at > now {
            return None;
        }
        let (identity, home) = (identity.clone(), *home);
        self.remove(&identity, home)
    }

    pub(crate) fn first_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(at, ..)| *at)
    }

    /// The request of those `among` that a reply answers (RFC 5944 §3.7.3.1): same home address, or
    /// none yet, and the same lower half of the Identification; the NAI tells apart nodes with the
    /// same home address.
    pub(crate) fn answered_by(
        &self,
        reply: &RegistrationReply,
        nai: Option<&Nai>,
        among: impl Fn(&P) -> bool,
    ) -> Option<&P> {
        let low = reply.identification.low();
        let mut fitting = self.list.values().filter(|pending| {
            let home = pending.request().home_address;
            among(pending)
                && pending.request().identification.low() == low
                && (home == reply.home_address || home.is_unspecified())
        });
        match nai {
            Some(nai) => fitting.find(|pending| pending.nai() == Some(nai)),
            None => fitting.next(),
        }
    }
}

/// The beginning of a reply to `request`, up to the NAI: a Regional Registration Reply has the
/// gateway in the place of the home agent (RFC 4857 §10.2), as its request has.
pub(crate) fn reply(
    request: &RegistrationRequest,
    is_regional: bool,
    nai: Option<&Nai>,
    (code, lifetime, identification): (Code, Lifetime, Identification),
) -> Vec<u8> {
    let RegistrationRequest { home_address, home_agent, .. } = *request;
    let mut octets = Vec::with_capacity(96);
    if is_regional {
        let gfa_ip_address = home_agent;
        RegionalRegistrationReply { code, lifetime, home_address, gfa_ip_address, identification }
            .emit(&mut octets);
    } else {
        RegistrationReply { code, lifetime, home_address, home_agent, identification }
            .emit(&mut octets);
    }
    if let Some(nai) = nai {
        nai.emit(&mut octets);
    }
    octets
}
