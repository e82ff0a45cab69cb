//! Messages and PDUs as they arrive (RFC 1157, 1901, 3412, 3416).
//!
//! `rasn-snmp` decodes the variable bindings. This layer in front of it reads
//! the headers, and mends what would otherwise lose messages that deployed
//! managers send, or accept what SNMP forbids.

mod community;
mod mend;
mod pdu;
mod v3;

pub(crate) use community::CommunityMessage;
pub(crate) use pdu::{Pdu, PduType};
pub(crate) use v3::{ScopedPdu, UsmParameters, V3Data, V3Message};

use crate::ber::{Malformed, Reader};

/// The version field of a message (RFC 3412 §6.1); the numbers are those on the wire.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Version {
    V1,
    V2c,
    V3,
    Other,
}

impl Version {
    /// Looks at the version before anything else: it says what the rest is.
    pub(crate) fn peek(datagram: &[u8]) -> Result<Self, Malformed> {
        match Reader::new(datagram).sequence()?.integer32()? {
            0 => Ok(Self::V1),
            1 => Ok(Self::V2c),
            3 => Ok(Self::V3),
            _ => Ok(Self::Other),
        }
    }

    /// The number on the wire.
    pub(crate) const fn number(self) -> i32 {
        match self {
            Self::V1 => 0,
            Self::V2c => 1,
            Self::V3 | Self::Other => 3,
        }
    }
}

#[cfg(test)]
mod tests;
