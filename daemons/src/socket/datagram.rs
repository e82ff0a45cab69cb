//! A UDP socket that answers from the address that was asked, and knows what it lost.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd as _;

use anyhow::Context as _;
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt,
    sockopt,
};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tracing::debug;

use super::into_tokio;

/// More than two ancillary messages, the larger of which tells an IPv6 address, may take.
const CONTROL_MAX: usize = 128;

/// A socket with its address; where that is a wildcard, each datagram tells which one it was sent to.
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

impl DatagramSocket {
    /// Takes a bound socket to the runtime that is current.
    pub(crate) fn new(socket: std::net::UdpSocket) -> anyhow::Result<Self> {
        let local = socket.local_addr().context("a socket without an address")?;
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
        Ok(Self { socket: into_tokio(socket)?, local })
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// Receives a datagram, if there is one.
    pub(crate) fn try_receive(&self, buffer: &mut [u8]) -> io::Result<Arrival> {
        self.socket.try_io(Interest::READABLE, || {
            let mut control = [0; CONTROL_MAX];
            let mut slices = [IoSliceMut::new(buffer)];
            let fd = self.socket.as_raw_fd();
            let flags = MsgFlags::empty();
            let message = recvmsg::<SockaddrStorage>(fd, &mut slices, Some(&mut control), flags)?;
            let peer = message.address.as_ref().and_then(socket_address);
            let peer = peer.ok_or(io::ErrorKind::InvalidData)?;
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
            Ok(Arrival { length: message.bytes, peer, asked, dropped })
        })
    }

    /// Answers `arrival` from the address that it was sent to.
    pub(crate) async fn reply(&self, arrival: &Arrival, octets: &[u8]) -> io::Result<()> {
        let Some((asked, interface)) = arrival.asked else {
            return self.socket.send_to(octets, arrival.peer).await.map(|_| ());
        };
        let send = || {
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
            sent.map(|_| ()).map_err(|errno: Errno| io::Error::from(errno))
        };
        self.socket.async_io(Interest::WRITABLE, send).await
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

    /// Asks `server` at `address`, and returns where the answer came from.
    async fn ask(server: &DatagramSocket, address: &str) -> SocketAddr {
        let to: SocketAddr = format!("{address}:{}", server.local().port()).parse().unwrap();
        let any = if to.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
        let client = UdpSocket::bind(any).await.unwrap();
        client.send_to(b"ask", to).await.unwrap();
        server.readable().await.unwrap();
        let mut buffer = [0; 16];
        let arrival = server.try_receive(&mut buffer).unwrap();
        assert_eq!((&buffer[..arrival.length], arrival.dropped), (&b"ask"[..], 0));
        server.reply(&arrival, b"answer").await.unwrap();
        client.recv_from(&mut buffer).await.unwrap().1
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(future)
    }

    #[test]
    fn an_answer_leaves_from_the_address_that_was_asked() {
        run(async {
            let socket = crate::socket::bind_udp("0.0.0.0:0".parse().unwrap()).unwrap();
            let server = DatagramSocket::new(socket).unwrap();
            for address in ["127.0.0.1", "127.0.0.5", "127.8.9.10"] {
                assert_eq!(ask(&server, address).await.ip().to_string(), address);
            }
        });
    }

    #[test]
    fn so_it_does_with_ipv6() {
        run(async {
            let Ok(socket) = crate::socket::bind_udp("[::]:0".parse().unwrap()) else { return };
            let server = DatagramSocket::new(socket).unwrap();
            assert_eq!(ask(&server, "[::1]").await.ip().to_string(), "::1");
        });
    }

    #[test]
    fn what_is_lost_is_counted() {
        run(async {
            let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            socket2::SockRef::from(&socket).set_recv_buffer_size(4096).unwrap();
            socket.set_nonblocking(true).unwrap();
            let server = DatagramSocket::new(socket).unwrap();
            let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            for _ in 0..100 {
                client.send_to(&[0; 500], server.local()).await.unwrap();
            }
            let mut buffer = [0; 1000];
            server.readable().await.unwrap();
            let mut received = 0_u32;
            while server.try_receive(&mut buffer).is_ok() {
                received += 1;
            }
            assert!(received < 100);
            // The count comes with the next datagram that finds room.
            client.send_to(b"x", server.local()).await.unwrap();
            server.readable().await.unwrap();
            assert_eq!(server.try_receive(&mut buffer).unwrap().dropped, 100 - received);
        });
    }
}
