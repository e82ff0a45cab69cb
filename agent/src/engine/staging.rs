//! What a SET would change, before any of it is done (RFC 3416 §4.2.5).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use store::{
    Association, AssociationKey, Author, Batch, Changed, Class, Configuration, Expect, InvalidKind,
    Operation, OperationId, Origin, Row, Tables, admit, audit,
};
use zeroize::Zeroizing;

use crate::mib::mip_security_assoc::{Draft, Outcome};
use crate::mib::{Context, Drafts, OperationDraft};
use crate::row_status::{RowAction, RowStatus};
use crate::value::Value;

use super::ErrorStatus;
use super::admin::{Admin, AdminTable, Requester};
use super::respond::Failure;

/// The changes of one request, on top of the snapshot that it is checked on.
///
/// Handlers read through it, so that they see what earlier variables of the
/// request change, and every row of the store that they read is compared when
/// the changes are committed.
pub struct Staging<'a> {
    pub context: Context<'a>,
    pub(crate) requester: Requester,
    tables: Tables,
    batch: Batch,
    admin: Option<Box<Admin>>,
    /// The number of the variable at work, from 1.
    variable: usize,
    rows: BTreeMap<(&'static [u32], Vec<u32>), TouchedRow>,
    values: BTreeMap<Vec<u32>, Value>,
    /// The associations that the request writes to.
    associations: BTreeMap<AssociationKey, Draft>,
    /// Other rows of configuration that it writes to.
    drafts: Drafts,
    /// The operations that it writes to.
    operations: BTreeMap<OperationId, OperationDraft>,
}

/// The key of an association on its way to where secrets are sealed.
#[derive(Clone)]
pub struct AssociationSecret {
    pub association: AssociationKey,
    pub octets: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for AssociationSecret {
    /// Leaves out the octets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("AssociationSecret");
        shown.field("association", &self.association).finish_non_exhaustive()
    }
}

/// A conceptual row that the request writes to.
struct TouchedRow {
    table: &'static dyn AdminTable,
    before: Option<RowStatus>,
    action: Option<RowAction>,
    /// The first variable that is in it.
    variable: usize,
    /// The first one that may not be written while the row is active.
    fixed: Option<usize>,
}

/// What a request that passed every check is going to do.
pub(crate) struct Staged {
    pub(crate) batch: Batch,
    pub(crate) admin: Option<Box<Admin>>,
    /// To be sealed before the batch is committed.
    pub(crate) secrets: Vec<AssociationSecret>,
}

/// What SNMP calls a mistake in a row of configuration (RFC 3416 §4.2.5).
pub(crate) fn status_of(kind: InvalidKind) -> ErrorStatus {
    match kind {
        InvalidKind::Value => ErrorStatus::WrongValue,
        InvalidKind::Inconsistent => ErrorStatus::InconsistentValue,
        InvalidKind::Name => ErrorStatus::InconsistentName,
        InvalidKind::Protected => ErrorStatus::NotWritable,
    }
}

impl<'a> Staging<'a> {
    pub(crate) fn new(context: Context<'a>, requester: Requester) -> Self {
        Self {
            context,
            requester,
            tables: context.snapshot.tables.clone(),
            batch: Batch::new(Class::Durable),
            admin: None,
            variable: 0,
            rows: BTreeMap::new(),
            values: BTreeMap::new(),
            associations: BTreeMap::new(),
            drafts: Drafts::default(),
            operations: BTreeMap::new(),
        }
    }

    /// Turns to the variable at `position` of the request, from 0.
    pub(crate) fn turn_to(&mut self, position: usize) {
        self.variable = position + 1;
    }

    /// Remembers a variable that passed its checks. The same one twice with
    /// another value is refused: as they are set at the same time, neither could win.
    pub(crate) fn record(&mut self, name: &[u32], value: &Value) -> Result<(), ErrorStatus> {
        match self.values.insert(name.to_vec(), value.clone()) {
            Some(before) if before != *value => Err(ErrorStatus::InconsistentValue),
            _ => Ok(()),
        }
    }

