//! Keys of associations: read from a file, a prompt or standard input, never from the command line.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use store::wire::SecretKey;
use zeroize::Zeroizing;

use crate::failure::{Failure, Stop};
use crate::session::Session;
use crate::terminal::{self, Shown, Typed};

/// More than the longest key takes in hexadecimal, with its prefix and a line end.
const TEXT_MAX: u64 = 1024;

const EXPECTED: &str = "a key is `hex:` and pairs of digits, or `ascii:` and characters";

/// Where the key comes from: a prompt at a terminal, else standard input
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct KeySource {
    /// Read the key from this file, which others must not be able to read; `-` is standard input
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

impl KeySource {
    pub(crate) fn read(&self, session: &mut Session) -> Result<SecretKey, Stop> {
        let text = read_text(self.key_file.as_ref(), ("Key: ", "key", "--key-file"), session)?;
        Ok(parse(&text)?)
    }
}

/// Where a passphrase comes from: a prompt at a terminal, else standard input
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct PassphraseSource {
    /// Read the passphrase from this file, which others must not be able to read; `-` is standard
    /// input
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl PassphraseSource {
    /// Reads it; one that is new is asked for twice at a terminal.
    pub(crate) fn read(
        &self,
        is_new: bool,
        session: &mut Session,
    ) -> Result<Zeroizing<String>, Stop> {
        let file = self.passphrase_file.as_ref();
        let text = read_text(file, ("Passphrase: ", "passphrase", "--passphrase-file"), session)?;
        if is_new && file.is_none() && session.world.input_is_terminal {
            let again = prompt("Again: ")?;
            if again.trim_end_matches(['\r', '\n']) != text.as_str() {
                return Err(Failure::refused("the two are not the same").into());
            }
        }
        Ok(text)
    }
}

/// Reads a line that is a secret; `words` are a prompt, what it is, and the option that names its file.
fn read_text(
    file: Option<&PathBuf>,
    (prompt_words, what, option): (&str, &str, &str),
    session: &mut Session,
) -> Result<Zeroizing<String>, Stop> {
    let text = match file {
        Some(file) if file.as_os_str() != "-" => read_file(file)?,
        None if session.world.input_is_terminal => prompt(prompt_words)?,
        // In a script standard input may be the script itself.
        _ if session.place.is_some() => {
            let failure = Failure::usage(format!("a script must name the file of a {what}"))
                .hint(format!("give `{option} FILE`"));
            return Err(failure.into());
        }
        _ => read_line(&mut session.world.input)?,
    };
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn parse(text: &str) -> Result<SecretKey, Failure> {
    let key = match text.split_once(':') {
        Some(("hex", digits)) => SecretKey::from_hex(digits),
        Some(("ascii", characters)) => SecretKey::from_ascii(characters),
        _ => {
            return Err(
                Failure::refused("the key starts with neither `hex:` nor `ascii:`").hint(EXPECTED)
            );
        }
    };
    key.map_err(|err| Failure::refused(err.to_string()).hint(EXPECTED))
}

fn read_file(path: &PathBuf) -> Result<Zeroizing<String>, Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    let name = path.display();
    let failed = |err: std::io::Error| Failure::refused(format!("failed to read `{name}`: {err}"));
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        let message = format!("`{name}` can be read by others than its owner");
        return Err(Failure::refused(message).hint(format!("`chmod 600 {name}`")));
    }
    read_line(file)
}

fn read_line(source: impl Read) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(TEXT_MAX).unwrap_or(0)));
    match source.take(TEXT_MAX).read_to_string(&mut text) {
        Ok(read) if u64::try_from(read).is_ok_and(|read| read < TEXT_MAX) => Ok(text),
        Ok(_) => Err(Failure::refused("the key is too long").hint(EXPECTED)),
        Err(err) => Err(Failure::refused(format!("failed to read the key: {err}"))),
    }
}

/// Asks for a secret; what is typed is not shown.
fn prompt(words: &str) -> Result<Zeroizing<String>, Stop> {
    match terminal::ask(words, Shown::AsStars) {
        Ok(Typed::Line(text)) => Ok(text),
        Ok(Typed::End | Typed::Interrupted) => Err(Stop::Interrupted),
        Err(err) => Err(Failure::refused(format!("failed to read the key: {err}")).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_say_what_they_are() {
        assert_eq!(parse("hex:00ff").unwrap(), SecretKey::from_octets(&[0, 255]).unwrap());
        assert_eq!(parse("ascii:ab c").unwrap(), SecretKey::from_octets(b"ab c").unwrap());
        for text in ["", "00ff", "hex:0", "hex:zz", "hex:", "ascii:", "base64:AA=="] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_key_does_not_repeat_it() {
        for text in ["hex:0123456789abcdeg", "ascii:ge\u{e9}heim", "geheim"] {
            let words = parse(text).unwrap_err().to_string();
            assert!(!words.contains("0123") && !words.contains("heim"), "{words}");
        }
    }
}
