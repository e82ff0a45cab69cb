//! The fixed part of a lab: home agents, foreign agents, gateways, store and SNMP.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::path::Path;

use mobility::{Advertiser, AdvertiserConfig, RevocationPort};
use rustix::io::Errno;
use store::{Algorithm, Identity, ReplayProtection, Role};
use wire::{AdvertisementFlags, RouterAddress, SecretKey, Spi};

use super::LabArgs;
use super::network::Peer;
use super::region;
use crate::bound::Bound;
use crate::config::{
    AssociationConfig, CommunityConfig, Config, DaemonConfig, ForeignAgentSection, GatewaySection,
    HomeAgentSection, Listen, LogConfig, SnmpConfig, StoreConfig,
};
use crate::driver::advertising::Advertising;
use crate::exit::Failure;
use crate::link::Link;
use crate::link::simulated::{self, NodesEnd, SimulatedLink};
use crate::socket::{BoundSocket, Sockets, bind_udp};
use crate::system::{HomeLinks, System, seed};

/// The instance of the first home agent, the store and SNMP; others add what they are.
pub(super) const INSTANCE: &str = "lab";
const COMMUNITY: &str = "public";
/// Of the associations between home agents and foreign agents, home agents and gateways, foreign
/// agents and gateways. A row is named by peer and SPI, so each pair of roles has its own.
const AGENTS_SPI: Spi = Spi(2000);
const HOME_GATEWAY_SPI: Spi = Spi(2001);
pub(super) const REGION_SPI: Spi = Spi(2002);

/// How often a free port is looked for that all agents can have.
const PORT_ATTEMPTS: u32 = 16;

/// The home agent with that number, from 1.
pub(super) fn home_agent(number: u32, port: u16) -> SocketAddrV4 {
    let [.., last] = number.to_be_bytes();
    SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, last), port)
}

/// The foreign agent with that number, from 1, which is that of its link.
pub(super) fn foreign_agent(number: u32, port: u16) -> SocketAddrV4 {
    let [.., last] = number.to_be_bytes();
    SocketAddrV4::new(Ipv4Addr::new(127, 0, 2, last), port)
}

/// The gateway with that number, from 1.
pub(super) fn gateway(number: u32, port: u16) -> SocketAddrV4 {
    let [.., last] = number.to_be_bytes();
    SocketAddrV4::new(Ipv4Addr::new(127, 0, 3, last), port)
}

/// What the instance of a gateway is called.
pub(super) fn gateway_name(number: u32) -> String {
    format!("{INSTANCE}-gw{number}")
}

/// Agents whose sockets are bound.
pub(super) struct Site {
    config: Config,
    bound: Bound,
    port: u16,
    /// Beside the first, which `config` has.
    home_agents: Vec<(u32, UdpSocket)>,
    foreign_agents: Vec<(u32, UdpSocket)>,
    /// None of those that are processes of their own.
    gateways: Vec<(u32, UdpSocket)>,
}

impl Site {
    /// Binds all agents to one port, each at an address of its own.
    pub(super) fn bind(args: &LabArgs, peers: &[Peer], directory: &Path) -> Result<Self, Failure> {
        let mut attempts = if args.mip_port == 0 { PORT_ATTEMPTS } else { 1 };
        loop {
            attempts -= 1;
            match Self::bind_once(args, peers, directory) {
                // The port that was free at one address need not be so at all.
                Err(failure) if attempts > 0 && is_address_in_use(&failure) => {}
                bound => return bound,
            }
        }
    }

