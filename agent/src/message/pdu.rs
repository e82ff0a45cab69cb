//! PDUs (RFC 3416 §3).

use std::borrow::Cow;

use rasn_snmp::v2::{VarBind, VarBindList};

use super::mend::mend;
use crate::ber::{Malformed, Reader};

/// The type of a PDU, by its tag.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PduType {
    Get,
    GetNext,
    Response,
    Set,
    /// The Trap-PDU of SNMPv1, whose fields are others (RFC 1157 §4.1.6).
    TrapV1,
    GetBulk,
    Inform,
    Trap,
    Report,
}

impl PduType {
    pub(crate) fn from_tag(tag: u8) -> Result<Self, Malformed> {
        Ok(match tag {
            0xa0 => Self::Get,
            0xa1 => Self::GetNext,
            0xa2 => Self::Response,
            0xa3 => Self::Set,
            0xa4 => Self::TrapV1,
            0xa5 => Self::GetBulk,
            0xa6 => Self::Inform,
            0xa7 => Self::Trap,
            0xa8 => Self::Report,
            _ => return Err(Malformed),
        })
    }

    pub(crate) const fn tag(self) -> u8 {
        match self {
            Self::Get => 0xa0,
            Self::GetNext => 0xa1,
            Self::Response => 0xa2,
            Self::Set => 0xa3,
            Self::TrapV1 => 0xa4,
            Self::GetBulk => 0xa5,
            Self::Inform => 0xa6,
            Self::Trap => 0xa7,
            Self::Report => 0xa8,
        }
    }

    /// The PDU type of the octets, without looking further.
    pub(crate) fn peek(pdu: &[u8]) -> Result<Self, Malformed> {
        pdu.first().ok_or(Malformed).and_then(|tag| Self::from_tag(*tag))
    }

    /// Whether an answer is expected: the Confirmed Class (RFC 3411 §2.8).
    pub(crate) const fn is_confirmed(self) -> bool {
        matches!(self, Self::Get | Self::GetNext | Self::Set | Self::GetBulk | Self::Inform)
    }
}

/// Any PDU but the Trap-PDU of SNMPv1.
#[derive(Debug)]
pub(crate) struct Pdu<'a> {
    pub(crate) kind: PduType,
    pub(crate) request_id: i32,
    /// `error-status`; in a `GetBulkRequest`, `non-repeaters`.
    pub(crate) status: i32,
    /// `error-index`; in a `GetBulkRequest`, `max-repetitions`.
    pub(crate) index: i32,
    pub(crate) variables: Vec<VarBind>,
    /// The list of variable bindings in BER, to be sent back with an error.
    pub(crate) list: Cow<'a, [u8]>,
}

impl<'a> Pdu<'a> {
    /// The type and the request-id, without looking further.
    pub(crate) fn peek(octets: &[u8]) -> Result<(PduType, i32), Malformed> {
        let tlv = Reader::new(octets).tlv()?;
        let kind = PduType::from_tag(tlv.tag)?;
        Ok((kind, Reader::of(tlv).integer32()?))
    }

    /// Parses one PDU. Its three integers are read here, signed: RFC 3416
    /// §4.2.3 says what to do with a negative `non-repeaters`, and
    /// `error-status` means nothing in a request.
    pub(crate) fn parse(octets: &'a [u8]) -> Result<Self, Malformed> {
        let tlv = Reader::new(octets).tlv()?;
        let kind = PduType::from_tag(tlv.tag)?;
        if kind == PduType::TrapV1 {
            return Err(Malformed);
        }
        let mut fields = Reader::new(tlv.content);
        let request_id = fields.integer32()?;
        let status = fields.integer32()?;
        let index = fields.integer32()?;
        let list = mend(fields.tlv()?)?;
        fields.end()?;
        let variables = rasn::ber::decode::<VarBindList>(&list).map_err(|_| Malformed)?;
        Ok(Self { kind, request_id, status, index, variables, list })
    }
}
