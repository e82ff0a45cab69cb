//! Agent discovery: ICMP router advertisement and solicitation (RFC 1256 §3, RFC 5944 §2.1).

use std::net::Ipv4Addr;

use crate::cursor::Cursor;
use crate::emit::{self, DataTooLong};
use crate::extension::is_skippable;
use crate::{Lifetime, Nai, NaiCarrying, ParseError};

/// The Type octets of extensions in ICMP messages: other numbers than those of control messages.
mod icmp_extension {
    pub(super) const PADDING: u8 = 0;
    pub(super) const MOBILITY_AGENT_ADVERTISEMENT: u8 = 16;
    pub(super) const PREFIX_LENGTHS: u8 = 19;
    /// RFC 4721 §2.
    pub(super) const CHALLENGE: u8 = 24;
    /// RFC 3846 §7.
    pub(super) const NAI_CARRYING: u8 = 136;
}

/// An ICMP Router Advertisement, which is an Agent Advertisement when `mobility` is there.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +---------------+---------------+-------------------------------+
/// |   Type = 9    |     Code      |           Checksum            |
/// +---------------+---------------+-------------------------------+
/// |   Num Addrs   |Addr Entry Size|           Lifetime            |
/// +---------------+---------------+-------------------------------+
/// |       Router Address and Preference Level, Num Addrs times    |
/// |       Extensions …                                            |
/// +---------------------------------------------------------------+
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AgentAdvertisement {
    /// 0, or 16 when common traffic is not routed (RFC 5944 §2.1).
    pub code: u8,
    /// How long the advertisement is valid, in seconds.
    pub lifetime: u16,
    pub routers: Vec<RouterAddress>,
    pub mobility: Option<MobilityAgentAdvertisement>,
    /// One for each router address.
    pub prefix_lengths: Option<Vec<u8>>,
    /// Empty challenges are kept: their length is a matter of policy (RFC 4721 §2).
    pub challenge: Option<Vec<u8>>,
    /// The NAI of the foreign agent (RFC 4857 §8.2).
    pub foreign_agent_nai: Option<Nai>,
}

/// A router address and its preference (RFC 1256 §3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RouterAddress {
    pub address: Ipv4Addr,
    pub preference: i32,
}

/// The Mobility Agent Advertisement Extension (16, RFC 5944 §2.1.1).
///
/// ```text
/// +---------------+---------------+-------------------------------+
/// |   Type = 16   | Length = 6+4N |        Sequence Number        |
/// +---------------+---------------+-------------------------------+
/// |    Registration Lifetime      |R|B|H|F|M|G|r|T|U|X|I|reserved |
/// +-------------------------------+-------------------------------+
/// |                      N Care-of Addresses                      |
/// +---------------------------------------------------------------+
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MobilityAgentAdvertisement {
    pub sequence_number: u16,
    /// The longest that the agent grants.
    pub registration_lifetime: Lifetime,
    pub flags: AdvertisementFlags,
    pub care_of_addresses: Vec<Ipv4Addr>,
}

/// The flags of a Mobility Agent Advertisement (RFC 5944 §2.1.1); reserved bits are kept.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct AdvertisementFlags(pub u16);

impl AdvertisementFlags {
    pub const REGISTRATION_REQUIRED: u16 = 0x8000;
    pub const BUSY: u16 = 0x4000;
    pub const HOME_AGENT: u16 = 0x2000;
    pub const FOREIGN_AGENT: u16 = 0x1000;
    pub const MINIMAL_ENCAPSULATION: u16 = 0x0800;
    pub const GRE: u16 = 0x0400;
    pub const REVERSE_TUNNEL: u16 = 0x0100;
    pub const UDP_TUNNEL: u16 = 0x0080;
    pub const REVOCATION: u16 = 0x0040;
    /// RFC 4857 §8.1 draws it where RFC 3543 has the bit before; RFC 5944 settles it here.
    pub const REGIONAL_REGISTRATION: u16 = 0x0020;

    /// Whether any bit of `mask` is set.
    pub const fn any(self, mask: u16) -> bool {
        self.0 & mask != 0
    }
}

