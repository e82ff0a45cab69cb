//! Listings as comma-separated values (RFC 4180).

use std::borrow::Cow;
use std::io::{self, Write};

use crate::cell::Column;

pub(super) fn print<R>(columns: &[Column<R>], rows: &[R], out: &mut dyn Write) -> io::Result<()> {
    print_header(columns, out)?;
    rows.iter().try_for_each(|row| print_row(columns, row, out))
}

pub(super) fn print_header<R>(columns: &[Column<R>], out: &mut dyn Write) -> io::Result<()> {
    record(columns.iter().map(|column| column.name.to_owned()), out)
}

pub(super) fn print_row<R>(columns: &[Column<R>], row: &R, out: &mut dyn Write) -> io::Result<()> {
    record(columns.iter().map(|column| (column.cell)(row).for_programs()), out)
}

fn record(fields: impl Iterator<Item = String>, out: &mut dyn Write) -> io::Result<()> {
    let fields: Vec<_> = fields.map(|field| quoted(&field).into_owned()).collect();
    write!(out, "{}\r\n", fields.join(","))
}

/// A field in quotes, if it needs them.
pub(super) fn quoted(field: &str) -> Cow<'_, str> {
    if field.contains(['"', ',', '\r', '\n']) || field.starts_with(' ') || field.ends_with(' ') {
        Cow::Owned(format!("\"{}\"", field.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(field)
    }
}
