//! ARP on behalf of mobile nodes (RFC 5944 §4.6, RFC 826).
//!
//! ```text
//!  0                   1                   2                   3
//! +-------------------------------+-------------------------------+
//! |      Hardware type = 1        |     Protocol type = 0x0800    |
//! +---------------+---------------+-------------------------------+
//! |  HW len = 6   | Proto len = 4 |           Operation           |
//! +---------------+---------------+-------------------------------+
//! |   Sender hardware address (6), sender protocol address (4),   |
//! |   target hardware address (6), target protocol address (4)    |
//! +---------------------------------------------------------------+
//! ```

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::IntoRawFd as _;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use anyhow::{Context as _, bail};
use pnet_datalink::{ChannelType, Config};
use socket2::{Domain, Protocol, Socket, Type};
use store::Time;
use tokio::net::UdpSocket;
use tracing::debug;

use super::interface::Interface;
use crate::socket::into_tokio;

const ETHERTYPE_ARP: u16 = 0x0806;
const ETHERTYPE_IPV4: u16 = 0x0800;
const BROADCAST: HardwareAddress = [0xff; 6];
const FRAME: usize = 14 + 28;

/// §4.6: a gratuitous ARP is sent a small number of times.
const REPEATS: u32 = 2;
const REPEAT_AFTER: Duration = Duration::from_secs(1);

/// How many home addresses may wait for their repetitions.
const REPEATS_MAX: usize = 4096;

type HardwareAddress = [u8; 6];

/// A socket for ARP that was opened while that was allowed.
pub(crate) struct BoundArp {
    socket: Socket,
    ours: HardwareAddress,
}

impl BoundArp {
    /// Opens a socket for the ARP of `interface`.
    pub(crate) fn open(interface: &Interface) -> anyhow::Result<Self> {
        let name = &interface.name;
        let Some(ours) = interface.listed.mac.map(|mac| mac.octets()) else {
            bail!("`{name}` has no hardware address");
        };
        let socket = Self::bind(interface);
        let socket =
            socket.with_context(|| format!("failed to open a socket for ARP on `{name}`"))?;
        Ok(Self { socket, ours })
    }

    fn bind(interface: &Interface) -> io::Result<Socket> {
        let protocol = Protocol::from(i32::from(ETHERTYPE_ARP.to_be()));
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(protocol))?;
        // The channel is opened for nothing but its `bind`, which outlives it: both descriptors are
        // of one socket.
        let config = Config {
            channel_type: ChannelType::Layer3(ETHERTYPE_ARP),
            promiscuous: false,
            socket_fd: Some(socket.try_clone()?.into_raw_fd()),
            ..Config::default()
        };
        drop(pnet_datalink::channel(&interface.listed, config)?);
        socket.set_nonblocking(true)?;
        Ok(socket)
    }

    /// Hands the socket to the runtime that is current.
    pub(crate) fn into_arp(self) -> anyhow::Result<Arp> {
        // A socket is a socket to the reactor.
        let socket = into_tokio(self.socket.into())?;
        Ok(Arp {
            socket,
            ours: self.ours,
            away: BTreeMap::new(),
            returned: BTreeMap::new(),
            own: None,
            repeats: Vec::new(),
        })
    }
}

/// Answers for mobile nodes that are away, and says where they are.
pub(crate) struct Arp {
    socket: UdpSocket,
    ours: HardwareAddress,
    /// The home addresses that are answered for, and the hardware address that was seen with them:
    /// that of the mobile node, once it is back.
    away: BTreeMap<Ipv4Addr, Option<HardwareAddress>>,
    /// Those of mobile nodes that were away until now.
    returned: BTreeMap<Ipv4Addr, HardwareAddress>,
    /// The address of a mobile node that is away itself, and who may ask for it, if not all.
    own: Option<(Ipv4Addr, Option<Ipv4Addr>)>,
    repeats: Vec<(Time, u32, Packet)>,
}

/// What was sent, for those who count it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Sent {
    pub(crate) gratuitous: u64,
    pub(crate) proxy: u64,
}

