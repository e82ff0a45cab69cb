//! What `mip4d store check|repair|compact|backup|restore` does to the files of a store.

mod archive;
mod repair;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

pub use archive::Backup;
pub use repair::Repair;

pub use crate::progress::{Progress, Step};

use crate::files::{Files, RealFiles};
use crate::journal::Journal;
use crate::journal::mark::{Mark, new_lineage};
use crate::local::checkpoint;
use crate::local::load::{self, Loaded, Paths};
use crate::local::lock::Lock;
use crate::local::state::State;
use crate::local::{Local, LocalOptions, open_sealer};
use crate::{OpenError, OpenOptions, Revision, Store, Table, secrets};

/// A store that is in use changes while it is read; damage does not go away.
const ATTEMPTS: u32 = 5;
const ATTEMPT_INTERVAL: Duration = Duration::from_millis(200);

/// What a store consists of; every octet was read and every checksum was right.
#[derive(Clone, Debug)]
pub struct Report {
    pub path: PathBuf,
    /// The format of the files; an older one is upgraded when the store is opened.
    pub format: u32,
    pub revision: Revision,
    /// The last revision that the high-water mark vouches for.
    pub mark: Revision,
    /// The revision of the checkpoint, if there is one.
    pub checkpoint: Option<Revision>,
    /// How many files the journal has, and how many commits they hold after the checkpoint.
    pub segments: usize,
    pub commits: usize,
    /// Octets at the end of the journal that were never synced; the next opening cuts them off.
    pub torn_octets: u64,
    /// How many rows each table has.
    pub rows: Vec<(Table, usize)>,
    pub secrets: usize,
    /// Why the sealed secrets cannot be opened, if they cannot: the store will not open either.
    pub key_fault: Option<String>,
    /// What the files take.
    pub octets: u64,
}

/// Verifies the store at `path` and changes nothing; it may be in use.
pub fn check(path: &Path, options: &OpenOptions, progress: &Progress) -> Result<Report, OpenError> {
    let loaded = load_existing(path, progress)?;
    Ok(Report::new(path, options, &loaded))
}

/// Folds the journal of a store that is not in use into a new checkpoint.
pub async fn compact(
    path: &Path,
    options: &OpenOptions,
    progress: &Progress,
) -> Result<Report, OpenError> {
    require(path)?;
    let local = LocalOptions { progress: progress.clone(), ..options.clone().into() };
    let store = Store::from_engine(Local::open(path, local)?);
    progress.begin("writing the checkpoint and reading it back", 0);
    let made = store.checkpoint().await;
    store.close().await;
    made.map_err(|error| OpenError::Io {
        doing: "compact",
        path: path.to_owned(),
        source: std::io::Error::other(error),
    })?;
    check(path, options, progress)
}

/// Writes all rows and sealed secrets, at one revision, to the new file `to`.
///
/// The store may be in use: every commit that was acknowledged before the call is in it. The
/// key that secrets are sealed with is not.
pub fn backup(path: &Path, to: &Path, progress: &Progress) -> Result<Backup, OpenError> {
    if to.exists() {
        // Said before a million rows are read, not after.
        let source = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
        return Err(OpenError::Io { doing: "write", path: to.to_owned(), source });
    }
    archive::write(&load_existing(path, progress)?.state, to, progress)
}

