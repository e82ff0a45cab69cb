//! `[[association]]`: mobility security associations.

use std::collections::BTreeSet;
use std::path::Path;

use store::{
    Algorithm, Association, AssociationKey, Identity, Origin, ReplayProtection, Role, StorageType,
    Unknown,
};
use wire::{Nai, SecretKey, Spi};

use super::problem::Problems;
use super::secret;
use super::section::Section;

/// One `[[association]]`.
#[derive(Clone, Debug)]
pub(crate) struct AssociationConfig {
    pub(crate) peer: Identity,
    pub(crate) spi: Spi,
    pub(crate) algorithm: Algorithm,
    pub(crate) key: SecretKey,
    pub(crate) replay: ReplayProtection,
    /// In seconds.
    pub(crate) tolerance: u8,
    /// Which agent of ours it belongs to: a home agent's association with a mobile node must not
    /// make a foreign agent ask that node for another authentication.
    pub(crate) role: Role,
    /// Whether the key is in the file itself.
    pub(crate) is_inline: bool,
}

impl AssociationConfig {
    /// What its row is named by.
    pub(crate) fn key(&self) -> AssociationKey {
        AssociationKey { peer: self.peer.clone(), spi: self.spi }
    }

    /// The row that the file of `instance` makes; it has no key in it.
    pub(crate) fn row(&self, instance: &str) -> Association {
        Association {
            peer: self.peer.clone(),
            spi: self.spi,
            reserved_spi: self.spi.is_reserved(),
            keyless: false,
            algorithm: self.algorithm,
            replay: self.replay,
            tolerance: self.tolerance,
            origin: Origin::File,
            storage: StorageType::ReadOnly,
            active: true,
            role: self.role,
            instance: Some(instance.to_owned()),
            changed: None,
            unknown: Unknown::default(),
        }
    }
}

const ROLES: &[(&str, Role)] = &[
    ("home-agent", Role::HomeAgent),
    ("foreign-agent", Role::ForeignAgent),
    ("gateway", Role::Gateway),
    ("mobile-node", Role::MobileNode),
];

const ALGORITHMS: &[(&str, Algorithm)] = &[
    ("hmac-md5", Algorithm::HmacMd5),
    ("keyed-md5", Algorithm::KeyedMd5),
    ("hmac-sha1", Algorithm::HmacSha1),
    ("hmac-sha256", Algorithm::HmacSha256),
];

const REPLAY: &[(&str, ReplayProtection)] = &[
    ("timestamps", ReplayProtection::Timestamps),
    ("nonces", ReplayProtection::Nonces),
    ("none", ReplayProtection::None),
];

/// RFC 5944 §5.7.1: the default is 7 seconds.
const TOLERANCE: u8 = 7;

/// RFC 5944 §5.7.1: it SHOULD be more than 3 seconds.
const TOLERANCE_SHORT: u8 = 3;

pub(super) fn read<'i>(
    sections: Vec<Section<'i, '_>>,
    folder: &Path,
    default_role: Role,
    problems: &Problems<'i>,
    warnings: &mut Vec<String>,
) -> Vec<AssociationConfig> {
    let mut names = BTreeSet::new();
    let mut associations = Vec::new();
    for section in sections {
        let span = section.span().clone();
        let Some(association) = read_one(section, folder, default_role, warnings) else { continue };
        let name = (association.peer.clone(), association.spi);
        if !names.insert(name) {
            let (peer, spi) = (&association.peer, association.spi);
            problems.add(&span, format!("`association`: {peer} has SPI {spi} twice"));
        }
        associations.push(association);
    }
    associations
}

fn read_one(
    mut section: Section<'_, '_>,
    folder: &Path,
    default_role: Role,
    warnings: &mut Vec<String>,
) -> Option<AssociationConfig> {
    const PEER: &str =
        "a home address, the address of an agent, or an NAI such as `user@example.com`";
    const SPI: &str = "an integer from 256 to 4294967295";
    let is_missing = |section: &Section<'_, '_>, key| section.key_span(key).is_none();
    let (no_peer, no_spi) = (is_missing(&section, "peer"), is_missing(&section, "spi"));
    let peer = section.parsed("peer", PEER, |value| identity(value.as_str()?));
    if no_peer {
        section.missing("peer", PEER);
    }
    let reserved_allowed = section.boolean("allow-reserved-spi").unwrap_or(false);
    let least = if reserved_allowed { 0 } else { 256 };
    // 0 to 255 are reserved (RFC 5944 §1.6), but there are networks that use them.
    let unit = if reserved_allowed { "" } else { " (below 256 with `allow-reserved-spi = true`)" };
    let spi = section.integer("spi", least..=u32::MAX, unit).map(Spi);
    if no_spi {
        section.missing("spi", SPI);
    }
    let algorithm = section.word("algorithm", ALGORITHMS).unwrap_or(Algorithm::HmacMd5);
    let is_inline = section.key_span("key").is_some();
    let key = secret::key(&mut section, folder);
    let replay = section.word("replay", REPLAY).unwrap_or(ReplayProtection::Timestamps);
    let tolerance = section.integer("tolerance", 1..=255, " seconds");
    let tolerance = tolerance.and_then(|seconds| u8::try_from(seconds).ok()).unwrap_or(TOLERANCE);
    let role = section.word("agent", ROLES).unwrap_or(default_role);
    section.finish();
    let (peer, spi, key) = (peer?, spi?, key?);
    if spi.is_reserved() {
        warnings.push(format!("the association with {peer} uses the reserved SPI {spi}"));
    }
    if tolerance <= TOLERANCE_SHORT && replay == ReplayProtection::Timestamps {
        warnings.push(format!(
            "the association with {peer}, SPI {spi}, tolerates {tolerance} s: clocks of mobile nodes \
             are often off by more"
        ));
    }
    Some(AssociationConfig { peer, spi, algorithm, key, replay, tolerance, role, is_inline })
}

fn identity(text: &str) -> Option<Identity> {
    if let Ok(address) = text.parse() {
        return Some(Identity::Address(address));
    }
    // Digits and dots alone are an address that went wrong, not a name.
    let looks_like_address = text.chars().all(|c| c.is_ascii_digit() || c == '.');
    if looks_like_address {
        return None;
    }
    Nai::new(text).ok().map(Identity::Nai)
}