impl AgentAdvertisement {
    pub const TYPE: u8 = 9;
    /// The Code of an agent that does not route common traffic (RFC 5944 §2.1).
    pub const CODE_NO_COMMON_TRAFFIC: u8 = 16;

    /// Parses an ICMP message, checksum included.
    ///
    /// An extension that may be skipped is; of one that occurs twice the first counts.
    pub fn parse(octets: &[u8]) -> Result<Self, ParseError> {
        Self::parse_counting(octets).map(|(advertisement, _)| advertisement)
    }

    /// The same, and how many unknown extensions were skipped (RFC 5944 §1.8).
    pub fn parse_counting(octets: &[u8]) -> Result<(Self, u64), ParseError> {
        let mut skipped = 0_u64;
        let mut cursor = Cursor::new(octets);
        cursor.message_type(Self::TYPE)?;
        check_sum(octets)?;
        let code = cursor.u8()?;
        cursor.u16()?;
        let count = cursor.u8()?;
        let words = cursor.u8()?;
        let mut advertisement = Self { code, lifetime: cursor.u16()?, ..Self::default() };
        for _ in 0..count {
            // Entries may grow (RFC 1256 §5.2): what follows the first two words is ignored.
            let mut entry = Cursor::new(cursor.take(usize::from(words).saturating_mul(4))?);
            advertisement.routers.push(RouterAddress {
                address: entry.address()?,
                preference: entry.u32()?.cast_signed(),
            });
        }
        while !cursor.rest().is_empty() {
            let kind = cursor.u8()?;
            if kind == icmp_extension::PADDING {
                continue;
            }
            let length = cursor.u8()?;
            let is_known = advertisement.extension(kind, cursor.take(length.into())?)?;
            skipped = skipped.saturating_add(u64::from(!is_known));
        }
        Ok((advertisement, skipped))
    }

    /// Appends the ICMP message, its length made even (RFC 5944 §2.1.3) and its checksum filled in.
    pub fn emit(&self, out: &mut Vec<u8>) -> Result<(), DataTooLong> {
        let mut message = vec![Self::TYPE, self.code, 0, 0];
        let count = u8::try_from(self.routers.len())
            .map_err(|_| DataTooLong { kind: 0, length: self.routers.len() })?;
        message.extend([count, 2]);
        message.extend(self.lifetime.to_be_bytes());
        for router in &self.routers {
            message.extend(router.address.octets());
            message.extend(router.preference.to_be_bytes());
        }
        if let Some(mobility) = &self.mobility {
            mobility.emit(&mut message)?;
        }
        if let Some(lengths) = &self.prefix_lengths {
            emit::simple(&mut message, icmp_extension::PREFIX_LENGTHS, &[lengths])?;
        }
        if let Some(challenge) = &self.challenge {
            emit::simple(&mut message, icmp_extension::CHALLENGE, &[challenge])?;
        }
        if let Some(nai) = &self.foreign_agent_nai {
            NaiCarrying { subtype: NaiCarrying::FOREIGN_AGENT, nai: nai.clone() }
                .emit(&mut message)?;
        }
        if !message.len().is_multiple_of(2) {
            message.push(icmp_extension::PADDING);
        }
        fill_sum(&mut message);
        out.extend(message);
        Ok(())
    }

    /// Takes an extension; says whether it is one that we know.
    fn extension(&mut self, kind: u8, body: &[u8]) -> Result<bool, ParseError> {
        match kind {
            icmp_extension::MOBILITY_AGENT_ADVERTISEMENT => {
                let mobility = MobilityAgentAdvertisement::parse(body)?;
                self.mobility.get_or_insert(mobility);
            }
            icmp_extension::PREFIX_LENGTHS => {
                self.prefix_lengths.get_or_insert_with(|| body.to_vec());
            }
            icmp_extension::CHALLENGE => {
                self.challenge.get_or_insert_with(|| body.to_vec());
            }
            icmp_extension::NAI_CARRYING => {
                if let [NaiCarrying::FOREIGN_AGENT, nai @ ..] = body {
                    let nai = Nai::from_octets(nai).map_err(ParseError::Nai)?;
                    self.foreign_agent_nai.get_or_insert(nai);
                }
            }
            _ if is_skippable(kind) => return Ok(false),
            _ => return Err(ParseError::UnskippableExtension(kind)),
        }
        Ok(true)
    }
}

