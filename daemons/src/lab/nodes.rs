//! Drives the mobile nodes of a lab: many of them over a few sockets, on links that are simulated.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use mobility::{Action, CommitId, MobileNode, MobileNodeState, Output, Received};
use store::{Batch, Class, Operation, Role, Store, Time};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, trace, warn};

use super::chance::Chance;
use crate::clock::Clock;
use crate::configuration::Active;
use crate::driver::Shutdown;
use crate::driver::commits::{Commits, Finished};
use crate::instance::InstanceKeeper;
use crate::link::Message;
use crate::link::simulated::NodesEnd;
use crate::operations;
use crate::socket::{DATAGRAM_MAX, DATAGRAMS_A_TURN, Sockets};

/// Where the home address stands in a Registration Reply (RFC 5944 §3.4).
const HOME_ADDRESS: std::ops::Range<usize> = 4..8;

/// How many nodes may wait for their first reply at a time, so that none waits in vain.
const FIRST_AT_ONCE: usize = 64;

/// How often changed counters are written.
const COUNTERS_EVERY: Duration = Duration::from_secs(1);

/// How often it is seen whether operators want something.
const OPERATIONS_EVERY: Duration = Duration::from_millis(200);

/// How many nodes have registered, for who waits for that.
pub(super) type Progress = watch::Receiver<usize>;

/// What the nodes live in.
pub(super) struct Environment {
    /// The links of foreign agents; without any, nodes have care-of addresses of their own.
    pub(super) links: NodesEnd,
    /// How long a node stays in one place, on average; for ever, if there is none.
    pub(super) stay: Option<Duration>,
    /// How much is lost on the way from and to a node.
    pub(super) loss_percent: u32,
    pub(super) seed: [u8; 32],
}

/// Mobile nodes that share sockets; a reply finds its node by the home address.
pub(super) struct MobileNodes {
    nodes: Vec<Node>,
    by_home_address: BTreeMap<Ipv4Addr, usize>,
    deadlines: BTreeSet<(Time, usize)>,
    /// When a node moves next; empty until all have registered.
    moves: BTreeSet<(Time, usize)>,
    sockets: Sockets,
    environment: Environment,
    chance: Chance,
    store: Store,
    clock: Clock,
    commits: Commits,
    /// The first node that was not told to register yet.
    next_to_start: usize,
    waiting: BTreeSet<usize>,
    /// Nodes that have registered, now or once.
    registered: BTreeSet<usize>,
    /// Nodes that may have counted something since their rows were written.
    touched: BTreeSet<usize>,
    progress: watch::Sender<usize>,
    /// What all nodes are told while they run.
    orders: Orders,
    /// Which node a commit is of, and what that calls it.
    commits_of: BTreeMap<CommitId, (usize, CommitId)>,
    last_commit: CommitId,
}

/// The configuration that the nodes follow, and who says how far they are.
pub(super) struct Orders {
    pub(super) configuration: watch::Receiver<Active>,
    pub(super) instance: InstanceKeeper,
}

struct Node {
    machine: MobileNode,
    /// The index of its socket.
    socket: usize,
    /// The link that it is on, if there are links.
    link: usize,
    deadline: Option<Time>,
}

impl MobileNodes {
    /// Takes nodes with the index of the socket that each uses.
    pub(super) fn new(
        nodes: Vec<(MobileNode, usize)>,
        sockets: Sockets,
        environment: Environment,
        orders: Orders,
        store: Store,
        clock: Clock,
    ) -> (Self, Progress) {
        let (progress, receiver) = watch::channel(0);
        let by_home_address = nodes
            .iter()
            .enumerate()
            .filter_map(|(index, (machine, _))| Some((machine.home_address()?, index)))
            .collect();
        let links = environment.links.len().max(1);
        let node = |(index, (machine, socket))| {
            let link = index % links;
            Node { machine, socket, link, deadline: None }
        };
        let nodes = nodes.into_iter().enumerate().map(node).collect();
        let driver = Self {
            nodes,
            by_home_address,
            deadlines: BTreeSet::new(),
            moves: BTreeSet::new(),
            sockets,
            chance: Chance::new(environment.seed),
            environment,
            store,
            clock,
            commits: Commits::default(),
            next_to_start: 0,
            waiting: BTreeSet::new(),
            registered: BTreeSet::new(),
            touched: BTreeSet::new(),
            progress,
            orders,
            commits_of: BTreeMap::new(),
            last_commit: CommitId::default(),
        };
        (driver, receiver)
    }

