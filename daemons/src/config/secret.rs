//! Keys and passwords; no message about them repeats a character of them.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use toml::de::DeValue;
use wire::{KeyError, SecretKey};
use zeroize::Zeroizing;

use super::section::Section;

/// A key file is small; a larger one is a mistake.
const KEY_FILE_MAX: u64 = 4096;

/// A password; nothing prints it.
#[derive(Clone)]
pub(crate) struct Password(
    #[expect(dead_code, reason = "users are checked, but not served yet")] Zeroizing<String>,
);

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
            let read = text.given.as_str().map(|text| Zeroizing::new(text.to_owned()));
            (text, read.ok_or_else(|| "expected a string".to_owned()))
        }
        (None, Some(path)) => {
            let read = match path.given.as_str() {
                Some(name) => read_secret_file(&folder.join(name))
                    .map(|text| Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned())),
                None => Err("expected a path".to_owned()),
            };
            (path, read)
        }
    };
    // RFC 3414 §11.2 asks for at least eight.
    let checked = read.and_then(|password| {
        let length = password.len();
        if length >= 8 { Ok(password) } else { Err("expected at least 8 characters".to_owned()) }
    });
    checked
        .map_err(|why| section.problems.add(&given.span, format!("`{}`: {why}", given.key)))
        .ok()
        .map(Password)
}

fn parse_key(text: &str) -> Result<SecretKey, String> {
    let parsed: Result<SecretKey, KeyError> = match text.split_once(':') {
        Some(("hex", digits)) => SecretKey::from_hex(digits),
        Some(("ascii", characters)) => SecretKey::from_ascii(characters),
        _ => return Err("it starts with neither `hex:` nor `ascii:`".to_owned()),
    };
    parsed.map_err(|error| error.to_string())
}

fn read_secret_file(path: &PathBuf) -> Result<Zeroizing<String>, String> {
    let cannot = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let size = fs::metadata(path).map_err(cannot)?.len();
    if size > KEY_FILE_MAX {
        return Err(format!("{} has {size} octets: expected one line", path.display()));
    }
    fs::read_to_string(path).map(Zeroizing::new).map_err(cannot)
}
