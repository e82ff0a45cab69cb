//! `operations`: what operators have daemons do: revoke, notify, drain.
//!
//! ```text
//! pending ── an owner claims it ──▶ expanding ──▶ running ──▶ done
//!    │                                 │            │ ▲
//!    │                                 │            ▼ │
//!    └──────────▶ cancelled ◀──────────┴────────── paused          anything ──▶ failed
//! ```
//!
//! Who asks writes the row, and afterwards its [`OperationWish`] alone; daemons
//! write all the rest. Each owner of targets has a row of its own in
//! `operation_shares`, and each target one in `operation_targets`.

mod selector;
mod share;
mod target;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use selector::{Found, OperationSelector, Subject};
pub use share::{OperationShare, OperationShareKey, Progress};
pub use target::{OperationTarget, OperationTargetKey, TargetKey, TargetResult, TargetState};

use super::{Role, Unknown};
use crate::{Key, Revision, Row, Snapshot, Table, UtcTime};

/// Names an operation; the next one has the next number.
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct OperationId(pub u32);

impl OperationId {
    /// The number that a new operation takes.
    pub fn next(snapshot: &Snapshot) -> Self {
        let last = snapshot.rows::<Operation>().iter().next_back();
        Self(last.map_or(1, |last| last.id.0.saturating_add(1)))
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for OperationId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl Key for OperationId {
    fn path(&self) -> String {
        self.0.to_string()
    }

    fn from_path(path: &str) -> Option<Self> {
        let id: u32 = path.parse().ok()?;
        (id.to_string() == path).then_some(Self(id))
    }
}

/// One thing to be done to every target that a selector names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    pub id: OperationId,
    pub action: OperationAction,
    pub selector: OperationSelector,
    /// The revision at which the targets were counted; what came to be later is none of them.
    /// Zero stands for that of the row itself.
    #[serde(default)]
    pub counted_at: Revision,
    /// More targets than this are refused as a whole.
    pub maximum: u32,
    /// The agents that had targets when they were counted.
    #[serde(default)]
    pub owners: Vec<OperationOwner>,
    /// What has not been tried by then is not tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<UtcTime>,
    /// How many targets each owner begins with in a second; `None` is as many as it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// Why, in the operator's words; goes into the audit trail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who asked, stamped by the server from the credentials of the peer.
    #[serde(default)]
    pub who: String,
    /// When it was asked for, stamped by the server.
    #[serde(default)]
    pub created_at: UtcTime,
    #[serde(default)]
    pub wish: OperationWish,
    #[serde(default)]
    pub state: OperationState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<UtcTime>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Operation {
    /// How many operations that have ended are kept, with their targets.
    pub const KEPT_MAX: usize = 64;
    /// How many rows of targets are kept of all operations that have ended.
    pub const TARGETS_KEPT_MAX: usize = 200_000;
    /// How many agents or mobile nodes may have targets of one operation.
    pub const OWNERS_MAX: usize = 1000;
    /// The longest reason, in octets.
    pub const REASON_MAX: usize = 200;

    /// The revision at which a target must have been there.
    pub fn revision(&self, created: Revision) -> Revision {
        if self.counted_at == Revision::default() { created } else { self.counted_at }
    }

    /// What is wrong with an operation that somebody asks for.
    pub fn check(&self) -> Result<(), &'static str> {
        if !self.selector.is_given() {
            return Err("it selects nothing: a selector is missing");
        }
        if self.selector.nais.iter().any(|glob| glob.parse::<crate::Glob>().is_err()) {
            return Err("a pattern for NAIs is empty");
        }
        if self.owners.len() > Self::OWNERS_MAX {
            return Err("more than 1000 agents or mobile nodes would have a part in it");
        }
        if self.rate == Some(0) {
            return Err("a rate of zero never ends");
        }
        if self.reason.as_ref().is_some_and(|reason| reason.len() > Self::REASON_MAX) {
            return Err("its reason is longer than 200 octets");
        }
        match &self.action {
            OperationAction::NotifyMessage { text, .. } if text.is_empty() => {
                Err("its message is empty")
            }
            OperationAction::NotifyMessage { text, .. }
                if text.len() > wire::MessageString::TEXT_MAX =>
            {
                Err("its message is longer than the 254 octets that an extension holds")
            }
            OperationAction::Drain { .. } if self.selector.home_agents.len() != 1 => {
                Err("a drain is of one home agent")
            }
            OperationAction::NotifyShutdown { alternate: Some(alternate), .. }
            | OperationAction::Drain { alternate: Some(alternate), .. }
                if self.selector.home_agents.contains(alternate) =>
            {
                Err("the alternate is the home agent that ends")
            }
            OperationAction::Drain { .. } if self.deadline.is_none() => {
                Err("a drain needs a deadline")
            }
            _ => Ok(()),
        }
    }

    /// Whether an operator may write `new` where `old` is: a new operation, or another wish.
    pub fn admits(old: Option<&Self>, new: &Self) -> Result<(), &'static str> {
        match old {
            None if new.state != OperationState::Pending => Err("a new operation is pending"),
            None => new.check(),
            Some(old) if Self { wish: old.wish, ..new.clone() } != *old => {
                Err("of an operation only the wish can be changed")
            }
            Some(old) if old.is_in_force() && new.wish == OperationWish::Cancel => Ok(()),
            Some(old) if old.state.is_final() => Err("the operation has ended"),
            Some(_) => Ok(()),
        }
    }

