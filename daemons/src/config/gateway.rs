//! `[gateway]`: a gateway foreign agent (RFC 4857).

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use mobility::{Admission, GatewayConfig, RateLimits, ReservedBits, ReverseTunnel};
use wire::Lifetime;

use super::home_agent::{ADMISSION, RESERVED_BITS, REVERSE_TUNNEL, is_unicast, rate_limits};
use super::section::Section;

/// `[gateway]`: what its region is, and how it serves it, is said by `mip4ctl regional`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct GatewaySection {
    pub(crate) address: SocketAddrV4,
    pub(crate) home_agent_port: Option<u16>,
    pub(crate) lifetime_max: Option<Lifetime>,
    pub(crate) visitors_max: Option<usize>,
    pub(crate) pending_max: Option<usize>,
    pub(crate) pending_timeout: Option<Duration>,
    pub(crate) reserved_bits: Option<ReservedBits>,
    pub(crate) reverse_tunnel: Option<ReverseTunnel>,
    pub(crate) minimal_encapsulation: Option<bool>,
    pub(crate) gre: Option<bool>,
    pub(crate) admission: Option<Admission>,
    pub(crate) rate_limits: RateLimits,
}

impl GatewaySection {
    /// The whole configuration of the machine; what the file does not say is the machine's default.
    pub(crate) fn machine(
        &self,
        instance: &str,
        seed: [u8; 32],
        counters_lost: bool,
    ) -> GatewayConfig {
        let default = GatewayConfig::new(instance, *self.address.ip(), seed);
        GatewayConfig {
            port: self.address.port(),
            home_agent_port: self.home_agent_port.unwrap_or(default.home_agent_port),
            lifetime_max: self.lifetime_max.unwrap_or(default.lifetime_max),
            visitors_max: self.visitors_max.unwrap_or(default.visitors_max),
            pending_max: self.pending_max.unwrap_or(default.pending_max),
            pending_timeout: self.pending_timeout.unwrap_or(default.pending_timeout),
            reserved_bits: self.reserved_bits.unwrap_or(default.reserved_bits),
            reverse_tunnel: self.reverse_tunnel.unwrap_or(default.reverse_tunnel),
            minimal_encapsulation: self
                .minimal_encapsulation
                .unwrap_or(default.minimal_encapsulation),
            gre: self.gre.unwrap_or(default.gre),
            admission: self.admission.unwrap_or(default.admission),
            rate_limits: self.rate_limits,
            counters_lost,
            ..default
        }
    }
}

pub(super) fn read(mut section: Section<'_, '_>) -> GatewaySection {
    const ADDRESS: &str = "the IPv4 unicast address that home agents know as the care-of address";
    if section.key_span("address").is_none() {
        section.missing("address", ADDRESS);
    }
    let address = section.parsed("address", ADDRESS, |value| {
        value.as_str()?.parse().ok().filter(|address| is_unicast(*address))
    });
    let mut port = |key| {
        let port = section.integer(key, 1..=65_535, "");
        port.and_then(|port| u16::try_from(port).ok())
    };
    let (own_port, home_agent_port) = (port("port"), port("home-agent-port"));
    let lifetime = section.integer("max-lifetime", 1..=65_535, " seconds");
    let visitors = section.integer("max-visitors", 1..=u32::MAX, "");
    let pending = section.integer("max-pending", 1..=1_000_000, "");
    let timeout = section.integer("pending-timeout", 8..=3600, " seconds");
    let rate_limits = rate_limits(&mut section);
    let config = GatewaySection {
        address: SocketAddrV4::new(
            address.unwrap_or(Ipv4Addr::LOCALHOST),
            own_port.unwrap_or(mobility::PORT),
        ),
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
    };
    section.finish();
    config
}
