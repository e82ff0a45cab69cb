//! Everything that a configuration file asks for, started in order and stopped in order.

use std::net::Ipv4Addr;

use agent::LocalFacts;
use agent::agentx::{Subagent, SubagentConfig};
use anyhow::{Context as _, anyhow};
use mobility::{Advertiser, Dispatcher, ForeignAgent, Gateway, HomeAgent, MobileNode};
use store::{InstanceState, Role, Store};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::associations;
use crate::audit::Syslog;
use crate::bound::{Bound, BoundAdvertiser, BoundMobileNode};
use crate::clock::Clock;
use crate::config::{
    Config, ForeignAgentSection, GatewaySection, HomeAgentSection, MasterAddress,
    MobileNodeSection, SnmpConfig, StoreConfig,
};
use crate::configuration::{self, Active, Part};
use crate::driver::advertising::{Advertisers, Advertising};
use crate::driver::agent::AgentDriver;
use crate::driver::agentx::SubagentDriver;
use crate::driver::commits::Commits;
use crate::driver::machine::MobilityAgent;
use crate::driver::mobile_node::MobileNodeDriver;
use crate::driver::snmp::{self, Serving};
use crate::driver::{Shutdown, Stop};
use crate::exit::Failure;
use crate::file_rows;
use crate::instance::{self, InstanceKeeper, Predecessor};
use crate::link::Link;
use crate::link::arp::{Arp, BoundArp};
use crate::link::carrier::Carrier;
use crate::link::mute::KernelArp;
use crate::link::raw::BoundLink;
use crate::operations;
use crate::port::SharedPort;
use crate::regional;
use crate::snmp::{Keeper, Management, state_path};
use crate::socket::{BoundSocket, Sockets};
use crate::storage::{self, StoreServer};

/// A process that serves.
pub(crate) struct System {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) instance: InstanceKeeper,
    /// Agents beside the first of their role, each an instance of its own.
    members: Vec<InstanceKeeper>,
    roles: JoinSet<anyhow::Result<()>>,
    snmp: Option<Serving>,
    server: Option<StoreServer>,
    shutdown: Shutdown,
    stop: Stop,
}

impl System {
    /// Starts everything; returns once all of it serves.
    pub(crate) async fn start(config: &Config, mut bound: Bound) -> Result<Self, Failure> {
        let clock = Clock::start();
        let mut snmp = match &config.snmp {
            Some(snmp) => Some(Management::new(config, snmp, bound.take_snmp(), &clock)?),
            None => None,
        };
        // Managers are answered from the first moment; of what is in the store, that it is not there.
        let store = tokio::select! {
            store = storage::open(&config.store) => store?,
            never = Management::serve_without_store(snmp.as_mut(), &clock) => match never {},
        };
        let (stop, shutdown) = Stop::new();
        match Self::start_on(config, (bound, snmp), store.clone(), clock, stop, shutdown).await {
            Ok(system) => Ok(system),
            Err(failure) => {
                store.close().await;
                Err(failure)
            }
        }
    }

