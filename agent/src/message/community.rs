//! Community-based messages: SNMPv1 (RFC 1157 §4) and SNMPv2c (RFC 1901 §3).

use crate::ber::{Malformed, Reader};

/// The envelope of an SNMPv1 or SNMPv2c message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CommunityMessage<'a> {
    pub(crate) community: &'a [u8],
    /// The PDU as it arrived, identifier and length included.
    pub(crate) pdu: &'a [u8],
}

impl<'a> CommunityMessage<'a> {
    /// Opens the envelope. Octets after the message are ignored.
    pub(crate) fn parse(datagram: &'a [u8]) -> Result<Self, Malformed> {
        let mut message = Reader::new(datagram).sequence()?;
        message.integer32()?;
        let community = message.octet_string()?;
        let pdu = message.tlv()?.whole;
        message.end()?;
        Ok(Self { community, pdu })
    }
}
