//! Authentication protocols: HMACs, cut to a length (RFC 3414 §6 and §7, RFC 7860).

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::Md5;
use sha1::Sha1;
use sha2::digest::Digest as _;
use sha2::{Sha224, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::Key;

/// An authentication protocol of users.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum AuthenticationProtocol {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// Runs an expression with `$hash` standing for the hash function of a protocol.
macro_rules! with_hash {
    ($protocol:expr, $hash:ident => $body:expr) => {
        match $protocol {
            AuthenticationProtocol::Md5 => {
                type $hash = Md5;
                $body
            }
            AuthenticationProtocol::Sha1 => {
                type $hash = Sha1;
                $body
            }
            AuthenticationProtocol::Sha224 => {
                type $hash = Sha224;
                $body
            }
            AuthenticationProtocol::Sha256 => {
                type $hash = Sha256;
                $body
            }
            AuthenticationProtocol::Sha384 => {
                type $hash = Sha384;
                $body
            }
            AuthenticationProtocol::Sha512 => {
                type $hash = Sha512;
                $body
            }
        }
    };
}

/// How many octets a password is stretched to (RFC 3414 §A.2).
const STRETCHED: usize = 1 << 20;

impl AuthenticationProtocol {
    pub const ALL: [Self; 6] =
        [Self::Md5, Self::Sha1, Self::Sha224, Self::Sha256, Self::Sha384, Self::Sha512];

    /// How many octets of the HMAC a message carries (RFC 7860 §4.1 for SHA-2).
    pub const fn mac_len(self) -> usize {
        match self {
            Self::Md5 | Self::Sha1 => 12,
            Self::Sha224 => 16,
            Self::Sha256 => 24,
            Self::Sha384 => 32,
            Self::Sha512 => 48,
        }
    }

    /// The length of a key: that of the hash.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    pub(crate) fn hash(self, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
        with_hash!(self, Hash => {
            let mut hash = Hash::new();
            for part in parts {
                hash.update(part);
            }
            Zeroizing::new(hash.finalize().to_vec())
        })
    }

    /// Makes a key of a password (RFC 3414 §A.2, RFC 7860 §9.3); still the same for all engines.
    pub fn key_of_password(self, password: &[u8]) -> Option<Key> {
        if password.is_empty() {
            return None;
        }
        let pattern = Zeroizing::new(password.repeat(64));
        let whole = STRETCHED / pattern.len();
        let rest = pattern.get(..STRETCHED % pattern.len())?;
        with_hash!(self, Hash => {
            let mut hash = Hash::new();
            for _ in 0..whole {
                hash.update(pattern.as_slice());
            }
            hash.update(rest);
            Some(Key::new(&hash.finalize()))
        })
    }

    /// The key of one engine (RFC 3414 §2.6).
    #[must_use]
    pub fn localize(self, key: &Key, engine_id: &[u8]) -> Key {
        Key::new(&self.hash(&[key.octets(), engine_id, key.octets()]))
    }

    /// The MAC over the parts of a message, in order.
    pub(crate) fn mac(self, key: &Key, parts: &[&[u8]]) -> Vec<u8> {
        with_hash!(self, Hash => {
            // An HMAC takes a key of any length: there is no error to come.
            let Ok(mut mac) = Hmac::<Hash>::new_from_slice(key.octets()) else {
                return Vec::new();
            };
            for part in parts {
                mac.update(part);
            }
            let mut octets = mac.finalize().into_bytes().to_vec();
            octets.truncate(self.mac_len());
            octets
        })
    }

    /// Whether the authentication field at `place` of the message as it
    /// arrived is right; the comparison takes the same time wherever they differ.
    pub(crate) fn verify(self, key: &Key, message: &[u8], place: std::ops::Range<usize>) -> bool {
        let (Some(before), Some(field), Some(after)) =
            (message.get(..place.start), message.get(place.clone()), message.get(place.end..))
        else {
            return false;
        };
        if field.len() != self.mac_len() {
            return false;
        }
        let zeros = [0; 48];
        let Some(zeros) = zeros.get(..field.len()) else { return false };
        self.mac(key, &[before, zeros, after]).ct_eq(field).into()
    }
}
