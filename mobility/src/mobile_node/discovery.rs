//! Agent discovery and move detection (RFC 5944 §2.4).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use ipnet::Ipv4Net;
use store::{Counter, Now, Role, Time, Unknown};
use wire::{
    AdvertisementFlags, AgentAdvertisement, AgentSolicitation, MobilityAgentAdvertisement, Nai,
};

use super::{MobileNode, Wish};
use crate::action::{Action, Arp, Output};

/// How many agents are remembered; a link has a few, a flood has any number.
const AGENTS_MAX: usize = 32;

/// §2.4: three solicitations a second apart, then the interval doubles to at least a minute.
const SOLICITATIONS_INITIAL: u32 = 3;
const SOLICITATION_INTERVAL_MIN: Duration = Duration::from_secs(1);
const SOLICITATION_INTERVAL_MAX: Duration = Duration::from_secs(64);

/// The group that all mobility agents listen to (§2.3).
const ALL_AGENTS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 11);

/// Where the node is attached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Attachment {
    /// With a care-of address of its own.
    CoLocated,
    /// At a foreign agent, with one of its care-of addresses.
    ForeignAgent { agent: Ipv4Addr, care_of_address: Ipv4Addr },
    /// On its home network.
    Home,
    /// It looks for an agent.
    Searching,
}

/// Where the node was before it looked for an agent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    Home,
    ForeignAgent(Ipv4Addr),
}

/// What an agent said last.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    interface: u32,
    pub(super) mobility: MobilityAgentAdvertisement,
    lifetime: u16,
    /// The networks of its routers, if it says how long the prefixes are (§2.1.2).
    prefixes: Vec<Ipv4Net>,
    routers: Vec<Ipv4Addr>,
    pub(super) network_nai: Option<Nai>,
    at: Now,
    expires_at: Time,
}

impl Heard {
    fn is_foreign_agent(&self) -> bool {
        self.mobility.flags.any(AdvertisementFlags::FOREIGN_AGENT)
            && !self.mobility.care_of_addresses.is_empty()
    }

    /// Whether it takes mobile nodes now.
    pub(super) fn takes_nodes(&self) -> bool {
        self.is_foreign_agent() && !self.is_busy()
    }

    fn requires_registration(&self) -> bool {
        self.takes_nodes() && self.mobility.flags.any(AdvertisementFlags::REGISTRATION_REQUIRED)
    }

    fn is_busy(&self) -> bool {
        self.mobility.flags.any(AdvertisementFlags::BUSY)
    }
}

/// The agents on the node's link, and its solicitations.
#[derive(Debug, Default)]
pub(super) struct Discovery {
    pub(super) agents: BTreeMap<Ipv4Addr, Heard>,
    solicit_at: Option<Time>,
    solicited_at: Option<Time>,
    solicited: u32,
    /// Agents whose rows are to be written or deleted.
    changed: Vec<Ipv4Addr>,
}

impl MobileNode {
    /// Starts to look for agents, and to stay registered with what it finds.
    pub fn discover(&mut self, interface: u32, now: Now) -> Output {
        self.wish = Some(Wish::Registered);
        self.interface = interface;
        self.search(now);
        // What was heard while nobody asked counts as well.
        if self.hears_home_agent() {
            return self.return_home(now);
        }
        if self.discovery.best(None).is_some() {
            return self.attach(now);
        }
        self.on_deadline(now)
    }

    /// The link layer says that the node is on another link: it looks for agents there at once
    /// (RFC 5944 §2.4.2 leaves room for such indications). Its registration goes on meanwhile.
    pub fn on_link_change(&mut self, now: Now) -> Output {
        for agent in self.discovery.agents.keys().copied().collect::<Vec<_>>() {
            self.discovery.forget(agent);
        }
        if self.wish != Some(Wish::Registered) || self.attachment == Attachment::CoLocated {
            return Output::default();
        }
        match self.attachment {
            Attachment::Home => self.came_from = Some(Place::Home),
            Attachment::ForeignAgent { agent, .. } => {
                self.came_from = Some(Place::ForeignAgent(agent));
            }
            Attachment::CoLocated | Attachment::Searching => {}
        }
        self.search(now);
        self.on_deadline(now)
    }

