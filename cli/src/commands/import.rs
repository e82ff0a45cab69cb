//! `mip4ctl import`

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::value::RawValue;
use store::{
    AnyKey, AnyRow, Key as _, KeyDerivation, Origin, PassphraseKey, Prepared, Proposal, Table,
};
use zeroize::Zeroizing;

use super::export::{FORMAT, VERSION};
use crate::failure::{ExitStatus, Failure, Stop};
use crate::key::PassphraseSource;
use crate::session::Session;
use crate::view::View;

/// No row is as long as this.
const LINE_MAX: u64 = 256 * 1024;

/// The tables of configuration.
const TABLES: [Table; 3] = [Table::Associations, Table::CareOfAddresses, Table::Config];

/// Put the configuration of an export into this store, all of it or nothing
///
/// State (bindings, counters, …) belongs to the daemons, rows that came from a
/// configuration file to that file: both are left out, as is what `regional save`
/// and `regional load` carry from one store to another. Keys are part of an
/// export that was made with `--secrets`; its passphrase is asked for.
#[derive(clap::Args, Debug)]
pub(crate) struct Import {
    /// The export; `-` is standard input
    file: PathBuf,
    /// Replace rows that are there already, instead of refusing
    #[arg(long)]
    replace: bool,
    /// Make the configuration what the export says: delete what it does not have, too
    #[arg(long)]
    exact: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    passphrase: PassphraseSource,
}

#[derive(Deserialize)]
struct Header {
    format: String,
    version: u32,
    #[serde(default)]
    sealed: Option<KeyDerivation>,
}

#[derive(Deserialize)]
struct Line<'a> {
    key: String,
    #[serde(borrow)]
    row: &'a RawValue,
    #[serde(default)]
    secret: Option<String>,
}

/// An export as it was read.
struct Read {
    sealed: Option<KeyDerivation>,
    rows: Vec<(AnyRow, Option<String>)>,
}

/// Secrets by their paths.
type Secrets = BTreeMap<String, Zeroizing<Vec<u8>>>;

impl Import {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        let Read { sealed, mut rows } = self.read(session)?;
        let total = rows.len();
        rows.retain(|(row, _)| is_importable(row));
        let left_out = total - rows.len();
        let secrets = self.open(sealed.as_ref(), &rows, session)?;
        let view = session.read(&TABLES)?;
        let prepared = self.propose(&view, &rows)?;
        let count = prepared.batch.changes.len();
        if left_out > 0 {
            session.warn(&format!(
                "left out {left_out} rows of state, of regions, or of a configuration file"
            ))?;
        }
        if self.dry_run || count == 0 {
            let words = format!("would import {}", words(&prepared));
            return session.report_done(view.revision(), &words);
        }
        if sealed.is_none() {
            session.warn(
                "the export has no keys: delete an association and add it again with its key",
            )?;
        }
        let done = words(&prepared);
        let keys = sealed.map(|_| &secrets);
        let revision = commit(prepared, keys, session)?;
        session.report_done(revision, &format!("imported {done}"))
    }

    fn read(&self, session: &mut Session) -> Result<Read, Stop> {
        if self.file.as_os_str() != "-" {
            let failed =
                |err| Failure::refused(format!("failed to open `{}`: {err}", self.file.display()));
            return Ok(read(&mut BufReader::new(File::open(&self.file).map_err(failed)?))?);
        }
        if session.place.is_some() {
            return Err(Failure::usage("a script must name the file of an import").into());
        }
        Ok(read(&mut session.world.input)?)
    }

    /// Opens the secrets of `rows`, all of them before anything is done.
    fn open(
        &self,
        sealed: Option<&KeyDerivation>,
        rows: &[(AnyRow, Option<String>)],
        session: &mut Session,
    ) -> Result<Secrets, Stop> {
        let Some(derivation) = sealed else { return Ok(Secrets::new()) };
        let refused = |err: store::PassphraseError| {
            Failure::refused(err.to_string()).hint("nothing was changed")
        };
        let passphrase = self.passphrase.read(false, session)?;
        let key = PassphraseKey::again(&passphrase, derivation).map_err(refused)?;
        let mut secrets = Secrets::new();
        for (row, secret) in rows {
            if let (AnyKey::Association(name), Some(secret)) = (row.key(), secret) {
                let octets = key.open(&row.key().path(), secret).map_err(refused)?;
                secrets.insert(format!("associations/{}", name.path()), octets);
            }
        }
        Ok(secrets)
    }

    fn propose(&self, view: &View, rows: &[(AnyRow, Option<String>)]) -> Result<Prepared, Failure> {
        let mut wanted = std::collections::BTreeSet::new();
        for (row, _) in rows {
            let there = view.snapshot.tables.find(&row.key()).map(|(there, _)| there);
            let may_replace = self.replace || self.exact;
            if there.is_some_and(|there| !may_replace || !is_importable(&there)) {
                let message = format!("`{}` is there already", row.key().path());
                return Err(Failure::refused(message).hint("nothing was changed"));
            }
            wanted.insert(row.key());
        }
        let put = |proposal: &mut Proposal<'_>| {
            rows.iter().try_for_each(|(row, _)| proposal.put_any(row))?;
            for table in TABLES.into_iter().filter(|_| self.exact) {
                let there = view.snapshot.tables.all(table).map(|(row, _)| row);
                let extra = there.filter(|row| is_importable(row) && !wanted.contains(&row.key()));
                for row in extra {
                    proposal.delete_any(&row.key())?;
                }
            }
            Ok(())
        };
        Session::propose(view, put).map_err(|failure| failure.hint("nothing was changed"))
    }
}

