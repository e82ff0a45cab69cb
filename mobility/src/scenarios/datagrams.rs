//! Requests and replies as a scenario describes them.

use std::net::{Ipv4Addr, SocketAddrV4};

use store::Identity;
use wire::{
    AdvertisementFlags, AgentAdvertisement, Code, Flags, Identification, Lifetime,
    MobilityAgentAdvertisement, Nai, RegistrationReply, RegistrationRequest, RouterAddress, Spi,
    extension_type,
};

use super::words::Words;
use crate::SecurityAssociation;
use crate::clock::ntp;

/// The letters of the flag octet, from the highest bit (RFC 5944 §3.3).
pub(super) const FLAG_LETTERS: &str = "SBDMGrTx";

pub(super) fn flags(letters: &str) -> Flags {
    let bit = |letter| 0x80_u8 >> FLAG_LETTERS.find(letter).unwrap();
    Flags(letters.chars().filter(|letter| *letter != '-').map(bit).fold(0, |all, bit| all | bit))
}

pub(super) fn identity(text: &str) -> Identity {
    text.parse::<Ipv4Addr>()
        .map_or_else(|_| Identity::Nai(Nai::new(text).unwrap()), Identity::Address)
}

/// An address, or an address and a port.
pub(super) fn socket(text: &str) -> SocketAddrV4 {
    text.parse().unwrap_or_else(|_| SocketAddrV4::new(text.parse().unwrap(), crate::PORT))
}

/// The association that `SPI@PEER` names.
pub(super) fn association<'a>(
    associations: &'a [SecurityAssociation],
    text: &str,
) -> &'a SecurityAssociation {
    let (spi, peer) = text.split_once('@').unwrap();
    find(associations, &identity(peer), Spi(spi.parse().unwrap()))
}

pub(super) fn find<'a>(
    associations: &'a [SecurityAssociation],
    peer: &Identity,
    spi: Spi,
) -> &'a SecurityAssociation {
    let wanted = |it: &&SecurityAssociation| it.peer == *peer && it.spi == spi;
    associations.iter().find(wanted).unwrap_or_else(|| panic!("no association {peer} {spi}"))
}

/// Appends an extension by name, or `hex:…` as it is.
fn append(message: &mut Vec<u8>, name: &str) {
    match name.split_once(':') {
        Some(("hex", digits)) => message.extend(hex(digits)),
        Some(("nai", nai)) => Nai::new(nai).unwrap().emit(message),
        Some((name, value)) => super::regional::append(message, name, value),
        _ => message.extend(match name {
            // Vendor 9, type 1, value 0xff.
            "cvse" => vec![38, 0, 0, 7, 0, 0, 0, 9, 0, 1, 0xff],
            "nvse" => vec![134, 9, 0, 0, 0, 0, 0, 9, 0, 1, 0xff],
            "skippable" => vec![250, 2, 1, 2],
            "unskippable" => vec![60, 2, 1, 2],
            "padding" => vec![0],
            "encapsulating-delivery" => vec![130, 0],
            _ => panic!("unknown extension {name}"),
        }),
    }
}

pub(super) fn hex(digits: &str) -> Vec<u8> {
    let octets = digits.as_bytes().chunks(2);
    octets.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// What a request or reply is authenticated with, unless the words say otherwise.
pub(super) struct Defaults<'a> {
    pub(super) associations: &'a [SecurityAssociation],
    pub(super) home_agent: Ipv4Addr,
    /// The sender's clock.
    pub(super) utc: store::UtcTime,
    /// The Identification of the last datagram that came back.
    pub(super) last_reply: Option<Identification>,
    /// What a foreign agent offers, if there is one.
    pub(super) care_of_address: Option<Ipv4Addr>,
}

