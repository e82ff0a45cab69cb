//! The tables of SNMP-NOTIFICATION-MIB (RFC 3413 §4.2).

use std::collections::BTreeMap;

use crate::notify::{Notify, Profile, is_tag_delimiter};
use crate::security::Name;
use crate::vacm::{Family, Subtree};
use crate::value::Value;

use super::super::ErrorStatus;
use super::index::{IndexReader, implied, push_name};
use super::map::{MapTable, admin_rows};
use super::vacm::{family_cell, write_family};
use super::{Admin, choice, octets};

admin_rows!(Notify, Profile);

/// `snmpNotifyTable`.
pub(super) struct NotifyTable;

impl MapTable for NotifyTable {
    type Key = Vec<u8>;
    type Row = Notify;

    const NAME: &'static str = "snmpNotifyTable";
    const ROOT: &'static [u32] = &[1, 3, 6, 1, 6, 3, 13, 1, 1];
    const COLUMNS: &'static [u32] = &[2, 3, 4, 5];
    const STORAGE: u32 = 4;
    const STATUS: u32 = 5;

    fn rows(admin: &Admin) -> &BTreeMap<Vec<u8>, Notify> {
        &admin.targets.notify
    }

    fn rows_mut(admin: &mut Admin) -> &mut BTreeMap<Vec<u8>, Notify> {
        &mut admin.targets.notify
    }

    fn key(index: &mut IndexReader<'_>) -> Option<Vec<u8>> {
        index.implied_name().map(|name| name.0)
    }

    fn index(key: &Vec<u8>) -> Vec<u32> {
        implied(key).collect()
    }

    fn read(_: &Vec<u8>, row: &Notify, column: u32) -> Option<Value> {
        match column {
            2 => Some(Value::octets(&row.tag)),
            3 => Some(Value::Integer32(if row.inform { 2 } else { 1 })),
            _ => None,
        }
    }

    fn write(row: &mut Notify, column: u32, value: &Value) -> Result<(), ErrorStatus> {
        if column == 3 {
            row.inform = choice(value, &[(1, false), (2, true)])?;
            return Ok(());
        }
        let tag = octets(value, 0..=255)?;
        // An `SnmpTagValue` is one tag.
        if tag.iter().any(|octet| is_tag_delimiter(*octet)) {
            return Err(ErrorStatus::WrongValue);
        }
        row.tag = tag.to_vec();
        Ok(())
    }
}

/// `snmpNotifyFilterProfileTable`.
pub(super) struct ProfileTable;

impl MapTable for ProfileTable {
    type Key = Vec<u8>;
    type Row = Profile;

    const NAME: &'static str = "snmpNotifyFilterProfileTable";
    const ROOT: &'static [u32] = &[1, 3, 6, 1, 6, 3, 13, 1, 2];
    const COLUMNS: &'static [u32] = &[1, 2, 3];
    const STORAGE: u32 = 2;
    const STATUS: u32 = 3;

    fn rows(admin: &Admin) -> &BTreeMap<Vec<u8>, Profile> {
        &admin.targets.profiles
    }

    fn rows_mut(admin: &mut Admin) -> &mut BTreeMap<Vec<u8>, Profile> {
        &mut admin.targets.profiles
    }

    fn key(index: &mut IndexReader<'_>) -> Option<Vec<u8>> {
        index.implied_name().map(|name| name.0)
    }

    fn index(key: &Vec<u8>) -> Vec<u32> {
        implied(key).collect()
    }

    fn read(_: &Vec<u8>, row: &Profile, _: u32) -> Option<Value> {
        (!row.name.octets().is_empty()).then(|| Value::octets(row.name.octets()))
    }

    fn write(row: &mut Profile, _: u32, value: &Value) -> Result<(), ErrorStatus> {
        row.name = Name::new(octets(value, 1..=32)?);
        Ok(())
    }

    fn is_complete(row: &Profile) -> bool {
        !row.name.octets().is_empty()
    }
}

/// `snmpNotifyFilterTable`; its index ends with an IMPLIED subtree.
pub(super) struct FilterTable;

impl MapTable for FilterTable {
    type Key = (Name, Subtree);
    type Row = Family;

    const NAME: &'static str = "snmpNotifyFilterTable";
    const ROOT: &'static [u32] = &[1, 3, 6, 1, 6, 3, 13, 1, 3];
    const COLUMNS: &'static [u32] = &[2, 3, 4, 5];
    const STORAGE: u32 = 4;
    const STATUS: u32 = 5;

    fn rows(admin: &Admin) -> &BTreeMap<Self::Key, Family> {
        &admin.targets.filters
    }

    fn rows_mut(admin: &mut Admin) -> &mut BTreeMap<Self::Key, Family> {
        &mut admin.targets.filters
    }

    fn key(index: &mut IndexReader<'_>) -> Option<Self::Key> {
        let profile = index.name().filter(|name| !name.octets().is_empty())?;
        let subtree = Subtree(index.rest().to_vec());
        (!subtree.0.is_empty()).then_some((profile, subtree))
    }

    fn index((profile, subtree): &Self::Key) -> Vec<u32> {
        let mut index = Vec::new();
        push_name(&mut index, profile);
        index.extend_from_slice(&subtree.0);
        index
    }

    fn initial() -> Family {
        Family { included: true, ..Family::default() }
    }

    fn read(_: &Self::Key, row: &Family, column: u32) -> Option<Value> {
        family_cell(row, [2, 3], column)
    }

    fn write(row: &mut Family, column: u32, value: &Value) -> Result<(), ErrorStatus> {
        write_family(row, [2, 3], column, value)
    }
}
