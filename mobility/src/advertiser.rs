//! Agent advertisements of one interface (RFC 5944 §2.1, §2.3; RFC 1256 §6).
//!
//! ```text
//!   start ── 3 times, at most 16 s apart ──▶ every interval_min to interval_max, at random
//!                 solicitation ──▶ unicast at once, or multicast within 2 s
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use store::{Advertisement, AdvertisementSchedule, Batch, Counter, Now, Role, Time, Unknown};
use wire::{
    AdvertisementFlags, AgentAdvertisement, AgentSolicitation, Lifetime,
    MobilityAgentAdvertisement, Nai, RouterAddress,
};

use crate::action::{Action, Output};
use crate::random::Random;

/// RFC 1256 §10.
const MAX_INITIAL_ADVERT_INTERVAL: Duration = Duration::from_secs(16);
const MAX_INITIAL_ADVERTISEMENTS: u32 = 3;
const MAX_RESPONSE_DELAY: Duration = Duration::from_secs(2);

/// How many solicitations are answered by unicast in a second; more wait for the multicast.
const UNICASTS_PER_SECOND: u32 = 10;

/// What to advertise on an interface; [`AdvertiserConfig::new`] has the defaults of RFC 1256.
#[derive(Clone)]
pub struct AdvertiserConfig {
    /// The name of the daemon instance, which its rows carry.
    pub instance: String,
    /// Home agent or foreign agent; one that is both says foreign agent.
    pub role: Role,
    pub interface: u32,
    pub source: Ipv4Addr,
    /// 224.0.0.1 or 255.255.255.255 (RFC 5944 §2.1).
    pub destination: Ipv4Addr,
    pub interval_max: Duration,
    pub interval_min: Duration,
    /// How long an advertisement is valid, in seconds; three intervals or more.
    pub lifetime: u16,
    pub registration_lifetime: Lifetime,
    pub flags: AdvertisementFlags,
    pub care_of_addresses: Vec<Ipv4Addr>,
    pub routers: Vec<RouterAddress>,
    /// One for each router, or nothing; all agents of a subnet do the same (§2.3).
    pub prefix_lengths: Option<Vec<u8>>,
    /// Whether the agent routes for anybody (§2.1: Code 0, else 16).
    pub common_traffic: bool,
    /// Only answers to solicitations are sent (§2.3).
    pub solicited_only: bool,
    pub foreign_agent_nai: Option<Nai>,
    /// Octets from a good source of randomness.
    pub seed: [u8; 32],
}

impl AdvertiserConfig {
    pub fn new(
        instance: &str,
        role: Role,
        interface: u32,
        source: Ipv4Addr,
        seed: [u8; 32],
    ) -> Self {
        Self {
            instance: instance.to_owned(),
            role,
            interface,
            source,
            destination: Ipv4Addr::new(224, 0, 0, 1),
            interval_max: Duration::from_secs(600),
            interval_min: Duration::from_secs(450),
            lifetime: 1800,
            registration_lifetime: Lifetime(1800),
            flags: AdvertisementFlags::default(),
            care_of_addresses: Vec::new(),
            routers: Vec::new(),
            prefix_lengths: None,
            common_traffic: true,
            solicited_only: false,
            foreign_agent_nai: None,
            seed,
        }
    }

