//! `[snmp]`: who may ask, and where.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::agentx::MasterAddress;
use super::section::Section;
use super::snmp_target::{self, TargetConfig};
use super::snmp_user::{self, UserConfig};

/// `[snmp]`
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct SnmpConfig {
    pub(crate) listen: Vec<Listen>,
    /// `sysContact`, `sysName`, `sysLocation`.
    pub(crate) contact: String,
    pub(crate) name: Option<String>,
    pub(crate) location: String,
    /// The master agent that serves our objects too.
    pub(crate) agentx: Option<MasterAddress>,
    pub(crate) communities: Vec<CommunityConfig>,
    pub(crate) users: Vec<UserConfig>,
    /// Whether `authenticationFailure` is sent (`snmpEnableAuthenTraps` at the start).
    pub(crate) authentication_traps: bool,
    /// Who gets notifications.
    pub(crate) targets: Vec<TargetConfig>,
    /// Where the engine keeps what belongs to it alone; beside the store by default.
    pub(crate) state_file: Option<PathBuf>,
}

/// `[[snmp.community]]`: SNMPv1 and SNMPv2c, read only.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct CommunityConfig {
    pub(crate) name: String,
    /// What it may read: everything below these.
    pub(crate) subtrees: Vec<Vec<u32>>,
}

impl CommunityConfig {
    /// A community that reads all there is.
    pub(crate) fn everything(name: &str) -> Self {
        Self { name: name.to_owned(), subtrees: vec![INTERNET.to_vec()] }
    }
}

impl fmt::Debug for CommunityConfig {
    /// Leaves out the name: it is a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommunityConfig").field("subtrees", &self.subtrees).finish_non_exhaustive()
    }
}

/// A transport address: `udp:127.0.0.1:161`, `udp:[::1]:161`, or `tcp:…` (RFC 3430).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Listen {
    Udp(SocketAddr),
    Tcp(SocketAddr),
}

impl FromStr for Listen {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let (transport, address) = text.split_once(':').ok_or("it names no transport")?;
        let address = address.parse().map_err(|_| "it is no address and port");
        match transport {
            "udp" => address.map(Self::Udp),
            "tcp" => address.map(Self::Tcp),
            _ => Err("its transport is unknown"),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(address) => write!(f, "udp:{address}"),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

/// Below this is everything that there is.
pub(super) const INTERNET: &[u32] = &[1, 3, 6, 1];

const DISPLAY_STRING: &str = "a string of at most 255 octets";

pub(super) fn read(mut section: Section<'_, '_>, folder: &Path) -> SnmpConfig {
    let listen = section.texts("listen", "`udp:ADDRESS:PORT` or `tcp:ADDRESS:PORT`");
    let mut display_string = |key| {
        section.parsed(key, DISPLAY_STRING, |value| {
            value.as_str().filter(|text| text.len() <= 255).map(str::to_owned)
        })
    };
    let contact = display_string("contact").unwrap_or_default();
    let name = display_string("name");
    let location = display_string("location").unwrap_or_default();
    let agentx = section.parsed("agentx", "`unix:PATH` or `tcp:ADDRESS:PORT`", |value| {
        value.as_str().and_then(|text| text.parse().ok())
    });
    let communities = section.sections("community").into_iter().filter_map(community).collect();
    let users = snmp_user::read(section.sections("user"), folder, section.problems);
    let authentication_traps = section.boolean("authentication-traps").unwrap_or_default();
    let targets = snmp_target::read(section.sections("target"), &users, section.problems);
    let state_file = section.string("state-file", "a path").map(|path| folder.join(path));
    section.finish();
    SnmpConfig {
        listen: listen.unwrap_or_default(),
        contact,
        name,
        location,
        agentx,
        communities,
        users,
        authentication_traps,
        targets,
        state_file,
    }
}

fn community(mut section: Section<'_, '_>) -> Option<CommunityConfig> {
    // No message of this key says what was found: a community is a password.
    let taken = section.take("name");
    let name = taken.as_ref().and_then(|taken| taken.given.as_str()).map(str::to_owned);
    let name = name.filter(|name| (1..=255).contains(&name.len()));
    match (&taken, &name) {
        (None, _) => section.missing("name", "the community"),
        (Some(taken), None) => {
            let message = format!("`{}`: expected a string of 1 to 255 octets", taken.key);
            section.problems.add(&taken.span, message);
        }
        (Some(_), Some(_)) => {}
    }
    section.word("access", &[("read", ())]);
    let subtrees = view(&mut section).unwrap_or_else(|| vec![INTERNET.to_vec()]);
    section.finish();
    Some(CommunityConfig { name: name?, subtrees })
}

/// Takes `view`: the subtrees that may be seen.
pub(super) fn view(section: &mut Section<'_, '_>) -> Option<Vec<Vec<u32>>> {
    subtrees(section, "view")
}

/// Takes an array of object identifiers.
pub(super) fn subtrees(section: &mut Section<'_, '_>, key: &'static str) -> Option<Vec<Vec<u32>>> {
    let subtrees: Vec<Subtree> = section.texts(key, "an object identifier in digits")?;
    Some(subtrees.into_iter().map(|subtree| subtree.0).collect())
}

/// `1.3.6.1.2.1.44`, with or without a dot in front.
struct Subtree(Vec<u32>);

impl FromStr for Subtree {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let digits = text.strip_prefix('.').unwrap_or(text);
        let parsed: Result<Vec<u32>, _> = digits.split('.').map(str::parse).collect();
        match parsed {
            Ok(oid) if (2..=128).contains(&oid.len()) => Ok(Self(oid)),
            _ => Err("it is no object identifier"),
        }
    }
}
