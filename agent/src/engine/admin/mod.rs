//! The administration of the engine: what SNMP can configure of SNMP.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Oid;
use crate::mib::{Context, Cursor, GetResult, Object, Registry};
use crate::notify::Targets;
use crate::row_status::{RowAction, RowStatus, StorageType};
use crate::security::{Name, SecurityLevel, SecurityModel};
use crate::usm::User;
use crate::vacm::Vacm;
use crate::value::Value;

use super::{Community, ErrorStatus, Staging};

mod community;
mod index;
mod map;
mod notify;
mod saved;
mod scalars;
mod target;
mod usm;
mod vacm;

pub(crate) use map::AdminRow;
pub use saved::{Saved, SavedRow, SystemNames};
pub(crate) use usm::USER_CLONE_FROM;

/// What of the engine is configuration, and may be changed by SET.
#[derive(Clone, Debug, Default)]
pub struct Admin {
    /// `snmpEngineID`; it is here because users belong to an engine.
    pub(crate) engine_id: Name,
    pub(crate) communities: Vec<Arc<Community>>,
    pub vacm: Vacm,
    /// The users of this engine.
    pub users: BTreeMap<Name, Arc<User>>,
    /// `snmpEnableAuthenTraps`.
    pub authentication_traps: bool,
    /// Whether that is so because somebody SET it.
    pub(crate) is_authentication_traps_set: bool,
    /// Where notifications go.
    pub targets: Targets,
    /// What was SET of the system group.
    pub system: SystemNames,
    pub(crate) locks: SpinLocks,
}

/// `TestAndIncr` objects (RFC 2579 §2).
#[derive(Clone, Debug, Default)]
pub(crate) struct SpinLocks {
    /// `snmpSetSerialNo`.
    pub(crate) set: i32,
    pub(crate) view: i32,
    pub(crate) target: i32,
    pub(crate) user: i32,
}

/// Who asks for a change, as far as tables want to know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requester {
    pub(crate) model: SecurityModel,
    pub(crate) security_name: Name,
    pub(crate) level: SecurityLevel,
}

/// A conceptual table of the administration. Such tables are small: a walk may
/// list the rows.
pub(crate) trait AdminTable: Send + Sync {
    /// Its descriptor.
    fn name(&self) -> &'static str;
    /// The OID of the table.
    fn root(&self) -> &'static [u32];
    /// The readable columns in order, and which of them hold storage and status.
    fn columns(&self) -> &'static [u32];
    fn storage_column(&self) -> u32;
    fn status_column(&self) -> u32;
    fn is_read_only(&self, _column: u32) -> bool {
        false
    }
    /// Columns that stay as they are while the row is active.
    fn fixed_while_active(&self) -> &'static [u32] {
        &[]
    }

    /// The indexes of all rows, in order.
    fn indexes(&self, admin: &Admin) -> Vec<Vec<u32>>;
    fn cell(&self, admin: &Admin, index: &[u32], column: u32) -> Option<Value>;
    fn status(&self, admin: &Admin, index: &[u32]) -> Option<RowStatus>;
    fn storage(&self, admin: &Admin, index: &[u32]) -> Option<StorageType>;

    /// Makes a row with the default of each column.
    fn create(&self, _: &mut Admin, _index: &[u32]) -> Result<(), ErrorStatus> {
        Err(ErrorStatus::NotWritable)
    }
    /// Writes a column that is neither storage nor status.
    fn write(
        &self,
        _: &mut Admin,
        _: &Requester,
        _index: &[u32],
        _column: u32,
        _: &Value,
    ) -> Result<(), ErrorStatus> {
        Err(ErrorStatus::NotWritable)
    }
    fn is_complete(&self, _: &Admin, _index: &[u32]) -> bool {
        true
    }
    fn set_storage(&self, _: &mut Admin, _index: &[u32], _: StorageType) {}
    fn set_status(&self, _: &mut Admin, _index: &[u32], _: RowStatus) {}
    fn remove(&self, _: &mut Admin, _index: &[u32]) {}
}

/// Adds the tables and scalars of the administration.
pub(super) fn add_objects(registry: &mut Registry) {
    scalars::add_objects(registry);
    for table in TABLES {
        registry.add(table.root(), TableObject(*table));
    }
}

/// Every table of the administration.
const TABLES: &[&dyn AdminTable] = &[
    &target::AddressTable,
    &target::ParametersTable,
    &notify::NotifyTable,
    &notify::ProfileTable,
    &notify::FilterTable,
    &usm::UserTable,
    &vacm::ContextTable,
    &vacm::SecurityToGroupTable,
    &vacm::AccessTable,
    &vacm::ViewTreeFamilyTable,
    &community::CommunityTable,
    &community::TargetExtensionTable,
];

/// How many rows a table may grow to by SET: each change copies them, and a walk lists them.
const ROWS_MAX: usize = 1000;

