//! The tables of SNMP-VIEW-BASED-ACM-MIB (RFC 3415 §4).

use crate::row_status::{RowStatus, StorageType};
use crate::security::{Name, SecurityLevel, SecurityModel};
use crate::vacm::{Access, AccessKey, Family, Group, Subtree};
use crate::value::Value;

use super::super::ErrorStatus;
use super::index::{IndexReader, push_name};
use super::{Admin, AdminTable, choice, octets};

/// `vacmContextTable`: contexts are made by what is configured, not by SET.
pub(super) struct ContextTable;

impl AdminTable for ContextTable {
    fn root(&self) -> &'static [u32] {
        &[1, 3, 6, 1, 6, 3, 16, 1, 1]
    }

    fn columns(&self) -> &'static [u32] {
        &[1]
    }

    // There is neither storage nor status: no column has these numbers.
    fn storage_column(&self) -> u32 {
        0
    }

    fn status_column(&self) -> u32 {
        0
    }

    fn indexes(&self, admin: &Admin) -> Vec<Vec<u32>> {
        let index = |name: &Name| {
            let mut index = Vec::new();
            push_name(&mut index, name);
            index
        };
        admin.vacm.contexts.iter().map(index).collect()
    }

    fn cell(&self, admin: &Admin, index: &[u32], _: u32) -> Option<Value> {
        let mut index = IndexReader(index);
        let name = index.name()?;
        index.end()?;
        admin.vacm.contexts.get(&name).map(|name| Value::octets(name.octets()))
    }

    fn status(&self, _: &Admin, _: &[u32]) -> Option<RowStatus> {
        None
    }

    fn storage(&self, _: &Admin, _: &[u32]) -> Option<StorageType> {
        None
    }
}

/// `vacmSecurityToGroupTable`.
pub(super) struct SecurityToGroupTable;

impl SecurityToGroupTable {
    fn key(index: &[u32]) -> Option<(SecurityModel, Name)> {
        let mut index = IndexReader(index);
        let model = i32::try_from(index.number()?).ok()?;
        let name = index.name()?;
        index.end()?;
        // A row is for one model, and for somebody (vacmSecurityModel, vacmSecurityName).
        (model > 0 && !name.octets().is_empty()).then_some((SecurityModel(model), name))
    }

    fn row<'a>(admin: &'a Admin, index: &[u32]) -> Option<&'a Group> {
        admin.vacm.groups.get(&Self::key(index)?)
    }

    fn change(admin: &mut Admin, index: &[u32], change: impl FnOnce(&mut Group)) {
        if let Some(row) = Self::key(index).and_then(|key| admin.vacm.groups.get_mut(&key)) {
            change(row);
        }
    }
}

impl AdminTable for SecurityToGroupTable {
    fn root(&self) -> &'static [u32] {
        &[1, 3, 6, 1, 6, 3, 16, 1, 2]
    }

    fn columns(&self) -> &'static [u32] {
        &[3, 4, 5]
    }

    fn storage_column(&self) -> u32 {
        4
    }

    fn status_column(&self) -> u32 {
        5
    }

    fn indexes(&self, admin: &Admin) -> Vec<Vec<u32>> {
        let index = |(model, name): &(SecurityModel, Name)| {
            let mut index: Vec<u32> = u32::try_from(model.0).into_iter().collect();
            push_name(&mut index, name);
            index
        };
        admin.vacm.groups.keys().map(index).collect()
    }

    fn cell(&self, admin: &Admin, index: &[u32], column: u32) -> Option<Value> {
        let row = Self::row(admin, index)?;
        match column {
            3 => Some(Value::octets(row.name.octets())),
            4 => Some(Value::Integer32(row.storage.number())),
            5 => Some(Value::Integer32(row.status.number())),
            _ => None,
        }
    }

    fn status(&self, admin: &Admin, index: &[u32]) -> Option<RowStatus> {
        Self::row(admin, index).map(|row| row.status)
    }

    fn storage(&self, admin: &Admin, index: &[u32]) -> Option<StorageType> {
        Self::row(admin, index).map(|row| row.storage)
    }

    fn create(&self, admin: &mut Admin, index: &[u32]) -> Result<(), ErrorStatus> {
        let key = Self::key(index).ok_or(ErrorStatus::NoCreation)?;
        let (storage, status) = (StorageType::Volatile, RowStatus::NotReady);
        admin.vacm.groups.insert(key, Group { name: Name::default(), storage, status });
        Ok(())
    }

    fn write(
        &self,
        admin: &mut Admin,
        index: &[u32],
        _: u32,
        value: &Value,
    ) -> Result<(), ErrorStatus> {
        let name = Name::new(octets(value, 1..=32)?);
        Self::change(admin, index, |row| row.name = name);
        Ok(())
    }

    fn is_complete(&self, admin: &Admin, index: &[u32]) -> bool {
        Self::row(admin, index).is_some_and(|row| !row.name.octets().is_empty())
    }

    fn set_storage(&self, admin: &mut Admin, index: &[u32], storage: StorageType) {
        Self::change(admin, index, |row| row.storage = storage);
    }

    fn set_status(&self, admin: &mut Admin, index: &[u32], status: RowStatus) {
        Self::change(admin, index, |row| row.status = status);
    }

    fn remove(&self, admin: &mut Admin, index: &[u32]) {
        Self::key(index).and_then(|key| admin.vacm.groups.remove(&key));
    }
}

