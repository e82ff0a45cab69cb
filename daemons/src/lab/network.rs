//! The mobile nodes of a lab.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use anyhow::Context as _;
use mobility::{MobileNode, MobileNodeConfig, SecurityAssociation};
use store::{
    Algorithm, Identity, Origin, ReplayProtection, Role, Scope, Setting, SettingIndex,
    SettingValue, StorageType, Unknown,
};
use tokio::task::JoinHandle;
use tracing::error;
use wire::{AuthenticationAlgorithm, Lifetime, Nai, SecretKey, Spi};

use super::LabArgs;
use super::nodes::{Environment, MobileNodes, Orders, Progress};
use super::site::{self, INSTANCE};
use crate::config::AssociationConfig;
use crate::driver::{Shutdown, Stop};
use crate::file_rows;
use crate::link::simulated::NodesEnd;
use crate::socket::{BoundSocket, Sockets, bind_udp};
use crate::system::{System, seed};

const SPI: Spi = Spi(1000);
/// Of the associations with gateways.
const GATEWAY_SPI: Spi = Spi(3000);
const TOLERANCE_SECONDS: u8 = 7;

/// How long nodes leave a gateway alone that failed: who watches a lab does not want to wait.
const GATEWAY_HOLD_OFF: Duration = Duration::from_secs(5);

/// Care-of addresses with a socket each; more nodes than this share them.
const CARE_OF_ADDRESSES_MAX: u32 = 250;

/// A mobile node of the lab; every other one has an NAI.
pub(super) struct Peer {
    home_address: Ipv4Addr,
    nai: Option<Nai>,
    key: SecretKey,
    /// What it shares with all gateways.
    gateway_key: SecretKey,
    /// The number of its home agent, from 1.
    home_agent: u32,
}

impl Peer {
    /// All nodes, each with a key of its own.
    pub(super) fn several(args: &LabArgs) -> anyhow::Result<Vec<Self>> {
        (1..=args.nodes).map(|number| Self::new(number, args.home_agents)).collect()
    }

    fn new(number: u32, home_agents: u32) -> anyhow::Result<Self> {
        let [_, _, high, low] = number.to_be_bytes();
        let nai = match number % 2 {
            0 => Some(Nai::new(&format!("mobile-{number}@lab.example"))?),
            _ => None,
        };
        let key = SecretKey::from_octets(&seed()?)?;
        let gateway_key = SecretKey::from_octets(&seed()?)?;
        let home_address = Ipv4Addr::new(10, 99, high, low);
        let home_agent = 1 + (number - 1) % home_agents;
        Ok(Self { home_address, nai, key, gateway_key, home_agent })
    }

    fn identity(&self) -> Identity {
        Identity::of_node(self.nai.as_ref(), self.home_address)
    }

    /// The associations as the home agents have them, and the gateways if there are any.
    pub(super) fn configured(&self, has_gateways: bool) -> Vec<AssociationConfig> {
        let one = |spi, key: &SecretKey, role| AssociationConfig {
            peer: self.identity(),
            spi,
            algorithm: Algorithm::HmacMd5,
            key: key.clone(),
            replay: ReplayProtection::Timestamps,
            tolerance: TOLERANCE_SECONDS,
            role,
            is_inline: true,
        };
        let mut all = vec![one(SPI, &self.key, Role::HomeAgent)];
        if has_gateways {
            all.push(one(GATEWAY_SPI, &self.gateway_key, Role::Gateway));
        }
        all
    }

    /// The same associations as the node has them.
    fn associations(&self, home_agent: SocketAddrV4, gateways: u32) -> Vec<SecurityAssociation> {
        let one = |peer: SocketAddrV4, spi, key: &SecretKey| SecurityAssociation {
            peer: Identity::Address(*peer.ip()),
            spi,
            algorithm: AuthenticationAlgorithm::HmacMd5,
            key: key.clone(),
            replay: ReplayProtection::Timestamps,
            tolerance: Duration::from_secs(TOLERANCE_SECONDS.into()),
        };
        let gateways = (1..=gateways).map(|number| site::gateway(number, home_agent.port()));
        let gateways = gateways.map(|peer| one(peer, GATEWAY_SPI, &self.gateway_key));
        std::iter::once(one(home_agent, SPI, &self.key)).chain(gateways).collect()
    }
}

/// The mobile nodes, in a task of their own.
pub(super) struct MobileNetwork {
    progress: Progress,
    stop: Stop,
    task: JoinHandle<()>,
}

impl MobileNetwork {
    /// Starts to register all of them, with home agents at `port`.
    pub(super) async fn start(
        args: &LabArgs,
        peers: &[Peer],
        port: u16,
        links: NodesEnd,
        system: &mut System,
    ) -> anyhow::Result<Self> {
        let sockets = Sockets::new(bind(args)?)?;
        let name = format!("{INSTANCE}-mn");
        let member = system.join(&name, vec![Role::MobileNode], Vec::new()).await?;
        let snapshot = system.store.snapshot();
        let mut nodes = Vec::with_capacity(peers.len());
        for (peer, socket) in peers.iter().zip((0..sockets.len()).cycle()) {
            let (local, _) = sockets.get(socket).context("a node without a socket")?;
            let home_agent = site::home_agent(peer.home_agent, port);
            let mut config = MobileNodeConfig::new(&name, home_agent, local, seed()?);
            config.home_address = Some(peer.home_address);
            config.nai.clone_from(&peer.nai);
            config.lifetime = Lifetime(args.lifetime);
            config.counters_lost = member.crashed;
            config.gateway_hold_off = GATEWAY_HOLD_OFF;
            // Home addresses are addresses of no interface here.
            config.sends_from_home_address = false;
            let mut node = MobileNode::new(config, &snapshot, system.clock.now());
            node.set_associations(peer.associations(home_agent, args.gateways));
            nodes.push((node, socket));
        }
        let environment = Environment {
            links,
            stay: args.mobility.map(|seconds| Duration::from_secs(seconds.into())),
            loss_percent: args.loss,
            seed: seed()?,
        };
        file_rows::follow(&system.store, &name, &home_agents(args, &name, port)).await?;
        let configuration = system.follow_configuration(&member, Role::MobileNode).await;
        let orders = Orders { configuration, instance: member.instance };
        let (store, clock) = (system.store.clone(), system.clock.clone());
        let (driver, progress) =
            MobileNodes::new(nodes, sockets, environment, orders, store, clock);
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

/// The home agents that nodes begin with, as rows of the lab's own configuration.
fn home_agents(args: &LabArgs, instance: &str, port: u16) -> Vec<Setting> {
    let row = |number| Setting {
        scope: Scope::Instance(instance.to_owned()),
        index: Some(SettingIndex::Address(*site::home_agent(number, port).ip())),
        value: SettingValue::HomeAgent {},
        origin: Origin::File,
        storage: StorageType::ReadOnly,
        active: true,
        instance: None,
        changed: None,
        unknown: Unknown::default(),
    };
    (1..=args.home_agents).map(row).collect()
}

/// The sockets of the nodes; who moves by itself needs a second care-of address to move to.
fn bind(args: &LabArgs) -> anyhow::Result<Vec<BoundSocket>> {
    let least = if args.mobility.is_some() && args.foreign_agents == 0 { 2 } else { 1 };
    (1..=args.nodes.clamp(least, CARE_OF_ADDRESSES_MAX))
        .map(|number| {
            let [.., low] = number.to_be_bytes();
            let socket = bind_udp((Ipv4Addr::new(127, 0, 1, low), 0).into())?;
            Ok(BoundSocket { socket, interface: None })
        })
        .collect()
}
