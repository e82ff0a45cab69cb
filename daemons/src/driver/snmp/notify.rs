//! Where notifications leave from, and where their acknowledgements arrive.
//!
//! These sockets are nobody's to ask: what arrives there is an answer to an inform, or nothing.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio::time::MissedTickBehavior;
use tracing::{debug, warn};

use super::commits::Begun;
use super::{Reload, Service, Shutdown};
use crate::snmp::interfaces;
use crate::socket::{DATAGRAM_MAX, into_tokio};

/// How often it is looked for what managers are to be told.
const OBSERVE_EVERY: Duration = Duration::from_millis(500);

/// How often the interfaces of this host are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A socket for each family of addresses that this host has.
pub(super) struct Outlet {
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
    /// Whether the last one could not be sent, so that trouble is logged once.
    is_troubled: AtomicBool,
    /// Wakes who waits for deadlines: there may be an earlier one.
    sent: tokio::sync::Notify,
}

impl Outlet {
    pub(super) fn open() -> anyhow::Result<Self> {
        let open = |address: SocketAddr| {
            let socket = std::net::UdpSocket::bind(address)?;
            socket.set_nonblocking(true)?;
            Ok::<_, std::io::Error>(socket)
        };
        let v4 = open((Ipv4Addr::UNSPECIFIED, 0).into());
        let v4 = v4.context("failed to open a socket for notifications")?;
        // A host may be without IPv6.
        let v6 = open((Ipv6Addr::UNSPECIFIED, 0).into()).ok().map(into_tokio).transpose()?;
        Ok(Self {
            v4: Some(into_tokio(v4)?),
            v6,
            is_troubled: AtomicBool::new(false),
            sent: tokio::sync::Notify::new(),
        })
    }

    /// Returns when the first one can be sent: a reactor does not know at once that a new socket
    /// has room.
    pub(super) async fn writable(&self) -> anyhow::Result<()> {
        for socket in self.v4.iter().chain(&self.v6) {
            socket.writable().await.context("failed to wait for a socket for notifications")?;
        }
        Ok(())
    }

    /// Sends one; nothing waits for it, and what does not go at once is lost.
    pub(super) fn send(&self, to: SocketAddr, octets: &[u8]) {
        let socket = if to.is_ipv4() { &self.v4 } else { &self.v6 };
        self.sent.notify_one();
        let Some(socket) = socket else {
            debug!(%to, "there is no socket for this family of addresses");
            return;
        };
        match socket.try_send_to(octets, to) {
            Ok(_) => self.is_troubled.store(false, Ordering::Relaxed),
            Err(error) if self.is_troubled.swap(true, Ordering::Relaxed) => {
                debug!(%to, %error, "failed to send a notification");
            }
            Err(error) => warn!(%to, %error, "failed to send a notification"),
        }
    }
}

async fn receive(socket: Option<&UdpSocket>, buffer: &mut [u8]) -> (usize, SocketAddr) {
    let Some(socket) = socket else { return std::future::pending().await };
    loop {
        // An error is that of something sent before: nobody listens there.
        if let Ok(received) = socket.recv_from(buffer).await {
            return received;
        }
        tokio::task::yield_now().await;
    }
}

/// Sends informs again until they are acknowledged, makes commits, and takes new configurations,
/// until it is time to stop.
pub(super) async fn serve(
    service: &Service,
    mut reloads: mpsc::Receiver<Reload>,
    commits: &mut mpsc::UnboundedReceiver<Begun>,
    mut shutdown: Shutdown,
) {
    let (mut v4, mut v6) = (vec![0; DATAGRAM_MAX], vec![0; DATAGRAM_MAX]);
    let outlet = &service.outlet;
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut observations = tokio::time::interval(OBSERVE_EVERY);
    observations.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let deadline = service.engine().next_deadline();
        let actions = tokio::select! {
            biased;
            () = shutdown.requested() => return,
            () = service.clock.reach(deadline) => {
                service.engine().on_deadline(service.clock.now())
            }
            (length, peer) = receive(outlet.v4.as_ref(), &mut v4) => {
                on_answer(service, peer, v4.get(..length).unwrap_or_default())
            }
            (length, peer) = receive(outlet.v6.as_ref(), &mut v6) => {
                on_answer(service, peer, v6.get(..length).unwrap_or_default())
            }
            _ = observations.tick() => {
                let (snapshot, health) = (service.store.snapshot(), service.store.health());
                service.engine().observe(service.clock.now(), &snapshot, health)
            }
            _ = looks.tick() => {
                let found = interfaces(Path::new("/sys/class/net"));
                service.engine().set_interfaces(found);
                Vec::new()
            }
            Some(begun) = commits.recv() => {
                service.carry_on(begun);
                Vec::new()
            }
            Some(reload) = reloads.recv() => {
                // A SET that it has to wait for is carried on here.
                let service = service.clone();
                spawn_local(async move { service.reload(reload).await });
                Vec::new()
            }
            // An inform that another thread has sent may be due earlier.
            () = outlet.sent.notified() => Vec::new(),
        };
        service.notify_all(actions);
    }
}

fn on_answer(service: &Service, peer: SocketAddr, octets: &[u8]) -> Vec<agent::Action> {
    service.engine().handle_answer(service.clock.now(), peer, octets)
}