/// `vacmAccessTable`.
pub(super) struct AccessTable;

impl AccessTable {
    fn key(index: &[u32]) -> Option<AccessKey> {
        let mut index = IndexReader(index);
        let (group, context_prefix) = (index.name()?, index.name()?);
        let model = SecurityModel(i32::try_from(index.number()?).ok()?);
        let level = SecurityLevel::from_number(i32::try_from(index.number()?).ok()?)?;
        index.end()?;
        let named = !group.octets().is_empty();
        named.then_some(AccessKey { group, context_prefix, model, level })
    }

    fn row<'a>(admin: &'a Admin, index: &[u32]) -> Option<&'a Access> {
        admin.vacm.access.get(&Self::key(index)?)
    }

    fn change(admin: &mut Admin, index: &[u32], change: impl FnOnce(&mut Access)) {
        if let Some(row) = Self::key(index).and_then(|key| admin.vacm.access.get_mut(&key)) {
            change(row);
        }
    }
}

impl AdminTable for AccessTable {
    fn root(&self) -> &'static [u32] {
        &[1, 3, 6, 1, 6, 3, 16, 1, 4]
    }

    fn columns(&self) -> &'static [u32] {
        &[4, 5, 6, 7, 8, 9]
    }

    fn storage_column(&self) -> u32 {
        8
    }

    fn status_column(&self) -> u32 {
        9
    }

    fn indexes(&self, admin: &Admin) -> Vec<Vec<u32>> {
        let index = |key: &AccessKey| {
            let mut index = Vec::new();
            push_name(&mut index, &key.group);
            push_name(&mut index, &key.context_prefix);
            index.extend(u32::try_from(key.model.0));
            index.extend(u32::try_from(key.level.number()));
            index
        };
        admin.vacm.access.keys().map(index).collect()
    }

    fn cell(&self, admin: &Admin, index: &[u32], column: u32) -> Option<Value> {
        let row = Self::row(admin, index)?;
        match column {
            4 => Some(Value::Integer32(if row.prefix_match { 2 } else { 1 })),
            5 => Some(Value::octets(row.read_view.octets())),
            6 => Some(Value::octets(row.write_view.octets())),
            7 => Some(Value::octets(row.notify_view.octets())),
            8 => Some(Value::Integer32(row.storage.number())),
            9 => Some(Value::Integer32(row.status.number())),
            _ => None,
        }
    }

    fn status(&self, admin: &Admin, index: &[u32]) -> Option<RowStatus> {
        Self::row(admin, index).map(|row| row.status)
    }

    fn storage(&self, admin: &Admin, index: &[u32]) -> Option<StorageType> {
        Self::row(admin, index).map(|row| row.storage)
    }

    fn create(&self, admin: &mut Admin, index: &[u32]) -> Result<(), ErrorStatus> {
        let key = Self::key(index).ok_or(ErrorStatus::NoCreation)?;
        let (storage, status) = (StorageType::Volatile, RowStatus::NotReady);
        admin.vacm.access.insert(key, Access { storage, status, ..Access::default() });
        Ok(())
    }

    fn write(
        &self,
        admin: &mut Admin,
        index: &[u32],
        column: u32,
        value: &Value,
    ) -> Result<(), ErrorStatus> {
        if column == 4 {
            let prefix_match = choice(value, &[(1, false), (2, true)])?;
            Self::change(admin, index, |row| row.prefix_match = prefix_match);
            return Ok(());
        }
        let view = Name::new(octets(value, 0..=32)?);
        Self::change(admin, index, |row| match column {
            5 => row.read_view = view,
            6 => row.write_view = view,
            _ => row.notify_view = view,
        });
        Ok(())
    }

    fn set_storage(&self, admin: &mut Admin, index: &[u32], storage: StorageType) {
        Self::change(admin, index, |row| row.storage = storage);
    }

    fn set_status(&self, admin: &mut Admin, index: &[u32], status: RowStatus) {
        Self::change(admin, index, |row| row.status = status);
    }

    fn remove(&self, admin: &mut Admin, index: &[u32]) {
        Self::key(index).and_then(|key| admin.vacm.access.remove(&key));
    }
}

