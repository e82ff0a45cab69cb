//! The header of every PDU (RFC 2741 §6.1).

use super::ParseError;
use super::reader::Reader;
use super::writer::Writer;

/// The order of the octets of an integer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ByteOrder {
    /// Most significant octet first.
    Network,
    /// Least significant octet first.
    Little,
}

/// `h.flags`
pub(super) mod flag {
    pub(in crate::agentx) const INSTANCE_REGISTRATION: u8 = 1 << 0;
    pub(in crate::agentx) const NEW_INDEX: u8 = 1 << 1;
    pub(in crate::agentx) const ANY_INDEX: u8 = 1 << 2;
    pub(in crate::agentx) const NON_DEFAULT_CONTEXT: u8 = 1 << 3;
    pub(in crate::agentx) const NETWORK_BYTE_ORDER: u8 = 1 << 4;
}

/// What correlates a PDU with others, and says in which order its octets are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ids {
    pub order: ByteOrder,
    pub session: u32,
    pub transaction: u32,
    pub packet: u32,
}

/// The header as it arrived.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +---------------+---------------+---------------+---------------+
/// |  version = 1  |     type      |     flags     |   reserved    |
/// +---------------+---------------+---------------+---------------+
/// |                           session ID                          |
/// |                         transaction ID                        |
/// |                           packet ID                           |
/// |                         payload length                        |
/// +---------------------------------------------------------------+
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header {
    pub kind: u8,
    pub flags: u8,
    pub ids: Ids,
    /// How many octets follow; a multiple of four, at most [`Self::PAYLOAD_MAX`].
    pub payload_length: usize,
}

impl Header {
    pub const LEN: usize = 20;

    /// What a GET that fills the largest datagram can become, and more than a response needs.
    pub const PAYLOAD_MAX: usize = 1 << 20;

    const VERSION: u8 = 1;

    /// Parses the header in front of `octets`.
    ///
    /// After an error, it is not known where the next PDU starts.
    pub fn parse(octets: &[u8]) -> Result<Self, ParseError> {
        let [version, kind, flags, _reserved] =
            *octets.first_chunk().ok_or(ParseError::Truncated)?;
        if version != Self::VERSION {
            return Err(ParseError::Version(version));
        }
        let order = match flags & flag::NETWORK_BYTE_ORDER {
            0 => ByteOrder::Little,
            _ => ByteOrder::Network,
        };
        let mut reader = Reader::new(octets.get(4..).unwrap_or_default(), order);
        let (session, transaction) = (reader.u32()?, reader.u32()?);
        let (packet, length) = (reader.u32()?, reader.u32()?);
        let payload_length = usize::try_from(length)
            .ok()
            .filter(|length| length.is_multiple_of(4) && *length <= Self::PAYLOAD_MAX)
            .ok_or(ParseError::PayloadLength(length))?;
        let ids = Ids { order, session, transaction, packet };
        Ok(Self { kind, flags, ids, payload_length })
    }

    /// Appends the header of a PDU whose payload length is not known yet; returns where it starts.
    pub(super) fn emit(kind: u8, flags: u8, ids: Ids, out: &mut Vec<u8>) -> usize {
        let start = out.len();
        let order = match ids.order {
            ByteOrder::Network => flag::NETWORK_BYTE_ORDER,
            ByteOrder::Little => 0,
        };
        let mut writer = Writer::new(out, ids.order);
        writer.raw(&[Self::VERSION, kind, flags | order, 0]);
        writer.u32(ids.session);
        writer.u32(ids.transaction);
        writer.u32(ids.packet);
        writer.u32(0);
        start
    }

    /// Completes the header at `start` once its payload is appended.
    pub(super) fn finish(start: usize, order: ByteOrder, out: &mut [u8]) {
        let length = out.len().saturating_sub(start + Self::LEN);
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let octets = match order {
            ByteOrder::Network => length.to_be_bytes(),
            ByteOrder::Little => length.to_le_bytes(),
        };
        let place = out.get_mut(start + Self::LEN - 4..).and_then(|rest| rest.first_chunk_mut());
        if let Some(place) = place {
            *place = octets;
        }
    }
}
