//! Drives many mobile nodes over a few sockets.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mobility::{Action, MobileNode, MobileNodeState, Output, Received};
use store::{Batch, Class, Store, Time};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, trace, warn};

use super::Shutdown;
use super::commits::Commits;
use crate::clock::Clock;
use crate::socket::{DATAGRAM_MAX, DATAGRAMS_A_TURN, Sockets};

/// Where the home address stands in a Registration Reply (RFC 5944 §3.4).
const HOME_ADDRESS: std::ops::Range<usize> = 4..8;

/// How many nodes may wait for their first reply at a time, so that none waits in vain.
const FIRST_AT_ONCE: usize = 64;

/// How often changed counters are written.
const COUNTERS_EVERY: Duration = Duration::from_secs(1);

/// How many nodes are registered, for who waits for that.
pub(crate) type Progress = watch::Receiver<usize>;

/// Mobile nodes that share sockets; a reply finds its node by the home address.
pub(crate) struct MobileNodes {
    nodes: Vec<Node>,
    by_home_address: BTreeMap<Ipv4Addr, usize>,
    deadlines: BTreeSet<(Time, usize)>,
    sockets: Sockets,
    store: Store,
    clock: Clock,
    commits: Commits,
    /// The first node that was not told to register yet.
    next_to_start: usize,
    waiting: BTreeSet<usize>,
    registered: BTreeSet<usize>,
    /// Nodes that may have counted something since their rows were written.
    touched: BTreeSet<usize>,
    progress: watch::Sender<usize>,
}

struct Node {
    machine: MobileNode,
    /// The index of its socket.
    socket: usize,
    deadline: Option<Time>,
}

impl MobileNodes {
    /// Takes nodes with the index of the socket that each uses.
    pub(crate) fn new(
        nodes: Vec<(MobileNode, usize)>,
        sockets: Sockets,
        store: Store,
        clock: Clock,
    ) -> (Self, Progress) {
        let (progress, receiver) = watch::channel(0);
        let by_home_address = nodes
            .iter()
            .enumerate()
            .filter_map(|(index, (machine, _))| Some((machine.home_address()?, index)))
            .collect();
        let nodes = nodes
            .into_iter()
            .map(|(machine, socket)| Node { machine, socket, deadline: None })
            .collect();
        let driver = Self {
            nodes,
            by_home_address,
            deadlines: BTreeSet::new(),
            sockets,
            store,
            clock,
            commits: Commits::default(),
            next_to_start: 0,
            waiting: BTreeSet::new(),
            registered: BTreeSet::new(),
            touched: BTreeSet::new(),
            progress,
        };
        (driver, receiver)
    }

    /// Registers all nodes and keeps them registered, until it is told to stop.
    pub(crate) async fn run(mut self, mut shutdown: Shutdown) {
        let mut buffer = vec![0; DATAGRAM_MAX];
        let mut counters = interval(COUNTERS_EVERY);
        counters.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.start_more().await;
            let deadline = self.deadlines.first().map(|(at, _)| *at);
            tokio::select! {
                biased;
                () = shutdown.requested() => break,
                finished = self.commits.next() => match finished.result {
                    // Rows of nodes are for show; what they do waits for them all the same.
                    Ok(_) => self.act(None, finished.actions).await,
                    Err(error) => warn!(%error, "the store does not take a mobile node's rows"),
                },
                () = self.clock.reach(deadline) => self.on_deadline().await,
                _ = counters.tick() => self.write_counters(),
                readable = self.sockets.readable() => self.receive(readable, &mut buffer).await,
            }
        }
        self.write_counters();
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
            let output = node.machine.register(self.clock.now());
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

    async fn receive(&mut self, socket: usize, buffer: &mut [u8]) {
        for _ in 0..DATAGRAMS_A_TURN {
            let Some((local, socket)) = self.sockets.get(socket) else { return };
            let Ok((length, SocketAddr::V4(source))) = socket.try_recv_from(buffer) else { return };
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

    async fn carry_out(&mut self, index: usize, output: Output) {
        if output.batch.is_empty() {
            self.act(Some(index), output.actions).await;
        } else {
            self.commits.start(&self.store, output);
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
        let is_registered = node.machine.state() == MobileNodeState::Registered;
        let changed = if is_registered {
            self.waiting.remove(&index);
            self.registered.insert(index)
        } else {
            self.registered.remove(&index)
        };
        if changed {
            self.progress.send_replace(self.registered.len());
        }
    }

    async fn act(&mut self, index: Option<usize>, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Send { from, to, octets } => {
                    let own = index.and_then(|index| self.nodes.get(index)).map(|node| node.socket);
                    let own = own.and_then(|socket| self.sockets.get(socket));
                    let own = own.filter(|(local, _)| *local == from).map(|(_, socket)| socket);
                    if let Some(socket) = own.or_else(|| self.sockets.from(*from.ip()))
                        && let Err(error) = socket.send_to(&octets, to).await
                    {
                        debug!(%to, %error, "failed to send a request");
                    }
                }
                Action::Denied { code } => debug!(node = index, %code, "denied"),
                Action::Expired { home_address } => warn!(%home_address, "a registration expired"),
                Action::GaveUp => warn!(node = index, "gave up registering"),
                Action::Arp(_) // They are on no link with ARP.
                | Action::SendIcmp { .. } // Nodes with a care-of address of their own hear no agents.
                | Action::Registered { .. }
                | Action::Deregistered { .. }
                | Action::StartService(_)
                | Action::StopService(_) => {}
            }
        }
    }
}
