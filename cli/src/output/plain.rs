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
    for line in &lines {
        let mut text = String::new();
        for ((cell, &width), &numeric) in line.iter().zip(&widths).zip(&numeric) {
            let padded =
                if numeric { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
            text.push_str(&padded);
            text.push_str("  ");
        }
        writeln!(out, "{}", text.trim_end())?;
    }
    Ok(())
}
