//! `usmUserTable` (RFC 3414 §5): users come from the configuration, or are cloned.

use std::sync::Arc;

use crate::Oid;
use crate::row_status::{RowStatus, StorageType};
use crate::security::{Name, SecurityLevel, SecurityModel};
use crate::usm::{AuthenticationProtocol, Key, PrivacyProtocol, User, next_key};
use crate::value::Value;

use super::super::ErrorStatus;
use super::index::{IndexReader, push_name};
use super::{Admin, AdminTable, Requester, octets};

pub(super) struct UserTable;

/// `snmpFrameworkAdmin` (RFC 3411 §5): protocols are registered below it.
const FRAMEWORK_ADMIN: [u32; 8] = [1, 3, 6, 1, 6, 3, 10, 1];

/// The columns of `usmUserTable` that are more than data.
const CLONE_FROM: u32 = 4;
const AUTH_PROTOCOL: u32 = 5;
const AUTH_KEY_CHANGE: u32 = 6;
const OWN_AUTH_KEY_CHANGE: u32 = 7;
const PRIV_PROTOCOL: u32 = 8;
const PRIV_KEY_CHANGE: u32 = 9;
const OWN_PRIV_KEY_CHANGE: u32 = 10;
const PUBLIC: u32 = 11;

/// `usmUserCloneFrom`: it is looked at before the other columns of its request.
pub(crate) const USER_CLONE_FROM: &[u32] = &[1, 3, 6, 1, 6, 3, 15, 1, 2, 2, 1, CLONE_FROM];

impl UserTable {
    fn name(admin: &Admin, index: &[u32]) -> Option<Name> {
        let mut index = IndexReader(index);
        let (engine_id, name) = (index.name()?, index.name()?);
        index.end()?;
        // Users of other engines are in the configuration, not in this table.
        (engine_id == admin.engine_id && !name.octets().is_empty()).then_some(name)
    }

    fn user<'a>(admin: &'a Admin, index: &[u32]) -> Option<&'a Arc<User>> {
        admin.users.get(&Self::name(admin, index)?)
    }

    fn change<T>(
        admin: &mut Admin,
        index: &[u32],
        change: impl FnOnce(&mut User) -> Result<T, ErrorStatus>,
    ) -> Result<T, ErrorStatus> {
        let name = Self::name(admin, index).ok_or(ErrorStatus::NoCreation)?;
        let user = admin.users.get_mut(&name).ok_or(ErrorStatus::NoCreation)?;
        change(Arc::make_mut(user))
    }
}

