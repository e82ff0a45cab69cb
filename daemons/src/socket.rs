//! UDP sockets, and those of SNMP.

pub(crate) mod datagram;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use anyhow::{Context as _, bail};
use rustix::net::{SendFlags, sendto};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use store::Role;
use tokio::net::UdpSocket;
use tracing::warn;

use crate::config::Listen;
use crate::datagram::{Arrived, has_error};
use crate::link::interface::Interface;
use crate::port::{Inbox, Pump, SharedPort};
use crate::privilege;

/// Room for a burst of some 5,000 requests; the kernel counts its own overhead in it.
const RECEIVE_BUFFER: usize = 4 << 20;

/// The largest datagram that UDP can carry.
pub(crate) const DATAGRAM_MAX: usize = 65_535;

/// How many datagrams are taken before anything else gets its turn.
pub(crate) const DATAGRAMS_A_TURN: usize = 64;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 64;

/// A socket that SNMP is served on.
#[derive(Debug)]
pub(crate) enum SnmpSocket {
    Udp(std::net::UdpSocket),
    Tcp(std::net::TcpListener),
}

impl SnmpSocket {
    /// Binds what `listen` says.
    pub(crate) fn bind(listen: Listen) -> anyhow::Result<Self> {
        match listen {
            Listen::Udp(address) => bind_udp(address).map(Self::Udp),
            Listen::Tcp(address) => bind_tcp(address)
                .map(Self::Tcp)
                .with_context(|| format!("failed to bind `tcp:{address}`")),
        }
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of the last run may linger.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Binds `address` with a large receive buffer.
pub(crate) fn bind_udp(address: SocketAddr) -> anyhow::Result<std::net::UdpSocket> {
    bind(address).with_context(|| format!("failed to bind `udp:{address}`"))
}

/// Binds `address` for what comes to and goes out of `interface` alone, or beside sockets that do.
///
/// The port can be shared until its owner forbids that.
pub(crate) fn bind_on(
    address: SocketAddrV4,
    interface: Option<&Interface>,
) -> anyhow::Result<std::net::UdpSocket> {
    let bound = || {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        socket.set_reuse_address(true)?;
        socket.set_broadcast(true)?;
        enlarge(&socket);
        if let Some(interface) = interface {
            socket.bind_device(Some(interface.name.as_bytes()))?;
            // RFC 3024 §3.4: who is on the link shows it by this.
            socket.set_ttl_v4(255)?;
            if address.ip().is_multicast() {
                let index = InterfaceIndexOrAddress::Index(interface.index);
                socket.join_multicast_v4_n(address.ip(), &index)?;
            }
        }
        socket.bind(&SocketAddr::V4(address).into())?;
        io::Result::Ok(socket.into())
    };
    let on = interface.map_or_else(String::new, |interface| format!(" on `{}`", interface.name));
    bound().with_context(|| format!("failed to bind `udp:{address}`{on}"))
}

fn bind(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_broadcast(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    enlarge(&socket);
    if address.is_ipv4() {
        // RFC 3024 §3.4: who wants a reverse tunnel shows by it that it is on the link.
        socket.set_ttl_v4(255)?;
    }
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

/// A socket that is bound, to an interface as well or not.
pub(crate) struct BoundSocket {
    pub(crate) socket: std::net::UdpSocket,
    /// The index of the interface.
    pub(crate) interface: Option<u32>,
}

/// Sockets of one role, each bound to an address of its own, or to one that two roles share.
pub(crate) struct Sockets {
    served: Vec<Served>,
    /// Whose they are, if some are shared.
    port: Option<(Role, Arc<SharedPort>)>,
}

struct Served {
    local: SocketAddrV4,
    socket: Arc<UdpSocket>,
    interface: Option<u32>,
    /// What arrives for this role, if another one has the socket as well.
    inbox: Option<Arc<Inbox>>,
}

impl Served {
    fn new(BoundSocket { socket, interface }: BoundSocket) -> anyhow::Result<Self> {
        match socket.local_addr().context("a socket without an address")? {
            SocketAddr::V4(local) => {
                let socket = Arc::new(into_tokio(socket)?);
                Ok(Self { local, socket, interface, inbox: None })
            }
            SocketAddr::V6(local) => bail!("Mobile IPv4 is not served at {local}"),
        }
    }

    /// The same socket for another role.
    fn of(&self, inbox: Arc<Inbox>) -> Self {
        Self {
            local: self.local,
            socket: Arc::clone(&self.socket),
            interface: self.interface,
            inbox: Some(inbox),
        }
    }

    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        match &self.inbox {
            Some(inbox) => inbox.poll_ready(context),
            None => self.socket.poll_recv_ready(context).map(|_| ()),
        }
    }
}

/// Waits for the ICMP errors of the sockets of a role.
pub(crate) struct Errors(Vec<(Arc<UdpSocket>, Waiting)>);

type Waiting = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Errors {
    /// The index of a socket that has some; it is said again until all of them are taken.
    pub(crate) async fn next(&mut self) -> usize {
        std::future::poll_fn(|context| {
            for (index, (socket, waiting)) in self.0.iter_mut().enumerate() {
                if waiting.as_mut().poll(context).is_ready() {
                    *waiting = wait_for_error(socket);
                    return Poll::Ready(index);
                }
            }
            Poll::Pending
        })
        .await
    }
}

fn wait_for_error(socket: &Arc<UdpSocket>) -> Waiting {
    let socket = Arc::clone(socket);
    Box::pin(async move { has_error(&socket).await })
}

impl Sockets {
    /// Takes bound sockets, at least one, to the runtime that is current.
    pub(crate) fn new(bound: Vec<BoundSocket>) -> anyhow::Result<Self> {
        let served = bound.into_iter().map(Served::new).collect::<Result<_, _>>()?;
        Ok(Self { served, port: None })
    }

    /// Gives a home agent those of a foreign agent's sockets that are at its address.
    ///
    /// Returns the sockets of both and what hands out the datagrams of those that are shared.
    pub(crate) fn share(
        home_agent: Vec<BoundSocket>,
        foreign_agent: Vec<BoundSocket>,
        address: SocketAddrV4,
        port: &Arc<SharedPort>,
    ) -> anyhow::Result<(Self, Self, Vec<Pump>)> {
        let mut home = Self { served: Vec::new(), port: Some((Role::HomeAgent, Arc::clone(port))) };
        let mut foreign = Self::new(foreign_agent)?;
        foreign.port = Some((Role::ForeignAgent, Arc::clone(port)));
        let mut pumps = Vec::new();
        for served in foreign.served.iter_mut().filter(|served| served.local == address) {
            let [ours, theirs] = [Arc::default(), Arc::default()];
            pumps.push(Pump {
                port: Arc::clone(port),
                local: served.local,
                socket: Arc::clone(&served.socket),
                home_agent: Arc::clone(&ours),
                foreign_agent: Arc::clone(&theirs),
            });
            home.served.push(served.of(ours));
            served.inbox = Some(theirs);
        }
        home.served.extend(Self::new(home_agent)?.served);
        Ok((home, foreign, pumps))
    }

    pub(crate) fn len(&self) -> usize {
        self.served.len()
    }

    /// Serves `address` too, at the port of the first one; `false` if it is served already.
    pub(crate) fn add(&mut self, address: Ipv4Addr) -> anyhow::Result<bool> {
        if self.from(address).is_some() {
            return Ok(false);
        }
        let local = SocketAddrV4::new(address, self.first().port());
        let bound = privilege::with_low_ports(|| bind_udp(SocketAddr::V4(local)));
        self.served.push(Served::new(BoundSocket { socket: bound?, interface: None })?);
        Ok(true)
    }

    /// The address of the first one.
    pub(crate) fn first(&self) -> SocketAddrV4 {
        let unspecified = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
        self.served.first().map_or(unspecified, |served| served.local)
    }

    /// The address and the socket with that index.
    pub(crate) fn get(&self, index: usize) -> Option<(SocketAddrV4, &UdpSocket)> {
        self.served.get(index).map(|served| (served.local, &*served.socket))
    }

    /// The index of the interface that a socket is bound to.
    pub(crate) fn interface(&self, index: usize) -> Option<u32> {
        self.served.get(index)?.interface
    }

    /// Sends to a neighbour on a link, whatever the routes say of its address.
    pub(crate) fn send_on_link(
        &self,
        interface: u32,
        to: SocketAddrV4,
        octets: &[u8],
    ) -> io::Result<()> {
        let found = self.served.iter().find(|served| served.interface == Some(interface));
        let served = found.ok_or(io::ErrorKind::AddrNotAvailable)?;
        sendto(&*served.socket, octets, SendFlags::DONTROUTE, &to)?;
        Ok(())
    }

    /// The socket that sends from `address`.
    pub(crate) fn from(&self, address: Ipv4Addr) -> Option<&UdpSocket> {
        let found = self.served.iter().find(|served| *served.local.ip() == address);
        found.map(|served| &*served.socket)
    }

    /// Waits for their ICMP errors, where they were asked for.
    pub(crate) fn errors(&self) -> Errors {
        let waiting =
            |served: &Served| (Arc::clone(&served.socket), wait_for_error(&served.socket));
        Errors(self.served.iter().map(waiting).collect())
    }

    /// The next datagram of a socket, or an error if there is none; `plainly` takes it where no
    /// other role has the socket.
    pub(crate) fn receive(
        &self,
        index: usize,
        buffer: &mut [u8],
        plainly: impl FnOnce(&UdpSocket, &mut [u8]) -> io::Result<Arrived>,
    ) -> io::Result<Arrived> {
        let served = self.served.get(index).ok_or(io::ErrorKind::NotConnected)?;
        match &served.inbox {
            Some(inbox) => inbox.receive(buffer),
            None => plainly(&served.socket, buffer),
        }
    }

    /// To be told before something is sent: its answer may come to a socket that is shared.
    pub(crate) fn about_to_send(&self, octets: &[u8]) {
        if let Some((role, port)) = &self.port {
            port.note_sent(*role, octets);
        }
    }

    /// How many datagrams were too many for this role since this was asked last.
    pub(crate) fn take_dropped(&self) -> u64 {
        let inboxes = self.served.iter().filter_map(|served| served.inbox.as_ref());
        inboxes.map(|inbox| inbox.take_dropped()).sum()
    }

    /// The index of a socket that has something to read.
    pub(crate) async fn readable(&self) -> usize {
        std::future::poll_fn(|context| self.poll_readable(context)).await
    }

    /// As [`Self::readable`], for who waits for other things as well.
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<usize> {
        for (index, served) in self.served.iter().enumerate() {
            if served.poll_readable(context).is_ready() {
                return Poll::Ready(index);
            }
        }
        Poll::Pending
    }
}
