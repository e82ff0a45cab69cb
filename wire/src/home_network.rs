//! Where a node's home is: dynamic home agents (RFC 4433) and mobile networks (RFC 5177).

use std::net::Ipv4Addr;

use crate::ParseError;
use crate::extension::{Extension, extension_type};

/// The Dynamic HA Extension (139, RFC 4433 §3.4), skippable and of the long layout.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DynamicHomeAgent {
    pub subtype: u8,
    pub home_agent: Ipv4Addr,
}

impl DynamicHomeAgent {
    /// In a request: where the node would like to be anchored (§3.4.1).
    pub const REQUESTED: u8 = 1;
    /// In a reply with code 143: where it should try next (§3.4.2).
    pub const REDIRECTED: u8 = 2;

    /// Reads the extension.
    pub fn parse(extension: &Extension<'_>) -> Result<Self, ParseError> {
        extension.expect(extension_type::DYNAMIC_HOME_AGENT)?;
        let octets: [u8; 4] = extension.body.try_into().map_err(|_| extension.length_error())?;
        let subtype = extension.subtype.unwrap_or_default();
        Ok(Self { subtype, home_agent: octets.into() })
    }

    /// Appends the extension.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend([extension_type::DYNAMIC_HOME_AGENT, self.subtype, 0, 4]);
        out.extend(self.home_agent.octets());
    }
}

/// The Mobile Network Extension (148, RFC 5177 §4), one for each prefix.
///
/// A prefix length over 32 is kept: it is answered with a code (§4.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MobileNetwork {
    /// Sub-type 0 (§4.1).
    Request { prefix_length: u8, prefix: Ipv4Addr },
    /// Sub-type 1 (explicit mode) or 2 (implicit mode) (§4.2).
    Acknowledgement {
        explicit: bool,
        code: MobileNetworkCode,
        prefix_length: u8,
        reserved: u8,
        prefix: Ipv4Addr,
    },
}

/// The Code of a Mobile Network Acknowledgement (RFC 5177 §4.2); not one of a Registration Reply.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MobileNetworkCode(pub u8);

impl MobileNetworkCode {
    pub const SUCCESS: Self = Self(0);
    pub const INVALID_PREFIX_LENGTH: Self = Self(1);
    pub const UNAUTHORIZED: Self = Self(2);
    pub const FORWARDING_SETUP_FAILED: Self = Self(3);
    /// RFC 6626 §3.2.
    pub const UNASSIGNED: Self = Self(4);
}

impl MobileNetwork {
    /// Reads the extension.
    pub fn parse(extension: &Extension<'_>) -> Result<Self, ParseError> {
        extension.expect(extension_type::MOBILE_NETWORK)?;
        match (extension.subtype, extension.body) {
            (Some(0), &[prefix_length, a, b, c, d]) => {
                Ok(Self::Request { prefix_length, prefix: Ipv4Addr::new(a, b, c, d) })
            }
            (Some(subtype @ 1..=2), &[code, prefix_length, reserved, a, b, c, d]) => {
                Ok(Self::Acknowledgement {
                    explicit: subtype == 1,
                    code: MobileNetworkCode(code),
                    prefix_length,
                    reserved,
                    prefix: Ipv4Addr::new(a, b, c, d),
                })
            }
            (Some(0..=2), _) => Err(extension.length_error()),
            _ => Err(extension.subtype_error()),
        }
    }

    /// Appends the extension.
    pub fn emit(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Request { prefix_length, prefix } => {
                out.extend([extension_type::MOBILE_NETWORK, 6, 0, prefix_length]);
                out.extend(prefix.octets());
            }
            Self::Acknowledgement { explicit, code, prefix_length, reserved, prefix } => {
                let subtype = if explicit { 1 } else { 2 };
                out.extend([extension_type::MOBILE_NETWORK, 8, subtype]);
                out.extend([code.0, prefix_length, reserved]);
                out.extend(prefix.octets());
            }
        }
    }
}

#[cfg(test)]
mod tests;
