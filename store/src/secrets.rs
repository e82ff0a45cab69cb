//! Sealing secrets with a key that no store ever holds.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::OpenError;

/// What the paths of secrets start with.
pub(crate) const PREFIX: &str = "/mip4-secret/";

const KEY: usize = 32;
const NONCE: usize = 24;

/// Seals and opens secrets. The path is authenticated with the octets, so that
/// one secret cannot be passed off as another.
pub(crate) struct Sealer {
    cipher: XChaCha20Poly1305,
}

/// The sealed octets do not open with this key at this path.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the secret does not open with this key")]
pub(crate) struct DoesNotOpen;

impl Sealer {
    pub(crate) fn new(key: &[u8; KEY]) -> Self {
        Self { cipher: XChaCha20Poly1305::new(key.into()) }
    }

    /// Reads the key file at `path`, which its owner alone may read; makes it if it is missing.
    pub(crate) fn from_file(path: &Path) -> Result<Self, OpenError> {
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::create(path),
            Err(source) => return Err(io_error("look at", path, source)),
        };
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(fault(
                path,
                &format!("has mode {mode:04o}; others may use it, expected 0600"),
            ));
        }
        let octets = Zeroizing::new(fs::read(path).map_err(|error| io_error("read", path, error))?);
        let key = <&[u8; KEY]>::try_from(&octets[..])
            .map_err(|_| fault(path, &format!("has {} octets, expected {KEY}", octets.len())))?;
        Ok(Self::new(key))
    }

    fn create(path: &Path) -> Result<Self, OpenError> {
        let mut key = Zeroizing::new([0; KEY]);
        getrandom::fill(&mut key[..]).map_err(|error| fault(path, &error.to_string()))?;
        let written = || {
            let mut options = fs::OpenOptions::new();
            let mut file = options.write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(&key[..])?;
            file.sync_all()?;
            let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            fs::File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
        };
        written().map_err(|error| io_error("make", path, error))?;
        Ok(Self::new(&key))
    }

    /// A random nonce, then the sealed octets.
    pub(crate) fn seal(&self, path: &str, octets: &[u8]) -> io::Result<Vec<u8>> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(io::Error::other)?;
        let payload = Payload { msg: octets, aad: path.as_bytes() };
        let sealed = self
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| io::Error::other("too long to seal"))?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Undoes [`Self::seal`].
    pub(crate) fn open(
        &self,
        path: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, DoesNotOpen> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>().ok_or(DoesNotOpen)?;
        let payload = Payload { msg: sealed, aad: path.as_bytes() };
        let octets =
            self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| DoesNotOpen)?;
        Ok(Zeroizing::new(octets))
    }
}

/// Where the key is unless the options say so: beside the folder of the store.
pub(crate) fn default_key_file(store: &Path) -> PathBuf {
    store.with_file_name("secret.key")
}

pub(crate) fn fault(path: &Path, what: &str) -> OpenError {
    OpenError::KeyFile { path: path.to_owned(), what: what.to_owned() }
}

fn io_error(doing: &'static str, path: &Path, source: io::Error) -> OpenError {
    OpenError::Io { doing, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_only_at_its_path_with_its_key_and_unchanged() {
        let key = Sealer::new(&[7; KEY]);
        let sealed = key.seal("/mip4-secret/a", b"octets").unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"octets"));
        assert_eq!(&key.open("/mip4-secret/a", &sealed).unwrap()[..], b"octets");
        assert_eq!(key.open("/mip4-secret/b", &sealed).unwrap_err(), DoesNotOpen);
        assert_eq!(Sealer::new(&[8; KEY]).open("/mip4-secret/a", &sealed), Err(DoesNotOpen));
        for place in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[place] ^= 1;
            assert_eq!(key.open("/mip4-secret/a", &flipped), Err(DoesNotOpen));
        }
    }

    #[test]
    fn the_key_file_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        let sealed = Sealer::from_file(&path).unwrap().seal("/a", b"octets").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(Sealer::from_file(&path).unwrap().open("/a", &sealed).is_ok());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Sealer::from_file(&path), Err(OpenError::KeyFile { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, b"short").unwrap();
        assert!(matches!(Sealer::from_file(&path), Err(OpenError::KeyFile { .. })));
    }
}
