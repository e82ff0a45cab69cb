//! What a lab consists of, and how it is started and stopped.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use agent::{Engine, EngineConfig, LocalFacts};
use anyhow::{Context as _, anyhow};
use mobility::{HomeAgent, HomeAgentConfig, MobileNode, MobileNodeConfig, SecurityAssociation};
use store::wire::{AuthenticationAlgorithm, Nai, SecretKey, Spi};
use store::{
    Algorithm, Association, Batch, Identity, Instance, InstanceState, OpenOptions, Origin,
    ReplayProtection, Role, StorageType, Store, StoreUrl, Unknown,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Lab;
use crate::clock::Clock;
use crate::driver::home_agent::HomeAgentDriver;
use crate::driver::instance::{Heartbeat, ended_badly};
use crate::driver::mobile_nodes::{MobileNodes, Progress};
use crate::driver::{Shutdown, Stop, snmp};
use crate::serve::serve_store;
use crate::socket::{bind_udp, into_tokio};

const INSTANCE: &str = "lab";
const HOME_AGENT: Ipv4Addr = Ipv4Addr::LOCALHOST;
const COMMUNITY: &str = "public";
const SPI: Spi = Spi(1000);
/// The care-of addresses of the lab, with a socket each; nodes share them.
const CARE_OF_ADDRESSES: u32 = 16;
/// How many rows one commit of the setup has.
const ROWS_A_COMMIT: usize = 1000;

/// Everything that runs in a lab.
pub(crate) struct Network {
    pub(crate) store: Store,
    pub(crate) home_agent: SocketAddrV4,
    pub(crate) progress: Progress,
    /// Nodes stop first, then the home agent, then what shows them.
    nodes: (Stop, JoinSet<()>),
    agents: (Stop, JoinSet<()>),
    rest: (Stop, JoinSet<()>),
    snmp: JoinHandle<()>,
}

impl Network {
    /// Starts everything; mobile nodes begin to register.
    pub(crate) async fn start(lab: &Lab, directory: &Path) -> anyhow::Result<Self> {
        // What may be refused comes first.
        let snmp_socket = bind_udp(lab.snmp)?;
        let home_agent_socket = bind_udp((HOME_AGENT, lab.mip_port).into())?;
        let home_agent = ipv4(home_agent_socket.local_addr()?)?;
        let store = Store::open(&StoreUrl::Sled(directory.join("store")), OpenOptions::default())
            .await
            .context("failed to open the store of the lab")?;
        let clock = Clock::start();
        let counters_lost = ended_badly(&store.snapshot(), INSTANCE);
        let mut beat = Heartbeat::new(store.clone(), clock, instance(clock));
        beat.announce(InstanceState::Starting).await;
        let peers: Vec<Peer> = (0..lab.nodes).map(Peer::new).collect();
        write_associations(&store, &peers).await?;

        let (stop_rest, shutdown_rest) = Stop::new();
        let mut rest = JoinSet::new();
        let serving = serve_store(&store, &directory.join("store.sock"), shutdown_rest.clone())?;
        rest.spawn(serving);
        let engine = Engine::new(engine_config(clock));
        let snmp =
            snmp::spawn(engine, vec![snmp_socket], store.clone(), clock, shutdown_rest.clone())?;

        let (stop_agents, shutdown_agents) = Stop::new();
        let mut agents = JoinSet::new();
        agents.spawn(serve_home_agent(
            (home_agent_socket, home_agent),
            &peers,
            counters_lost,
            (&store, clock),
            shutdown_agents,
        )?);
        beat.announce(InstanceState::Serving).await;
        rest.spawn(beat.run(shutdown_rest));

        let (stop_nodes, shutdown_nodes) = Stop::new();
        let mut nodes = JoinSet::new();
        let (driver, progress) = mobile_nodes(&peers, home_agent, &store, clock)?;
        nodes.spawn(driver.run(shutdown_nodes));
        Ok(Self {
            store,
            home_agent,
            progress,
            nodes: (stop_nodes, nodes),
            agents: (stop_agents, agents),
            rest: (stop_rest, rest),
            snmp,
        })
    }

    /// Stops everything in order; nothing acknowledged is lost.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        for (stop, mut tasks) in [self.nodes, self.agents, self.rest] {
            stop.now();
            while let Some(ended) = tasks.join_next().await {
                ended.context("a part of the lab broke")?;
            }
        }
        tokio::task::spawn_blocking(|| self.snmp.join())
            .await?
            .map_err(|_| anyhow!("the SNMP engine broke"))?;
        self.store.close().await;
        Ok(())
    }
}

/// A mobile node of the lab; every other one has an NAI.
struct Peer {
    index: u32,
    home_address: Ipv4Addr,
    nai: Option<Nai>,
}

impl Peer {
    fn new(index: u32) -> Self {
        let [_, _, high, low] = (index + 1).to_be_bytes();
        let nai = format!("mobile-{}@lab.example", index + 1);
        let nai = if index % 2 == 1 { Nai::new(&nai).ok() } else { None };
        Self { index, home_address: Ipv4Addr::new(10, 99, high, low), nai }
    }

