//! One line of a scenario: a time, a verb, plain words and `key=value` pairs.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::str::FromStr;
use std::time::Duration;

pub(super) struct Words<'a> {
    /// Uptime, of lines that are events.
    pub(super) at: Option<Duration>,
    pub(super) verb: &'a str,
    plain: Vec<&'a str>,
    pairs: Vec<(&'a str, &'a str)>,
    /// What was asked for; the rest is a mistake in the file.
    read: RefCell<BTreeSet<String>>,
}

impl<'a> Words<'a> {
    pub(super) fn parse(line: &'a str) -> Self {
        let mut words = line.split_whitespace().peekable();
        let at = words.peek().and_then(|word| seconds(word));
        if at.is_some() {
            words.next();
        }
        let verb = words.next().unwrap();
        let (pairs, plain): (Vec<&str>, Vec<&str>) = words.partition(|word| word.contains('='));
        let pairs = pairs.into_iter().map(|word| word.split_once('=').unwrap()).collect();
        Self { at, verb, plain, pairs, read: RefCell::default() }
    }

    /// The plain word at `index`.
    pub(super) fn word(&self, index: usize) -> Option<&'a str> {
        let word = self.plain.get(index).copied()?;
        self.read.borrow_mut().insert(word.to_owned());
        Some(word)
    }

    /// Whether a plain word is there.
    pub(super) fn has(&self, wanted: &str) -> bool {
        self.read.borrow_mut().insert(wanted.to_owned());
        self.plain.contains(&wanted)
    }

    /// All values of a key.
    pub(super) fn all(&self, key: &str) -> Vec<&'a str> {
        self.read.borrow_mut().insert(key.to_owned());
        self.pairs.iter().filter(|(it, _)| *it == key).map(|(_, value)| *value).collect()
    }

    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        self.all(key).last().copied()
    }

    pub(super) fn value<T: FromStr<Err: Debug>>(&self, key: &str) -> Option<T> {
        self.text(key)
            .map(|text| text.parse().unwrap_or_else(|err| panic!("{key}={text}: {err:?}")))
    }

    pub(super) fn or<T: FromStr<Err: Debug>>(&self, key: &str, default: T) -> T {
        self.value(key).unwrap_or(default)
    }

    /// Complains of words that nothing asked for.
    pub(super) fn assert_all_read(&self, place: &str) {
        let read = self.read.borrow();
        let keys = self.pairs.iter().map(|(key, _)| *key);
        for word in self.plain.iter().copied().chain(keys) {
            assert!(read.contains(word), "{place}: {word} means nothing here");
        }
    }
}

/// `12s`, `0.5s`.
fn seconds(word: &str) -> Option<Duration> {
    let seconds: f64 = word.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}