    /// What is wrong with it, in the words of the RFCs.
    pub fn check(&self) -> Result<(), AdvertiserConfigError> {
        use AdvertiserConfigError as Error;
        let foreign_agent = self.flags.any(AdvertisementFlags::FOREIGN_AGENT);
        let only_foreign = AdvertisementFlags::BUSY | AdvertisementFlags::REGISTRATION_REQUIRED;
        let interval = Duration::from_secs(4)..=Duration::from_secs(1800);
        let all = [Ipv4Addr::new(224, 0, 0, 1), Ipv4Addr::BROADCAST];
        let routers = self.routers.len();
        let lifetime = Duration::from_secs(self.lifetime.into());
        let checks = [
            (!foreign_agent && !self.flags.any(AdvertisementFlags::HOME_AGENT), Error::NoAgent),
            (!foreign_agent && self.flags.any(only_foreign), Error::FlagsOfForeignAgent),
            (foreign_agent && self.care_of_addresses.is_empty(), Error::NoCareOfAddress),
            (!all.contains(&self.destination), Error::Destination),
            (!interval.contains(&self.interval_max), Error::IntervalMax),
            (
                self.interval_min < Duration::from_secs(3) || self.interval_min > self.interval_max,
                Error::IntervalMin,
            ),
            (lifetime < self.interval_max || self.lifetime > 9000, Error::Lifetime),
            (
                self.prefix_lengths.as_ref().is_some_and(|lengths| {
                    lengths.len() != routers || lengths.iter().any(|length| *length > 32)
                }),
                Error::PrefixLengths,
            ),
        ];
        match checks.into_iter().find(|(is_wrong, _)| *is_wrong) {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for AdvertiserConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdvertiserConfig")
            .field("interface", &self.interface)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// Why an interface cannot be advertised on as configured.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AdvertiserConfigError {
    #[error("an agent advertisement is of a home agent or of a foreign agent")]
    NoAgent,
    #[error("busy and registration-required are for foreign agents")]
    FlagsOfForeignAgent,
    #[error("a foreign agent advertises at least one care-of address")]
    NoCareOfAddress,
    #[error("advertisements go to 224.0.0.1 or to 255.255.255.255")]
    Destination,
    #[error("the longest interval is 4 to 1800 seconds")]
    IntervalMax,
    #[error("the shortest interval is 3 seconds to the longest interval")]
    IntervalMin,
    #[error("the lifetime is the longest interval to 9000 seconds")]
    Lifetime,
    #[error("there is one prefix length, of 0 to 32, for each router address")]
    PrefixLengths,
}

/// Sends agent advertisements on one interface.
#[derive(Debug)]
pub struct Advertiser {
    config: AdvertiserConfig,
    random: Random,
    sequence_number: u16,
    sent: u32,
    next_at: Option<Time>,
    last_at: Option<Now>,
    /// Whether the next multicast answers a solicitation.
    is_solicited: bool,
    /// Answers by unicast in the second that began then.
    unicasts: (Time, u32),
    counts: BTreeMap<Counter, u64>,
    /// Nothing is sent but, in a moment, that nothing will be.
    is_suspended: bool,
    dirty: bool,
    region: Option<AdvertisedRegion>,
}

/// What a foreign agent advertises of the region that it is part of (RFC 4857 §4.3).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AdvertisedRegion {
    /// Its gateway, or all ones where the region assigns one.
    pub gateway: Ipv4Addr,
    /// Its FA-NAI (RFC 4857 §8.2).
    pub nai: Option<Nai>,
}

impl Advertiser {
    /// Begins to advertise within 16 seconds, unless it only answers solicitations.
    pub fn new(config: AdvertiserConfig, now: Now) -> Result<Self, AdvertiserConfigError> {
        config.check()?;
        let mut advertiser = Self {
            random: Random::new(config.seed),
            sequence_number: 0,
            sent: 0,
            next_at: None,
            last_at: None,
            is_solicited: false,
            unicasts: (now.uptime, 0),
            counts: BTreeMap::new(),
            is_suspended: false,
            dirty: true,
            region: None,
            config,
        };
        advertiser.schedule(now);
        Ok(advertiser)
    }

    /// What is advertised.
    pub fn config(&self) -> &AdvertiserConfig {
        &self.config
    }

    /// Advertises `config` from here on. As on an interface that has just become an advertising
    /// one, the next advertisements come soon (RFC 1256 §6.2.1); the sequence number goes on.
    ///
    /// A wrong configuration changes nothing.
    pub fn reconfigure(
        &mut self,
        config: AdvertiserConfig,
        now: Now,
    ) -> Result<(), AdvertiserConfigError> {
        config.check()?;
        self.config = config;
        self.is_suspended = false;
        self.dirty = true;
        self.sent = 0;
        self.next_at = None;
        self.schedule(now);
        Ok(())
    }

    /// Advertises nothing until it is reconfigured. That the interface is no advertising one any
    /// more (RFC 1256 §6.2.2) is said a while later: whoever suspends it to change something does
    /// not want mobile nodes to leave.
    pub fn suspend(&mut self, now: Now) {
        if !std::mem::replace(&mut self.is_suspended, true) {
            self.next_at = self.last_at.map(|_| now.uptime + MAX_INITIAL_ADVERT_INTERVAL);
            self.is_solicited = false;
            self.dirty = true;
        }
    }

