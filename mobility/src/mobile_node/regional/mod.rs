//! Regional registration at a mobile node (RFC 4857 §5.1, §6.1, §7.1).
//!
//! ```text
//!   hears of a region ── home registration through its gateway ──▶ in the region
//!      ▲                        │                                   │  another foreign agent of it,
//!      │ after a while          │ refused, no answer                │  or time to renew
//!      └── plain registration ◀─┴─────────── refused, no answer ◀── regional registration
//! ```
//!
//! A plain registration is one with the care-of address of the foreign agent. It is what a node
//! does that knows nothing of regions, so it works whatever becomes of the gateway.

mod diary;
mod failure;
mod reply;
mod request;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use store::{Identity, Now, RegionalVisit, ReplayProtection, Snapshot, Time, UtcTime};
use wire::{AdvertisementFlags, Identification, Lifetime, Nai, ReplayProtectionStyle};

use super::discovery::{Attachment, Heard};
use super::identification::Clock;
use super::{MobileNode, MobileNodeConfig, Pending, Wish};
use crate::action::{Action, Output};
use crate::association::SecurityAssociation;
use crate::extensions::Extensions;

use diary::Diary;
use failure::{Distrust, Unanswered};
use request::Asked;

/// What a node knows of regions.
#[derive(Debug, Default)]
pub(super) struct Region {
    /// Where it is registered regionally; see [`MobileNode::visit`].
    visit: Option<Visit>,
    /// The replay protection with that gateway, which has a sequence of its own (§6.1), and whose
    /// it is.
    clock: Clock,
    clock_of: Option<Ipv4Addr>,
    /// A regional request that waits for its reply.
    asked: Option<Asked>,
    /// When to send the next one.
    send_at: Option<Time>,
    resynchronisations: u32,
    /// What the foreign agent that it is attached to said of its region last.
    offer: Option<Offer>,
    /// Gateways that did not serve it; all ones stands for those that regions assign.
    distrusted: BTreeMap<Ipv4Addr, Distrust>,
    /// What a gateway has left unanswered, wherever the node was.
    unanswered: Option<Unanswered>,
    /// A gateway that has no nonces.
    without_nonces: Option<Ipv4Addr>,
    /// Which of its associations it tries where the region assigns a gateway.
    guess: usize,
    /// The gateway that assigned itself last.
    assigned: Option<Ipv4Addr>,
    diary: Diary,
}

impl Region {
    pub(super) fn load(config: &MobileNodeConfig, snapshot: &Snapshot) -> Self {
        Self { diary: Diary::load(config, snapshot), ..Self::default() }
    }
}

/// A regional registration (§6.1).
#[derive(Clone, Debug)]
pub(super) struct Visit {
    gateway: Ipv4Addr,
    /// The realm of the FA-NAI of where it registered last.
    realm: Option<String>,
    local_care_of_address: Ipv4Addr,
    lifetime: Lifetime,
    replay: ReplayProtection,
    identification: Identification,
    renew_at: Option<Time>,
    expires_at: Option<Time>,
    /// How many regional requests were accepted since the home registration.
    accepted: u64,
}

impl Visit {
    pub(super) const fn gateway(&self) -> Ipv4Addr {
        self.gateway
    }

    /// The same as a row has it.
    pub(super) fn row(&self, stamp: impl Fn(Time) -> UtcTime) -> RegionalVisit {
        RegionalVisit {
            gateway: self.gateway,
            local_care_of_address: self.local_care_of_address,
            lifetime_granted: self.lifetime,
            expires_at: self.expires_at.map(stamp),
            replay: self.replay,
            identification: self.identification,
            nonce: None,
            accepted: self.accepted,
            revocation: None,
            revoking: None,
        }
    }

    /// Whether a foreign agent that offers this is in the region of the visit: in its domain, as
    /// the FA-NAIs say, or else beneath its gateway (§5.1, §6).
    fn is_in(&self, offer: &Offer) -> bool {
        match (&self.realm, &offer.realm) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => offer.gateway == Some(self.gateway),
        }
    }

    /// When it is to be renewed: between 70 and 80 % of it, unless the home registration is renewed
    /// before that, which renews it as well (§5.1).
    fn arm(&mut self, sent_at: Time, per_mille: u32, home_renew_at: Option<Time>) {
        (self.renew_at, self.expires_at) = (None, None);
        let Some(duration) = self.lifetime.duration() else { return };
        let renew_at = sent_at + duration * per_mille / 1000;
        self.renew_at = Some(renew_at).filter(|at| home_renew_at.is_none_or(|home| *at < home));
        self.expires_at = Some(sent_at + duration);
    }
}