    async fn start_on(
        config: &Config,
        (bound, snmp): (Bound, Option<Management>),
        store: Store,
        clock: Clock,
        stop: Stop,
        shutdown: Shutdown,
    ) -> Result<Self, Failure> {
        // Before the file is followed: what that changes is news.
        let snapshot = store.snapshot();
        let syslog = config.daemon.syslog.clone().map(|path| Syslog::new(path, &snapshot));
        drop(snapshot);
        let name = instance_name(config);
        let predecessor = Predecessor::of(&name, &store.snapshot());
        clock.take_over_steps(predecessor.clock_step);
        if predecessor.crashed {
            warn!("the last run did not end in order: counters may have lost their last moments");
        }
        let instance = InstanceKeeper::announce(
            store.clone(),
            clock.clone(),
            name.clone(),
            roles(config),
            addresses(config),
        )
        .await?;
        file_rows::end_volatile(&store, &instance.row(), clock.now().utc).await?;
        associations::follow_file(&store, &name, &config.associations).await?;
        let addresses = config.foreign_agent.iter().flat_map(|section| section.rows(&name));
        file_rows::follow(&store, &name, &addresses.collect::<Vec<_>>()).await?;
        let mut system = Self {
            store,
            clock,
            instance: instance.clone(),
            members: Vec::new(),
            roles: JoinSet::new(),
            snmp: None,
            server: None,
            shutdown,
            stop,
        };
        let advertise = bound.advertise;
        let interfaces = advertise.iter().map(|it| it.interface.index).collect();
        let member = Member { instance, crashed: predecessor.crashed, interfaces };
        let (of_home_agent, of_foreign_agent): (Vec<_>, Vec<_>) =
            advertise.into_iter().partition(|it| it.section.role == Role::HomeAgent);
        let (home_agent, foreign_agent) =
            system.sockets(config, bound.home_agent, bound.foreign_agent)?;
        if let (Some(section), Some(sockets)) = (&config.home_agent, home_agent) {
            let links = HomeLinks {
                arp: bound.home_arp.map(BoundArp::into_arp).transpose()?,
                advertising: system.advertising(&member, of_home_agent)?,
            };
            system.start_home_agent(&member, section, sockets, links).await?;
        }
        if let (Some(section), Some(sockets)) = (&config.foreign_agent, foreign_agent) {
            let advertising = system.advertising(&member, of_foreign_agent)?;
            system.start_foreign_agent(&member, section, sockets, advertising).await?;
        }
        if let Some(section) = &config.gateway {
            system.start_gateway(&member, section, bound.gateway).await?;
        }
        if let (Some(section), Some(bound)) = (&config.mobile_node, bound.mobile_node) {
            system.start_mobile_node(&member, section, bound).await?;
        }
        if !config.has_mobility_role() {
            system.follow_idly(&member).await;
        }
        if let (Some(section), Some(snmp)) = (&config.snmp, snmp) {
            system.snmp = Some(system.start_snmp(section, snmp)?);
        }
        if let StoreConfig::Owned { .. } = &config.store {
            system.server = Some(StoreServer::start(&config.store, &system.store)?);
        }
        let instance = system.instance.clone();
        system.serves(&instance).await?;
        let (store, clock) = (system.store.clone(), system.clock.clone());
        let keeper = operations::keep(store, clock, syslog, system.shutdown.clone());
        system.roles.spawn(async {
            keeper.await;
            Ok(())
        });
        let (store, clock) = (system.store.clone(), system.clock.clone());
        let keeper = regional::keep(store, name.clone(), clock, system.shutdown.clone());
        system.roles.spawn(async {
            keeper.await;
            Ok(())
        });
        info!(instance = name, "serving");
        Ok(system)
    }

    fn start_snmp(&self, section: &SnmpConfig, management: Management) -> anyhow::Result<Serving> {
        let subagent = match &section.agentx {
            Some(master) => Some(self.subagent(master)?),
            None => None,
        };
        let (store, clock) = (self.store.clone(), self.clock.clone());
        snmp::spawn(management.parts(subagent, store, clock), self.shutdown.clone())
    }

    /// What the engine would say to `config`: an error if it cannot act on it. Nothing changes.
    pub(crate) async fn check_snmp(&self, config: &Config) -> anyhow::Result<()> {
        let Some(snmp) = config.snmp.clone().filter(|_| self.snmp.is_some()) else {
            return Ok(());
        };
        let (keeper, name) = (Keeper::new(state_path(config)?, &[]), self.instance.name());
        let clock = self.clock.clone();
        let check = move || keeper.read(&snmp, &name, &clock).map(drop);
        tokio::task::spawn_blocking(check).await?
    }

    /// Lets the engine act on `config`, as far as it can without a restart.
    pub(crate) async fn reload_snmp(&self, config: &SnmpConfig) -> anyhow::Result<()> {
        match &self.snmp {
            Some(serving) => serving.reloads.apply(config.clone(), self.instance.name()).await,
            None => Ok(()),
        }
    }

