//! What a mobile node is told.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use wire::{Flags, Lifetime, Nai};

use crate::notification::NotificationConfig;

/// The configuration of a mobile node; [`MobileNodeConfig::new`] has the defaults.
#[derive(Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own in the configuration file"
)]
pub struct MobileNodeConfig {
    /// The name of the daemon instance, which its rows carry.
    pub instance: String,
    /// `None` asks the home agent for one; then there must be an NAI (RFC 2794 §2).
    pub home_address: Option<Ipv4Addr>,
    pub nai: Option<Nai>,
    /// The home agent, or the broadcast address of the home network to find one (RFC 5944 §3.6.1.2).
    pub home_agent: SocketAddrV4,
    /// Whether that is the broadcast address, and the home agent is to be found by it.
    pub is_discovery: bool,
    /// Where the node sends from: its co-located care-of address.
    pub local: SocketAddrV4,
    /// Whether requests through a foreign agent come from the home address, as the RFC has it
    /// (§3.6.1.1); a laboratory on one host has no such address, and sends from `local`.
    pub sends_from_home_address: bool,
    /// The flags of its requests.
    pub flags: Flags,
    /// The lifetime it asks for.
    pub lifetime: Lifetime,
    /// How long the first request waits for its reply; at least a second (§3.6.3).
    pub timeout: Duration,
    /// The longest that any request waits.
    pub timeout_max: Duration,
    /// How many requests may go unanswered; `None` tries for ever.
    pub attempts_max: Option<u32>,
    /// How long to wait after a denial that nothing can be done about; doubles each time.
    pub hold_off: Duration,
    /// Whether a node without a foreign agent wants to be told of revocations (RFC 3543 §3.2).
    pub supports_revocation: bool,
    pub notification: NotificationConfig,
    /// Whether it registers through the gateways of regions, and regionally (RFC 4857), where it
    /// shares keys with them.
    pub regional: bool,
    /// How long a gateway that failed is not asked again; doubles each time.
    pub gateway_hold_off: Duration,
    /// Octets from a good source of randomness, other ones for each node.
    pub seed: [u8; 32],
    /// Whether counts made before this start may have been lost.
    pub counters_lost: bool,
}

impl MobileNodeConfig {
    pub fn new(
        instance: &str,
        home_agent: SocketAddrV4,
        local: SocketAddrV4,
        seed: [u8; 32],
    ) -> Self {
        Self {
            instance: instance.to_owned(),
            home_address: None,
            nai: None,
            home_agent,
            is_discovery: false,
            local,
            sends_from_home_address: true,
            flags: Flags(Flags::DECAPSULATION_BY_MOBILE_NODE),
            lifetime: Lifetime(1800),
            timeout: Duration::from_secs(1),
            timeout_max: Duration::from_secs(60),
            attempts_max: None,
            hold_off: Duration::from_secs(10),
            supports_revocation: true,
            notification: NotificationConfig::default(),
            regional: true,
            gateway_hold_off: Duration::from_secs(30),
            seed,
            counters_lost: false,
        }
    }
}

impl fmt::Debug for MobileNodeConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MobileNodeConfig")
            .field("home_address", &self.home_address)
            .field("nai", &self.nai)
            .finish_non_exhaustive()
    }
}
