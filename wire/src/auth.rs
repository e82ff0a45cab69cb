//! Authentication extensions (RFC 5944 §3.5.1 to §3.5.4).

use std::fmt;
use std::sync::OnceLock;

use hmac::digest::Key;
use hmac::{EagerHash, Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::cursor::Cursor;
use crate::extension::Extension;
use crate::{ParseError, Spi};

/// How an Authenticator is computed; an SPI selects it (§3.5.1).
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum AuthenticationAlgorithm {
    /// The default.
    #[default]
    HmacMd5,
    /// MD5 over key, message, key, as older nodes do it.
    KeyedMd5,
    HmacSha1,
    HmacSha256,
}

impl AuthenticationAlgorithm {
    /// How many octets its Authenticator has.
    pub const fn authenticator_len(self) -> usize {
        match self {
            Self::HmacMd5 | Self::KeyedMd5 => 16,
            Self::HmacSha1 => 20,
            Self::HmacSha256 => 32,
        }
    }

    /// The Length of an authentication extension: that of the Authenticator and of the SPI.
    pub(crate) const fn extension_len(self) -> u8 {
        match self {
            Self::HmacMd5 | Self::KeyedMd5 => 20,
            Self::HmacSha1 => 24,
            Self::HmacSha256 => 36,
        }
    }

    /// The name in configuration files and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HmacMd5 => "hmac-md5",
            Self::KeyedMd5 => "keyed-md5",
            Self::HmacSha1 => "hmac-sha1",
            Self::HmacSha256 => "hmac-sha256",
        }
    }
}

impl fmt::Display for AuthenticationAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The longest key: the block of all our hashes, so that none is hashed down first.
const KEY_MAX: usize = 64;

/// The shared secret of a mobility security association: 1 to 64 octets.
///
/// It is wiped when dropped, and nothing prints it.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretKey {
    /// Filled up with zeros, which is how HMAC wants it (RFC 2104 §2).
    block: [u8; KEY_MAX],
    len: usize,
    /// For the algorithm that it is used with first, which is the only one of an association. It
    /// wipes itself.
    #[zeroize(skip)]
    prepared: OnceLock<Box<Prepared>>,
}

/// The states of a hash that has taken the key in (RFC 2104 §4): half of the work that an
/// Authenticator over a short message takes, and the same for each message.
#[derive(Clone)]
enum Prepared {
    HmacMd5(Hmac<Md5>),
    HmacSha1(Hmac<Sha1>),
    HmacSha256(Hmac<Sha256>),
}

/// Why words are not a [`SecretKey`]. It repeats nothing of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyError {
    #[error("a key has 1 to 64 octets, this one {0}")]
    Length(usize),
    #[error("a key in hexadecimal has an even number of the digits 0-9 a-f")]
    Hexadecimal,
    #[error("a key in ASCII has printable ASCII characters only")]
    Ascii,
}

impl SecretKey {
    fn empty(len: usize) -> Self {
        Self { block: [0; KEY_MAX], len, prepared: OnceLock::new() }
    }

    pub fn from_octets(octets: &[u8]) -> Result<Self, KeyError> {
        let mut key = Self::empty(octets.len());
        match key.block.get_mut(..octets.len()) {
            Some(front) if !octets.is_empty() => front.copy_from_slice(octets),
            _ => return Err(KeyError::Length(octets.len())),
        }
        Ok(key)
    }

    /// Takes pairs of hexadecimal digits of either case.
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        let digits = text.as_bytes();
        if !digits.len().is_multiple_of(2) {
            return Err(KeyError::Hexadecimal);
        }
        let mut key = Self::empty(digits.len() / 2);
        if key.len == 0 || key.len > KEY_MAX {
            return Err(KeyError::Length(key.len));
        }
        for (octet, pair) in key.block.iter_mut().zip(digits.chunks_exact(2)) {
            for &digit in pair {
                *octet = *octet << 4 | hex_digit(digit).ok_or(KeyError::Hexadecimal)?;
            }
        }
        Ok(key)
    }

    /// Takes the characters themselves.
    pub fn from_ascii(text: &str) -> Result<Self, KeyError> {
        if !text.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
            return Err(KeyError::Ascii);
        }
        Self::from_octets(text.as_bytes())
    }

    /// What is prepared for HMAC; `algorithm` says for which if nothing is yet.
    fn prepared(&self, algorithm: AuthenticationAlgorithm) -> Option<&Prepared> {
        if algorithm == AuthenticationAlgorithm::KeyedMd5 {
            return None;
        }
        let prepare = || {
            Box::new(match algorithm {
                AuthenticationAlgorithm::HmacSha1 => Prepared::HmacSha1(hmac(self)),
                AuthenticationAlgorithm::HmacSha256 => Prepared::HmacSha256(hmac(self)),
                _ => Prepared::HmacMd5(hmac(self)),
            })
        };
        Some(self.prepared.get_or_init(prepare))
    }

    /// The octets, for the one place that seals them; never for words.
    pub fn expose_octets(&self) -> &[u8] {
        self.block.get(..self.len).unwrap_or_default()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

impl PartialEq for SecretKey {
    fn eq(&self, other: &Self) -> bool {
        self.expose_octets().ct_eq(other.expose_octets()).into()
    }
}

impl Eq for SecretKey {}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// An authentication extension of a message that arrived.
///
/// ```text
/// +---------------+---------------+-------------------------------+
/// |     Type      |     Length    |         SPI  ....             |
/// +---------------+---------------+-------------------------------+
/// |       ... SPI (cont.)         |       Authenticator ...       |
/// +-------------------------------+-------------------------------+
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Authentication<'a> {
    pub spi: Spi,
    pub authenticator: &'a [u8],
    /// The octets of the message that the Authenticator covers: from its front to the SPI (§3.5.1).
    pub covered: &'a [u8],
}

