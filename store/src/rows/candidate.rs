//! `candidates` and `candidate_edits`: changes of the regional configuration that are being
//! prepared.
//!
//! A candidate is what an editor has in mind: a row that says what it is based on, and a row for
//! each agent that it would change. Nobody acts on it before it is committed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Changed, RegionalSubject, RegionalValue, Unknown};
use crate::{Key, Row, Snapshot, Table, UtcTime};

/// A change that is being prepared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Whose it is: the editor's name, unless another is given.
    pub name: String,
    /// The number of the commit that was the last one when it was begun; zero is none.
    pub base: u32,
    pub begun_at: UtcTime,
    /// Who edited it when, by the name of the user and, in a shell, its process.
    #[serde(default)]
    pub editors: BTreeMap<String, UtcTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<Changed>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Candidate {
    /// The longest name, in octets.
    pub const NAME_MAX: usize = 64;
    /// How many editors are remembered.
    pub const EDITORS_MAX: usize = 16;

    /// Notes that `editor` edits it at `now`; forgets who did so longest ago.
    pub fn note_editor(&mut self, editor: &str, now: UtcTime) {
        self.editors.insert(editor.to_owned(), now);
        while self.editors.len() > Self::EDITORS_MAX {
            let oldest = self.editors.iter().min_by_key(|(_, at)| **at);
            let Some(oldest) = oldest.map(|(editor, _)| editor.clone()) else { return };
            self.editors.remove(&oldest);
        }
    }

    /// What is wrong with a candidate that somebody writes.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.name.is_empty() || self.name.len() > Self::NAME_MAX {
            return Err("its name has 1 to 64 octets");
        }
        if self.editors.len() > Self::EDITORS_MAX {
            return Err("it has more than 16 editors");
        }
        Ok(())
    }
}

impl Row for Candidate {
    type Key = String;
    type Orders = ();
    const TABLE: Table = Table::Candidates;

    fn key(&self) -> String {
        self.name.clone()
    }
}

/// What a candidate makes of one agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CandidateEdit {
    /// The name of the candidate.
    pub candidate: String,
    pub subject: RegionalSubject,
    /// What it will be; `None` is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<RegionalValue>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl CandidateEdit {
    /// The edits of a candidate.
    pub fn of<'s>(
        candidate: &str,
        snapshot: &'s Snapshot,
    ) -> impl Iterator<Item = &'s std::sync::Arc<Self>> {
        let least = RegionalSubject::Gateway(std::net::Ipv4Addr::UNSPECIFIED);
        let first = CandidateEditKey { candidate: candidate.to_owned(), subject: least };
        let candidate = candidate.to_owned();
        let rows = snapshot.rows::<Self>().range(first..);
        rows.take_while(move |(key, _)| key.candidate == candidate).map(|(_, entry)| &entry.row)
    }

    /// What is wrong with an edit that somebody writes.
    pub fn check(&self) -> Result<(), String> {
        let Some(value) = &self.value else { return Ok(()) };
        if value.subject(self.subject.address()) != self.subject {
            return Err(format!("its value is not that of a {}", self.subject.role().as_str()));
        }
        crate::change::validate_regional(self.subject.address(), value)
            .map_err(|invalid| invalid.to_string())
    }
}

/// Names an edit.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct CandidateEditKey {
    pub candidate: String,
    pub subject: RegionalSubject,
}

/// `alice/gateway/192.0.2.9`.
impl Key for CandidateEditKey {
    fn path(&self) -> String {
        format!("{}/{}", self.candidate.path(), self.subject.path())
    }

    fn from_path(path: &str) -> Option<Self> {
        let (candidate, subject) = path.split_once('/')?;
        Some(Self {
            candidate: String::from_path(candidate)?,
            subject: RegionalSubject::from_path(subject)?,
        })
    }
}

impl Row for CandidateEdit {
    type Key = CandidateEditKey;
    type Orders = ();
    const TABLE: Table = Table::CandidateEdits;

    fn key(&self) -> CandidateEditKey {
        CandidateEditKey { candidate: self.candidate.clone(), subject: self.subject }
    }
}
