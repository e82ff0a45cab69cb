//! What an operator decides about a foreign agent.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use store::Visitor;
use wire::{Flags, Lifetime, Spi};

use crate::action::{Encapsulation, Service};
use crate::home_agent::{Admission, ReservedBits, ReverseTunnel};
use crate::limits::RateLimits;
use crate::notification::{NotificationConfig, ReplyMessage};
use crate::revocation::RevocationConfig;

/// The configuration of a foreign agent; [`ForeignAgentConfig::new`] has the defaults.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own in the configuration file"
)]
pub struct ForeignAgentConfig {
    /// The name of the daemon instance, which its rows carry.
    pub instance: String,
    /// The address that mobile nodes know it by.
    pub address: Ipv4Addr,
    /// What it offers; relayed requests come from these (RFC 5944 §3.7.2.2).
    pub care_of_addresses: Vec<Ipv4Addr>,
    /// Other addresses of this host, which are no home agents either (§3.7.2).
    pub own_addresses: Vec<Ipv4Addr>,
    /// The port it sends relayed requests from.
    pub port: u16,
    /// The port of home agents.
    pub home_agent_port: u16,
    /// The longest lifetime it allows.
    pub lifetime_max: Lifetime,
    pub visitors_max: usize,
    /// Requests that may wait for their replies at a time (§3.7.1: "typically 5").
    pub pending_max: usize,
    /// How long they may wait (§3.7.1: more than 7 seconds).
    pub pending_timeout: Duration,
    pub reserved_bits: ReservedBits,
    pub reverse_tunnel: ReverseTunnel,
    /// Whether the encapsulating delivery style is offered (RFC 3024 §3.3).
    pub encapsulating_delivery: bool,
    pub minimal_encapsulation: bool,
    pub gre: bool,
    pub admission: Admission,
    /// Of requests; replies of home agents are expected, or dropped at once.
    pub rate_limits: RateLimits,
    pub revocation: RevocationConfig,
    pub notification: NotificationConfig,
    /// Texts that go out with replies, its own and those that it relays.
    pub messages: Vec<ReplyMessage>,
    /// Octets from a good source of randomness, new for each start.
    pub seed: [u8; 32],
    /// The region that it is part of, if it is of one (RFC 4857).
    pub regional: Option<RegionConfig>,
    /// Whether counts made before this start may have been lost.
    pub counters_lost: bool,
}

/// What a foreign agent knows of its region.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RegionConfig {
    /// Its gateway: the one that it advertises, and assigns where nodes ask for none in particular.
    pub gateway: Ipv4Addr,
    /// Other gateways that it relays to.
    pub also: Vec<Ipv4Addr>,
    /// Whether nodes may leave it to the region which gateway they get (RFC 4857 §7.2).
    pub dynamic: bool,
    /// The SPI of the associations with its gateways; `None` takes the first that there is.
    pub spi: Option<Spi>,
}

impl RegionConfig {
    /// Whether that is a gateway of the region.
    pub(super) fn knows(&self, gateway: Ipv4Addr) -> bool {
        gateway == self.gateway || self.also.contains(&gateway)
    }
}

impl ForeignAgentConfig {
    pub fn new(instance: &str, address: Ipv4Addr, seed: [u8; 32]) -> Self {
        Self {
            instance: instance.to_owned(),
            address,
            care_of_addresses: vec![address],
            own_addresses: Vec::new(),
            port: crate::PORT,
            home_agent_port: crate::PORT,
            lifetime_max: Lifetime(1800),
            visitors_max: 100_000,
            // "Typically 5" was meant for one wireless cell of 1996.
            pending_max: 1000,
            pending_timeout: Duration::from_millis(7001),
            reserved_bits: ReservedBits::Reject,
            reverse_tunnel: ReverseTunnel::Available,
            encapsulating_delivery: false,
            minimal_encapsulation: true,
            gre: true,
            admission: Admission::Open,
            rate_limits: RateLimits::default(),
            revocation: RevocationConfig::default(),
            notification: NotificationConfig::default(),
            messages: Vec::new(),
            seed,
            regional: None,
            counters_lost: false,
        }
    }

    /// Whether it offers a care-of address.
    pub(super) fn offers(&self, care_of_address: Ipv4Addr) -> bool {
        self.care_of_addresses.contains(&care_of_address)
    }

    /// Whether an address is this host's.
    pub(super) fn is_own(&self, address: Ipv4Addr) -> bool {
        address == self.address || self.offers(address) || self.own_addresses.contains(&address)
    }

    /// Where a relayed request comes from: the care-of address if it is ours (§3.7.2.2).
    pub(super) fn relay_source(&self, care_of_address: Ipv4Addr) -> SocketAddrV4 {
        let ours = if self.offers(care_of_address) { care_of_address } else { self.address };
        SocketAddrV4::new(ours, self.port)
    }

    /// What the tunnel of a visitor needs at this end.
    pub(super) fn service(&self, visitor: &Visitor) -> Service {
        let nai = visitor.identity.nai().cloned();
        let flags = visitor.flags;
        // Beneath a gateway the tunnel ends there, and begins where the gateway knows the node.
        let regional = visitor.regional.as_ref();
        Service {
            home_agent: regional.map_or(visitor.home_agent, |it| it.gateway),
            home_address: visitor.home_address,
            care_of_address: regional
                .map_or(visitor.care_of_address, |it| it.local_care_of_address),
            nai,
            foreign_agent: Some(self.address),
            interface: visitor.interface,
            encapsulation: Encapsulation::choose(flags, self.gre, self.minimal_encapsulation),
            reverse_tunnel: flags.any(Flags::REVERSE_TUNNEL),
            broadcast_datagrams: flags.any(Flags::BROADCAST_DATAGRAMS),
            decapsulation_by_mobile_node: flags.any(Flags::DECAPSULATION_BY_MOBILE_NODE),
        }
    }
}