/// What a foreign agent says of the region that it is part of (§4.3).
#[derive(Clone, Debug, Eq, PartialEq)]
struct Offer {
    /// Its gateway, or all ones where one is assigned; `None` if it names only itself.
    gateway: Option<Ipv4Addr>,
    /// The realm of its FA-NAI, which names the domain.
    realm: Option<String>,
}

impl Offer {
    /// `None` if the agent is of no region.
    fn of(heard: &Heard) -> Option<Self> {
        let mobility = &heard.mobility;
        if !mobility.flags.any(AdvertisementFlags::REGIONAL_REGISTRATION) {
            return None;
        }
        // §4.3: with more than one care-of address, the last one is the gateway's.
        let gateway = match mobility.care_of_addresses.as_slice() {
            [_, .., last] => Some(*last),
            _ => None,
        };
        let is_possible = |it: &Ipv4Addr| !(it.is_unspecified() || it.is_multicast());
        Some(Self {
            gateway: gateway.filter(is_possible),
            realm: heard.network_nai.as_ref().and_then(realm),
        })
    }
}

/// What is behind the `@`: a domain name, which knows no case.
fn realm(nai: &Nai) -> Option<String> {
    nai.as_str().rsplit_once('@').map(|(_, realm)| realm.to_ascii_lowercase())
}

/// Which way a home registration goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Route {
    /// With the care-of address of the foreign agent, or the node's own.
    Plain,
    /// With that of a gateway.
    Gateway(Ipv4Addr),
    /// With that of the gateway that the region assigns (§7.1); the request is authenticated for
    /// this one.
    Assigned(Ipv4Addr),
}

impl Route {
    /// The gateway that the request is authenticated for.
    pub(super) const fn peer(self) -> Option<Ipv4Addr> {
        match self {
            Self::Plain => None,
            Self::Gateway(peer) | Self::Assigned(peer) => Some(peer),
        }
    }

    /// Under which name the gateway is distrusted if it fails.
    pub(super) const fn suspect(self) -> Option<Ipv4Addr> {
        match self {
            Self::Plain => None,
            Self::Gateway(gateway) => Some(gateway),
            Self::Assigned(_) => Some(Ipv4Addr::BROADCAST),
        }
    }

    /// The gateway that an acceptance is of.
    pub(super) fn gateway(self, extensions: &Extensions<'_>) -> Option<Ipv4Addr> {
        match self {
            Self::Plain => None,
            Self::Gateway(gateway) => Some(gateway),
            Self::Assigned(_) => extensions.gateway_covered.filter(|it| is_unicast(*it)),
        }
    }
}

const fn is_unicast(address: Ipv4Addr) -> bool {
    !(address.is_unspecified() || address.is_multicast() || address.is_broadcast())
}

impl MobileNode {
    /// Where the node is registered regionally: as long as its home registration is with that
    /// gateway.
    pub(super) fn visit(&self) -> Option<&Visit> {
        let visit = self.region.visit.as_ref()?;
        let registration = self.registration.as_ref()?;
        (registration.care_of_address == visit.gateway).then_some(visit)
    }

    /// What its foreign agent says of the region that it is part of.
    fn offer(&self) -> Option<Offer> {
        let agent = self.foreign_agent().filter(|_| self.config.regional)?;
        Offer::of(self.discovery.agents.get(&agent)?)
    }

    /// Which way the next home registration goes.
    pub(super) fn route(&self, now: Now) -> Route {
        let Some(offer) = self.offer() else { return Route::Plain };
        let visit = self.visit().filter(|visit| self.is_usable(visit.gateway, now));
        if self.leaves() {
            // The gateway is told as well; without one, all care-of addresses are named at once.
            return visit.map_or(Route::Plain, |visit| Route::Gateway(visit.gateway));
        }
        if let Some(visit) = visit.filter(|visit| visit.is_in(&offer)) {
            return Route::Gateway(visit.gateway);
        }
        match offer.gateway {
            Some(Ipv4Addr::BROADCAST) if self.trusts(Ipv4Addr::BROADCAST, now) => {
                self.guess().map_or(Route::Plain, Route::Assigned)
            }
            Some(gateway) if self.is_usable(gateway, now) => Route::Gateway(gateway),
            Some(_) | None => Route::Plain,
        }
    }

    /// §4.1.2: without keys there is no regional registration, so there is no reason for a gateway.
    fn is_usable(&self, gateway: Ipv4Addr, now: Now) -> bool {
        self.trusts(gateway, now) && self.gateway_association(gateway).is_some()
    }

    fn gateway_association(&self, gateway: Ipv4Addr) -> Option<&SecurityAssociation> {
        let gateway = Identity::Address(gateway);
        self.associations.iter().find(|it| it.peer == gateway)
    }