    /// Whether the home agent is on the link, as far as the node has heard.
    fn hears_home_agent(&self) -> bool {
        let heard = self.discovery.agents.get(self.home_agent.ip());
        heard.is_some_and(|heard| heard.mobility.flags.any(AdvertisementFlags::HOME_AGENT))
    }

    /// Takes an ICMP message that came to an interface.
    pub fn on_icmp(&mut self, octets: &[u8], source: Ipv4Addr, interface: u32, now: Now) -> Output {
        let (advertisement, skipped) = match AgentAdvertisement::parse_counting(octets) {
            Ok(parsed) => parsed,
            // Other messages are not ours, nor are the broken ones.
            Err(wire::ParseError::UnexpectedType { .. } | wire::ParseError::Checksum(_)) => {
                return Output::default();
            }
            Err(_) => {
                self.tally.count(Counter::MnAdvertisementsReceived);
                self.tally.count(Counter::MnAdvsDroppedInvalidExtension);
                return Output::default();
            }
        };
        // Without the extension it is a router's, not an agent's (§2.4).
        let Some(mobility) = advertisement.mobility.clone() else { return Output::default() };
        self.tally.count(Counter::MnAdvertisementsReceived);
        if skipped > 0 {
            self.tally.add(Counter::MnAdvsIgnoredUnknownExtension, skipped);
        }
        let previous = self.discovery.hear(&advertisement, mobility, source, interface, now);
        if self.wish != Some(Wish::Registered) {
            return Output::default();
        }
        self.on_heard(source, previous, now)
    }

    /// Decides what an advertisement of `source` means for the attachment.
    fn on_heard(&mut self, source: Ipv4Addr, previous: Option<u16>, now: Now) -> Output {
        let Some(heard) = self.discovery.agents.get(&source) else {
            // A lifetime of zero: the agent has gone.
            return self.on_agent_lost(source, now);
        };
        let is_home_agent = source == *self.home_agent.ip()
            && heard.mobility.flags.any(AdvertisementFlags::HOME_AGENT);
        let sequence = heard.mobility.sequence_number;
        if is_home_agent {
            return self.return_home(now);
        }
        match self.attachment {
            Attachment::ForeignAgent { agent, .. } if agent == source => {
                // §2.4.4: less than before and below 256 means that the agent started anew.
                let rebooted = previous.is_some_and(|before| sequence < before && sequence < 256);
                if !rebooted {
                    return self.on_offer(now);
                }
                self.tally.count(Counter::MnAgentRebootsDectected);
                self.start_here(now)
            }
            // §2.4.1, §3.1: the agents of this link want to see who uses it.
            Attachment::CoLocated if heard.requires_registration() => {
                self.has_own_care_of_address = true;
                self.attach(now)
            }
            // §3.6: another agent is no reason to register while ours, or the home agent, is heard.
            Attachment::ForeignAgent { .. } | Attachment::CoLocated | Attachment::Home => {
                Output::default()
            }
            Attachment::Searching => self.attach(now),
        }
    }

    /// Registers with the best agent that is heard, or looks for one.
    pub(super) fn attach(&mut self, now: Now) -> Output {
        let Some((agent, care_of_address)) = self.discovery.best(None) else {
            return Output::default();
        };
        let muted = self.mute();
        match self.came_from.take() {
            Some(Place::Home) => self.tally.count(Counter::MnMoveFromHAToFA),
            Some(Place::ForeignAgent(left)) if left != agent => {
                self.tally.count(Counter::MnMoveFromFAToFA);
            }
            // It is where it was, or where it was before, nobody knows.
            Some(Place::ForeignAgent(_)) | None => {}
        }
        self.attachment = Attachment::ForeignAgent { agent, care_of_address };
        self.discovery.solicit_at = None;
        self.discovery.solicited = 0;
        self.start_after(muted, now)
    }

    /// §4.6: before the first request away from home the node stops to answer ARP requests for
    /// its home address.
    fn mute(&mut self) -> Vec<Action> {
        let Some(home_address) = self.home_address.filter(|_| !self.is_muted) else {
            return Vec::new();
        };
        self.is_muted = true;
        vec![Action::Arp(Arp::Mute { home_address })]
    }

    /// §4.6: back at home it answers again, and says so before it deregisters.
    fn unmute(&mut self) -> Vec<Action> {
        self.is_muted = false;
        let Some(home_address) = self.home_address else { return Vec::new() };
        vec![Action::Arp(Arp::Unmute { home_address }), Action::Arp(Arp::Announce { home_address })]
    }

