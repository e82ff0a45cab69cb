//! Drives the SNMP engine: a thread for each socket, so that neither a commit nor a flood on another
//! socket delays an answer.
//!
//! ```text
//!  udp:… ───┐                          ┌── store, file of the engine
//!  tcp:… ───┼─▶ Service ─▶ Engine ─────┤
//!  answers ─┘                          └── Outlet ─▶ receivers of notifications
//! ```
//!
//! The engine is one: it is locked while it makes an answer. Receiving and sending, which is nearly
//! half of the work, is each socket's own. One more thread has what no datagram waits for:
//! commits, notifications, deadlines, the master agent, and a new configuration.

mod commits;
mod notify;
mod reload;
mod tcp;
mod turns;
mod udp;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use agent::notify::Notification;
use agent::{Action, AssociationSecret, CommitId, CommitOutcome, Engine, Saved};
use anyhow::Context as _;
use store::{Batch, Store};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_blocking};
use tracing::{debug, error, warn};

use super::Shutdown;
use super::agentx::SubagentDriver;
use super::configuration::change;
use crate::clock::Clock;
use crate::privilege;
use crate::run::reactor;
use crate::snmp::Keeper;
use crate::socket::SnmpSocket;
use commits::Begun;
use notify::Outlet;
pub(crate) use reload::{Reload, Reloads};

/// How many notifications may wait for the master agent.
const NOTIFICATIONS_MAX: usize = 256;

/// All that the engine is driven with.
pub(crate) struct Parts {
    pub(crate) engine: Engine,
    pub(crate) keeper: Keeper,
    pub(crate) sockets: Vec<SnmpSocket>,
    pub(crate) subagent: Option<SubagentDriver>,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    /// Whether the configuration is that of the last start.
    pub(crate) is_warm_start: bool,
}

/// The threads that serve, as one.
pub(crate) struct Serving {
    thread: JoinHandle<()>,
    pub(crate) reloads: Reloads,
}

impl Serving {
    /// Waits for their end, which must have been asked for; an error if one of them panicked.
    pub(crate) fn join(self) -> thread::Result<()> {
        self.thread.join()
    }
}

/// Serves the sockets, and a master agent if there is one, until it is told to stop.
pub(crate) fn spawn(parts: Parts, shutdown: Shutdown) -> anyhow::Result<Serving> {
    let (reloads, wanted) = reload::channel();
    let thread = spawn_reactor("snmp", move || serve(parts, wanted, shutdown))?;
    Ok(Serving { thread, reloads })
}

/// Runs what `serve` gives in a thread with a reactor of its own, and what that has begun.
fn spawn_reactor<F: Future<Output = anyhow::Result<()>>>(
    name: &str,
    serve: impl FnOnce() -> F + Send + 'static,
) -> anyhow::Result<JoinHandle<()>> {
    let runtime: Runtime = reactor()?;
    spawn_thread(name, move || {
        let local = LocalSet::new();
        let served = runtime.block_on(local.run_until(serve()));
        runtime.block_on(local);
        served
    })
}

fn spawn_thread(
    name: &str,
    serve: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
) -> anyhow::Result<JoinHandle<()>> {
    let run = || {
        if let Err(error) = serve() {
            error!("SNMP: {error:#}");
        }
    };
    thread::Builder::new().name(name.to_owned()).spawn(run).context("failed to start a thread")
}

async fn serve(
    parts: Parts,
    reloads: mpsc::Receiver<Reload>,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let Parts { engine, keeper, sockets, subagent, store, clock, is_warm_start } = parts;
    let (master, notifications) = mpsc::channel(NOTIFICATIONS_MAX);
    let master = subagent.is_some().then_some(master);
    let (commits, mut begun) = mpsc::unbounded_channel();
    let service = Service {
        engine: Arc::new(Mutex::new(engine)),
        keeper: Arc::new(Mutex::new(keeper)),
        outlet: Arc::new(Outlet::open()?),
        commits,
        master,
        store,
        clock,
    };
    let mut threads = Vec::new();
    for (number, socket) in (1..).zip(sockets) {
        threads.push(spawn_socket(number, &service, socket, &shutdown)?);
    }
    if let Some(subagent) = subagent {
        tokio::task::spawn_local(subagent.run(notifications, shutdown.clone()));
    }
    service.outlet.writable().await?;
    let now = service.clock.now();
    let announced = service.engine().announce_start(now, is_warm_start);
    service.notify_all(announced);
    notify::serve(&service, reloads, &mut begun, shutdown).await;
    let join = || threads.into_iter().map(JoinHandle::join).all(|ended| ended.is_ok());
    let joined = spawn_blocking(join).await;
    // What was asked for until the end is answered.
    while let Ok(begun) = begun.try_recv() {
        service.carry_on(begun);
    }
    match joined {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => anyhow::bail!("a thread of a socket panicked"),
    }
}

