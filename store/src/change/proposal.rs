//! A change worked out on one snapshot.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Concerns, Configuration, Invalid, admit};
use crate::{
    AnyKey, AnyRow, Association, Batch, CareOfAddress, Change, Changed, Class, Expect, Origin,
    Regional, Row, Setting, Snapshot, Tables,
};

/// A change of configuration that is being put together on a snapshot.
///
/// What is read through it is compared when the change is committed, and it shows what earlier
/// steps of the same change did.
///
/// ```ignore
/// let mut proposal = Proposal::new(&snapshot, Origin::Cli);
/// proposal.create(association)?;
/// let prepared = proposal.prepare();
/// let revision = store.commit(prepared.batch).await?;
/// let applied = store.applied(&prepared.concerns, revision, patience).await;
/// ```
#[derive(Debug)]
pub struct Proposal<'a> {
    snapshot: &'a Snapshot,
    tables: Tables,
    origin: Origin,
    changed: Option<Changed>,
    batch: Batch,
    /// The rows that the commit compares.
    compared: BTreeSet<AnyKey>,
    concerns: Concerns,
}

/// A change that passed every check on its snapshot.
#[derive(Clone, Debug, Default)]
pub struct Prepared {
    /// Refused by the store if a row that was read has changed since.
    pub batch: Batch,
    /// Who has to act on it.
    pub concerns: Concerns,
}

impl<'a> Proposal<'a> {
    /// Nothing yet; rows that it makes will be of `origin`.
    pub fn new(snapshot: &'a Snapshot, origin: Origin) -> Self {
        Self {
            snapshot,
            tables: snapshot.tables.clone(),
            origin,
            changed: None,
            batch: Batch::new(Class::Durable),
            compared: BTreeSet::new(),
            concerns: Concerns::default(),
        }
    }

    /// Says who makes the change, where no server does.
    #[must_use]
    pub fn by(mut self, changed: Changed) -> Self {
        self.changed = Some(changed);
        self
    }

    /// A row with what was done to it already; the commit compares it.
    pub fn row<R: Row>(&mut self, key: &R::Key) -> Option<Arc<R>> {
        self.compare::<R>(key);
        self.tables.rows::<R>().get(key).cloned()
    }

    /// Makes a row that is not there.
    pub fn create<R: Row + Configuration>(&mut self, row: R) -> Result<(), Invalid> {
        let key = row.key();
        if self.row::<R>(&key).is_some() {
            let path = R::any_key(key).path();
            return Err(Invalid::name(format!("{path} is there already")));
        }
        self.write(None, row)
    }

    /// Changes a row that is there.
    pub fn replace<R: Row + Configuration>(&mut self, row: R) -> Result<(), Invalid> {
        let key = row.key();
        match self.row::<R>(&key) {
            Some(old) => self.write(Some(&*old), row),
            None => Err(Invalid::name(format!("{} is not there", R::any_key(key).path()))),
        }
    }

    /// Makes or changes a row.
    pub fn put<R: Row + Configuration>(&mut self, row: R) -> Result<(), Invalid> {
        let old = self.row::<R>(&row.key());
        self.write(old.as_deref(), row)
    }

    /// Ends a row; false if there is none.
    pub fn delete<R: Row + Configuration>(&mut self, key: &R::Key) -> Result<bool, Invalid> {
        let Some(old) = self.row::<R>(key) else { return Ok(false) };
        admit(Some(&*old), None, self.origin)?;
        self.concerns.add_row(&R::any_key(key.clone()), &*old);
        let mut batch = Batch::new(Class::Durable);
        batch.delete::<R>(key.clone());
        self.stage(batch);
        Ok(true)
    }

    /// Makes or changes a row of any type of configuration.
    pub fn put_any(&mut self, row: &AnyRow) -> Result<(), Invalid> {
        match row {
            AnyRow::Association(row) => self.put(Association::clone(row)),
            AnyRow::CareOfAddress(row) => self.put(CareOfAddress::clone(row)),
            AnyRow::Setting(row) => self.put(Setting::clone(row)),
            AnyRow::Regional(row) => self.put(Regional::clone(row)),
            other => Err(no_configuration(&other.key())),
        }
    }

    /// Ends a row of any type of configuration; false if there is none.
    pub fn delete_any(&mut self, key: &AnyKey) -> Result<bool, Invalid> {
        match key {
            AnyKey::Association(key) => self.delete::<Association>(key),
            AnyKey::CareOfAddress(key) => self.delete::<CareOfAddress>(key),
            AnyKey::Setting(key) => self.delete::<Setting>(key),
            AnyKey::Regional(key) => self.delete::<Regional>(key),
            other => Err(no_configuration(other)),
        }
    }

    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// The change as the store takes it.
    pub fn prepare(self) -> Prepared {
        Prepared { batch: self.batch, concerns: self.concerns }
    }

    fn write<R: Row + Configuration>(&mut self, old: Option<&R>, row: R) -> Result<(), Invalid> {
        let mut row = row;
        row.set_origin(self.origin, row.storage());
        row.set_changed(self.changed.clone());
        admit(old, Some(&row), self.origin)?;
        let key = R::any_key(row.key());
        if let Some(old) = old {
            self.concerns.add_row(&key, old);
        }
        self.concerns.add_row(&key, &row);
        let mut batch = Batch::new(Class::Durable);
        batch.put(row);
        self.stage(batch);
        Ok(())
    }

    fn stage(&mut self, batch: Batch) {
        self.tables.apply(&batch, self.snapshot.revision);
        self.batch.changes.extend(batch.changes);
    }

    fn compare<R: Row>(&mut self, key: &R::Key) {
        if !self.compared.insert(R::any_key(key.clone())) {
            return;
        }
        let entry = self.snapshot.rows::<R>().entry(key);
        let expect = entry.map_or(Expect::Absent, |entry| Expect::Modified(entry.modified));
        self.batch.expect::<R>(key.clone(), expect);
    }
}

fn no_configuration(key: &AnyKey) -> Invalid {
    Invalid::name(format!("{} is no row of configuration", key.path()))
}

impl Prepared {
    /// What a batch that was put together elsewhere concerns, by the rows it writes and ends.
    pub fn of(batch: Batch, snapshot: &Snapshot) -> Self {
        let mut concerns = Concerns::default();
        for change in &batch.changes {
            let key = match change {
                Change::Put(row) => row.key(),
                Change::Delete(key) => key.clone(),
            };
            let old = snapshot.tables.find(&key).map(|(row, _)| row);
            let new = match change {
                Change::Put(row) => Some(row),
                Change::Delete(_) => None,
            };
            for row in old.iter().chain(new) {
                if let Some(row) = AnyRow::configuration(row) {
                    concerns.add_row(&key, row);
                }
            }
        }
        Self { batch, concerns }
    }
}
