//! `operation_targets`: what became of each target of an operation.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wire::Code;

use super::{OperationId, OperationOwner};
use crate::rows::{BindingKey, RegistrationKey, Unknown, VisitorKey};
use crate::{Key, Row, Snapshot, Table, UtcTime};

/// A row that an operation is about.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum TargetKey {
    Binding(BindingKey),
    Visitor(VisitorKey),
    Registration(RegistrationKey),
}

impl TargetKey {
    /// `binding/…`, `visitor/…` or `registration/…`.
    pub fn path(&self) -> String {
        match self {
            Self::Binding(key) => format!("binding/{}", key.path()),
            Self::Visitor(key) => format!("visitor/{}", key.path()),
            Self::Registration(key) => format!("registration/{}", key.path()),
        }
    }

    pub fn from_path(path: &str) -> Option<Self> {
        match path.split_once('/')? {
            ("binding", path) => BindingKey::from_path(path).map(Self::Binding),
            ("visitor", path) => VisitorKey::from_path(path).map(Self::Visitor),
            ("registration", path) => RegistrationKey::from_path(path).map(Self::Registration),
            _ => None,
        }
    }
}

impl Serialize for TargetKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.path())
    }
}

impl<'de> Deserialize<'de> for TargetKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let path = String::deserialize(deserializer)?;
        Self::from_path(&path)
            .ok_or_else(|| serde::de::Error::custom("not a binding, visitor or registration"))
    }
}

/// One target, written when an owner expands the operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperationTarget {
    pub id: OperationId,
    pub target: TargetKey,
    pub owner: OperationOwner,
    pub state: TargetState,
    /// When the binding or visitor came to be; another one with the same name is not meant.
    pub since: UtcTime,
    /// When the owner began with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun_at: Option<UtcTime>,
    /// When its result was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<UtcTime>,
    /// How many messages were sent for it.
    #[serde(default)]
    pub messages: u32,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// How far a target is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetState {
    /// Nothing was done about it.
    Pending,
    /// A message is about to be sent, or was.
    Sent,
    Ended(TargetResult),
}

/// What became of a target.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetResult {
    /// The peer acknowledged the message.
    Acknowledged,
    /// The peer refused a notification with this Code.
    Denied(Code),
    /// So many messages were sent, and none was acknowledged.
    TimedOut(u32),
    /// Revocation was not negotiated: the binding was removed here, and nobody was told.
    NotNegotiated,
    /// There is no association to authenticate a message with, so none was sent.
    NoAssociation,
    /// Several nodes with one home address are behind the peer, and a message could not say which.
    Ambiguous,
    /// It went away by itself, or was registered anew, before it was done.
    Gone,
    /// Its owner is gone.
    Unowned,
    /// The operation was cancelled, or its deadline came, before it was tried.
    NotTried,
    /// It was still there when a drain ended.
    LeftOver,
}

impl TargetResult {
    /// Its word in output and in [`OperationShare::results`](super::OperationShare::results).
    pub const fn word(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::Denied(_) => "denied",
            Self::TimedOut(_) => "timed-out",
            Self::NotNegotiated => "not-negotiated",
            Self::NoAssociation => "no-association",
            Self::Ambiguous => "ambiguous",
            Self::Gone => "gone",
            Self::Unowned => "unowned",
            Self::NotTried => "not-tried",
            Self::LeftOver => "left-over",
        }
    }

    /// Whether it is what the operator asked for.
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Acknowledged | Self::NotNegotiated | Self::Gone)
    }
}

/// Names a target of an operation.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct OperationTargetKey {
    pub id: OperationId,
    pub target: TargetKey,
}

impl Key for OperationTargetKey {
    fn path(&self) -> String {
        format!("{}/{}", self.id, self.target.path())
    }

    fn from_path(path: &str) -> Option<Self> {
        let (id, target) = path.split_once('/')?;
        Some(Self { id: OperationId::from_path(id)?, target: TargetKey::from_path(target)? })
    }
}

impl Row for OperationTarget {
    type Key = OperationTargetKey;
    type Orders = ();
    const TABLE: Table = Table::OperationTargets;

    fn key(&self) -> OperationTargetKey {
        OperationTargetKey { id: self.id, target: self.target.clone() }
    }
}

impl OperationTarget {
    /// The targets of an operation that owners have written so far.
    pub fn of(id: OperationId, snapshot: &Snapshot) -> impl Iterator<Item = &Arc<Self>> {
        let first = OperationTargetKey { id, target: TargetKey::first() };
        let rows = snapshot.rows::<Self>().range(first..);
        rows.take_while(move |(key, _)| key.id == id).map(|(_, entry)| &entry.row)
    }
}

impl TargetKey {
    /// The least of all.
    fn first() -> Self {
        let zero = std::net::Ipv4Addr::UNSPECIFIED;
        Self::Binding(BindingKey {
            home_agent: zero,
            home_address: zero,
            care_of_address: zero,
            nai: None,
        })
    }
}
