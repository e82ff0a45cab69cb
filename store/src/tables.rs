//! All tables in memory, at one revision.

mod gathering;

use std::fmt;
use std::ops::RangeBounds;
use std::sync::Arc;
use std::thread::{self, Scope, ScopedJoinHandle};

use imbl::OrdMap;
use imbl::ordmap::RangedIter;
use imbl::shared_ptr::DefaultSharedPtr;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub(crate) use gathering::packed;

use gathering::Gathering;

use crate::{
    Advertisement, Association, AuditEntry, Batch, Binding, Candidate, CandidateEdit,
    CareOfAddress, Change, Counters, Event, Expect, Instance, InstanceState, Key, Node,
    NodeCounters, Operation, OperationShare, OperationTarget, Orders, Regional, RegionalChange,
    RegionalCommit, Registration, Setting, Stamp, Trail, UtcTime, Violation, Visitor,
};

/// Counts commits; every commit has one of its own.
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision of the commit after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A type of row. Implemented in `rows/`, tied to its table by `tables!`.
pub trait Row: TableOf + Clone + fmt::Debug + Serialize + DeserializeOwned {
    type Key: Key;
    /// In which other orders its rows can be read.
    type Orders: Orders<Self>;
    const TABLE: Table;

    fn key(&self) -> Self::Key;

    /// Reads its stored form.
    fn decode(octets: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(octets)
    }

    /// Appends its stored form.
    fn encode_into(&self, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        serde_json::to_writer(out, self)
    }
}

/// A row with what the store knows about it.
#[derive(Clone, Debug)]
pub struct Entry<R> {
    pub row: Arc<R>,
    /// When it came to be.
    pub created: Revision,
    /// When it was changed last.
    pub modified: Revision,
    /// How many times it was written since it came to be.
    pub version: u64,
}

impl<R> Entry<R> {
    pub fn stamp(&self) -> Stamp {
        Stamp { created: self.created, modified: self.modified, version: self.version }
    }
}

/// One table: rows in the order of their keys. A clone costs nothing.
#[derive(Clone, Debug)]
pub struct Rows<R: Row> {
    map: OrdMap<R::Key, Entry<R>>,
    orders: R::Orders,
}

impl<R: Row> Default for Rows<R> {
    fn default() -> Self {
        Self { map: OrdMap::new(), orders: R::Orders::default() }
    }
}

impl<R: Row> Rows<R> {
    pub fn len(&self) -> usize {
        self.map.len()
    }

    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    pub fn get(&self, key: &R::Key) -> Option<&Arc<R>> {
        self.entry(key).map(|entry| &entry.row)
    }

    pub fn entry(&self, key: &R::Key) -> Option<&Entry<R>> {
        self.map.get(key)
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<R>> {
        self.map.values().map(|entry| &entry.row)
    }

    pub fn range(&self, keys: impl RangeBounds<R::Key>) -> Range<'_, R> {
        Range(self.map.range(keys))
    }

    fn put(&mut self, row: &Arc<R>, at: Revision) -> Stamp {
        let key = row.key();
        // Nearly all puts replace a row: that takes one search, and the key stays.
        let Some(entry) = self.map.get_mut(&key) else {
            let stamp = Stamp { created: at, modified: at, version: 1 };
            self.restore(key, row, stamp);
            return stamp;
        };
        let old = std::mem::replace(&mut entry.row, Arc::clone(row));
        entry.modified = at;
        entry.version += 1;
        let stamp = entry.stamp();
        self.orders.replace(&self.map, Some(&old), Some(row));
        stamp
    }

    fn restore(&mut self, key: R::Key, row: &Arc<R>, stamp: Stamp) {
        let Stamp { created, modified, version } = stamp;
        let entry = Entry { row: Arc::clone(row), created, modified, version };
        let old = self.map.insert(key, entry);
        self.orders.replace(&self.map, old.as_ref().map(|old| &old.row), Some(row));
    }

