//! `node_counters`: registration statistics of each mobile node at a home agent.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use wire::Code;

use super::{NodeKey, Unknown};
use crate::{Identity, Row, Table, UtcTime};

/// What `haRegCounterTable` counts for a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeCounters {
    pub home_agent: Ipv4Addr,
    pub identity: Identity,
    /// Requests granted (Codes 0 and 1).
    pub accepted: u64,
    /// Requests refused (Codes 128–159 in the MIB's words; every denial here).
    pub denied: u64,
    /// Service time of bindings that ended, in milliseconds, since the home agent started.
    pub served_milliseconds: u64,
    /// Since when the node has been served without a gap; readers add it to the above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serving_since: Option<UtcTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_accepted_at: Option<UtcTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_denied_at: Option<UtcTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_denied_code: Option<Code>,
    /// When counting began anew, because relaxed writes were lost.
    pub discontinuity_at: UtcTime,
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Row for NodeCounters {
    type Key = NodeKey;
    type Orders = ();
    const TABLE: Table = Table::NodeCounters;

    fn key(&self) -> NodeKey {
        NodeKey { home_agent: self.home_agent, identity: self.identity.clone() }
    }
}
