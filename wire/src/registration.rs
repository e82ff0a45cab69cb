//! Registration messages (RFC 5944 §3.3 and §3.4).

use std::net::Ipv4Addr;

use crate::cursor::Cursor;
use crate::{Code, Flags, Identification, Lifetime, ParseError};

/// The fixed part of a Registration Request (§3.3).
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +---------------+---------------+-------------------------------+
/// |   Type = 1    |S|B|D|M|G|r|T|x|           Lifetime            |
/// +---------------+---------------+-------------------------------+
/// |                         Home Address                          |
/// |                          Home Agent                           |
/// |                        Care-of Address                        |
/// |                    Identification (64 bits)                   |
/// +---------------------------------------------------------------+
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RegistrationRequest {
    pub flags: Flags,
    /// Zero asks for deregistration.
    pub lifetime: Lifetime,
    /// Zero with an NAI asks for an address (RFC 2794 §2).
    pub home_address: Ipv4Addr,
    /// Zero or all ones asks for any home agent (RFC 4433 §2).
    pub home_agent: Ipv4Addr,
    pub care_of_address: Ipv4Addr,
    pub identification: Identification,
}

impl RegistrationRequest {
    pub const TYPE: u8 = 1;
    pub const LEN: usize = 24;

    /// Parses the fixed part; returns it with the octets of the extensions.
    pub fn parse(octets: &[u8]) -> Result<(Self, &[u8]), ParseError> {
        Self::parse_as(Self::TYPE, octets)
    }

    /// Appends the fixed part, [`Self::LEN`] octets, to `out`.
    pub fn emit(&self, out: &mut Vec<u8>) {
        self.emit_as(Self::TYPE, out);
    }

    /// Parses the same layout under another message type.
    pub(crate) fn parse_as(kind: u8, octets: &[u8]) -> Result<(Self, &[u8]), ParseError> {
        let mut cursor = Cursor::new(octets);
        cursor.message_type(kind)?;
        let request = Self {
            flags: Flags(cursor.u8()?),
            lifetime: Lifetime(cursor.u16()?),
            home_address: cursor.address()?,
            home_agent: cursor.address()?,
            care_of_address: cursor.address()?,
            identification: Identification(cursor.u64()?),
        };
        Ok((request, cursor.rest()))
    }

    pub(crate) fn emit_as(&self, kind: u8, out: &mut Vec<u8>) {
        out.extend([kind, self.flags.0]);
        out.extend(self.lifetime.0.to_be_bytes());
        out.extend(self.home_address.octets());
        out.extend(self.home_agent.octets());
        out.extend(self.care_of_address.octets());
        out.extend(self.identification.0.to_be_bytes());
    }
}

/// The fixed part of a Registration Reply (§3.4).
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +---------------+---------------+-------------------------------+
/// |   Type = 3    |     Code      |           Lifetime            |
/// +---------------+---------------+-------------------------------+
/// |                         Home Address                          |
/// |                          Home Agent                           |
/// |                    Identification (64 bits)                   |
/// +---------------------------------------------------------------+
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RegistrationReply {
    pub code: Code,
    pub lifetime: Lifetime,
    pub home_address: Ipv4Addr,
    pub home_agent: Ipv4Addr,
    pub identification: Identification,
}

impl RegistrationReply {
    pub const TYPE: u8 = 3;
    pub const LEN: usize = 20;

    /// Parses the fixed part; returns it with the octets of the extensions.
    pub fn parse(octets: &[u8]) -> Result<(Self, &[u8]), ParseError> {
        Self::parse_as(Self::TYPE, octets)
    }

    /// Appends the fixed part, [`Self::LEN`] octets, to `out`.
    pub fn emit(&self, out: &mut Vec<u8>) {
        self.emit_as(Self::TYPE, out);
    }

    /// Parses the same layout under another message type.
    pub(crate) fn parse_as(kind: u8, octets: &[u8]) -> Result<(Self, &[u8]), ParseError> {
        let mut cursor = Cursor::new(octets);
        cursor.message_type(kind)?;
        let reply = Self {
            code: Code(cursor.u8()?),
            lifetime: Lifetime(cursor.u16()?),
            home_address: cursor.address()?,
            home_agent: cursor.address()?,
            identification: Identification(cursor.u64()?),
        };
        Ok((reply, cursor.rest()))
    }

    pub(crate) fn emit_as(&self, kind: u8, out: &mut Vec<u8>) {
        out.extend([kind, self.code.0]);
        out.extend(self.lifetime.0.to_be_bytes());
        out.extend(self.home_address.octets());
        out.extend(self.home_agent.octets());
        out.extend(self.identification.0.to_be_bytes());
    }
}

#[cfg(test)]
mod tests;