    /// Whether an association is with a gateway that the node has heard of.
    pub(super) fn is_gateway(&self, peer: &Identity) -> bool {
        let Identity::Address(peer) = peer else { return false };
        let is_offered = |heard| Offer::of(heard).and_then(|it| it.gateway) == Some(*peer);
        self.region.visit.as_ref().is_some_and(|visit| visit.gateway == *peer)
            || self.region.distrusted.contains_key(peer)
            || self.discovery.agents.values().any(is_offered)
    }

    /// The gateways that the region may assign: those that the node shares keys with. Which one it
    /// will be is not known before the reply, and yet the request is to be authenticated for it.
    fn possible_gateways(&self) -> Vec<Ipv4Addr> {
        let is_home_agent = |address: &Ipv4Addr| {
            address == self.home_agent.ip()
                || address == self.config.home_agent.ip()
                || self.candidates.contains(address)
        };
        let peers = self.associations.iter().filter_map(|it| match it.peer {
            Identity::Address(address) => Some(address),
            Identity::Nai(_) => None,
        });
        let own = self.home_address;
        let others = peers.filter(|it| {
            !is_home_agent(it) && Some(*it) != own && !self.discovery.agents.contains_key(it)
        });
        let mut all: Vec<_> = others.collect();
        all.dedup();
        all
    }

    /// The gateway that the region will assign, as far as the node can guess: the last one, or else
    /// the first one that did not say that it knows no such node.
    fn guess(&self) -> Option<Ipv4Addr> {
        let all = self.possible_gateways();
        let last = self.region.assigned.filter(|it| self.region.guess == 0 && all.contains(it));
        last.or_else(|| all.get(self.region.guess).copied())
    }

    /// Takes down what its foreign agent says of its region.
    pub(super) fn note_offer(&mut self) {
        self.region.offer = self.offer();
    }

    /// Registers where it is: regionally if its home agent need not know, or else at home.
    pub(super) fn start_here(&mut self, now: Now) -> Output {
        self.note_offer();
        if let Some(gateway) = self.quiet_gateway(now) {
            let mut actions = self.fail_gateway(gateway, None, now);
            actions.extend(self.due(now).actions);
            return Output::at_once(actions);
        }
        if !self.can_register_regionally(now) {
            return self.start(now);
        }
        self.pending = None;
        self.send_at = None;
        self.cease_regional();
        self.region.send_at = Some(self.earliest(now));
        self.due(now)
    }

    /// Whether a move is one within the region (§6), and nothing else has to be said at home.
    fn can_register_regionally(&self, now: Now) -> bool {
        let (Some(visit), Some(registration)) = (self.visit(), &self.registration) else {
            return false;
        };
        // §5.1: another domain is another region, whatever its gateway.
        let is_within = self.offer().is_some_and(|offer| visit.is_in(&offer));
        // §5.1: what is about to expire is renewed at home, which tells the gateway as well.
        let lasts = registration.expires_at.is_none()
            || registration.renew_at.is_some_and(|at| at > now.uptime);
        self.wish == Some(Wish::Registered)
            && !self.is_leaving
            && !self.is_departing()
            && lasts
            && is_within
            && self.route(now) == Route::Gateway(visit.gateway)
    }

    /// Its foreign agent was heard again: it may be of another region by now, or of none.
    pub(super) fn on_offer(&mut self, now: Now) -> Output {
        let offer = self.offer();
        if offer == self.region.offer {
            return Output::default();
        }
        self.region.offer.clone_from(&offer);
        let is_same = match (self.visit(), &offer) {
            (Some(visit), Some(offer)) => {
                let is_open = offer.gateway.is_none_or(|it| it.is_broadcast());
                visit.is_in(offer) && (is_open || offer.gateway == Some(visit.gateway))
            }
            (Some(_), None) => false,
            (None, _) => self.route(now) == Route::Plain,
        };
        // §6: the new gateway may not be the only one that it relays to; who asks finds out.
        if is_same { Output::default() } else { self.start_here(now) }
    }

    /// Forgets a regional request, sent or not.
    pub(super) fn cease_regional(&mut self) {
        self.region.asked = None;
        self.region.send_at = None;
        self.region.resynchronisations = 0;
    }

    /// The node is in its region no more.
    pub(super) fn forget_visit(&mut self, event: &'static str, now: Now) {
        self.cease_regional();
        if let Some(visit) = self.region.visit.take() {
            self.is_row_stale = true;
            self.note_region(event, Some(visit.gateway), None, now);
        }
    }