    /// Says that the foreign agent takes no more mobile nodes, or takes them again (§2.1.1).
    pub fn set_busy(&mut self, busy: bool) {
        if self.config.flags.any(AdvertisementFlags::FOREIGN_AGENT) {
            self.config.flags.0 &= !AdvertisementFlags::BUSY;
            if busy {
                self.config.flags.0 |= AdvertisementFlags::BUSY;
            }
        }
    }

    /// Says from the next advertisement on of which region the foreign agent is part.
    pub fn set_region(&mut self, region: Option<AdvertisedRegion>) {
        self.dirty |= self.region != region;
        self.region = region;
    }

    /// RFC 4857 §4.3: the foreign agent's own care-of addresses, and its gateway the last one.
    fn care_of_addresses(&self) -> Vec<Ipv4Addr> {
        let gateway = self.region.as_ref().map(|region| region.gateway);
        self.config.care_of_addresses.iter().copied().chain(gateway).collect()
    }

    fn flags(&self) -> AdvertisementFlags {
        let regional =
            if self.region.is_some() { AdvertisementFlags::REGIONAL_REGISTRATION } else { 0 };
        AdvertisementFlags(self.config.flags.0 | regional)
    }

    /// Takes an ICMP message that came to the interface.
    pub fn on_icmp(&mut self, octets: &[u8], source: Ipv4Addr, now: Now) -> Output {
        let is_solicitation = AgentSolicitation::parse(octets).is_ok_and(|it| it.code == 0);
        if !is_solicitation {
            return Output::default();
        }
        self.count(Counter::MaSolicitationsReceived);
        if self.is_suspended {
            return Output::default();
        }
        // §2.3: the sender need not be a neighbour; but a datagram without a source, or more of
        // them than are good for the link, are answered by the next multicast.
        let is_host = !(source.is_unspecified() || source.is_multicast() || source.is_broadcast());
        if is_host && self.may_unicast(now) {
            self.count(Counter::MaAdvsSentForSolicitation);
            return Output::at_once(self.advertise(source, self.config.lifetime, now));
        }
        let delay = self.between(Duration::ZERO, MAX_RESPONSE_DELAY);
        let at = now.uptime + delay;
        self.next_at = Some(self.next_at.map_or(at, |next| next.min(at)));
        self.is_solicited = true;
        Output::default()
    }

    /// What is due at `now`.
    pub fn on_deadline(&mut self, now: Now) -> Output {
        if self.next_at.take_if(|at| *at <= now.uptime).is_none() {
            return Output::default();
        }
        if self.is_suspended {
            return Output::at_once(self.advertise(self.config.destination, 0, now));
        }
        if std::mem::take(&mut self.is_solicited) {
            self.count(Counter::MaAdvsSentForSolicitation);
        }
        let actions = self.advertise(self.config.destination, self.config.lifetime, now);
        self.schedule(now);
        Output::at_once(actions)
    }

    /// When to call [`Self::on_deadline`].
    pub fn next_deadline(&self) -> Option<Time> {
        self.next_at
    }

    /// The last advertisement, which ends what those before it said (RFC 1256 §6.2.2).
    pub fn shut_down(&mut self, now: Now) -> Output {
        if self.is_suspended && self.next_at.take().is_none() {
            return Output::default(); // It was said already.
        }
        self.next_at = None;
        Output::at_once(self.advertise(self.config.destination, 0, now))
    }

    /// Tells a mobile node that its binding is gone: as after a restart, the sequence number is 0
    /// (RFC 3543 §4.1); `busy` says that it need not come back.
    pub fn inform(&mut self, to: Ipv4Addr, busy: bool, now: Now) -> Output {
        if self.is_suspended {
            return Output::default();
        }
        let (sequence, last_at) = (self.sequence_number, self.last_at);
        let flags = self.config.flags;
        self.set_busy(busy || flags.any(AdvertisementFlags::BUSY));
        self.last_at = None;
        self.sequence_number = 0;
        let actions = self.advertise(to, self.config.lifetime, now);
        // Others hear nothing of it, and for them the numbers go on.
        self.config.flags = flags;
        (self.sequence_number, self.last_at) = (sequence, last_at.or(self.last_at));
        Output::at_once(actions)
    }