    /// Registers all nodes and keeps them registered, until it is told to stop.
    pub(super) async fn run(mut self, mut shutdown: Shutdown) {
        let mut buffer = vec![0; DATAGRAM_MAX];
        let mut counters = interval(COUNTERS_EVERY);
        counters.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut operations = interval(OPERATIONS_EVERY);
        operations.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.take_orders().await;
        loop {
            self.start_more().await;
            self.commits.queue(&self.store);
            let deadlines = [self.deadlines.first(), self.moves.first()];
            let deadline = deadlines.into_iter().flatten().map(|(at, _)| *at).min();
            tokio::select! {
                biased;
                () = shutdown.requested() => break,
                finished = self.commits.next() => self.finish(finished).await,
                Ok(()) = self.orders.configuration.changed() => self.take_orders().await,
                () = self.clock.reach(deadline) => {
                    self.on_deadline().await;
                    self.move_some().await;
                }
                _ = counters.tick() => self.write_counters(),
                _ = operations.tick() => self.observe_operations().await,
                (link, message) = self.environment.links.receive() => {
                    self.on_message(link, &message).await;
                }
                readable = self.sockets.readable() => self.receive(readable, &mut buffer).await,
            }
        }
        self.write_counters();
    }

    /// Tells every node which home agents it may turn to, and says that it was told.
    async fn take_orders(&mut self) {
        let active = self.orders.configuration.borrow_and_update().clone();
        let now = self.clock.now();
        for index in 0..self.nodes.len() {
            let Some(node) = self.nodes.get_mut(index) else { continue };
            node.machine.set_volatile_violations(active.settings.volatile_violations.clone());
            let output = node.machine.set_home_agents(active.settings.home_agents.clone(), now);
            if !output.is_empty() {
                self.carry_out(index, output).await;
            }
        }
        self.orders.instance.applied(Role::MobileNode, active.revision, active.errors);
    }

    async fn finish(&mut self, finished: Vec<Finished>) {
        for Finished { id, actions, result } in finished {
            let Some((index, id)) = self.commits_of.remove(&id) else { continue };
            let now = self.clock.now();
            let Some(node) = self.nodes.get_mut(index) else { continue };
            match result {
                Ok(_) => {
                    node.machine.on_committed(id, now);
                    self.act(Some(index), actions).await;
                }
                Err(error) => {
                    debug!(%error, "the store does not take a mobile node's rows");
                    node.machine.on_commit_failed(id, now);
                }
            }
            self.look_at(index);
        }
    }

    /// Lets the nodes that have a part in what operators want see it.
    async fn observe_operations(&mut self) {
        let snapshot = self.store.snapshot();
        let concerned: BTreeSet<usize> = if operations::concern_mobile_nodes(&snapshot) {
            let open = snapshot.rows::<Operation>().iter().filter(|it| !it.state.is_final());
            let owners = open.flat_map(|operation| &operation.owners);
            let owners = owners.filter(|owner| owner.role == Role::MobileNode);
            owners.filter_map(|owner| self.by_home_address.get(&owner.address).copied()).collect()
        } else {
            return;
        };
        for index in concerned {
            let now = self.clock.now();
            let Some(node) = self.nodes.get_mut(index) else { continue };
            let output = node.machine.on_operations(&snapshot, now);
            if !output.is_empty() {
                self.carry_out(index, output).await;
            }
        }
    }

