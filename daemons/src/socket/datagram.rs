//! A UDP socket of one thread, which answers from the address that was asked, and knows what it lost.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use anyhow::Context as _;
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt,
    sockopt,
};
use tracing::debug;

/// More than two ancillary messages, the larger of which tells an IPv6 address, may take.
const CONTROL_MAX: usize = 128;

/// How long a system that cannot send may hold up the thread.
const SEND_MAX: Duration = Duration::from_secs(1);

/// A socket with its address; where that is a wildcard, each datagram tells which one it was sent to.
///
/// It blocks: a thread that has nothing else to do is woken by fewer system calls than a reactor.
pub(crate) struct DatagramSocket {
    socket: UdpSocket,
    local: SocketAddr,
}

/// A datagram that arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) length: usize,
    pub(crate) peer: SocketAddr,
    /// The address that it was sent to, and the interface, where the socket has none of its own.
    asked: Option<(IpAddr, u32)>,
    /// How many datagrams the socket has lost since it was made, modulo 2³².
    pub(crate) dropped: u32,
}

/// Whether to wait where there is no datagram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Patience {
    /// For as long as [`DatagramSocket::new`] was told.
    Wait,
    None,
}

impl DatagramSocket {
    /// Takes a bound socket; who waits for a datagram waits no longer than `patience`.
    pub(crate) fn new(socket: UdpSocket, patience: Duration) -> anyhow::Result<Self> {
        let local = socket.local_addr().context("a socket without an address")?;
        socket
            .set_nonblocking(false)
            .and_then(|()| socket.set_read_timeout(Some(patience)))
            .and_then(|()| socket.set_write_timeout(Some(SEND_MAX)))
            .with_context(|| format!("failed to prepare the socket of `{local}`"))?;
        if let Err(error) = setsockopt(&socket, sockopt::RxqOvfl, &1) {
            debug!(%error, "the system does not say how many datagrams it drops");
        }
        if local.ip().is_unspecified() {
            let asked = match local {
                SocketAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4PacketInfo, &true),
                SocketAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true),
            };
            asked
                .with_context(|| format!("failed to learn which address `{local}` is asked at"))?;
        }
        Ok(Self { socket, local })
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Receives a datagram; `None` if there is none.
    pub(crate) fn receive(
        &self,
        buffer: &mut [u8],
        patience: Patience,
    ) -> io::Result<Option<Arrival>> {
        let mut control = [0; CONTROL_MAX];
        let mut slices = [IoSliceMut::new(buffer)];
        let flags = match patience {
            Patience::Wait => MsgFlags::empty(),
            Patience::None => MsgFlags::MSG_DONTWAIT,
        };
        let fd = self.socket.as_raw_fd();
        let message = match recvmsg::<SockaddrStorage>(fd, &mut slices, Some(&mut control), flags) {
            Ok(message) => message,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let peer = message.address.as_ref().and_then(socket_address);
        let peer = peer.ok_or(ErrorKind::InvalidData)?;
        let (mut asked, mut dropped) = (None, 0);
        for ancillary in message.cmsgs()? {
            match ancillary {
                ControlMessageOwned::Ipv4PacketInfo(info) => {
                    let address = Ipv4Addr::from(info.ipi_spec_dst.s_addr.to_ne_bytes());
                    asked = Some((address.into(), 0));
                }
                ControlMessageOwned::Ipv6PacketInfo(info) => {
                    let address = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                    asked = Some((address.into(), info.ipi6_ifindex));
                }
                ControlMessageOwned::RxqOvfl(count) => dropped = count,
                _ => {}
            }
        }
        Ok(Some(Arrival { length: message.bytes, peer, asked, dropped }))
    }

    /// Answers `arrival` from the address that it was sent to.
    pub(crate) fn reply(&self, arrival: &Arrival, octets: &[u8]) -> io::Result<()> {
        let Some((asked, interface)) = arrival.asked else {
            return self.socket.send_to(octets, arrival.peer).map(|_| ());
        };
        let fd = self.socket.as_raw_fd();
        let slices = [IoSlice::new(octets)];
        let peer = SockaddrStorage::from(arrival.peer);
        let with = |control| sendmsg(fd, &slices, &[control], MsgFlags::empty(), Some(&peer));
        let sent = match asked {
            IpAddr::V4(address) => {
                let info = from_ipv4(address);
                with(ControlMessage::Ipv4PacketInfo(&info))
            }
            IpAddr::V6(address) => {
                let info = from_ipv6(address, interface);
                with(ControlMessage::Ipv6PacketInfo(&info))
            }
        };
        Ok(sent.map(|_| ())?)
    }
}

