//! Writes to `mipSecurityAssocTable`: associations made, changed and ended by managers.
//!
//! The module is silent on much; the readings are:
//!
//! - A row needs a key to be active, and nothing else: all else has a default or
//!   is said by the index. Columns may be written while it is active.
//! - The peer is the one that the index names. `mipSecurityPeerNAI` may be written
//!   with that name, or at creation with a longer one that starts with the 64
//!   octets of the index; `mipSecurityPeerIpAddress` with that address.
//! - An association belongs to the home agents of the store if there are any,
//!   else to its foreign agents.
//! - The key is taken only from a request that was encrypted.
//! - What else may be said is decided in one place for all who write
//!   ([`store::Configuration::validate`]).

use store::wire::{Nai, Spi};
use store::{
    Algorithm, Association, AssociationKey, Changed, Identity, Origin, ReplayProtection, Role,
    Row as _, StorageType as StoredAs, Unknown, admit,
};
use zeroize::Zeroizing;

use crate::engine::{ErrorStatus, Staging, status_of};
use crate::mib::conventions::{change_storage, integer};
use crate::mib::{Context, index};
use crate::row_status::{RowAction, RowStatus};
use crate::security::SecurityLevel;
use crate::{Table as _, Value};

/// How many octets `mipSecurityKey` has.
const KEY_LEN: usize = 16;

/// Writes to a column of an association.
pub(crate) fn set(
    staging: &mut Staging<'_>,
    suffix: &[u32],
    value: &Value,
) -> Result<(), ErrorStatus> {
    let [1, column @ 4..=12, index @ ..] = suffix else {
        return Err(ErrorStatus::NotWritable);
    };
    let context = staging.context;
    let key = key_of(context, index).ok_or(ErrorStatus::NoCreation)?;
    let hidden = |row: &std::sync::Arc<Association>| !context.shows_association(row);
    if context.snapshot.rows::<Association>().get(&key).is_some_and(hidden) {
        // Another daemon's: it is not in this context, and a second one cannot be made.
        return Err(ErrorStatus::InconsistentName);
    }
    let level = staging.requester.level;
    let draft = staging.association(&key);
    match column {
        4 => draft.set_algorithm_type(value),
        5 => draft.set_algorithm_mode(value),
        6 => draft.set_key(value, level),
        7 => draft.set_replay_method(value),
        8 => draft.set_replay_time(value),
        9 => draft.set_peer_nai(value),
        10 => draft.set_peer_address(value),
        11 => {
            draft.action = Some(RowAction::from_value(value)?);
            Ok(())
        }
        _ => draft.set_storage(value),
    }
}

/// The key of the row that `index` names: one that is there, or one to be made.
fn key_of(context: Context<'_>, index: &[u32]) -> Option<AssociationKey> {
    let (&spi, peer) = index.split_last()?;
    let table = super::MipSecurityAssocTable { context };
    if let Some(row) = table.row(index) {
        return Some(row.key());
    }
    let peer = match peer {
        [2, 4, address @ ..] => Identity::Address(index::exact::<4>(address)?.into()),
        [3, len, octets @ ..] if usize::try_from(*len) == Ok(octets.len()) => {
            let octets: Option<Vec<u8>> =
                octets.iter().map(|&sub_id| u8::try_from(sub_id).ok()).collect();
            let octets = octets.filter(|octets| octets.len() <= Identity::INDEX_LEN_MAX)?;
            Identity::Nai(Nai::new(std::str::from_utf8(&octets).ok()?).ok()?)
        }
        _ => return None,
    };
    Some(AssociationKey { peer, spi: Spi(spi) })
}

/// A row while the variables of a request are written to it.
pub(crate) struct Draft {
    before: Option<std::sync::Arc<Association>>,
    row: Association,
    secret: Option<Zeroizing<Vec<u8>>>,
    action: Option<RowAction>,
    /// The first variable that is in it.
    pub(crate) variable: usize,
}

/// What a draft comes to.
pub(crate) enum Outcome {
    Put(Box<Association>, Option<Zeroizing<Vec<u8>>>),
    Delete(AssociationKey),
    Nothing,
}

impl Draft {
    pub(crate) fn new(
        context: Context<'_>,
        key: &AssociationKey,
        before: Option<std::sync::Arc<Association>>,
        variable: usize,
    ) -> Self {
        let row = before.as_deref().cloned().unwrap_or_else(|| Association {
            peer: key.peer.clone(),
            spi: key.spi,
            reserved_spi: false,
            keyless: true,
            algorithm: Algorithm::HmacMd5,
            replay: ReplayProtection::Timestamps,
            tolerance: 7,
            origin: Origin::Snmp,
            storage: StoredAs::NonVolatile,
            active: false,
            role: role(context),
            instance: None,
            changed: None,
            unknown: Unknown::default(),
        });
        Self { before, row, secret: None, action: None, variable }
    }

    fn set_algorithm_type(&mut self, value: &Value) -> Result<(), ErrorStatus> {
        let is_md5 = matches!(self.row.algorithm, Algorithm::HmacMd5 | Algorithm::KeyedMd5);
        match integer(value)? {
            2 if is_md5 => {}
            2 => self.row.algorithm = Algorithm::HmacMd5,
            // What it is already; which of the others it could be is not said.
            1 if !is_md5 => {}
            _ => return Err(ErrorStatus::WrongValue),
        }
        Ok(())
    }