/// What a change does, in numbers.
fn words(prepared: &Prepared) -> String {
    let changes = prepared.batch.changes.iter();
    let deleted = changes.filter(|change| matches!(change, store::Change::Delete(_))).count();
    let put = prepared.batch.changes.len() - deleted;
    if deleted > 0 { format!("{put} rows, deleted {deleted}") } else { format!("{put} rows") }
}

/// Writes the secrets and then the rows, and deletes the keys of associations that are gone.
///
/// Without secrets no daemon can act on new associations yet, and none is waited for.
fn commit(
    prepared: Prepared,
    secrets: Option<&Secrets>,
    session: &mut Session,
) -> Result<store::Revision, Stop> {
    let deleted = deleted_keys(&prepared);
    let revision = match secrets {
        Some(secrets) => commit_with(prepared, secrets, session)?,
        None => session.ask(|source| source.commit(prepared.batch))?,
    };
    for path in deleted {
        session.ask(|source| source.delete_secret(&path))?;
    }
    Ok(revision)
}

/// Where the keys of the associations are that a change deletes.
fn deleted_keys(prepared: &Prepared) -> Vec<String> {
    let changes = prepared.batch.changes.iter();
    let paths = changes.filter_map(|change| match change {
        store::Change::Delete(AnyKey::Association(key)) => {
            Some(format!("associations/{}", key.path()))
        }
        _ => None,
    });
    paths.collect()
}

/// Writes the secrets and then the rows; if the rows are not taken, the secrets are as before.
fn commit_with(
    prepared: Prepared,
    secrets: &Secrets,
    session: &mut Session,
) -> Result<store::Revision, Stop> {
    let mut before = Vec::new();
    for path in secrets.keys() {
        before.push((path, session.ask(|source| source.secret(path))?));
    }
    let mut done: Result<_, Stop> = Ok(());
    for (path, octets) in secrets {
        // The keys first: whoever sees a row can read its key.
        done = done.and_then(|()| session.ask(|source| source.put_secret(path, octets)));
    }
    match done.and_then(|()| session.change(prepared)) {
        Ok(revision) => Ok(revision),
        // The rows are there, though a daemon does not act on one of them.
        Err(Stop::Failure(failure)) if failure.status == ExitStatus::PartlyFailed => {
            Err(failure.into())
        }
        Err(stop) => {
            for (path, octets) in before {
                // What went wrong first is what is told.
                let _ = match octets {
                    Some(octets) => session.ask(|source| source.put_secret(path, &octets)),
                    None => session.ask(|source| source.delete_secret(path)),
                };
            }
            Err(stop)
        }
    }
}

/// Configuration that does not belong to a file.
///
/// That of regions has a history of its own: `regional load` takes it from a file.
fn is_importable(row: &AnyRow) -> bool {
    row.table() != Table::Regional
        && row.configuration().is_some_and(|row| row.origin() != Origin::File)
}

/// All rows of an export, each of them checked.
fn read(lines: &mut dyn BufRead) -> Result<Read, Failure> {
    let wrong = |number: u64, what: String| Failure::refused(format!("line {number}: {what}"));
    let mut read = Read { sealed: None, rows: Vec::new() };
    for number in 1_u64.. {
        let Some(line) = read_line(lines).map_err(|what| wrong(number, what))? else { break };
        if number == 1 {
            read.sealed = check_header(&line).map_err(|what| wrong(number, what))?;
        } else {
            read.rows.push(parse_row(&line).map_err(|what| wrong(number, what))?);
        }
    }
    Ok(read)
}

fn read_line(lines: &mut dyn BufRead) -> Result<Option<String>, String> {
    let mut line = String::new();
    let read = lines.take(LINE_MAX).read_line(&mut line).map_err(|err| err.to_string())?;
    if u64::try_from(read).is_ok_and(|read| read >= LINE_MAX) {
        return Err("too long".to_owned());
    }
    Ok((read > 0).then_some(line))
}

fn check_header(line: &str) -> Result<Option<KeyDerivation>, String> {
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
    Ok(header.sealed)
}

fn parse_row(line: &str) -> Result<(AnyRow, Option<String>), String> {
    let line: Line<'_> = serde_json::from_str(line).map_err(|err| err.to_string())?;
    let key = AnyKey::from_path(&line.key).ok_or_else(|| format!("`{}` is no key", line.key))?;
    let row = AnyRow::decode(key.table(), line.row.get().as_bytes())
        .map_err(|err| format!("`{}`: {err}", line.key))?;
    if row.key() != key {
        return Err(format!("the row says it is `{}`, its key `{}`", row.key().path(), line.key));
    }
    Ok((row, line.secret))
}
