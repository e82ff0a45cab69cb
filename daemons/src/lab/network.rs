//! The mobile nodes of a lab, and the configuration of what they register with.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use mobility::{MobileNode, MobileNodeConfig, SecurityAssociation};
use store::{Algorithm, Identity, ReplayProtection, Role};
use tokio::task::JoinHandle;
use tracing::error;
use wire::{AuthenticationAlgorithm, Lifetime, Nai, SecretKey, Spi};

use crate::config::{
    AssociationConfig, CommunityConfig, Config, DaemonConfig, HomeAgentSection, Listen, LogConfig,
    SnmpConfig, StoreConfig,
};
use crate::driver::mobile_nodes::{MobileNodes, Progress};
use crate::driver::{Shutdown, Stop};
use crate::socket::{Sockets, bind_udp};
use crate::system::{System, seed};

const INSTANCE: &str = "lab";
const HOME_AGENT: Ipv4Addr = Ipv4Addr::LOCALHOST;
const COMMUNITY: &str = "public";
const SPI: Spi = Spi(1000);
const TOLERANCE_SECONDS: u8 = 7;

/// Care-of addresses with a socket each; more nodes than this share them.
const CARE_OF_ADDRESSES_MAX: u32 = 250;

/// A mobile node of the lab; every other one has an NAI.
pub(super) struct Peer {
    home_address: Ipv4Addr,
    nai: Option<Nai>,
    key: SecretKey,
}

impl Peer {
    /// So many nodes, each with a key of its own.
    pub(super) fn several(count: u32) -> anyhow::Result<Vec<Self>> {
        (1..=count).map(Self::new).collect()
    }

    fn new(number: u32) -> anyhow::Result<Self> {
        let [_, _, high, low] = number.to_be_bytes();
        let nai = match number % 2 {
            0 => Some(Nai::new(&format!("mobile-{number}@lab.example"))?),
            _ => None,
        };
        let key = SecretKey::from_octets(&seed()?)?;
        Ok(Self { home_address: Ipv4Addr::new(10, 99, high, low), nai, key })
    }

    fn identity(&self) -> Identity {
        match &self.nai {
            Some(nai) => Identity::Nai(nai.clone()),
            None => Identity::Address(self.home_address),
        }
    }

    /// The association as the home agent has it.
    fn configured(&self) -> AssociationConfig {
        let algorithm = Algorithm::HmacMd5;
        let replay = ReplayProtection::Timestamps;
        AssociationConfig {
            peer: self.identity(),
            spi: SPI,
            algorithm,
            key: self.key.clone(),
            replay,
            tolerance: TOLERANCE_SECONDS,
            role: Role::HomeAgent,
            is_inline: true,
        }
    }

    /// The same association as the node has it.
    fn association(&self) -> SecurityAssociation {
        SecurityAssociation {
            peer: Identity::Address(HOME_AGENT),
            spi: SPI,
            algorithm: AuthenticationAlgorithm::HmacMd5,
            key: self.key.clone(),
            replay: ReplayProtection::Timestamps,
            tolerance: Duration::from_secs(TOLERANCE_SECONDS.into()),
        }
    }
}

/// What a configuration file of the lab's fixed part would say.
pub(super) fn config(snmp: SocketAddr, mip_port: u16, peers: &[Peer], directory: &Path) -> Config {
    let community = CommunityConfig::everything(COMMUNITY);
    let name = Some(INSTANCE.to_owned());
    Config {
        path: directory.to_owned(),
        daemon: DaemonConfig { name: name.clone(), ..DaemonConfig::default() },
        log: LogConfig::default(),
        store: StoreConfig::owned(directory.join("store"), directory.join("store.sock")),
        snmp: Some(SnmpConfig {
            listen: vec![Listen(snmp)],
            name,
            location: "the loopback interface".to_owned(),
            communities: vec![community],
            ..SnmpConfig::default()
        }),
        home_agent: Some(HomeAgentSection::at(SocketAddrV4::new(HOME_AGENT, mip_port))),
        foreign_agent: None,
        associations: peers.iter().map(Peer::configured).collect(),
        warnings: Vec::new(),
    }
}

/// The mobile nodes, in a task of their own.
pub(super) struct MobileNetwork {
    progress: Progress,
    stop: Stop,
    task: JoinHandle<()>,
}

impl MobileNetwork {
    /// Starts to register all of them.
    pub(super) fn start(
        peers: &[Peer],
        home_agent: SocketAddrV4,
        lifetime: u16,
        system: &System,
    ) -> anyhow::Result<Self> {
        let mut bound = Vec::new();
        let count = CARE_OF_ADDRESSES_MAX.min(u32::try_from(peers.len()).unwrap_or(u32::MAX));
        for number in 1..=count {
            let [.., last] = number.to_be_bytes();
            bound.push(bind_udp((Ipv4Addr::new(127, 0, 1, last), 0).into())?);
        }
        let sockets = Sockets::new(bound)?;
        let snapshot = system.store.snapshot();
        let mut nodes = Vec::with_capacity(peers.len());
        for (peer, socket) in peers.iter().zip((0..sockets.len()).cycle()) {
            let (local, _) = sockets.get(socket).context("a node without a socket")?;
            let mut config = MobileNodeConfig::new(INSTANCE, home_agent, local, seed()?);
            config.home_address = Some(peer.home_address);
            config.nai.clone_from(&peer.nai);
            config.lifetime = Lifetime(lifetime);
            let mut node = MobileNode::new(config, &snapshot, system.clock.now());
            node.set_associations(vec![peer.association()]);
            nodes.push((node, socket));
        }
        let (store, clock) = (system.store.clone(), system.clock.clone());
        let (driver, progress) = MobileNodes::new(nodes, sockets, store, clock);
        let (stop, shutdown): (Stop, Shutdown) = Stop::new();
        let task = tokio::spawn(driver.run(shutdown));
        Ok(Self { progress, stop, task })
    }

    pub(super) fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Stops them where they are; their bindings expire by themselves.
    pub(super) async fn stop(self) {
        self.stop.now();
        if self.task.await.is_err() {
            error!("the mobile nodes panicked");
        }
    }
}