    fn write_counters(&mut self) {
        let now = self.clock.now();
        let mut batch = Batch::new(Class::Relaxed);
        for index in std::mem::take(&mut self.touched) {
            if let Some(node) = self.nodes.get_mut(index) {
                batch.changes.append(&mut node.machine.take_counters(now).changes);
            }
        }
        if !batch.is_empty() {
            self.store.commit_soon(batch);
        }
    }

    /// Tells nodes to register, a few at a time.
    async fn start_more(&mut self) {
        while self.waiting.len() < FIRST_AT_ONCE
            && let Some(node) = self.nodes.get_mut(self.next_to_start)
        {
            let index = self.next_to_start;
            self.next_to_start += 1;
            self.waiting.insert(index);
            let now = self.clock.now();
            let output = match self.environment.links.len() {
                0 => node.machine.register(now),
                // Each has an interface of its own, whatever link it is on.
                _ => node.machine.discover(u32::try_from(index + 1).unwrap_or(u32::MAX), now),
            };
            self.carry_out(index, output).await;
        }
    }

    async fn on_deadline(&mut self) {
        let now = self.clock.now();
        while let Some(&(at, index)) = self.deadlines.first()
            && at <= now.uptime
        {
            self.deadlines.pop_first();
            let Some(node) = self.nodes.get_mut(index) else { continue };
            node.deadline = None;
            let output = node.machine.on_deadline(now);
            self.carry_out(index, output).await;
        }
    }

    /// Moves the nodes whose time it is to another link, or to another care-of address.
    async fn move_some(&mut self) {
        let now = self.clock.now();
        while let Some(&(at, index)) = self.moves.first()
            && at <= now.uptime
        {
            self.moves.pop_first();
            self.move_later(index);
            let links = self.environment.links.len();
            let places = if links == 0 { self.sockets.len() } else { links };
            let Some(node) = self.nodes.get_mut(index) else { continue };
            let place = if links == 0 { &mut node.socket } else { &mut node.link };
            // Any place but this one, each as likely.
            *place = (*place + 1 + self.chance.below(places.saturating_sub(1))) % places;
            let output = if links == 0 {
                let Some((local, _)) = self.sockets.get(node.socket) else { continue };
                node.machine.move_to(local, now)
            } else {
                node.machine.on_link_change(now)
            };
            trace!(node = index, link = node.link, "moves");
            self.carry_out(index, output).await;
        }
    }

    /// Decides when a node moves: half to one and a half of the average from now.
    fn move_later(&mut self, index: usize) {
        let Some(stay) = self.environment.stay else { return };
        let per_mille = u32::try_from(500 + self.chance.below(1000)).unwrap_or(1000);
        self.moves.insert((self.clock.now().uptime + stay * per_mille / 1000, index));
    }

    fn is_lost(&mut self) -> bool {
        let percent = usize::try_from(self.environment.loss_percent).unwrap_or(0);
        self.chance.below(100) < percent
    }

    async fn receive(&mut self, socket: usize, buffer: &mut [u8]) {
        for _ in 0..DATAGRAMS_A_TURN {
            let Some((local, socket)) = self.sockets.get(socket) else { return };
            let Ok((length, SocketAddr::V4(source))) = socket.try_recv_from(buffer) else { return };
            if self.is_lost() {
                continue;
            }
            let octets = buffer.get(..length).unwrap_or_default();
            let home_address = octets
                .get(HOME_ADDRESS)
                .and_then(|octets| <[u8; 4]>::try_from(octets).ok())
                .map(Ipv4Addr::from);
            let index =
                home_address.and_then(|address| self.by_home_address.get(&address).copied());
            let Some((index, node)) =
                index.and_then(|index| Some((index, self.nodes.get_mut(index)?)))
            else {
                trace!(%source, length, "a datagram for no mobile node");
                continue;
            };
            let received = Received::new(octets, source, local);
            let output = node.machine.on_datagram(&received, self.clock.now());
            self.carry_out(index, output).await;
        }
    }

