//! Drives the SNMP engine: one thread with a reactor of its own, so that no commit delays an answer.
//!
//! ```text
//!  udp:… ──┐                          ┌── store, file of the engine
//!  tcp:… ──┼─▶ Service ─▶ Engine ─────┤
//!  answers ┘      ▲                   └── Outlet ─▶ receivers of notifications
//!                 └── Notifier, from anywhere
//! ```
//!
//! Each socket is read by this one thread and no other, so requests are answered in the order
//! in which they arrived.

mod notify;
mod tcp;
mod udp;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use agent::notify::Notification;
use agent::{Action, AssociationSecret, CommitId, CommitOutcome, Engine, Saved};
use anyhow::Context as _;
use store::{Batch, Store};
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_blocking};
use tracing::{debug, error, warn};

use super::Shutdown;
use super::agentx::SubagentDriver;
use super::configuration::change;
use crate::clock::Clock;
use crate::snmp::Keeper;
use crate::socket::SnmpSocket;
use notify::Outlet;

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

/// Serves the sockets, and a master agent if there is one, in a thread until it is told to stop.
pub(crate) fn spawn(parts: Parts, shutdown: Shutdown) -> anyhow::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to make the reactor of the SNMP engine")?;
    let serve = move || {
        let local = LocalSet::new();
        if let Err(error) = runtime.block_on(local.run_until(serve(parts, shutdown))) {
            error!("SNMP: {error:#}");
        }
        runtime.block_on(local);
    };
    thread::Builder::new().name("snmp".to_owned()).spawn(serve).context("failed to start a thread")
}

async fn serve(parts: Parts, shutdown: Shutdown) -> anyhow::Result<()> {
    let Parts { engine, keeper, sockets, subagent, store, clock, is_warm_start } = parts;
    let (master, notifications) = mpsc::channel(NOTIFICATIONS_MAX);
    let master = subagent.is_some().then_some(master);
    let service = Service {
        engine: Rc::new(RefCell::new(engine)),
        keeper: Arc::new(Mutex::new(keeper)),
        outlet: Rc::new(Outlet::open()?),
        master,
        store,
        clock,
    };
    for socket in sockets {
        let (service, shutdown) = (service.clone(), shutdown.clone());
        tokio::task::spawn_local(async move {
            let served = match socket {
                SnmpSocket::Udp(socket) => udp::serve(service, socket, shutdown).await,
                SnmpSocket::Tcp(listener) => tcp::serve(service, listener, shutdown).await,
            };
            if let Err(error) = served {
                error!("SNMP: {error:#}");
            }
        });
    }
    if let Some(subagent) = subagent {
        tokio::task::spawn_local(subagent.run(notifications, shutdown.clone()));
    }
    service.outlet.writable().await?;
    let now = service.clock.now();
    let announced = service.engine.borrow_mut().announce_start(now, is_warm_start);
    service.notify_all(announced);
    notify::serve(service, shutdown).await;
    Ok(())
}

/// The engine with what it acts on; every socket has one of these.
#[derive(Clone)]
struct Service {
    engine: Rc<RefCell<Engine>>,
    keeper: Arc<Mutex<Keeper>>,
    outlet: Rc<Outlet>,
    /// Notifications for the master agent.
    master: Option<mpsc::Sender<Notification>>,
    store: Store,
    clock: Clock,
}

impl Service {
    /// What the engine says to a message of `peer`.
    fn handle(&self, peer: std::net::SocketAddr, message: &[u8]) -> Vec<Action> {
        let snapshot = self.store.snapshot();
        self.engine.borrow_mut().handle(self.clock.now(), &snapshot, peer, message)
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
        self.engine.borrow_mut().on_commit(id, outcome, self.clock.now(), &snapshot)
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