    /// A row of the store, with what is staged already. The commit will be
    /// refused if somebody changes the row in the meantime.
    pub fn row<R: Row>(&mut self, key: &R::Key) -> Option<Arc<R>> {
        self.compare::<R>(key);
        self.tables.rows::<R>().get(key).cloned()
    }

    /// Stages a row of the store.
    pub fn put<R: Row>(&mut self, row: R) {
        self.compare::<R>(&row.key());
        let mut change = Batch::new(Class::Durable);
        change.put(row);
        self.stage(change);
    }

    /// Stages the end of a row of the store.
    pub fn delete<R: Row>(&mut self, key: &R::Key) {
        self.compare::<R>(key);
        let mut change = Batch::new(Class::Durable);
        change.delete::<R>(key.clone());
        self.stage(change);
    }

    /// Stages a row of configuration, in the name of the manager, if it is admitted.
    pub(crate) fn put_configuration<R: Row + Configuration>(
        &mut self,
        mut row: R,
    ) -> Result<(), ErrorStatus> {
        let before = self.row::<R>(&row.key());
        row.set_origin(Origin::Snmp, row.storage());
        row.set_changed(Some(self.changed()));
        admit(before.as_deref(), Some(&row), Origin::Snmp).map_err(|it| status_of(it.kind))?;
        self.put(row);
        Ok(())
    }

    /// Stages the end of a row of configuration, if that is admitted; there may be none.
    pub(crate) fn delete_configuration<R: Row + Configuration>(
        &mut self,
        key: &R::Key,
    ) -> Result<(), ErrorStatus> {
        let Some(before) = self.row::<R>(key) else { return Ok(()) };
        admit(Some(&*before), None, Origin::Snmp).map_err(|it| status_of(it.kind))?;
        self.delete::<R>(key);
        Ok(())
    }

    /// The rows that are written a variable at a time.
    pub(crate) fn drafts(&mut self) -> &mut Drafts {
        &mut self.drafts
    }

    /// The number of the variable at work, from 1.
    pub(crate) fn variable(&self) -> usize {
        self.variable
    }

    fn stage(&mut self, change: Batch) {
        self.tables.apply(&change, self.context.snapshot.revision);
        self.batch.changes.extend(change.changes);
    }

    fn compare<R: Row>(&mut self, key: &R::Key) {
        let entry = self.context.snapshot.rows::<R>().entry(key);
        let expect = entry.map_or(Expect::Absent, |entry| Expect::Modified(entry.modified));
        let any = R::any_key(key.clone());
        if !self.batch.compares.iter().any(|compare| compare.key == any) {
            self.batch.expect::<R>(key.clone(), expect);
        }
    }

    /// The administration of the engine, with what is staged already.
    pub(crate) fn admin(&self) -> &Admin {
        self.admin.as_deref().unwrap_or(&self.context.local.engine.admin)
    }

    /// The same, to be changed.
    pub(crate) fn admin_mut(&mut self) -> &mut Admin {
        let present = &self.context.local.engine.admin;
        self.admin.get_or_insert_with(|| Box::new(Admin::clone(present)))
    }

    /// The association `key` while it is written; it is looked at when all variables are staged.
    pub(crate) fn association(&mut self, key: &AssociationKey) -> &mut Draft {
        let before = self.row::<Association>(key);
        let (context, variable) = (self.context, self.variable);
        let draft = || Draft::new(context, key, before, variable);
        self.associations.entry(key.clone()).or_insert_with(draft)
    }

    /// The operation `id` while it is written; it is looked at when all variables are staged.
    pub(crate) fn operation(&mut self, id: OperationId) -> &mut OperationDraft {
        let before = self.row::<Operation>(&id);
        let variable = self.variable;
        self.operations.entry(id).or_insert_with(|| OperationDraft::new(before, variable))
    }

    fn finish_operations(&mut self) -> Result<(), Failure> {
        for (id, draft) in std::mem::take(&mut self.operations) {
            let index = draft.variable;
            let row = draft.finish(id, self.context, self.changed());
            if let Some(row) = row.map_err(|status| Failure { status, index })? {
                self.put(row);
            }
        }
        Ok(())
    }

