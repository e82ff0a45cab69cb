//! `[foreign-agent]`

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use mobility::{
    Admission, ForeignAgentConfig, NotificationConfig, RateLimits, ReplyMessage, ReservedBits,
    ReverseTunnel, RevocationConfig,
};
use store::{CareOfAddress, Origin, StorageType, Unknown};
use wire::Lifetime;

use super::home_agent::{ADMISSION, RESERVED_BITS, REVERSE_TUNNEL, is_unicast, rate_limits};
use super::section::Section;
use super::{notification, revocation};

/// `[foreign-agent]`: a machine's configuration but for what only a start knows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ForeignAgentSection {
    pub(crate) address: SocketAddrV4,
    /// The address itself, if none is named.
    pub(crate) care_of_addresses: Vec<Ipv4Addr>,
    pub(crate) home_agent_port: Option<u16>,
    pub(crate) lifetime_max: Option<Lifetime>,
    pub(crate) visitors_max: Option<usize>,
    pub(crate) pending_max: Option<usize>,
    pub(crate) pending_timeout: Option<Duration>,
    pub(crate) reserved_bits: Option<ReservedBits>,
    pub(crate) reverse_tunnel: Option<ReverseTunnel>,
    pub(crate) encapsulating_delivery: Option<bool>,
    pub(crate) minimal_encapsulation: Option<bool>,
    pub(crate) gre: Option<bool>,
    pub(crate) admission: Option<Admission>,
    pub(crate) rate_limits: RateLimits,
    pub(crate) revocation: RevocationConfig,
    pub(crate) notification: NotificationConfig,
    pub(crate) messages: Vec<ReplyMessage>,
}

impl ForeignAgentSection {
    /// A foreign agent at `address` that is otherwise as it is by default.
    pub(crate) fn at(address: SocketAddrV4) -> Self {
        Self {
            address,
            care_of_addresses: vec![*address.ip()],
            home_agent_port: None,
            lifetime_max: None,
            visitors_max: None,
            pending_max: None,
            pending_timeout: None,
            reserved_bits: None,
            reverse_tunnel: None,
            encapsulating_delivery: None,
            minimal_encapsulation: None,
            gre: None,
            admission: None,
            rate_limits: RateLimits::default(),
            revocation: RevocationConfig::default(),
            notification: NotificationConfig::default(),
            messages: Vec::new(),
        }
    }

    /// Where it serves: its own address first, then those that it relays from.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddrV4> {
        let others = self.care_of_addresses.iter().filter(|address| *address != self.address.ip());
        let others = others.map(|address| SocketAddrV4::new(*address, self.address.port()));
        std::iter::once(self.address).chain(others)
    }

    /// The rows of its care-of addresses.
    pub(crate) fn rows(&self, instance: &str) -> Vec<CareOfAddress> {
        let row = |address: &Ipv4Addr| CareOfAddress {
            instance: instance.to_owned(),
            address: *address,
            active: true,
            origin: Origin::File,
            storage: StorageType::ReadOnly,
            changed: None,
            unknown: Unknown::default(),
        };
        self.care_of_addresses.iter().map(row).collect()
    }

    /// The whole configuration of the machine; what the file does not say is the machine's default.
    pub(crate) fn machine(
        &self,
        instance: &str,
        seed: [u8; 32],
        counters_lost: bool,
    ) -> ForeignAgentConfig {
        let default = ForeignAgentConfig::new(instance, *self.address.ip(), seed);
        ForeignAgentConfig {
            care_of_addresses: self.care_of_addresses.clone(),
            port: self.address.port(),
            home_agent_port: self.home_agent_port.unwrap_or(default.home_agent_port),
            lifetime_max: self.lifetime_max.unwrap_or(default.lifetime_max),
            visitors_max: self.visitors_max.unwrap_or(default.visitors_max),
            pending_max: self.pending_max.unwrap_or(default.pending_max),
            pending_timeout: self.pending_timeout.unwrap_or(default.pending_timeout),
            reserved_bits: self.reserved_bits.unwrap_or(default.reserved_bits),
            reverse_tunnel: self.reverse_tunnel.unwrap_or(default.reverse_tunnel),
            encapsulating_delivery: self
                .encapsulating_delivery
                .unwrap_or(default.encapsulating_delivery),
            minimal_encapsulation: self
                .minimal_encapsulation
                .unwrap_or(default.minimal_encapsulation),
            gre: self.gre.unwrap_or(default.gre),
            admission: self.admission.unwrap_or(default.admission),
            rate_limits: self.rate_limits,
            revocation: self.revocation.clone(),
            notification: self.notification,
            messages: self.messages.clone(),
            counters_lost,
            ..default
        }
    }
}

pub(super) fn read(mut section: Section<'_, '_>) -> ForeignAgentSection {
    const ADDRESS: &str = "the IPv4 unicast address that mobile nodes know the agent by";
    let common = read_common(&mut section, ADDRESS);
    let care_of = section.texts("care-of-addresses", "an IPv4 address of this host");
    let config = ForeignAgentSection {
        care_of_addresses: care_of.unwrap_or_else(|| vec![*common.address.ip()]),
        encapsulating_delivery: section.boolean("encapsulating-delivery"),
        messages: notification::read_messages(&mut section),
        ..common
    };
    section.finish();
    config
}

/// What a foreign agent and a gateway have in common; `what` is the address of the one that it is.
pub(super) fn read_common(section: &mut Section<'_, '_>, what: &str) -> ForeignAgentSection {
    if section.key_span("address").is_none() {
        section.missing("address", what);
    }
    let address = section.parsed("address", what, |value| {
        value.as_str()?.parse().ok().filter(|address| is_unicast(*address))
    });
    let mut port = |key| {
        let port = section.integer(key, 1..=65_535, "");
        port.and_then(|port| u16::try_from(port).ok())
    };
    let (own_port, home_agent_port) = (port("port"), port("home-agent-port"));
    let address = SocketAddrV4::new(
        address.unwrap_or(Ipv4Addr::LOCALHOST),
        own_port.unwrap_or(mobility::PORT),
    );
    let lifetime = section.integer("max-lifetime", 1..=65_535, " seconds");
    let visitors = section.integer("max-visitors", 1..=u32::MAX, "");
    let pending = section.integer("max-pending", 1..=1_000_000, "");
    // RFC 5944 §3.7.1: a request may not be given up before 7 seconds have gone.
    let timeout = section.integer("pending-timeout", 8..=3600, " seconds");
    let rate_limits = rate_limits(section);
    ForeignAgentSection {
        home_agent_port,
        lifetime_max: lifetime.and_then(|seconds| u16::try_from(seconds).ok()).map(Lifetime),
        visitors_max: visitors.and_then(|count| count.try_into().ok()),
        pending_max: pending.and_then(|count| count.try_into().ok()),
        pending_timeout: timeout.map(|seconds| Duration::from_secs(seconds.into())),
        reserved_bits: section.word("reserved-bits", RESERVED_BITS),
        reverse_tunnel: section.word("reverse-tunnel", REVERSE_TUNNEL),
        minimal_encapsulation: section.boolean("minimal-encapsulation"),
        gre: section.boolean("gre"),
        admission: section.word("admission", ADMISSION),
        rate_limits,
        revocation: revocation::read(section),
        notification: notification::read(section),
        ..ForeignAgentSection::at(address)
    }
}