    fn start_after(&mut self, mut actions: Vec<Action>, now: Now) -> Output {
        let mut output = self.start_here(now);
        actions.append(&mut output.actions);
        output.actions = actions;
        output
    }

    /// §2.4.2.1: the agent was not heard for as long as its last advertisement said.
    fn on_agent_lost(&mut self, agent: Ipv4Addr, now: Now) -> Output {
        let is_ours = matches!(self.attachment, Attachment::ForeignAgent { agent: ours, .. } if ours == agent);
        let is_home = self.attachment == Attachment::Home && agent == *self.home_agent.ip();
        if !is_ours && !is_home {
            return Output::default();
        }
        self.came_from = Some(if is_home { Place::Home } else { Place::ForeignAgent(agent) });
        if self.discovery.best(None).is_some() {
            return self.attach(now);
        }
        if std::mem::take(&mut self.has_own_care_of_address) {
            self.attachment = Attachment::CoLocated;
            return self.start(now);
        }
        self.search(now);
        Output::default()
    }

    /// §2.4.3: the home agent is on this link, so the node deregisters.
    fn return_home(&mut self, now: Now) -> Output {
        if self.attachment == Attachment::Home {
            return Output::default();
        }
        if self.attachment == Attachment::CoLocated {
            self.has_own_care_of_address = true;
        }
        let at_agent = matches!(self.attachment, Attachment::ForeignAgent { .. });
        if at_agent || matches!(self.came_from, Some(Place::ForeignAgent(_))) {
            self.tally.count(Counter::MnMoveFromFAToHA);
        }
        self.came_from = None;
        self.attachment = Attachment::Home;
        self.discovery.solicit_at = None;
        let unmuted = self.unmute();
        self.start_after(unmuted, now)
    }

    /// Forgets where it was and solicits agents.
    fn search(&mut self, now: Now) {
        self.attachment = Attachment::Searching;
        self.pending = None;
        self.send_at = None;
        self.cease_regional();
        self.discovery.solicited = 0;
        // §2.4: no more than one a second, however often the link changes.
        let earliest = self.discovery.solicited_at.map(|at| at + SOLICITATION_INTERVAL_MIN);
        self.discovery.solicit_at = Some(earliest.unwrap_or_default().max(now.uptime));
    }

    /// §2.4.2.2: at the time to renew, an agent heard since with another prefix shows a move.
    pub(super) fn moved_by_prefix(&mut self) {
        let Attachment::ForeignAgent { agent, .. } = self.attachment else { return };
        let Some(current) = self.discovery.agents.get(&agent) else { return };
        let best = self.discovery.best(Some(current));
        if let Some((agent, care_of_address)) = best {
            self.tally.count(Counter::MnMoveFromFAToFA);
            self.attachment = Attachment::ForeignAgent { agent, care_of_address };
            self.note_offer();
        }
    }

    /// Solicitations and agents whose time is over.
    pub(super) fn discovery_deadline(&mut self, now: Now) -> Vec<Action> {
        let mut actions = Vec::new();
        for agent in self.discovery.expired(now) {
            self.discovery.forget(agent);
            actions.extend(self.on_agent_lost(agent, now).actions);
        }
        if self.discovery.solicit_at.take_if(|at| *at <= now.uptime).is_some() {
            actions.push(self.solicit(now));
        }
        actions
    }

    fn solicit(&mut self, now: Now) -> Action {
        self.tally.count(Counter::MnSolicitationsSent);
        self.discovery.solicited += 1;
        self.discovery.solicited_at = Some(now.uptime);
        let doublings = self.discovery.solicited.saturating_sub(SOLICITATIONS_INITIAL).min(6);
        let nominal = Duration::from_secs(1 << doublings).min(SOLICITATION_INTERVAL_MAX);
        // §2.4: randomized around the nominal value, and not above the rate.
        let random = nominal * (self.random.next_u32() % 250) / 1000;
        self.discovery.solicit_at = Some(now.uptime + nominal + random);
        let mut octets = Vec::with_capacity(AgentSolicitation::LEN);
        AgentSolicitation::default().emit(&mut octets);
        let from = self.home_address.unwrap_or(Ipv4Addr::UNSPECIFIED);
        Action::SendIcmp { interface: self.interface, from, to: ALL_AGENTS, octets }
    }

