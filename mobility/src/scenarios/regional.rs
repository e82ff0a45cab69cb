//! What scenarios of RFC 4857 need: a gateway, regional requests made by hand, and how all of it is printed.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddrV4};

use store::{GatewaySetting, Identity, RegionalReplay, RegionalVisit, UtcTime};
use wire::{
    Code, GeneralizedAuthentication, GfaIpAddress, HierarchicalForeignAgent, Identification,
    Lifetime, RegionalRegistrationLifetime, RegionalRegistrationReply, RegionalRegistrationRequest,
    RegistrationReply, ReplayProtectionStyle, Spi, message_type,
};

use super::datagrams::{association, find, flags, socket};
use super::print::{self, Printer};
use super::setup;
use super::words::Words;
use super::world::{Recorded, World};
use crate::clock::{ahead, ntp};
use crate::extensions::Extensions;
use crate::{Gateway, GatewayConfig, RegionConfig};

/// `gateway ADDRESS beneath=FOREIGN-AGENT …`
pub(super) fn gateway(world: &mut World, words: &Words<'_>) {
    let address: Ipv4Addr = words.word(0).unwrap().parse().unwrap();
    let mut config = GatewayConfig::new("gw", address, [4; 32]);
    config.foreign_agents =
        words.all("beneath").into_iter().map(|it| it.parse().unwrap()).collect();
    config.lifetime_max = Lifetime(words.or("max-lifetime", config.lifetime_max.0));
    config.regional_lifetime_max =
        Lifetime(words.or("regional-lifetime", config.regional_lifetime_max.0));
    config.replay = match words.text("replay") {
        None | Some("timestamps") => RegionalReplay::Timestamps,
        Some("nonces") => RegionalReplay::Nonces,
        Some("any") => RegionalReplay::Any,
        Some(other) => panic!("replay={other}"),
    };
    config.dynamic = words.has("dynamic");
    config.visitors_max = words.or("max-visitors", config.visitors_max);
    config.pending_max = words.or("max-pending", config.pending_max);
    config.reverse_tunnel = setup::reverse_tunnel(words);
    config.gre = words.or("gre", true);
    config.minimal_encapsulation = words.or("minimal", true);
    config.rate_limits = setup::rate_limits(words);
    setup::revocation(&mut config.revocation, words);
    setup::notification(&mut config.notification, words);
    let gateway = Gateway::new(config.clone(), &world.snapshot, world.now());
    world.gateway = Some((config, gateway));
}

/// What a foreign agent knows of its region: `gateway= also= dynamic-gateway gateway-spi=`.
pub(super) fn region(words: &Words<'_>) -> Option<RegionConfig> {
    let also = words.all("also").into_iter().map(|it| it.parse().unwrap()).collect();
    let dynamic = words.has("dynamic-gateway");
    let spi = words.value("gateway-spi").map(Spi);
    Some(RegionConfig { gateway: words.value("gateway")?, also, dynamic, spi })
}

/// Appends an extension of RFC 4857: `hfa:ADDRESS`, `gfa:ADDRESS`, `replay-style:NUMBER`,
/// `regional-lifetime:SECONDS`.
pub(super) fn append(message: &mut Vec<u8>, name: &str, value: &str) {
    match name {
        "hfa" => HierarchicalForeignAgent(value.parse().unwrap()).emit(message),
        "gfa" => GfaIpAddress(value.parse().unwrap()).emit(message),
        "replay-style" => {
            let initial_identification = Identification::default();
            ReplayProtectionStyle { style: value.parse().unwrap(), initial_identification }
                .emit(message);
        }
        "regional-lifetime" => RegionalRegistrationLifetime(value.parse().unwrap()).emit(message),
        _ => panic!("unknown extension {name}"),
    }
}

impl World {
    /// An operator says which foreign agents are beneath the gateway, and which beneath others:
    /// `region beneath=ADDRESS … elsewhere=ADDRESS … regional-lifetime=`.
    pub(super) fn region(&mut self, words: &Words<'_>) {
        let addresses =
            |key| words.all(key).into_iter().map(|it| it.parse().unwrap()).collect::<BTreeSet<_>>();
        let setting = GatewaySetting {
            regional_lifetime: words.value("regional-lifetime"),
            ..GatewaySetting::default()
        };
        let now = self.now();
        let (_, gateway) = self.gateway.as_mut().unwrap();
        gateway.set_region(Some(&setting), addresses("beneath"), addresses("elsewhere"), now);
    }

