//! `regional`: which foreign agents belong to which gateway (RFC 4857), as it is in force.

use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use wire::{Nai, Spi};

use super::{Changed, Origin, Role, StorageType, Unknown};
use crate::{Key, Row, Table};

/// One agent of a region: a gateway foreign agent, or a foreign agent beneath one.
///
/// ```json
/// {"address":"192.0.2.9","gateway":{"dynamic":true,"replay":"timestamps"},
///  "origin":"cli","storage":"non-volatile"}
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Regional {
    /// The address that the agent serves at.
    pub address: Ipv4Addr,
    #[serde(flatten)]
    pub value: RegionalValue,
    pub origin: Origin,
    pub storage: StorageType,
    /// Whose file it is from, if its origin is the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<Changed>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// Names an agent of a region.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegionalSubject {
    Gateway(Ipv4Addr),
    ForeignAgent(Ipv4Addr),
}

/// What is configured of an agent of a region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegionalValue {
    Gateway(GatewaySetting),
    ForeignAgent(RegionalForeignAgent),
}

/// How a gateway foreign agent serves its region; times are in seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GatewaySetting {
    /// The longest lifetime of a home registration that it passes on; `None` leaves it to its file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<u16>,
    /// The longest lifetime of a regional registration (RFC 4857 §9.4); `None` is that of the home
    /// registration, which is always a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regional_lifetime: Option<u16>,
    #[serde(default)]
    pub replay: RegionalReplay,
    /// Whether it takes requests without a care-of address, and assigns itself (RFC 4857 §7.3).
    #[serde(default)]
    pub dynamic: bool,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// How a foreign agent belongs to a region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegionalForeignAgent {
    /// The gateway that it advertises, or chooses where nodes leave it to the region.
    pub gateway: Ipv4Addr,
    /// Other gateways that it relays to: nodes that come from their part of the region keep theirs.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub also: BTreeSet<Ipv4Addr>,
    #[serde(default)]
    pub assignment: GatewayAssignment,
    /// The FA-NAI that it advertises (RFC 4857 §8.2); its realm tells nodes the domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nai: Option<Nai>,
    /// The SPI of the associations by which it and its gateways know each other (RFC 4857 §11).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spi: Option<Spi>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// Which replay protection a gateway agrees to (RFC 4857 §9.3).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RegionalReplay {
    #[default]
    Timestamps,
    Nonces,
    /// Whichever a node asks for.
    Any,
}

/// How nodes come to a gateway.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GatewayAssignment {
    /// The foreign agent advertises its address (RFC 4857 §4.3).
    #[default]
    Advertised,
    /// It advertises all ones, and the gateway assigns itself (RFC 4857 §7).
    Dynamic,
}

impl RegionalSubject {
    pub const fn address(self) -> Ipv4Addr {
        match self {
            Self::Gateway(address) | Self::ForeignAgent(address) => address,
        }
    }

    /// The role that the agent plays.
    pub const fn role(self) -> Role {
        match self {
            Self::Gateway(_) => Role::Gateway,
            Self::ForeignAgent(_) => Role::ForeignAgent,
        }
    }
}

/// `gateway 192.0.2.9`, as commands name it.
impl fmt::Display for RegionalSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.role().as_str(), self.address())
    }
}

/// `gateway/192.0.2.9`, `foreign-agent/192.0.2.1`.
impl Key for RegionalSubject {
    fn path(&self) -> String {
        format!("{}/{}", self.role().as_str(), self.address())
    }

    fn from_path(path: &str) -> Option<Self> {
        let (kind, address) = path.split_once('/')?;
        let address = address.parse().ok()?;
        match kind {
            "gateway" => Some(Self::Gateway(address)),
            "foreign-agent" => Some(Self::ForeignAgent(address)),
            _ => None,
        }
    }
}

impl RegionalValue {
    /// What it is called, at `address`.
    pub const fn subject(&self, address: Ipv4Addr) -> RegionalSubject {
        match self {
            Self::Gateway(_) => RegionalSubject::Gateway(address),
            Self::ForeignAgent(_) => RegionalSubject::ForeignAgent(address),
        }
    }

    /// Its fields as commands name them, each with its value in words; without those that are not set.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Gateway(gateway) => gateway.fields(),
            Self::ForeignAgent(foreign_agent) => foreign_agent.fields(),
        }
    }
}

impl Default for GatewaySetting {
    fn default() -> Self {
        Self {
            lifetime: None,
            regional_lifetime: None,
            replay: RegionalReplay::Timestamps,
            dynamic: false,
            unknown: Unknown::default(),
        }
    }
}

impl GatewaySetting {
    fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = Vec::new();
        fields.extend(self.lifetime.map(|seconds| ("lifetime", seconds.to_string())));
        let regional = self.regional_lifetime;
        fields.extend(regional.map(|seconds| ("regional-lifetime", seconds.to_string())));
        fields.push(("replay", self.replay.as_str().to_owned()));
        fields.push(("dynamic", if self.dynamic { "yes" } else { "no" }.to_owned()));
        fields
    }
}

impl RegionalForeignAgent {
    /// Beneath `gateway`, and everything else as it is by default.
    pub fn beneath(gateway: Ipv4Addr) -> Self {
        Self {
            gateway,
            also: BTreeSet::new(),
            assignment: GatewayAssignment::Advertised,
            nai: None,
            spi: None,
            unknown: Unknown::default(),
        }
    }

    /// All gateways that it relays to.
    pub fn gateways(&self) -> impl Iterator<Item = Ipv4Addr> {
        std::iter::once(self.gateway).chain(self.also.iter().copied())
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![("gateway", self.gateway.to_string())];
        if !self.also.is_empty() {
            let also: Vec<String> = self.also.iter().map(ToString::to_string).collect();
            fields.push(("also", also.join(" ")));
        }
        fields.push(("assignment", self.assignment.as_str().to_owned()));
        fields.extend(self.nai.as_ref().map(|nai| ("nai", nai.to_string())));
        fields.extend(self.spi.map(|spi| ("spi", spi.to_string())));
        fields
    }
}

impl RegionalReplay {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timestamps => "timestamps",
            Self::Nonces => "nonces",
            Self::Any => "any",
        }
    }
}

impl GatewayAssignment {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Advertised => "advertised",
            Self::Dynamic => "dynamic",
        }
    }
}

impl Row for Regional {
    type Key = RegionalSubject;
    type Orders = ();
    const TABLE: Table = Table::Regional;

    fn key(&self) -> RegionalSubject {
        self.value.subject(self.address)
    }
}