impl Defaults<'_> {
    /// A Registration Request.
    pub(super) fn request(&self, words: &Words<'_>) -> Vec<u8> {
        let first = self.associations.iter().find_map(|it| match it.peer {
            Identity::Address(address) => Some(address),
            Identity::Nai(_) => None,
        });
        let nai: Option<Nai> = words.value("nai");
        let default_home = if nai.is_some() { None } else { first };
        let home_address = words.or("home", default_home.unwrap_or(Ipv4Addr::UNSPECIFIED));
        let request = RegistrationRequest {
            flags: flags(words.text("flags").unwrap_or(match self.care_of_address {
                Some(_) => "-",
                None => "D",
            })),
            lifetime: Lifetime(words.or("lifetime", 600)),
            home_address,
            home_agent: words.or("agent", self.home_agent),
            care_of_address: words
                .or("care-of", self.care_of_address.unwrap_or(Ipv4Addr::new(192, 0, 2, 7))),
            identification: self.identification(words),
        };
        let mut octets = Vec::new();
        request.emit(&mut octets);
        if let Some(nai) = &nai {
            nai.emit(&mut octets);
        }
        let peer = nai.map_or(Identity::Address(home_address), Identity::Nai);
        self.extend(&mut octets, words, &peer);
        octets
    }

    /// A Registration Reply to `request`.
    pub(super) fn reply(
        &self,
        words: &Words<'_>,
        request: &RegistrationRequest,
        peer: &Identity,
    ) -> Vec<u8> {
        let mut identification = request.identification;
        if let Some(offset) = words.value::<i64>("clock") {
            let clock = ntp(self.utc.shifted(offset * 1000));
            identification = Identification::from_halves(clock.high(), identification.low());
        }
        if let Some(high) = words.text("nonce") {
            let high = u32::from_str_radix(high, 16).unwrap();
            identification = Identification::from_halves(high, identification.low());
        }
        if words.has("other-identification") {
            identification.0 ^= 1;
        }
        let reply = RegistrationReply {
            code: Code(words.word(0).unwrap().parse().unwrap()),
            lifetime: Lifetime(words.or("lifetime", request.lifetime.0)),
            home_address: words.or("home", request.home_address),
            home_agent: words.or("agent", request.home_agent),
            identification,
        };
        let mut octets = Vec::new();
        reply.emit(&mut octets);
        if let Identity::Nai(nai) = peer
            && !words.has("without-nai")
        {
            nai.emit(&mut octets);
        }
        self.extend(&mut octets, words, peer);
        octets
    }

    pub(super) fn identification(&self, words: &Words<'_>) -> Identification {
        if let Some(digits) = words.text("identification") {
            return Identification(u64::from_str_radix(digits, 16).unwrap());
        }
        // Milliseconds by which the sender's clock is ahead.
        let stamp = ntp(self.utc.shifted(words.or("ahead", 0)));
        match words.text("nonce") {
            None => stamp,
            Some("last") => {
                Identification::from_halves(self.last_reply.unwrap().high(), stamp.low())
            }
            Some(high) => {
                Identification::from_halves(u32::from_str_radix(high, 16).unwrap(), stamp.low())
            }
        }
    }

    /// Appends what follows the fixed part, in the order of §3.6.1.3 unless told otherwise.
    fn extend(&self, octets: &mut Vec<u8>, words: &Words<'_>, peer: &Identity) {
        words.all("before").into_iter().for_each(|name| append(octets, name));
        if !words.has("unauthenticated") {
            let spi = words.value("spi").map(Spi);
            let signer = match words.text("signer") {
                Some(text) => association(self.associations, text),
                None => self
                    .associations
                    .iter()
                    .find(|it| it.peer == *peer && spi.is_none_or(|spi| it.spi == spi))
                    .or(self.associations.first())
                    .unwrap(),
            };
            let mut signer = signer.clone();
            signer.spi = spi.unwrap_or(signer.spi);
            signer.sign(octets, extension_type::MOBILE_HOME_AUTHENTICATION);
            if words.has("authenticated-twice") {
                signer.sign(octets, extension_type::MOBILE_HOME_AUTHENTICATION);
            }
        }
        words.all("after").into_iter().for_each(|name| append(octets, name));
        for text in words.all("mobile-foreign") {
            association(self.associations, text)
                .sign(octets, extension_type::MOBILE_FOREIGN_AUTHENTICATION);
        }
        if let Some(address) = words.value("hierarchical") {
            wire::HierarchicalForeignAgent(address).emit(octets);
        }
        for text in words.all("foreign-foreign") {
            association(self.associations, text)
                .sign_generalized(octets, wire::GeneralizedAuthentication::FOREIGN_FOREIGN);
        }
        for text in words.all("foreign-home") {
            association(self.associations, text)
                .sign(octets, extension_type::FOREIGN_HOME_AUTHENTICATION);
        }
        if let Some(offset) = words.value::<usize>("flip") {
            octets[offset] ^= 1;
        }
        if let Some(length) = words.value("cut") {
            octets.truncate(length);
        }
    }
}

/// The letters of advertisement flags, from the highest bit (RFC 5944 §2.1.1).
pub(super) const ADVERTISEMENT_LETTERS: &str = "RBHFMGrTUXIvwxyz";

pub(super) fn advertisement_flags(letters: &str) -> AdvertisementFlags {
    let bit = |letter| 0x8000_u16 >> ADVERTISEMENT_LETTERS.find(letter).unwrap();
    AdvertisementFlags(letters.chars().map(bit).fold(0, |all, bit| all | bit))
}

/// An agent advertisement as an agent at the first word would send it.
pub(super) fn advertisement(words: &Words<'_>) -> Vec<u8> {
    let source: Ipv4Addr = words.word(0).unwrap().parse().unwrap();
    let flags = advertisement_flags(words.text("flags").unwrap_or("F"));
    let offered =
        words.all("care-of").into_iter().map(|it| it.parse().unwrap()).collect::<Vec<_>>();
    let is_foreign = flags.any(AdvertisementFlags::FOREIGN_AGENT);
    let default = if is_foreign { vec![source] } else { Vec::new() };
    let prefix: Option<u8> = words.value("prefix");
    let advertisement = AgentAdvertisement {
        lifetime: words.or("lifetime", 30),
        routers: vec![RouterAddress { address: source, preference: 0 }],
        mobility: (!words.has("router-only")).then(|| MobilityAgentAdvertisement {
            sequence_number: words.or("sequence", 0),
            registration_lifetime: Lifetime(words.or("registration", 1800)),
            flags,
            care_of_addresses: if offered.is_empty() { default } else { offered },
        }),
        prefix_lengths: prefix.map(|length| vec![length]),
        foreign_agent_nai: words.value("fa-nai"),
        ..AgentAdvertisement::default()
    };
    let mut octets = Vec::new();
    advertisement.emit(&mut octets).unwrap();
    for extension in words.all("with") {
        // An ICMP extension with two octets of data; the checksum goes on with it.
        octets.extend([if extension == "skippable" { 200 } else { 60 }, 2, 0, 0]);
        octets[2..4].fill(0);
        let sum = octets.chunks(2).map(|it| u32::from(u16::from_be_bytes([it[0], it[1]])));
        let sum = sum.fold(0, |sum, word| (sum + word) % 0xffff);
        octets[2..4].copy_from_slice(&u16::try_from(0xffff - sum).unwrap().to_be_bytes());
    }
    octets
}
