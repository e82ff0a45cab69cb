//! `mip4ctl export`

use std::collections::BTreeMap;
use std::io::Write as _;

use serde::Serialize;
use store::{AnyKey, Association, KeyDerivation, PassphraseKey, Row as _, Table};

use super::association::secret_path;
use crate::failure::{ExitStatus, Failure, Stop};
use crate::key::PassphraseSource;
use crate::session::Session;
use crate::view::View;

/// What the first line of an export calls itself.
pub(super) const FORMAT: &str = "mip4-export";

/// The format's version; a reader refuses those it does not know.
pub(super) const VERSION: u32 = 1;

/// Print all rows as JSON lines, without secrets
///
/// With `--secrets`, which is for root, the keys of associations are part of it, sealed with a
/// passphrase.
#[derive(clap::Args, Debug)]
pub(crate) struct Export {
    /// Only this table; may be given more than once
    #[arg(long, value_name = "TABLE", value_parser = parse_table)]
    table: Vec<Table>,
    /// Include the keys of associations, sealed with a passphrase; for root
    #[arg(long)]
    secrets: bool,
    #[command(flatten)]
    passphrase: PassphraseSource,
}

#[derive(Serialize)]
struct Header {
    format: &'static str,
    version: u32,
    revision: store::Revision,
    /// How the passphrase gives the key of the secrets, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    sealed: Option<KeyDerivation>,
}

#[derive(Serialize)]
struct Line<'a> {
    key: &'a str,
    row: &'a serde_json::value::RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl Export {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        let tables = if self.table.is_empty() { Table::ALL } else { &self.table };
        let view = session.read(tables)?;
        let (secrets, sealed) =
            if self.secrets { self.secrets(&view, session)? } else { (BTreeMap::new(), None) };
        let out = &mut session.world.out;
        let header = Header { format: FORMAT, version: VERSION, revision: view.revision(), sealed };
        write_line(out, &header)?;
        for &table in tables {
            for (row, _) in view.snapshot.tables.all(table) {
                let encoded = row.encode().map_err(|err| bug(&err))?;
                let encoded = serde_json::from_slice(&encoded).map_err(|err| bug(&err))?;
                let key = row.key().path();
                let secret = secrets.get(&key).cloned();
                write_line(out, &Line { key: &key, row: encoded, secret })?;
            }
        }
        Ok(out.flush()?)
    }

    /// The sealed keys of all associations, by the paths of their rows.
    fn secrets(&self, view: &View, session: &mut Session) -> Result<Secrets, Stop> {
        let mut plain = BTreeMap::new();
        if self.table.is_empty() || self.table.contains(&Table::Associations) {
            for row in view.rows::<Association>().iter() {
                let path = secret_path(&row.key());
                // Asked before the passphrase is: who may not read them need not type one.
                if let Some(octets) = session.ask(|source| source.secret(&path))? {
                    plain.insert(AnyKey::Association(row.key()).path(), octets);
                }
            }
        }
        let passphrase = self.passphrase.read(true, session)?;
        let refused = |err: store::PassphraseError| Failure::refused(err.to_string());
        let (key, derivation) = PassphraseKey::new(&passphrase).map_err(refused)?;
        let sealed = plain.iter().map(|(path, octets)| Ok((path.clone(), key.seal(path, octets)?)));
        Ok((sealed.collect::<Result<_, _>>().map_err(refused)?, Some(derivation)))
    }
}

/// Sealed secrets by the paths of their rows, and how their key is made.
type Secrets = (BTreeMap<String, String>, Option<KeyDerivation>);

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