    /// Takes an ICMP message to the nodes on its link that it is for.
    async fn on_message(&mut self, link: usize, message: &Message) {
        let to = message.destination;
        let hears: Vec<usize> = match self.by_home_address.get(&to) {
            Some(index) => vec![*index],
            None if to.is_multicast() || to.is_broadcast() => (0..self.nodes.len()).collect(),
            None => return,
        };
        for index in hears {
            if self.is_lost() {
                continue;
            }
            let now = self.clock.now();
            let Some(node) = self.nodes.get_mut(index).filter(|node| node.link == link) else {
                continue;
            };
            let interface = u32::try_from(index + 1).unwrap_or(u32::MAX);
            let output = node.machine.on_icmp(&message.octets, message.source, interface, now);
            self.carry_out(index, output).await;
        }
    }

    async fn carry_out(&mut self, index: usize, output: Output) {
        if output.batch.is_empty() {
            self.act(Some(index), output.actions).await;
        } else {
            self.last_commit.0 += 1;
            self.commits_of.insert(self.last_commit, (index, output.id));
            self.commits.gather(Output { id: self.last_commit, ..output });
        }
        self.look_at(index);
    }

    /// Brings deadlines and progress up to date with what the machine says.
    fn look_at(&mut self, index: usize) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        self.touched.insert(index);
        let deadline = node.machine.next_deadline();
        if let Some(old) = std::mem::replace(&mut node.deadline, deadline) {
            self.deadlines.remove(&(old, index));
        }
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, index));
        }
        if node.machine.state() != MobileNodeState::Registered {
            return;
        }
        self.waiting.remove(&index);
        if self.registered.insert(index) {
            self.progress.send_replace(self.registered.len());
            if self.registered.len() == self.nodes.len() {
                (0..self.nodes.len()).for_each(|index| self.move_later(index));
            }
        }
    }

    async fn act(&mut self, index: Option<usize>, actions: Vec<Action>) {
        for action in actions {
            match action {
                // Links carry ICMP alone here; datagrams go by loopback.
                Action::Send { from, to, octets } | Action::SendOnLink { from, to, octets, .. } => {
                    self.send(index, from, to, &octets).await;
                }
                Action::SendIcmp { from, to, octets, .. } => {
                    let node = index.and_then(|index| self.nodes.get(index));
                    if let Some(link) = node.map(|node| node.link)
                        && !self.is_lost()
                    {
                        let message = Message { source: from, destination: to, octets };
                        self.environment.links.send(link, message);
                    }
                }
                Action::GatewayFailed { gateway } => {
                    debug!(node = index, %gateway, "does without this gateway");
                }
                Action::Denied { code } => debug!(node = index, %code, "denied"),
                Action::Expired { home_address } => warn!(%home_address, "a registration expired"),
                Action::Revoked { home_address } => warn!(%home_address, "a registration was revoked"),
                Action::Message { from, text } => debug!(node = index, %from, text, "an agent says"),
                Action::HomeAgentChanged { home_agent } => {
                    debug!(node = index, %home_agent, "asks this home agent");
                }
                Action::NotificationEnded { code } => {
                    debug!(node = index, ?code, "a notification has ended");
                }
                Action::GaveUp => warn!(node = index, "gave up registering"),
                Action::Arp(_) // They are on no link with ARP.
                | Action::InformRevoked { .. } // Foreign agents do that.
                | Action::Registered { .. }
                | Action::RegionallyRegistered { .. }
                | Action::Deregistered { .. }
                | Action::StartService(_)
                | Action::StopService(_) => {}
            }
        }
    }

    async fn send(
        &mut self,
        index: Option<usize>,
        from: SocketAddrV4,
        to: SocketAddrV4,
        octets: &[u8],
    ) {
        if self.is_lost() {
            return;
        }
        let own = index.and_then(|index| self.nodes.get(index)).map(|node| node.socket);
        let own = own.and_then(|socket| self.sockets.get(socket));
        let own = own.filter(|(local, _)| *local == from).map(|(_, socket)| socket);
        if let Some(socket) = own.or_else(|| self.sockets.from(*from.ip()))
            && let Err(error) = socket.send_to(octets, to).await
        {
            debug!(%to, %error, "failed to send a request");
        }
    }
}
