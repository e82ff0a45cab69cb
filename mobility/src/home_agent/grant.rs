//! What a granted request changes (RFC 5944 §3.8.2.2).

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use store::{
    Batch, Binding, BindingKey, Identity, Node, Now, ReplayProtection, Row, TargetResult, Unknown,
    UtcTime,
};
use wire::{Code, Flags, Lifetime};

use super::HomeAgent;
use super::config::Admission;
use super::denial::Denial;
use super::request::{Answer, Request};
use crate::action::Action;
use crate::clock;
use crate::revocation::{Offer, Revoker as _};

/// What a granted request does, before anything has been done.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) home_address: Ipv4Addr,
    pub(super) lifetime: Lifetime,
    pub(super) code: Code,
    /// The bindings that end, as memory has them.
    ended: Vec<Arc<Binding>>,
    scope: Scope,
    /// The binding that comes to be or is renewed.
    bound: Option<Arc<Binding>>,
    node: Arc<Node>,
    /// What the reply says of revocation.
    pub(super) offer: Option<Offer>,
}

/// Which bindings of a home address a request ends, besides what memory knows of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Scope {
    None,
    /// The one with this care-of address.
    One(Ipv4Addr),
    /// All but the one with this care-of address.
    Others(Ipv4Addr),
    All,
}

impl Scope {
    fn covers(self, care_of_address: Ipv4Addr) -> bool {
        match self {
            Self::None => false,
            Self::One(one) => care_of_address == one,
            Self::Others(kept) => care_of_address != kept,
            Self::All => true,
        }
    }
}

impl Grant {
    /// What a node that has moved leaves behind; nothing, if it deregisters.
    pub(super) fn left_behind(&self) -> Vec<Arc<Binding>> {
        let Some(bound) = &self.bound else { return Vec::new() };
        let elsewhere = |binding: &&Arc<Binding>| binding.foreign_agent != bound.foreign_agent;
        self.ended.iter().filter(elsewhere).cloned().collect()
    }
}

impl HomeAgent {
    /// Works out what it means to accept `request`.
    pub(super) fn grant(
        &mut self,
        request: &Request<'_>,
        answer: &Answer,
    ) -> Result<Grant, Denial> {
        if self.in_flight.len() >= self.config.in_flight_max {
            return Err(Denial::Overloaded);
        }
        let home_address = self.home_address(request, &answer.identity)?;
        if request.is_deregistration() {
            return Ok(self.grant_deregistration(request, answer, home_address));
        }
        let bindings = self.state.bindings(&answer.identity);
        let same_home = bindings.iter().filter(|binding| binding.home_address == home_address);
        let is_here =
            |binding: &&Arc<Binding>| binding.care_of_address == request.fixed.care_of_address;
        let renewed = same_home.clone().find(is_here).cloned();
        let others: Vec<_> = same_home.filter(|binding| !is_here(binding)).cloned().collect();
        let simultaneous = self.config.simultaneous_bindings_max > 1;
        let keep = simultaneous && request.fixed.flags.any(Flags::SIMULTANEOUS_BINDINGS);
        if keep && others.len() >= self.config.simultaneous_bindings_max {
            return Err(Denial::TooManySimultaneousBindings);
        }
        let (ended, scope) = if keep {
            (Vec::new(), Scope::None)
        } else {
            (others, Scope::Others(request.fixed.care_of_address))
        };
        if renewed.is_none() && self.state.len() >= self.config.bindings_max + ended.len() {
            return Err(Denial::TooManyBindingsInAll);
        }
        // A reading of §3.8.3.2: a home agent without simultaneous bindings answers every
        // registration with 1, also one that did not ask for them.
        let code =
            if simultaneous { Code::ACCEPTED } else { Code::ACCEPTED_NO_SIMULTANEOUS_BINDINGS };
        let lifetime = request.fixed.lifetime.min(self.config.lifetime_max);
        let lifetime = self.lifetime_left(request.now).map_or(lifetime, |left| lifetime.min(left));
        let negotiated = self.negotiate(request, answer, renewed.as_ref());
        if negotiated.is_none() && self.config.revocation.is_required {
            return Err(Denial::RevocationRequired);
        }
        let node = self.node_row(request, answer, home_address);
        let mut bound = self.binding_row(request, answer, home_address, lifetime, renewed.as_ref());
        let offer = negotiated.map(|(offer, support)| {
            Arc::make_mut(&mut bound).revocation = Some(offer.with(support));
            offer
        });
        Ok(Grant { home_address, lifetime, code, ended, scope, bound: Some(bound), node, offer })
    }

    /// §3.8.2.2: a deregistration ends one binding, or all when the care-of address is the home address.
    fn grant_deregistration(
        &mut self,
        request: &Request<'_>,
        answer: &Answer,
        home_address: Ipv4Addr,
    ) -> Grant {
        let fixed = &request.fixed;
        let all = fixed.care_of_address == fixed.home_address;
        let is_meant = |binding: &&Arc<Binding>| {
            // A node that knows only its NAI means whatever it has (RFC 2794 §2).
            (fixed.home_address.is_unspecified() || binding.home_address == fixed.home_address)
                && (all || binding.care_of_address == fixed.care_of_address)
        };
        let ended =
            self.state.bindings(&answer.identity).iter().filter(is_meant).cloned().collect();
        let node = self.node_row(request, answer, home_address);
        let (lifetime, code) = (Lifetime::ZERO, Code::ACCEPTED);
        let scope = if all { Scope::All } else { Scope::One(fixed.care_of_address) };
        Grant { home_address, lifetime, code, ended, scope, bound: None, node, offer: None }
    }

