//! One value of a row, and how each format shows it.

use std::cmp::Ordering;
use std::fmt;
use std::net::Ipv4Addr;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use store::UtcTime;
use store::wire::Flags;

use crate::words;

/// One value of a row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Cell {
    /// There is none.
    Absent,
    Truth(bool),
    Signed(i64),
    Number(u64),
    /// More than any number: a lifetime without end.
    Infinite,
    Instant(UtcTime),
    Address(Ipv4Addr),
    /// The flags of a Registration Request.
    Flags(Flags),
    Text(String),
    List(Vec<Cell>),
    /// Values by name, of any number.
    Map(Vec<(String, Cell)>),
}

impl Cell {
    pub(crate) fn text(text: impl fmt::Display) -> Self {
        Self::Text(text.to_string())
    }

    /// The cell that `value` makes, or [`Self::Absent`].
    pub(crate) fn of<T>(value: Option<T>, cell: impl FnOnce(T) -> Self) -> Self {
        value.map_or(Self::Absent, cell)
    }

    pub(crate) fn list(words: impl IntoIterator<Item: fmt::Display>) -> Self {
        Self::List(words.into_iter().map(Self::text).collect())
    }

    /// As people read it in a table.
    pub(crate) fn for_people(&self) -> String {
        match self {
            Self::Absent => "-".to_owned(),
            Self::Truth(true) => "yes".to_owned(),
            Self::Truth(false) => "no".to_owned(),
            Self::Infinite => "infinite".to_owned(),
            Self::Flags(flags) => words::flag_letters(*flags),
            Self::Text(text) => printable(text),
            Self::List(cells) if cells.is_empty() => "-".to_owned(),
            Self::List(cells) => join(cells, Self::for_people, ","),
            Self::Signed(_)
            | Self::Number(_)
            | Self::Instant(_)
            | Self::Address(_)
            | Self::Map(_) => self.for_programs(),
        }
    }

    /// As a field of CSV, before quoting.
    pub(crate) fn for_programs(&self) -> String {
        match self {
            Self::Absent => String::new(),
            Self::Truth(truth) => truth.to_string(),
            Self::Signed(number) => number.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Infinite => "infinite".to_owned(),
            Self::Instant(at) => at.rfc3339(),
            Self::Address(address) => address.to_string(),
            Self::Flags(flags) => words::flags(*flags).collect::<Vec<_>>().join(" "),
            Self::Text(text) => text.clone(),
            Self::List(cells) => join(cells, Self::for_programs, " "),
            Self::Map(cells) => {
                let pair =
                    |(name, cell): &(String, Self)| format!("{name}={}", cell.for_programs());
                cells.iter().map(pair).collect::<Vec<_>>().join(" ")
            }
        }
    }
}

fn join(cells: &[Cell], text: impl Fn(&Cell) -> String, separator: &str) -> String {
    cells.iter().map(text).collect::<Vec<_>>().join(separator)
}

/// Rows hold text that others wrote: nothing in it may steer the terminal.
fn printable(text: &str) -> String {
    let unsafe_char =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.contains(unsafe_char) {
        return text.to_owned();
    }
    text.chars()
        .map(|c| if unsafe_char(c) { c.escape_unicode().to_string() } else { c.to_string() })
        .collect()
}

/// As JSON; what has no value or no end is `null`.
impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absent | Self::Infinite => serializer.serialize_none(),
            Self::Truth(truth) => serializer.serialize_bool(*truth),
            Self::Signed(number) => serializer.serialize_i64(*number),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Instant(at) => serializer.serialize_str(&at.rfc3339()),
            Self::Address(address) => address.serialize(serializer),
            Self::Flags(flags) => {
                let mut object = serializer.serialize_map(Some(2))?;
                object.serialize_entry("octet", &flags.0)?;
                object.serialize_entry("names", &words::flags(*flags).collect::<Vec<_>>())?;
                object.end()
            }
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(cells) => cells.serialize(serializer),
            Self::Map(cells) => {
                serializer.collect_map(cells.iter().map(|(name, cell)| (name, cell)))
            }
        }
    }
}

impl Cell {
    /// Orders cells of one column: by value where they have one, else as text.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.cmp(b),
            (Self::Signed(a), Self::Signed(b)) => a.cmp(b),
            (Self::Instant(a), Self::Instant(b)) => a.cmp(b),
            (Self::Address(a), Self::Address(b)) => a.cmp(b),
            (Self::Flags(a), Self::Flags(b)) => a.0.cmp(&b.0),
            _ => self
                .rank()
                .cmp(&other.rank())
                .then_with(|| self.for_programs().cmp(&other.for_programs())),
        }
    }

    /// Nothing comes first, what has no end comes last, addresses come before names.
    const fn rank(&self) -> u8 {
        match self {
            Self::Absent => 0,
            Self::Address(_) => 1,
            Self::Infinite => 3,
            _ => 2,
        }
    }
}

/// A column of a listing of `R`.
pub(crate) struct Column<R> {
    /// Its name in JSON, CSV and `--sort`.
    pub(crate) name: &'static str,
    /// Its heading in tables; a column without one is only for programs.
    pub(crate) heading: Option<&'static str>,
    /// Whether tables align it to the right.
    pub(crate) numeric: bool,
    pub(crate) cell: fn(&R) -> Cell,
}

impl<R> Column<R> {
    pub(crate) const fn text(
        name: &'static str,
        heading: &'static str,
        cell: fn(&R) -> Cell,
    ) -> Self {
        Self { name, heading: Some(heading), numeric: false, cell }
    }

    pub(crate) const fn number(
        name: &'static str,
        heading: &'static str,
        cell: fn(&R) -> Cell,
    ) -> Self {
        Self { name, heading: Some(heading), numeric: true, cell }
    }

    pub(crate) const fn detail(name: &'static str, cell: fn(&R) -> Cell) -> Self {
        Self { name, heading: None, numeric: false, cell }
    }
}

#[cfg(test)]
mod tests;
