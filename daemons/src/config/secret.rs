//! Keys and passwords; no message about them repeats a character of them.

use std::fmt;
use std::fs;
use std::path::Path;

use toml::de::DeValue;
use wire::{KeyError, SecretKey};
use zeroize::Zeroizing;

use super::section::Section;

/// A key file is small; a larger one is a mistake.
const KEY_FILE_MAX: u64 = 4096;

/// A password; nothing prints it.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Password(Zeroizing<String>);

/// The shortest password (RFC 3414 §11.2).
const PASSWORD_MIN: usize = 8;

impl Password {
    pub(crate) fn new(text: Zeroizing<String>) -> Result<Self, String> {
        if text.len() >= PASSWORD_MIN {
            Ok(Self(text))
        } else {
            Err(format!("expected at least {PASSWORD_MIN} characters"))
        }
    }

    /// Reads the one line of a file.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = read_secret_file(path)?;
        Self::new(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// Reads `key` or `key-file`, one of which must be there.
pub(super) fn key(section: &mut Section<'_, '_>, folder: &Path) -> Option<SecretKey> {
    const EXPECTED: &str = "`hex:` and pairs of digits, or `ascii:` and characters";
    let inline = section.take("key");
    let file = section.take("key-file");
    match (inline, file) {
        (Some(_), Some(file)) => {
            section.problems.add(&file.span, "`key` and `key-file` are both given: expected one");
            None
        }
        (None, None) => {
            section.missing("key", &format!("{EXPECTED}, or `key-file` instead"));
            None
        }
        (Some(inline), None) => {
            let parsed = match &inline.given {
                DeValue::String(text) => parse_key(text),
                _ => Err("it is not a string".to_owned()),
            };
            parsed
                .map_err(|why| {
                    let message = format!("`{}`: {why}; expected {EXPECTED}", inline.key);
                    section.problems.add(&inline.span, message);
                })
                .ok()
        }
        (None, Some(file)) => {
            let read = match &file.given {
                DeValue::String(path) => read_secret_file(&folder.join(path.as_ref()))
                    .and_then(|text| parse_key(text.trim_end_matches(['\r', '\n']))),
                _ => Err("expected a path".to_owned()),
            };
            read.map_err(|why| {
                section.problems.add(&file.span, format!("`{}`: {why}", file.key));
            })
            .ok()
        }
    }
}

/// Reads the password `inline` or the file `file`; neither is no error.
pub(super) fn password(
    section: &mut Section<'_, '_>,
    folder: &Path,
    inline: &'static str,
    file: &'static str,
) -> Option<Password> {
    let (text, path) = (section.take(inline), section.take(file));
    let (given, read) = match (text, path) {
        (None, None) => return None,
        (Some(_), Some(path)) => {
            let message = format!("`{inline}` and `{file}` are both given: expected one");
            section.problems.add(&path.span, message);
            return None;
        }
        (Some(text), None) => {
            let read = match text.given.as_str() {
                Some(password) => Password::new(Zeroizing::new(password.to_owned())),
                None => Err("expected a string".to_owned()),
            };
            (text, read)
        }
        (None, Some(path)) => {
            let read = match path.given.as_str() {
                Some(name) => Password::read(&folder.join(name)),
                None => Err("expected a path".to_owned()),
            };
            (path, read)
        }
    };
    read.map_err(|why| section.problems.add(&given.span, format!("`{}`: {why}", given.key))).ok()
}

fn parse_key(text: &str) -> Result<SecretKey, String> {
    let parsed: Result<SecretKey, KeyError> = match text.split_once(':') {
        Some(("hex", digits)) => SecretKey::from_hex(digits),
        Some(("ascii", characters)) => SecretKey::from_ascii(characters),
        _ => return Err("it starts with neither `hex:` nor `ascii:`".to_owned()),
    };
    parsed.map_err(|error| error.to_string())
}

fn read_secret_file(path: &Path) -> Result<Zeroizing<String>, String> {
    let cannot = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let size = fs::metadata(path).map_err(cannot)?.len();
    if size > KEY_FILE_MAX {
        return Err(format!("{} has {size} octets: expected one line", path.display()));
    }
    fs::read_to_string(path).map(Zeroizing::new).map_err(cannot)
}
