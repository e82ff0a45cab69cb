//! `[gateway]`: a gateway foreign agent (RFC 4857).

use std::net::SocketAddrV4;

use mobility::GatewayConfig;

use super::foreign_agent::{self, ForeignAgentSection};
use super::section::Section;

/// `[gateway]`: what its region is, and how it serves it, is said by `mip4ctl regional`.
///
/// A gateway is a foreign agent with more to do (RFC 4857 §4.1.1): its keys are those of a foreign
/// agent, but for what concerns links with mobile nodes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct GatewaySection {
    pub(crate) agent: ForeignAgentSection,
}

impl GatewaySection {
    /// A gateway at `address` that is otherwise as it is by default.
    pub(crate) fn at(address: SocketAddrV4) -> Self {
        Self { agent: ForeignAgentSection::at(address) }
    }

    pub(crate) const fn address(&self) -> SocketAddrV4 {
        self.agent.address
    }

    /// The whole configuration of the machine; what the file does not say is the machine's default.
    pub(crate) fn machine(
        &self,
        instance: &str,
        seed: [u8; 32],
        counters_lost: bool,
    ) -> GatewayConfig {
        let agent = &self.agent;
        let default = GatewayConfig::new(instance, *agent.address.ip(), seed);
        GatewayConfig {
            port: agent.address.port(),
            home_agent_port: agent.home_agent_port.unwrap_or(default.home_agent_port),
            lifetime_max: agent.lifetime_max.unwrap_or(default.lifetime_max),
            visitors_max: agent.visitors_max.unwrap_or(default.visitors_max),
            pending_max: agent.pending_max.unwrap_or(default.pending_max),
            pending_timeout: agent.pending_timeout.unwrap_or(default.pending_timeout),
            reserved_bits: agent.reserved_bits.unwrap_or(default.reserved_bits),
            reverse_tunnel: agent.reverse_tunnel.unwrap_or(default.reverse_tunnel),
            minimal_encapsulation: agent
                .minimal_encapsulation
                .unwrap_or(default.minimal_encapsulation),
            gre: agent.gre.unwrap_or(default.gre),
            admission: agent.admission.unwrap_or(default.admission),
            rate_limits: agent.rate_limits,
            revocation: agent.revocation.clone(),
            notification: agent.notification,
            counters_lost,
            ..default
        }
    }
}

pub(super) fn read(mut section: Section<'_, '_>) -> GatewaySection {
    const ADDRESS: &str = "the IPv4 unicast address that home agents know as the care-of address";
    let agent = foreign_agent::read_common(&mut section, ADDRESS);
    section.finish();
    GatewaySection { agent }
}
