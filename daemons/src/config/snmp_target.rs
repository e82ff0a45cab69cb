//! `[[snmp.target]]`: who gets notifications, and how.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;

use agent::SecurityLevel;

use super::problem::Problems;
use super::section::Section;
use super::snmp::subtrees;
use super::snmp_user::UserConfig;

/// One `[[snmp.target]]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct TargetConfig {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) security: TargetSecurity,
    /// Whether it has to acknowledge.
    pub(crate) inform: bool,
    /// How long it may take to acknowledge, in seconds.
    pub(crate) timeout: u32,
    pub(crate) retries: u32,
    /// The notifications that it gets, or does not: what is below these.
    pub(crate) include: Vec<Vec<u32>>,
    pub(crate) exclude: Vec<Vec<u32>>,
}

/// In which version, and in whose name.
#[derive(Clone, Eq, PartialEq)]
pub(crate) enum TargetSecurity {
    V1 {
        community: String,
    },
    V2c {
        community: String,
    },
    /// At the highest level that the user has keys for, unless one is given.
    V3 {
        user: String,
        level: Option<SecurityLevel>,
    },
}

impl fmt::Debug for TargetSecurity {
    /// Leaves out the community: it is a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V1 { .. } => f.write_str("V1"),
            Self::V2c { .. } => f.write_str("V2c"),
            Self::V3 { user, level } => write!(f, "V3({user:?}, {level:?})"),
        }
    }
}

impl TargetConfig {
    pub(super) fn holds_secrets(&self) -> bool {
        !matches!(self.security, TargetSecurity::V3 { .. })
    }
}

const LEVELS: &[(&str, SecurityLevel)] = &[
    ("noAuthNoPriv", SecurityLevel::NoAuthNoPriv),
    ("authNoPriv", SecurityLevel::AuthNoPriv),
    ("authPriv", SecurityLevel::AuthPriv),
];

#[derive(Clone, Copy, Eq, PartialEq)]
enum Version {
    V1,
    V2c,
    V3,
}

pub(super) fn read<'i>(
    sections: Vec<Section<'i, '_>>,
    users: &[UserConfig],
    problems: &Problems<'i>,
) -> Vec<TargetConfig> {
    let mut names = BTreeSet::new();
    let mut targets = Vec::new();
    for section in sections {
        let span = section.span().clone();
        let Some(target) = read_one(section, users) else { continue };
        if !names.insert(target.name.clone()) {
            problems.add(&span, format!("`snmp.target`: `{}` is there twice", target.name));
        }
        targets.push(target);
    }
    targets
}

fn read_one(mut section: Section<'_, '_>, users: &[UserConfig]) -> Option<TargetConfig> {
    const NAME: &str = "a string of 1 to 32 octets";
    const ADDRESS: &str = "`udp:ADDRESS:PORT`";
    for (key, expected) in [("name", NAME), ("address", ADDRESS)] {
        if section.key_span(key).is_none() {
            section.missing(key, expected);
        }
    }
    let name = section.parsed("name", NAME, |value| {
        value.as_str().filter(|text| (1..=32).contains(&text.len())).map(str::to_owned)
    });
    let address = section
        .parsed("address", ADDRESS, |value| value.as_str()?.strip_prefix("udp:")?.parse().ok());
    let security = security(&mut section);
    let inform_at = section.key_span("inform");
    let inform = section.boolean("inform").unwrap_or_default();
    if let (true, Some(span), Some(security)) = (inform, &inform_at, &security) {
        check_inform(&section, span, security, users);
    }
    let timeout = section.integer("timeout", 1..=3600, " seconds").unwrap_or(15);
    let retries = section.integer("retries", 0..=255, "").unwrap_or(3);
    let include = subtrees(&mut section, "include").unwrap_or_default();
    let exclude = subtrees(&mut section, "exclude").unwrap_or_default();
    section.finish();
    let (name, address, security) = (name?, address?, security?);
    Some(TargetConfig { name, address, security, inform, timeout, retries, include, exclude })
}

/// Says why a target of this security cannot acknowledge.
fn check_inform(
    section: &Section<'_, '_>,
    span: &std::ops::Range<usize>,
    security: &TargetSecurity,
    users: &[UserConfig],
) {
    match security {
        TargetSecurity::V1 { .. } => {
            let message =
                "`snmp.target.inform`: SNMPv1 has no informs: expected version \"2c\" or \"3\"";
            section.problems.add(span, message);
        }
        // The keys at the engine of the receiver are made of passwords.
        TargetSecurity::V3 { user, .. } if !users.iter().any(|known| known.name == *user) => {
            let message = format!(
                "`snmp.target.inform`: expected `[[snmp.user]]` to have the passwords of `{user}`"
            );
            section.problems.add(span, message);
        }
        TargetSecurity::V2c { .. } | TargetSecurity::V3 { .. } => {}
    }
}

fn security(section: &mut Section<'_, '_>) -> Option<TargetSecurity> {
    const COMMUNITY: &str = "the community, because the version is \"1\" or \"2c\"";
    const USER: &str = "the name of a user, because the version is \"3\"";
    let words = &[("1", Version::V1), ("2c", Version::V2c), ("3", Version::V3)];
    let version = section.word("version", words).unwrap_or(Version::V3);
    // No message says what was found: a community is a password.
    let taken = section.take("community");
    let community = taken.as_ref().and_then(|taken| taken.given.as_str());
    let community = community.filter(|name| (1..=255).contains(&name.len())).map(str::to_owned);
    if let (Some(taken), None) = (&taken, &community) {
        let message = format!("`{}`: expected a string of 1 to 255 octets", taken.key);
        section.problems.add(&taken.span, message);
    }
    let user = section.string("user", USER);
    let level = section.word("level", LEVELS);
    match version {
        Version::V3 => {
            if user.is_none() {
                section.missing("user", USER);
            }
            Some(TargetSecurity::V3 { user: user?, level })
        }
        Version::V1 | Version::V2c => {
            if taken.is_none() {
                section.missing("community", COMMUNITY);
            }
            let community = community?;
            Some(match version {
                Version::V1 => TargetSecurity::V1 { community },
                Version::V2c | Version::V3 => TargetSecurity::V2c { community },
            })
        }
    }
}
