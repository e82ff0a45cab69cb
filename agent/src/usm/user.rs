//! Users: the rows of `usmUserTable` (RFC 3414 §5).

use zeroize::Zeroizing;

use crate::row_status::{RowStatus, StorageType};
use crate::security::{Name, SecurityLevel};

use super::{AuthenticationProtocol, Key, PrivacyProtocol};

/// The shortest password (RFC 3414 §11.2).
const PASSWORD_LEN_MIN: usize = 8;

/// A user of one engine, with keys that are good for that engine alone.
///
/// The security name is the user name: a transformation is the identity in
/// this model.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    pub name: Name,
    pub(crate) authentication: Option<(AuthenticationProtocol, Key)>,
    pub(crate) privacy: Option<(PrivacyProtocol, Key)>,
    /// `usmUserPublic`.
    pub public: Vec<u8>,
    /// Whether its keys are there: the configuration gave them, or it was cloned.
    pub is_cloned: bool,
    pub storage: StorageType,
    pub status: RowStatus,
}

/// What a key is made of.
#[derive(Clone)]
pub enum Secret {
    Password(Zeroizing<Vec<u8>>),
    /// A key that is localized already.
    Localized(Key),
}

impl Secret {
    pub fn password(password: &str) -> Self {
        Self::Password(Zeroizing::new(password.as_bytes().to_vec()))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why there can be no such user.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UserError {
    #[error("the name of a user has 1 to 32 octets")]
    Name,
    #[error("a password has at least 8 octets")]
    PasswordTooShort,
    #[error("the key does not have the length that its protocol needs")]
    KeyLength,
}

impl User {
    /// A user without authentication.
    pub fn new(name: &str) -> Result<Self, UserError> {
        if !(1..=32).contains(&name.len()) {
            return Err(UserError::Name);
        }
        Ok(Self {
            is_cloned: true,
            storage: StorageType::ReadOnly,
            status: RowStatus::Active,
            ..Self::not_ready(Name::from(name))
        })
    }

    /// A user as SET makes it, which waits to be cloned from another one.
    pub(crate) fn not_ready(name: Name) -> Self {
        Self {
            name,
            authentication: None,
            privacy: None,
            public: Vec::new(),
            is_cloned: false,
            storage: StorageType::NonVolatile,
            status: RowStatus::NotReady,
        }
    }

    /// Gives the user a key to authenticate with at the engine `engine_id`.
    pub fn with_authentication(
        mut self,
        engine_id: &[u8],
        protocol: AuthenticationProtocol,
        secret: &Secret,
    ) -> Result<Self, UserError> {
        let key = localized(engine_id, protocol, secret, protocol.key_len())?;
        self.authentication = Some((protocol, key));
        Ok(self)
    }

    /// Gives the user a key to encrypt with. The key is made with the hash of
    /// the authentication protocol, so that must be there before; without it
    /// nothing changes.
    pub fn with_privacy(
        mut self,
        engine_id: &[u8],
        protocol: PrivacyProtocol,
        secret: &Secret,
    ) -> Result<Self, UserError> {
        if let Some((hash, _)) = &self.authentication {
            let key = localized(engine_id, *hash, secret, protocol.key_len())?;
            self.privacy = Some((protocol, key));
        }
        Ok(self)
    }

    /// The key that messages are authenticated with, to be kept by who made the user.
    pub fn authentication(&self) -> Option<(AuthenticationProtocol, &Key)> {
        self.authentication.as_ref().map(|(protocol, key)| (*protocol, key))
    }

    /// The key that messages are encrypted with.
    pub fn privacy(&self) -> Option<(PrivacyProtocol, &Key)> {
        self.privacy.as_ref().map(|(protocol, key)| (*protocol, key))
    }

    /// The highest security level that the user has keys for.
    pub fn level_max(&self) -> SecurityLevel {
        match (&self.authentication, &self.privacy) {
            (None, _) => SecurityLevel::NoAuthNoPriv,
            (Some(_), None) => SecurityLevel::AuthNoPriv,
            (Some(_), Some(_)) => SecurityLevel::AuthPriv,
        }
    }
}

/// One of our users at engines that are not known yet: with keys for all engines.
#[derive(Clone, Debug)]
pub struct RemoteUser {
    name: Name,
    authentication: Option<(AuthenticationProtocol, Key)>,
    privacy: Option<(PrivacyProtocol, Key)>,
}

impl RemoteUser {
    /// A user with passwords; privacy needs authentication.
    pub fn new(
        name: &str,
        authentication: Option<(AuthenticationProtocol, &str)>,
        privacy: Option<(PrivacyProtocol, &str)>,
    ) -> Result<Self, UserError> {
        let name = User::new(name)?.name;
        let key = |hash: AuthenticationProtocol, password: &str| {
            let key = hash.key_of_password(password.as_bytes());
            key.filter(|_| password.len() >= PASSWORD_LEN_MIN).ok_or(UserError::PasswordTooShort)
        };
        let Some((hash, password)) = authentication else {
            return Ok(Self { name, authentication: None, privacy: None });
        };
        let privacy = match privacy {
            Some((cipher, password)) => Some((cipher, key(hash, password)?)),
            None => None,
        };
        Ok(Self { name, authentication: Some((hash, key(hash, password)?)), privacy })
    }

    /// Whether it is the user of that name.
    pub fn is_named(&self, name: &str) -> bool {
        self.name.octets() == name.as_bytes()
    }

    /// The user at one engine.
    pub(crate) fn at(&self, engine_id: &[u8]) -> User {
        let hash = self.authentication.as_ref().map(|(hash, _)| *hash);
        let local =
            |key: &Key, len| hash.map(|hash| hash.localize(key, engine_id).fitted(hash, len));
        User {
            authentication: self
                .authentication
                .as_ref()
                .and_then(|(hash, key)| Some((*hash, local(key, hash.key_len())?))),
            privacy: self
                .privacy
                .as_ref()
                .and_then(|(cipher, key)| Some((*cipher, local(key, cipher.key_len())?))),
            is_cloned: true,
            storage: StorageType::ReadOnly,
            status: RowStatus::Active,
            ..User::not_ready(self.name.clone())
        }
    }
}

fn localized(
    engine_id: &[u8],
    hash: AuthenticationProtocol,
    secret: &Secret,
    len: usize,
) -> Result<Key, UserError> {
    match secret {
        Secret::Password(password) if password.len() < PASSWORD_LEN_MIN => {
            Err(UserError::PasswordTooShort)
        }
        Secret::Password(password) => {
            let key = hash.key_of_password(password).ok_or(UserError::PasswordTooShort)?;
            Ok(hash.localize(&key, engine_id).fitted(hash, len))
        }
        Secret::Localized(key) if key.octets().len() == len => Ok(key.clone()),
        Secret::Localized(_) => Err(UserError::KeyLength),
    }
}
