//! Reads one table of the file key by key; what nobody asked for is an unknown key.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problems;

/// A table of the file that is being read.
pub(super) struct Section<'i, 'p> {
    /// Its name with dots; empty for the whole file.
    path: String,
    span: Range<usize>,
    entries: BTreeMap<String, (Range<usize>, Spanned<DeValue<'i>>)>,
    known: Vec<&'static str>,
    pub(super) problems: &'p Problems<'i>,
}

/// A value with where it stands and what it is called.
pub(super) struct Value<'i> {
    pub(super) key: String,
    pub(super) span: Range<usize>,
    pub(super) given: DeValue<'i>,
}

impl<'i, 'p> Section<'i, 'p> {
    pub(super) fn new(
        path: impl Into<String>,
        span: Range<usize>,
        table: DeTable<'i>,
        problems: &'p Problems<'i>,
    ) -> Self {
        let entries = table
            .into_iter()
            .map(|(key, value)| {
                let span = key.span();
                (key.into_inner().into_owned(), (span, value))
            })
            .collect();
        Self { path: path.into(), span, entries, known: Vec::new(), problems }
    }

    /// Where the table starts.
    pub(super) fn span(&self) -> &Range<usize> {
        &self.span
    }

    /// Where `key` stands, if it is there.
    pub(super) fn key_span(&self, key: &str) -> Option<Range<usize>> {
        self.entries.get(key).map(|(span, _)| span.clone())
    }

    /// Takes the value of `key`, if it is there.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Value<'i>> {
        self.known.push(key);
        let (_, value) = self.entries.remove(key)?;
        let span = value.span();
        Some(Value { key: self.name(key), span, given: value.into_inner() })
    }

    /// Takes a value that `parse` understands; `expected` says what that is.
    pub(super) fn parsed<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        parse: impl FnOnce(&DeValue<'i>) -> Option<T>,
    ) -> Option<T> {
        let taken = self.take(key)?;
        let parsed = parse(&taken.given);
        if parsed.is_none() {
            self.wrong(&taken, expected);
        }
        parsed
    }

    pub(super) fn integer(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u32>,
        unit: &str,
    ) -> Option<u32> {
        let expected = format!("an integer from {} to {}{unit}", range.start(), range.end());
        self.parsed(key, &expected, |value| {
            let number = integer(value)?;
            u32::try_from(number).ok().filter(|number| range.contains(number))
        })
    }

    pub(super) fn boolean(&mut self, key: &'static str) -> Option<bool> {
        self.parsed(key, "`true` or `false`", DeValue::as_bool)
    }

    pub(super) fn string(&mut self, key: &'static str, expected: &str) -> Option<String> {
        self.parsed(key, expected, |value| {
            value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
        })
    }

    /// Takes a string that is one of `words`.
    pub(super) fn word<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let names: Vec<String> = words.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let expected = match names.as_slice() {
            [one] => one.clone(),
            [first @ .., last] => format!("{} or {last}", first.join(", ")),
            [] => String::new(),
        };
        self.parsed(key, &expected, |value| {
            let text = value.as_str()?;
            words.iter().find(|(name, _)| *name == text).map(|(_, word)| *word)
        })
    }

    /// Takes an array of strings that [`FromStr`] understands.
    pub(super) fn texts<T: FromStr<Err: Display>>(
        &mut self,
        key: &'static str,
        expected: &str,
    ) -> Option<Vec<T>> {
        let taken = self.take(key)?;
        let DeValue::Array(items) = &taken.given else {
            self.wrong(&taken, &format!("an array of {expected}"));
            return None;
        };
        let mut parsed = Vec::new();
        for item in items {
            match item.get_ref().as_str().map(T::from_str) {
                Some(Ok(value)) => parsed.push(value),
                Some(Err(error)) => {
                    let message = format!("`{}`: {error}; expected {expected}", taken.key);
                    self.problems.add(&item.span(), message);
                }
                None => {
                    let found = describe(item.get_ref());
                    let message = format!("`{}`: expected {expected}, found {found}", taken.key);
                    self.problems.add(&item.span(), message);
                }
            }
        }
        Some(parsed)
    }

    /// Says that `key` is missing.
    pub(super) fn missing(&self, key: &str, expected: &str) {
        let name = self.name(key);
        self.problems.add(&self.span, format!("`{name}` is missing: expected {expected}"));
    }

    /// Takes the table `[key]`.
    pub(super) fn section(&mut self, key: &'static str) -> Option<Section<'i, 'p>> {
        let key_span = self.key_span(key);
        let taken = self.take(key)?;
        let DeValue::Table(table) = taken.given else {
            self.wrong(&taken, &format!("a table `[{}]`", taken.key));
            return None;
        };
        Some(Section::new(taken.key, key_span.unwrap_or(taken.span), table, self.problems))
    }

    /// Takes the tables `[[key]]`.
    pub(super) fn sections(&mut self, key: &'static str) -> Vec<Section<'i, 'p>> {
        let Some(taken) = self.take(key) else { return Vec::new() };
        let expected = format!("tables `[[{}]]`", taken.key);
        let DeValue::Array(items) = taken.given else {
            self.wrong(&taken, &expected);
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in items {
            let span = item.span();
            match item.into_inner() {
                DeValue::Table(table) => {
                    sections.push(Section::new(taken.key.clone(), span, table, self.problems));
                }
                other => {
                    let found = describe(&other);
                    let message = format!("`{}`: expected {expected}, found {found}", taken.key);
                    self.problems.add(&span, message);
                }
            }
        }
        sections
    }

    /// Whatever is left is not known; every reader ends with this.
    pub(super) fn finish(mut self) {
        self.known.sort_unstable();
        for (key, (span, _)) in &self.entries {
            let place = match self.path.as_str() {
                "" => "the file".to_owned(),
                path => format!("`[{path}]`"),
            };
            let known = self.known.join(", ");
            self.problems
                .add(span, format!("`{}`: unknown key, {place} knows: {known}", self.name(key)));
        }
    }

    fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn wrong(&self, taken: &Value<'_>, expected: &str) {
        let found = describe(&taken.given);
        let message = format!("`{}`: expected {expected}, found {found}", taken.key);
        self.problems.add(&taken.span, message);
    }
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// A value in a message; long ones are cut.
fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) if text.chars().count() <= 60 => format!("{:?}", text.as_ref()),
        DeValue::String(_) => "a long string".to_owned(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(yes) => yes.to_string(),
        DeValue::Datetime(date) => date.to_string(),
        DeValue::Array(_) => "an array".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}