    fn bind_once(args: &LabArgs, peers: &[Peer], directory: &Path) -> Result<Self, Failure> {
        let config = config(args, peers, directory)?;
        let bound = Bound::bind(&config)?;
        let port = bound.home_agent().map_or(args.mip_port, |address| address.port());
        let bind = |(number, address): (u32, SocketAddrV4)| {
            anyhow::Ok((number, bind_udp(SocketAddr::V4(address))?))
        };
        let home_agents = (2..=args.home_agents).map(|number| (number, home_agent(number, port)));
        let foreign_agents =
            (1..=args.foreign_agents).map(|number| (number, foreign_agent(number, port)));
        let own = if args.gateway_processes { 0 } else { args.gateways };
        let gateways = (1..=own).map(|number| (number, gateway(number, port)));
        Ok(Self {
            port,
            home_agents: home_agents.map(bind).collect::<Result<_, _>>()?,
            foreign_agents: foreign_agents.map(bind).collect::<Result<_, _>>()?,
            gateways: gateways.map(bind).collect::<Result<_, _>>()?,
            config,
            bound,
        })
    }

    /// The port of all agents.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Starts all of them; returns the links of the foreign agents as the mobile nodes have them.
    pub(super) async fn start(self, args: &LabArgs) -> Result<(System, NodesEnd), Failure> {
        let mut system = System::start(&self.config, self.bound).await?;
        let others = Others {
            port: self.port,
            home: self.home_agents,
            gateways: self.gateways,
            foreign: self.foreign_agents,
        };
        let started = async {
            region::configure(args, &system.store).await?;
            others.start(&mut system).await
        };
        match started.await {
            Ok(links) => Ok((system, links)),
            Err(error) => {
                drop(system.stop().await);
                Err(error.into())
            }
        }
    }
}

/// The agents that a configuration file has no room for.
struct Others {
    port: u16,
    home: Vec<(u32, UdpSocket)>,
    gateways: Vec<(u32, UdpSocket)>,
    foreign: Vec<(u32, UdpSocket)>,
}

impl Others {
    async fn start(self, system: &mut System) -> anyhow::Result<NodesEnd> {
        for (number, socket) in self.home {
            let address = home_agent(number, self.port);
            let name = format!("{INSTANCE}-ha{number}");
            let member = system.join(&name, vec![Role::HomeAgent], vec![*address.ip()]).await?;
            let section = home_agent_section(address);
            let sockets = Sockets::new(vec![BoundSocket { socket, interface: None }])?;
            system.start_home_agent(&member, &section, sockets, HomeLinks::default()).await?;
        }
        for (number, socket) in self.gateways {
            let mut section = GatewaySection::at(gateway(number, self.port));
            section.agent.home_agent_port = Some(self.port);
            section.agent.pending_max = Some(region::PENDING_MAX);
            let (name, address) = (gateway_name(number), *section.address().ip());
            let member = system.join(&name, vec![Role::Gateway], vec![address]).await?;
            let bound = vec![BoundSocket { socket, interface: None }];
            system.start_gateway(&member, &section, bound).await?;
        }
        let count = u32::try_from(self.foreign.len()).unwrap_or(u32::MAX);
        let (links, nodes_end) = simulated::links(count);
        for ((number, socket), link) in self.foreign.into_iter().zip(links) {
            let address = foreign_agent(number, self.port);
            let name = format!("{INSTANCE}-fa{number}");
            let mut member =
                system.join(&name, vec![Role::ForeignAgent], vec![*address.ip()]).await?;
            let mut section = ForeignAgentSection::at(address);
            section.home_agent_port = Some(self.port);
            member.interfaces.push(link.interface());
            let advertising = advertising(&name, &section, link, system)?;
            let sockets = Sockets::new(vec![BoundSocket { socket, interface: None }])?;
            let advertising = vec![advertising];
            system.start_foreign_agent(&member, &section, sockets, advertising).await?;
        }
        Ok(nodes_end)
    }
}

