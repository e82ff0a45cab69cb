//! `mip4ctl import`

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::value::RawValue;
use store::{AnyKey, AnyRow, Batch, Change, Class, Compare, Expect, Origin, Table};

use super::export::{FORMAT, VERSION};
use crate::failure::{Failure, Stop};
use crate::session::Session;

/// No row is as long as this.
const LINE_MAX: u64 = 256 * 1024;

/// Put the configuration of an export into this store, all of it or nothing
///
/// State (bindings, counters, …) belongs to the daemons, rows that came from a
/// configuration file to that file: both are left out. Keys are not part of an
/// export.
#[derive(clap::Args, Debug)]
pub(crate) struct Import {
    /// The export; `-` is standard input
    file: PathBuf,
    /// Replace rows that are there already, instead of refusing
    #[arg(long)]
    replace: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Deserialize)]
struct Header {
    format: String,
    version: u32,
}

#[derive(Deserialize)]
struct Line<'a> {
    key: String,
    #[serde(borrow)]
    row: &'a RawValue,
}

impl Import {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        let rows = if self.file.as_os_str() == "-" {
            if session.place.is_some() {
                return Err(Failure::usage("a script must name the file of an import").into());
            }
            read(&mut session.world.input)?
        } else {
            let failed =
                |err| Failure::refused(format!("failed to open `{}`: {err}", self.file.display()));
            read(&mut BufReader::new(File::open(&self.file).map_err(failed)?))?
        };
        let total = rows.len();
        let wanted: Vec<AnyRow> = rows.into_iter().filter(is_importable).collect();
        let left_out = total - wanted.len();
        let view = session.read(&[Table::Associations])?;
        let mut batch = Batch::new(Class::Durable);
        for row in wanted {
            let key = row.key();
            let expect = match view.snapshot.tables.find(&key) {
                None => Expect::Absent,
                Some((there, _)) if !self.replace || !is_importable(&there) => {
                    let message = format!("`{}` is there already", key.path());
                    return Err(Failure::refused(message).hint("nothing was changed").into());
                }
                Some((_, stamp)) => Expect::Modified(stamp.modified),
            };
            batch.compares.push(Compare { key, expect });
            batch.changes.push(Change::Put(row));
        }
        let count = batch.changes.len();
        if left_out > 0 {
            session
                .warn(&format!("left out {left_out} rows of state, or of a configuration file"))?;
        }
        if self.dry_run || count == 0 {
            return session.report_done(view.revision(), &format!("would import {count} rows"));
        }
        session.warn(
            "keys are not part of an export: delete an association and add it again with its key",
        )?;
        let revision = session.ask(|source| source.commit(batch))?;
        session.report_done(revision, &format!("imported {count} rows"))
    }
}

/// Configuration that does not belong to a file.
fn is_importable(row: &AnyRow) -> bool {
    matches!(row, AnyRow::Association(association) if association.origin != Origin::File)
}

/// All rows of an export, each of them checked.
fn read(lines: &mut dyn BufRead) -> Result<Vec<AnyRow>, Failure> {
    let wrong = |number: u64, what: String| Failure::refused(format!("line {number}: {what}"));
    let mut rows = Vec::new();
    for number in 1_u64.. {
        let Some(line) = read_line(lines).map_err(|what| wrong(number, what))? else { break };
        if number == 1 {
            check_header(&line).map_err(|what| wrong(number, what))?;
        } else {
            rows.push(parse_row(&line).map_err(|what| wrong(number, what))?);
        }
    }
    Ok(rows)
}

fn read_line(lines: &mut dyn BufRead) -> Result<Option<String>, String> {
    let mut line = String::new();
    let read = lines.take(LINE_MAX).read_line(&mut line).map_err(|err| err.to_string())?;
    if u64::try_from(read).is_ok_and(|read| read >= LINE_MAX) {
        return Err("too long".to_owned());
    }
    Ok((read > 0).then_some(line))
}

fn check_header(line: &str) -> Result<(), String> {
    let header: Header = serde_json::from_str(line).map_err(|_| "not an export".to_owned())?;
    if header.format != FORMAT {
        return Err(format!("not an export but `{}`", header.format));
    }
    if header.version != VERSION {
        return Err(format!(
            "version {} of the format; this program knows {VERSION}",
            header.version
        ));
    }
    Ok(())
}

fn parse_row(line: &str) -> Result<AnyRow, String> {
    let line: Line<'_> = serde_json::from_str(line).map_err(|err| err.to_string())?;
    let key = AnyKey::from_path(&line.key).ok_or_else(|| format!("`{}` is no key", line.key))?;
    let row = AnyRow::decode(key.table(), line.row.get().as_bytes())
        .map_err(|err| format!("`{}`: {err}", line.key))?;
    if row.key() != key {
        return Err(format!("the row says it is `{}`, its key `{}`", row.key().path(), line.key));
    }
    Ok(row)
}
