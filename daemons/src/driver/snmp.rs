//! Drives the SNMP engine: one thread with a reactor of its own, so that no commit delays an answer.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use agent::{Action, CommitId, CommitOutcome, Engine};
use anyhow::Context as _;
use store::{Batch, CommitError, Store};
use tokio::net::UdpSocket;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::MissedTickBehavior;
use tracing::{error, info, trace, warn};

use super::Shutdown;
use super::agentx::SubagentDriver;
use crate::clock::Clock;
use crate::socket::{DATAGRAM_MAX, DATAGRAMS_A_TURN, into_tokio};

/// How often it is looked for what managers are to be told.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Serves `sockets`, and a master agent if there is one, in a thread until it is told to stop.
pub(crate) fn spawn(
    engine: Engine,
    sockets: Vec<std::net::UdpSocket>,
    subagent: Option<SubagentDriver>,
    store: Store,
    clock: Clock,
    shutdown: Shutdown,
) -> anyhow::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to make the reactor of the SNMP engine")?;
    let serve = move || {
        let engine = Rc::new(RefCell::new(engine));
        let local = LocalSet::new();
        for (number, socket) in sockets.into_iter().enumerate() {
            let listener = Listener {
                engine: Rc::clone(&engine),
                store: store.clone(),
                clock: clock.clone(),
                observes: number == 0,
            };
            let shutdown = shutdown.clone();
            local.spawn_local(async move {
                if let Err(error) = listener.serve(socket, shutdown).await {
                    error!("SNMP: {error:#}");
                }
            });
        }
        if let Some(subagent) = subagent {
            local.spawn_local(subagent.run(shutdown));
        }
        runtime.block_on(local);
    };
    thread::Builder::new().name("snmp".to_owned()).spawn(serve).context("failed to start a thread")
}

/// One socket; the engine is shared with the others.
#[derive(Clone)]
struct Listener {
    engine: Rc<RefCell<Engine>>,
    store: Store,
    clock: Clock,
    /// Whether it looks for what managers are to be told: one of them does.
    observes: bool,
}

impl Listener {
    async fn serve(
        &self,
        socket: std::net::UdpSocket,
        mut shutdown: Shutdown,
    ) -> anyhow::Result<()> {
        let socket = Rc::new(into_tokio(socket)?);
        let address = socket.local_addr().context("a socket without an address")?;
        info!(%address, "SNMP engine serves");
        let mut buffer = vec![0; DATAGRAM_MAX];
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stop = shutdown.requested();
        tokio::pin!(stop);
        loop {
            let deadline = self.engine.borrow().next_deadline();
            tokio::select! {
                biased;
                () = &mut stop => return Ok(()),
                () = self.clock.reach(deadline) => {
                    let actions = self.engine.borrow_mut().on_deadline(self.clock.now());
                    self.perform(&socket, address, actions).await;
                    continue;
                }
                _ = looks.tick(), if self.observes => {
                    let (snapshot, health) = (self.store.snapshot(), self.store.health());
                    let actions =
                        self.engine.borrow_mut().observe(self.clock.now(), &snapshot, health);
                    self.perform(&socket, address, actions).await;
                    continue;
                }
                readable = socket.readable() => readable.context("failed to wait for datagrams")?,
            }
            if self.take(&socket, &mut buffer).await {
                // Other sockets get their turn. One that is empty waits anyway, and each look at
                // the reactor is a system call.
                tokio::task::yield_now().await;
            }
        }
    }

    /// Answers what has arrived, up to a limit; says whether there may be more.
    async fn take(&self, socket: &Rc<UdpSocket>, buffer: &mut [u8]) -> bool {
        for _ in 0..DATAGRAMS_A_TURN {
            let Ok((length, peer)) = socket.try_recv_from(buffer) else { return false };
            let datagram = buffer.get(..length).unwrap_or_default();
            trace!(%peer, length, "SNMP datagram");
            let snapshot = self.store.snapshot();
            let actions =
                self.engine.borrow_mut().handle(self.clock.now(), &snapshot, peer, datagram);
            self.perform(socket, peer, actions).await;
        }
        true
    }

    /// Does what the engine says about a datagram of `peer`. No datagram waits
    /// for a commit: that goes on in a task of its own.
    async fn perform(&self, socket: &Rc<UdpSocket>, peer: SocketAddr, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Reply(octets) => {
                    if let Err(error) = socket.send_to(&octets, peer).await {
                        warn!(%peer, %error, "failed to send an SNMP reply");
                    }
                }
                Action::Notify { to, octets } => {
                    // Nothing waits for a notification: what does not go at once is lost.
                    if let Err(error) = socket.try_send_to(&octets, to) {
                        warn!(%to, %error, "failed to send a notification");
                    }
                }
                Action::Commit { id, batch } => {
                    let (listener, socket) = (self.clone(), Rc::clone(socket));
                    spawn_local(async move { listener.commit(&socket, peer, id, batch).await });
                }
            }
        }
    }

    async fn commit(&self, socket: &Rc<UdpSocket>, peer: SocketAddr, id: CommitId, batch: Batch) {
        let outcome = match self.store.commit(batch).await {
            Ok(_) => CommitOutcome::Done,
            Err(CommitError::Refused(_)) => CommitOutcome::Refused,
            Err(error) => {
                warn!(%peer, %error, "failed to commit an SNMP SET");
                CommitOutcome::Failed
            }
        };
        let snapshot = self.store.snapshot();
        let now = self.clock.now();
        let actions = self.engine.borrow_mut().on_commit(id, outcome, now, &snapshot);
        // One that was refused is tried once more, so this ends.
        Box::pin(self.perform(socket, peer, actions)).await;
    }
}