/// An [`AdminTable`] as an object.
struct TableObject(&'static dyn AdminTable);

/// The storage types that a row made by SET can have. What is nonVolatile is kept by the driver
/// with [`Saved`]; the rest lasts until the process ends.
const SUPPORTED_STORAGE: &[StorageType] = &[StorageType::Volatile, StorageType::NonVolatile];

impl Object for TableObject {
    fn get(&self, context: Context<'_>, suffix: &[u32]) -> GetResult {
        match suffix {
            [1, column, index @ ..] if self.0.columns().contains(column) => {
                self.0.cell(&context.local.engine.admin, index, *column).into()
            }
            _ => GetResult::NoSuchObject,
        }
    }

    fn seek<'a>(&'a self, context: Context<'a>, suffix: &[u32]) -> Box<dyn Cursor + 'a> {
        let admin = &context.local.engine.admin;
        let indexes = self.0.indexes(admin);
        let cells = self.0.columns().iter().flat_map(|column| {
            indexes.iter().map(move |index| [&[1, *column], index.as_slice()].concat())
        });
        let mut names: Vec<_> = cells.filter(|name| name.as_slice() > suffix).collect();
        names.reverse();
        Box::new(TableCursor { table: self.0, admin, names })
    }

    fn set(
        &self,
        staging: &mut Staging<'_>,
        suffix: &[u32],
        value: &Value,
    ) -> Result<(), ErrorStatus> {
        let [1, column, index @ ..] = suffix else { return Err(ErrorStatus::NotWritable) };
        let table = self.0;
        if !table.columns().contains(column) || table.is_read_only(*column) {
            return Err(ErrorStatus::NotWritable);
        }
        let is_status = *column == table.status_column();
        let action = is_status.then(|| RowAction::from_value(value)).transpose()?;
        let storage = table.storage(staging.admin(), index);
        match (storage, action) {
            // To destroy what is not there is no error, and does nothing.
            (None, Some(RowAction::Destroy)) => {}
            (None, _) if table.indexes(staging.admin()).len() >= ROWS_MAX => {
                return Err(ErrorStatus::ResourceUnavailable);
            }
            (None, _) => table.create(staging.admin_mut(), index)?,
            (Some(storage), Some(RowAction::Destroy)) if !storage.allows_destroy() => {
                return Err(ErrorStatus::InconsistentValue);
            }
            (Some(storage), _) if !storage.allows_change() => return Err(ErrorStatus::NotWritable),
            (Some(_), _) => {}
        }
        if *column == table.storage_column() {
            let present = storage.unwrap_or(StorageType::NonVolatile);
            let storage = present.change(value, SUPPORTED_STORAGE)?;
            table.set_storage(staging.admin_mut(), index, storage);
        } else if action.is_none() {
            let requester = staging.requester.clone();
            table.write(staging.admin_mut(), &requester, index, *column, value)?;
        }
        let is_fixed = table.fixed_while_active().contains(column);
        staging.touch_row(table, index, action, is_fixed);
        Ok(())
    }
}

struct TableCursor<'a> {
    table: &'static dyn AdminTable,
    admin: &'a Admin,
    /// What follows the root in the names to come, the next one last.
    names: Vec<Vec<u32>>,
}

impl Cursor for TableCursor<'_> {
    fn next(&mut self, name: &mut Oid) -> Option<Value> {
        while let Some(suffix) = self.names.pop() {
            if let [_, column, index @ ..] = suffix.as_slice()
                && let Some(value) = self.table.cell(self.admin, index, *column)
            {
                name.extend_from_slice(&suffix);
                return Some(value);
            }
        }
        None
    }
}

/// The octets of a value that must be a string of such a length.
fn octets(value: &Value, lengths: std::ops::RangeInclusive<usize>) -> Result<&[u8], ErrorStatus> {
    match value {
        Value::OctetString(octets) if lengths.contains(&octets.len()) => Ok(octets),
        Value::OctetString(_) => Err(ErrorStatus::WrongLength),
        _ => Err(ErrorStatus::WrongType),
    }
}

/// A number that must be in a range.
fn integer(value: &Value, range: std::ops::RangeInclusive<i32>) -> Result<i32, ErrorStatus> {
    match value {
        Value::Integer32(number) if range.contains(number) => Ok(*number),
        Value::Integer32(_) => Err(ErrorStatus::WrongValue),
        _ => Err(ErrorStatus::WrongType),
    }
}

/// A value that must be one of a few numbers.
fn choice<T: Copy>(value: &Value, choices: &[(i32, T)]) -> Result<T, ErrorStatus> {
    let Value::Integer32(number) = value else { return Err(ErrorStatus::WrongType) };
    let found = choices.iter().find(|(choice, _)| choice == number);
    found.map(|(_, meaning)| *meaning).ok_or(ErrorStatus::WrongValue)
}

#[cfg(test)]
mod tests;
