//! The tables of SNMP-TARGET-MIB (RFC 3413 §4.1).

use std::collections::BTreeMap;

use crate::Oid;
use crate::notify::{ParametersRow, TargetAddress, TransportAddress, is_tag_delimiter};
use crate::security::{Name, SecurityLevel, SecurityModel};
use crate::value::Value;

use super::super::ErrorStatus;
use super::index::{IndexReader, implied};
use super::map::{MapTable, admin_rows};
use super::{Admin, integer, octets};

admin_rows!(TargetAddress, ParametersRow);

/// `snmpTargetAddrTable`.
pub(super) struct AddressTable;

impl MapTable for AddressTable {
    type Key = Vec<u8>;
    type Row = TargetAddress;

    const NAME: &'static str = "snmpTargetAddrTable";
    const ROOT: &'static [u32] = &[1, 3, 6, 1, 6, 3, 12, 1, 2];
    const COLUMNS: &'static [u32] = &[2, 3, 4, 5, 6, 7, 8, 9];
    const STORAGE: u32 = 8;
    const STATUS: u32 = 9;
    const FIXED_WHILE_ACTIVE: &'static [u32] = &[2, 3];

    fn rows(admin: &Admin) -> &BTreeMap<Vec<u8>, TargetAddress> {
        &admin.targets.addresses
    }

    fn rows_mut(admin: &mut Admin) -> &mut BTreeMap<Vec<u8>, TargetAddress> {
        &mut admin.targets.addresses
    }

    fn key(index: &mut IndexReader<'_>) -> Option<Vec<u8>> {
        index.implied_name().map(|name| name.0)
    }

    fn index(key: &Vec<u8>) -> Vec<u32> {
        implied(key).collect()
    }

    fn initial() -> TargetAddress {
        TargetAddress { timeout: 1500, retry_count: 3, ..TargetAddress::default() }
    }

    fn read(_: &Vec<u8>, row: &TargetAddress, column: u32) -> Option<Value> {
        let written = |octets: &[u8]| (!octets.is_empty()).then(|| Value::octets(octets));
        match column {
            2 if row.address.domain.is_empty() => None,
            2 => Some(Value::ObjectIdentifier(row.address.domain.clone())),
            3 => written(&row.address.octets),
            4 => Some(Value::Integer32(row.timeout)),
            5 => Some(Value::Integer32(row.retry_count)),
            6 => Some(Value::octets(&row.tag_list)),
            7 => written(&row.parameters),
            _ => None,
        }
    }

    fn write(row: &mut TargetAddress, column: u32, value: &Value) -> Result<(), ErrorStatus> {
        match column {
            2 => row.address.domain = domain(value)?,
            3 => row.address.octets = octets(value, 1..=255)?.to_vec(),
            4 => row.timeout = integer(value, 0..=i32::MAX)?,
            5 => row.retry_count = integer(value, 0..=255)?,
            6 => row.tag_list = tag_list(value)?,
            _ => row.parameters = octets(value, 1..=32)?.to_vec(),
        }
        Ok(())
    }

    fn is_complete(row: &TargetAddress) -> bool {
        row.address.socket().is_some() && !row.parameters.is_empty()
    }
}

/// A domain that notifications can be sent in.
fn domain(value: &Value) -> Result<Oid, ErrorStatus> {
    match value {
        Value::ObjectIdentifier(oid) if TransportAddress::is_supported(oid) => Ok(oid.clone()),
        Value::ObjectIdentifier(_) => Err(ErrorStatus::WrongValue),
        _ => Err(ErrorStatus::WrongType),
    }
}

/// An `SnmpTagList`: one delimiter between two tags, and none at the ends.
fn tag_list(value: &Value) -> Result<Vec<u8>, ErrorStatus> {
    let list = octets(value, 0..=255)?;
    let mut tags = list.split(|octet| is_tag_delimiter(*octet));
    if !list.is_empty() && tags.any(<[u8]>::is_empty) {
        return Err(ErrorStatus::WrongValue);
    }
    Ok(list.to_vec())
}

/// `snmpTargetParamsTable`.
pub(super) struct ParametersTable;

impl MapTable for ParametersTable {
    type Key = Vec<u8>;
    type Row = ParametersRow;

    const NAME: &'static str = "snmpTargetParamsTable";
    const ROOT: &'static [u32] = &[1, 3, 6, 1, 6, 3, 12, 1, 3];
    const COLUMNS: &'static [u32] = &[2, 3, 4, 5, 6, 7];
    const STORAGE: u32 = 6;
    const STATUS: u32 = 7;
    const FIXED_WHILE_ACTIVE: &'static [u32] = &[2, 3, 4, 5];

    fn rows(admin: &Admin) -> &BTreeMap<Vec<u8>, ParametersRow> {
        &admin.targets.parameters
    }

    fn rows_mut(admin: &mut Admin) -> &mut BTreeMap<Vec<u8>, ParametersRow> {
        &mut admin.targets.parameters
    }

    fn key(index: &mut IndexReader<'_>) -> Option<Vec<u8>> {
        index.implied_name().map(|name| name.0)
    }

    fn index(key: &Vec<u8>) -> Vec<u32> {
        implied(key).collect()
    }

    fn read(_: &Vec<u8>, row: &ParametersRow, column: u32) -> Option<Value> {
        match column {
            2 => row.processing.map(Value::Integer32),
            3 => row.model.map(|model| Value::Integer32(model.0)),
            4 => row.security_name.as_ref().map(|name| Value::octets(name.octets())),
            5 => row.level.map(|level| Value::Integer32(level.number())),
            _ => None,
        }
    }

    fn write(row: &mut ParametersRow, column: u32, value: &Value) -> Result<(), ErrorStatus> {
        match column {
            2 => row.processing = Some(integer(value, 0..=3)?),
            // 0 is no model; only the access table may say it (`snmpTargetParamsSecurityModel`).
            3 => row.model = Some(SecurityModel(integer(value, 1..=i32::MAX)?)),
            4 => row.security_name = Some(Name::new(octets(value, 0..=255)?)),
            _ => row.level = SecurityLevel::from_number(integer(value, 1..=3)?),
        }
        Ok(())
    }

    fn is_complete(row: &ParametersRow) -> bool {
        row.resolved().is_some()
    }
}
