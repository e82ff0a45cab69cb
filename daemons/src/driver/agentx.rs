//! Drives the subagent: a connection to the master agent that is made again for ever.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use agent::agentx::{Report, Subagent, SubagentAction, VarBind, VarData};
use agent::notify::Notification;
use store::{Batch, Store};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc;
use tracing::{debug, info, warn};

use super::Shutdown;
use crate::clock::Clock;
use crate::config::MasterAddress;

/// A master that does not take our octets for so long is not worth waiting for.
const WRITE_MAX: Duration = Duration::from_secs(5);

/// How many octets are read at once.
const READ_MAX: usize = 65_536;

/// The subagent, and what it needs to act.
pub(crate) struct SubagentDriver {
    pub(crate) subagent: Subagent,
    pub(crate) master: MasterAddress,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
}

trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

type Connected = io::Result<Box<dyn Stream>>;

/// The commit of a SET; there is one at a time.
type Commit = Option<Pin<Box<dyn Future<Output = bool>>>>;

/// Waits for the end of a commit; for ever, where there is none. It may be dropped at any time.
async fn ended(commit: &mut Commit) -> bool {
    let Some(running) = commit else { return std::future::pending().await };
    let done = running.await;
    *commit = None;
    done
}

/// Whether it is done.
async fn commit(store: Store, batch: Batch) -> bool {
    match store.commit(batch).await {
        Ok(_) => true,
        Err(error) => {
            debug!(%error, "a SET of the AgentX master is not committed");
            false
        }
    }
}

/// The connection.
enum Link {
    Down,
    Connecting(Pin<Box<dyn Future<Output = Connected>>>),
    Up(Box<dyn Stream>),
}

/// What happens to a connection.
enum Event {
    Made(Connected),
    /// So many octets arrived; none at its end.
    Read(io::Result<usize>),
}

impl Link {
    /// Waits for an event; for ever, where there is no connection. It may be dropped at any time.
    async fn event(&mut self, buffer: &mut [u8]) -> Event {
        match self {
            Self::Down => std::future::pending().await,
            Self::Connecting(attempt) => Event::Made(attempt.await),
            Self::Up(stream) => Event::Read(stream.read(buffer).await),
        }
    }

    async fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        let Self::Up(stream) = self else { return Err(io::ErrorKind::NotConnected.into()) };
        let written = tokio::time::timeout(WRITE_MAX, stream.write_all(octets)).await;
        written.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }
}

async fn connect(master: MasterAddress) -> Connected {
    Ok(match master {
        MasterAddress::Unix(path) => Box::new(UnixStream::connect(path).await?),
        MasterAddress::Tcp(address) => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Box::new(stream)
        }
    })
}

impl SubagentDriver {
    /// Serves until it is told to stop, then takes leave of the master.
    pub(crate) async fn run(
        mut self,
        mut notifications: mpsc::Receiver<Notification>,
        mut shutdown: Shutdown,
    ) {
        info!(master = %self.master, "AgentX subagent starts");
        let mut link = Link::Down;
        let mut buffer = vec![0; READ_MAX];
        let mut stopping = false;
        let mut commit: Commit = None;
        // An outage is said once, not with each attempt.
        let mut is_known_down = false;
        while !self.subagent.is_stopped() {
            let deadline = self.subagent.next_deadline();
            let actions = tokio::select! {
                biased;
                () = shutdown.requested(), if !stopping => {
                    stopping = true;
                    self.subagent.shut_down(self.clock.now())
                }
                () = self.clock.reach(deadline) => self.subagent.on_deadline(self.clock.now()),
                done = ended(&mut commit) => self.subagent.on_committed(done),
                Some(notification) = notifications.recv() => self.notify(notification),
                event = link.event(&mut buffer) => {
                    self.on_event(event, &mut link, &buffer, &mut is_known_down)
                }
            };
            self.perform(actions, &mut link, &mut commit).await;
            // Others on this thread get their turn, however much the master asks.
            tokio::task::yield_now().await;
        }
    }

    fn on_event(
        &mut self,
        event: Event,
        link: &mut Link,
        buffer: &[u8],
        is_known_down: &mut bool,
    ) -> Vec<SubagentAction> {
        let now = self.clock.now();
        match event {
            Event::Made(Ok(stream)) => {
                *is_known_down = false;
                *link = Link::Up(stream);
                self.subagent.on_connected(now)
            }
            Event::Made(Err(error)) => {
                *link = Link::Down;
                if *is_known_down {
                    debug!(master = %self.master, %error, "the AgentX master is still not there");
                } else {
                    warn!(master = %self.master, %error, "failed to connect to the AgentX master");
                }
                *is_known_down = true;
                self.subagent.on_disconnected(now)
            }
            Event::Read(Ok(length @ 1..)) => {
                let octets = buffer.get(..length).unwrap_or_default();
                self.subagent.on_octets(now, &self.store.snapshot(), octets)
            }
            Event::Read(ended) => {
                debug!(master = %self.master, ?ended, "the AgentX connection ended");
                *link = Link::Down;
                self.subagent.on_disconnected(now)
            }
        }
    }

    fn notify(&mut self, notification: Notification) -> Vec<SubagentAction> {
        let variables = notification.variables.into_iter();
        let variables =
            variables.map(|(name, value)| VarBind { name, data: VarData::Value(value) });
        self.subagent.notify(&notification.kind, variables.collect())
    }

    async fn perform(
        &mut self,
        actions: Vec<SubagentAction>,
        link: &mut Link,
        running: &mut Commit,
    ) {
        let mut actions = VecDeque::from(actions);
        while let Some(action) = actions.pop_front() {
            match action {
                SubagentAction::Connect => {
                    *link = Link::Connecting(Box::pin(connect(self.master.clone())));
                }
                SubagentAction::Disconnect => *link = Link::Down,
                SubagentAction::Report(report) => self.report(&report),
                SubagentAction::Commit(batch) => {
                    *running = Some(Box::pin(commit(self.store.clone(), batch)));
                }
                SubagentAction::Send(octets) => {
                    if let Err(error) = link.send(&octets).await {
                        debug!(master = %self.master, %error, "failed to send to the AgentX master");
                        *link = Link::Down;
                        actions = self.subagent.on_disconnected(self.clock.now()).into();
                    }
                }
            }
        }
    }

    fn report(&self, report: &Report) {
        let master = &self.master;
        match report {
            Report::Opened(_) => debug!(%master, "AgentX: {report}"),
            Report::Serving => info!(%master, "AgentX: {report}"),
            Report::Refused { .. }
            | Report::OpenRefused(_)
            | Report::Closed(_)
            | Report::Disconnected
            | Report::Silent
            | Report::Malformed(_) => warn!(%master, "AgentX: {report}"),
        }
    }
}