/// Makes a store at `path`, where there must be none, out of the backup `from`.
pub fn restore(
    from: &Path,
    path: &Path,
    options: &OpenOptions,
    progress: &Progress,
) -> Result<Report, OpenError> {
    let taken = std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
    if taken {
        return Err(OpenError::Io {
            doing: "restore into",
            path: path.to_owned(),
            source: std::io::Error::from(std::io::ErrorKind::DirectoryNotEmpty),
        });
    }
    let state = archive::read(from, progress)?;
    let files: Arc<dyn Files> = Arc::new(RealFiles);
    let mut name = path.as_os_str().to_owned();
    name.push(".restoring");
    let temporary = PathBuf::from(name);
    let failed = |source| OpenError::Io { doing: "restore into", path: path.to_owned(), source };
    files.remove_directory(&temporary).map_err(failed)?;
    progress.begin("writing the store and reading it back", 0);
    if let Err(error) = fill(&files, &temporary, &state) {
        // Half a store is of no use, and its room may be what is missing.
        let _ = files.remove_directory(&temporary);
        return Err(error);
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let moved = files
        .remove_directory(path)
        .and_then(|()| files.rename(&temporary, path))
        .and_then(|()| files.sync_directory(parent.unwrap_or(Path::new("."))));
    moved.map_err(failed)?;
    check(path, options, progress)
}

/// Cuts a damaged store off at its last good revision; what is cut off is kept aside.
pub fn repair(path: &Path, progress: &Progress) -> Result<Repair, OpenError> {
    require(path)?;
    let _lock = Lock::take(path)?;
    repair::repair(&Paths::new(path), progress)
}

/// Makes the files of a store that holds `state`.
fn fill(files: &Arc<dyn Files>, path: &Path, state: &State) -> Result<(), OpenError> {
    let failed = |source| OpenError::Io { doing: "write", path: path.to_owned(), source };
    let paths = Paths::new(path);
    files.create_directory(&paths.journal).map_err(failed)?;
    checkpoint::write(files, path, state, &Arc::default())?;
    let revision = state.snapshot.revision;
    // What follows is another history than that of the store the backup was made of.
    let mark =
        new_lineage().and_then(|lineage| Mark::create(files, &paths.mark, revision, lineage));
    drop(mark.map_err(failed)?);
    Journal::create(Arc::clone(files), paths.journal, revision.next()).map_err(failed)?;
    files.sync_tree(path).map_err(failed)
}

/// Loads a store that must be there and may be in use.
fn load_existing(path: &Path, progress: &Progress) -> Result<Loaded, OpenError> {
    require(path)?;
    let mut attempt = 1;
    loop {
        match load::load(&Paths::new(path), progress) {
            Err(_) if attempt < ATTEMPTS && is_in_use(path) => {
                attempt += 1;
                thread::sleep(ATTEMPT_INTERVAL);
            }
            done => return done,
        }
    }
}

fn is_in_use(path: &Path) -> bool {
    matches!(Lock::take(path), Err(OpenError::InUse { .. }))
}

/// Opening makes a store; looking after one must not.
fn require(path: &Path) -> Result<(), OpenError> {
    let paths = Paths::new(path);
    if paths.mark.exists() || paths.journal.exists() || path.join(checkpoint::MANIFEST).exists() {
        return Ok(());
    }
    let source = std::io::Error::new(std::io::ErrorKind::NotFound, "there is no store");
    Err(OpenError::Io { doing: "find", path: path.to_owned(), source })
}

impl Report {
    fn new(path: &Path, options: &OpenOptions, loaded: &Loaded) -> Self {
        let default = || secrets::default_key_file(path);
        let key_file = options.key_file.clone().unwrap_or_else(default);
        // A store without secrets gets its key with the first.
        let has_secrets = !loaded.state.secrets.is_empty();
        let fault = has_secrets.then(|| open_sealer(&key_file, loaded).err()).flatten();
        let tables = &loaded.state.snapshot.tables;
        Self {
            path: path.to_owned(),
            format: loaded.mark.map_or(0, |mark| mark.format),
            revision: loaded.layout.last,
            mark: loaded.mark.map_or(Revision(0), |mark| mark.revision),
            checkpoint: loaded.manifest.as_ref().map(|manifest| manifest.revision),
            segments: loaded.layout.segments.len(),
            commits: loaded.events.len(),
            torn_octets: loaded.layout.torn,
            rows: Table::ALL.iter().map(|table| (*table, tables.all(*table).count())).collect(),
            secrets: loaded.state.secrets.len(),
            key_fault: fault.map(|fault| fault.to_string()),
            octets: crate::local::used(path),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} is good up to revision {}", self.path.display(), self.revision)?;
        writeln!(f, "format      {}", self.format)?;
        match self.checkpoint {
            Some(revision) => writeln!(f, "checkpoint  revision {revision}")?,
            None => writeln!(f, "checkpoint  none yet")?,
        }
        writeln!(
            f,
            "journal     {} commits after it, in {} files; synced for certain up to revision {}",
            self.commits, self.segments, self.mark
        )?;
        if self.torn_octets > 0 {
            writeln!(f, "            {} octets that were never synced follow", self.torn_octets)?;
        }
        for (table, rows) in self.rows.iter().filter(|(_, rows)| *rows > 0) {
            writeln!(f, "{:<22} {rows} rows", table.name())?;
        }
        writeln!(f, "{:<22} {}", "sealed secrets", self.secrets)?;
        if let Some(fault) = &self.key_fault {
            writeln!(f, "{:<22} {fault}", "")?;
        }
        write!(f, "{:<22} {} octets", "on disk", self.octets)
    }
}
