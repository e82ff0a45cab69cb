//! The User-based Security Model (RFC 3414), with the protocols of RFC 3826
//! (AES-128), RFC 7860 (SHA-2), and AES-192 and AES-256 as Net-SNMP does them.

mod authentication;
mod key;
mod privacy;
mod user;

pub use authentication::AuthenticationProtocol;
pub use key::{Key, key_change, next_key};
pub use privacy::PrivacyProtocol;
pub(crate) use privacy::{CipherError, PrivacyContext};
pub use user::{RemoteUser, Secret, User, UserError};

/// How far a message's time may be from ours, in seconds (RFC 3414 §2.2.3).
pub(crate) const TIME_WINDOW: i64 = 150;

/// `snmpEngineBoots` at its end: no message is in time any more (RFC 3414 §2.2.2).
pub const ENGINE_BOOTS_MAX: i32 = i32::MAX;

#[cfg(test)]
mod tests;
