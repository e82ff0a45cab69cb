//! `instances`: one row a daemon process.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Unknown;
use crate::{Row, Rows, Table, UtcTime};

/// A daemon, kept alive by its heartbeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// Unique in the store; configured, or `hostname` plus the roles.
    pub name: String,
    pub roles: Vec<Role>,
    /// The addresses its agents serve on.
    pub addresses: Vec<Ipv4Addr>,
    pub version: String,
    pub process_id: u32,
    pub started_at: UtcTime,
    /// Written every second; stale after three were missed.
    pub heartbeat_at: UtcTime,
    /// How far its wall clock was stepped since it started, in milliseconds.
    /// Readers subtract it when they compare its instants with their clock.
    pub clock_step: i64,
    pub state: InstanceState,
    /// Up to which revision it has taken in the configuration: it acts on what the rows say at
    /// that revision, but for those that `apply_errors` names.
    pub applied_revision: u64,
    /// What of the configuration it does not act on, in words for people; `None` if it acts on all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apply_error: Option<String>,
    /// What mobile nodes say of its clock; `None` if it serves none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_health: Option<ClockHealth>,
    /// The same for programs: the path of a row, or that of the configuration file, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub apply_errors: BTreeMap<String, String>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    HomeAgent,
    ForeignAgent,
    /// A gateway foreign agent (RFC 4857).
    Gateway,
    MobileNode,
    Snmp,
    Store,
}

impl Role {
    /// The roles that `mipEnable` switches: those of mobility agents.
    pub const SWITCHED: [Self; 3] = [Self::HomeAgent, Self::ForeignAgent, Self::Gateway];
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceState {
    Starting,
    Serving,
    Draining,
    Gone,
}

/// What the timestamps of mobile nodes say of a home agent's clock (RFC 5944 §5.7.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ClockHealth {
    pub state: ClockState,
    /// How many nodes were heard lately; a sample, not all of them.
    pub nodes: u32,
    /// How many of them sent a timestamp beyond the tolerance.
    pub disagreeing: u32,
    /// How far ahead of ours the clocks of those were, the median, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
}

/// Whether a clock is to be believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockState {
    /// Too few nodes were heard.
    Unknown,
    Good,
    /// Most nodes disagree with it: an alarm.
    Suspect,
}

/// How often an instance writes its heartbeat.
pub const HEARTBEAT: Duration = Duration::from_secs(1);
/// An instance that missed this many is stale.
pub const HEARTBEATS_MISSED_MAX: u32 = 3;

impl Instance {
    /// How long ago, by a clock that reads `now`, its last heartbeat was.
    pub fn heartbeat_age(&self, now: UtcTime) -> Duration {
        now.shifted(self.clock_step.saturating_neg()).since(self.heartbeat_at)
    }

    /// Whether it missed so many heartbeats that it may be dead.
    pub fn is_silent(&self, now: UtcTime) -> bool {
        self.heartbeat_age(now) > HEARTBEAT * HEARTBEATS_MISSED_MAX
    }
}

impl Rows<Instance> {
    /// The instance of this name.
    pub fn named(&self, name: &str) -> Option<&Arc<Instance>> {
        self.map().get(name).map(|entry| &entry.row)
    }
}

impl Row for Instance {
    type Key = String;
    type Orders = ();
    const TABLE: Table = Table::Instances;

    fn key(&self) -> String {
        self.name.clone()
    }
}

impl Role {
    pub const ALL: [Self; 6] = [
        Self::HomeAgent,
        Self::ForeignAgent,
        Self::Gateway,
        Self::MobileNode,
        Self::Snmp,
        Self::Store,
    ];

    /// Its word in keys, files and output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HomeAgent => "home-agent",
            Self::ForeignAgent => "foreign-agent",
            Self::Gateway => "gateway",
            Self::MobileNode => "mobile-node",
            Self::Snmp => "snmp",
            Self::Store => "store",
        }
    }

    pub(crate) fn from_str(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}
