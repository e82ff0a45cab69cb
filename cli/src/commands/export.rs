//! `mip4ctl export`

use std::io::Write as _;

use serde::Serialize;
use store::Table;

use crate::failure::{ExitStatus, Failure, Stop};
use crate::session::Session;

/// What the first line of an export calls itself.
pub(super) const FORMAT: &str = "mip4-export";

/// The format's version; a reader refuses those it does not know.
pub(super) const VERSION: u32 = 1;

/// Print all rows as JSON lines, without secrets
#[derive(clap::Args, Debug)]
pub(crate) struct Export {
    /// Only this table; may be given more than once
    #[arg(long, value_name = "TABLE", value_parser = parse_table)]
    table: Vec<Table>,
}

#[derive(Serialize)]
struct Header {
    format: &'static str,
    version: u32,
    revision: store::Revision,
}

#[derive(Serialize)]
struct Line<'a> {
    key: &'a str,
    row: &'a serde_json::value::RawValue,
}

impl Export {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        let tables = if self.table.is_empty() { Table::ALL } else { &self.table };
        let view = session.read(tables)?;
        let out = &mut session.world.out;
        let header = Header { format: FORMAT, version: VERSION, revision: view.revision() };
        write_line(out, &header)?;
        for &table in tables {
            for (row, _) in view.snapshot.tables.all(table) {
                let encoded = row.encode().map_err(|err| bug(&err))?;
                let encoded = serde_json::from_slice(&encoded).map_err(|err| bug(&err))?;
                write_line(out, &Line { key: &row.key().path(), row: encoded })?;
            }
        }
        Ok(out.flush()?)
    }
}

fn write_line(out: &mut impl std::io::Write, line: &impl Serialize) -> Result<(), Stop> {
    serde_json::to_writer(&mut *out, line).map_err(std::io::Error::from)?;
    Ok(writeln!(out)?)
}

fn bug(err: &serde_json::Error) -> Stop {
    Failure::new(ExitStatus::Bug, format!("a row cannot be written: {err}")).into()
}

pub(super) fn parse_table(name: &str) -> Result<Table, String> {
    Table::from_name(name).ok_or_else(|| {
        let names: Vec<_> = Table::ALL.iter().map(|table| table.name()).collect();
        format!("tables are {}", names.join(", "))
    })
}
