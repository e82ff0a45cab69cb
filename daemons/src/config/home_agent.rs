//! `[home-agent]`

use std::net::{Ipv4Addr, SocketAddrV4};

use ipnet::Ipv4Net;
use mobility::{
    Admission, HomeAgentConfig, NotificationConfig, RateLimits, ReplyMessage, ReservedBits,
    ReverseTunnel, RevocationConfig,
};
use wire::Lifetime;

use super::section::Section;
use super::{notification, revocation};

/// `[home-agent]`: a machine's configuration but for what only a start knows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct HomeAgentSection {
    pub(crate) address: SocketAddrV4,
    pub(crate) lifetime_max: Option<Lifetime>,
    pub(crate) simultaneous_bindings_max: Option<usize>,
    pub(crate) bindings_max: Option<usize>,
    pub(crate) reserved_bits: Option<ReservedBits>,
    pub(crate) reverse_tunnel: Option<ReverseTunnel>,
    pub(crate) minimal_encapsulation: Option<bool>,
    pub(crate) gre: Option<bool>,
    pub(crate) admission: Option<Admission>,
    pub(crate) rate_limits: RateLimits,
    pub(crate) revocation: RevocationConfig,
    pub(crate) notification: NotificationConfig,
    pub(crate) messages: Vec<ReplyMessage>,
    pub(crate) home_networks: Vec<Ipv4Net>,
    pub(crate) pools: Vec<Ipv4Net>,
    pub(crate) shared_home_addresses: Vec<Ipv4Net>,
    /// Whether gateways may assign themselves to nodes without a care-of address (RFC 4857 §7.4).
    pub(crate) dynamic_gateways: Option<bool>,
    /// The home link, if it is one that the home agent is on.
    pub(crate) home_interface: Option<String>,
}

impl HomeAgentSection {
    /// A home agent at `address` that is otherwise as it is by default.
    pub(crate) fn at(address: SocketAddrV4) -> Self {
        Self {
            address,
            lifetime_max: None,
            simultaneous_bindings_max: None,
            bindings_max: None,
            reserved_bits: None,
            reverse_tunnel: None,
            minimal_encapsulation: None,
            gre: None,
            admission: None,
            rate_limits: RateLimits::default(),
            revocation: RevocationConfig::default(),
            notification: NotificationConfig::default(),
            messages: Vec::new(),
            home_networks: Vec::new(),
            pools: Vec::new(),
            shared_home_addresses: Vec::new(),
            dynamic_gateways: None,
            home_interface: None,
        }
    }

    /// The whole configuration of the machine; what the file does not say is the machine's default.
    pub(crate) fn machine(
        &self,
        instance: &str,
        seed: [u8; 32],
        counters_lost: bool,
    ) -> HomeAgentConfig {
        let default = HomeAgentConfig::new(instance, *self.address.ip(), seed);
        HomeAgentConfig {
            lifetime_max: self.lifetime_max.unwrap_or(default.lifetime_max),
            simultaneous_bindings_max: self
                .simultaneous_bindings_max
                .unwrap_or(default.simultaneous_bindings_max),
            bindings_max: self.bindings_max.unwrap_or(default.bindings_max),
            reserved_bits: self.reserved_bits.unwrap_or(default.reserved_bits),
            reverse_tunnel: self.reverse_tunnel.unwrap_or(default.reverse_tunnel),
            minimal_encapsulation: self
                .minimal_encapsulation
                .unwrap_or(default.minimal_encapsulation),
            gre: self.gre.unwrap_or(default.gre),
            admission: self.admission.unwrap_or(default.admission),
            rate_limits: self.rate_limits,
            revocation: self.revocation.clone(),
            notification: self.notification,
            messages: self.messages.clone(),
            home_networks: self.home_networks.clone(),
            pools: self.pools.clone(),
            shared_home_addresses: self.shared_home_addresses.clone(),
            dynamic_gateways: self.dynamic_gateways.unwrap_or(default.dynamic_gateways),
            home_link: self.home_interface.is_some(),
            counters_lost,
            ..default
        }
    }
}

/// Words that both agents know.
pub(super) const RESERVED_BITS: &[(&str, ReservedBits)] =
    &[("reject", ReservedBits::Reject), ("ignore", ReservedBits::Ignore)];
pub(super) const REVERSE_TUNNEL: &[(&str, ReverseTunnel)] = &[
    ("unavailable", ReverseTunnel::Unavailable),
    ("available", ReverseTunnel::Available),
    ("required", ReverseTunnel::Required),
];
pub(super) const ADMISSION: &[(&str, Admission)] = &[
    ("open", Admission::Open),
    ("renewals-only", Admission::RenewalsOnly),
    ("closed", Admission::Closed),
];

const NETWORK: &str = "an IPv4 network such as `10.99.0.0/16`";

pub(super) fn read(mut section: Section<'_, '_>) -> HomeAgentSection {
    let expected = "the IPv4 unicast address that mobile nodes register with";
    let address_at = section.key_span("address");
    let address = section.parsed("address", expected, |value| {
        value.as_str()?.parse().ok().filter(|address| is_unicast(*address))
    });
    if address_at.is_none() {
        section.missing("address", expected);
    }
    let port = section.integer("port", 1..=65_535, "");
    let lifetime = section.integer("max-lifetime", 1..=65_535, " seconds");
    let simultaneous = section.integer("max-simultaneous-bindings", 1..=1000, "");
    let bindings = section.integer("max-bindings", 1..=u32::MAX, "");
    let rate_limits = rate_limits(&mut section);
    let config = HomeAgentSection {
        address: SocketAddrV4::new(
            address.unwrap_or(Ipv4Addr::LOCALHOST),
            port.and_then(|port| u16::try_from(port).ok()).unwrap_or(mobility::PORT),
        ),
        lifetime_max: lifetime.and_then(|seconds| u16::try_from(seconds).ok()).map(Lifetime),
        simultaneous_bindings_max: simultaneous.and_then(|count| count.try_into().ok()),
        bindings_max: bindings.and_then(|count| count.try_into().ok()),
        reserved_bits: section.word("reserved-bits", RESERVED_BITS),
        reverse_tunnel: section.word("reverse-tunnel", REVERSE_TUNNEL),
        minimal_encapsulation: section.boolean("minimal-encapsulation"),
        gre: section.boolean("gre"),
        admission: section.word("admission", ADMISSION),
        rate_limits,
        revocation: revocation::read(&mut section),
        notification: notification::read(&mut section),
        messages: notification::read_messages(&mut section),
        home_networks: section.texts("home-networks", NETWORK).unwrap_or_default(),
        pools: section.texts("pools", NETWORK).unwrap_or_default(),
        dynamic_gateways: section.boolean("dynamic-gateways"),
        shared_home_addresses: section.texts("shared-home-addresses", NETWORK).unwrap_or_default(),
        home_interface: section.string("home-interface", "the name of an interface"),
    };
    section.finish();
    config
}

/// How many requests are looked at; there is no limit by default.
pub(super) fn rate_limits(section: &mut Section<'_, '_>) -> RateLimits {
    RateLimits {
        all: section.integer("max-requests-per-second", 1..=10_000_000, ""),
        peer: section.integer("max-requests-per-second-of-peer", 1..=10_000_000, ""),
    }
}

pub(super) fn is_unicast(address: Ipv4Addr) -> bool {
    !address.is_unspecified() && !address.is_multicast() && !address.is_broadcast()
}
