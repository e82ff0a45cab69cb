//! Regional registration (RFC 4857 §9 and §10).

use std::net::Ipv4Addr;

use crate::cursor::Cursor;
use crate::extension::{Extension, extension_type};
use crate::{
    Code, Flags, Identification, Lifetime, ParseError, RegistrationReply, RegistrationRequest,
};

/// The fixed part of a Regional Registration Request (§10.1): a Registration
/// Request with the gateway foreign agent in the place of the home agent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RegionalRegistrationRequest {
    pub flags: Flags,
    /// Zero asks for deregistration with the gateway.
    pub lifetime: Lifetime,
    pub home_address: Ipv4Addr,
    pub gfa_ip_address: Ipv4Addr,
    /// That of the local foreign agent; all ones leaves it to that agent.
    pub care_of_address: Ipv4Addr,
    pub identification: Identification,
}

impl RegionalRegistrationRequest {
    pub const TYPE: u8 = 18;
    pub const LEN: usize = RegistrationRequest::LEN;

    /// Parses the fixed part; returns it with the octets of the extensions.
    pub fn parse(octets: &[u8]) -> Result<(Self, &[u8]), ParseError> {
        let (request, rest) = RegistrationRequest::parse_as(Self::TYPE, octets)?;
        let request = Self {
            flags: request.flags,
            lifetime: request.lifetime,
            home_address: request.home_address,
            gfa_ip_address: request.home_agent,
            care_of_address: request.care_of_address,
            identification: request.identification,
        };
        Ok((request, rest))
    }

    /// Appends the fixed part, [`Self::LEN`] octets, to `out`.
    pub fn emit(&self, out: &mut Vec<u8>) {
        let request = RegistrationRequest {
            flags: self.flags,
            lifetime: self.lifetime,
            home_address: self.home_address,
            home_agent: self.gfa_ip_address,
            care_of_address: self.care_of_address,
            identification: self.identification,
        };
        request.emit_as(Self::TYPE, out);
    }
}

/// The fixed part of a Regional Registration Reply (§10.2): a Registration
/// Reply with the gateway foreign agent in the place of the home agent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RegionalRegistrationReply {
    pub code: Code,
    pub lifetime: Lifetime,
    pub home_address: Ipv4Addr,
    pub gfa_ip_address: Ipv4Addr,
    pub identification: Identification,
}

impl RegionalRegistrationReply {
    pub const TYPE: u8 = 19;
    pub const LEN: usize = RegistrationReply::LEN;

    /// Parses the fixed part; returns it with the octets of the extensions.
    pub fn parse(octets: &[u8]) -> Result<(Self, &[u8]), ParseError> {
        let (reply, rest) = RegistrationReply::parse_as(Self::TYPE, octets)?;
        let reply = Self {
            code: reply.code,
            lifetime: reply.lifetime,
            home_address: reply.home_address,
            gfa_ip_address: reply.home_agent,
            identification: reply.identification,
        };
        Ok((reply, rest))
    }

    /// Appends the fixed part, [`Self::LEN`] octets, to `out`.
    pub fn emit(&self, out: &mut Vec<u8>) {
        let reply = RegistrationReply {
            code: self.code,
            lifetime: self.lifetime,
            home_address: self.home_address,
            home_agent: self.gfa_ip_address,
            identification: self.identification,
        };
        reply.emit_as(Self::TYPE, out);
    }
}

/// The GFA IP Address Extension (46, §9.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GfaIpAddress(pub Ipv4Addr);

impl GfaIpAddress {
    /// Reads the extension; its reserved octets are ignored.
    pub fn parse(extension: &Extension<'_>) -> Result<Self, ParseError> {
        extension.expect(extension_type::GFA_IP_ADDRESS)?;
        after_reserved(extension).map(|octets| Self(octets.into()))
    }

    /// Appends the extension.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend([extension_type::GFA_IP_ADDRESS, 6, 0, 0]);
        out.extend(self.0.octets());
    }
}

/// The Hierarchical Foreign Agent Extension (140, §9.2): the foreign agent that relays.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HierarchicalForeignAgent(pub Ipv4Addr);

impl HierarchicalForeignAgent {
    /// Reads the extension; its reserved octets are ignored.
    pub fn parse(extension: &Extension<'_>) -> Result<Self, ParseError> {
        extension.expect(extension_type::HIERARCHICAL_FOREIGN_AGENT)?;
        after_reserved(extension).map(|octets| Self(octets.into()))
    }

    /// Appends the extension.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend([extension_type::HIERARCHICAL_FOREIGN_AGENT, 6, 0, 0]);
        out.extend(self.0.octets());
    }
}

/// The Replay Protection Style Extension (141, §9.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReplayProtectionStyle {
    pub style: u16,
    /// Where timestamps or nonces begin.
    pub initial_identification: Identification,
}

impl ReplayProtectionStyle {
    pub const TIMESTAMP: u16 = 0;
    pub const NONCE: u16 = 1;

    /// Reads the extension, whose walk has mended a Length of 2.
    pub fn parse(extension: &Extension<'_>) -> Result<Self, ParseError> {
        extension.expect(extension_type::REPLAY_PROTECTION_STYLE)?;
        let mut cursor = Cursor::new(extension.body);
        match (cursor.u16(), cursor.u64(), cursor.rest()) {
            (Ok(style), Ok(initial), []) => {
                Ok(Self { style, initial_identification: Identification(initial) })
            }
            _ => Err(extension.length_error()),
        }
    }

    /// Appends the extension with a Length of 10: §9.3 prints 2 and draws ten octets, and who
    /// steps over this skippable extension needs the true one.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend([extension_type::REPLAY_PROTECTION_STYLE, 10]);
        out.extend(self.style.to_be_bytes());
        out.extend(self.initial_identification.0.to_be_bytes());
    }
}

/// The Regional Registration Lifetime Extension (142, §9.4), in seconds.
///
/// The field has 32 bits and infinity is written 0xffff all the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RegionalRegistrationLifetime(pub u32);

impl RegionalRegistrationLifetime {
    /// Reads the extension; its reserved octets are ignored.
    pub fn parse(extension: &Extension<'_>) -> Result<Self, ParseError> {
        extension.expect(extension_type::REGIONAL_REGISTRATION_LIFETIME)?;
        after_reserved(extension).map(|octets| Self(u32::from_be_bytes(octets)))
    }

    /// Appends the extension.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend([extension_type::REGIONAL_REGISTRATION_LIFETIME, 6, 0, 0]);
        out.extend(self.0.to_be_bytes());
    }

    /// The same in the terms of other messages; what is longer than they can say is infinite.
    pub fn lifetime(self) -> Lifetime {
        u16::try_from(self.0).map_or(Lifetime::INFINITE, Lifetime)
    }
}

impl From<Lifetime> for RegionalRegistrationLifetime {
    fn from(lifetime: Lifetime) -> Self {
        Self(lifetime.0.into())
    }
}

/// Two reserved octets and four of data, which is what these extensions look like.
fn after_reserved(extension: &Extension<'_>) -> Result<[u8; 4], ParseError> {
    match extension.body {
        &[_, _, a, b, c, d] => Ok([a, b, c, d]),
        _ => Err(extension.length_error()),
    }
}

#[cfg(test)]
mod tests;
