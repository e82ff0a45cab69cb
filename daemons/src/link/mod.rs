//! Links that agents advertise on, and that mobile nodes hear them on.
//!
//! Agent discovery is ICMP (RFC 5944 §2), so a link carries ICMP messages; what
//! IP says about them comes along. A link of the lab is simulated, because raw
//! sockets need privileges.

pub(crate) mod arp;
pub(crate) mod carrier;
pub(crate) mod interface;
pub(crate) mod mute;
pub(crate) mod raw;
pub(crate) mod simulated;

use std::net::Ipv4Addr;
use std::task::{Context, Poll};

use raw::RawLink;
use simulated::SimulatedLink;

/// An ICMP message with what its IP header said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Message {
    pub(crate) source: Ipv4Addr,
    pub(crate) destination: Ipv4Addr,
    /// From the Type octet on.
    pub(crate) octets: Vec<u8>,
}

/// A link, seen from who is on it.
pub(crate) enum Link {
    Raw(RawLink),
    Simulated(SimulatedLink),
}

impl Link {
    /// The index of the interface.
    pub(crate) fn interface(&self) -> u32 {
        match self {
            Self::Raw(link) => link.interface(),
            Self::Simulated(link) => link.interface(),
        }
    }

    /// The next message that came to the interface; never an error, a broken link is a silent one.
    pub(crate) fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Message> {
        match self {
            Self::Raw(link) => link.poll_receive(context),
            Self::Simulated(link) => link.poll_receive(context),
        }
    }

    /// Sends `message`; returns whether it left.
    pub(crate) fn send(&self, message: Message) -> bool {
        match self {
            Self::Raw(link) => link.send(&message),
            Self::Simulated(link) => link.send(message),
        }
    }
}