impl MobilityAgentAdvertisement {
    /// The care-of address that stands for a gateway foreign agent of the network's choice
    /// (RFC 4857 §4.3).
    pub const DYNAMIC_GATEWAY: Ipv4Addr = Ipv4Addr::BROADCAST;

    /// The sequence number after this one: it skips 0 to 255, which say that the agent has
    /// started anew (RFC 5944 §2.3.2).
    pub const fn sequence_number_after(sequence_number: u16) -> u16 {
        match sequence_number.checked_add(1) {
            Some(next) => next,
            None => 256,
        }
    }

    fn parse(body: &[u8]) -> Result<Self, ParseError> {
        let error = ParseError::ExtensionLength {
            kind: icmp_extension::MOBILITY_AGENT_ADVERTISEMENT,
            length: body.len(),
        };
        let mut cursor = Cursor::new(body);
        let (Ok(sequence_number), Ok(lifetime), Ok(flags)) =
            (cursor.u16(), cursor.u16(), cursor.u16())
        else {
            return Err(error);
        };
        let mut care_of_addresses = Vec::new();
        while !cursor.rest().is_empty() {
            care_of_addresses.push(cursor.address().map_err(|_| error)?);
        }
        Ok(Self {
            sequence_number,
            registration_lifetime: Lifetime(lifetime),
            flags: AdvertisementFlags(flags),
            care_of_addresses,
        })
    }

    fn emit(&self, out: &mut Vec<u8>) -> Result<(), DataTooLong> {
        let addresses: Vec<u8> = self.care_of_addresses.iter().flat_map(Ipv4Addr::octets).collect();
        emit::simple(
            out,
            icmp_extension::MOBILITY_AGENT_ADVERTISEMENT,
            &[
                &self.sequence_number.to_be_bytes(),
                &self.registration_lifetime.0.to_be_bytes(),
                &self.flags.0.to_be_bytes(),
                &addresses,
            ],
        )
    }
}

/// An ICMP Router Solicitation, which is also the Agent Solicitation (RFC 1256 §3, RFC 5944 §2.2).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct AgentSolicitation {
    pub code: u8,
    pub reserved: u32,
}

impl AgentSolicitation {
    pub const TYPE: u8 = 10;
    pub const LEN: usize = 8;

    /// Parses an ICMP message, checksum included; what follows the fixed part is ignored.
    pub fn parse(octets: &[u8]) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(octets);
        cursor.message_type(Self::TYPE)?;
        let code = cursor.u8()?;
        cursor.u16()?;
        let reserved = cursor.u32()?;
        check_sum(octets)?;
        Ok(Self { code, reserved })
    }

    /// Appends the ICMP message with its checksum.
    pub fn emit(&self, out: &mut Vec<u8>) {
        let mut message = vec![Self::TYPE, self.code, 0, 0];
        message.extend(self.reserved.to_be_bytes());
        fill_sum(&mut message);
        out.extend(message);
    }
}

/// The one's complement sum of a message, in words of 16 bits (RFC 1256 §3).
fn sum(octets: &[u8]) -> u16 {
    let (words, last) = octets.as_chunks::<2>();
    let last = last.first().map(|&octet| u16::from_be_bytes([octet, 0]));
    words.iter().map(|word| u16::from_be_bytes(*word)).chain(last).fold(0, |sum: u16, word| {
        let (sum, carry) = sum.overflowing_add(word);
        sum.wrapping_add(carry.into())
    })
}

fn check_sum(octets: &[u8]) -> Result<(), ParseError> {
    match sum(octets) {
        u16::MAX => Ok(()),
        wrong => Err(ParseError::Checksum(wrong)),
    }
}

fn fill_sum(message: &mut [u8]) {
    let checksum = !sum(message);
    if let Some(field) = message.get_mut(2..4) {
        field.copy_from_slice(&checksum.to_be_bytes());
    }
}

#[cfg(test)]
mod tests;
