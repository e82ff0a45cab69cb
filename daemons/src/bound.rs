//! What may need privileges: taken before they are given up.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use anyhow::{Context as _, bail};
use rustix::io::Errno;

use crate::config::{AdvertiseSection, Config, ForeignAgentSection, MobileNodeSection};
use crate::exit::{ExitStatus, Failure};
use crate::link::arp::BoundArp;
use crate::link::interface::Interface;
use crate::link::raw::{BoundLink, End};
use crate::socket::{BoundSocket, SnmpSocket, bind_on, bind_udp};

/// All mobility agents of a link (RFC 5944 §2.3).
const ALL_AGENTS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 11);

/// The sockets of a process, before anything serves on them.
pub(crate) struct Bound {
    /// The first is at the agent's address, unless the foreign agent has that.
    pub(crate) home_agent: Vec<BoundSocket>,
    pub(crate) home_arp: Option<BoundArp>,
    /// The first is where mobile nodes send to; requests are relayed from the others.
    pub(crate) foreign_agent: Vec<BoundSocket>,
    pub(crate) gateway: Vec<BoundSocket>,
    pub(crate) advertise: Vec<BoundAdvertiser>,
    pub(crate) mobile_node: Option<BoundMobileNode>,
    pub(crate) snmp: Vec<SnmpSocket>,
}

/// An interface to advertise on.
pub(crate) struct BoundAdvertiser {
    pub(crate) section: AdvertiseSection,
    pub(crate) interface: Interface,
    pub(crate) link: BoundLink,
}

/// What a mobile node hears and sends with.
pub(crate) struct BoundMobileNode {
    pub(crate) socket: BoundSocket,
    /// The name of the interface, if agents are heard on it.
    pub(crate) interface: Option<String>,
    pub(crate) link: Option<BoundLink>,
    pub(crate) arp: Option<BoundArp>,
}

impl Bound {
    pub(crate) fn bind(config: &Config) -> Result<Self, Failure> {
        Self::bind_all(config).map_err(|error| {
            let errno = error.downcast_ref().and_then(Errno::from_io_error);
            match errno {
                Some(Errno::ACCESS | Errno::PERM) => Failure::new(ExitStatus::NotPermitted, error),
                _ => Failure::from(error),
            }
        })
    }

    fn bind_all(config: &Config) -> anyhow::Result<Self> {
        let advertise =
            config.advertise.iter().map(bind_advertiser).collect::<Result<Vec<_>, _>>()?;
        let mut bound = Self {
            home_agent: Vec::new(),
            home_arp: None,
            foreign_agent: Vec::new(),
            gateway: Vec::new(),
            advertise,
            mobile_node: config.mobile_node.as_ref().map(bind_mobile_node).transpose()?,
            snmp: Vec::new(),
        };
        if let Some(section) = &config.home_agent {
            if config.shared_address().is_none() {
                let address = SocketAddr::V4(section.address);
                let socket = bind_udp(address).context("the home agent cannot be served")?;
                bound.home_agent.push(BoundSocket { socket, interface: None });
            }
            if let Some(name) = &section.home_interface {
                bound.bind_home_link(name, section.address.port())?;
            }
        }
        if let Some(section) = &config.foreign_agent {
            bound.foreign_agent = bind_foreign_agent(section, &bound.advertise)
                .context("the foreign agent cannot be served")?;
        }
        if let Some(section) = &config.gateway {
            let socket = bind_udp(SocketAddr::V4(section.address()))
                .context("the gateway cannot be served")?;
            bound.gateway.push(BoundSocket { socket, interface: None });
        }
        for listen in config.snmp.iter().flat_map(|snmp| &snmp.listen) {
            bound.snmp.push(SnmpSocket::bind(*listen).context("SNMP cannot be served")?);
        }
        Ok(bound)
    }

