//! SNMP over UDP (RFC 3417 §3): replies leave from the address that was asked.

use std::sync::Arc;
use std::time::Duration;

use agent::Action;
use tracing::{info, trace, warn};

use super::commits::Reply;
use super::turns::Turns;
use super::{Service, Shutdown};
use crate::socket::datagram::{Arrival, DatagramSocket, Patience};
use crate::socket::{DATAGRAM_MAX, DATAGRAMS_A_TURN};

/// How often it is seen whether it is time to stop, where nothing arrives.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// After an error that is of no one datagram, such as no memory.
const PAUSE: Duration = Duration::from_millis(100);

/// A datagram that waits for its turn.
struct Waiting {
    arrival: Arrival,
    octets: Box<[u8]>,
}

/// One socket, and what has arrived at it.
struct Server {
    service: Service,
    socket: Arc<DatagramSocket>,
    turns: Turns<Waiting>,
    /// How many the kernel had dropped when it was asked last.
    dropped: u32,
}

/// Serves one socket, in the thread that is its own, until it is time to stop.
pub(super) fn serve(
    service: Service,
    socket: std::net::UdpSocket,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    let socket = Arc::new(DatagramSocket::new(socket, LOOK_EVERY)?);
    info!(address = %socket.local(), "SNMP engine serves");
    let mut server = Server { service, socket, turns: Turns::new(), dropped: 0 };
    let mut buffer = vec![0; DATAGRAM_MAX];
    while !shutdown.is_requested() {
        server.take(&mut buffer);
        server.answer_next();
    }
    Ok(())
}

impl Server {
    /// Answers what goes first of what arrives, up to a limit, and lets the rest wait. Returns
    /// when there is nothing more; where nothing waits either, it waits itself.
    fn take(&mut self, buffer: &mut [u8]) {
        for _ in 0..DATAGRAMS_A_TURN {
            let patience = if self.turns.is_empty() { Patience::Wait } else { Patience::None };
            let arrival = match self.socket.receive(buffer, patience) {
                Ok(Some(arrival)) => arrival,
                Ok(None) => return,
                Err(error) => {
                    warn!(%error, address = %self.socket.local(), "failed to receive SNMP requests");
                    std::thread::sleep(PAUSE);
                    return;
                }
            };
            self.count_dropped(arrival.dropped);
            let octets = buffer.get(..arrival.length).unwrap_or_default();
            trace!(peer = %arrival.peer, length = arrival.length, "SNMP datagram");
            if self.turns.is_first(arrival.peer) {
                self.answer(arrival, octets);
            } else {
                self.turns.push(arrival.peer, Waiting { arrival, octets: octets.into() });
                if self.turns.is_full() {
                    return;
                }
            }
        }
    }

    /// Answers one of those that have to wait.
    fn answer_next(&mut self) {
        if let Some(Waiting { arrival, octets }) = self.turns.next() {
            self.answer(arrival, &octets);
        }
    }

    fn count_dropped(&mut self, dropped: u32) {
        if dropped != self.dropped {
            let lost = dropped.wrapping_sub(self.dropped);
            self.dropped = dropped;
            self.service.engine().count_dropped(lost);
            warn!(lost, address = %self.socket.local(), "SNMP requests were lost: the receive buffer was full");
        }
    }

    fn answer(&mut self, arrival: Arrival, octets: &[u8]) {
        let mut longest = 0;
        for action in self.service.handle(arrival.peer, octets) {
            match action {
                Action::Reply(octets) => {
                    longest = octets.len().max(longest);
                    reply(&self.socket, &arrival, &octets);
                }
                Action::Notify { to, octets } => self.service.outlet.send(to, &octets),
                Action::Publish(notification) => self.service.publish(notification),
                // No datagram waits for a commit.
                Action::Commit { id, batch, secrets, saved } => {
                    let socket = Arc::clone(&self.socket);
                    let reply: Reply = Box::new(move |octets| reply(&socket, &arrival, octets));
                    self.service.begin(id, batch, secrets, saved, reply);
                }
            }
        }
        self.turns.answered(arrival.peer, longest);
    }
}

fn reply(socket: &DatagramSocket, arrival: &Arrival, octets: &[u8]) {
    if let Err(error) = socket.reply(arrival, octets) {
        warn!(peer = %arrival.peer, %error, "failed to send an SNMP reply");
    }
}
