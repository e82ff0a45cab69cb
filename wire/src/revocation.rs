//! Registration revocation (RFC 3543).

use std::net::Ipv4Addr;

use crate::ParseError;
use crate::cursor::Cursor;
use crate::extension::{Extension, extension_type};

/// The fixed part of a Registration Revocation (§3.3).
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +---------------+---------------+---+---------------------------+
/// |   Type = 7    |   Reserved    |A|I|          Reserved         |
/// +---------------+---------------+---+---------------------------+
/// |                          Home Address                         |
/// |                       Home Domain Address                     |
/// |                     Foreign Domain Address                    |
/// |                      Revocation Identifier                    |
/// +---------------------------------------------------------------+
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RegistrationRevocation {
    pub reserved: u8,
    /// The bits `A` and `I`; the others as they arrived.
    pub flags: u16,
    pub home_address: Ipv4Addr,
    /// The home agent's address.
    pub home_domain_address: Ipv4Addr,
    /// The foreign agent's address, or the co-located care-of address.
    pub foreign_domain_address: Ipv4Addr,
    /// A timestamp of the clock that also stamps [`RevocationSupport`] (§3.5).
    pub identifier: u32,
}

impl RegistrationRevocation {
    pub const TYPE: u8 = 7;
    pub const LEN: usize = 20;
    /// `A`: set by who serves the binding as a home agent.
    pub const FROM_HOME_AGENT: u16 = 0x8000;
    /// `I`: the second bit here, the first one in [`RegistrationRevocationAcknowledgment`].
    pub const INFORM: u16 = 0x4000;

    /// Parses the fixed part; returns it with the octets of the extensions.
    pub fn parse(octets: &[u8]) -> Result<(Self, &[u8]), ParseError> {
        let mut cursor = Cursor::new(octets);
        cursor.message_type(Self::TYPE)?;
        let revocation = Self {
            reserved: cursor.u8()?,
            flags: cursor.u16()?,
            home_address: cursor.address()?,
            home_domain_address: cursor.address()?,
            foreign_domain_address: cursor.address()?,
            identifier: cursor.u32()?,
        };
        Ok((revocation, cursor.rest()))
    }

    /// Appends the fixed part, [`Self::LEN`] octets, to `out`.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend([Self::TYPE, self.reserved]);
        out.extend(self.flags.to_be_bytes());
        out.extend(self.home_address.octets());
        out.extend(self.home_domain_address.octets());
        out.extend(self.foreign_domain_address.octets());
        out.extend(self.identifier.to_be_bytes());
    }

    /// Whether the sender serves the binding as a home agent (`A`); guards against reflection (§3.5).
    pub const fn is_from_home_agent(&self) -> bool {
        self.flags & Self::FROM_HOME_AGENT != 0
    }

    /// The `I` bit.
    pub const fn informs(&self) -> bool {
        self.flags & Self::INFORM != 0
    }
}

/// The fixed part of a Registration Revocation Acknowledgment (§3.4).
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +---------------+---------------+-+-----------------------------+
/// |   Type = 15   |   Reserved    |I|           Reserved          |
/// +---------------+---------------+-+-----------------------------+
/// |                          Home Address                         |
/// |                      Revocation Identifier                    |
/// +---------------------------------------------------------------+
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RegistrationRevocationAcknowledgment {
    pub reserved: u8,
    /// The bit `I`; the others as they arrived.
    pub flags: u16,
    pub home_address: Ipv4Addr,
    /// That of the revocation it answers.
    pub identifier: u32,
}

impl RegistrationRevocationAcknowledgment {
    pub const TYPE: u8 = 15;
    pub const LEN: usize = 12;
    /// `I`: the first bit here, the second one in [`RegistrationRevocation`].
    pub const INFORM: u16 = 0x8000;

    /// Parses the fixed part; returns it with the octets of the extensions.
    pub fn parse(octets: &[u8]) -> Result<(Self, &[u8]), ParseError> {
        let mut cursor = Cursor::new(octets);
        cursor.message_type(Self::TYPE)?;
        let acknowledgment = Self {
            reserved: cursor.u8()?,
            flags: cursor.u16()?,
            home_address: cursor.address()?,
            identifier: cursor.u32()?,
        };
        Ok((acknowledgment, cursor.rest()))
    }

    /// Appends the fixed part, [`Self::LEN`] octets, to `out`.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend([Self::TYPE, self.reserved]);
        out.extend(self.flags.to_be_bytes());
        out.extend(self.home_address.octets());
        out.extend(self.identifier.to_be_bytes());
    }

    /// The `I` bit.
    pub const fn informs(&self) -> bool {
        self.flags & Self::INFORM != 0
    }
}

/// The Revocation Support Extension (137, §3.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RevocationSupport {
    /// The bit `I`; the others as they arrived.
    pub flags: u16,
    pub timestamp: u32,
}

impl RevocationSupport {
    /// `I`: willing to use the Inform bit of revocations.
    pub const INFORM: u16 = 0x8000;

    /// Reads the extension; it may grow in the future, so what follows is ignored (§3.2).
    pub fn parse(extension: &Extension<'_>) -> Result<Self, ParseError> {
        extension.expect(extension_type::REVOCATION_SUPPORT)?;
        let mut cursor = Cursor::new(extension.body);
        match (cursor.u16(), cursor.u32()) {
            (Ok(flags), Ok(timestamp)) => Ok(Self { flags, timestamp }),
            _ => Err(extension.length_error()),
        }
    }

    /// Appends the extension.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend([extension_type::REVOCATION_SUPPORT, 6]);
        out.extend(self.flags.to_be_bytes());
        out.extend(self.timestamp.to_be_bytes());
    }

    /// The `I` bit.
    pub const fn informs(&self) -> bool {
        self.flags & Self::INFORM != 0
    }
}

#[cfg(test)]
mod tests;