/// What a foreign agent of the lab says on its link.
fn advertising(
    instance: &str,
    section: &ForeignAgentSection,
    link: SimulatedLink,
    system: &System,
) -> anyhow::Result<Advertising> {
    let link = Link::Simulated(link);
    let address = *section.address.ip();
    let role = Role::ForeignAgent;
    let mut config = AdvertiserConfig::new(instance, role, link.interface(), address, seed()?);
    config.flags = AdvertisementFlags(
        AdvertisementFlags::FOREIGN_AGENT
            | AdvertisementFlags::MINIMAL_ENCAPSULATION
            | AdvertisementFlags::GRE
            | AdvertisementFlags::REVERSE_TUNNEL
            | AdvertisementFlags::REVOCATION,
    );
    config.care_of_addresses.clone_from(&section.care_of_addresses);
    config.routers = vec![RouterAddress { address, preference: 0 }];
    config.prefix_lengths = Some(vec![32]);
    let advertiser = Advertiser::new(config, system.clock.now())?;
    Ok(Advertising::new(advertiser, link, vec![32]))
}

/// A home agent that revokes where its peers are: nobody here is at port 434.
fn home_agent_section(address: SocketAddrV4) -> HomeAgentSection {
    let mut section = HomeAgentSection::at(address);
    section.revocation.port = RevocationPort::OfRegistration;
    section
}

/// The associations of home agents, gateways and foreign agents with each other, as all of them
/// have them; all share a key.
fn between_agents(args: &LabArgs) -> anyhow::Result<Vec<AssociationConfig>> {
    let key = SecretKey::from_octets(&seed()?)?;
    let association = |address: SocketAddrV4, spi, role| AssociationConfig {
        peer: Identity::Address(*address.ip()),
        spi,
        algorithm: Algorithm::HmacMd5,
        key: key.clone(),
        replay: ReplayProtection::Timestamps,
        tolerance: 7,
        role,
        is_inline: true,
    };
    if args.foreign_agents == 0 {
        return Ok(Vec::new());
    }
    let foreign = |spi, role| {
        let all = (1..=args.foreign_agents).map(|number| foreign_agent(number, args.mip_port));
        all.map(|address| association(address, spi, role)).collect::<Vec<_>>()
    };
    let home = |spi, role| {
        let all = (1..=args.home_agents).map(|number| home_agent(number, args.mip_port));
        all.map(|address| association(address, spi, role)).collect::<Vec<_>>()
    };
    let gateways = |spi, role| {
        let all = (1..=args.gateways).map(|number| gateway(number, args.mip_port));
        all.map(|address| association(address, spi, role)).collect::<Vec<_>>()
    };
    let mut all = foreign(AGENTS_SPI, Role::HomeAgent);
    all.extend(home(AGENTS_SPI, Role::ForeignAgent));
    if args.gateways > 0 {
        all.extend(gateways(HOME_GATEWAY_SPI, Role::HomeAgent));
        all.extend(home(HOME_GATEWAY_SPI, Role::Gateway));
        all.extend(gateways(REGION_SPI, Role::ForeignAgent));
        all.extend(foreign(REGION_SPI, Role::Gateway));
    }
    Ok(all)
}

/// What a configuration file of the lab's first instance would say.
fn config(args: &LabArgs, peers: &[Peer], directory: &Path) -> anyhow::Result<Config> {
    let community = CommunityConfig::everything(COMMUNITY);
    let name = Some(INSTANCE.to_owned());
    Ok(Config {
        path: directory.to_owned(),
        daemon: DaemonConfig { name: name.clone(), ..DaemonConfig::default() },
        log: LogConfig::default(),
        store: StoreConfig::owned(directory.join("store"), directory.join("store.sock")),
        snmp: Some(SnmpConfig {
            listen: vec![Listen::Udp(args.snmp)],
            name,
            location: "the loopback interface".to_owned(),
            communities: vec![community],
            ..SnmpConfig::default()
        }),
        home_agent: Some(home_agent_section(home_agent(1, args.mip_port))),
        foreign_agent: None,
        gateway: None,
        mobile_node: None,
        advertise: Vec::new(),
        associations: peers
            .iter()
            .flat_map(|peer| peer.configured(args.gateways > 0))
            .chain(between_agents(args)?)
            .collect(),
        warnings: Vec::new(),
    })
}

fn is_address_in_use(failure: &Failure) -> bool {
    let errno = failure.error.downcast_ref().and_then(Errno::from_io_error);
    errno == Some(Errno::ADDRINUSE)
}