    /// Who makes the change, and when, as rows say it.
    pub(crate) fn changed(&self) -> Changed {
        let name = String::from_utf8_lossy(self.requester.security_name.octets()).into_owned();
        Changed { by: format!("snmp:{name}"), at: self.context.now.stamp() }
    }

    fn finish_associations(&mut self) -> Result<Vec<AssociationSecret>, Failure> {
        let mut secrets = Vec::new();
        for (_, draft) in std::mem::take(&mut self.associations) {
            let index = draft.variable;
            let outcome = draft.finish(self.changed());
            match outcome.map_err(|status| Failure { status, index })? {
                Outcome::Nothing => {}
                Outcome::Delete(key) => self.delete::<Association>(&key),
                Outcome::Put(row, secret) => {
                    let association = row.key();
                    secrets.extend(secret.map(|octets| AssociationSecret { association, octets }));
                    self.put(*row);
                }
            }
        }
        Ok(secrets)
    }

    /// Remembers that a variable of a conceptual row is written, perhaps its
    /// status; the row is looked at when all variables are staged.
    pub(crate) fn touch_row(
        &mut self,
        table: &'static dyn AdminTable,
        index: &[u32],
        action: Option<RowAction>,
        is_fixed: bool,
    ) {
        let before = table.status(&self.context.local.engine.admin, index);
        let variable = self.variable;
        let key = (table.root(), index.to_vec());
        let touched = TouchedRow { table, before, action, variable, fixed: None };
        let row = self.rows.entry(key).or_insert(touched);
        row.action = row.action.or(action);
        row.fixed = row.fixed.or(is_fixed.then_some(variable));
    }

    /// The last checks, those between variables; then what there is to do.
    pub(crate) fn finish(mut self) -> Result<Staged, Failure> {
        for ((_, index), row) in std::mem::take(&mut self.rows) {
            let stays_active = matches!(row.action, None | Some(RowAction::Active));
            if let (Some(RowStatus::Active), Some(index), true) =
                (row.before, row.fixed, stays_active)
            {
                return Err(Failure { status: ErrorStatus::InconsistentValue, index });
            }
            let failed = |status| Failure { status, index: row.variable };
            self.finish_row(&index, &row).map_err(failed)?;
        }
        let secrets = self.finish_associations()?;
        let drafts = std::mem::take(&mut self.drafts);
        drafts.finish(&mut self).map_err(|(status, index)| Failure { status, index })?;
        self.finish_operations()?;
        let author =
            Author { who: self.changed().by, origin: Origin::Snmp, from: "snmp".to_owned() };
        let mut batch = self.batch;
        audit(self.context.snapshot, &mut batch, &author, self.context.now.stamp());
        Ok(Staged { batch, admin: self.admin, secrets })
    }

    /// What [`Self::finish`] gives, for who looks at the store alone.
    #[cfg(test)]
    pub(crate) fn into_batch(self) -> Result<Batch, (ErrorStatus, usize)> {
        match self.finish() {
            Ok(staged) => Ok(staged.batch),
            Err(Failure { status, index }) => Err((status, index)),
        }
    }

    fn finish_row(&mut self, index: &[u32], row: &TouchedRow) -> Result<(), ErrorStatus> {
        let complete = row.table.is_complete(self.admin(), index);
        let after = match (row.action, row.before) {
            (Some(action), before) => action.apply(before, complete)?,
            (None, Some(RowStatus::Active)) if !complete => {
                return Err(ErrorStatus::InconsistentValue);
            }
            (None, Some(RowStatus::Active)) => Some(RowStatus::Active),
            (None, Some(_)) if complete => Some(RowStatus::NotInService),
            (None, Some(_)) => Some(RowStatus::NotReady),
            // Nothing asks for the row to be made.
            (None, None) => return Err(ErrorStatus::InconsistentName),
        };
        match after {
            Some(status) => row.table.set_status(self.admin_mut(), index, status),
            None => row.table.remove(self.admin_mut(), index),
        }
        Ok(())
    }
}
