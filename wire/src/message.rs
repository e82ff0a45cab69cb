//! What kind of message a datagram of port 434 is.

use crate::ParseError;

/// The Type octets of Mobile IPv4 control messages (RFC 5944 §1.8 and its registry).
pub mod message_type {
    pub const REGISTRATION_REQUEST: u8 = 1;
    pub const REGISTRATION_REPLY: u8 = 3;
    /// Tunnelled data (RFC 3519 §3.3).
    pub const TUNNEL_DATA: u8 = 4;
    /// RFC 3543 §3.3.
    pub const REGISTRATION_REVOCATION: u8 = 7;
    /// RFC 3543 §3.4.
    pub const REGISTRATION_REVOCATION_ACKNOWLEDGMENT: u8 = 15;
    /// RFC 4857 §10.1.
    pub const REGIONAL_REGISTRATION_REQUEST: u8 = 18;
    /// RFC 4857 §10.2.
    pub const REGIONAL_REGISTRATION_REPLY: u8 = 19;
    /// RFC 6098 §4.1.
    pub const GENERIC_NOTIFICATION: u8 = 22;
    /// RFC 6098 §4.2.
    pub const GENERIC_NOTIFICATION_ACKNOWLEDGMENT: u8 = 23;
}

/// The Type octet of a datagram; `None` when it is empty.
pub const fn message_type(octets: &[u8]) -> Option<u8> {
    match octets {
        [kind, ..] => Some(*kind),
        [] => None,
    }
}

/// Where the extensions of a control message begin: the length of its fixed part.
///
/// A message that is shorter than its fixed part, or of a type that has no
/// extensions known here, is an error.
pub fn extensions_offset(message: &[u8]) -> Result<usize, ParseError> {
    let kind = message_type(message).ok_or(ParseError::Truncated { need: 1, have: 0 })?;
    let offset = match kind {
        message_type::REGISTRATION_REQUEST
        | message_type::REGIONAL_REGISTRATION_REQUEST
        | message_type::GENERIC_NOTIFICATION
        | message_type::GENERIC_NOTIFICATION_ACKNOWLEDGMENT => 24,
        message_type::REGISTRATION_REPLY
        | message_type::REGIONAL_REGISTRATION_REPLY
        | message_type::REGISTRATION_REVOCATION => 20,
        message_type::REGISTRATION_REVOCATION_ACKNOWLEDGMENT => 12,
        unknown => return Err(ParseError::UnknownMessage(unknown)),
    };
    if message.len() < offset {
        return Err(ParseError::Truncated { need: offset, have: message.len() });
    }
    Ok(offset)
}