    fn delete(&mut self, key: &R::Key) -> bool {
        let old = self.map.remove(key);
        if let Some(old) = &old {
            self.orders.replace(&self.map, Some(&old.row), None);
        }
        old.is_some()
    }

    /// A whole table at once: less work than row by row, and fuller nodes if the rows are in the
    /// order of their keys, as those of checkpoints are.
    fn build(rows: Gathering<R>) -> Self {
        let entry = |(row, stamp): (Arc<R>, Stamp)| {
            let Stamp { created, modified, version } = stamp;
            (row.key(), Entry { row, created, modified, version })
        };
        let mut map = OrdMap::new();
        rows.packed(|row| {
            let (key, entry) = entry(row);
            map.insert(key, entry);
        });
        let orders = R::Orders::build(&map);
        Self { map, orders }
    }

    pub(crate) fn map(&self) -> &OrdMap<R::Key, Entry<R>> {
        &self.map
    }

    pub(crate) fn orders(&self) -> &R::Orders {
        &self.orders
    }
}

/// Rows of one table between two keys, in order; see [`Rows::range`].
///
/// It has a name so that a walk can hold it without a box around it.
pub struct Range<'a, R: Row>(RangedIter<'a, R::Key, Entry<R>, DefaultSharedPtr>);

impl<'a, R: Row> Iterator for Range<'a, R> {
    type Item = (&'a R::Key, &'a Entry<R>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

impl<R: Row> DoubleEndedIterator for Range<'_, R> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back()
    }
}

/// A table that is built, here or in a thread of its own.
enum Building<'scope, R: Row> {
    Here(Rows<R>),
    There(ScopedJoinHandle<'scope, Rows<R>>),
}

impl<'scope, R: Row> Building<'scope, R> {
    fn start(scope: &'scope Scope<'scope, '_>, rows: Gathering<R>) -> Self {
        if rows.is_small() {
            return Self::Here(Rows::build(rows));
        }
        Self::There(scope.spawn(|| Rows::build(rows)))
    }

    fn end(self) -> Rows<R> {
        match self {
            Self::Here(rows) => rows,
            // A panic in there is one of ours; let it go on here.
            Self::There(thread) => {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            }
        }
    }
}

mod sealed {
    /// Ties a row type to its field of `Tables`; implemented by `tables!` alone.
    pub trait TableOf: Send + Sync + Sized + 'static {
        fn rows(tables: &super::Tables) -> &super::Rows<Self>
        where
            Self: super::Row;
        fn into_any(row: std::sync::Arc<Self>) -> super::AnyRow;
        fn any_key(key: <Self as super::Row>::Key) -> super::AnyKey
        where
            Self: super::Row;
    }
}
pub(crate) use sealed::TableOf;