impl Arp {
    /// Says that our interface has `address`, as a mobile node does when it is back.
    pub(crate) fn gratuitous(&mut self, address: Ipv4Addr, now: Time) -> Sent {
        self.announce(address, self.ours, now)
    }

    /// Answers for `address` from here on.
    pub(crate) fn start(&mut self, address: Ipv4Addr) {
        self.returned.remove(&address);
        self.away.insert(address, None);
    }

    /// Answers for an address of our own in the kernel's place, to one asker if there is one: what
    /// a mobile node does that is away (§4.6).
    ///
    /// A reading: who has registered, or is about to, answers its foreign agent alone. Who still
    /// looks for one answers anybody, because the agent that it solicits asks before it advertises.
    pub(crate) fn answer_only(&mut self, own: Option<(Ipv4Addr, Option<Ipv4Addr>)>) {
        self.own = own;
    }

    /// Answers for `addresses` from here on, as in the last run.
    pub(crate) fn resume(&mut self, addresses: impl IntoIterator<Item = Ipv4Addr>) {
        self.away.extend(addresses.into_iter().map(|address| (address, None)));
    }

    /// Answers for `address` no more, and says no more that it is here.
    pub(crate) fn stop(&mut self, address: Ipv4Addr) {
        self.repeats.retain(|(.., packet)| packet.sender != address);
        if let Some(hardware) = self.away.remove(&address).flatten() {
            if self.returned.len() >= REPEATS_MAX {
                self.returned.pop_first();
            }
            self.returned.insert(address, hardware);
        }
    }

    /// Says that the mobile node has its `address` again, if its own hardware address was seen.
    pub(crate) fn announce_node(&mut self, address: Ipv4Addr, now: Time) -> Sent {
        match self.returned.remove(&address) {
            Some(hardware) => self.announce(address, hardware, now),
            None => Sent::default(),
        }
    }