impl<'a> Authentication<'a> {
    /// Reads an extension whose data begin with an SPI; its offsets count in `message`.
    pub fn parse(message: &'a [u8], extension: &Extension<'a>) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(extension.body);
        let spi = cursor.u32().map_err(|_| extension.length_error())?;
        let authenticator = cursor.rest();
        let covered = extension
            .end
            .checked_sub(authenticator.len())
            .and_then(|end| message.get(..end))
            .ok_or(ParseError::Truncated { need: extension.end, have: message.len() })?;
        Ok(Self { spi: Spi(spi), authenticator, covered })
    }
}

/// Appends an authentication extension of the simple layout (32, 33 or 34) to a message.
///
/// The Authenticator covers everything before it and the extension's own Type,
/// Length and SPI (§3.5.1).
pub fn append_authentication(
    message: &mut Vec<u8>,
    kind: u8,
    spi: Spi,
    algorithm: AuthenticationAlgorithm,
    key: &SecretKey,
) {
    message.extend([kind, algorithm.extension_len()]);
    append_spi_and_authenticator(message, spi, algorithm, key);
}

/// Appends what all authentication extensions end with.
pub(crate) fn append_spi_and_authenticator(
    message: &mut Vec<u8>,
    spi: Spi,
    algorithm: AuthenticationAlgorithm,
    key: &SecretKey,
) {
    message.extend(spi.0.to_be_bytes());
    let authenticator = compute(algorithm, key, message);
    message.extend(authenticator.as_slice());
}

/// Whether the Authenticator is right for the octets that arrived; takes the same time for
/// every wrong one.
pub fn verify(
    authentication: &Authentication<'_>,
    algorithm: AuthenticationAlgorithm,
    key: &SecretKey,
) -> bool {
    let want = compute(algorithm, key, authentication.covered);
    want.as_slice().ct_eq(authentication.authenticator).into()
}

/// An Authenticator of any of the algorithms.
struct Authenticator {
    octets: [u8; 32],
    len: usize,
}

impl Authenticator {
    fn new(digest: &[u8]) -> Self {
        let mut octets = [0; 32];
        let len = octets.iter_mut().zip(digest).map(|(to, from)| *to = *from).count();
        Self { octets, len }
    }

    fn as_slice(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or_default()
    }
}

fn compute(algorithm: AuthenticationAlgorithm, key: &SecretKey, octets: &[u8]) -> Authenticator {
    use AuthenticationAlgorithm::{HmacMd5, HmacSha1, HmacSha256, KeyedMd5};
    match (algorithm, key.prepared(algorithm)) {
        (KeyedMd5, _) => {
            let key = key.expose_octets();
            let digest = Md5::new().chain_update(key).chain_update(octets).chain_update(key);
            Authenticator::new(&digest.finalize())
        }
        (HmacMd5, Some(Prepared::HmacMd5(state))) => finish(state.clone(), octets),
        (HmacSha1, Some(Prepared::HmacSha1(state))) => finish(state.clone(), octets),
        (HmacSha256, Some(Prepared::HmacSha256(state))) => finish(state.clone(), octets),
        // A key that another algorithm was first to use.
        (HmacMd5, _) => finish(hmac::<Md5>(key), octets),
        (HmacSha1, _) => finish(hmac::<Sha1>(key), octets),
        (HmacSha256, _) => finish(hmac::<Sha256>(key), octets),
    }
}

fn hmac<D: EagerHash>(key: &SecretKey) -> Hmac<D>
where
    Hmac<D>: KeyInit,
    for<'k> &'k Key<Hmac<D>>: From<&'k [u8; KEY_MAX]>,
{
    <Hmac<D> as KeyInit>::new((&key.block).into())
}

fn finish(mut state: impl Mac, octets: &[u8]) -> Authenticator {
    state.update(octets);
    Authenticator::new(&state.finalize().into_bytes())
}

#[cfg(test)]
mod tests;
