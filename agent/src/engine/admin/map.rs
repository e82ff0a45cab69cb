//! Tables of the administration that are ordered maps of rows.

use std::collections::BTreeMap;

use crate::row_status::{RowStatus, StorageType};
use crate::value::Value;

use super::super::ErrorStatus;
use super::index::IndexReader;
use super::{Admin, AdminTable, Requester};

/// A row with the two columns that every table of the administration has.
pub(crate) trait AdminRow: Clone + Default + Send + Sync {
    fn storage(&self) -> StorageType;
    fn status(&self) -> RowStatus;
    fn set_storage(&mut self, storage: StorageType);
    fn set_status(&mut self, status: RowStatus);
}

/// Says that a row has fields `storage` and `status`.
macro_rules! admin_rows {
    ($($row:ty),+ $(,)?) => {$(
        impl $crate::engine::admin::AdminRow for $row {
            fn storage(&self) -> $crate::StorageType {
                self.storage
            }

            fn status(&self) -> $crate::RowStatus {
                self.status
            }

            fn set_storage(&mut self, storage: $crate::StorageType) {
                self.storage = storage;
            }

            fn set_status(&mut self, status: $crate::RowStatus) {
                self.status = status;
            }
        }
    )+};
}
pub(crate) use admin_rows;

/// What a table says of itself when its rows are a map; the rest follows.
pub(crate) trait MapTable: Send + Sync {
    type Key: Ord + Clone + 'static;
    type Row: AdminRow + 'static;

    const NAME: &'static str;
    const ROOT: &'static [u32];
    /// The readable columns in order, storage and status included.
    const COLUMNS: &'static [u32];
    const STORAGE: u32;
    const STATUS: u32;
    /// Columns that stay as they are while the row is active.
    const FIXED_WHILE_ACTIVE: &'static [u32] = &[];

    fn rows(admin: &Admin) -> &BTreeMap<Self::Key, Self::Row>;
    fn rows_mut(admin: &mut Admin) -> &mut BTreeMap<Self::Key, Self::Row>;
    /// Takes the key from the front of an index; what follows it is looked at by the caller.
    fn key(index: &mut IndexReader<'_>) -> Option<Self::Key>;
    fn index(key: &Self::Key) -> Vec<u32>;
    /// A column that is neither storage nor status; `None` while it has no value.
    fn read(key: &Self::Key, row: &Self::Row, column: u32) -> Option<Value>;
    /// Checks and writes such a column.
    fn write(row: &mut Self::Row, column: u32, value: &Value) -> Result<(), ErrorStatus>;

    /// A new row: the default of each column that has one.
    fn initial() -> Self::Row {
        Self::Row::default()
    }

    fn is_complete(_: &Self::Row) -> bool {
        true
    }
}

/// The whole of `index` as a key.
fn key_of<T: MapTable>(index: &[u32]) -> Option<T::Key> {
    let mut index = IndexReader(index);
    let key = T::key(&mut index)?;
    index.end()?;
    Some(key)
}

fn row_of<'a, T: MapTable>(admin: &'a Admin, index: &[u32]) -> Option<&'a T::Row> {
    T::rows(admin).get(&key_of::<T>(index)?)
}

fn row_mut_of<'a, T: MapTable>(admin: &'a mut Admin, index: &[u32]) -> Option<&'a mut T::Row> {
    T::rows_mut(admin).get_mut(&key_of::<T>(index)?)
}

impl<T: MapTable> AdminTable for T {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn root(&self) -> &'static [u32] {
        T::ROOT
    }

    fn columns(&self) -> &'static [u32] {
        T::COLUMNS
    }

    fn storage_column(&self) -> u32 {
        T::STORAGE
    }

    fn status_column(&self) -> u32 {
        T::STATUS
    }

    fn fixed_while_active(&self) -> &'static [u32] {
        T::FIXED_WHILE_ACTIVE
    }

    fn indexes(&self, admin: &Admin) -> Vec<Vec<u32>> {
        let mut indexes: Vec<_> = T::rows(admin).keys().map(T::index).collect();
        // The order of keys need not be that of indexes, where one is IMPLIED.
        indexes.sort_unstable();
        indexes
    }

    fn cell(&self, admin: &Admin, index: &[u32], column: u32) -> Option<Value> {
        let key = key_of::<T>(index)?;
        let row = T::rows(admin).get(&key)?;
        if column == T::STORAGE {
            return Some(Value::Integer32(row.storage().number()));
        }
        if column == T::STATUS {
            return Some(Value::Integer32(row.status().number()));
        }
        T::read(&key, row, column)
    }

    fn status(&self, admin: &Admin, index: &[u32]) -> Option<RowStatus> {
        row_of::<T>(admin, index).map(AdminRow::status)
    }

    fn storage(&self, admin: &Admin, index: &[u32]) -> Option<StorageType> {
        row_of::<T>(admin, index).map(AdminRow::storage)
    }

    fn create(&self, admin: &mut Admin, index: &[u32]) -> Result<(), ErrorStatus> {
        let key = key_of::<T>(index).ok_or(ErrorStatus::NoCreation)?;
        let mut row = T::initial();
        row.set_storage(StorageType::NonVolatile);
        row.set_status(RowStatus::NotReady);
        T::rows_mut(admin).insert(key, row);
        Ok(())
    }

    fn write(
        &self,
        admin: &mut Admin,
        _: &Requester,
        index: &[u32],
        column: u32,
        value: &Value,
    ) -> Result<(), ErrorStatus> {
        row_mut_of::<T>(admin, index).map_or(Ok(()), |row| T::write(row, column, value))
    }

    fn is_complete(&self, admin: &Admin, index: &[u32]) -> bool {
        row_of::<T>(admin, index).is_some_and(T::is_complete)
    }

    fn set_storage(&self, admin: &mut Admin, index: &[u32], storage: StorageType) {
        if let Some(row) = row_mut_of::<T>(admin, index) {
            row.set_storage(storage);
        }
    }

    fn set_status(&self, admin: &mut Admin, index: &[u32], status: RowStatus) {
        if let Some(row) = row_mut_of::<T>(admin, index) {
            row.set_status(status);
        }
    }

    fn remove(&self, admin: &mut Admin, index: &[u32]) {
        if let Some(key) = key_of::<T>(index) {
            T::rows_mut(admin).remove(&key);
        }
    }
}