    /// What the reply offers of revocation, if the request offers something that we may believe
    /// (RFC 3543 §4.2.1).
    fn negotiate(
        &self,
        request: &Request<'_>,
        answer: &Answer,
        renewed: Option<&Arc<Binding>>,
    ) -> Option<(Offer, wire::RevocationSupport)> {
        if !self.config.revocation.enabled {
            return None;
        }
        let support = match request.foreign_agent() {
            // Protected by the Foreign-Home authentication, which was checked if we have an
            // association; without one there is nothing to authenticate revocations with.
            Some(_) => answer.foreign_signer.as_ref().and(request.extensions.revocation_appended),
            None => request.extensions.revocation_covered,
        }?;
        // §3.2: the `I` bit is agreed to, not offered.
        let inform = self.config.revocation.negotiates_inform && support.informs();
        // Not less than any identifier before, so that none of them can pass for a new one.
        let last = self.last_revocation(&answer.identity);
        let before = renewed.and_then(|binding| binding.revocation).map(|it| it.own_timestamp);
        let clock = clock::seconds(request.now.stamp());
        let timestamp = last.into_iter().chain(before).fold(clock, clock::later);
        Some((Offer { inform, timestamp }, support))
    }

    /// The home address that the request is about, chosen from the pools if it names none.
    fn home_address(
        &mut self,
        request: &Request<'_>,
        identity: &Identity,
    ) -> Result<Ipv4Addr, Denial> {
        let requested = request.fixed.home_address;
        let remembered = self.state.row(identity).map(|row| row.home_address);
        if !requested.is_unspecified() {
            if request.is_deregistration() {
                return Ok(requested);
            }
            return self.check_home_address(requested, identity).map(|()| requested);
        }
        let bound = self.state.bindings(identity).last().map(|binding| binding.home_address);
        if let Some(bound) = bound {
            return Ok(bound);
        }
        if request.is_deregistration() {
            return Ok(remembered.unwrap_or(requested));
        }
        if self.pools.is_empty() {
            return Err(Denial::HomeAddressNotServed);
        }
        // A node that comes back gets what it had, if nobody else has it by now.
        let is_free =
            |address| address != self.config.address && self.check_taken(address, identity).is_ok();
        if let Some(address) = remembered
            && self.pools.contains(address)
            && is_free(address)
        {
            return Ok(address);
        }
        let mut pools = std::mem::take(&mut self.pools);
        let found = pools.find(|address| {
            address != self.config.address && self.check_taken(address, identity).is_ok()
        });
        self.pools = pools;
        found.ok_or(Denial::PoolExhausted)
    }

    /// §3.8.3.2: whether this home agent supports a home address for this mobile node.
    fn check_home_address(&self, address: Ipv4Addr, identity: &Identity) -> Result<(), Denial> {
        let contains =
            |networks: &[ipnet::Ipv4Net]| networks.iter().any(|network| network.contains(&address));
        let shared = contains(&self.config.shared_home_addresses);
        let networks = &self.config.home_networks;
        let served = networks.is_empty() || contains(networks) || self.pools.contains(address);
        if !served && !shared {
            return Err(Denial::HomeAddressNotServed);
        }
        if shared { Ok(()) } else { self.check_taken(address, identity) }
    }

    /// Whether another mobile node has a better claim to a home address.
    ///
    /// A node named by its address owns it. One named by NAI may use an address that
    /// nobody else has: else it could turn another node's datagrams to itself.
    fn check_taken(&self, address: Ipv4Addr, identity: &Identity) -> Result<(), Denial> {
        if matches!(identity, Identity::Address(_)) {
            return Ok(());
        }
        let by_address = Identity::Address(address);
        let taken = self.state.owner(address).is_some_and(|owner| owner != identity)
            || !self.state.bindings(&by_address).is_empty()
            || self.associations.with(&by_address).next().is_some();
        if taken { Err(Denial::HomeAddressTaken) } else { Ok(()) }
    }

    /// The replay state after this request.
    fn node_row(
        &mut self,
        request: &Request<'_>,
        answer: &Answer,
        home_address: Ipv4Addr,
    ) -> Arc<Node> {
        let nonces = answer.signer.replay == ReplayProtection::Nonces;
        let nonce = nonces.then(|| self.next_nonce(request));
        // The identity is that of the row before: a name is kept once, not once a request.
        let before = self.state.row(&answer.identity);
        let identity = before.map_or(&answer.identity, |row| &row.identity).clone();
        let unknown = before.map(|row| row.unknown.clone());
        Arc::new(Node {
            home_agent: self.config.address,
            identity,
            home_address,
            last_identification: request.fixed.identification,
            nonce,
            last_spi: answer.signer.spi,
            last_accepted_at: request.now.stamp(),
            last_revocation: self.last_revocation(&answer.identity),
            unknown: unknown.unwrap_or_default(),
        })
    }

