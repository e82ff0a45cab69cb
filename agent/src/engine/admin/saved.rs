//! What of the administration survives a restart, and how it comes back.

use std::sync::Arc;

use crate::row_status::{RowStatus, StorageType};
use crate::security::{SecurityLevel, SecurityModel};
use crate::usm::User;
use crate::value::Value;

use super::{Admin, AdminTable, Requester, TABLES};

/// All that was made or changed by SET and is nonVolatile. It holds keys: it belongs into a
/// file that nobody else reads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Saved {
    /// Rows of the tables but that of users, in the order of a walk.
    pub rows: Vec<SavedRow>,
    /// The users that are nonVolatile, with their keys.
    pub users: Vec<User>,
    /// `snmpEnableAuthenTraps`, if it was SET.
    pub authentication_traps: Option<bool>,
    pub system: SystemNames,
}

/// A conceptual row, by its cells.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedRow {
    /// The descriptor of the table.
    pub table: String,
    pub index: Vec<u32>,
    /// The columns but storage and status.
    pub columns: Vec<(u32, Value)>,
    pub status: RowStatus,
}

/// `sysContact`, `sysName` and `sysLocation`, as far as they were SET.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SystemNames {
    pub contact: Option<String>,
    pub name: Option<String>,
    pub location: Option<String>,
}

impl Saved {
    /// What there is to be kept of `admin`.
    pub(crate) fn of(admin: &Admin) -> Self {
        Self::stored_as(StorageType::NonVolatile, admin)
    }

    /// What lasts until the process ends, and longer than a configuration.
    pub(crate) fn volatile_of(admin: &Admin) -> Self {
        Self {
            authentication_traps: None,
            system: SystemNames::default(),
            ..Self::stored_as(StorageType::Volatile, admin)
        }
    }

    fn stored_as(storage: StorageType, admin: &Admin) -> Self {
        let users = admin.users.values().filter(|user| user.storage == storage);
        Self {
            rows: TABLES.iter().flat_map(|table| rows_of(*table, storage, admin)).collect(),
            users: users.map(|user| User::clone(user)).collect(),
            authentication_traps: admin
                .is_authentication_traps_set
                .then_some(admin.authentication_traps),
            system: admin.system.clone(),
        }
    }

    /// Puts it back. Rows of the configuration go before those that are kept; what cannot be
    /// put back is said, and left out.
    pub(crate) fn restore(mut self, admin: &mut Admin) -> Vec<String> {
        if let Some(enabled) = self.authentication_traps {
            admin.authentication_traps = enabled;
            admin.is_authentication_traps_set = true;
        }
        admin.system = std::mem::take(&mut self.system);
        self.restore_as(StorageType::NonVolatile, admin)
    }

    /// Puts rows and users back that are volatile.
    pub(crate) fn restore_volatile(self, admin: &mut Admin) -> Vec<String> {
        self.restore_as(StorageType::Volatile, admin)
    }

    fn restore_as(self, storage: StorageType, admin: &mut Admin) -> Vec<String> {
        let mut problems = Vec::new();
        for row in self.rows {
            if let Err(why) = restore_row(admin, &row, storage) {
                problems.push(format!("{} {:?}: {why}", row.table, row.index));
            }
        }
        for user in self.users {
            let name = String::from_utf8_lossy(user.name.octets()).into_owned();
            match admin.users.entry(user.name.clone()) {
                std::collections::btree_map::Entry::Occupied(_) => {
                    problems.push(format!("usmUserTable `{name}`: it is configured, too"));
                }
                std::collections::btree_map::Entry::Vacant(place) => {
                    place.insert(Arc::new(user));
                }
            }
        }
        problems
    }
}

fn rows_of(table: &dyn AdminTable, storage: StorageType, admin: &Admin) -> Vec<SavedRow> {
    // Users are kept with their keys, which no column shows.
    if table.name() == super::usm::UserTable.name() {
        return Vec::new();
    }
    let is_data = |column: &u32| ![table.storage_column(), table.status_column()].contains(column);
    let kept = |index: &Vec<u32>| table.storage(admin, index) == Some(storage);
    let indexes = table.indexes(admin).into_iter().filter(kept);
    let row = |index: Vec<u32>| {
        let columns = table.columns().iter().copied().filter(is_data);
        let columns = columns
            .filter_map(|column| Some((column, table.cell(admin, &index, column)?)))
            .collect();
        let status = table.status(admin, &index)?;
        Some(SavedRow { table: table.name().to_owned(), index, columns, status })
    };
    indexes.filter_map(row).collect()
}

fn restore_row(admin: &mut Admin, row: &SavedRow, storage: StorageType) -> Result<(), String> {
    let table = TABLES.iter().find(|table| table.name() == row.table);
    let table = *table.ok_or("there is no such table")?;
    if table.storage(admin, &row.index).is_some() {
        return Err("it is configured, too".to_owned());
    }
    // The checks were made when it was written; they are made again, as the file may be another.
    let mut changed = admin.clone();
    let refused = |status| format!("{status:?}");
    table.create(&mut changed, &row.index).map_err(refused)?;
    let requester = Requester {
        model: SecurityModel::USM,
        level: SecurityLevel::AuthPriv,
        ..Requester::default()
    };
    for (column, value) in &row.columns {
        if !table.columns().contains(column) {
            return Err(format!("there is no column {column}"));
        }
        table.write(&mut changed, &requester, &row.index, *column, value).map_err(refused)?;
    }
    if row.status == RowStatus::Active && !table.is_complete(&changed, &row.index) {
        return Err("it is not complete".to_owned());
    }
    table.set_storage(&mut changed, &row.index, storage);
    table.set_status(&mut changed, &row.index, row.status);
    *admin = changed;
    Ok(())
}
