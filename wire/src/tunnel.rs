//! What a registration says about its tunnel (RFC 3024, RFC 3519, RFC 6245).

use crate::cursor::Cursor;
use crate::extension::{Extension, extension_type};
use crate::{Code, ParseError};

/// The Encapsulating Delivery Style Extension (130, RFC 3024 §3.3): it is there or not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EncapsulatingDeliveryStyle;

impl EncapsulatingDeliveryStyle {
    /// Reads the extension.
    pub fn parse(extension: &Extension<'_>) -> Result<Self, ParseError> {
        extension.expect(extension_type::ENCAPSULATING_DELIVERY_STYLE)?;
        if extension.body.is_empty() { Ok(Self) } else { Err(extension.length_error()) }
    }

    /// Appends the extension; it belongs behind the Mobile-Home Authentication Extension.
    pub fn emit(self, out: &mut Vec<u8>) {
        out.extend([extension_type::ENCAPSULATING_DELIVERY_STYLE, 0]);
    }
}

/// The UDP Tunnel Request Extension (144, RFC 3519 §3.1).
///
/// ```text
/// +---------------+---------------+---------------+---------------+
/// |  Type = 144   |  Length = 6   |  Sub-Type = 0 |  Reserved 1   |
/// +-+-+-----------+---------------+---------------+---------------+
/// |F|R| Reserved 2| Encapsulation |          Reserved 3           |
/// +-+-+-----------+---------------+-------------------------------+
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UdpTunnelRequest {
    pub reserved_1: u8,
    /// The bits `F` and `R`; Reserved 2 as it arrived.
    pub flags: u8,
    /// An IP protocol number: 4, 47 or 55; zero leaves it to the request's own flags (§3.1.4).
    pub encapsulation: u8,
    /// Not zero: the extension is to be treated as not understood (§3.1.3).
    pub reserved_3: u16,
}

impl UdpTunnelRequest {
    /// `F`: tunnel whatever the home agent finds out about a NAT.
    pub const FORCE: u8 = 0x80;
    /// `R`: registration through a foreign agent is required.
    pub const REGISTRATION_REQUIRED: u8 = 0x40;

    /// Reads the extension.
    pub fn parse(extension: &Extension<'_>) -> Result<Self, ParseError> {
        extension.expect(extension_type::UDP_TUNNEL_REQUEST)?;
        extension.expect_subtype(0)?;
        match *extension.body {
            [reserved_1, flags, encapsulation, a, b] => Ok(Self {
                reserved_1,
                flags,
                encapsulation,
                reserved_3: u16::from_be_bytes([a, b]),
            }),
            _ => Err(extension.length_error()),
        }
    }

    /// Appends the extension.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend([extension_type::UDP_TUNNEL_REQUEST, 6, 0]);
        out.extend([self.reserved_1, self.flags, self.encapsulation]);
        out.extend(self.reserved_3.to_be_bytes());
    }
}

/// The UDP Tunnel Reply Extension (44, RFC 3519 §3.2).
///
/// ```text
/// +---------------+---------------+---------------+---------------+
/// |   Type = 44   |  Length = 6   |  Sub-Type = 0 |  Reply Code   |
/// +-+-------------+---------------+---------------+---------------+
/// |F|          Reserved           |      Keepalive Interval       |
/// +-+-----------------------------+-------------------------------+
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UdpTunnelReply {
    pub reply_code: u8,
    /// The bit `F`; the others as they arrived.
    pub flags: u16,
    /// In seconds; zero leaves it to the mobile node.
    pub keepalive_interval: u16,
}

impl UdpTunnelReply {
    /// `F`: the tunnel is there because it was forced.
    pub const FORCED: u16 = 0x8000;
    pub const WILL_TUNNEL: u8 = 0;
    pub const DECLINED: u8 = 64;

    /// Reads the extension.
    pub fn parse(extension: &Extension<'_>) -> Result<Self, ParseError> {
        extension.expect(extension_type::UDP_TUNNEL_REPLY)?;
        extension.expect_subtype(0)?;
        match *extension.body {
            [reply_code, a, b, c, d] => Ok(Self {
                reply_code,
                flags: u16::from_be_bytes([a, b]),
                keepalive_interval: u16::from_be_bytes([c, d]),
            }),
            _ => Err(extension.length_error()),
        }
    }

    /// Appends the extension.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend([extension_type::UDP_TUNNEL_REPLY, 6, 0, self.reply_code]);
        out.extend(self.flags.to_be_bytes());
        out.extend(self.keepalive_interval.to_be_bytes());
    }

    /// Whether there will be a tunnel: codes 0 to 63 (§3.2.1).
    pub const fn is_assent(&self) -> bool {
        self.reply_code < 64
    }
}

/// The header of tunnelled data on the registration port (message type 4, RFC 3519 §3.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TunnelData {
    /// An IP protocol number: 4, 47 or 55.
    pub next_header: u8,
    pub reserved: u16,
}

impl TunnelData {
    pub const TYPE: u8 = 4;
    pub const LEN: usize = 4;

    /// Parses the header; returns it with the tunnelled octets.
    pub fn parse(octets: &[u8]) -> Result<(Self, &[u8]), ParseError> {
        let mut cursor = Cursor::new(octets);
        cursor.message_type(Self::TYPE)?;
        let header = Self { next_header: cursor.u8()?, reserved: cursor.u16()? };
        Ok((header, cursor.rest()))
    }

    /// Appends the header, [`Self::LEN`] octets, to `out`.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend([Self::TYPE, self.next_header]);
        out.extend(self.reserved.to_be_bytes());
    }
}

/// The GRE Key Extension (48, RFC 6245 §5): the key that the sender wants to see.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GreKey(pub u32);

impl GreKey {
    /// Reads the extension.
    pub fn parse(extension: &Extension<'_>) -> Result<Self, ParseError> {
        extension.expect(extension_type::GRE_KEY)?;
        extension.expect_subtype(0)?;
        let key = extension.body.try_into().map_err(|_| extension.length_error())?;
        Ok(Self(u32::from_be_bytes(key)))
    }

    /// Appends the extension.
    pub fn emit(self, out: &mut Vec<u8>) {
        out.extend([extension_type::GRE_KEY, 0, 0, 4]);
        out.extend(self.0.to_be_bytes());
    }
}

/// The FA Error Extension (45, RFC 4636 §3): a foreign agent's verdict beside the home agent's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ForeignAgentError(pub Code);

impl ForeignAgentError {
    /// Reads the extension; any status is kept, though only 64 to 127 are a foreign agent's (§4).
    pub fn parse(extension: &Extension<'_>) -> Result<Self, ParseError> {
        extension.expect(extension_type::FOREIGN_AGENT_ERROR)?;
        extension.expect_subtype(0)?;
        match *extension.body {
            [status] => Ok(Self(Code(status))),
            _ => Err(extension.length_error()),
        }
    }

    /// Appends the extension.
    pub fn emit(self, out: &mut Vec<u8>) {
        out.extend([extension_type::FOREIGN_AGENT_ERROR, 2, 0, self.0.0]);
    }
}

#[cfg(test)]
mod tests;
