//! Lines that are asked for in the middle of a command: answers, keys, passphrases.
//!
//! The shell's editor owns the signals of its line, and a second editor would leave it without any
//! when it ends; so these lines are read without one. The terminal itself is asked, so that what is
//! redirected stays clean.

use std::fs::File;
use std::io::{self, Read, Write};

use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use zeroize::Zeroizing;

/// More than anybody answers.
const LENGTH_MAX: usize = 4096;

/// What somebody has typed.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Typed {
    Line(Zeroizing<String>),
    /// Ctrl-D on an empty line, or the terminal is gone.
    End,
    /// Ctrl-C.
    Interrupted,
}

/// How a line is shown while it is typed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shown {
    AsItIs,
    /// A star for each character.
    AsStars,
}

/// Asks for a line.
///
/// # Errors
///
/// There is no terminal, or it fails.
pub(crate) fn ask(words: &str, shown: Shown) -> io::Result<Typed> {
    let terminal = File::options().read(true).write(true).open("/dev/tty")?;
    let quiet = Quiet::make(&terminal)?;
    (&terminal).write_all(words.as_bytes())?;
    let typed = read(&mut &terminal, &mut &terminal, shown);
    (&terminal).write_all(b"\n")?;
    drop(quiet);
    typed
}

/// A terminal that shows nothing by itself, and gives characters as they are typed; it becomes what
/// it was when this is dropped.
struct Quiet<'t> {
    terminal: &'t File,
    before: Termios,
}

impl<'t> Quiet<'t> {
    fn make(terminal: &'t File) -> io::Result<Self> {
        let before = termios::tcgetattr(terminal)?;
        let mut modes = before.clone();
        modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        // A character at a time; what is typed ahead counts.
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        termios::tcsetattr(terminal, OptionalActions::Drain, &modes)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        // Nobody is left to tell if that fails.
        let _ = termios::tcsetattr(self.terminal, OptionalActions::Drain, &self.before);
    }
}

/// Reads a line character by character, and shows it.
fn read(input: &mut impl Read, output: &mut impl Write, shown: Shown) -> io::Result<Typed> {
    let mut line = Zeroizing::new(Vec::with_capacity(LENGTH_MAX));
    let mut octet = [0];
    let mut key = Key::Whole;
    loop {
        if input.read(&mut octet)? == 0 {
            return Ok(Typed::End);
        }
        key = key.then(octet[0]);
        if key != Key::Whole {
            continue;
        }
        match octet[0] {
            b'\r' | b'\n' => {
                let text = String::from_utf8_lossy(&line).into_owned();
                return Ok(Typed::Line(Zeroizing::new(text)));
            }
            0x03 => return Ok(Typed::Interrupted),
            0x04 if line.is_empty() => return Ok(Typed::End),
            0x08 | 0x7f if take_back(&mut line) => output.write_all(b"\x08 \x08")?,
            // Ctrl-U: all of it.
            0x15 => {
                while take_back(&mut line) {
                    output.write_all(b"\x08 \x08")?;
                }
            }
            typed if typed >= 0x20 && typed != 0x7f && line.len() < LENGTH_MAX => {
                line.push(typed);
                match shown {
                    Shown::AsItIs => output.write_all(&octet)?,
                    Shown::AsStars if is_first(typed) => output.write_all(b"*")?,
                    Shown::AsStars => {}
                }
            }
            _ => {}
        }
        output.flush()?;
    }
}

/// Where in the octets of a key the last one was. Keys without a character, such as arrows, are
/// sequences of several that begin with Escape (ECMA-48 §5.4); none of them is typed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Key {
    /// A character or control character of its own.
    Whole,
    Escape,
    /// Behind the introducer: parameters, until the octet that ends it.
    Sequence,
    End,
}

impl Key {
    const fn then(self, octet: u8) -> Self {
        match (self, octet) {
            (_, 0x1b) => Self::Escape,
            (Self::Escape, b'[' | b'O') | (Self::Sequence, 0x20..=0x3f) => Self::Sequence,
            (Self::Sequence, 0x40..=0x7e) => Self::End,
            _ => Self::Whole,
        }
    }
}

/// Removes the last character, if there is one.
fn take_back(line: &mut Vec<u8>) -> bool {
    while let Some(octet) = line.pop() {
        if is_first(octet) {
            return true;
        }
    }
    false
}

/// Whether a character of UTF-8 begins with this octet.
const fn is_first(octet: u8) -> bool {
    octet & 0xc0 != 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &str, shown: Shown) -> (Typed, String) {
        let mut output = Vec::new();
        let typed = read(&mut keys.as_bytes(), &mut output, shown).unwrap();
        (typed, String::from_utf8(output).unwrap())
    }

    fn line(text: &str) -> Typed {
        Typed::Line(Zeroizing::new(text.to_owned()))
    }

    #[test]
    fn a_line_ends_where_it_is_entered() {
        assert_eq!(typed("yes\rno\r", Shown::AsItIs), (line("yes"), "yes".to_owned()));
        assert_eq!(typed("\n", Shown::AsItIs).0, line(""));
        assert_eq!(
            typed("gr\u{fc}n\r", Shown::AsItIs),
            (line("gr\u{fc}n"), "gr\u{fc}n".to_owned())
        );
        assert_eq!(typed("\x1b\x07y\r", Shown::AsItIs).0, line("y"), "control characters are none");
    }

    #[test]
    fn keys_without_a_character_are_none() {
        let arrows_delete_and_home = "k\x1b[De\x1b[3~y\x1bOH\x1b[1;5C\r";
        assert_eq!(typed(arrows_delete_and_home, Shown::AsStars), (line("key"), "***".to_owned()));
    }

    #[test]
    fn what_was_typed_wrongly_is_taken_back() {
        assert_eq!(typed("n\x7fy\r", Shown::AsItIs).0, line("y"));
        assert_eq!(typed("a\u{fc}\x08\x08\x08y\r", Shown::AsItIs).0, line("y"));
        assert_eq!(typed("all of it\x15y\r", Shown::AsItIs).0, line("y"));
    }

    #[test]
    fn a_line_is_given_up() {
        assert_eq!(typed("y\x03", Shown::AsItIs).0, Typed::Interrupted);
        assert_eq!(typed("\x04", Shown::AsItIs).0, Typed::End);
        assert_eq!(typed("y\x04\r", Shown::AsItIs).0, line("y"), "not in the middle of a line");
        assert_eq!(typed("", Shown::AsItIs).0, Typed::End, "the terminal is gone");
    }

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(typed("k\u{e9}y\r", Shown::AsStars), (line("k\u{e9}y"), "***".to_owned()));
    }
}