    fn identity(&self) -> Identity {
        match &self.nai {
            Some(nai) => Identity::Nai(nai.clone()),
            None => Identity::Address(self.home_address),
        }
    }

    /// The key is made from the address: it protects nothing but a lab.
    fn association(&self, peer: Identity) -> anyhow::Result<SecurityAssociation> {
        let octets: Vec<u8> = self.home_address.octets().repeat(4);
        Ok(SecurityAssociation {
            peer,
            spi: SPI,
            algorithm: AuthenticationAlgorithm::HmacMd5,
            key: SecretKey::from_octets(&octets)?,
            replay: ReplayProtection::Timestamps,
            tolerance: Duration::from_secs(7),
        })
    }
}

fn instance(clock: Clock) -> Instance {
    let now = clock.now();
    Instance {
        name: INSTANCE.to_owned(),
        roles: vec![Role::HomeAgent, Role::MobileNode, Role::Snmp, Role::Store],
        addresses: vec![HOME_AGENT],
        version: env!("CARGO_PKG_VERSION").to_owned(),
        process_id: std::process::id(),
        started_at: now.stamp(),
        heartbeat_at: now.stamp(),
        clock_step: 0,
        state: InstanceState::Starting,
        applied_revision: 0,
        apply_error: None,
        unknown: Unknown::default(),
    }
}

/// The rows of the associations; their keys are in no store, since the lab makes them anew.
async fn write_associations(store: &Store, peers: &[Peer]) -> anyhow::Result<()> {
    for peers in peers.chunks(ROWS_A_COMMIT) {
        let mut batch = Batch::default();
        for peer in peers {
            batch.put(Association {
                peer: peer.identity(),
                spi: SPI,
                algorithm: Algorithm::HmacMd5,
                replay: ReplayProtection::Timestamps,
                tolerance: 7,
                origin: Origin::File,
                storage: StorageType::ReadOnly,
                active: true,
                unknown: Unknown::default(),
            });
        }
        store.commit(batch).await.context("failed to write the associations of the lab")?;
    }
    Ok(())
}

fn engine_config(clock: Clock) -> EngineConfig {
    let mut config = EngineConfig {
        local: LocalFacts {
            started: clock.now().uptime,
            description: format!("Mobile IPv4 lab, mip4d {}", env!("CARGO_PKG_VERSION")),
            contact: String::new(),
            name: INSTANCE.to_owned(),
            location: "loopback".to_owned(),
            ..LocalFacts::default()
        },
        ..EngineConfig::default()
    };
    config.allow_read(COMMUNITY, &[1, 3, 6, 1]);
    config
}

fn serve_home_agent(
    (socket, local): (std::net::UdpSocket, SocketAddrV4),
    peers: &[Peer],
    counters_lost: bool,
    (store, clock): (&Store, Clock),
    shutdown: Shutdown,
) -> anyhow::Result<impl Future<Output = ()> + Send + use<>> {
    let mut config = HomeAgentConfig::new(INSTANCE, HOME_AGENT, crate::seed()?);
    config.counters_lost = counters_lost;
    let mut machine = HomeAgent::new(config, &store.snapshot(), clock.now());
    let associations: anyhow::Result<Vec<_>> =
        peers.iter().map(|peer| peer.association(peer.identity())).collect();
    machine.set_associations(associations?);
    let driver = HomeAgentDriver::new(machine, into_tokio(socket)?, local, store.clone(), clock);
    Ok(async move {
        // The associations of a lab never change; the sender lives as long as the driver.
        let (_sender, updates) = mpsc::channel(1);
        driver.run(updates, shutdown).await;
    })
}

fn mobile_nodes(
    peers: &[Peer],
    home_agent: SocketAddrV4,
    store: &Store,
    clock: Clock,
) -> anyhow::Result<(MobileNodes, Progress)> {
    let mut sockets = Vec::new();
    for number in 0..CARE_OF_ADDRESSES.min(u32::try_from(peers.len()).unwrap_or(u32::MAX)) {
        let [.., last] = (number + 1).to_be_bytes();
        let socket = bind_udp((Ipv4Addr::new(127, 0, 1, last), 0).into())?;
        sockets.push((ipv4(socket.local_addr()?)?, into_tokio(socket)?));
    }
    let snapshot = store.snapshot();
    let mut nodes = Vec::with_capacity(peers.len());
    for peer in peers {
        let socket = usize::try_from(peer.index % CARE_OF_ADDRESSES)?;
        let (local, _) = sockets.get(socket).context("a node without a socket")?;
        let mut config = MobileNodeConfig::new(INSTANCE, home_agent, *local, crate::seed()?);
        config.home_address = Some(peer.home_address);
        config.nai.clone_from(&peer.nai);
        let mut node = MobileNode::new(config, &snapshot, clock.now());
        node.set_associations(vec![peer.association(Identity::Address(HOME_AGENT))?]);
        nodes.push((node, socket));
    }
    Ok(MobileNodes::new(nodes, sockets, store.clone(), clock))
}

fn ipv4(address: SocketAddr) -> anyhow::Result<SocketAddrV4> {
    match address {
        SocketAddr::V4(address) => Ok(address),
        SocketAddr::V6(address) => Err(anyhow!("`{address}` is not an IPv4 address")),
    }
}
