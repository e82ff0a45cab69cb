//! A change to the store: all of it happens at one revision, or nothing.

use std::sync::Arc;

use crate::{AnyKey, AnyRow, Revision, Row, Table};

/// What a commit does, and what must hold for it to be done.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub class: Class,
    pub compares: Vec<Compare>,
    pub changes: Vec<Change>,
}

/// When a commit is acknowledged.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Class {
    /// After an `fdatasync` that covers it.
    #[default]
    Durable,
    /// At once; coalesced ≤ 50 ms and made durable with the next sync.
    Relaxed,
}

/// A condition on one row; the commit is refused unless all of them hold.
#[derive(Clone, Debug)]
pub struct Compare {
    pub key: AnyKey,
    pub expect: Expect,
}

/// What a [`Compare`] asks of its row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expect {
    /// There is no such row.
    Absent,
    /// There is one, whatever it says.
    Present,
    /// Its last change was at this revision.
    Modified(Revision),
}

#[derive(Clone, Debug)]
pub enum Change {
    Put(AnyRow),
    Delete(AnyKey),
}

impl Change {
    /// The row that it makes, replaces or removes.
    pub fn key(&self) -> AnyKey {
        match self {
            Self::Put(row) => row.key(),
            Self::Delete(key) => key.clone(),
        }
    }

    /// The table of that row.
    pub fn table(&self) -> Table {
        match self {
            Self::Put(row) => row.table(),
            Self::Delete(key) => key.table(),
        }
    }
}

impl Batch {
    pub fn new(class: Class) -> Self {
        Self { class, ..Self::default() }
    }

    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Adds or replaces a row.
    pub fn put<R: Row>(&mut self, row: impl Into<Arc<R>>) -> &mut Self {
        self.changes.push(Change::Put(R::into_any(row.into())));
        self
    }

    /// Removes a row; no error if there is none.
    pub fn delete<R: Row>(&mut self, key: R::Key) -> &mut Self {
        self.changes.push(Change::Delete(R::any_key(key)));
        self
    }

    /// Adds a condition.
    pub fn expect<R: Row>(&mut self, key: R::Key, expect: Expect) -> &mut Self {
        self.compares.push(Compare { key: R::any_key(key), expect });
        self
    }
}
