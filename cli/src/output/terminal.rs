//! Listings as drawn tables, for people at a terminal.

use std::io::{self, Write};

use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table, presets};

use super::shown;
use crate::cell::Column;

/// More than anyone reads as a table, and more than should be laid out as one.
pub(super) const ROWS_MAX: usize = 10_000;

pub(super) fn print<R>(
    columns: &[Column<R>],
    rows: &[R],
    width: u16,
    out: &mut dyn Write,
) -> io::Result<()> {
    let alignment = |column: &Column<R>| {
        if column.numeric { CellAlignment::Right } else { CellAlignment::Left }
    };
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width)
        .set_header(shown(columns).map(|(heading, column)| {
            Cell::new(heading).set_alignment(alignment(column)).add_attribute(Attribute::Bold)
        }));
    for row in rows {
        table.add_row(shown(columns).map(|(_, column)| {
            Cell::new((column.cell)(row).for_people()).set_alignment(alignment(column))
        }));
    }
    writeln!(out, "{table}")
}