    /// The home agent has accepted a request; what that means for the region.
    pub(super) fn settle_region(
        &mut self,
        pending: &Pending,
        lifetime: Lifetime,
        extensions: &Extensions<'_>,
        now: Now,
    ) {
        let Some(gateway) = pending.route.gateway(extensions) else {
            return self.forget_visit("left-region", now);
        };
        let mut is_back = self.region.distrusted.remove(&gateway).is_some();
        if matches!(pending.route, Route::Assigned(_)) {
            is_back |= self.region.distrusted.remove(&Ipv4Addr::BROADCAST).is_some();
            (self.region.assigned, self.region.guess) = (Some(gateway), 0);
        }
        if is_back {
            self.note_return(gateway, now);
        }
        // §9.4: zero says that the gateway does not know it any more.
        let regional = extensions.regional_lifetime.unwrap_or(lifetime).min(lifetime);
        if regional == Lifetime::ZERO {
            return self.forget_visit("left-region", now);
        }
        let before = self.region.visit.as_ref().map(|visit| visit.gateway);
        let replay = self.agree_on_replay(gateway, extensions, now);
        let mut visit = Visit {
            gateway,
            realm: self.offer().and_then(|offer| offer.realm),
            local_care_of_address: self.care_of_address(),
            lifetime: regional,
            replay,
            identification: Identification::default(),
            renew_at: None,
            expires_at: None,
            accepted: 0,
        };
        let home_renew_at = self.registration.and_then(|it| it.renew_at);
        visit.arm(pending.sent_at, 700 + self.random.next_u32() % 100, home_renew_at);
        self.region.visit = Some(visit);
        self.tally.count(store::Counter::MnGatewayRegistrations);
        if before != Some(gateway) {
            self.note_region("entered-region", Some(gateway), None, now);
        }
    }

    /// §5.3, §9.3: how regional requests are protected from replays, and where that begins.
    fn agree_on_replay(
        &mut self,
        gateway: Ipv4Addr,
        extensions: &Extensions<'_>,
        now: Now,
    ) -> ReplayProtection {
        if self.region.clock_of != Some(gateway) {
            // §5.3: the gateway says nothing if the timestamp of the home registration is right.
            self.region.clock = Clock::corrected_by(self.clock.offset);
            self.region.clock_of = Some(gateway);
        }
        match extensions.replay_style {
            Some((it, _)) if it.style == ReplayProtectionStyle::NONCE => {
                self.region.clock.take_nonce(it.initial_identification);
                ReplayProtection::Nonces
            }
            Some((it, _)) => {
                self.region.clock.correct(it.initial_identification, now);
                ReplayProtection::Timestamps
            }
            None => ReplayProtection::Timestamps,
        }
    }

    /// Whether the node is attached to a foreign agent at which this is its care-of address.
    fn is_here(&self, care_of_address: Ipv4Addr) -> bool {
        matches!(self.attachment, Attachment::ForeignAgent { .. })
            && self.care_of_address() == care_of_address
    }

    /// What is due of regional registrations.
    pub(super) fn regional_work(&mut self, now: Now) -> Vec<Action> {
        let is_due = |at: Option<Time>| at.is_some_and(|at| at <= now.uptime);
        if is_due(self.returns_at()) {
            self.send_at = Some(self.earliest(now));
        }
        if self.pending.is_some() || self.send_at.is_some() {
            return Vec::new();
        }
        let can = self.can_register_regionally(now);
        let is_idle = self.region.asked.is_none() && self.region.send_at.is_none();
        if self.visit().is_some()
            && let Some(visit) = &mut self.region.visit
        {
            let is_over = visit.expires_at.take_if(|at| *at <= now.uptime).is_some();
            if is_over {
                // The gateway does not know where the node is; a regional request tells it (§6.3).
                (visit.lifetime, visit.renew_at) = (Lifetime::ZERO, None);
                self.is_row_stale = true;
            }
            let is_time = visit.renew_at.take_if(|at| *at <= now.uptime).is_some() || is_over;
            if is_time && is_idle && can {
                self.region.send_at = Some(now.uptime);
            }
        }
        if is_due(self.region.send_at) {
            return self.ask_gateway(now);
        }
        if is_due(self.region.asked.as_ref().map(|asked| asked.resend_at)) {
            return self.ask_gateway_again(now);
        }
        Vec::new()
    }

    /// When [`Self::regional_work`] has something to do.
    pub(super) fn regional_deadline(&self) -> Option<Time> {
        let visit = self.visit();
        let times = [
            self.region.send_at,
            self.region.asked.as_ref().map(|asked| asked.resend_at),
            visit.and_then(|visit| visit.renew_at),
            visit.and_then(|visit| visit.expires_at),
        ];
        let is_busy = self.pending.is_some() || self.send_at.is_some();
        let times = times.into_iter().flatten().filter(|_| !is_busy);
        times.chain(self.returns_at()).min()
    }
}
