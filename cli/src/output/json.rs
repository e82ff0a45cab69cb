//! Listings and errors as JSON documents.

use std::io::{self, Write};

use serde::ser::{SerializeMap as _, SerializeSeq as _};
use serde::{Serialize, Serializer};

use super::Listing;
use crate::cell::Column;
use crate::failure::{ErrorObject, Failure};

pub(super) fn print<R>(
    listing: &Listing<'_, R>,
    compact: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    print_value(&Document(listing), compact, out)
}

/// Prints a row as a document of its own.
pub(super) fn print_row<R>(columns: &[Column<R>], row: &R, out: &mut dyn Write) -> io::Result<()> {
    print_value(&Object { columns, row }, true, out)
}

pub(super) fn print_error(failure: &Failure, out: &mut dyn Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Document<'a> {
        error: ErrorObject<'a>,
    }
    print_value(&Document { error: failure.into() }, true, out)
}

fn print_value(value: &impl Serialize, compact: bool, out: &mut dyn Write) -> io::Result<()> {
    if compact {
        serde_json::to_writer(&mut *out, value)?;
    } else {
        serde_json::to_writer_pretty(&mut *out, value)?;
    }
    writeln!(out)
}

struct Document<'a, 'l, R>(&'a Listing<'l, R>);

impl<R> Serialize for Document<'_, '_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let listing = self.0;
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("revision", &listing.revision)?;
        if let Some((name, value)) = &listing.about {
            object.serialize_entry(name, value)?;
        }
        object.serialize_entry("rows", &RowList(listing))?;
        if let Some(failure) = listing.failure {
            object.serialize_entry("error", &ErrorObject::from(failure))?;
        }
        object.end()
    }
}

struct RowList<'a, 'l, R>(&'a Listing<'l, R>);

impl<R> Serialize for RowList<'_, '_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.rows.len()))?;
        for row in self.0.rows {
            list.serialize_element(&Object { columns: self.0.columns, row })?;
        }
        list.end()
    }
}

/// A row, its members in the order of the columns.
struct Object<'a, R> {
    columns: &'a [Column<R>],
    row: &'a R,
}

impl<R> Serialize for Object<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let cells = self.columns.iter().map(|column| (column.name, (column.cell)(self.row)));
        serializer.collect_map(cells)
    }
}
