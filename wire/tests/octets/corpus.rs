//! The seeds of the fuzzers: every one goes through every decoder here too.

#[path = "../../../fuzz/src/decoders.rs"]
mod decoders;

use std::path::PathBuf;

use decoders::DECODERS;

use crate::store::{fuzz, goldens, read_golden};

/// Seeds beside the goldens: the edges of the extension walk, in hexadecimal.
const EDGES: &[(&str, &str)] = &[
    ("empty", ""),
    ("padding-only", "000000"),
    ("type-without-length", "83"),
    ("length-beyond-the-end", "83ff6e"),
    ("longest-long", "2401ffff000000ff"),
    ("short-without-subtype", "9100"),
    ("unskippable", "2300"),
    ("unskippable-of-known-layout", "280100040000abcd"),
    ("skippable", "c8020000"),
    ("replay-protection-of-length-2", "8d0200010102030405060708"),
    ("replay-protection-cut", "8d02000101"),
    ("authentication-without-authenticator", "2004000003e8"),
    ("authentication-twice", "2005000003e8002005000003e800"),
    ("nai-that-is-none", "8301ff"),
    ("vendor-too-short", "260000050000000900"),
    ("mobile-network-of-no-subtype", "9406091801020304"),
    ("behind-an-error", "83ff8301618301"),
];

/// The seed that a golden, or an edge behind the fixed part of a reply, is for a decoder.
fn seed(decoder: &str, name: &str, octets: &[u8]) -> Option<Vec<u8>> {
    let is_icmp = name.starts_with("icmp-");
    let fixed_part = wire::extensions_offset(octets).ok().filter(|_| !is_icmp);
    match decoder {
        "extensions" => fixed_part.and_then(|fixed_part| octets.get(fixed_part..)),
        "message_extensions" => fixed_part.map(|_| octets),
        _ => {
            let (icmp, kind) = kind_of(decoder);
            (is_icmp == icmp && octets.first() == Some(&kind)).then_some(octets)
        }
    }
    .map(<[u8]>::to_vec)
}

/// Whether a decoder reads ICMP, and its message type.
fn kind_of(decoder: &str) -> (bool, u8) {
    match decoder {
        "advertisement" => (true, wire::AgentAdvertisement::TYPE),
        "solicitation" => (true, wire::AgentSolicitation::TYPE),
        "notification" => (false, wire::GenericNotification::TYPE),
        "notification_acknowledgement" => (false, wire::GenericNotificationAcknowledgement::TYPE),
        "regional_reply" => (false, wire::RegionalRegistrationReply::TYPE),
        "regional_request" => (false, wire::RegionalRegistrationRequest::TYPE),
        "registration_reply" => (false, wire::RegistrationReply::TYPE),
        "registration_request" => (false, wire::RegistrationRequest::TYPE),
        "revocation" => (false, wire::RegistrationRevocation::TYPE),
        "revocation_acknowledgment" => (false, wire::RegistrationRevocationAcknowledgment::TYPE),
        "tunnel_data" => (false, wire::TunnelData::TYPE),
        other => panic!("`{other}` is not said to read anything"),
    }
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).unwrap().try_into().unwrap()).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// All seeds: decoder, name, octets.
fn seeds() -> Vec<(&'static str, String, Vec<u8>)> {
    let mut messages = Vec::new();
    for entry in std::fs::read_dir(goldens()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        messages.push((name, read_golden(&path)));
    }
    assert!(messages.len() > 10, "the goldens are there");
    for (name, edge) in EDGES {
        let reply = messages.iter().find(|(name, _)| name == "registration-reply").unwrap();
        let fixed_part = &reply.1[..wire::RegistrationReply::LEN];
        messages.push((format!("edge-{name}"), [fixed_part, &from_hex(edge)].concat()));
    }
    let mut seeds = Vec::new();
    for (decoder, _) in DECODERS {
        for (name, octets) in &messages {
            seeds
                .extend(seed(decoder, name, octets).map(|octets| (*decoder, name.clone(), octets)));
        }
    }
    seeds
}

#[test]
fn the_corpus_holds_the_goldens_and_the_edges() {
    for (decoder, name, octets) in seeds() {
        let path = fuzz().join("corpus").join(decoder).join(&name);
        if std::env::var_os("UPDATE_GOLDENS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &octets).unwrap();
        }
        let found = std::fs::read(&path).ok();
        assert_eq!(found, Some(octets), "{} (UPDATE_GOLDENS=1 writes it)", path.display());
    }
}

/// Every file of the corpus, a decoder's own and those of all others.
fn corpus() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for (decoder, _) in DECODERS {
        let folder = fuzz().join("corpus").join(decoder);
        let before = files.len();
        files.extend(std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()));
        assert!(files.len() > before, "{} has no seed", folder.display());
    }
    files
}

#[test]
fn every_seed_goes_through_every_decoder() {
    for path in corpus() {
        let octets = std::fs::read(&path).unwrap();
        for (_, decode) in DECODERS {
            decode(&octets);
        }
    }
}

/// Cheap mutations of the seeds: every octet flipped, every strict prefix.
#[test]
fn near_every_seed_no_decoder_panics() {
    for (decoder, _, octets) in seeds() {
        let (_, decode) = DECODERS.iter().find(|(name, _)| *name == decoder).unwrap();
        for at in 0..octets.len() {
            decode(&octets[..at]);
            for mask in [0x01, 0x80, 0xff] {
                let mut mutated = octets.clone();
                mutated[at] ^= mask;
                decode(&mutated);
            }
        }
    }
}

#[test]
fn every_decoder_has_a_fuzz_target() {
    let manifest = std::fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for (decoder, _) in DECODERS {
        let target = std::fs::read_to_string(fuzz().join(format!("targets/{decoder}.rs"))).unwrap();
        assert!(target.contains(&format!("\"{decoder}\"")), "targets/{decoder}.rs names another");
        assert!(manifest.contains(&format!("path = \"targets/{decoder}.rs\"")));
    }
}
