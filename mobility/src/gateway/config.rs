//! What an operator decides about a gateway foreign agent.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use store::{RegionalReplay, ReplayProtection, Visitor};
use wire::{Flags, Lifetime, ReplayProtectionStyle};

use crate::action::{Encapsulation, Service};
use crate::home_agent::{Admission, ReservedBits, ReverseTunnel};
use crate::limits::RateLimits;
use crate::notification::NotificationConfig;
use crate::revocation::RevocationConfig;

/// The configuration of a gateway; [`GatewayConfig::new`] has the defaults.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own in the configuration"
)]
pub struct GatewayConfig {
    /// The name of the daemon instance, which its rows carry.
    pub instance: String,
    /// The care-of address that home agents know: publicly routable (RFC 4857 §4.1.1).
    pub address: Ipv4Addr,
    pub port: u16,
    /// The port of home agents.
    pub home_agent_port: u16,
    /// The foreign agents beneath it; others are strangers.
    pub foreign_agents: BTreeSet<Ipv4Addr>,
    /// Those of other gateways.
    pub elsewhere: BTreeSet<Ipv4Addr>,
    /// The longest home registration that it passes on.
    pub lifetime_max: Lifetime,
    /// The longest regional registration; never longer than what is left of the home registration.
    pub regional_lifetime_max: Lifetime,
    pub replay: RegionalReplay,
    /// Whether it assigns itself to nodes that ask for no gateway in particular (RFC 4857 §7.3).
    pub dynamic: bool,
    pub visitors_max: usize,
    /// Requests that may wait for their replies at a time.
    pub pending_max: usize,
    pub pending_timeout: Duration,
    pub reserved_bits: ReservedBits,
    pub reverse_tunnel: ReverseTunnel,
    pub minimal_encapsulation: bool,
    pub gre: bool,
    pub admission: Admission,
    pub rate_limits: RateLimits,
    /// With home agents and with the foreign agents beneath it.
    pub revocation: RevocationConfig,
    pub notification: NotificationConfig,
    /// Whether counts made before this start may have been lost.
    pub counters_lost: bool,
    /// What nonces come from.
    pub seed: [u8; 32],
}

impl GatewayConfig {
    pub fn new(instance: &str, address: Ipv4Addr, seed: [u8; 32]) -> Self {
        Self {
            instance: instance.to_owned(),
            address,
            port: crate::PORT,
            home_agent_port: crate::PORT,
            foreign_agents: BTreeSet::new(),
            elsewhere: BTreeSet::new(),
            lifetime_max: Lifetime(1800),
            regional_lifetime_max: Lifetime::INFINITE,
            replay: RegionalReplay::Timestamps,
            dynamic: false,
            visitors_max: 100_000,
            pending_max: 1000,
            pending_timeout: Duration::from_millis(7001),
            reserved_bits: ReservedBits::Reject,
            reverse_tunnel: ReverseTunnel::Available,
            minimal_encapsulation: true,
            gre: true,
            admission: Admission::Open,
            rate_limits: RateLimits::default(),
            revocation: RevocationConfig::default(),
            notification: NotificationConfig::default(),
            counters_lost: false,
            seed,
        }
    }

    /// The replay protection that a node gets which asks for that style, or for none (RFC 4857
    /// §9.3); `None` is one that we do not have.
    pub(super) fn replay_for(&self, asked: Option<u16>) -> Option<ReplayProtection> {
        let agreed = |replay| match (self.replay, replay) {
            (RegionalReplay::Timestamps, ReplayProtection::Timestamps)
            | (RegionalReplay::Nonces, ReplayProtection::Nonces)
            | (RegionalReplay::Any, _) => Some(replay),
            _ => None,
        };
        match asked {
            Some(ReplayProtectionStyle::TIMESTAMP) => agreed(ReplayProtection::Timestamps),
            Some(ReplayProtectionStyle::NONCE) => agreed(ReplayProtection::Nonces),
            Some(_) => None,
            None if self.replay == RegionalReplay::Nonces => Some(ReplayProtection::Nonces),
            None => Some(ReplayProtection::Timestamps),
        }
    }

    /// What the tunnel of a visitor needs: from its home agent to us, and on to where it is.
    pub(super) fn service(&self, visitor: &Visitor) -> Service {
        let nai = visitor.identity.nai().cloned();
        let flags = visitor.flags;
        Service {
            home_agent: visitor.home_agent,
            home_address: visitor.home_address,
            care_of_address: self.address,
            nai,
            foreign_agent: visitor.regional.as_ref().map(|it| it.local_care_of_address),
            interface: None,
            encapsulation: Encapsulation::choose(flags, self.gre, self.minimal_encapsulation),
            reverse_tunnel: flags.any(Flags::REVERSE_TUNNEL),
            broadcast_datagrams: flags.any(Flags::BROADCAST_DATAGRAMS),
            decapsulation_by_mobile_node: flags.any(Flags::DECAPSULATION_BY_MOBILE_NODE),
        }
    }
}