impl AdminTable for UserTable {
    fn name(&self) -> &'static str {
        "usmUserTable"
    }

    fn root(&self) -> &'static [u32] {
        &[1, 3, 6, 1, 6, 3, 15, 1, 2, 2]
    }

    fn columns(&self) -> &'static [u32] {
        &[3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
    }

    fn is_read_only(&self, column: u32) -> bool {
        column == 3
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
        Some(match column {
            3 => Value::octets(user.name.octets()),
            // It is written, never read.
            CLONE_FROM => Value::ObjectIdentifier(Oid::from([0, 0])),
            AUTH_PROTOCOL => {
                let protocol = user.authentication.as_ref().map(|(protocol, _)| *protocol);
                Value::ObjectIdentifier(authentication_oid(protocol))
            }
            PRIV_PROTOCOL => {
                let protocol = user.privacy.as_ref().map(|(protocol, _)| *protocol);
                Value::ObjectIdentifier(privacy_oid(protocol))
            }
            // So are keys.
            AUTH_KEY_CHANGE | OWN_AUTH_KEY_CHANGE | PRIV_KEY_CHANGE | OWN_PRIV_KEY_CHANGE => {
                Value::octets(b"")
            }
            PUBLIC => Value::octets(&user.public),
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

    fn create(&self, admin: &mut Admin, index: &[u32]) -> Result<(), ErrorStatus> {
        let name = Self::name(admin, index).ok_or(ErrorStatus::NoCreation)?;
        // An `SnmpAdminString` is UTF-8 (RFC 3411 §5).
        if std::str::from_utf8(name.octets()).is_err() {
            return Err(ErrorStatus::NoCreation);
        }
        admin.users.insert(name.clone(), Arc::new(User::not_ready(name)));
        Ok(())
    }

    fn write(
        &self,
        admin: &mut Admin,
        requester: &Requester,
        index: &[u32],
        column: u32,
        value: &Value,
    ) -> Result<(), ErrorStatus> {
        // Keys, and what stands for them, are changed under authentication and encryption alone.
        if column != PUBLIC && requester.level != SecurityLevel::AuthPriv {
            return Err(ErrorStatus::NoAccess);
        }
        match column {
            CLONE_FROM => clone(admin, index, value),
            AUTH_PROTOCOL => Self::change(admin, index, |user| set_authentication(user, value)),
            PRIV_PROTOCOL => Self::change(admin, index, |user| set_privacy(user, value)),
            AUTH_KEY_CHANGE => {
                Self::change(admin, index, |user| change_authentication_key(user, value))
            }
            PRIV_KEY_CHANGE => Self::change(admin, index, |user| change_privacy_key(user, value)),
            OWN_AUTH_KEY_CHANGE => Self::change(admin, index, |user| {
                may_change_own(user, requester)?;
                change_authentication_key(user, value)
            }),
            OWN_PRIV_KEY_CHANGE => Self::change(admin, index, |user| {
                may_change_own(user, requester)?;
                change_privacy_key(user, value)
            }),
            _ => Self::change(admin, index, |user| {
                user.public = octets(value, 0..=32)?.to_vec();
                Ok(())
            }),
        }
    }

    /// A user is complete when it is cloned. RFC 3414 §5 (`usmUserStatus`) wants its keys
    /// changed, too, before it is active; managers clone and activate in one request and change
    /// the keys in the next, and a key that is its template's gives nobody more than they have.
    fn is_complete(&self, admin: &Admin, index: &[u32]) -> bool {
        Self::user(admin, index).is_some_and(|user| user.is_cloned)
    }

    fn set_storage(&self, admin: &mut Admin, index: &[u32], storage: StorageType) {
        if let Some(user) = Self::name(admin, index).and_then(|name| admin.users.get_mut(&name)) {
            Arc::make_mut(user).storage = storage;
        }
    }

    fn set_status(&self, admin: &mut Admin, index: &[u32], status: RowStatus) {
        if let Some(user) = Self::name(admin, index).and_then(|name| admin.users.get_mut(&name)) {
            Arc::make_mut(user).status = status;
        }
    }

    fn remove(&self, admin: &mut Admin, index: &[u32]) {
        Self::name(admin, index).and_then(|name| admin.users.remove(&name));
    }
}

/// `usmUserCloneFrom`: the first write copies, later ones do nothing.
fn clone(admin: &mut Admin, index: &[u32], value: &Value) -> Result<(), ErrorStatus> {
    let Value::ObjectIdentifier(pointer) = value else { return Err(ErrorStatus::WrongType) };
    if UserTable::user(admin, index).is_some_and(|user| user.is_cloned) {
        return Ok(());
    }
    // A RowPointer names the first accessible column of the row (RFC 2579 §2).
    let entry = pointer.strip_prefix(UserTable.root()).unwrap_or_default();
    let template = match entry {
        [1, column, row @ ..] if UserTable.columns().contains(column) => {
            UserTable::user(admin, row)
        }
        _ => None,
    };
    let template = template.filter(|user| user.status == RowStatus::Active);
    let template = template.cloned().ok_or(ErrorStatus::InconsistentName)?;
    UserTable::change(admin, index, |user| {
        user.authentication.clone_from(&template.authentication);
        user.privacy.clone_from(&template.privacy);
        user.is_cloned = true;
        Ok(())
    })
}

/// `usmUserAuthProtocol`: once there, it can only be given up.
fn set_authentication(user: &mut User, value: &Value) -> Result<(), ErrorStatus> {
    let Value::ObjectIdentifier(oid) = value else { return Err(ErrorStatus::WrongType) };
    let present = user.authentication.as_ref().map(|(protocol, _)| *protocol);
    if *oid == authentication_oid(present) {
        return Ok(());
    }
    if *oid == authentication_oid(None) {
        if user.privacy.is_some() {
            return Err(ErrorStatus::InconsistentValue);
        }
        user.authentication = None;
        return Ok(());
    }
    let known = AuthenticationProtocol::ALL.map(|protocol| authentication_oid(Some(protocol)));
    Err(if known.contains(oid) { ErrorStatus::InconsistentValue } else { ErrorStatus::WrongValue })
}

/// `usmUserPrivProtocol`.
fn set_privacy(user: &mut User, value: &Value) -> Result<(), ErrorStatus> {
    let Value::ObjectIdentifier(oid) = value else { return Err(ErrorStatus::WrongType) };
    let present = user.privacy.as_ref().map(|(protocol, _)| *protocol);
    if *oid == privacy_oid(present) {
        return Ok(());
    }
    if *oid == privacy_oid(None) {
        user.privacy = None;
        return Ok(());
    }
    let known = PrivacyProtocol::ALL.map(|protocol| privacy_oid(Some(protocol)));
    Err(if known.contains(oid) { ErrorStatus::InconsistentValue } else { ErrorStatus::WrongValue })
}

/// The `…OwnKeyChange` columns: a user changes its own keys, and no other's.
fn may_change_own(user: &User, requester: &Requester) -> Result<(), ErrorStatus> {
    if requester.model != SecurityModel::USM || requester.security_name != user.name {
        return Err(ErrorStatus::NoAccess);
    }
    if user.status != RowStatus::Active {
        return Err(ErrorStatus::InconsistentValue);
    }
    Ok(())
}

fn change_authentication_key(user: &mut User, value: &Value) -> Result<(), ErrorStatus> {
    let is_cloned = user.is_cloned;
    match &mut user.authentication {
        _ if !is_cloned => Err(ErrorStatus::InconsistentName),
        Some((protocol, key)) => changed(*protocol, key, value),
        None => octets(value, 0..=usize::MAX).map(|_| ()),
    }
}

fn change_privacy_key(user: &mut User, value: &Value) -> Result<(), ErrorStatus> {
    let is_cloned = user.is_cloned;
    match (&user.authentication, &mut user.privacy) {
        _ if !is_cloned => Err(ErrorStatus::InconsistentName),
        (Some((hash, _)), Some((_, key))) => changed(*hash, key, value),
        _ => octets(value, 0..=usize::MAX).map(|_| ()),
    }
}

/// Makes a `KeyChange` (RFC 3414 §5): as many random octets as the key has, and the difference.
fn changed(hash: AuthenticationProtocol, key: &mut Key, value: &Value) -> Result<(), ErrorStatus> {
    let length = 2 * key.octets().len();
    let change = octets(value, length..=length)?;
    *key = next_key(hash, key, change).ok_or(ErrorStatus::WrongLength)?;
    Ok(())
}

/// Below `snmpAuthProtocols` (RFC 3414 §5, RFC 7860 §8).
fn authentication_oid(protocol: Option<AuthenticationProtocol>) -> Oid {
    let number = match protocol {
        None => 1,
        Some(AuthenticationProtocol::Md5) => 2,
        Some(AuthenticationProtocol::Sha1) => 3,
        Some(AuthenticationProtocol::Sha224) => 4,
        Some(AuthenticationProtocol::Sha256) => 5,
        Some(AuthenticationProtocol::Sha384) => 6,
        Some(AuthenticationProtocol::Sha512) => 7,
    };
    framework(&[1, number])
}

/// Below `snmpPrivProtocols` (RFC 3414 §5, RFC 3826 §4).
fn privacy_oid(protocol: Option<PrivacyProtocol>) -> Oid {
    match protocol {
        None => framework(&[2, 1]),
        Some(PrivacyProtocol::Des) => framework(&[2, 2]),
        Some(PrivacyProtocol::Aes128) => framework(&[2, 4]),
        Some(PrivacyProtocol::Aes192) => NET_SNMP_AES192.into(),
        Some(PrivacyProtocol::Aes256) => NET_SNMP_AES256.into(),
    }
}

fn framework(sub_ids: &[u32]) -> Oid {
    let mut oid = Oid::from(FRAMEWORK_ADMIN);
    oid.extend_from_slice(sub_ids);
    oid
}

/// What Net-SNMP calls the protocols that no RFC defines.
const NET_SNMP_AES192: [u32; 9] = [1, 3, 6, 1, 4, 1, 14832, 1, 3];
const NET_SNMP_AES256: [u32; 9] = [1, 3, 6, 1, 4, 1, 14832, 1, 4];
