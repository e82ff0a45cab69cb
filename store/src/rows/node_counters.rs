//! `node_counters`: registration statistics of each mobile node at a home agent.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wire::Code;

use super::written::Written;
use super::{NodeKey, Unknown, decode_known};
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
    /// Service time that ended, in milliseconds, in the run of `counted_since`.
    pub served_milliseconds: u64,
    /// Since when the node has been served without a gap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serving_since: Option<UtcTime>,
    /// The start of the home agent that service time was counted by. The MIB counts it from the
    /// last start: [`Self::served`] leaves out what is of an earlier one, so that a start need not
    /// write a million rows.
    #[serde(default)]
    pub counted_since: UtcTime,
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

/// [`NodeCounters`] without fields that this version does not know.
#[derive(Deserialize)]
#[serde(remote = "NodeCounters", deny_unknown_fields)]
struct Known {
    home_agent: Ipv4Addr,
    identity: Identity,
    accepted: u64,
    denied: u64,
    served_milliseconds: u64,
    #[serde(default)]
    serving_since: Option<UtcTime>,
    #[serde(default)]
    counted_since: UtcTime,
    #[serde(default)]
    last_accepted_at: Option<UtcTime>,
    #[serde(default)]
    last_denied_at: Option<UtcTime>,
    #[serde(default)]
    last_denied_code: Option<Code>,
    discontinuity_at: UtcTime,
    #[serde(skip)]
    unknown: Unknown,
}

impl NodeCounters {
    /// Reads what this version writes.
    pub(super) fn of_written(octets: &[u8]) -> Option<Self> {
        Written::read(octets, |from| {
            from.word("{\"home_agent\":\"")?;
            let home_agent = from.address()?;
            from.word("\",\"identity\":")?;
            let identity = from.identity()?;
            from.word(",\"accepted\":")?;
            let accepted = from.number()?;
            from.word(",\"denied\":")?;
            let denied = from.number()?;
            from.word(",\"served_milliseconds\":")?;
            let served_milliseconds = from.number()?;
            let mut instant =
                |name: &str| if from.has(name) { from.instant().map(Some) } else { Some(None) };
            let serving_since = instant(",\"serving_since\":")?;
            let counted_since = instant(",\"counted_since\":")??;
            let last_accepted_at = instant(",\"last_accepted_at\":")?;
            let last_denied_at = instant(",\"last_denied_at\":")?;
            let last_denied_code =
                if from.has(",\"last_denied_code\":") { Some(Code(from.number()?)) } else { None };
            from.word(",\"discontinuity_at\":")?;
            let discontinuity_at = from.instant()?;
            from.end()?;
            Some(Self {
                home_agent,
                identity,
                accepted,
                denied,
                served_milliseconds,
                serving_since,
                counted_since,
                last_accepted_at,
                last_denied_at,
                last_denied_code,
                discontinuity_at,
                unknown: Unknown::default(),
            })
        })
    }

    /// How long the node was served at `now` since its home agent started; both are on the clock of
    /// the home agent, as are all stamps.
    pub fn served(&self, started_at: UtcTime, now: UtcTime) -> Duration {
        let is_of_this_run = self.counted_since >= started_at;
        let ended = if is_of_this_run { self.served_milliseconds } else { 0 };
        let running = self.serving_since.map(|since| now.since(since.max(started_at)));
        Duration::from_millis(ended) + running.unwrap_or_default()
    }
}

impl Row for NodeCounters {
    type Key = NodeKey;
    type Orders = ();
    const TABLE: Table = Table::NodeCounters;

    fn decode(octets: &[u8]) -> Result<Self, serde_json::Error> {
        decode_known(octets, Self::of_written, |json| Known::deserialize(json))
    }

    fn key(&self) -> NodeKey {
        NodeKey { home_agent: self.home_agent, identity: self.identity.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::node_counters;

    #[test]
    fn service_time_counts_from_the_start_of_the_home_agent() {
        let at = |seconds: i64| UtcTime(seconds * 1000);
        let mut row = node_counters(7, 1);
        (row.served_milliseconds, row.counted_since) = (5_000, at(100));
        row.serving_since = Some(at(150));
        assert_eq!(row.served(at(100), at(160)), Duration::from_secs(15));
        // A start later: what goes on counts from there, and what had ended does not count.
        assert_eq!(row.served(at(155), at(160)), Duration::from_secs(5));
        row.serving_since = None;
        assert_eq!(row.served(at(100), at(160)), Duration::from_secs(5));
        assert_eq!(row.served(at(101), at(160)), Duration::ZERO);
    }

    #[test]
    fn rows_decode_the_same_with_and_without_unknown_fields() {
        let mut row = node_counters(7, 1);
        let octets = serde_json::to_vec(&row).unwrap();
        assert_eq!(NodeCounters::decode(&octets).unwrap(), row);
        assert_eq!(serde_json::from_slice::<NodeCounters>(&octets).unwrap(), row);
        assert_eq!(NodeCounters::of_written(&octets).unwrap(), row);
        let older = String::from_utf8(octets).unwrap().replace(r#""counted_since":0,"#, "");
        assert_eq!(NodeCounters::decode(older.as_bytes()).unwrap(), row, "{older}");
        row.unknown.insert("mood", "good");
        let octets = serde_json::to_vec(&row).unwrap();
        assert_eq!(NodeCounters::decode(&octets).unwrap(), row);
        assert!(NodeCounters::decode(&octets[..octets.len() - 1]).is_err());
    }
}
