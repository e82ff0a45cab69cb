//! Generic notification (RFC 6098 §4) and the text it carries (RFC 4917 §3).

use std::net::Ipv4Addr;

use crate::cursor::Cursor;
use crate::emit::{self, DataTooLong};
use crate::extension::{Extension, extension_type};
use crate::{Code, Identification, ParseError};

/// Who tells whom: the MD field (RFC 6098 §4.1).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MessageDirection(pub u8);

impl MessageDirection {
    pub const HOME_AGENT_TO_MOBILE_NODE: Self = Self(0);
    pub const HOME_AGENT_TO_FOREIGN_AGENT: Self = Self(1);
    pub const MOBILE_NODE_TO_HOME_AGENT: Self = Self(2);
    pub const MOBILE_NODE_TO_FOREIGN_AGENT: Self = Self(3);
    pub const FOREIGN_AGENT_TO_MOBILE_NODE: Self = Self(4);
    pub const FOREIGN_AGENT_TO_HOME_AGENT: Self = Self(5);
}

/// The fixed part of a Generic Notification Message (RFC 6098 §4.1).
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +---------------+---------------+-+-----------------------------+
/// |   Type = 22   |      MD       |A|           Reserved          |
/// +---------------+---------------+-+-----------------------------+
/// |                          Home Address                         |
/// |                       Home Agent Address                      |
/// |                        Care-of Address                        |
/// |                    Identification (64 bits)                   |
/// +---------------------------------------------------------------+
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GenericNotification {
    pub direction: MessageDirection,
    /// The bit `A`; the others as they arrived.
    pub flags: u16,
    pub home_address: Ipv4Addr,
    pub home_agent: Ipv4Addr,
    pub care_of_address: Ipv4Addr,
    pub identification: Identification,
}

impl GenericNotification {
    pub const TYPE: u8 = 22;
    pub const LEN: usize = 24;
    /// `A`: an acknowledgement is required, and its absence makes the sender repeat.
    pub const ACKNOWLEDGE: u16 = 0x8000;

    /// Parses the fixed part; returns it with the octets of the extensions.
    pub fn parse(octets: &[u8]) -> Result<(Self, &[u8]), ParseError> {
        let mut cursor = Cursor::new(octets);
        cursor.message_type(Self::TYPE)?;
        let notification = Self {
            direction: MessageDirection(cursor.u8()?),
            flags: cursor.u16()?,
            home_address: cursor.address()?,
            home_agent: cursor.address()?,
            care_of_address: cursor.address()?,
            identification: Identification(cursor.u64()?),
        };
        Ok((notification, cursor.rest()))
    }

    /// Appends the fixed part, [`Self::LEN`] octets, to `out`.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend([Self::TYPE, self.direction.0]);
        out.extend(self.flags.to_be_bytes());
        out.extend(self.home_address.octets());
        out.extend(self.home_agent.octets());
        out.extend(self.care_of_address.octets());
        out.extend(self.identification.0.to_be_bytes());
    }

    /// The `A` bit.
    pub const fn wants_acknowledgement(&self) -> bool {
        self.flags & Self::ACKNOWLEDGE != 0
    }
}

/// The fixed part of a Generic Notification Acknowledgement Message (RFC 6098 §4.2).
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +---------------+---------------+---------------+---------------+
/// |   Type = 23   |      MD       |     Code      |   Reserved    |
/// +---------------+---------------+---------------+---------------+
/// |                          Home Address                         |
/// |                       Home Agent Address                      |
/// |                        Care-of Address                        |
/// |                    Identification (64 bits)                   |
/// +---------------------------------------------------------------+
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GenericNotificationAcknowledgement {
    pub direction: MessageDirection,
    /// Of its own set: 64 and up are a foreign agent's, 128 a home agent's, 192 a mobile node's.
    pub code: Code,
    pub reserved: u8,
    pub home_address: Ipv4Addr,
    pub home_agent: Ipv4Addr,
    pub care_of_address: Ipv4Addr,
    pub identification: Identification,
}

impl GenericNotificationAcknowledgement {
    pub const TYPE: u8 = 23;
    pub const LEN: usize = 24;

    /// Parses the fixed part; returns it with the octets of the extensions.
    pub fn parse(octets: &[u8]) -> Result<(Self, &[u8]), ParseError> {
        let mut cursor = Cursor::new(octets);
        cursor.message_type(Self::TYPE)?;
        let acknowledgement = Self {
            direction: MessageDirection(cursor.u8()?),
            code: Code(cursor.u8()?),
            reserved: cursor.u8()?,
            home_address: cursor.address()?,
            home_agent: cursor.address()?,
            care_of_address: cursor.address()?,
            identification: Identification(cursor.u64()?),
        };
        Ok((acknowledgement, cursor.rest()))
    }

    /// Appends the fixed part, [`Self::LEN`] octets, to `out`.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend([Self::TYPE, self.direction.0, self.code.0, self.reserved]);
        out.extend(self.home_address.octets());
        out.extend(self.home_agent.octets());
        out.extend(self.care_of_address.octets());
        out.extend(self.identification.0.to_be_bytes());
    }
}

/// The Message String Extension (145, RFC 4917 §3): words for people, without effect on the protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MessageString<'a> {
    /// The Sub-Type: which agent speaks.
    pub from: u8,
    pub text: &'a str,
}

impl<'a> MessageString<'a> {
    pub const FROM_HOME_AGENT: u8 = 1;
    pub const FROM_FOREIGN_AGENT: u8 = 2;
    /// The longest text in octets: the Length counts the Sub-Type too.
    pub const TEXT_MAX: usize = 254;

    /// Takes as much of `text` as fits, in whole characters.
    pub fn cut(from: u8, text: &'a str) -> Self {
        let end = text
            .char_indices()
            .map(|(start, character)| start.saturating_add(character.len_utf8()))
            .take_while(|&end| end <= Self::TEXT_MAX)
            .last()
            .unwrap_or(0);
        Self { from, text: text.get(..end).unwrap_or_default() }
    }

    /// Reads the extension.
    pub fn parse(extension: &Extension<'a>) -> Result<Self, ParseError> {
        let kind = extension_type::MESSAGE_STRING;
        extension.expect(kind)?;
        let text =
            std::str::from_utf8(extension.body).map_err(|_| ParseError::ExtensionText(kind))?;
        if text.is_empty() {
            return Err(extension.length_error());
        }
        Ok(Self { from: extension.subtype.unwrap_or_default(), text })
    }

    /// Appends the extension.
    pub fn emit(&self, out: &mut Vec<u8>) -> Result<(), DataTooLong> {
        emit::short(out, extension_type::MESSAGE_STRING, self.from, &[self.text.as_bytes()])
    }
}

#[cfg(test)]
mod tests;