    /// What serves through the master agent at `master`.
    fn subagent(&self, master: &MasterAddress) -> anyhow::Result<SubagentDriver> {
        let now = self.clock.now();
        let [a, b, c, d, e, f, g, h, ..] = seed()?;
        let config = SubagentConfig {
            description: format!("mip4d {} {}", env!("CARGO_PKG_VERSION"), self.instance.name()),
            seed: u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            local: LocalFacts { started: now.uptime, ..LocalFacts::default() },
            ..SubagentConfig::default()
        };
        Ok(SubagentDriver {
            subagent: Subagent::new(config, now),
            master: master.clone(),
            store: self.store.clone(),
            clock: self.clock.clone(),
        })
    }

    /// Announces one more agent, or the mobile nodes, of this process: an instance of its own, so
    /// that its rows are told apart from those of others in the same role.
    pub(crate) async fn join(
        &mut self,
        name: &str,
        roles: Vec<Role>,
        addresses: Vec<Ipv4Addr>,
    ) -> anyhow::Result<Member> {
        let predecessor = Predecessor::of(name, &self.store.snapshot());
        let (store, clock) = (self.store.clone(), self.clock.clone());
        let instance =
            InstanceKeeper::announce(store, clock, name.to_owned(), roles, addresses).await?;
        self.members.push(instance.clone());
        self.serves(&instance).await?;
        Ok(Member { instance, crashed: predecessor.crashed, interfaces: Vec::new() })
    }

    /// Says that an instance serves, and keeps its row alive.
    async fn serves(&mut self, instance: &InstanceKeeper) -> anyhow::Result<()> {
        instance.set_state(InstanceState::Serving).await?;
        let beat = instance.clone().beat(self.shutdown.clone());
        self.roles.spawn(async {
            beat.await;
            Ok(())
        });
        Ok(())
    }

    /// The sockets of the home agent and of the foreign agent of the file, where these are.
    fn sockets(
        &mut self,
        config: &Config,
        home_agent: Vec<BoundSocket>,
        foreign_agent: Vec<BoundSocket>,
    ) -> anyhow::Result<(Option<Sockets>, Option<Sockets>)> {
        let Some(address) = config.shared_address() else {
            let one = |bound: Vec<BoundSocket>| {
                (!bound.is_empty()).then(|| Sockets::new(bound)).transpose()
            };
            return Ok((one(home_agent)?, one(foreign_agent)?));
        };
        let section = config.foreign_agent.iter();
        let addresses =
            section.flat_map(ForeignAgentSection::addresses).map(|address| *address.ip());
        let dispatcher = Dispatcher::new(*address.ip(), addresses.collect());
        let port = SharedPort::new(dispatcher);
        let (home, foreign, pumps) = Sockets::share(home_agent, foreign_agent, address, &port)?;
        for pump in pumps {
            let shutdown = self.shutdown.clone();
            self.roles.spawn(async move {
                pump.run(shutdown).await;
                Ok(())
            });
        }
        Ok((Some(home), Some(foreign)))
    }

    /// Starts a home agent that goes on where the last one of this instance ended.
    pub(crate) async fn start_home_agent(
        &mut self,
        member: &Member,
        section: &HomeAgentSection,
        sockets: Sockets,
        links: HomeLinks,
    ) -> anyhow::Result<()> {
        let machine = section.machine(&member.instance.name(), seed()?, member.crashed);
        let machine = HomeAgent::new(machine, &self.store.snapshot(), self.clock.now());
        let HomeLinks { arp, advertising } = links;
        self.start_agent(member, machine, sockets, advertising, arp).await;
        Ok(())
    }

    /// Starts the mobile node of the file.
    async fn start_mobile_node(
        &mut self,
        member: &Member,
        section: &MobileNodeSection,
        bound: BoundMobileNode,
    ) -> anyhow::Result<()> {
        let sockets = Sockets::new(vec![bound.socket])?;
        let (name, local) = (member.instance.name(), sockets.first());
        let machine = section.machine(&name, local, seed()?, member.crashed);
        let snapshot = self.store.snapshot();
        let driver = MobileNodeDriver {
            machine: MobileNode::new(machine, &snapshot, self.clock.now()),
            sockets,
            carrier: bound.interface.as_deref().map(Carrier::of),
            kernel_arp: bound.interface.as_deref().map(KernelArp::of),
            link: bound.link.map(BoundLink::into_link).transpose()?.map(Link::Raw),
            arp: bound.arp.map(BoundArp::into_arp).transpose()?,
            deregister_at_stop: section.deregister_at_stop,
            store: self.store.clone(),
            clock: self.clock.clone(),
            commits: Commits::default(),
        };
        driver.forget_last_run(&name, &snapshot);
        file_rows::follow(&self.store, &name, &section.rows(&name)).await?;
        let configuration = self.follow_configuration(member, Role::MobileNode).await;
        let (instance, shutdown) = (member.instance.clone(), self.shutdown.clone());
        self.roles.spawn(async move {
            driver.run(configuration, instance, shutdown).await;
            Ok(())
        });
        Ok(())
    }

