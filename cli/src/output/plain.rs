//! Listings as aligned columns without lines, for pipes and files.

use std::io::{self, Write};

use super::shown;
use crate::cell::Column;

pub(super) fn print<R>(columns: &[Column<R>], rows: &[R], out: &mut dyn Write) -> io::Result<()> {
    let headings = shown(columns).map(|(heading, _)| heading.to_owned()).collect();
    let cells = |row| shown(columns).map(|(_, column)| (column.cell)(row).for_people()).collect();
    let lines: Vec<Vec<String>> = std::iter::once(headings).chain(rows.iter().map(cells)).collect();
    let mut widths = vec![0; shown(columns).count()];
    for line in &lines {
        for (width, text) in widths.iter_mut().zip(line) {
            *width = text.chars().count().max(*width);
        }
    }
    let numeric: Vec<_> = shown(columns).map(|(_, column)| column.numeric).collect();
    lines.iter().try_for_each(|line| print_line(line, &widths, &numeric, out))
}

/// How wide a column is when its other rows are not known: an address, and most of a NAI.
const EVENT_WIDTH: usize = 15;

pub(super) fn print_header<R>(columns: &[Column<R>], out: &mut dyn Write) -> io::Result<()> {
    let headings: Vec<_> = shown(columns).map(|(heading, _)| heading.to_owned()).collect();
    print_event(columns, &headings, out)
}

pub(super) fn print_row<R>(columns: &[Column<R>], row: &R, out: &mut dyn Write) -> io::Result<()> {
    let cells: Vec<_> = shown(columns).map(|(_, column)| (column.cell)(row).for_people()).collect();
    print_event(columns, &cells, out)
}

fn print_event<R>(columns: &[Column<R>], cells: &[String], out: &mut dyn Write) -> io::Result<()> {
    let numeric: Vec<_> = shown(columns).map(|(_, column)| column.numeric).collect();
    print_line(cells, &vec![EVENT_WIDTH; cells.len()], &numeric, out)
}

fn print_line(
    cells: &[String],
    widths: &[usize],
    numeric: &[bool],
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut text = String::new();
    for ((cell, &width), &numeric) in cells.iter().zip(widths).zip(numeric) {
        let padded = if numeric { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
        text.push_str(&padded);
        text.push_str("  ");
    }
    writeln!(out, "{}", text.trim_end())
}