macro_rules! tables {
    ($($row:ident $table:ident $field:ident;)*) => {
        /// The tables of the key space.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Table { $($table,)* }

        impl Table {
            pub const ALL: &[Self] = &[$(Self::$table,)*];

            /// Its word in `/mip4/<table>/`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$table => stringify!($field),)* }
            }

            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|table| table.name() == name)
            }
        }

        /// A row of any table.
        #[derive(Clone, Debug)]
        pub enum AnyRow { $($row(Arc<$row>),)* }

        impl AnyRow {
            pub fn table(&self) -> Table {
                match self { $(Self::$row(_) => Table::$table,)* }
            }

            pub fn key(&self) -> AnyKey {
                match self { $(Self::$row(row) => AnyKey::$row(row.key()),)* }
            }

            /// Its stored form: JSON, which describes itself.
            pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
                let mut octets = Vec::new();
                self.encode_into(&mut octets)?;
                Ok(octets)
            }

            /// Appends its stored form.
            pub(crate) fn encode_into(&self, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
                match self { $(Self::$row(row) => row.encode_into(out),)* }
            }

            /// Reads the stored form of a row of `table`.
            pub fn decode(table: Table, octets: &[u8]) -> Result<Self, serde_json::Error> {
                Ok(match table {
                    $(Table::$table => Self::$row(Arc::new(<$row as Row>::decode(octets)?)),)*
                })
            }
        }

        /// A key of any table.
        #[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum AnyKey { $($row(<$row as Row>::Key),)* }

        impl AnyKey {
            pub fn table(&self) -> Table {
                match self { $(Self::$row(_) => Table::$table,)* }
            }

            /// The whole key as text: `/mip4/<table>/<key>`.
            pub fn path(&self) -> String {
                let mut path = String::new();
                self.push_path(&mut path);
                path
            }

            /// Appends [`Self::path`].
            pub(crate) fn push_path(&self, path: &mut String) {
                path.push_str("/mip4/");
                path.push_str(self.table().name());
                path.push('/');
                match self { $(Self::$row(key) => key.push_path(path),)* }
            }

            /// Undoes [`Self::path`].
            pub fn from_path(path: &str) -> Option<Self> {
                let (table, key) = path.strip_prefix("/mip4/")?.split_once('/')?;
                Some(match Table::from_name(table)? {
                    $(Table::$table => Self::$row(Key::from_path(key)?),)*
                })
            }
        }

        /// All tables. A clone costs nothing and never changes: the tables are persistent maps.
        #[derive(Clone, Debug, Default)]
        pub struct Tables { $($field: Rows<$row>,)* }

        impl Tables {
            /// When the row was changed last, if it is there.
            pub fn modified(&self, key: &AnyKey) -> Option<Revision> {
                match key {
                    $(AnyKey::$row(key) => self.$field.entry(key).map(|entry| entry.modified),)*
                }
            }

            /// The row as the store has it.
            pub fn find(&self, key: &AnyKey) -> Option<(AnyRow, Stamp)> {
                match key {
                    $(AnyKey::$row(key) => self.$field.entry(key).map(|entry| {
                        (AnyRow::$row(Arc::clone(&entry.row)), entry.stamp())
                    }),)*
                }
            }

            /// These tables alone; the others are empty.
            #[must_use]
            pub fn only(&self, tables: &[Table]) -> Self {
                let mut only = Self::default();
                $(if tables.contains(&Table::$table) {
                    only.$field = self.$field.clone();
                })*
                only
            }

            /// How many rows `table` has.
            pub fn count(&self, table: Table) -> usize {
                match table { $(Table::$table => self.$field.len(),)* }
            }

            /// All rows of `table`, in the order of their keys.
            pub fn all(&self, table: Table) -> Box<dyn Iterator<Item = (AnyRow, Stamp)> + '_> {
                match table {
                    $(Table::$table => Box::new(self.$field.map.values().map(|entry| {
                        (AnyRow::$row(Arc::clone(&entry.row)), entry.stamp())
                    })),)*
                }
            }

            /// Makes the changes of `batch`, whose compares must have been checked with
            /// [`Self::refuses`], and tells which of them had an effect.
            pub fn apply(&mut self, batch: &Batch, at: Revision) -> Event {
                self.make(batch.changes.clone(), at)
            }

            /// [`Self::apply`] of changes that are wanted for nothing else.
            pub(crate) fn make(&mut self, mut changes: Vec<Change>, at: Revision) -> Event {
                let mut stamps = Vec::with_capacity(changes.len());
                changes.retain(|change| {
                    let stamp = match change {
                        $(Change::Put(AnyRow::$row(row)) => {
                            Some(self.$field.put(row, at))
                        })*
                        $(Change::Delete(AnyKey::$row(key)) => {
                            self.$field.delete(key).then(Stamp::default)
                        })*
                    };
                    stamps.extend(stamp);
                    stamp.is_some()
                });
                Event { revision: at, changes: changes.into(), stamps: stamps.into() }
            }

            /// Puts a row back as it was, with what was known of it.
            pub(crate) fn restore(&mut self, row: AnyRow, stamp: Stamp) {
                match row {
                    $(AnyRow::$row(row) => self.$field.restore(row.key(), &row, stamp),)*
                }
            }

            /// Removes a row; tells whether there was one.
            pub(crate) fn remove(&mut self, key: &AnyKey) -> bool {
                match key { $(AnyKey::$row(key) => self.$field.delete(key),)* }
            }
        }

        /// Rows of all tables, in any order, on their way to [`Tables`].
        #[derive(Default)]
        pub(crate) struct Gathered { $($field: Gathering<$row>,)* }

        impl Gathered {
            pub(crate) fn push(&mut self, row: AnyRow, stamp: Stamp) {
                match row { $(AnyRow::$row(row) => self.$field.push(row, stamp),)* }
            }

            /// Takes all rows of `other`, which come after these.
            pub(crate) fn append(&mut self, other: Self) {
                $(self.$field.append(other.$field);)*
            }

            /// All tables at once; large ones beside each other.
            pub(crate) fn build(self) -> Tables {
                thread::scope(|scope| {
                    $(let $field = Building::start(scope, self.$field);)*
                    Tables { $($field: $field.end(),)* }
                })
            }
        }

        $(impl TableOf for $row {
            fn rows(tables: &Tables) -> &Rows<Self> {
                &tables.$field
            }

            fn into_any(row: Arc<Self>) -> AnyRow {
                AnyRow::$row(row)
            }

            fn any_key(key: <Self as Row>::Key) -> AnyKey {
                AnyKey::$row(key)
            }
        })*
    };
}

