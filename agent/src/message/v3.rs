//! SNMPv3 messages (RFC 3412 §6, RFC 3414 §2.4), by their TLVs as they arrived.
//!
//! Nothing is decoded and encoded again: the MAC covers the octets of the
//! sender, whose encoding need not be ours.

use std::ops::Range;

use crate::ber::{Malformed, Reader, tag};
use crate::security::SecurityLevel;

/// The smallest `msgMaxSize` that there may be (RFC 3412 §6).
const MAX_SIZE_MIN: i32 = 484;

/// An SNMPv3 message, not yet authentic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct V3Message<'a> {
    /// The message, without what may follow it in the datagram.
    pub(crate) whole: &'a [u8],
    pub(crate) id: i32,
    pub(crate) max_size: i32,
    pub(crate) flags: u8,
    pub(crate) security_model: i32,
    security_parameters: Reader<'a>,
    pub(crate) data: V3Data<'a>,
}

/// The payload of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum V3Data<'a> {
    /// A `ScopedPDU`.
    Plain(&'a [u8]),
    Encrypted(&'a [u8]),
}

impl<'a> V3Message<'a> {
    const REPORTABLE: u8 = 0x04;

    pub(crate) fn parse(datagram: &'a [u8]) -> Result<Self, Malformed> {
        let outer = Reader::new(datagram).expect(tag::SEQUENCE)?;
        let mut message = Reader::of(outer);
        message.integer32()?;
        let mut header = message.sequence()?;
        let id = header.integer32()?;
        let max_size = header.integer32()?;
        let &[flags] = header.octet_string()? else { return Err(Malformed) };
        let security_model = header.integer32()?;
        header.end()?;
        let security_parameters = Reader::of(message.expect(tag::OCTET_STRING)?);
        let data = message.tlv()?;
        let data = match data.tag {
            tag::SEQUENCE => V3Data::Plain(data.whole),
            tag::OCTET_STRING => V3Data::Encrypted(data.content),
            _ => return Err(Malformed),
        };
        message.end()?;
        if id < 0 || max_size < MAX_SIZE_MIN || security_model < 1 {
            return Err(Malformed);
        }
        let whole = outer.whole;
        Ok(Self { whole, id, max_size, flags, security_model, security_parameters, data })
    }

    /// What the flags ask for; `None` for privacy without authentication (RFC 3412 §7.2 step 5).
    pub(crate) fn level(&self) -> Option<SecurityLevel> {
        match self.flags & 0x03 {
            0x00 => Some(SecurityLevel::NoAuthNoPriv),
            0x01 => Some(SecurityLevel::AuthNoPriv),
            0x03 => Some(SecurityLevel::AuthPriv),
            _ => None,
        }
    }

    pub(crate) fn is_reportable(&self) -> bool {
        self.flags & Self::REPORTABLE != 0
    }

    /// The PDU of a message that is not encrypted.
    pub(crate) fn data_plain(&self) -> Option<&'a [u8]> {
        match self.data {
            V3Data::Plain(octets) => ScopedPdu::parse(octets).ok().map(|scoped| scoped.pdu),
            V3Data::Encrypted(_) => None,
        }
    }

    /// The parameters of the User-based Security Model.
    pub(crate) fn usm_parameters(&self) -> Result<UsmParameters<'a>, Malformed> {
        let mut outer = self.security_parameters;
        let mut fields = outer.sequence()?;
        outer.end()?;
        let engine_id = fields.octet_string()?;
        let engine_boots = fields.integer32()?;
        let engine_time = fields.integer32()?;
        let user_name = fields.octet_string()?;
        let mac = fields.expect(tag::OCTET_STRING)?;
        let privacy = fields.octet_string()?;
        fields.end()?;
        if engine_boots < 0 || engine_time < 0 || user_name.len() > 32 {
            return Err(Malformed);
        }
        let mac_place = mac.content_at..mac.content_at + mac.content.len();
        Ok(UsmParameters { engine_id, engine_boots, engine_time, user_name, mac_place, privacy })
    }
}

/// `UsmSecurityParameters` (RFC 3414 §2.4).
#[derive(Clone, Debug)]
pub(crate) struct UsmParameters<'a> {
    pub(crate) engine_id: &'a [u8],
    pub(crate) engine_boots: i32,
    pub(crate) engine_time: i32,
    pub(crate) user_name: &'a [u8],
    /// Where `msgAuthenticationParameters` is in the message.
    pub(crate) mac_place: Range<usize>,
    pub(crate) privacy: &'a [u8],
}

/// A `ScopedPDU` (RFC 3412 §6.8).
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScopedPdu<'a> {
    pub(crate) context_engine_id: &'a [u8],
    pub(crate) context_name: &'a [u8],
    pub(crate) pdu: &'a [u8],
}

impl<'a> ScopedPdu<'a> {
    /// Parses it; what follows is the padding of a cipher.
    pub(crate) fn parse(octets: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Reader::new(octets).sequence()?;
        let context_engine_id = fields.octet_string()?;
        let context_name = fields.octet_string()?;
        let pdu = fields.tlv()?.whole;
        fields.end()?;
        Ok(Self { context_engine_id, context_name, pdu })
    }
}