    /// When the discovery has something to do.
    pub(super) fn discovery_next(&self) -> Option<Time> {
        let expiry = self.discovery.agents.values().map(|heard| heard.expires_at);
        expiry.chain(self.discovery.solicit_at).min()
    }

    /// The rows of what was heard, as they have changed.
    pub(super) fn put_heard(&mut self, batch: &mut store::Batch) {
        for source in std::mem::take(&mut self.discovery.changed) {
            let instance = self.config.instance.clone();
            let role = Role::MobileNode;
            let Some(heard) = self.discovery.agents.get(&source) else {
                let interface = self.interface;
                let key = store::AdvertisementKey { instance, role, interface, source };
                batch.delete::<store::Advertisement>(key);
                continue;
            };
            batch.put(store::Advertisement {
                instance,
                role,
                interface: heard.interface,
                source,
                destination: Ipv4Addr::UNSPECIFIED,
                sequence_number: heard.mobility.sequence_number,
                flags: heard.mobility.flags.0,
                registration_lifetime: heard.mobility.registration_lifetime,
                lifetime: heard.lifetime,
                care_of_addresses: heard.mobility.care_of_addresses.clone(),
                routers: heard.routers.clone(),
                prefix_lengths: heard.prefixes.iter().map(Ipv4Net::prefix_len).collect(),
                network_nai: heard.network_nai.clone(),
                at: Some(heard.at.stamp()),
                schedule: None,
                unknown: Unknown::default(),
            });
        }
    }
}

impl Discovery {
    /// Notes an advertisement; returns the sequence number of the one before it.
    fn hear(
        &mut self,
        advertisement: &AgentAdvertisement,
        mobility: MobilityAgentAdvertisement,
        source: Ipv4Addr,
        interface: u32,
        now: Now,
    ) -> Option<u16> {
        let previous = self.agents.get(&source).map(|heard| heard.mobility.sequence_number);
        if advertisement.lifetime == 0 {
            self.forget(source);
            return previous;
        }
        if previous.is_none() && self.agents.len() >= AGENTS_MAX {
            return None;
        }
        let routers = advertisement.routers.iter().map(|router| router.address);
        let lengths = advertisement.prefix_lengths.iter().flatten();
        let prefixes = routers.clone().zip(lengths);
        let heard = Heard {
            interface,
            mobility,
            lifetime: advertisement.lifetime,
            prefixes: prefixes
                .filter_map(|(router, length)| Ipv4Net::new(router, *length).ok())
                .map(|network| network.trunc())
                .collect(),
            routers: routers.collect(),
            network_nai: advertisement.foreign_agent_nai.clone(),
            at: now,
            expires_at: now.uptime + Duration::from_secs(advertisement.lifetime.into()),
        };
        self.agents.insert(source, heard);
        self.note(source);
        previous
    }

    fn forget(&mut self, agent: Ipv4Addr) {
        if self.agents.remove(&agent).is_some() {
            self.note(agent);
        }
    }

    fn note(&mut self, agent: Ipv4Addr) {
        if !self.changed.contains(&agent) {
            self.changed.push(agent);
        }
    }

    fn expired(&self, now: Now) -> Vec<Ipv4Addr> {
        let expired = self.agents.iter().filter(|(_, heard)| heard.expires_at <= now.uptime);
        expired.map(|(agent, _)| *agent).collect()
    }

    /// The foreign agent heard last that takes mobile nodes, and its first care-of address.
    ///
    /// With `moved_from`, only one on another network than that agent, heard after it; both must
    /// say how long their prefixes are (§2.4.2.2).
    fn best(&self, moved_from: Option<&Heard>) -> Option<(Ipv4Addr, Ipv4Addr)> {
        let differs = |heard: &Heard| {
            moved_from.is_none_or(|current| {
                let known = !heard.prefixes.is_empty() && !current.prefixes.is_empty();
                let shared = heard.prefixes.iter().any(|it| current.prefixes.contains(it));
                known && !shared && heard.at.uptime > current.at.uptime
            })
        };
        let fitting = self.agents.iter().filter(|(_, heard)| heard.takes_nodes() && differs(heard));
        let (agent, heard) = fitting.max_by_key(|(_, heard)| heard.at.uptime)?;
        Some((*agent, *heard.mobility.care_of_addresses.first()?))
    }
}