    /// Whether its home agent stays out of service for it although it has ended: a drain that is
    /// done, until it is cancelled, or until the home agent is started anew.
    pub fn is_in_force(&self) -> bool {
        matches!(self.action, OperationAction::Drain { .. })
            && self.state == OperationState::Done
            && self.wish != OperationWish::Cancel
    }

    /// The drain that keeps a home agent out of service, or is about to: the newest that was not
    /// cancelled.
    pub fn drain_of(home_agent: Ipv4Addr, snapshot: &Snapshot) -> Option<&std::sync::Arc<Self>> {
        snapshot.rows::<Self>().iter().rfind(|operation| {
            let is_open = !operation.state.is_final() && operation.wish != OperationWish::Cancel;
            matches!(operation.action, OperationAction::Drain { .. })
                && operation.selector.home_agents == [home_agent]
                && (is_open || operation.is_in_force())
        })
    }
}

/// What is done to each target.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum OperationAction {
    /// Home agents revoke bindings (RFC 3543 §4.2.2).
    RevokeBindings {
        /// Whether mobile nodes are to be informed; `None` leaves it to the configuration.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        inform: Option<bool>,
    },
    /// Foreign agents revoke visitors (RFC 3543 §4.2.3).
    RevokeVisitors {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        inform: Option<bool>,
    },
    /// Home agents say that they will shut down (RFC 6098 §3.1).
    NotifyShutdown {
        at: UtcTime,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alternate: Option<Ipv4Addr>,
    },
    /// Agents send words to people (RFC 6098 §3.1).
    NotifyMessage {
        text: String,
        #[serde(default)]
        path: NotificationPath,
    },
    /// A home agent goes out of service by the deadline: new nodes are refused, those that are
    /// there are notified, what is left then is revoked.
    Drain {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alternate: Option<Ipv4Addr>,
        /// Whether new nodes are redirected to the alternate (RFC 4433) instead of refused.
        #[serde(default)]
        redirect: bool,
    },
}

impl OperationAction {
    /// Its word in output and keys.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::RevokeBindings { .. } => "revoke-bindings",
            Self::RevokeVisitors { .. } => "revoke-visitors",
            Self::NotifyShutdown { .. } => "notify-shutdown",
            Self::NotifyMessage { .. } => "notify-message",
            Self::Drain { .. } => "drain",
        }
    }

    /// Whether it tells somebody something, and changes nothing.
    pub const fn is_notification(&self) -> bool {
        match self {
            Self::NotifyShutdown { .. } | Self::NotifyMessage { .. } => true,
            Self::RevokeBindings { .. } | Self::RevokeVisitors { .. } | Self::Drain { .. } => false,
        }
    }

    /// The agents, or mobile nodes, that do it.
    pub const fn role(&self) -> Role {
        match self {
            Self::RevokeVisitors { .. } => Role::ForeignAgent,
            Self::NotifyMessage { path, .. } => path.sender(),
            Self::RevokeBindings { .. } | Self::NotifyShutdown { .. } | Self::Drain { .. } => {
                Role::HomeAgent
            }
        }
    }
}

/// Which agent notifies whom about each target (RFC 6098 §4.1).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotificationPath {
    #[default]
    HomeAgentToMobileNode,
    HomeAgentToForeignAgent,
    ForeignAgentToMobileNode,
    ForeignAgentToHomeAgent,
    MobileNodeToHomeAgent,
    MobileNodeToForeignAgent,
}

impl NotificationPath {
    /// Those that send; theirs are the targets.
    pub const fn sender(self) -> Role {
        match self {
            Self::HomeAgentToMobileNode | Self::HomeAgentToForeignAgent => Role::HomeAgent,
            Self::ForeignAgentToMobileNode | Self::ForeignAgentToHomeAgent => Role::ForeignAgent,
            Self::MobileNodeToHomeAgent | Self::MobileNodeToForeignAgent => Role::MobileNode,
        }
    }
}

/// An agent that has targets; a mobile node has one, its registration, under its home address.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct OperationOwner {
    pub role: Role,
    pub address: Ipv4Addr,
    /// The instance that it is part of.
    pub instance: String,
}

/// What the operator wants to become of an operation.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationWish {
    #[default]
    Run,
    Pause,
    Cancel,
}

/// How far an operation is.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationState {
    #[default]
    Pending,
    Expanding,
    Running,
    Paused,
    Done,
    Failed,
    Cancelled,
}

impl OperationState {
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Expanding,
        Self::Running,
        Self::Paused,
        Self::Done,
        Self::Failed,
        Self::Cancelled,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Expanding => "expanding",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing will happen any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

impl Row for Operation {
    type Key = OperationId;
    type Orders = ();
    const TABLE: Table = Table::Operations;

    fn key(&self) -> OperationId {
        self.id
    }
}