    /// A Regional Registration Request made by hand.
    pub(super) fn regional(&mut self, words: &Words<'_>, lines: &mut Vec<String>) {
        let octets = self.regional_octets(words);
        let home = octets[4..8].iter().map(ToString::to_string).collect::<Vec<_>>().join(".");
        let from =
            words.text("from").map_or(SocketAddrV4::new(home.parse().unwrap(), 5000), socket);
        let agent = SocketAddrV4::new(self.agent_address(), crate::PORT);
        let to = words.text("to").map_or(agent, socket);
        let recorded = Recorded { octets, from, to, ttl: words.value("ttl") };
        if let Some(name) = words.text("as") {
            self.recorded.insert(name.to_owned(), recorded.clone());
        }
        self.deliver(&recorded, lines);
    }

    fn regional_octets(&self, words: &Words<'_>) -> Vec<u8> {
        let defaults = self.defaults();
        let nai: Option<wire::Nai> = words.value("nai");
        let first = self.known.iter().find_map(|it| match it.peer {
            Identity::Address(address) => Some(address),
            Identity::Nai(_) => None,
        });
        let home_address = words.or("home", first.unwrap_or(Ipv4Addr::UNSPECIFIED));
        let gateway = self.gateway.as_ref().map(|(config, _)| config.address);
        let identification = match (words.text("nonce"), self.last_regional) {
            (Some("last"), Some(last)) => {
                Identification::from_halves(last.high(), ntp(self.now().utc).low())
            }
            _ => defaults.identification(words),
        };
        let request = RegionalRegistrationRequest {
            flags: flags(words.text("flags").unwrap_or("-")),
            lifetime: Lifetime(words.or("lifetime", 300)),
            home_address,
            gfa_ip_address: words.or("gateway", gateway.unwrap_or(Ipv4Addr::UNSPECIFIED)),
            care_of_address: words
                .or("care-of", defaults.care_of_address.unwrap_or(Ipv4Addr::UNSPECIFIED)),
            identification,
        };
        let mut octets = Vec::new();
        request.emit(&mut octets);
        if let Some(nai) = &nai {
            nai.emit(&mut octets);
        }
        if !words.has("unauthenticated") {
            let peer = nai.map_or(Identity::Address(home_address), Identity::Nai);
            let spi = Spi(words.or("spi", 3000));
            let signer = match words.text("signer") {
                Some(text) => association(&self.known, text),
                None => find(&self.known, &peer, spi),
            };
            signer.sign_generalized(&mut octets, GeneralizedAuthentication::MOBILE_GATEWAY);
        }
        for text in words.all("foreign-home") {
            let kind = wire::extension_type::FOREIGN_HOME_AUTHENTICATION;
            association(&self.known, text).sign(&mut octets, kind);
        }
        if let Some(address) = words.value("hierarchical") {
            HierarchicalForeignAgent(address).emit(&mut octets);
        }
        for text in words.all("foreign-foreign") {
            association(&self.known, text)
                .sign_generalized(&mut octets, GeneralizedAuthentication::FOREIGN_FOREIGN);
        }
        if let Some(offset) = words.value::<usize>("flip") {
            octets[offset] ^= 1;
        }
        if let Some(length) = words.value("cut") {
            octets.truncate(length);
        }
        octets
    }

    /// A Regional Registration Reply made by hand, to what a mobile node sent last.
    pub(super) fn regional_answer(&mut self, words: &Words<'_>, lines: &mut Vec<String>) {
        let (request, way) = self.last_regional_request.clone().unwrap();
        let mut identification = request.identification;
        if let Some(offset) = words.value::<i64>("clock") {
            let clock = ntp(self.now().utc.shifted(offset * 1000));
            identification = Identification::from_halves(clock.high(), identification.low());
        }
        if words.has("other-identification") {
            identification.0 ^= 1;
        }
        let reply = RegionalRegistrationReply {
            code: Code(words.word(0).unwrap().parse().unwrap()),
            lifetime: Lifetime(words.or("lifetime", request.lifetime.0)),
            home_address: words.or("home", request.home_address),
            gfa_ip_address: words.or("gateway", request.gfa_ip_address),
            identification,
        };
        let mut octets = Vec::new();
        reply.emit(&mut octets);
        for text in words.all("mobile-gateway") {
            association(&self.known, text)
                .sign_generalized(&mut octets, GeneralizedAuthentication::MOBILE_GATEWAY);
        }
        if let Some(offset) = words.value::<usize>("flip") {
            octets[offset] ^= 1;
        }
        if let Some(length) = words.value("cut") {
            octets.truncate(length);
        }
        self.deliver(&Recorded { octets, from: way.to, to: way.from, ttl: None }, lines);
        if lines.is_empty() {
            lines.push("silence".to_owned());
        }
    }