    /// What was counted since this was asked last, for the counters of the role.
    pub fn take_counts(&mut self) -> BTreeMap<Counter, u64> {
        std::mem::take(&mut self.counts)
    }

    /// The row of the interface if it has changed, for a relaxed commit.
    pub fn take_row(&mut self) -> Batch {
        let mut batch = Batch::new(store::Class::Relaxed);
        if std::mem::take(&mut self.dirty) {
            batch.put(self.row());
        }
        batch
    }

    fn row(&self) -> Advertisement {
        let config = &self.config;
        let seconds = |duration: Duration| u16::try_from(duration.as_secs()).unwrap_or(u16::MAX);
        Advertisement {
            instance: config.instance.clone(),
            role: config.role,
            interface: config.interface,
            source: config.source,
            destination: config.destination,
            sequence_number: self.sequence_number,
            flags: self.flags().0,
            registration_lifetime: config.registration_lifetime,
            lifetime: config.lifetime,
            care_of_addresses: self.care_of_addresses(),
            routers: config.routers.iter().map(|router| router.address).collect(),
            prefix_lengths: config.prefix_lengths.clone().unwrap_or_default(),
            network_nai: config.foreign_agent_nai.clone(),
            at: self.last_at.map(Now::stamp),
            schedule: Some(AdvertisementSchedule {
                interval_max: seconds(config.interval_max),
                interval_min: seconds(config.interval_min),
                solicited_only: config.solicited_only,
                suspended: self.is_suspended,
            }),
            unknown: Unknown::default(),
        }
    }

    fn advertise(&mut self, to: Ipv4Addr, lifetime: u16, now: Now) -> Vec<Action> {
        // §2.3.2: 0 for the first, one more each time, and 256 after 0xffff.
        if self.last_at.is_some() {
            self.sequence_number =
                MobilityAgentAdvertisement::sequence_number_after(self.sequence_number);
        }
        let config = &self.config;
        let code =
            if config.common_traffic { 0 } else { AgentAdvertisement::CODE_NO_COMMON_TRAFFIC };
        let advertisement = AgentAdvertisement {
            code,
            lifetime,
            routers: config.routers.clone(),
            mobility: Some(MobilityAgentAdvertisement {
                sequence_number: self.sequence_number,
                registration_lifetime: config.registration_lifetime,
                flags: self.flags(),
                care_of_addresses: self.care_of_addresses(),
            }),
            prefix_lengths: config.prefix_lengths.clone(),
            challenge: None,
            foreign_agent_nai: self
                .region
                .as_ref()
                .and_then(|region| region.nai.clone())
                .or_else(|| config.foreign_agent_nai.clone()),
        };
        let mut octets = Vec::with_capacity(64);
        if advertisement.emit(&mut octets).is_err() {
            return Vec::new(); // More addresses than one message holds; `check` is the place to say so.
        }
        self.last_at = Some(now);
        self.dirty = true;
        let (interface, from) = (self.config.interface, self.config.source);
        self.count(Counter::MaAdvertisementsSent);
        vec![Action::SendIcmp { interface, from, to, octets }]
    }

    /// The next unsolicited advertisement: the first ones come sooner (RFC 1256 §6.2.1).
    fn schedule(&mut self, now: Now) {
        if self.config.solicited_only {
            return;
        }
        let mut interval = self.between(self.config.interval_min, self.config.interval_max);
        if self.sent < MAX_INITIAL_ADVERTISEMENTS {
            interval = interval.min(MAX_INITIAL_ADVERT_INTERVAL);
            self.sent += 1;
        }
        self.next_at = Some(now.uptime + interval);
    }

    fn may_unicast(&mut self, now: Now) -> bool {
        let (began, count) = &mut self.unicasts;
        if now.uptime.since(*began) >= Duration::from_secs(1) {
            (*began, *count) = (now.uptime, 0);
        }
        *count += 1;
        *count <= UNICASTS_PER_SECOND
    }

    fn between(&mut self, least: Duration, most: Duration) -> Duration {
        least + most.saturating_sub(least) * (self.random.next_u32() % 1000) / 1000
    }

    fn count(&mut self, counter: Counter) {
        *self.counts.entry(counter).or_insert(0) += 1;
    }
}

#[cfg(test)]
mod tests;