    /// What an agent says on the links that were bound for it.
    fn advertising(
        &self,
        member: &Member,
        bound: Vec<BoundAdvertiser>,
    ) -> anyhow::Result<Vec<Advertising>> {
        let name = member.instance.name();
        let one = |BoundAdvertiser { section, interface, link }: BoundAdvertiser| {
            let prefix_length = |router| interface.prefix_length(router);
            let config = section.machine(&name, interface.index, seed()?, prefix_length);
            let lengths = section.routers.iter().map(|router| interface.prefix_length(*router));
            let lengths = lengths.collect();
            let advertiser = Advertiser::new(config, self.clock.now())
                .with_context(|| format!("nothing can be advertised on `{}`", interface.name))?;
            Ok(Advertising::new(advertiser, Link::Raw(link.into_link()?), lengths))
        };
        bound.into_iter().map(one).collect()
    }

    /// Starts a foreign agent that goes on where the last one of this instance ended.
    pub(crate) async fn start_foreign_agent(
        &mut self,
        member: &Member,
        section: &ForeignAgentSection,
        sockets: Sockets,
        advertising: Vec<Advertising>,
    ) -> anyhow::Result<()> {
        let name = member.instance.name();
        file_rows::follow(&self.store, &name, &section.rows(&name)).await?;
        let machine = section.machine(&name, seed()?, member.crashed);
        let machine = ForeignAgent::new(machine, &self.store.snapshot(), self.clock.now());
        self.start_agent(member, machine, sockets, advertising, None).await;
        Ok(())
    }

    /// Starts a gateway that goes on where the last one of this instance ended.
    pub(crate) async fn start_gateway(
        &mut self,
        member: &Member,
        section: &GatewaySection,
        sockets: Vec<BoundSocket>,
    ) -> anyhow::Result<()> {
        let machine = section.machine(&member.instance.name(), seed()?, member.crashed);
        let machine = Gateway::new(machine, &self.store.snapshot(), self.clock.now());
        self.start_agent(member, machine, Sockets::new(sockets)?, Vec::new(), None).await;
        Ok(())
    }

    async fn start_agent<M: MobilityAgent>(
        &mut self,
        member: &Member,
        machine: M,
        sockets: Sockets,
        advertising: Vec<Advertising>,
        arp: Option<Arp>,
    ) {
        let advertisers = Advertisers::new(advertising);
        let configuration = self.follow_configuration(member, M::ROLE).await;
        let (store, clock) = (self.store.clone(), self.clock.clone());
        let driver = AgentDriver::new(machine, sockets, advertisers, arp, store, clock);
        let (instance, shutdown) = (member.instance.clone(), self.shutdown.clone());
        self.roles.spawn(async move {
            driver.run(configuration, instance, shutdown).await;
            Ok(())
        });
    }

    pub(crate) async fn follow_configuration(
        &self,
        member: &Member,
        role: Role,
    ) -> watch::Receiver<Active> {
        let row = member.instance.row();
        member.instance.expect(role);
        let interfaces = member.interfaces.clone();
        let part = Part {
            instance: row.name,
            role,
            roles: row.roles,
            addresses: row.addresses,
            interfaces,
        };
        configuration::follow(&self.store, part).await
    }

