//! The tables of SNMP-COMMUNITY-MIB (RFC 3584 §5.3), read-only: communities come from the
//! configuration.

use crate::row_status::{RowStatus, StorageType};
use crate::value::Value;

use super::super::Community;
use super::index::{IndexReader, implied};
use super::{Admin, AdminTable};

/// `snmpCommunityTable`.
///
/// `snmpCommunityName` reads as no octets: it is a password, and a walk is no place for it.
pub(super) struct CommunityTable;

impl CommunityTable {
    /// The security name is the index, too: each community has its own.
    fn row<'a>(admin: &'a Admin, index: &[u32]) -> Option<&'a Community> {
        let name = IndexReader(index).implied_name()?;
        admin.communities.iter().map(AsRef::as_ref).find(|row| row.security_name == name)
    }
}

impl AdminTable for CommunityTable {
    fn name(&self) -> &'static str {
        "snmpCommunityTable"
    }

    fn root(&self) -> &'static [u32] {
        &[1, 3, 6, 1, 6, 3, 18, 1, 1]
    }

    fn columns(&self) -> &'static [u32] {
        &[2, 3, 4, 5, 6, 7, 8]
    }

    fn storage_column(&self) -> u32 {
        7
    }

    fn status_column(&self) -> u32 {
        8
    }

    fn indexes(&self, admin: &Admin) -> Vec<Vec<u32>> {
        let names = admin.communities.iter().map(|row| row.security_name.octets());
        let mut indexes: Vec<Vec<u32>> = names.map(|name| implied(name).collect()).collect();
        indexes.sort_unstable();
        indexes
    }

    fn cell(&self, admin: &Admin, index: &[u32], column: u32) -> Option<Value> {
        let row = Self::row(admin, index)?;
        Some(match column {
            // The name, and a transport tag: none.
            2 | 6 => Value::octets(b""),
            3 => Value::octets(row.security_name.octets()),
            4 => Value::octets(admin.engine_id.octets()),
            5 => Value::octets(row.context.octets()),
            7 => Value::Integer32(StorageType::ReadOnly.number()),
            8 => Value::Integer32(RowStatus::Active.number()),
            _ => return None,
        })
    }

    fn status(&self, admin: &Admin, index: &[u32]) -> Option<RowStatus> {
        Self::row(admin, index).map(|_| RowStatus::Active)
    }

    fn storage(&self, admin: &Admin, index: &[u32]) -> Option<StorageType> {
        Self::row(admin, index).map(|_| StorageType::ReadOnly)
    }
}

/// `snmpTargetAddrExtTable`: a row for each target address.
pub(super) struct TargetExtensionTable;

impl TargetExtensionTable {
    fn is_row(admin: &Admin, index: &[u32]) -> bool {
        let name = IndexReader(index).implied_name();
        name.is_some_and(|name| admin.targets.addresses.contains_key(name.octets()))
    }
}

impl AdminTable for TargetExtensionTable {
    fn name(&self) -> &'static str {
        "snmpTargetAddrExtTable"
    }

    fn root(&self) -> &'static [u32] {
        &[1, 3, 6, 1, 6, 3, 18, 1, 2]
    }

    fn columns(&self) -> &'static [u32] {
        &[1, 2]
    }

    // It augments a table that has both.
    fn storage_column(&self) -> u32 {
        0
    }

    fn status_column(&self) -> u32 {
        0
    }

    fn indexes(&self, admin: &Admin) -> Vec<Vec<u32>> {
        admin.targets.addresses.keys().map(|name| implied(name).collect()).collect()
    }

    fn cell(&self, admin: &Admin, index: &[u32], column: u32) -> Option<Value> {
        if !Self::is_row(admin, index) {
            return None;
        }
        match column {
            // No mask: the address is one address.
            1 => Some(Value::octets(b"")),
            // Nothing is known of the largest message there.
            2 => Some(Value::Integer32(0)),
            _ => None,
        }
    }

    fn status(&self, _: &Admin, _: &[u32]) -> Option<RowStatus> {
        None
    }

    fn storage(&self, _: &Admin, _: &[u32]) -> Option<StorageType> {
        None
    }
}
