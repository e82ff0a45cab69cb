//! What goes into a machine and what comes out of it.

use std::net::{Ipv4Addr, SocketAddrV4};

use store::{Batch, Binding};
use wire::{Code, Flags, Lifetime, Nai};

/// A datagram as it arrived.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    pub octets: &'a [u8],
    pub source: SocketAddrV4,
    /// Where it was sent to: an address of ours, or a broadcast address.
    pub local: SocketAddrV4,
    /// The IP time to live, if the driver can tell.
    pub ttl: Option<u8>,
    /// The index of the interface, if it came to a socket of that interface alone.
    pub interface: Option<u32>,
}

impl<'a> Received<'a> {
    pub const fn new(octets: &'a [u8], source: SocketAddrV4, local: SocketAddrV4) -> Self {
        Self { octets, source, local, ttl: None, interface: None }
    }
}

/// Names one [`Output`] whose batch is on its way to the store.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct CommitId(pub u64);

/// What a machine wants done.
///
/// An empty batch: do the actions at once. Otherwise commit it, tell the
/// machine that made it (`on_committed` or `on_commit_failed`), and do the
/// actions only if it was committed. Batches go to the store in the order in
/// which they were made; several may be on their way.
#[derive(Debug, Default)]
pub struct Output {
    pub id: CommitId,
    pub batch: Batch,
    pub actions: Vec<Action>,
}

impl Output {
    /// Actions that wait for nothing.
    pub(crate) fn at_once(actions: Vec<Action>) -> Self {
        Self { actions, ..Self::default() }
    }

    pub fn is_empty(&self) -> bool {
        self.batch.is_empty() && self.actions.is_empty()
    }
}

/// One thing for the driver to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Action {
    /// Sends a datagram.
    Send { from: SocketAddrV4, to: SocketAddrV4, octets: Vec<u8> },
    /// Sends a datagram to a neighbour on the link of an interface, whatever the routes say: its
    /// address need not be one of that network (RFC 5944 §3.6.1.1, §3.7.2.3).
    SendOnLink { interface: u32, from: SocketAddrV4, to: SocketAddrV4, octets: Vec<u8> },
    /// Sends an ICMP message on an interface, with a time to live of 1 (RFC 5944 §2.1, §2.2).
    SendIcmp { interface: u32, from: Ipv4Addr, to: Ipv4Addr, octets: Vec<u8> },
    /// Tells the nodes of the home link where a home address is to be found (RFC 5944 §4.6).
    Arp(Arp),
    /// Starts forwarding for a binding, or changes how it is done.
    StartService(Service),
    /// Stops forwarding for a binding.
    StopService(Service),
    /// Tells a mobile node that its binding is gone: an agent advertisement by unicast whose
    /// sequence number is 0 (RFC 3543 §4.1), from the interface that it is on.
    InformRevoked { home_address: Ipv4Addr, care_of_address: Ipv4Addr, to: Ipv4Addr },
    /// The mobile node is registered, or has renewed.
    Registered {
        home_address: Ipv4Addr,
        home_agent: Ipv4Addr,
        care_of_address: Ipv4Addr,
        lifetime: Lifetime,
        code: Code,
    },
    /// The mobile node has told the gateway of its region where it is; its home agent heard nothing
    /// of it (RFC 4857 §6).
    RegionallyRegistered {
        home_address: Ipv4Addr,
        gateway: Ipv4Addr,
        care_of_address: Ipv4Addr,
        lifetime: Lifetime,
    },
    /// A gateway did not answer the mobile node, or refused it: it does without for a while. All
    /// ones stands for those that regions assign.
    GatewayFailed { gateway: Ipv4Addr },
    /// The mobile node was refused; it tries again by itself unless it says [`Action::GaveUp`].
    Denied { code: Code },
    /// The mobile node has no registration any more, at its own wish.
    Deregistered { home_address: Ipv4Addr },
    /// The lifetime of the mobile node's registration ended before it could be renewed.
    Expired { home_address: Ipv4Addr },
    /// The home agent revoked the mobile node's registration.
    Revoked { home_address: Ipv4Addr },
    /// An agent has a text for the user of the mobile node (RFC 4917, RFC 6098).
    Message { from: Ipv4Addr, text: String },
    /// The mobile node asks another home agent, because the one that it had will shut down or
    /// sends it there; or it goes back to the one that it had.
    HomeAgentChanged { home_agent: Ipv4Addr },
    /// How a notification of the mobile node ended: with a Code, or without an answer.
    NotificationEnded { code: Option<Code> },
    /// Nobody answered as often as the mobile node was told to try.
    GaveUp,
}

/// What to do about ARP for a home address on the home link (RFC 5944 §4.6).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Arp {
    /// Broadcasts gratuitous ARP, a few times, with our own link-layer address.
    Announce {
        home_address: Ipv4Addr,
    },
    /// The same with the mobile node's own: it is back, and its home agent says so too.
    AnnounceNode {
        home_address: Ipv4Addr,
    },
    /// The home agent answers ARP requests for the node, with its own link-layer address.
    StartProxy {
        home_address: Ipv4Addr,
    },
    StopProxy {
        home_address: Ipv4Addr,
    },
    /// The mobile node is away: it answers no ARP request for its home address but a foreign
    /// agent's, and broadcasts none.
    Mute {
        home_address: Ipv4Addr,
    },
    /// It is at home and answers again.
    Unmute {
        home_address: Ipv4Addr,
    },
}

/// All that a tunnel to a care-of address needs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Service {
    pub home_agent: Ipv4Addr,
    pub home_address: Ipv4Addr,
    pub care_of_address: Ipv4Addr,
    pub nai: Option<Nai>,
    /// The foreign agent that decapsulates; `None` if the mobile node does it.
    pub foreign_agent: Option<Ipv4Addr>,
    /// The index of the interface that the mobile node is on, at the foreign agent that knows it.
    pub interface: Option<u32>,
    pub encapsulation: Encapsulation,
    pub reverse_tunnel: bool,
    pub broadcast_datagrams: bool,
    /// The `D` bit: who takes the outer header off (RFC 5944 §3.3).
    pub decapsulation_by_mobile_node: bool,
}

/// How datagrams are wrapped on their way to a care-of address (RFC 5944 §4.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Encapsulation {
    IpInIp,
    Minimal,
    Gre,
}

impl Encapsulation {
    /// What `flags` ask for, of what we have; GRE goes first when both are asked for.
    pub(crate) fn choose(flags: Flags, gre: bool, minimal: bool) -> Self {
        if flags.any(Flags::GRE) && gre {
            Self::Gre
        } else if flags.any(Flags::MINIMAL_ENCAPSULATION) && minimal {
            Self::Minimal
        } else {
            Self::IpInIp
        }
    }
}

impl Service {
    /// The service of a binding.
    pub(crate) fn new(binding: &Binding, encapsulation: Encapsulation) -> Self {
        Self {
            home_agent: binding.home_agent,
            home_address: binding.home_address,
            care_of_address: binding.care_of_address,
            nai: binding.nai.clone(),
            foreign_agent: binding.foreign_agent,
            interface: None,
            encapsulation,
            reverse_tunnel: binding.flags.any(Flags::REVERSE_TUNNEL),
            broadcast_datagrams: binding.flags.any(Flags::BROADCAST_DATAGRAMS),
            decapsulation_by_mobile_node: binding.flags.any(Flags::DECAPSULATION_BY_MOBILE_NODE),
        }
    }
}
