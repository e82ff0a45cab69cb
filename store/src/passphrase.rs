//! Sealing secrets with a passphrase, for exports that leave the machine.

use std::fmt::Write as _;

use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::secrets::Sealer;

const SALT: usize = 16;
const KEY: usize = 32;
/// What is made: 64 MiB, three passes (RFC 9106 §4, the second choice).
const MEMORY_KIB: u32 = 64 << 10;
const PASSES: u32 = 3;
/// What is taken: a file of somebody else must not make a machine run out of memory.
const MEMORY_KIB_MAX: u32 = 1 << 20;
const PASSES_MAX: u32 = 16;
/// Sealed to tell a wrong passphrase from a damaged secret.
const CHECK: &str = "mip4-export";
/// How short a passphrase may be.
const PASSPHRASE_MIN: usize = 8;

/// How a key is made of a passphrase (Argon2id, RFC 9106). It is no secret.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct KeyDerivation {
    /// `argon2id`.
    function: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: String,
    /// Opens with the right passphrase alone.
    check: String,
}

/// A key that a passphrase gives.
pub struct PassphraseKey {
    sealer: Sealer,
}

/// Why a passphrase is of no use.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PassphraseError {
    #[error("a passphrase has at least {PASSPHRASE_MIN} characters")]
    Short,
    #[error("the passphrase is wrong")]
    Wrong,
    #[error("the secret of `{0}` is damaged")]
    Damaged(String),
    #[error("the key cannot be made: {0}")]
    Derivation(String),
}

impl PassphraseKey {
    /// A new key of `passphrase`, and what it takes to make it again. Takes a second or so.
    pub fn new(passphrase: &str) -> Result<(Self, KeyDerivation), PassphraseError> {
        if passphrase.chars().count() < PASSPHRASE_MIN {
            return Err(PassphraseError::Short);
        }
        let mut salt = [0; SALT];
        getrandom::fill(&mut salt).map_err(|err| PassphraseError::Derivation(err.to_string()))?;
        let mut derivation = KeyDerivation {
            function: "argon2id".to_owned(),
            memory_kib: MEMORY_KIB,
            passes: PASSES,
            lanes: 1,
            salt: to_hex(&salt),
            check: String::new(),
        };
        let key = derivation.derive(passphrase)?;
        derivation.check = key.seal(CHECK, CHECK.as_bytes())?;
        Ok((key, derivation))
    }

    /// The key that was made before.
    pub fn again(passphrase: &str, derivation: &KeyDerivation) -> Result<Self, PassphraseError> {
        let key = derivation.derive(passphrase)?;
        key.open(CHECK, &derivation.check).map_err(|_| PassphraseError::Wrong)?;
        Ok(key)
    }

    /// Seals what belongs at `path`; hexadecimal digits.
    pub fn seal(&self, path: &str, octets: &[u8]) -> Result<String, PassphraseError> {
        let sealed = self.sealer.seal(path, octets);
        sealed
            .map(|octets| to_hex(&octets))
            .map_err(|err| PassphraseError::Derivation(err.to_string()))
    }

    /// Undoes [`Self::seal`]; what was sealed for another path does not open.
    pub fn open(&self, path: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>, PassphraseError> {
        let damaged = || PassphraseError::Damaged(path.to_owned());
        let octets = from_hex(sealed).ok_or_else(damaged)?;
        self.sealer.open(path, &octets).map_err(|_| damaged())
    }
}

impl KeyDerivation {
    fn derive(&self, passphrase: &str) -> Result<PassphraseKey, PassphraseError> {
        let wrong = |words: String| PassphraseError::Derivation(words);
        if self.function != "argon2id" {
            return Err(wrong(format!("`{}` is no function of this version", self.function)));
        }
        if self.memory_kib > MEMORY_KIB_MAX || self.passes > PASSES_MAX || self.lanes > 16 {
            return Err(wrong("it would take too much memory or time".to_owned()));
        }
        let salt = from_hex(&self.salt).ok_or_else(|| wrong("the salt is damaged".to_owned()))?;
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(KEY));
        let params = params.map_err(|err| wrong(err.to_string()))?;
        let mut key = Zeroizing::new([0; KEY]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.as_bytes(), &salt, &mut key[..])
            .map_err(|err| wrong(err.to_string()))?;
        Ok(PassphraseKey { sealer: Sealer::new(&key) })
    }
}

fn to_hex(octets: &[u8]) -> String {
    let mut text = String::with_capacity(2 * octets.len());
    for octet in octets {
        // Writing to a string does not fail.
        let _ = write!(text, "{octet:02x}");
    }
    text
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_with_its_passphrase_and_path_alone() {
        assert_eq!(PassphraseKey::new("1234567").err(), Some(PassphraseError::Short));
        let (key, derivation) = PassphraseKey::new("correct horse").unwrap();
        let sealed = key.seal("associations/a", b"octets").unwrap();
        assert!(!sealed.contains(&to_hex(b"octets")));
        let again = PassphraseKey::again("correct horse", &derivation).unwrap();
        assert_eq!(&again.open("associations/a", &sealed).unwrap()[..], b"octets");
        let damaged = PassphraseError::Damaged("associations/b".to_owned());
        assert_eq!(again.open("associations/b", &sealed), Err(damaged));
        assert!(again.open("associations/a", &sealed.replace('0', "1")).is_err());
        let wrong = PassphraseKey::again("correct horsf", &derivation);
        assert_eq!(wrong.err(), Some(PassphraseError::Wrong));
    }

    #[test]
    fn what_would_take_too_much_is_refused() {
        let (_, derivation) = PassphraseKey::new("correct horse").unwrap();
        for greedy in [
            KeyDerivation { memory_kib: u32::MAX, ..derivation.clone() },
            KeyDerivation { passes: 1_000, ..derivation.clone() },
            KeyDerivation { lanes: 0, ..derivation.clone() },
            KeyDerivation { salt: "zz".to_owned(), ..derivation.clone() },
            KeyDerivation { function: "md5".to_owned(), ..derivation },
        ] {
            let refused = PassphraseKey::again("correct horse", &greedy).err();
            assert!(matches!(refused, Some(PassphraseError::Derivation(_))), "{refused:?}");
        }
    }
}
