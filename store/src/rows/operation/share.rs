//! `operation_shares`: what one owner does of an operation.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::{OperationId, OperationOwner, OperationState};
use crate::rows::{Role, Unknown};
use crate::{Key, Row, Snapshot, Table, UtcTime};

/// One owner's part of an operation. Only that owner writes it; that it exists is the claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperationShare {
    pub id: OperationId,
    pub owner: OperationOwner,
    pub state: OperationState,
    /// How many targets the owner found.
    pub targets: u64,
    /// How many have ended in which way, by [`TargetResult::word`](super::TargetResult::word).
    #[serde(default)]
    pub results: BTreeMap<String, u64>,
    pub claimed_at: UtcTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<UtcTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// Names a share.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct OperationShareKey {
    pub id: OperationId,
    pub role: Role,
    pub address: Ipv4Addr,
}

impl Key for OperationShareKey {
    fn path(&self) -> String {
        format!("{}/{}/{}", self.id, self.role.as_str(), self.address)
    }

    fn from_path(path: &str) -> Option<Self> {
        let mut parts = path.split('/');
        let key = Self {
            id: OperationId::from_path(parts.next()?)?,
            role: Role::from_str(parts.next()?)?,
            address: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(key)
    }
}

impl Row for OperationShare {
    type Key = OperationShareKey;
    type Orders = ();
    const TABLE: Table = Table::OperationShares;

    fn key(&self) -> OperationShareKey {
        OperationShareKey { id: self.id, role: self.owner.role, address: self.owner.address }
    }
}

/// How far an operation is, over all its shares.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Progress {
    /// Targets that owners have found so far.
    pub targets: u64,
    /// How many have ended in which way.
    pub results: BTreeMap<String, u64>,
}

impl Progress {
    pub fn of(id: OperationId, snapshot: &Snapshot) -> Self {
        let mut progress = Self::default();
        for share in shares(id, snapshot) {
            progress.targets += share.targets;
            for (word, count) in &share.results {
                *progress.results.entry(word.clone()).or_insert(0) += count;
            }
        }
        progress
    }

    /// How many targets have a result.
    pub fn ended(&self) -> u64 {
        self.results.values().sum()
    }

    /// How many did not become what was asked for.
    pub fn failed(&self) -> u64 {
        let is_failure = |word: &str| !matches!(word, "acknowledged" | "not-negotiated" | "gone");
        self.results.iter().filter(|(word, _)| is_failure(word)).map(|(_, count)| count).sum()
    }
}

/// The shares of an operation.
pub(crate) fn shares(
    id: OperationId,
    snapshot: &Snapshot,
) -> impl Iterator<Item = &std::sync::Arc<OperationShare>> {
    let address = Ipv4Addr::UNSPECIFIED;
    let first = OperationShareKey { id, role: Role::HomeAgent, address };
    let rows = snapshot.rows::<OperationShare>().range(first..);
    rows.take_while(move |(key, _)| key.id == id).map(|(_, entry)| &entry.row)
}

impl OperationShare {
    /// The shares of an operation.
    pub fn of(id: OperationId, snapshot: &Snapshot) -> impl Iterator<Item = &std::sync::Arc<Self>> {
        shares(id, snapshot)
    }
}
