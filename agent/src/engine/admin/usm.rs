//! `usmUserTable` (RFC 3414 §5), read-only: users come from the configuration.

use std::sync::Arc;

use crate::Oid;
use crate::row_status::{RowStatus, StorageType};
use crate::usm::{AuthenticationProtocol, PrivacyProtocol, User};
use crate::value::Value;

use super::index::{IndexReader, push_name};
use super::{Admin, AdminTable};
use crate::security::Name;

pub(super) struct UserTable;

/// `snmpFrameworkAdmin` (RFC 3411 §5): protocols are registered below it.
const FRAMEWORK_ADMIN: [u32; 8] = [1, 3, 6, 1, 6, 3, 10, 1];

impl UserTable {
    fn user<'a>(admin: &'a Admin, index: &[u32]) -> Option<&'a Arc<User>> {
        let mut index = IndexReader(index);
        let (engine_id, name) = (index.name()?, index.name()?);
        index.end()?;
        admin.users.get(&name).filter(|_| engine_id == admin.engine_id)
    }
}

impl AdminTable for UserTable {
    fn root(&self) -> &'static [u32] {
        &[1, 3, 6, 1, 6, 3, 15, 1, 2, 2]
    }

    fn columns(&self) -> &'static [u32] {
        &[3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
    }

    fn storage_column(&self) -> u32 {
        12
    }

    fn status_column(&self) -> u32 {
        13
    }

    fn indexes(&self, admin: &Admin) -> Vec<Vec<u32>> {
        let index = |name: &Name| {
            let mut index = Vec::new();
            push_name(&mut index, &admin.engine_id);
            push_name(&mut index, name);
            index
        };
        admin.users.keys().map(index).collect()
    }

    fn cell(&self, admin: &Admin, index: &[u32], column: u32) -> Option<Value> {
        let user = Self::user(admin, index)?;
        let identifier = |sub_ids: [u32; 2]| {
            let mut oid = Oid::from(FRAMEWORK_ADMIN);
            oid.extend_from_slice(&sub_ids);
            Value::ObjectIdentifier(oid)
        };
        Some(match column {
            3 => Value::octets(user.name.octets()),
            // There is nothing to say of the origin of a row (RFC 3414 §5).
            4 => Value::ObjectIdentifier(Oid::from([0, 0])),
            5 => identifier([1, user.authentication.as_ref().map_or(1, |(it, _)| number(*it))]),
            8 => match user.privacy.as_ref().map(|(protocol, _)| *protocol) {
                None => identifier([2, 1]),
                Some(PrivacyProtocol::Des) => identifier([2, 2]),
                Some(PrivacyProtocol::Aes128) => identifier([2, 4]),
                Some(PrivacyProtocol::Aes192) => Value::ObjectIdentifier(NET_SNMP_AES192.into()),
                Some(PrivacyProtocol::Aes256) => Value::ObjectIdentifier(NET_SNMP_AES256.into()),
            },
            // Keys are written, never read.
            6 | 7 | 9 | 10 | 11 => Value::octets(b""),
            12 => Value::Integer32(user.storage.number()),
            13 => Value::Integer32(user.status.number()),
            _ => return None,
        })
    }

    fn status(&self, admin: &Admin, index: &[u32]) -> Option<RowStatus> {
        Self::user(admin, index).map(|user| user.status)
    }

    fn storage(&self, admin: &Admin, index: &[u32]) -> Option<StorageType> {
        Self::user(admin, index).map(|user| user.storage)
    }
}

/// What Net-SNMP calls the protocols that no RFC defines.
const NET_SNMP_AES192: [u32; 9] = [1, 3, 6, 1, 4, 1, 14832, 1, 3];
const NET_SNMP_AES256: [u32; 9] = [1, 3, 6, 1, 4, 1, 14832, 1, 4];

/// Below `snmpAuthProtocols` (RFC 3414 §5, RFC 7860 §8).
fn number(protocol: AuthenticationProtocol) -> u32 {
    match protocol {
        AuthenticationProtocol::Md5 => 2,
        AuthenticationProtocol::Sha1 => 3,
        AuthenticationProtocol::Sha224 => 4,
        AuthenticationProtocol::Sha256 => 5,
        AuthenticationProtocol::Sha384 => 6,
        AuthenticationProtocol::Sha512 => 7,
    }
}
