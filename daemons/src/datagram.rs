//! What UDP tells only to those who ask: the time to live of what arrives, and the ICMP errors of
//! what was sent (ip(7): `IP_RECVTTL`, `IP_RECVERR`).

use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddrV4;
use std::os::fd::AsRawFd;

use mobility::Unreachable;
use nix::cmsg_space;
use nix::libc::{sock_extended_err, sockaddr_in};
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn, recvmsg, sendmmsg, setsockopt, sockopt,
};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// A datagram that has arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrived {
    pub(crate) length: usize,
    pub(crate) source: SocketAddrV4,
    pub(crate) ttl: Option<u8>,
}

/// Asks for both.
pub(crate) fn ask_for_more(socket: &UdpSocket) -> io::Result<()> {
    setsockopt(socket, sockopt::Ipv4RecvTtl, &true)?;
    setsockopt(socket, sockopt::Ipv4RecvErr, &true)?;
    Ok(())
}

/// The next datagram, with its time to live; an error if there is none, or if ICMP said something.
pub(crate) fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Arrived> {
    let mut space = cmsg_space!(i32, sock_extended_err, sockaddr_in);
    socket.try_io(Interest::READABLE, || {
        let mut parts = [IoSliceMut::new(buffer)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let message =
            recvmsg::<SockaddrIn>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
        let source = message.address.ok_or(io::ErrorKind::InvalidData)?;
        let ttl = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::Ipv4Ttl(ttl) => u8::try_from(ttl).ok(),
            _ => None,
        });
        Ok(Arrived { length: message.bytes, source: source.into(), ttl })
    })
}

/// Sends datagrams from `socket` by one system call, in their order; returns how many were sent, at
/// least one. An error is that of the first.
pub(crate) fn send_all<'a>(
    socket: &UdpSocket,
    datagrams: impl Iterator<Item = (SocketAddrV4, &'a [u8])>,
) -> io::Result<usize> {
    let (addresses, parts): (Vec<_>, Vec<_>) =
        datagrams.map(|(to, octets)| (Some(SockaddrIn::from(to)), [IoSlice::new(octets)])).unzip();
    let mut headers = MultiHeaders::preallocate(parts.len(), None);
    socket.try_io(Interest::WRITABLE, || {
        let flags = MsgFlags::MSG_DONTWAIT;
        let sent = sendmmsg(socket.as_raw_fd(), &mut headers, &parts, &addresses, [], flags)?;
        Ok(sent.count())
    })
}

/// Waits until ICMP has said something of what was sent: [`next_error`] tells it.
///
/// Such a socket is not readable, so who waits for datagrams alone is not woken.
pub(crate) async fn has_error(socket: &UdpSocket) {
    if socket.ready(Interest::ERROR).await.is_err() {
        // The reactor has ended, and with it whoever could be told.
        std::future::pending::<()>().await;
    }
}

/// The next ICMP error: whom it is about, and what it says; `None` if there is none left, and then
/// [`has_error`] waits for another one.
pub(crate) fn next_error(socket: &UdpSocket) -> Option<(SocketAddrV4, Option<Unreachable>)> {
    let mut space = cmsg_space!(i32, sock_extended_err, sockaddr_in);
    let mut octets = [0; 64];
    let mut parts = [IoSliceMut::new(&mut octets)];
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_ERRQUEUE;
    let taken = socket.try_io(Interest::ERROR, || {
        recvmsg::<SockaddrIn>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags)
            // Whatever keeps it from being read, it must not wake us for ever.
            .map_err(|_| io::ErrorKind::WouldBlock.into())
    });
    let message = taken.ok()?;
    // The address that the datagram was for.
    let to = message.address?;
    let said = message.cmsgs().ok()?.find_map(|control| match control {
        ControlMessageOwned::Ipv4RecvErr(error, _) => Some(error),
        _ => None,
    });
    Some((to.into(), said.and_then(|said| meaning(said.ee_origin, said.ee_type, said.ee_code))))
}

/// What an ICMP message means for who sent the datagram (RFC 792; RFC 5944 §3.4: Codes 80 to 95).
const fn meaning(origin: u8, kind: u8, code: u8) -> Option<Unreachable> {
    const FROM_ICMP: u8 = 2;
    match (origin, kind, code) {
        (FROM_ICMP, 3, 0 | 6 | 11) => Some(Unreachable::Network),
        (FROM_ICMP, 3, 1 | 7 | 12) => Some(Unreachable::Host),
        (FROM_ICMP, 3, 3) => Some(Unreachable::Port),
        // A datagram that is too long for a link arrives in pieces the next time.
        (FROM_ICMP, 3, 4) => None,
        (FROM_ICMP, 3 | 11, _) => Some(Unreachable::Other),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    async fn socket() -> (UdpSocket, SocketAddrV4) {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = match socket.local_addr().unwrap() {
            std::net::SocketAddr::V4(address) => address,
            std::net::SocketAddr::V6(address) => panic!("{address}"),
        };
        (socket, address)
    }

    #[tokio::test]
    async fn a_datagram_has_a_time_to_live() {
        let (ours, address) = socket().await;
        ask_for_more(&ours).unwrap();
        let (other, from) = socket().await;
        other.set_ttl(77).unwrap();
        other.send_to(b"four", address).await.unwrap();
        ours.readable().await.unwrap();
        let mut buffer = [0; 10];
        let arrived = receive(&ours, &mut buffer).unwrap();
        assert_eq!((arrived.length, arrived.source, arrived.ttl), (4, from, Some(77)));
        assert_eq!(receive(&ours, &mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[tokio::test]
    async fn a_port_without_a_socket_is_unreachable() {
        let (ours, _) = socket().await;
        ask_for_more(&ours).unwrap();
        // A port of an address of its own: one that was freed may be another test's at once.
        let nobody = SocketAddrV4::new(Ipv4Addr::new(127, 77, 0, 1), 9);
        ours.send_to(b"hello", nobody).await.unwrap();
        let patience = std::time::Duration::from_secs(60);
        tokio::time::timeout(patience, has_error(&ours)).await.unwrap();
        assert_eq!(next_error(&ours), Some((nobody, Some(Unreachable::Port))));
        assert_eq!(next_error(&ours), None);
        // It is told once: nothing wakes us until there is another one.
        let moment = std::time::Duration::from_millis(20);
        assert!(tokio::time::timeout(moment, has_error(&ours)).await.is_err());
        ours.send_to(b"hello", nobody).await.unwrap();
        tokio::time::timeout(patience, has_error(&ours)).await.unwrap();
        assert_eq!(next_error(&ours).map(|(to, _)| to), Some(nobody));
    }

    #[test]
    fn codes_have_a_meaning() {
        assert_eq!(meaning(2, 3, 0), Some(Unreachable::Network));
        assert_eq!(meaning(2, 3, 12), Some(Unreachable::Host));
        assert_eq!(meaning(2, 3, 4), None);
        assert_eq!(meaning(2, 11, 0), Some(Unreachable::Other));
        assert_eq!(meaning(1, 3, 3), None, "the system itself said so");
    }
}
