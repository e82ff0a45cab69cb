//! SNMP over UDP (RFC 3417 §3): replies leave from the address that was asked.

use std::net::SocketAddr;
use std::rc::Rc;

use agent::Action;
use anyhow::Context as _;
use tokio::task::spawn_local;
use tracing::{info, trace, warn};

use super::{Service, Shutdown};
use crate::socket::datagram::{Arrival, DatagramSocket};
use crate::socket::{DATAGRAM_MAX, DATAGRAMS_A_TURN};

/// Serves one socket until it is time to stop.
pub(super) async fn serve(
    service: Service,
    socket: std::net::UdpSocket,
    mut shutdown: Shutdown,
) -> anyhow::Result<()> {
    let socket = Rc::new(DatagramSocket::new(socket)?);
    info!(address = %socket.local(), "SNMP engine serves");
    let mut buffer = vec![0; DATAGRAM_MAX];
    let mut dropped = 0;
    let stop = shutdown.requested();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => return Ok(()),
            readable = socket.readable() => readable.context("failed to wait for datagrams")?,
        }
        if take(&service, &socket, &mut buffer, &mut dropped).await {
            // Other sockets get their turn. One that is empty waits anyway, and each look at
            // the reactor is a system call.
            tokio::task::yield_now().await;
        }
    }
}

/// Answers what has arrived, up to a limit; says whether there may be more.
async fn take(
    service: &Service,
    socket: &Rc<DatagramSocket>,
    buffer: &mut [u8],
    dropped: &mut u32,
) -> bool {
    for _ in 0..DATAGRAMS_A_TURN {
        let Ok(arrival) = socket.try_receive(buffer) else { return false };
        if arrival.dropped != *dropped {
            let lost = arrival.dropped.wrapping_sub(*dropped);
            *dropped = arrival.dropped;
            service.engine.borrow_mut().count_dropped(lost);
            warn!(lost, address = %socket.local(), "SNMP requests were lost: the receive buffer was full");
        }
        let datagram = buffer.get(..arrival.length).unwrap_or_default();
        trace!(peer = %arrival.peer, length = arrival.length, "SNMP datagram");
        let actions = service.handle(arrival.peer, datagram);
        perform(service, socket, arrival, actions).await;
    }
    true
}

/// Does what the engine says about a datagram. No datagram waits for a commit: that goes on in a
/// task of its own.
async fn perform(
    service: &Service,
    socket: &Rc<DatagramSocket>,
    arrival: Arrival,
    actions: Vec<Action>,
) {
    for action in actions {
        match action {
            Action::Reply(octets) => reply(socket, &arrival, &octets).await,
            Action::Notify { to, octets } => service.outlet.send(to, &octets),
            Action::Publish(notification) => service.publish(notification),
            Action::Commit { id, batch, secrets, saved } => {
                let (service, socket) = (service.clone(), Rc::clone(socket));
                spawn_local(async move {
                    let actions = service.commit(id, batch, secrets, saved).await;
                    // One that was refused is tried once more, so this ends.
                    Box::pin(perform(&service, &socket, arrival, actions)).await;
                });
            }
        }
    }
}

async fn reply(socket: &DatagramSocket, arrival: &Arrival, octets: &[u8]) {
    let peer: SocketAddr = arrival.peer;
    if let Err(error) = socket.reply(arrival, octets).await {
        warn!(%peer, %error, "failed to send an SNMP reply");
    }
}