    fn set_algorithm_mode(&mut self, value: &Value) -> Result<(), ErrorStatus> {
        match (integer(value)?, self.row.algorithm) {
            (2, Algorithm::HmacMd5 | Algorithm::KeyedMd5) => {
                self.row.algorithm = Algorithm::KeyedMd5;
            }
            (2, Algorithm::HmacSha1 | Algorithm::HmacSha256) => {
                return Err(ErrorStatus::InconsistentValue);
            }
            (3, Algorithm::KeyedMd5) => self.row.algorithm = Algorithm::HmacMd5,
            (3, _) => {}
            _ => return Err(ErrorStatus::WrongValue),
        }
        Ok(())
    }

    fn set_key(&mut self, value: &Value, level: SecurityLevel) -> Result<(), ErrorStatus> {
        let Value::OctetString(octets) = value else { return Err(ErrorStatus::WrongType) };
        if octets.len() != KEY_LEN {
            return Err(ErrorStatus::WrongLength);
        }
        if level != SecurityLevel::AuthPriv {
            return Err(ErrorStatus::AuthorizationError);
        }
        self.secret = Some(Zeroizing::new(octets.to_vec()));
        self.row.keyless = false;
        Ok(())
    }

    fn set_replay_method(&mut self, value: &Value) -> Result<(), ErrorStatus> {
        self.row.replay = match integer(value)? {
            1 => ReplayProtection::None,
            2 => ReplayProtection::Timestamps,
            3 => ReplayProtection::Nonces,
            _ => return Err(ErrorStatus::WrongValue),
        };
        Ok(())
    }

    fn set_replay_time(&mut self, value: &Value) -> Result<(), ErrorStatus> {
        let Value::Gauge32(seconds) = value else { return Err(ErrorStatus::WrongType) };
        let seconds = u8::try_from(*seconds).ok().filter(|seconds| *seconds >= 3);
        self.row.tolerance = seconds.ok_or(ErrorStatus::WrongValue)?;
        Ok(())
    }

    fn set_peer_nai(&mut self, value: &Value) -> Result<(), ErrorStatus> {
        let Value::OctetString(octets) = value else { return Err(ErrorStatus::WrongType) };
        let Identity::Nai(name) = &self.row.peer else {
            return if octets.is_empty() { Ok(()) } else { Err(ErrorStatus::InconsistentValue) };
        };
        let text = std::str::from_utf8(octets).map_err(|_| ErrorStatus::WrongValue)?;
        if text == name.as_str() {
            return Ok(());
        }
        let is_longer = self.before.is_none()
            && name.as_str().len() == Identity::INDEX_LEN_MAX
            && text.starts_with(name.as_str());
        if !is_longer {
            return Err(ErrorStatus::InconsistentValue);
        }
        let nai = Nai::new(text).map_err(|_| ErrorStatus::WrongValue)?;
        self.row.peer = Identity::Nai(nai);
        Ok(())
    }

    fn set_peer_address(&mut self, value: &Value) -> Result<(), ErrorStatus> {
        let Value::IpAddress(octets) = value else { return Err(ErrorStatus::WrongType) };
        let agrees = match &self.row.peer {
            Identity::Address(address) => address.octets() == *octets,
            Identity::Nai(_) => *octets == [0; 4],
        };
        if agrees { Ok(()) } else { Err(ErrorStatus::InconsistentValue) }
    }

    fn set_storage(&mut self, value: &Value) -> Result<(), ErrorStatus> {
        self.row.storage = change_storage(self.row.storage, value)?;
        Ok(())
    }

    /// The last checks, when all variables are written.
    pub(crate) fn finish(mut self, changed: Changed) -> Result<Outcome, ErrorStatus> {
        let has_key = !self.row.keyless;
        let status = match self.before.as_deref() {
            None => None,
            Some(row) if row.active => Some(RowStatus::Active),
            Some(row) if row.keyless => Some(RowStatus::NotReady),
            Some(_) => Some(RowStatus::NotInService),
        };
        let after = match (self.action, status) {
            (Some(action), status) => action.apply(status, has_key)?,
            // Nothing asks for the row to be made.
            (None, None) => return Err(ErrorStatus::InconsistentName),
            (None, Some(status)) => Some(status),
        };
        let Some(after) = after else {
            let Some(before) = self.before else { return Ok(Outcome::Nothing) };
            admit(Some(&*before), None, Origin::Snmp).map_err(|it| status_of(it.kind))?;
            return Ok(Outcome::Delete(before.key()));
        };
        self.row.active = after == RowStatus::Active;
        (self.row.origin, self.row.changed) = (Origin::Snmp, Some(changed));
        let admitted = admit(self.before.as_deref(), Some(&self.row), Origin::Snmp);
        admitted.map_err(|it| status_of(it.kind))?;
        Ok(Outcome::Put(Box::new(self.row), self.secret))
    }
}

/// Whose association a new one is.
pub(super) fn role(context: Context<'_>) -> Role {
    let roles = [Role::HomeAgent, Role::ForeignAgent, Role::Gateway];
    roles.into_iter().find(|role| context.plays(*role)).unwrap_or(Role::HomeAgent)
}
