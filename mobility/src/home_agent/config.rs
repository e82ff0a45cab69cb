//! What an operator decides about a home agent.

use std::fmt;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use store::Binding;
use wire::Lifetime;

use crate::action::{Encapsulation, Service};
use crate::limits::RateLimits;
use crate::notification::{NotificationConfig, ReplyMessage};
use crate::revocation::RevocationConfig;

/// The configuration of a home agent; [`HomeAgentConfig::new`] has the defaults.
#[derive(Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own in the configuration file"
)]
pub struct HomeAgentConfig {
    /// The name of the daemon instance, which its rows carry.
    pub instance: String,
    /// The unicast address that mobile nodes register with.
    pub address: Ipv4Addr,
    /// The longest lifetime that is granted.
    pub lifetime_max: Lifetime,
    /// Bindings a mobile node may have at a time; 1 means that simultaneous bindings are not supported.
    pub simultaneous_bindings_max: usize,
    /// Bindings of all mobile nodes.
    pub bindings_max: usize,
    /// Requests that may wait for the store at a time.
    pub in_flight_max: usize,
    pub reserved_bits: ReservedBits,
    pub reverse_tunnel: ReverseTunnel,
    pub minimal_encapsulation: bool,
    pub gre: bool,
    /// Where home addresses may lie; empty means anywhere.
    pub home_networks: Vec<Ipv4Net>,
    /// What mobile nodes without a home address get theirs from.
    pub pools: Vec<Ipv4Net>,
    /// Home addresses that any number of mobile nodes may use at a time, told apart by NAI.
    pub shared_home_addresses: Vec<Ipv4Net>,
    pub admission: Admission,
    pub rate_limits: RateLimits,
    /// Whether the home network is a link with ARP, on which mobile nodes can be at home; a
    /// virtual network has none (RFC 5944 §4.6).
    pub home_link: bool,
    /// Whether gateways may assign themselves to nodes without a care-of address (RFC 4857 §7.4).
    pub dynamic_gateways: bool,
    pub revocation: RevocationConfig,
    pub notification: NotificationConfig,
    /// Texts that go out with replies.
    pub messages: Vec<ReplyMessage>,
    /// Octets from a good source of randomness, new for each start.
    pub seed: [u8; 32],
    /// Whether counts made before this start may have been lost, because it did not end in order.
    pub counters_lost: bool,
}

impl HomeAgentConfig {
    pub fn new(instance: &str, address: Ipv4Addr, seed: [u8; 32]) -> Self {
        Self {
            instance: instance.to_owned(),
            address,
            lifetime_max: Lifetime(1800),
            simultaneous_bindings_max: 4,
            bindings_max: 4_000_000,
            in_flight_max: 8192,
            reserved_bits: ReservedBits::Reject,
            reverse_tunnel: ReverseTunnel::Available,
            minimal_encapsulation: true,
            gre: true,
            home_networks: Vec::new(),
            pools: Vec::new(),
            shared_home_addresses: Vec::new(),
            admission: Admission::Open,
            rate_limits: RateLimits::default(),
            home_link: false,
            dynamic_gateways: true,
            revocation: RevocationConfig::default(),
            notification: NotificationConfig::default(),
            messages: Vec::new(),
            seed,
            counters_lost: false,
        }
    }
}

impl HomeAgentConfig {
    /// How datagrams get to the care-of address of `binding`.
    pub(super) fn service(&self, binding: &Binding) -> Service {
        let encapsulation =
            Encapsulation::choose(binding.flags, self.gre, self.minimal_encapsulation);
        Service::new(binding, encapsulation)
    }
}

impl fmt::Debug for HomeAgentConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HomeAgentConfig").field("address", &self.address).finish_non_exhaustive()
    }
}

/// What becomes of a request with reserved bits set.
///
/// RFC 5944 contradicts itself: §3.3 says they are ignored on reception,
/// §3.8.2.3 that the request must be rejected with Code 134.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ReservedBits {
    #[default]
    Reject,
    Ignore,
}

/// Reverse tunnels (RFC 3024).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ReverseTunnel {
    Unavailable,
    #[default]
    Available,
    Required,
}

/// Who may register; everybody may always deregister.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Admission {
    #[default]
    Open,
    /// Only mobile nodes that have a binding: the home agent is being drained.
    RenewalsOnly,
    /// Nobody.
    Closed,
}
