//! Lines of scripts and of the shell: their words, and how one is run.

use clap::Parser as _;

use crate::failure::{ExitStatus, Failure};
use crate::grammar::Line;
use crate::run::refuse;
use crate::session::{LineOptions, Session};

/// What a line turned out to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// Blank, or a comment.
    Nothing,
    Exit,
    Done(ExitStatus),
}

/// Runs one line; `defaults` are the options that it does not give itself.
pub(crate) fn run(text: &str, defaults: LineOptions, session: &mut Session) -> Outcome {
    session.begin(defaults);
    let words = match split(text) {
        Ok(words) => words,
        Err(failure) => return Outcome::Done(session.conclude(Err(failure.into()))),
    };
    match words.first().map(String::as_str) {
        None => return Outcome::Nothing,
        Some("exit" | "quit") if words.len() == 1 => return Outcome::Exit,
        Some(_) => {}
    }
    let status = match Line::try_parse_from(&words) {
        Ok(line) => {
            session.begin(LineOptions {
                output: line.options.output.or(defaults.output),
                fresh: line.options.fresh || defaults.fresh,
            });
            let result = line.command.run(session);
            session.conclude(result)
        }
        Err(err) => refuse(&err, session),
    };
    Outcome::Done(status)
}

/// The words of a line, as a shell would split them: quotes, backslashes and `#` comments.
pub(crate) fn split(text: &str) -> Result<Vec<String>, Failure> {
    let scan = scan(text);
    match scan.unfinished {
        None => Ok(scan.words.into_iter().map(|(_, word)| word).collect()),
        Some('\\') => Err(Failure::usage("nothing follows the last `\\`")),
        Some(quote) => Err(Failure::usage(format!("the quote `{quote}` does not end"))),
    }
}

/// The words of a line that may not be finished.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Each word, with where it starts.
    pub(crate) words: Vec<(usize, String)>,
    /// Whether the line ends in a word.
    pub(crate) in_word: bool,
    /// The quote or backslash that waits for more.
    pub(crate) unfinished: Option<char>,
}

impl Scan {
    /// The finished words, and the one being typed with where it starts, if it has started.
    pub(crate) fn finished(mut self) -> (Vec<String>, (Option<usize>, String)) {
        let partial = if self.in_word { self.words.pop() } else { None };
        let words = self.words.into_iter().map(|(_, word)| word).collect();
        (words, partial.map_or_else(Default::default, |(start, word)| (Some(start), word)))
    }
}

pub(crate) fn scan(text: &str) -> Scan {
    let mut scan = Scan::default();
    let mut quote: Option<char> = None;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if c == '#' && !scan.in_word {
            return scan;
        }
        if quote.is_none() && c.is_whitespace() {
            scan.in_word = false;
            continue;
        }
        if !scan.in_word {
            scan.words.push((at, String::new()));
            scan.in_word = true;
        }
        let Some((_, word)) = scan.words.last_mut() else { continue };
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None | Some('"'), '\\') => match chars.next() {
                Some((_, escaped)) => word.push(escaped),
                None => {
                    scan.unfinished = Some('\\');
                    return scan;
                }
            },
            (_, c) => word.push(c),
        }
    }
    scan.unfinished = quote;
    scan
}

/// `word` as it must be typed.
pub(crate) fn quoted(word: &str) -> String {
    let special = |c: char| c.is_whitespace() || "'\"\\#".contains(c);
    if word.is_empty() || word.contains(special) {
        format!("'{}'", word.replace('\'', r"'\''"))
    } else {
        word.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn any_words_survive_quoting(words in proptest::collection::vec(".{0,8}", 0..5)) {
            let text: Vec<_> = words.iter().map(|word| quoted(word)).collect();
            proptest::prop_assert_eq!(split(&text.join(" ")).unwrap(), words);
        }

        #[test]
        fn no_line_is_too_strange(text in ".{0,40}") {
            let scan = scan(&text);
            for (start, _) in &scan.words {
                proptest::prop_assert!(text.is_char_boundary(*start));
            }
            proptest::prop_assert_eq!(split(&text).is_err(), scan.unfinished.is_some());
        }
    }

    #[test]
    fn quoted_words_are_one_word_again() {
        for word in ["plain", "", "two words", "it's", "a\"b\\c", "#"] {
            assert_eq!(split(&quoted(word)).unwrap(), [word]);
        }
    }

    #[test]
    fn words_are_split_as_shells_do() {
        for (text, words) in [
            ("", &[][..]),
            ("   # a comment", &[]),
            ("show bindings # all", &["show", "bindings"]),
            ("a '' \"b c\" d' e'", &["a", "", "b c", "d e"]),
            (r#"a\ b "x\"y" 'x\y'"#, &["a b", "x\"y", r"x\y"]),
            ("a#b", &["a#b"]),
        ] {
            assert_eq!(split(text).unwrap(), words, "{text}");
        }
        for text in ["'open", "\"open\\\"", "end\\"] {
            assert_eq!(split(text).unwrap_err().status, ExitStatus::Usage, "{text}");
        }
    }
}
