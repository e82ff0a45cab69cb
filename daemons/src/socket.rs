//! UDP sockets.

use std::io;
use std::net::SocketAddr;

use anyhow::Context as _;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tracing::warn;

/// Room for a burst of some 5,000 requests; the kernel counts its own overhead in it.
const RECEIVE_BUFFER: usize = 4 << 20;

/// The largest datagram that UDP can carry.
pub(crate) const DATAGRAM_MAX: usize = 65_535;

/// How many datagrams are taken before anything else gets its turn.
pub(crate) const DATAGRAMS_A_TURN: usize = 64;

/// Binds `address` with a large receive buffer.
pub(crate) fn bind_udp(address: SocketAddr) -> anyhow::Result<std::net::UdpSocket> {
    bind(address).with_context(|| format!("failed to bind `udp:{address}`"))
}

fn bind(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    enlarge(&socket);
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Beyond the limit of the system where that is permitted, up to it otherwise.
fn enlarge(socket: &Socket) {
    if rustix::net::sockopt::set_socket_recv_buffer_size_force(socket, RECEIVE_BUFFER).is_ok() {
        return;
    }
    let granted = socket
        .set_recv_buffer_size(RECEIVE_BUFFER)
        .and_then(|()| socket.recv_buffer_size())
        .unwrap_or_default();
    if granted < RECEIVE_BUFFER {
        warn!(
            octets = granted,
            "a small receive buffer: bursts may be lost; `sysctl net.core.rmem_max={RECEIVE_BUFFER}` lets it grow"
        );
    }
}

/// Hands the socket to the runtime that is current.
pub(crate) fn into_tokio(socket: std::net::UdpSocket) -> anyhow::Result<UdpSocket> {
    UdpSocket::from_std(socket).context("failed to register a socket with the reactor")
}
