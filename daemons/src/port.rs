//! A port that a home agent and a foreign agent of one process share: each datagram goes to one.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddrV4;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use mobility::Dispatcher;
use store::Role;
use tokio::net::UdpSocket;
use tracing::debug;

use crate::datagram::{self, Arrived};
use crate::driver::Shutdown;
use crate::socket::{DATAGRAM_MAX, DATAGRAMS_A_TURN};

/// How many datagrams wait for a role. It takes more in one turn than a flood brings in another,
/// and what is too much for one must not be in the way of the other.
const WAITING_MAX: usize = 4096;

/// Who may get a datagram, and what each has sent.
#[derive(Debug)]
pub(crate) struct SharedPort(Mutex<Dispatcher>);

impl SharedPort {
    pub(crate) fn new(dispatcher: Dispatcher) -> Arc<Self> {
        Arc::new(Self(Mutex::new(dispatcher)))
    }

    fn dispatcher(&self) -> MutexGuard<'_, Dispatcher> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what `role` is about to send.
    pub(crate) fn note_sent(&self, role: Role, octets: &[u8]) {
        self.dispatcher().note_sent(role, octets);
    }
}

/// The datagrams of one role that have arrived on a shared socket.
#[derive(Debug, Default)]
pub(crate) struct Inbox(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    datagrams: VecDeque<(Vec<u8>, Arrived)>,
    reader: Option<Waker>,
    dropped: u64,
}

impl Inbox {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, octets: &[u8], arrived: Arrived) {
        let mut waiting = self.waiting();
        if waiting.datagrams.len() >= WAITING_MAX {
            waiting.dropped += 1;
            return;
        }
        waiting.datagrams.push_back((octets.to_vec(), arrived));
        if let Some(reader) = waiting.reader.take() {
            reader.wake();
        }
    }

    /// Ready as long as something waits.
    pub(crate) fn poll_ready(&self, context: &Context<'_>) -> Poll<()> {
        let mut waiting = self.waiting();
        if !waiting.datagrams.is_empty() {
            return Poll::Ready(());
        }
        waiting.reader = Some(context.waker().clone());
        Poll::Pending
    }

    /// The next datagram, or [`io::ErrorKind::WouldBlock`].
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<Arrived> {
        let next = self.waiting().datagrams.pop_front();
        let (octets, arrived) = next.ok_or(io::ErrorKind::WouldBlock)?;
        // A datagram is no longer than the buffers that both sides take it into.
        let place = buffer.get_mut(..octets.len()).ok_or(io::ErrorKind::InvalidInput)?;
        place.copy_from_slice(&octets);
        Ok(arrived)
    }

    /// How many were too many since this was asked last.
    pub(crate) fn take_dropped(&self) -> u64 {
        std::mem::take(&mut self.waiting().dropped)
    }
}

/// Hands out what arrives on one socket.
pub(crate) struct Pump {
    pub(crate) port: Arc<SharedPort>,
    pub(crate) local: SocketAddrV4,
    pub(crate) socket: Arc<UdpSocket>,
    pub(crate) home_agent: Arc<Inbox>,
    pub(crate) foreign_agent: Arc<Inbox>,
}

impl Pump {
    /// Works until it is told to stop.
    pub(crate) async fn run(self, mut shutdown: Shutdown) {
        let mut buffer = vec![0; DATAGRAM_MAX];
        loop {
            tokio::select! {
                biased;
                () = shutdown.requested() => return,
                ready = self.socket.readable() => {
                    if let Err(error) = ready {
                        debug!(local = %self.local, %error, "a socket cannot be waited for");
                    }
                }
            }
            self.turn(&mut buffer);
            tokio::task::yield_now().await;
        }
    }

    fn turn(&self, buffer: &mut [u8]) {
        for _ in 0..DATAGRAMS_A_TURN {
            let arrived = match datagram::receive(&self.socket, buffer) {
                Ok(arrived) => arrived,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // ICMP said something of what was sent, which the foreign agent asks for.
                Err(_) => continue,
            };
            let octets = buffer.get(..arrived.length).unwrap_or_default();
            let inbox = match self.port.dispatcher().role(octets) {
                Role::ForeignAgent => &self.foreign_agent,
                _ => &self.home_agent,
            };
            inbox.put(octets, arrived);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn arrived(length: usize) -> Arrived {
        let source = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9);
        Arrived { length, source, ttl: Some(255) }
    }

    #[test]
    fn a_flood_of_one_role_is_counted_and_does_not_grow() {
        let inbox = Inbox::default();
        for number in 0..WAITING_MAX + 3 {
            inbox.put(&number.to_be_bytes(), arrived(8));
        }
        assert_eq!((inbox.take_dropped(), inbox.take_dropped()), (3, 0));
        let mut buffer = vec![0; DATAGRAM_MAX];
        let mut taken = 0_usize;
        while let Ok(arrived) = inbox.receive(&mut buffer) {
            assert_eq!(&buffer[..arrived.length], taken.to_be_bytes());
            taken += 1;
        }
        assert_eq!(taken, WAITING_MAX);
    }

    #[tokio::test]
    async fn who_waits_is_woken() {
        let inbox = Arc::new(Inbox::default());
        let waits = Arc::clone(&inbox);
        let reader = tokio::spawn(async move {
            std::future::poll_fn(|context| waits.poll_ready(context)).await;
        });
        tokio::task::yield_now().await;
        inbox.put(b"four", arrived(4));
        reader.await.unwrap();
        assert_eq!(inbox.receive(&mut [0; 9]).unwrap().length, 4);
        assert_eq!(inbox.receive(&mut [0; 9]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}