    /// When to call [`Self::repeat`].
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.repeats.iter().map(|(at, ..)| *at).min()
    }

    /// Sends again what is due.
    pub(crate) fn repeat(&mut self, now: Time) -> Sent {
        let mut sent = Sent::default();
        for (at, left, packet) in std::mem::take(&mut self.repeats) {
            if at > now {
                self.repeats.push((at, left, packet));
                continue;
            }
            sent.gratuitous += u64::from(self.send(&packet));
            if left > 1 {
                self.repeats.push((now + REPEAT_AFTER, left - 1, packet));
            }
        }
        sent
    }

    /// Answers what is asked; returns once something was.
    pub(crate) fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<Sent> {
        let mut frame = [0; FRAME];
        for _ in 0..64 {
            if ready!(self.socket.poll_recv_ready(context)).is_err() {
                return Poll::Pending;
            }
            let Ok(length) = self.socket.try_recv(&mut frame) else { continue };
            if let Some(answer) =
                frame.get(..length).and_then(Packet::parse).and_then(|it| self.answer(&it))
                && self.send(&answer)
            {
                return Poll::Ready(Sent { proxy: 1, ..Sent::default() });
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// The reply on behalf of a mobile node, if one is due (§4.6).
    fn answer(&mut self, packet: &Packet) -> Option<Packet> {
        if let Some(seen) = self.away.get_mut(&packet.sender)
            && packet.sender_hardware != self.ours
        {
            // The mobile node itself: it is back, and will deregister.
            *seen = Some(packet.sender_hardware);
            return None;
        }
        let asks_for_other = packet.operation == Operation::Request
            && packet.sender != packet.target
            && self.away.contains_key(&packet.target);
        let asks_for_own = packet.operation == Operation::Request
            && packet.sender != packet.target
            && self.own.is_some_and(|(own, asker)| {
                own == packet.target && asker.is_none_or(|asker| asker == packet.sender)
            });
        (asks_for_other || asks_for_own).then_some(Packet {
            operation: Operation::Reply,
            sender_hardware: self.ours,
            sender: packet.target,
            target_hardware: packet.sender_hardware,
            target: packet.sender,
        })
    }

    fn announce(&mut self, address: Ipv4Addr, hardware: HardwareAddress, now: Time) -> Sent {
        let packet = Packet {
            operation: Operation::Request,
            sender_hardware: hardware,
            sender: address,
            target_hardware: BROADCAST,
            target: address,
        };
        if self.repeats.len() < REPEATS_MAX {
            self.repeats.push((now + REPEAT_AFTER, REPEATS, packet.clone()));
        }
        Sent { gratuitous: u64::from(self.send(&packet)), proxy: 0 }
    }

    fn send(&self, packet: &Packet) -> bool {
        let sent = self.socket.try_send(&packet.emit(self.ours));
        if let Err(error) = &sent {
            debug!(address = %packet.sender, %error, "failed to send ARP");
        }
        sent.is_ok()
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Operation {
    Request,
    Reply,
}

/// An ARP packet for IPv4 on Ethernet.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Packet {
    operation: Operation,
    sender_hardware: HardwareAddress,
    sender: Ipv4Addr,
    target_hardware: HardwareAddress,
    target: Ipv4Addr,
}

impl Packet {
    /// The packet of an Ethernet frame; `None` if it is of another kind.
    fn parse(frame: &[u8]) -> Option<Self> {
        let (head, rest) = frame.split_first_chunk::<14>()?;
        let [.., kind_high, kind_low] = *head;
        let (fixed, rest) = rest.split_first_chunk::<8>()?;
        let (sender_hardware, rest) = rest.split_first_chunk::<6>()?;
        let (sender, rest) = rest.split_first_chunk::<4>()?;
        let (target_hardware, rest) = rest.split_first_chunk::<6>()?;
        let target = rest.first_chunk::<4>()?;
        let operation = match *fixed {
            [0, 1, 8, 0, 6, 4, 0, 1] => Operation::Request,
            [0, 1, 8, 0, 6, 4, 0, 2] => Operation::Reply,
            _ => return None,
        };
        (u16::from_be_bytes([kind_high, kind_low]) == ETHERTYPE_ARP).then(|| Self {
            operation,
            sender_hardware: *sender_hardware,
            sender: Ipv4Addr::from(*sender),
            target_hardware: *target_hardware,
            target: Ipv4Addr::from(*target),
        })
    }

    /// The Ethernet frame, from the interface with the address `from`.
    fn emit(&self, from: HardwareAddress) -> Vec<u8> {
        let operation: u16 = match self.operation {
            Operation::Request => 1,
            Operation::Reply => 2,
        };
        let mut frame = Vec::with_capacity(FRAME);
        frame.extend(self.target_hardware);
        frame.extend(from);
        frame.extend(ETHERTYPE_ARP.to_be_bytes());
        frame.extend([0, 1]);
        frame.extend(ETHERTYPE_IPV4.to_be_bytes());
        frame.extend([6, 4]);
        frame.extend(operation.to_be_bytes());
        frame.extend(self.sender_hardware);
        frame.extend(self.sender.octets());
        frame.extend(self.target_hardware);
        frame.extend(self.target.octets());
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_parses_from_its_frame() {
        let packet = Packet {
            operation: Operation::Reply,
            sender_hardware: [2, 0, 0, 0, 0, 1],
            sender: Ipv4Addr::new(10, 0, 0, 7),
            target_hardware: [2, 0, 0, 0, 0, 2],
            target: Ipv4Addr::new(10, 0, 0, 9),
        };
        let frame = packet.emit([2, 0, 0, 0, 0, 1]);
        assert_eq!(frame.len(), FRAME);
        assert_eq!(Packet::parse(&frame), Some(packet));
        for length in 0..FRAME {
            assert_eq!(Packet::parse(&frame[..length]), None);
        }
        for at in [12, 15, 16, 18, 19, 21] {
            let mut other = frame.clone();
            other[at] ^= 0x40;
            assert_eq!(Packet::parse(&other), None, "octet {at}");
        }
    }
}