    /// Takes note of the configuration where no agent does: somebody may wait for it.
    async fn follow_idly(&mut self, member: &Member) {
        let instance = member.instance.clone();
        let role = instance.row().roles.first().copied().unwrap_or(Role::Store);
        let mut configuration = self.follow_configuration(member, role).await;
        let mut shutdown = self.shutdown.clone();
        self.roles.spawn(async move {
            loop {
                let active = configuration.borrow_and_update().clone();
                instance.applied(role, active.revision, active.errors);
                tokio::select! {
                    () = shutdown.requested() => return Ok(()),
                    changed = configuration.changed() => changed?,
                }
            }
        });
    }

    /// Returns when some part cannot go on; never, if all is well.
    pub(crate) async fn broken(&mut self) -> anyhow::Error {
        match self.roles.join_next().await {
            Some(Ok(Err(error))) => error,
            Some(Ok(Ok(()))) => anyhow!("a part of the process ended by itself"),
            Some(Err(panicked)) => anyhow!(panicked).context("a part of the process panicked"),
            None => std::future::pending().await,
        }
    }

    async fn set_states(&self, state: InstanceState) -> anyhow::Result<()> {
        let mut said = Ok(());
        for instance in self.members.iter().chain([&self.instance]) {
            said = said.and(instance.set_state(state).await);
        }
        said
    }

    /// Stops everything in order: no new work, what is on its way, the last words, the store.
    pub(crate) async fn stop(mut self) -> Result<(), Failure> {
        info!("stopping");
        let said = self.set_states(InstanceState::Draining).await;
        self.stop.now();
        let mut first_error = said.err();
        while let Some(ended) = self.roles.join_next().await {
            let ended = ended.map_err(anyhow::Error::from).and_then(|done| done);
            first_error = first_error.or(ended.err());
        }
        if let Some(snmp) = self.snmp.take() {
            let joined = tokio::task::spawn_blocking(|| snmp.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                first_error = first_error.or_else(|| Some(anyhow!("the SNMP thread panicked")));
            }
        }
        let gone = self.set_states(InstanceState::Gone).await;
        if let Some(server) = self.server.take() {
            // Watchers have seen the last words.
            let ended = tokio::task::spawn_blocking(|| server.end()).await;
            first_error = first_error.or(ended.err().map(Into::into));
        }
        self.store.close().await;
        match first_error.or(gone.err()) {
            Some(error) => Err(error.context("did not stop in order").into()),
            None => Ok(()),
        }
    }
}

/// An agent of this process, as the store knows it.
pub(crate) struct Member {
    pub(crate) instance: InstanceKeeper,
    /// The last run did not end in order.
    pub(crate) crashed: bool,
    /// The interfaces that its agents advertise on.
    pub(crate) interfaces: Vec<u32>,
}

/// Where the mobile nodes of a home agent are at home.
#[derive(Default)]
pub(crate) struct HomeLinks {
    pub(crate) arp: Option<Arp>,
    pub(crate) advertising: Vec<Advertising>,
}

fn roles(config: &Config) -> Vec<Role> {
    let mut roles = Vec::new();
    roles.extend(config.home_agent.is_some().then_some(Role::HomeAgent));
    roles.extend(config.foreign_agent.is_some().then_some(Role::ForeignAgent));
    roles.extend(config.gateway.is_some().then_some(Role::Gateway));
    roles.extend(config.mobile_node.is_some().then_some(Role::MobileNode));
    roles.extend(config.snmp.is_some().then_some(Role::Snmp));
    roles.extend(matches!(config.store, StoreConfig::Owned { .. }).then_some(Role::Store));
    roles
}

fn addresses(config: &Config) -> Vec<Ipv4Addr> {
    let home_agent = config.home_agent.iter().map(|section| *section.address.ip());
    let foreign_agent = config.foreign_agent.iter().map(|section| *section.address.ip());
    let gateway = config.gateway.iter().map(|section| *section.address().ip());
    home_agent.chain(foreign_agent).chain(gateway).collect()
}

/// What this process is called in the store.
pub(crate) fn instance_name(config: &Config) -> String {
    config.daemon.name.clone().unwrap_or_else(|| instance::default_name(&roles(config)))
}

/// Octets that nobody can guess.
pub(crate) fn seed() -> anyhow::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| anyhow!("no randomness: {error}"))?;
    Ok(seed)
}