    /// A nonce that is none of those before (§5.7.2).
    ///
    /// It follows from the request as well, so that even a seed that a driver uses
    /// twice gives no nonce twice; and it is never the one that was just consumed.
    fn next_nonce(&mut self, request: &Request<'_>) -> u32 {
        let consumed = request.fixed.identification;
        let chained = self.random.of(&consumed.0.to_be_bytes());
        loop {
            let nonce = chained ^ self.random.next_u32();
            if nonce != consumed.high() {
                return nonce;
            }
        }
    }

    fn binding_row(
        &self,
        request: &Request<'_>,
        answer: &Answer,
        home_address: Ipv4Addr,
        lifetime: Lifetime,
        renewed: Option<&Arc<Binding>>,
    ) -> Arc<Binding> {
        let now: UtcTime = request.now.stamp();
        Arc::new(Binding {
            home_agent: self.config.address,
            home_address,
            care_of_address: request.fixed.care_of_address,
            // As with the identity of the node.
            nai: renewed.map_or(&request.extensions.nai, |binding| &binding.nai).clone(),
            instance: Arc::clone(&self.instance),
            source: request.received.source,
            local: request.received.local,
            foreign_agent: request.foreign_agent(),
            flags: request.fixed.flags,
            spi: answer.signer.spi,
            identification: request.fixed.identification,
            lifetime_granted: lifetime,
            created_at: renewed.map_or(now, |binding| binding.created_at),
            registered_at: now,
            expires_at: lifetime.duration().map(|duration| now + duration),
            revocation: None,
            revoking: None,
            unknown: renewed.map_or_else(Unknown::default, |binding| binding.unknown.clone()),
        })
    }

    /// Makes memory say what `grant` says; returns the rows and the services that change.
    pub(super) fn apply(&mut self, answer: &Answer, grant: &Grant) -> (Batch, Vec<Action>) {
        let identity = &answer.identity;
        let mut batch = Batch::default();
        let mut actions = Vec::new();
        let was_away = self.is_away(identity, grant.home_address);
        for binding in &grant.ended {
            self.state.remove(identity, binding.home_address, binding.care_of_address);
            batch.delete::<Binding>(binding.key());
            actions.push(Action::StopService(self.config.service(binding)));
        }
        for key in self.perhaps_stored(identity, grant) {
            batch.delete::<Binding>(key);
        }
        if let Some(binding) = &grant.bound {
            let service = self.config.service(binding);
            let mut bindings = self.state.bindings(identity).iter();
            // While a commit is in flight, the service in memory may never come to be.
            let key = binding.key();
            let unchanged = !self.state.is_busy(identity)
                && self.revocations.get(&key).is_none()
                && bindings.any(|old| self.config.service(old) == service);
            if !unchanged {
                actions.push(Action::StartService(service));
            }
            self.state.insert(Arc::clone(binding));
            batch.put::<Binding>(Arc::clone(binding));
        }
        self.state.entry(identity).row = Some(Arc::clone(&grant.node));
        batch.put::<Node>(Arc::clone(&grant.node));
        self.give_back_homes(identity, grant.ended.iter().map(|binding| binding.home_address));
        actions.extend(self.arp_after_grant(answer, grant.home_address, was_away));
        (batch, actions)
    }

    /// Revocations of what the request ends or renews are over: there is something newer.
    pub(super) fn give_up_superseded(&mut self, grant: &Grant, batch: &mut Batch, now: Now) {
        for binding in grant.ended.iter().chain(&grant.bound) {
            self.give_up_revocation(&binding.key(), TargetResult::Gone, batch, now);
        }
    }

    /// Bindings that the request ends, if a commit in flight fails and leaves them in the store.
    fn perhaps_stored(&self, identity: &Identity, grant: &Grant) -> BTreeSet<BindingKey> {
        if !self.state.is_busy(identity) {
            return BTreeSet::new();
        }
        let changes = self.in_flight.values().flat_map(|in_flight| &in_flight.changes);
        let keys = changes.filter_map(super::binding_key).filter(|key| {
            super::identity(key) == *identity
                && key.home_address == grant.home_address
                && grant.scope.covers(key.care_of_address)
        });
        let known = |key: &BindingKey| grant.ended.iter().any(|binding| binding.key() == *key);
        keys.filter(|key| !known(key)).collect()
    }

    /// Returns home addresses to the pools that the node has no binding for any more.
    pub(super) fn give_back_homes(
        &mut self,
        identity: &Identity,
        homes: impl Iterator<Item = Ipv4Addr>,
    ) {
        for home_address in homes.collect::<BTreeSet<_>>() {
            let bindings = self.state.bindings(identity);
            if bindings.iter().all(|binding| binding.home_address != home_address) {
                self.pools.give_back(home_address);
            }
        }
    }

    /// Changes who may register from now on.
    pub fn set_admission(&mut self, admission: Admission) {
        self.config.admission = admission;
    }
}