/// `vacmViewTreeFamilyTable`.
pub(super) struct ViewTreeFamilyTable;

impl ViewTreeFamilyTable {
    fn key(index: &[u32]) -> Option<(Name, Subtree)> {
        let mut index = IndexReader(index);
        let view = index.name()?;
        let subtree = Subtree(index.sub_identifiers()?.to_vec());
        index.end()?;
        (!view.octets().is_empty()).then_some((view, subtree))
    }

    fn row<'a>(admin: &'a Admin, index: &[u32]) -> Option<&'a Family> {
        admin.vacm.families.get(&Self::key(index)?)
    }

    fn change(admin: &mut Admin, index: &[u32], change: impl FnOnce(&mut Family)) {
        if let Some(row) = Self::key(index).and_then(|key| admin.vacm.families.get_mut(&key)) {
            change(row);
        }
    }
}

impl AdminTable for ViewTreeFamilyTable {
    fn root(&self) -> &'static [u32] {
        &[1, 3, 6, 1, 6, 3, 16, 1, 5, 2]
    }

    fn columns(&self) -> &'static [u32] {
        &[3, 4, 5, 6]
    }

    fn storage_column(&self) -> u32 {
        5
    }

    fn status_column(&self) -> u32 {
        6
    }

    fn indexes(&self, admin: &Admin) -> Vec<Vec<u32>> {
        let index = |(view, subtree): &(Name, Subtree)| {
            let mut index = Vec::new();
            push_name(&mut index, view);
            index.extend(u32::try_from(subtree.0.len()));
            index.extend_from_slice(&subtree.0);
            index
        };
        admin.vacm.families.keys().map(index).collect()
    }

    fn cell(&self, admin: &Admin, index: &[u32], column: u32) -> Option<Value> {
        let row = Self::row(admin, index)?;
        match column {
            3 => Some(Value::octets(&row.mask)),
            4 => Some(Value::Integer32(if row.included { 1 } else { 2 })),
            5 => Some(Value::Integer32(row.storage.number())),
            6 => Some(Value::Integer32(row.status.number())),
            _ => None,
        }
    }

    fn status(&self, admin: &Admin, index: &[u32]) -> Option<RowStatus> {
        Self::row(admin, index).map(|row| row.status)
    }

    fn storage(&self, admin: &Admin, index: &[u32]) -> Option<StorageType> {
        Self::row(admin, index).map(|row| row.storage)
    }

    fn create(&self, admin: &mut Admin, index: &[u32]) -> Result<(), ErrorStatus> {
        let key = Self::key(index).ok_or(ErrorStatus::NoCreation)?;
        let (storage, status) = (StorageType::Volatile, RowStatus::NotReady);
        let family = Family { mask: Vec::new(), included: true, storage, status };
        admin.vacm.families.insert(key, family);
        Ok(())
    }

    fn write(
        &self,
        admin: &mut Admin,
        index: &[u32],
        column: u32,
        value: &Value,
    ) -> Result<(), ErrorStatus> {
        if column == 3 {
            let mask = octets(value, 0..=16)?.to_vec();
            Self::change(admin, index, |row| row.mask = mask);
        } else {
            let included = choice(value, &[(1, true), (2, false)])?;
            Self::change(admin, index, |row| row.included = included);
        }
        Ok(())
    }

    fn set_storage(&self, admin: &mut Admin, index: &[u32], storage: StorageType) {
        Self::change(admin, index, |row| row.storage = storage);
    }

    fn set_status(&self, admin: &mut Admin, index: &[u32], status: RowStatus) {
        Self::change(admin, index, |row| row.status = status);
    }

    fn remove(&self, admin: &mut Admin, index: &[u32]) {
        Self::key(index).and_then(|key| admin.vacm.families.remove(&key));
    }
}