/// Starts the thread of one socket, which has precedence: managers that walk large tables and nodes
/// that register do not keep the next question waiting.
fn spawn_socket(
    number: usize,
    service: &Service,
    socket: SnmpSocket,
    shutdown: &Shutdown,
) -> anyhow::Result<JoinHandle<()>> {
    let (service, shutdown) = (service.clone(), shutdown.clone());
    let name = format!("snmp-{number}");
    match socket {
        SnmpSocket::Udp(socket) => spawn_thread(&name, move || {
            privilege::be_prompt();
            udp::serve(service, socket, &shutdown)
        }),
        SnmpSocket::Tcp(listener) => spawn_reactor(&name, move || {
            privilege::be_prompt();
            tcp::serve(service, listener, shutdown)
        }),
    }
}

/// The engine with what it acts on; every socket has one of these.
#[derive(Clone)]
struct Service {
    engine: Arc<Mutex<Engine>>,
    keeper: Arc<Mutex<Keeper>>,
    outlet: Arc<Outlet>,
    /// Commits that are to be made by the thread that has a reactor for all of them.
    commits: mpsc::UnboundedSender<Begun>,
    /// Notifications for the master agent.
    master: Option<mpsc::Sender<Notification>>,
    store: Store,
    clock: Clock,
}

impl Service {
    /// The engine, for as long as the guard lives; nothing is awaited meanwhile.
    fn engine(&self) -> MutexGuard<'_, Engine> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the engine says to a message of `peer`.
    fn handle(&self, peer: std::net::SocketAddr, message: &[u8]) -> Vec<Action> {
        let snapshot = self.store.snapshot();
        self.engine().handle(self.clock.now(), &snapshot, peer, message)
    }

    /// Does what no peer waits for: what is for receivers of notifications.
    fn notify_all(&self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Notify { to, octets } => self.outlet.send(to, &octets),
                Action::Publish(notification) => self.publish(notification),
                Action::Reply(_) | Action::Commit { .. } => {}
            }
        }
    }

    /// Hands a notification to the master agent; what does not fit in its queue is lost.
    fn publish(&self, notification: Notification) {
        if let Some(master) = &self.master
            && master.try_send(notification).is_err()
        {
            debug!("a notification for the AgentX master is lost: too many wait");
        }
    }

    /// Commits and saves what a SET asks for; returns what the engine says then.
    async fn commit(
        &self,
        id: CommitId,
        batch: Batch,
        secrets: Vec<AssociationSecret>,
        saved: Option<Box<Saved>>,
    ) -> Vec<Action> {
        let is_for_the_store = !batch.changes.is_empty();
        let committed = if is_for_the_store {
            change(&self.store, batch, secrets).await
        } else {
            CommitOutcome::Done
        };
        let outcome = match committed {
            CommitOutcome::Done => match (self.save(saved).await, is_for_the_store) {
                (true, _) => CommitOutcome::Done,
                (false, true) => CommitOutcome::Half,
                (false, false) => CommitOutcome::Failed,
            },
            refused @ (CommitOutcome::Refused | CommitOutcome::Failed | CommitOutcome::Half) => {
                refused
            }
        };
        let snapshot = self.store.snapshot();
        self.engine().on_commit(id, outcome, self.clock.now(), &snapshot)
    }

    /// Whether it is on the disk, or there is nothing to save.
    async fn save(&self, saved: Option<Box<Saved>>) -> bool {
        let Some(saved) = saved else { return true };
        let keeper = Arc::clone(&self.keeper);
        let keep = move || keeper.lock().unwrap_or_else(PoisonError::into_inner).keep(*saved);
        match spawn_blocking(keep).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                warn!("failed to save an SNMP SET: {error:#}");
                false
            }
            Err(error) => {
                error!(%error, "saving an SNMP SET panicked");
                false
            }
        }
    }
}
