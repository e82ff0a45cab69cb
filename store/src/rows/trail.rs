//! `trail`: the last events of a mobile node at an agent, for `explain`.

use std::borrow::Cow;
use std::net::{Ipv4Addr, SocketAddrV4};

use serde::{Deserialize, Serialize};
use wire::{Code, Spi};

use super::Unknown;
use crate::{Identity, NodeKey, Row, Table, UtcTime};

/// What happened to a mobile node lately, oldest first; at most [`Trail::EVENTS_MAX`] events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trail {
    /// The home agent or foreign agent that saw it.
    pub agent: Ipv4Addr,
    pub identity: Identity,
    pub events: Vec<TrailEvent>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Trail {
    /// How many events are kept of a node.
    pub const EVENTS_MAX: usize = 30;
}

/// One event, or the same event several times in a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrailEvent {
    /// When it happened last.
    pub at: UtcTime,
    /// What happened: `registered`, `deregistered`, `expired`, or the reason of a denial.
    pub event: Cow<'static, str>,
    /// The Code that was answered; `None` if nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// Where the request came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<SocketAddrV4>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub care_of_address: Option<Ipv4Addr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spi: Option<Spi>,
    /// How far the node's clock was ahead of the agent's, in milliseconds; timestamps only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_offset: Option<i64>,
    /// How often it happened in a row.
    pub times: u64,
}

impl Row for Trail {
    type Key = NodeKey;
    type Orders = ();
    const TABLE: Table = Table::Trail;

    fn key(&self) -> NodeKey {
        NodeKey { home_agent: self.agent, identity: self.identity.clone() }
    }
}
