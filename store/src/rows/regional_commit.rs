//! `regional_commits` and `regional_changes`: the history of the regional configuration.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{RegionalSubject, RegionalValue, Unknown};
use crate::{Key, Row, Snapshot, Table, UtcTime};

/// Numbers a commit of the regional configuration; the next one has the next number. Zero is before the first.
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct RegionalCommitId(pub u32);

impl RegionalCommitId {
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for RegionalCommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RegionalCommitId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl Key for RegionalCommitId {
    fn path(&self) -> String {
        self.0.to_string()
    }

    fn from_path(path: &str) -> Option<Self> {
        let id: u32 = path.parse().ok()?;
        (id.to_string() == path).then_some(Self(id))
    }
}

/// One commit: who changed the regional configuration, when, and why.
///
/// ```text
/// unconfirmed ── somebody confirms it ──▶ confirmed
///      │
///      └── its deadline passes, or somebody rolls it back ──▶ rolled-back
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegionalCommit {
    pub id: RegionalCommitId,
    pub cause: CommitCause,
    /// Who asked, stamped by the server from the credentials of the peer.
    #[serde(default)]
    pub who: String,
    /// When, stamped by the server.
    #[serde(default)]
    pub at: UtcTime,
    /// Why, in the operator's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many agents it changed.
    pub changes: u32,
    /// Within how many seconds after `at` it had to be confirmed, if it had to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_within: Option<u32>,
    pub state: CommitState,
    /// Who confirmed it or rolled it back, if somebody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// What a commit is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CommitCause {
    /// Somebody committed a candidate.
    Candidate,
    /// Somebody went back to how it was after the commit of that number.
    RollBack(RegionalCommitId),
    /// Nobody confirmed the commit before it in time.
    NotConfirmed(RegionalCommitId),
}

/// What became of a commit.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CommitState {
    /// It is rolled back unless it is confirmed in time.
    Unconfirmed,
    Confirmed,
    RolledBack,
}

impl CommitState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unconfirmed => "unconfirmed",
            Self::Confirmed => "confirmed",
            Self::RolledBack => "rolled back",
        }
    }
}

impl fmt::Display for CommitCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Candidate => f.write_str("commit"),
            Self::RollBack(to) => write!(f, "rollback to {to}"),
            Self::NotConfirmed(of) => write!(f, "{of} was not confirmed"),
        }
    }
}

impl RegionalCommit {
    /// The longest reason, in octets.
    pub const REASON_MAX: usize = 200;
    /// The longest time for a confirmation: a week, in seconds.
    pub const CONFIRM_WITHIN_MAX: u32 = 7 * 24 * 3600;
    /// How many commits are kept.
    pub const KEPT_MAX: usize = 256;

    /// The newest commit, if there was one.
    pub fn last(snapshot: &Snapshot) -> Option<&std::sync::Arc<Self>> {
        snapshot.rows::<Self>().iter().next_back()
    }

    /// The number of the newest commit.
    pub fn last_id(snapshot: &Snapshot) -> RegionalCommitId {
        Self::last(snapshot).map(|commit| commit.id).unwrap_or_default()
    }

    /// When it is rolled back unless it is confirmed.
    pub fn deadline(&self) -> Option<UtcTime> {
        let within = i64::from(self.confirm_within?) * 1000;
        (self.state == CommitState::Unconfirmed).then(|| self.at.shifted(within))
    }

    /// Whether an operator may write `new` where `old` is: a new commit, or the end of one that
    /// waits to be confirmed.
    pub fn admits(old: Option<&Self>, new: &Self) -> Result<(), &'static str> {
        let Some(old) = old else { return new.check() };
        let ended = Self { state: new.state, ended_by: new.ended_by.clone(), ..old.clone() };
        if ended != *new {
            return Err("history is not changed");
        }
        match (old.state, new.state) {
            (CommitState::Unconfirmed, CommitState::Confirmed | CommitState::RolledBack) => Ok(()),
            _ => Err("it does not wait to be confirmed"),
        }
    }

    fn check(&self) -> Result<(), &'static str> {
        if self.reason.as_ref().is_some_and(|reason| reason.len() > Self::REASON_MAX) {
            return Err("its reason is longer than 200 octets");
        }
        if matches!(self.cause, CommitCause::NotConfirmed(_)) {
            return Err("only daemons roll back what was not confirmed");
        }
        match (self.state, self.confirm_within) {
            (CommitState::Confirmed, None)
            | (CommitState::Unconfirmed, Some(1..=Self::CONFIRM_WITHIN_MAX)) => Ok(()),
            (CommitState::Unconfirmed, _) => Err("it must be confirmed within 1 s to a week"),
            _ => Err("a new commit is confirmed, or waits to be"),
        }
    }
}

impl Row for RegionalCommit {
    type Key = RegionalCommitId;
    type Orders = ();
    const TABLE: Table = Table::RegionalCommits;

    fn key(&self) -> RegionalCommitId {
        self.id
    }
}

/// What a commit made of one agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegionalChange {
    pub id: RegionalCommitId,
    pub subject: RegionalSubject,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<RegionalValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<RegionalValue>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl RegionalChange {
    /// What the commit of that number changed.
    pub fn of(
        id: RegionalCommitId,
        snapshot: &Snapshot,
    ) -> impl Iterator<Item = &std::sync::Arc<Self>> {
        Self::since(id, snapshot).take_while(move |change| change.id == id)
    }

    /// What the commits from `id` on changed, in their order.
    pub fn since(
        id: RegionalCommitId,
        snapshot: &Snapshot,
    ) -> impl Iterator<Item = &std::sync::Arc<Self>> {
        let least = RegionalSubject::Gateway(std::net::Ipv4Addr::UNSPECIFIED);
        let first = RegionalChangeKey { id, subject: least };
        snapshot.rows::<Self>().range(first..).map(|(_, entry)| &entry.row)
    }
}

/// Names a change.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct RegionalChangeKey {
    pub id: RegionalCommitId,
    pub subject: RegionalSubject,
}

/// `7/gateway/192.0.2.9`.
impl Key for RegionalChangeKey {
    fn path(&self) -> String {
        format!("{}/{}", self.id, self.subject.path())
    }

    fn from_path(path: &str) -> Option<Self> {
        let (id, subject) = path.split_once('/')?;
        Some(Self {
            id: RegionalCommitId::from_path(id)?,
            subject: RegionalSubject::from_path(subject)?,
        })
    }
}

impl Row for RegionalChange {
    type Key = RegionalChangeKey;
    type Orders = ();
    const TABLE: Table = Table::RegionalChanges;

    fn key(&self) -> RegionalChangeKey {
        RegionalChangeKey { id: self.id, subject: self.subject }
    }
}