    /// Remembers what the next regional request has to begin with.
    pub(super) fn note_regional(&mut self, octets: &[u8]) {
        match message_type(octets) {
            Some(RegionalRegistrationReply::TYPE) => {
                let (reply, _) = RegionalRegistrationReply::parse(octets).unwrap();
                self.last_regional = Some(reply.identification);
            }
            Some(RegistrationReply::TYPE) => {
                let extensions = Extensions::parse(octets, RegistrationReply::LEN).unwrap();
                if let Some((style, _)) = extensions.replay_style {
                    self.last_regional = Some(style.initial_identification);
                }
            }
            _ => {}
        }
    }
}

impl Printer<'_> {
    /// Messages of types 18 and 19.
    pub(super) fn regional(&self, octets: &[u8]) -> String {
        if message_type(octets) == Some(RegionalRegistrationReply::TYPE) {
            let (reply, _) = RegionalRegistrationReply::parse(octets).unwrap();
            let extensions = Extensions::parse(octets, RegionalRegistrationReply::LEN).unwrap();
            return format!(
                "regional-reply {} lifetime={} home={} gateway={} {}{}",
                reply.code,
                print::lifetime(reply.lifetime),
                reply.home_address,
                reply.gfa_ip_address,
                self.identification(reply.identification),
                self.extensions(&extensions)
            );
        }
        let (request, _) = RegionalRegistrationRequest::parse(octets).unwrap();
        let extensions = Extensions::parse(octets, RegionalRegistrationRequest::LEN).unwrap();
        format!(
            "regional-request lifetime={} home={} gateway={} care-of={} flags={} {}{}",
            print::lifetime(request.lifetime),
            request.home_address,
            request.gfa_ip_address,
            request.care_of_address,
            print::flags(request.flags),
            self.identification(request.identification),
            self.extensions(&extensions)
        )
    }

    /// A timestamp within a day is printed as how far it is ahead.
    fn identification(&self, stamp: Identification) -> String {
        let offset = (i128::from(ahead(stamp, ntp(self.utc))) * 1000) >> 32;
        if offset.abs() < 86_400_000 {
            format!("timestamp={offset:+}ms")
        } else {
            format!("nonce={:08x}", stamp.high())
        }
    }
}

/// The extensions of RFC 4857 that authenticate nothing.
pub(super) fn extensions(extensions: &Extensions<'_>) -> String {
    let mut text = String::new();
    if let Some((address, _)) = extensions.hierarchical {
        write!(text, " hierarchical={address}").unwrap();
    }
    if let Some(gateway) = extensions.gateway_covered {
        write!(text, " gfa={gateway}").unwrap();
    }
    if let Some(gateway) = extensions.gateway_appended {
        write!(text, " gfa-between-agents={gateway}").unwrap();
    }
    if let Some((style, _)) = extensions.replay_style {
        let name = match style.style {
            ReplayProtectionStyle::TIMESTAMP => "timestamps",
            ReplayProtectionStyle::NONCE => "nonces",
            _ => "other",
        };
        write!(text, " replay={name}").unwrap();
    }
    if let Some(lifetime) = extensions.regional_lifetime {
        write!(text, " regional-lifetime={}", print::lifetime(lifetime)).unwrap();
    }
    text
}

/// What a visitor's row says of its region.
pub(super) fn visit(visit: &RegionalVisit, stamp: UtcTime) -> String {
    let left = visit.expires_at.map(|at| format!(" regional-left={}", at.since(stamp).as_secs()));
    let nonce = visit.nonce.map(|nonce| format!(" regional-nonce={nonce:08x}"));
    let revocation = print::revocation(visit.revocation.as_ref(), visit.revoking.as_ref());
    let beneath =
        if revocation.is_empty() { String::new() } else { format!(" beneath:{revocation}") };
    format!(
        " gateway={} local={}{}{} regional-accepted={}{beneath}",
        visit.gateway,
        visit.local_care_of_address,
        left.unwrap_or_default(),
        nonce.unwrap_or_default(),
        visit.accepted
    )
}
