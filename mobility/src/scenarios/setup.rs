//! The lines of a scenario that say what there is.

use std::net::Ipv4Addr;
use std::time::Duration;

use ipnet::Ipv4Net;
use store::ReplayProtection;
use wire::{AuthenticationAlgorithm, Lifetime, RouterAddress, SecretKey, Spi};

use super::datagrams::{advertisement_flags, flags, identity, socket};
use super::notifications::reply_messages;
use super::words::Words;
use super::world::World;
use crate::{
    Admission, Advertiser, AdvertiserConfig, ForeignAgent, ForeignAgentConfig, HomeAgent,
    HomeAgentConfig, MobileNode, MobileNodeConfig, RateLimits, ReservedBits, ReverseTunnel,
    SecurityAssociation,
};

pub(super) fn input(world: &mut World, words: &Words<'_>) {
    match words.verb {
        "home-agent" => home_agent(world, words),
        "foreign-agent" => foreign_agent(world, words),
        "gateway" => super::regional::gateway(world, words),
        "advertiser" => advertiser(world, words),
        "association" => {
            let association = association(words);
            world.known.push(association.clone());
            match words.text("for") {
                Some("foreign-agent") => world.foreign_associations.push(association),
                Some("mobile-node") => world.node_associations.push(association),
                Some("gateway") => world.gateway_associations.push(association),
                None => world.associations.push(association),
                Some(other) => panic!("for={other}"),
            }
        }
        "forget" => {
            let peer = identity(words.word(0).unwrap());
            let spi = words.value("spi").map(Spi);
            let is_meant =
                |it: &SecurityAssociation| it.peer == peer && spi.is_none_or(|spi| it.spi == spi);
            world.associations.retain(|it| !is_meant(it));
        }
        "mobile-node" => mobile_node(world, words),
        unknown => panic!("unknown setup {unknown:?}"),
    }
    if let Some((_, home_agent)) = &mut world.home_agent {
        home_agent.set_associations(world.associations.clone());
    }
    if let Some((_, foreign_agent)) = &mut world.foreign_agent {
        foreign_agent.set_associations(world.foreign_associations.clone());
    }
    if let Some((_, gateway)) = &mut world.gateway {
        gateway.set_associations(world.gateway_associations.clone());
    }
    if let Some((config, node)) = &mut world.node {
        let peer = config.nai.clone().map(store::Identity::Nai);
        let peer = peer.or(config.home_address.map(store::Identity::Address)).unwrap();
        // What the node shares with its home agents is named by the node, as these have it.
        let own = world.associations.iter().filter(|it| it.peer == peer);
        node.set_associations(own.chain(&world.node_associations).cloned().collect());
    }
}

fn networks(words: &Words<'_>, key: &str) -> Vec<Ipv4Net> {
    words.all(key).into_iter().map(|text| text.parse().unwrap()).collect()
}

fn home_agent(world: &mut World, words: &Words<'_>) {
    let address: Ipv4Addr = words.word(0).unwrap().parse().unwrap();
    let mut config = HomeAgentConfig::new("ha", address, [1; 32]);
    config.lifetime_max = Lifetime(words.or("max-lifetime", config.lifetime_max.0));
    config.simultaneous_bindings_max = words.or("simultaneous", config.simultaneous_bindings_max);
    config.bindings_max = words.or("max-bindings", config.bindings_max);
    config.in_flight_max = words.or("max-in-flight", config.in_flight_max);
    if words.text("reserved-bits") == Some("ignore") {
        config.reserved_bits = ReservedBits::Ignore;
    }
    config.reverse_tunnel = reverse_tunnel(words);
    config.gre = words.or("gre", true);
    config.minimal_encapsulation = words.or("minimal", true);
    config.pools = networks(words, "pool");
    config.home_networks = networks(words, "network");
    config.shared_home_addresses = networks(words, "shared");
    config.home_link = words.has("home-link");
    config.dynamic_gateways = !words.has("without-dynamic-gateways");
    config.rate_limits = rate_limits(words);
    revocation(&mut config.revocation, words);
    notification(&mut config.notification, words);
    config.messages = reply_messages(words);
    let home_agent = HomeAgent::new(config.clone(), &world.snapshot, world.now());
    world.home_agent = Some((config, home_agent));
}

pub(super) fn rate_limits(words: &Words<'_>) -> RateLimits {
    RateLimits { all: words.value("rate"), peer: words.value("peer-rate") }
}

pub(super) fn revocation(config: &mut crate::RevocationConfig, words: &Words<'_>) {
    config.nai_peers = words.all("nai-peer").into_iter().map(|it| it.parse().unwrap()).collect();
    match words.text("revocation") {
        None => {}
        Some("required") => config.is_required = true,
        Some("off") => config.enabled = false,
        Some("own-inform") => config.negotiates_inform = false,
        Some(other) => panic!("revocation={other}"),
    }
}

pub(super) fn notification(config: &mut crate::NotificationConfig, words: &Words<'_>) {
    match words.text("notification") {
        None => {}
        Some("off") => config.enabled = false,
        Some(other) => panic!("notification={other}"),
    }
}

pub(super) fn reverse_tunnel(words: &Words<'_>) -> ReverseTunnel {
    match words.text("reverse-tunnel") {
        None => ReverseTunnel::Available,
        Some("unavailable") => ReverseTunnel::Unavailable,
        Some("required") => ReverseTunnel::Required,
        Some(other) => panic!("reverse-tunnel={other}"),
    }
}

