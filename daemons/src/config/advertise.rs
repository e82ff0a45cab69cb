//! `[[advertise]]`: agent advertisements on one interface (RFC 5944 §2.3, RFC 1256 §6.2).

use std::net::Ipv4Addr;
use std::time::Duration;

use ::store::Role;
use mobility::{AdvertiserConfig, ReverseTunnel};
use wire::{AdvertisementFlags, Lifetime, Nai, RouterAddress};

use super::foreign_agent::ForeignAgentSection;
use super::home_agent::{HomeAgentSection, is_unicast};
use super::problem::Problems;
use super::section::Section;

/// One `[[advertise]]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct AdvertiseSection {
    pub(crate) interface: String,
    /// Which agent of this process it is about.
    pub(crate) role: Role,
    /// The address of that agent, if none is named.
    pub(crate) address: Ipv4Addr,
    pub(crate) destination: Ipv4Addr,
    pub(crate) interval_max: u16,
    pub(crate) interval_min: u16,
    pub(crate) lifetime: u16,
    pub(crate) registration_lifetime: Lifetime,
    pub(crate) care_of_addresses: Vec<Ipv4Addr>,
    /// As on the wire, but for `B`, which follows the foreign agent.
    pub(crate) flags: u16,
    pub(crate) routers: Vec<Ipv4Addr>,
    /// Whether the prefix-length extension goes along.
    pub(crate) prefix_lengths: bool,
    pub(crate) common_traffic: bool,
    pub(crate) solicited_only: bool,
    pub(crate) foreign_agent_nai: Option<Nai>,
}

impl AdvertiseSection {
    /// The configuration of the machine; `prefix_length` is that of the network which an address of
    /// the interface is in.
    pub(crate) fn machine(
        &self,
        instance: &str,
        interface: u32,
        seed: [u8; 32],
        prefix_length: impl Fn(Ipv4Addr) -> u8,
    ) -> AdvertiserConfig {
        let routers = &self.routers;
        AdvertiserConfig {
            destination: self.destination,
            interval_max: Duration::from_secs(self.interval_max.into()),
            interval_min: Duration::from_secs(self.interval_min.into()),
            lifetime: self.lifetime,
            registration_lifetime: self.registration_lifetime,
            flags: AdvertisementFlags(self.flags),
            care_of_addresses: self.care_of_addresses.clone(),
            routers: routers
                .iter()
                .map(|&address| RouterAddress { address, preference: 0 })
                .collect(),
            prefix_lengths: self
                .prefix_lengths
                .then(|| routers.iter().map(|router| prefix_length(*router)).collect()),
            common_traffic: self.common_traffic,
            solicited_only: self.solicited_only,
            foreign_agent_nai: self.foreign_agent_nai.clone(),
            ..AdvertiserConfig::new(instance, self.role, interface, self.address, seed)
        }
    }
}

const AGENTS: &[(&str, Role)] =
    &[("home-agent", Role::HomeAgent), ("foreign-agent", Role::ForeignAgent)];

const DESTINATIONS: &[(&str, Ipv4Addr)] =
    &[("multicast", Ipv4Addr::new(224, 0, 0, 1)), ("broadcast", Ipv4Addr::BROADCAST)];

const FLAGS: &[(&str, u16)] = &[
    ("registration-required", AdvertisementFlags::REGISTRATION_REQUIRED),
    ("home-agent", AdvertisementFlags::HOME_AGENT),
    ("foreign-agent", AdvertisementFlags::FOREIGN_AGENT),
    ("minimal-encapsulation", AdvertisementFlags::MINIMAL_ENCAPSULATION),
    ("gre", AdvertisementFlags::GRE),
    ("reverse-tunnel", AdvertisementFlags::REVERSE_TUNNEL),
    ("udp-tunnel", AdvertisementFlags::UDP_TUNNEL),
    ("revocation", AdvertisementFlags::REVOCATION),
    ("regional-registration", AdvertisementFlags::REGIONAL_REGISTRATION),
];

/// One of the words of [`FLAGS`].
struct Flag(u16);

impl std::str::FromStr for Flag {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let found = FLAGS.iter().find(|(name, _)| *name == text);
        found.map(|(_, mask)| Self(*mask)).ok_or("no such flag")
    }
}

/// The agents of the file, which an advertisement takes after.
pub(super) struct Agents<'a> {
    pub(super) home_agent: Option<&'a HomeAgentSection>,
    pub(super) foreign_agent: Option<&'a ForeignAgentSection>,
}

impl Agents<'_> {
    fn role(&self) -> Option<Role> {
        match (self.home_agent, self.foreign_agent) {
            (Some(_), None) => Some(Role::HomeAgent),
            (None, Some(_)) => Some(Role::ForeignAgent),
            (Some(_), Some(_)) | (None, None) => None,
        }
    }

    fn address(&self, role: Role) -> Option<Ipv4Addr> {
        match role {
            Role::HomeAgent => self.home_agent.map(|section| *section.address.ip()),
            _ => self.foreign_agent.map(|section| *section.address.ip()),
        }
    }

    /// What the agent grants at most.
    fn lifetime(&self, role: Role) -> Lifetime {
        let configured = match role {
            Role::HomeAgent => self.home_agent.and_then(|section| section.lifetime_max),
            _ => self.foreign_agent.and_then(|section| section.lifetime_max),
        };
        configured.unwrap_or(Lifetime(1800))
    }

    /// The bits of what the agent can do (RFC 5944 §2.1.1); who supports revocation has to say so
    /// (RFC 3543 §4.2).
    fn flags(&self, role: Role) -> u16 {
        let (own, minimal, gre, reverse, revocation) =
            match (role, self.home_agent, self.foreign_agent) {
                (Role::HomeAgent, Some(it), _) => (
                    AdvertisementFlags::HOME_AGENT,
                    it.minimal_encapsulation,
                    it.gre,
                    it.reverse_tunnel,
                    it.revocation.enabled,
                ),
                (_, _, Some(it)) => (
                    AdvertisementFlags::FOREIGN_AGENT,
                    it.minimal_encapsulation,
                    it.gre,
                    it.reverse_tunnel,
                    it.revocation.enabled,
                ),
                _ => return 0,
            };
        let bit = |is_set: bool, mask| if is_set { mask } else { 0 };
        own | bit(minimal.unwrap_or(true), AdvertisementFlags::MINIMAL_ENCAPSULATION)
            | bit(gre.unwrap_or(true), AdvertisementFlags::GRE)
            | bit(reverse != Some(ReverseTunnel::Unavailable), AdvertisementFlags::REVERSE_TUNNEL)
            | bit(revocation, AdvertisementFlags::REVOCATION)
    }
}