tables! {
    Instance Instances instances;
    Binding Bindings bindings;
    Node Nodes nodes;
    Association Associations associations;
    NodeCounters NodeCounters node_counters;
    Counters Counters counters;
    Visitor Visitors visitors;
    Registration Registrations registrations;
    Violation Violations violations;
    Advertisement Advertisements advertisements;
    CareOfAddress CareOfAddresses care_of_addresses;
    Trail Trail trail;
    Setting Config config;
    Operation Operations operations;
    OperationShare OperationShares operation_shares;
    OperationTarget OperationTargets operation_targets;
    AuditEntry Audit audit;
    Regional Regional regional;
    Candidate Candidates candidates;
    CandidateEdit CandidateEdits candidate_edits;
    RegionalCommit RegionalCommits regional_commits;
    RegionalChange RegionalChanges regional_changes;
}

impl Tables {
    /// The rows of one table: `tables.rows::<Binding>()`.
    pub fn rows<R: Row>(&self) -> &Rows<R> {
        R::rows(self)
    }

    /// The first compare of `batch` that does not hold.
    pub fn refuses<'b>(&self, batch: &'b Batch) -> Option<&'b crate::Compare> {
        batch.compares.iter().find(|compare| {
            let modified = self.modified(&compare.key);
            match compare.expect {
                Expect::Absent => modified.is_some(),
                Expect::Present => modified.is_none(),
                Expect::Modified(revision) => modified != Some(revision),
            }
        })
    }
}

/// The tables at one revision; readers keep it as long as they like.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub revision: Revision,
    pub tables: Tables,
}

impl Snapshot {
    /// Whether what the instance wrote may be out of date at `now`: it is
    /// gone, unknown, or missed [`crate::HEARTBEATS_MISSED_MAX`] heartbeats.
    pub fn is_stale(&self, instance: &str, now: UtcTime) -> bool {
        let Some(row) = self.rows::<Instance>().named(instance) else { return true };
        row.state == InstanceState::Gone || row.is_silent(now)
    }

    pub fn rows<R: Row>(&self) -> &Rows<R> {
        self.tables.rows()
    }
}

#[cfg(test)]
mod tests;
