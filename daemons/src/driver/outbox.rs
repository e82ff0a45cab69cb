//! Datagrams that wait to be sent, many by one system call.
//!
//! What one sync made durable is answered together. Whoever waits for the answers is woken once
//! then, and takes the first of them while the others are sent.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use tokio::net::UdpSocket;
use tracing::{debug, trace, warn};

use crate::datagram;
use crate::socket::Sockets;

/// How many are sent at a time: as many as one turn receives.
const AT_ONCE: usize = crate::socket::DATAGRAMS_A_TURN;

/// A datagram on its way out.
struct Waiting {
    from: Ipv4Addr,
    to: SocketAddrV4,
    octets: Vec<u8>,
}

/// What is to be sent, in its order.
#[derive(Default)]
pub(crate) struct Outbox(Vec<Waiting>);

impl Outbox {
    pub(crate) fn put(&mut self, from: Ipv4Addr, to: SocketAddrV4, octets: Vec<u8>) {
        trace!(%from, %to, length = octets.len(), "send");
        self.0.push(Waiting { from, to, octets });
    }

    /// Sends all of it; returns how many datagrams could not be sent.
    pub(crate) async fn send_all(&mut self, sockets: &Sockets) -> u64 {
        let mut failed = 0;
        for run in self.0.chunk_by(|one, other| one.from == other.from) {
            let Some(Waiting { from, to, .. }) = run.first() else { continue };
            let Some(socket) = sockets.from(*from) else {
                failed += u64::try_from(run.len()).unwrap_or(u64::MAX);
                warn!(%from, %to, "nothing can be sent from this address");
                continue;
            };
            for waiting in run {
                sockets.about_to_send(&waiting.octets);
            }
            for some in run.chunks(AT_ONCE) {
                failed += send_some(socket, some).await;
            }
        }
        self.0.clear();
        failed
    }
}

/// Sends from one socket, waiting where its buffer is full.
async fn send_some(socket: &UdpSocket, mut waiting: &[Waiting]) -> u64 {
    let mut failed = 0;
    let mut is_second = false;
    while let Some(Waiting { from, to, .. }) = waiting.first() {
        let datagrams = waiting.iter().map(|waiting| (waiting.to, &*waiting.octets));
        let sent = match datagram::send_all(socket, datagrams) {
            Ok(sent) => sent,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if socket.writable().await.is_ok() {
                    continue;
                }
                // The reactor has ended.
                return failed + u64::try_from(waiting.len()).unwrap_or(u64::MAX);
            }
            // What ICMP said of an earlier datagram is told with the next one, which then does not
            // leave, where a foreign agent asks for that. The error itself stays to be read.
            Err(_) if !std::mem::replace(&mut is_second, true) => continue,
            Err(error) => {
                failed += 1;
                debug!(%from, %to, %error, "failed to send");
                1
            }
        };
        is_second = false;
        waiting = waiting.get(sent..).unwrap_or_default();
    }
    failed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::{BoundSocket, bind_udp};

    /// A socket of `127.0.0.1`, and its address.
    fn bound() -> (std::net::UdpSocket, SocketAddrV4) {
        let socket = bind_udp("127.0.0.1:0".parse().unwrap()).unwrap();
        match socket.local_addr().unwrap() {
            std::net::SocketAddr::V4(address) => (socket, address),
            std::net::SocketAddr::V6(address) => panic!("{address}"),
        }
    }

    #[tokio::test]
    async fn all_leave_in_their_order_and_failures_are_counted() {
        let (ours, _) = bound();
        let (theirs, to) = bound();
        let sockets = Sockets::new(vec![BoundSocket { socket: ours, interface: None }]).unwrap();
        let mut outbox = Outbox::default();
        let many = 3 * AT_ONCE + 1;
        for number in 0..many {
            outbox.put(Ipv4Addr::LOCALHOST, to, vec![u8::try_from(number % 251).unwrap(); 9]);
            if number == AT_ONCE {
                // Longer than a datagram can be: it does not keep the others from being sent.
                outbox.put(Ipv4Addr::LOCALHOST, to, vec![0; 70_000]);
            }
        }
        outbox.put(Ipv4Addr::new(127, 0, 0, 9), to, vec![1]);
        assert_eq!(outbox.send_all(&sockets).await, 2);
        assert_eq!(outbox.send_all(&sockets).await, 0, "nothing is sent twice");
        let mut buffer = [0; 10];
        for number in 0..many {
            let (length, _) = theirs.recv_from(&mut buffer).unwrap();
            assert_eq!((length, usize::from(buffer[0])), (9, number % 251));
        }
        assert!(theirs.recv_from(&mut buffer).is_err());
    }
}
