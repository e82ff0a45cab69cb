//! Listings, and the formats they are printed in.

mod csv;
mod json;
mod plain;
mod terminal;

use std::io::{self, Write};

use serde_json::Value;
use store::Revision;

use crate::cell::{Cell, Column};
use crate::failure::Failure;

/// What `-o` names.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns
    Table,
    /// One JSON document
    Json,
    /// Comma-separated values with a header (RFC 4180)
    Csv,
}

/// How a listing is laid out, once the terminal is known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Layout {
    /// A drawn table, at most this wide.
    Terminal(u16),
    Plain,
    Json {
        /// One document a line, for streams of them.
        compact: bool,
    },
    Csv,
}

/// Rows that a command found, ready to be printed.
pub(crate) struct Listing<'a, R> {
    pub(crate) revision: Revision,
    pub(crate) columns: &'a [Column<R>],
    pub(crate) rows: &'a [R],
    /// What else there is to say: a member of the document.
    pub(crate) about: Option<(&'static str, Value)>,
    /// The same, above a table for people.
    pub(crate) preface: &'a [String],
    /// Why the rows are not what was asked for (`--fresh`).
    pub(crate) failure: Option<&'a Failure>,
}

impl<'a, R> Listing<'a, R> {
    pub(crate) const fn new(revision: Revision, columns: &'a [Column<R>], rows: &'a [R]) -> Self {
        Self { revision, columns, rows, about: None, preface: &[], failure: None }
    }

    pub(crate) fn print(&self, layout: Layout, out: &mut dyn Write) -> io::Result<()> {
        match layout {
            Layout::Json { compact } => json::print(self, compact, out),
            Layout::Csv => csv::print(self.columns, self.rows, out),
            Layout::Terminal(width) if self.rows.len() <= terminal::ROWS_MAX => {
                self.print_preface(out)?;
                terminal::print(self.columns, self.rows, width, out)
            }
            Layout::Terminal(_) | Layout::Plain => {
                self.print_preface(out)?;
                plain::print(self.columns, self.rows, out)
            }
        }
    }

    fn print_preface(&self, out: &mut dyn Write) -> io::Result<()> {
        self.preface.iter().try_for_each(|line| writeln!(out, "{line}"))
    }
}

/// Prints one row of a stream whose other rows are not known.
pub(crate) fn print_event<R>(
    columns: &[Column<R>],
    row: &R,
    layout: Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    match layout {
        Layout::Json { .. } => json::print_row(columns, row, out),
        Layout::Csv => csv::print_row(columns, row, out),
        Layout::Terminal(_) | Layout::Plain => plain::print_row(columns, row, out),
    }
}

/// Prints the headings of a stream of rows.
pub(crate) fn print_event_header<R>(
    columns: &[Column<R>],
    layout: Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    match layout {
        Layout::Json { .. } => Ok(()),
        Layout::Csv => csv::print_header(columns, out),
        Layout::Terminal(_) | Layout::Plain => plain::print_header(columns, out),
    }
}

/// Prints an error as a JSON document.
pub(crate) fn print_error(failure: &Failure, out: &mut dyn Write) -> io::Result<()> {
    json::print_error(failure, out)
}

/// The columns that tables show, with their headings.
fn shown<R>(columns: &[Column<R>]) -> impl Iterator<Item = (&'static str, &Column<R>)> {
    columns.iter().filter_map(|column| Some((column.heading?, column)))
}

/// The order of a listing.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Sort {
    /// The column to sort by; `-COLUMN` turns the order round
    #[arg(long, value_name = "COLUMN", allow_hyphen_values = true)]
    sort: Option<String>,
}

impl Sort {
    /// Refuses a column that is not there, before anything is read.
    pub(crate) fn check<R>(&self, columns: &[Column<R>]) -> Result<(), Failure> {
        self.apply(columns, &mut [])
    }

    pub(crate) fn apply<R>(&self, columns: &[Column<R>], rows: &mut [R]) -> Result<(), Failure> {
        let Some(given) = &self.sort else { return Ok(()) };
        let (descending, name) = match given.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, given.as_str()),
        };
        let wanted = name.replace('-', "_");
        let Some(column) = columns.iter().find(|column| column.name == wanted) else {
            let names: Vec<_> = columns.iter().map(|column| column.name).collect();
            return Err(Failure::usage(format!("there is no column `{name}`"))
                .hint(format!("columns are {}", names.join(", "))));
        };
        rows.sort_by_cached_key(|row| Sorted((column.cell)(row)));
        if descending {
            rows.reverse();
        }
        Ok(())
    }
}

/// Gives cells the order of `--sort`.
#[derive(Eq, PartialEq)]
struct Sorted(Cell);

impl Ord for Sorted {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.order(&other.0)
    }
}

impl PartialOrd for Sorted {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests;
