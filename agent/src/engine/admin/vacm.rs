//! The tables of SNMP-VIEW-BASED-ACM-MIB (RFC 3415 §4).

use std::collections::BTreeMap;

use crate::row_status::{RowStatus, StorageType};
use crate::security::{Name, SecurityLevel, SecurityModel};
use crate::vacm::{Access, AccessKey, Family, Group, Subtree};
use crate::value::Value;

use super::super::ErrorStatus;
use super::index::{IndexReader, push_name};
use super::map::{MapTable, admin_rows};
use super::{Admin, AdminTable, choice, octets};

admin_rows!(Group, Access, Family);

/// `vacmContextTable`: contexts are made by what is configured, not by SET.
pub(super) struct ContextTable;

impl AdminTable for ContextTable {
    fn name(&self) -> &'static str {
        "vacmContextTable"
    }

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

impl MapTable for SecurityToGroupTable {
    type Key = (SecurityModel, Name);
    type Row = Group;

    const NAME: &'static str = "vacmSecurityToGroupTable";
    const ROOT: &'static [u32] = &[1, 3, 6, 1, 6, 3, 16, 1, 2];
    const COLUMNS: &'static [u32] = &[3, 4, 5];
    const STORAGE: u32 = 4;
    const STATUS: u32 = 5;

    fn rows(admin: &Admin) -> &BTreeMap<Self::Key, Group> {
        &admin.vacm.groups
    }

    fn rows_mut(admin: &mut Admin) -> &mut BTreeMap<Self::Key, Group> {
        &mut admin.vacm.groups
    }

    fn key(index: &mut IndexReader<'_>) -> Option<Self::Key> {
        let model = i32::try_from(index.number()?).ok()?;
        let name = index.name()?;
        // A row is for one model, and for somebody (vacmSecurityModel, vacmSecurityName).
        (model > 0 && !name.octets().is_empty()).then_some((SecurityModel(model), name))
    }

    fn index((model, name): &Self::Key) -> Vec<u32> {
        let mut index: Vec<u32> = u32::try_from(model.0).into_iter().collect();
        push_name(&mut index, name);
        index
    }

    fn read(_: &Self::Key, row: &Group, column: u32) -> Option<Value> {
        let is_named = column == 3 && !row.name.octets().is_empty();
        is_named.then(|| Value::octets(row.name.octets()))
    }

    fn write(row: &mut Group, _: u32, value: &Value) -> Result<(), ErrorStatus> {
        row.name = Name::new(octets(value, 1..=32)?);
        Ok(())
    }

    fn is_complete(row: &Group) -> bool {
        !row.name.octets().is_empty()
    }
}

/// `vacmAccessTable`.
pub(super) struct AccessTable;

impl MapTable for AccessTable {
    type Key = AccessKey;
    type Row = Access;

    const NAME: &'static str = "vacmAccessTable";
    const ROOT: &'static [u32] = &[1, 3, 6, 1, 6, 3, 16, 1, 4];
    const COLUMNS: &'static [u32] = &[4, 5, 6, 7, 8, 9];
    const STORAGE: u32 = 8;
    const STATUS: u32 = 9;

    fn rows(admin: &Admin) -> &BTreeMap<AccessKey, Access> {
        &admin.vacm.access
    }

    fn rows_mut(admin: &mut Admin) -> &mut BTreeMap<AccessKey, Access> {
        &mut admin.vacm.access
    }

    fn key(index: &mut IndexReader<'_>) -> Option<AccessKey> {
        let (group, context_prefix) = (index.name()?, index.name()?);
        let model = SecurityModel(i32::try_from(index.number()?).ok()?);
        let level = SecurityLevel::from_number(i32::try_from(index.number()?).ok()?)?;
        let named = !group.octets().is_empty();
        named.then_some(AccessKey { group, context_prefix, model, level })
    }

    fn index(key: &AccessKey) -> Vec<u32> {
        let mut index = Vec::new();
        push_name(&mut index, &key.group);
        push_name(&mut index, &key.context_prefix);
        index.extend(u32::try_from(key.model.0));
        index.extend(u32::try_from(key.level.number()));
        index
    }

    fn read(_: &AccessKey, row: &Access, column: u32) -> Option<Value> {
        match column {
            4 => Some(Value::Integer32(if row.prefix_match { 2 } else { 1 })),
            5 => Some(Value::octets(row.read_view.octets())),
            6 => Some(Value::octets(row.write_view.octets())),
            7 => Some(Value::octets(row.notify_view.octets())),
            _ => None,
        }
    }

    fn write(row: &mut Access, column: u32, value: &Value) -> Result<(), ErrorStatus> {
        if column == 4 {
            row.prefix_match = choice(value, &[(1, false), (2, true)])?;
            return Ok(());
        }
        let view = Name::new(octets(value, 0..=32)?);
        match column {
            5 => row.read_view = view,
            6 => row.write_view = view,
            _ => row.notify_view = view,
        }
        Ok(())
    }
}

/// `vacmViewTreeFamilyTable`.
pub(super) struct ViewTreeFamilyTable;

impl MapTable for ViewTreeFamilyTable {
    type Key = (Name, Subtree);
    type Row = Family;

    const NAME: &'static str = "vacmViewTreeFamilyTable";
    const ROOT: &'static [u32] = &[1, 3, 6, 1, 6, 3, 16, 1, 5, 2];
    const COLUMNS: &'static [u32] = &[3, 4, 5, 6];
    const STORAGE: u32 = 5;
    const STATUS: u32 = 6;

    fn rows(admin: &Admin) -> &BTreeMap<Self::Key, Family> {
        &admin.vacm.families
    }

    fn rows_mut(admin: &mut Admin) -> &mut BTreeMap<Self::Key, Family> {
        &mut admin.vacm.families
    }

    fn key(index: &mut IndexReader<'_>) -> Option<Self::Key> {
        let view = index.name()?;
        let subtree = Subtree(index.sub_identifiers()?.to_vec());
        (!view.octets().is_empty()).then_some((view, subtree))
    }

    fn index((view, subtree): &Self::Key) -> Vec<u32> {
        let mut index = Vec::new();
        push_name(&mut index, view);
        index.extend(u32::try_from(subtree.0.len()));
        index.extend_from_slice(&subtree.0);
        index
    }

    fn read(_: &Self::Key, row: &Family, column: u32) -> Option<Value> {
        family_cell(row, [3, 4], column)
    }

    fn write(row: &mut Family, column: u32, value: &Value) -> Result<(), ErrorStatus> {
        write_family(row, [3, 4], column, value)
    }

    fn initial() -> Family {
        Family { included: true, ..Family::default() }
    }
}

/// Mask and type of a family, which two tables have in columns of other numbers.
pub(super) fn family_cell(row: &Family, [mask, kind]: [u32; 2], column: u32) -> Option<Value> {
    match column {
        _ if column == mask => Some(Value::octets(&row.mask)),
        _ if column == kind => Some(Value::Integer32(if row.included { 1 } else { 2 })),
        _ => None,
    }
}

/// Writes one of the columns of [`family_cell`].
pub(super) fn write_family(
    row: &mut Family,
    [mask, _]: [u32; 2],
    column: u32,
    value: &Value,
) -> Result<(), ErrorStatus> {
    if column == mask {
        row.mask = octets(value, 0..=16)?.to_vec();
    } else {
        row.included = choice(value, &[(1, true), (2, false)])?;
    }
    Ok(())
}