pub(super) fn read<'i>(
    sections: Vec<Section<'i, '_>>,
    agents: &Agents<'_>,
    problems: &Problems<'i>,
) -> Vec<AdvertiseSection> {
    let mut advertised = Vec::new();
    for section in sections {
        let span = section.span().clone();
        let Some(read) = read_one(section, agents) else { continue };
        let machine = read.machine("", 1, [0; 32], |_| 32);
        if let Err(error) = machine.check() {
            problems.add(&span, format!("`advertise`: {error}"));
        }
        let is_same = |other: &AdvertiseSection| {
            (&other.interface, other.role) == (&read.interface, read.role)
        };
        if advertised.iter().any(is_same) {
            let (interface, role) = (&read.interface, read.role.as_str());
            problems.add(&span, format!("`advertise`: {interface} has the {role} twice"));
        }
        advertised.push(read);
    }
    advertised
}

fn read_one(mut section: Section<'_, '_>, agents: &Agents<'_>) -> Option<AdvertiseSection> {
    const INTERFACE: &str = "the name of an interface, such as `eth1`";
    const ROLE: &str = "\"home-agent\" or \"foreign-agent\", one that this file configures";
    if section.key_span("interface").is_none() {
        section.missing("interface", INTERFACE);
    }
    let interface = section.parsed("interface", INTERFACE, |value| {
        // The kernel's limit is 15 octets.
        value.as_str().filter(|name| (1..=15).contains(&name.len())).map(str::to_owned)
    });
    let role_at = section.key_span("agent");
    let role = section.word("agent", AGENTS).or_else(|| agents.role());
    let agent_address = role.and_then(|role| agents.address(role));
    if agent_address.is_none() {
        match role_at {
            Some(at) => section.problems.add(&at, format!("`advertise.agent`: expected {ROLE}")),
            None => section.missing("agent", ROLE),
        }
    }
    let unicast = |text: &str| text.parse().ok().filter(|address| is_unicast(*address));
    let address = section.parsed("address", "an IPv4 unicast address of the interface", |value| {
        unicast(value.as_str()?)
    });
    let mut seconds = |key, range| {
        let number = section.integer(key, range, " seconds");
        number.and_then(|number| u16::try_from(number).ok())
    };
    // RFC 1256 §6.2.1: three quarters of the longest interval, and three times that.
    let interval_max = seconds("max-interval", 4..=1800).unwrap_or(600);
    let interval_min = seconds("min-interval", 3..=1800);
    let interval_min = interval_min.unwrap_or((interval_max - interval_max / 4).max(3));
    let lifetime = seconds("lifetime", 4..=9000).unwrap_or(interval_max.saturating_mul(3));
    let registration_lifetime = seconds("registration-lifetime", 1..=65_535).map(Lifetime);
    let care_of_addresses = section.texts("care-of-addresses", "a care-of address");
    let routers = section.texts("routers", "the address of a router");
    let flags = section.texts::<Flag>("flags", &flag_names());
    let destination = section.word("destination", DESTINATIONS);
    let prefix_lengths = section.boolean("prefix-lengths");
    let common_traffic = section.boolean("common-traffic");
    let solicited_only = section.boolean("solicited-only");
    let foreign_agent_nai = section
        .parsed("nai", "an NAI such as `fa1@example.com`", |value| Nai::new(value.as_str()?).ok());
    section.finish();
    let (interface, role) = (interface?, role?);
    let address = address.or(agent_address)?;
    let is_foreign = role == Role::ForeignAgent;
    let offered = agents.foreign_agent.filter(|_| is_foreign);
    let offered = offered.map(|section| section.care_of_addresses.clone()).unwrap_or_default();
    let own = agents.flags(role);
    Some(AdvertiseSection {
        interface,
        role,
        address,
        destination: destination.unwrap_or(Ipv4Addr::new(224, 0, 0, 1)),
        interval_max,
        interval_min,
        lifetime,
        registration_lifetime: registration_lifetime.unwrap_or(agents.lifetime(role)),
        care_of_addresses: care_of_addresses.unwrap_or(offered),
        flags: flags.map_or(own, |flags| flags.iter().fold(0, |all, flag| all | flag.0)),
        routers: routers.unwrap_or_else(|| vec![address]),
        prefix_lengths: prefix_lengths.unwrap_or(true),
        common_traffic: common_traffic.unwrap_or(true),
        solicited_only: solicited_only.unwrap_or(false),
        foreign_agent_nai,
    })
}

fn flag_names() -> String {
    let names: Vec<&str> = FLAGS.iter().map(|(name, _)| *name).collect();
    format!("one of {}", names.join(" "))
}