fn from_ipv4(address: Ipv4Addr) -> libc::in_pktinfo {
    libc::in_pktinfo {
        // The route decides which interface it leaves by.
        ipi_ifindex: 0,
        ipi_spec_dst: libc::in_addr { s_addr: u32::from_ne_bytes(address.octets()) },
        ipi_addr: libc::in_addr { s_addr: 0 },
    }
}

fn from_ipv6(address: Ipv6Addr, interface: u32) -> libc::in6_pktinfo {
    // An address of one link means nothing without its interface; others go where the route says.
    let is_of_a_link = address.is_unicast_link_local();
    libc::in6_pktinfo {
        ipi6_addr: libc::in6_addr { s6_addr: address.octets() },
        ipi6_ifindex: if is_of_a_link { interface } else { 0 },
    }
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|address| SocketAddr::from(*address));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| SocketAddr::from(*address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// Asks `server` at `address`, and returns where the answer came from.
    fn ask(server: &DatagramSocket, address: &str) -> SocketAddr {
        let to: SocketAddr = format!("{address}:{}", server.local().port()).parse().unwrap();
        let any = if to.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
        let client = UdpSocket::bind(any).unwrap();
        client.send_to(b"ask", to).unwrap();
        let mut buffer = [0; 16];
        let arrival = server.receive(&mut buffer, Patience::Wait).unwrap().unwrap();
        assert_eq!((&buffer[..arrival.length], arrival.dropped), (&b"ask"[..], 0));
        server.reply(&arrival, b"answer").unwrap();
        client.recv_from(&mut buffer).unwrap().1
    }

    #[test]
    fn an_answer_leaves_from_the_address_that_was_asked() {
        let socket = crate::socket::bind_udp("0.0.0.0:0".parse().unwrap()).unwrap();
        let server = DatagramSocket::new(socket, LONG).unwrap();
        for address in ["127.0.0.1", "127.0.0.5", "127.8.9.10"] {
            assert_eq!(ask(&server, address).ip().to_string(), address);
        }
    }

    #[test]
    fn so_it_does_with_ipv6() {
        let Ok(socket) = crate::socket::bind_udp("[::]:0".parse().unwrap()) else { return };
        let server = DatagramSocket::new(socket, LONG).unwrap();
        assert_eq!(ask(&server, "[::1]").ip().to_string(), "::1");
    }

    #[test]
    fn who_waits_for_nothing_is_told_so() {
        let socket = crate::socket::bind_udp("127.0.0.1:0".parse().unwrap()).unwrap();
        let server = DatagramSocket::new(socket, Duration::from_millis(10)).unwrap();
        for patience in [Patience::Wait, Patience::None] {
            assert!(server.receive(&mut [0; 16], patience).unwrap().is_none(), "{patience:?}");
        }
    }

    #[test]
    fn what_is_lost_is_counted() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket2::SockRef::from(&socket).set_recv_buffer_size(4096).unwrap();
        let server = DatagramSocket::new(socket, LONG).unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..100 {
            client.send_to(&[0; 500], server.local()).unwrap();
        }
        let mut buffer = [0; 1000];
        let mut received = 0_u32;
        while server.receive(&mut buffer, Patience::None).unwrap().is_some() {
            received += 1;
        }
        assert!(received > 0 && received < 100);
        // The count comes with the next datagram that finds room.
        client.send_to(b"x", server.local()).unwrap();
        let arrival = server.receive(&mut buffer, Patience::Wait).unwrap().unwrap();
        assert_eq!(arrival.dropped, 100 - received);
    }
}