    /// The home link: its broadcast addresses, by which mobile nodes look for a home agent
    /// (RFC 5944 §3.6.1.2), and its ARP.
    fn bind_home_link(&mut self, name: &str, port: u16) -> anyhow::Result<()> {
        let interface = Interface::find(name).context("the home agent cannot be served")?;
        for address in interface.broadcast_addresses() {
            let address = SocketAddr::V4(SocketAddrV4::new(address, port));
            let socket = bind_udp(address).context("the home agent cannot be served")?;
            self.home_agent.push(BoundSocket { socket, interface: None });
        }
        match BoundArp::open(&interface) {
            Ok(arp) => self.home_arp = Some(arp),
            // A home agent without it still registers mobile nodes.
            Err(error) => tracing::warn!("no ARP for mobile nodes that are away: {error:#}"),
        }
        Ok(())
    }

    /// The sockets of the SNMP engine, which serves before anything else does.
    pub(crate) fn take_snmp(&mut self) -> Vec<SnmpSocket> {
        std::mem::take(&mut self.snmp)
    }

    /// Where the home agent is, once a port has been chosen.
    pub(crate) fn home_agent(&self) -> Option<SocketAddrV4> {
        match self.home_agent.first()?.socket.local_addr().ok()? {
            SocketAddr::V4(address) => Some(address),
            SocketAddr::V6(_) => None,
        }
    }
}

fn bind_advertiser(section: &AdvertiseSection) -> anyhow::Result<BoundAdvertiser> {
    let interface = Interface::find(&section.interface).context("nothing can be advertised")?;
    if !interface.has(section.address) {
        let (name, address) = (&interface.name, section.address);
        bail!("nothing can be advertised: {address} is no address of `{name}`");
    }
    let link = BoundLink::open(&interface, End::Agent).context("nothing can be advertised")?;
    Ok(BoundAdvertiser { section: section.clone(), interface, link })
}

/// Its own addresses, reached by the routes; then those of each link that it advertises on, by
/// which it knows where a mobile node is.
fn bind_foreign_agent(
    section: &ForeignAgentSection,
    advertise: &[BoundAdvertiser],
) -> anyhow::Result<Vec<BoundSocket>> {
    let links: Vec<&BoundAdvertiser> =
        advertise.iter().filter(|it| it.section.role == store::Role::ForeignAgent).collect();
    let mut sockets = Vec::new();
    for address in section.addresses() {
        let socket = if links.is_empty() {
            bind_udp(SocketAddr::V4(address))?
        } else {
            bind_on(address, None)?
        };
        sockets.push(BoundSocket { socket, interface: None });
    }
    let port = section.address.port();
    for link in links {
        let own = link.section.address;
        for address in [own, ALL_AGENTS, Ipv4Addr::BROADCAST] {
            let socket = bind_on(SocketAddrV4::new(address, port), Some(&link.interface))?;
            sockets.push(BoundSocket { socket, interface: Some(link.interface.index) });
        }
    }
    // From here on nobody else gets these ports.
    for BoundSocket { socket, .. } in &sockets {
        socket2::SockRef::from(socket).set_reuse_address(false)?;
    }
    Ok(sockets)
}

fn bind_mobile_node(section: &MobileNodeSection) -> anyhow::Result<BoundMobileNode> {
    let words = "the mobile node cannot be served";
    let Some(name) = &section.interface else {
        let socket = bind_udp(SocketAddr::V4(section.source())).context(words)?;
        let socket = BoundSocket { socket, interface: None };
        return Ok(BoundMobileNode { socket, interface: None, link: None, arp: None });
    };
    let interface = Interface::find(name).context(words)?;
    if let Some(address) = section.home_address
        && section.co_located.is_none()
        && !interface.has(address)
    {
        bail!("{words}: its home address {address} is no address of `{name}`");
    }
    let socket = bind_on(section.source(), Some(&interface)).context(words)?;
    let socket = BoundSocket { socket, interface: Some(interface.index) };
    if section.co_located.is_some() {
        return Ok(BoundMobileNode { socket, interface: None, link: None, arp: None });
    }
    let link = BoundLink::open(&interface, End::Node).context(words)?;
    let arp = match BoundArp::open(&interface) {
        Ok(arp) => Some(arp),
        Err(error) => {
            tracing::warn!("no gratuitous ARP when the mobile node comes home: {error:#}");
            None
        }
    };
    Ok(BoundMobileNode { socket, interface: Some(name.clone()), link: Some(link), arp })
}
