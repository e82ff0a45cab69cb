//! Raw ICMP sockets on an interface (RFC 5944 §2, RFC 1256).

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::task::{Context, Poll, ready};

use anyhow::Context as _;
use rustix::net::{SendFlags, sendto};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tracing::debug;
use wire::{AgentAdvertisement, AgentSolicitation};

use super::Message;
use super::interface::Interface;
use crate::socket::into_tokio;

/// All mobility agents, and all routers: where solicitations go to (RFC 5944 §2.3, RFC 1256 §2).
const AGENTS: [Ipv4Addr; 2] = [Ipv4Addr::new(224, 0, 0, 11), Ipv4Addr::new(224, 0, 0, 2)];

const IP_HEADER: usize = 20;
const PROTOCOL_ICMP: u8 = 1;

/// §2.1: what is heard came from this very link.
const TTL: u8 = 1;

/// How many messages that are nobody's are skipped before others get their turn.
const SKIPPED_A_TURN: usize = 64;

/// Which end of agent discovery is on the link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// It hears solicitations.
    Agent,
    /// It hears advertisements.
    Node,
}

/// A raw socket that was opened while that was allowed.
pub(crate) struct BoundLink {
    interface: u32,
    end: End,
    socket: Socket,
}

impl BoundLink {
    /// Opens a socket for what comes to `interface` and goes out of it.
    pub(crate) fn open(interface: &Interface, end: End) -> anyhow::Result<Self> {
        let name = &interface.name;
        let socket = Self::bind(interface, end);
        let socket = socket.with_context(|| format!("failed to open a raw socket on `{name}`"))?;
        Ok(Self { interface: interface.index, end, socket })
    }

    fn bind(interface: &Interface, end: End) -> io::Result<Socket> {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
        socket.set_nonblocking(true)?;
        socket.bind_device(Some(interface.name.as_bytes()))?;
        // The header is ours: the source address is chosen for each message, and may be no address
        // of the link that a mobile node visits.
        socket.set_header_included_v4(true)?;
        socket.set_broadcast(true)?;
        socket.set_multicast_loop_v4(false)?;
        if end == End::Agent {
            let index = InterfaceIndexOrAddress::Index(interface.index);
            for group in AGENTS {
                socket.join_multicast_v4_n(&group, &index)?;
            }
        }
        Ok(socket)
    }

    /// Hands the socket to the runtime that is current.
    pub(crate) fn into_link(self) -> anyhow::Result<RawLink> {
        // A socket is a socket to the reactor.
        let socket = into_tokio(self.socket.into())?;
        Ok(RawLink { interface: self.interface, end: self.end, socket, buffer: vec![0; 2048] })
    }
}

/// An interface with a raw ICMP socket.
pub(crate) struct RawLink {
    interface: u32,
    end: End,
    socket: UdpSocket,
    buffer: Vec<u8>,
}

impl RawLink {
    pub(super) fn interface(&self) -> u32 {
        self.interface
    }

    pub(super) fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Message> {
        for _ in 0..SKIPPED_A_TURN {
            if ready!(self.socket.poll_recv_ready(context)).is_err() {
                return Poll::Pending;
            }
            match self.socket.try_recv(&mut self.buffer) {
                Ok(length) => {
                    let datagram = self.buffer.get(..length).unwrap_or_default();
                    if let Some(message) = parse(datagram).filter(|it| self.is_wanted(it)) {
                        return Poll::Ready(message);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The interface may be down; then there is nothing to hear.
                Err(error) => debug!(interface = self.interface, %error, "failed to receive"),
            }
        }
        // More may be there: whoever else waits goes first.
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn is_wanted(&self, message: &Message) -> bool {
        let kind = match self.end {
            End::Agent => AgentSolicitation::TYPE,
            End::Node => AgentAdvertisement::TYPE,
        };
        message.octets.first() == Some(&kind)
    }

    /// Sends without asking the routes: who is meant is on this link, whatever its address
    /// (RFC 5944 §2.3: a solicitation may come from another network's address).
    pub(super) fn send(&self, message: &Message) -> bool {
        let to = SocketAddrV4::new(message.destination, 0);
        let sent = sendto(&self.socket, &emit(message), SendFlags::DONTROUTE, &to);
        if let Err(error) = sent {
            debug!(interface = self.interface, to = %message.destination, %error, "failed to send");
        }
        sent.is_ok()
    }
}

/// An IP datagram as a raw socket gives it; `None` if it is none of ICMP.
fn parse(datagram: &[u8]) -> Option<Message> {
    let header = datagram.first_chunk::<IP_HEADER>()?;
    let [first, _, _, _, _, _, fragment_high, fragment_low, _, protocol, ..] = *header;
    let [.., a, b, c, d, e, f, g, h] = *header;
    let length = usize::from(first & 0x0f) * 4;
    // No more fragments, and no offset; `DF` may be set.
    let is_whole = matches!(fragment_high, 0 | 0x40) && fragment_low == 0;
    if first >> 4 != 4 || length < IP_HEADER || protocol != PROTOCOL_ICMP || !is_whole {
        return None;
    }
    Some(Message {
        source: Ipv4Addr::new(a, b, c, d),
        destination: Ipv4Addr::new(e, f, g, h),
        octets: datagram.get(length..)?.to_vec(),
    })
}

/// The IP datagram of a message; the kernel fills in length, identification and checksum.
fn emit(message: &Message) -> Vec<u8> {
    let mut datagram = vec![0x45, 0, 0, 0, 0, 0, 0, 0, TTL, PROTOCOL_ICMP, 0, 0];
    datagram.extend(message.source.octets());
    datagram.extend(message.destination.octets());
    datagram.extend(&message.octets);
    datagram
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_emitted_parses_and_nothing_else_does() {
        let message = Message {
            source: Ipv4Addr::new(192, 0, 2, 1),
            destination: Ipv4Addr::new(224, 0, 0, 1),
            octets: vec![9, 0, 1, 2],
        };
        let datagram = emit(&message);
        assert_eq!(parse(&datagram).as_ref(), Some(&message));
        let with_options = [&[0x46], &datagram[1..20], &[0; 4], &datagram[20..]].concat();
        assert_eq!(parse(&with_options).as_ref(), Some(&message));
        for length in 0..IP_HEADER {
            assert_eq!(parse(&datagram[..length]), None);
        }
        for (at, octet) in [(0, 0x44), (0, 0x65), (9, 17), (6, 0x20), (7, 1)] {
            let mut other = datagram.clone();
            other[at] = octet;
            assert_eq!(parse(&other), None, "octet {at}");
        }
        let mut short = datagram.clone();
        short[0] = 0x4f;
        assert_eq!(parse(&short), None, "the header is longer than what arrived");
    }
}