fn foreign_agent(world: &mut World, words: &Words<'_>) {
    let address: Ipv4Addr = words.word(0).unwrap().parse().unwrap();
    let mut config = ForeignAgentConfig::new("fa", address, [4; 32]);
    let offered = words.all("care-of");
    if !offered.is_empty() {
        config.care_of_addresses = offered.into_iter().map(|it| it.parse().unwrap()).collect();
    }
    config.lifetime_max = Lifetime(words.or("max-lifetime", config.lifetime_max.0));
    config.visitors_max = words.or("max-visitors", config.visitors_max);
    config.pending_max = words.or("max-pending", config.pending_max);
    if words.text("reserved-bits") == Some("ignore") {
        config.reserved_bits = ReservedBits::Ignore;
    }
    config.reverse_tunnel = reverse_tunnel(words);
    config.encapsulating_delivery = words.or("encapsulating-delivery", false);
    config.gre = words.or("gre", true);
    config.minimal_encapsulation = words.or("minimal", true);
    config.rate_limits = rate_limits(words);
    revocation(&mut config.revocation, words);
    notification(&mut config.notification, words);
    config.messages = reply_messages(words);
    config.regional = super::regional::region(words);
    let foreign_agent = ForeignAgent::new(config.clone(), &world.snapshot, world.now());
    world.foreign_agent = Some((config, foreign_agent));
}

fn advertiser(world: &mut World, words: &Words<'_>) {
    let source: Ipv4Addr = words.word(0).unwrap().parse().unwrap();
    let role = store::Role::ForeignAgent;
    let mut config = AdvertiserConfig::new("fa", role, 2, source, [3; 32]);
    config.flags = advertisement_flags(words.text("flags").unwrap_or("F"));
    config.care_of_addresses =
        words.all("care-of").into_iter().map(|text| text.parse().unwrap()).collect();
    let seconds = |key, default: u64| Duration::from_secs(words.or(key, default));
    config.interval_max = seconds("interval", 600);
    config.interval_min = seconds("shortest-interval", config.interval_max.as_secs() * 3 / 4);
    config.lifetime = words.or("lifetime", config.lifetime);
    config.destination = words.or("to", config.destination);
    config.solicited_only = words.has("solicited-only");
    if let Some(prefix) = words.value("prefix") {
        config.routers = vec![RouterAddress { address: source, preference: 0 }];
        config.prefix_lengths = Some(vec![prefix]);
    }
    let mut advertiser = Advertiser::new(config, world.now()).unwrap();
    let nai = words.value("fa-nai");
    advertiser
        .set_region(words.value("gateway").map(|gateway| crate::AdvertisedRegion { gateway, nai }));
    world.advertiser = Some(advertiser);
}

pub(super) fn admission(world: &mut World, words: &Words<'_>) {
    let admission = match words.word(0).unwrap() {
        "open" => Admission::Open,
        "renewals-only" => Admission::RenewalsOnly,
        "closed" => Admission::Closed,
        other => panic!("admission {other}"),
    };
    if words.has("gateway") {
        return world.gateway.as_mut().unwrap().1.set_admission(admission);
    }
    match &mut world.foreign_agent {
        Some((_, foreign_agent)) => foreign_agent.set_admission(admission),
        None => world.home_agent.as_mut().unwrap().1.set_admission(admission),
    }
}

fn association(words: &Words<'_>) -> SecurityAssociation {
    let peer = words.word(0).unwrap();
    let spi: u32 = words.or("spi", 1000);
    let key = words.text("key").map_or(format!("{peer}/{spi}"), str::to_owned);
    SecurityAssociation {
        peer: identity(peer),
        spi: Spi(spi),
        algorithm: match words.text("algorithm").unwrap_or("hmac-md5") {
            "hmac-md5" => AuthenticationAlgorithm::HmacMd5,
            "keyed-md5" => AuthenticationAlgorithm::KeyedMd5,
            "hmac-sha1" => AuthenticationAlgorithm::HmacSha1,
            "hmac-sha256" => AuthenticationAlgorithm::HmacSha256,
            other => panic!("algorithm={other}"),
        },
        key: SecretKey::from_ascii(&key).unwrap(),
        replay: match words.text("replay").unwrap_or("timestamps") {
            "timestamps" => ReplayProtection::Timestamps,
            "nonces" => ReplayProtection::Nonces,
            "none" => ReplayProtection::None,
            other => panic!("replay={other}"),
        },
        tolerance: Duration::from_secs(words.or("tolerance", 7)),
    }
}

fn mobile_node(world: &mut World, words: &Words<'_>) {
    let home_agent = words.text("agent").map_or(socket("10.0.0.1"), socket);
    let local = words.text("care-of").map_or(socket("192.0.2.7:5000"), socket);
    let mut config = MobileNodeConfig::new("mn", home_agent, local, [2; 32]);
    match identity(words.word(0).unwrap()) {
        store::Identity::Address(address) => config.home_address = Some(address),
        store::Identity::Nai(nai) => config.nai = Some(nai),
    }
    config.home_address = words.value("home").or(config.home_address);
    config.lifetime = Lifetime(words.or("lifetime", 600));
    config.flags = words.text("flags").map_or(config.flags, flags);
    config.attempts_max = words.value("attempts");
    config.is_discovery = words.has("discovers");
    config.regional = !words.has("without-regions");
    config.gateway_hold_off = Duration::from_secs(words.or("gateway-hold-off", 30));
    notification(&mut config.notification, words);
    world.skew = words.or("ahead", 0);
    let node = MobileNode::new(config.clone(), &world.snapshot, world.now());
    world.node = Some((config, node));
}
