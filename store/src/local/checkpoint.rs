//! The checkpoint: all rows at one revision, in sled trees that are never written again.
//!
//! Each checkpoint is a folder of its own, filled once, synced file by file by
//! us (sled's `flush` is not a sync), read back whole, and then named, with its
//! revision, counts and the checksum of every file, in `checkpoint.json`, which
//! replaces the one before by a rename. So nothing rests on how sled recovers:
//! its files are verified before it sees them, and its answer afterwards.
//!
//! The trees map page numbers to pages, of many rows each (`page.rs`). A page for
//! each row would take five times as long to write and to read.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::load;
use super::page::{self, PAGE};
use super::state::State;
use crate::files::Files;
use crate::journal::segment::{FORMAT, is_known};
use crate::progress::Progress;
use crate::{OpenError, Revision};

/// How many pages a database gets before the next is begun: 64 MiB of items, of which a store of
/// a million bindings has enough for several processors. Reading a database takes as much memory
/// as it holds, whatever its cache is said to be.
const PART_PAGES: u64 = 2048;
const SLED_CACHE: u64 = 32 * 1024 * 1024;
/// How long sled may take to let go of a database that was closed, and how often it is asked.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);
const LOCK_PAUSE: Duration = Duration::from_millis(2);
/// More threads than this wait for the disk.
const SEALERS_MAX: usize = 4;
pub(crate) const MANIFEST: &str = "checkpoint.json";

/// What a checkpoint must turn out to be.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Manifest {
    pub(crate) format: u32,
    pub(crate) revision: Revision,
    /// The folder of the sled database, below that of the store.
    pub(crate) folder: String,
    pub(crate) totals: Totals,
    /// The files in it.
    files: BTreeMap<String, Seal>,
}

/// What the pages hold.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Totals {
    pub(crate) pages: u64,
    pub(crate) items: u64,
    pub(crate) octets: u64,
    /// CRC-32C over the checksums of the pages, in order.
    checksum: u32,
}

/// Length and CRC-32C of a file.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Seal {
    length: u64,
    checksum: u32,
}

impl Totals {
    /// Counts a page, but not its items, and verifies its checksum; returns what is behind that.
    pub(super) fn page<'a>(&mut self, page: &'a [u8]) -> Option<&'a [u8]> {
        let (stated, body) = page.split_first_chunk::<4>()?;
        if crc32c::crc32c(body) != u32::from_be_bytes(*stated) {
            return None;
        }
        self.pages += 1;
        self.octets += u64::try_from(page.len()).ok()?;
        self.checksum = crc32c::crc32c_append(self.checksum, stated);
        Some(body)
    }

    /// Counts what another reader has counted of the pages after these, whose checksums are told.
    pub(crate) fn add(&mut self, other: &Self, checksums: &[[u8; 4]]) {
        self.pages += other.pages;
        self.items += other.items;
        self.octets += other.octets;
        self.checksum = crc32c::crc32c_append(self.checksum, checksums.as_flattened());
    }
}

impl Manifest {
    /// The octets that the files take.
    pub(crate) fn octets(&self) -> u64 {
        self.files.values().map(|seal| seal.length).sum()
    }

    /// Whether the files are those that were sealed; sled is not asked before they are.
    pub(crate) fn verify_files(&self, store: &Path, progress: &Progress) -> Result<(), OpenError> {
        let folder = store.join(&self.folder);
        let found = seals(&folder, progress).map_err(|source| OpenError::Io {
            doing: "read",
            path: folder.clone(),
            source,
        })?;
        for (name, seal) in &self.files {
            let what = match found.get(name) {
                None => "it is missing".to_owned(),
                Some(is) if is.length != seal.length => {
                    format!("it has {} octets instead of {}", is.length, seal.length)
                }
                Some(is) if is.checksum != seal.checksum => "its checksum is wrong".to_owned(),
                Some(_) => continue,
            };
            return Err(self.damaged(&folder.join(name), &what));
        }
        Ok(())
    }

    /// A fault in `file`: nothing of this checkpoint can be trusted.
    pub(crate) fn damaged(&self, file: &Path, what: &str) -> OpenError {
        OpenError::Damaged {
            file: file.to_owned(),
            offset: 0,
            what: what.to_owned(),
            good: Revision(0),
            written: self.revision,
        }
    }
}

/// Reads the manifest of the store; `None` if it has no checkpoint yet.
pub(crate) fn read_manifest(store: &Path) -> Result<Option<Manifest>, OpenError> {
    let path = store.join(MANIFEST);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(OpenError::Io { doing: "read", path, source }),
    };
    let damaged = |what: &str| OpenError::Damaged {
        file: path.clone(),
        offset: 0,
        what: what.to_owned(),
        good: Revision(0),
        written: Revision(0),
    };
    let (stated, body) = text.split_first_chunk::<9>().ok_or_else(|| damaged("it is too short"))?;
    if stated != checksum_line(body).as_bytes() {
        return Err(damaged("its checksum is wrong"));
    }
    let manifest: Manifest =
        serde_json::from_slice(body).map_err(|error| damaged(&error.to_string()))?;
    if !is_known(manifest.format) {
        return Err(OpenError::Format { file: path, found: manifest.format, known: FORMAT });
    }
    Ok(Some(manifest))
}

fn checksum_line(body: &[u8]) -> String {
    format!("{:08x}\n", crc32c::crc32c(body))
}

/// Writes, syncs, verifies and names a checkpoint of `state`.
///
/// It ends early, with an error, once `stop` is set.
pub(crate) fn write(
    files: &Arc<dyn Files>,
    store: &Path,
    state: &State,
    stop: &Arc<AtomicBool>,
) -> Result<Manifest, OpenError> {
    let before = read_manifest(store)?;
    let mut name = format!("checkpoint-{:020}", state.snapshot.revision.0);
    if let Some(before) = before.filter(|before| before.revision == state.snapshot.revision) {
        if before.format == FORMAT {
            return Ok(before);
        }
        // One of an older format stays as it is until the new one has taken its place.
        name = format!("{name}-format-{FORMAT}");
    }
    let folder = store.join(&name);
    let made = make(files, store, &name, state, stop);
    if made.is_err() {
        // Of no use, and its room may be what is missing.
        let _ = files.remove_directory(&folder);
    }
    made
}

fn make(
    files: &Arc<dyn Files>,
    store: &Path,
    name: &str,
    state: &State,
    stop: &Arc<AtomicBool>,
) -> Result<Manifest, OpenError> {
    let folder = store.join(name);
    let failed = |doing| {
        let path = folder.clone();
        move |source| OpenError::Io { doing, path, source }
    };
    files.remove_directory(&folder).map_err(failed("empty"))?;
    let into = folder.clone();
    let (of, until) = (state.clone(), Arc::clone(stop));
    let totals = guarded(&folder, move || fill(&into, &of, &until))?;
    let_go(&folder).map_err(failed("wait for"))?;
    files.sync_tree(&folder).map_err(failed("sync"))?;
    // Reading back also lets sled write what it writes at an opening, before the files are sealed.
    let from = folder.clone();
    let found = guarded(&folder, move || {
        let mut found = page::Reader::new(FORMAT);
        load::pages(&from, &mut |page| found.count(page).ok_or(()))?;
        Ok(found.totals)
    })?;
    let mut manifest = Manifest {
        format: FORMAT,
        revision: state.snapshot.revision,
        folder: name.to_owned(),
        totals,
        files: BTreeMap::new(),
    };
    if found != totals {
        return Err(manifest.damaged(&folder, "what was written does not read back"));
    }
    let_go(&folder).map_err(failed("wait for"))?;
    files.sync_tree(&folder).map_err(failed("sync"))?;
    manifest.files = seals(&folder, &Progress::default()).map_err(failed("read"))?;
    files.sync_directory(store).map_err(failed("sync"))?;
    name_it(files, store, &manifest)?;
    Ok(manifest)
}

/// Replaces the manifest: from here on this is the checkpoint.
fn name_it(files: &Arc<dyn Files>, store: &Path, manifest: &Manifest) -> Result<(), OpenError> {
    let path = store.join(MANIFEST);
    let temporary = store.join("checkpoint.json.new");
    let body = serde_json::to_vec_pretty(manifest).map_err(io::Error::other);
    let written = body.and_then(|body| {
        if temporary.exists() {
            files.remove(&temporary)?;
        }
        let mut file = files.create(&temporary)?;
        file.write_at(0, &[checksum_line(&body).as_bytes(), &body].concat())?;
        file.sync()?;
        drop(file);
        files.rename(&temporary, &path)?;
        files.sync_directory(store)
    });
    written.map_err(|source| OpenError::Io { doing: "write", path, source })
}

/// Removes the folders of checkpoints that `manifest` does not name.
pub(crate) fn remove_others(
    files: &Arc<dyn Files>,
    store: &Path,
    manifest: Option<&Manifest>,
) -> io::Result<()> {
    for entry in fs::read_dir(store)? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        let named = manifest.is_some_and(|manifest| manifest.folder == name);
        if name.starts_with("checkpoint-") && !named {
            files.remove_directory(&store.join(name))?;
        }
    }
    files.sync_directory(store)
}

/// Fills a new sled database with all of `state`.
fn fill(folder: &Path, state: &State, stop: &AtomicBool) -> Result<Totals, String> {
    fs::create_dir(folder).map_err(|error| error.to_string())?;
    let mut database = open_sled(&part(folder, 0))?;
    let mut written = Written::default();
    let mut items = Vec::with_capacity(PAGE * 2);
    let filled = state.each(&mut |item| {
        item.emit(&mut items);
        written.totals.items += 1;
        if stop.load(Ordering::Relaxed) {
            return Err(io::Error::other("the store is closing"));
        }
        if items.len() < PAGE {
            return Ok(());
        }
        written.page(&database, &mut items).map_err(io::Error::other)?;
        if written.totals.pages % PART_PAGES == 0 {
            database.flush().map_err(io::Error::other)?;
            let next = part(folder, written.totals.pages / PART_PAGES);
            database = open_sled(&next).map_err(io::Error::other)?;
        }
        Ok(())
    });
    filled.map_err(|error| error.to_string())?;
    if !items.is_empty() {
        written.page(&database, &mut items)?;
    }
    database.flush().map_err(|error| error.to_string())?;
    Ok(written.totals)
}

/// The pages that were written.
#[derive(Default)]
struct Written {
    totals: Totals,
    page: Vec<u8>,
}

impl Written {
    /// Writes a page of `items`, which are taken out.
    fn page(&mut self, database: &sled::Db, items: &mut Vec<u8>) -> Result<(), String> {
        page::write(items, &mut self.page)?;
        items.clear();
        let number = self.totals.pages.to_be_bytes();
        database.insert(number, &self.page[..]).map_err(|error| error.to_string())?;
        self.totals.page(&self.page).map(drop).ok_or_else(|| "a page is bad".to_owned())
    }
}

/// The folder of one sled database of a checkpoint.
pub(crate) fn part(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:04}"))
}

/// Opens the sled database in `folder`, made if it is not there.
///
/// A database that was closed a moment ago keeps its lock until sled's own threads have ended
/// what they were doing: that is waited for, up to [`LOCK_PATIENCE`]. Nobody else can hold it,
/// since the lock of the whole store is ours.
pub(crate) fn open_sled(folder: &Path) -> Result<sled::Db, String> {
    unlocked(folder, Instant::now() + LOCK_PATIENCE).map_err(|error| error.to_string())?;
    sled::Config::new()
        .path(folder)
        .cache_capacity(SLED_CACHE)
        .mode(sled::Mode::HighThroughput)
        .flush_every_ms(None)
        .open()
        .map_err(|error| error.to_string())
}

/// Waits until sled has let go of all databases in `folder`: its own threads may still rename and
/// remove files of one that was closed a moment ago.
fn let_go(folder: &Path) -> io::Result<()> {
    let until = Instant::now() + LOCK_PATIENCE;
    for entry in fs::read_dir(folder)? {
        unlocked(&entry?.path(), until)?;
    }
    Ok(())
}

/// Waits until nobody holds the lock of the database in `folder`, if there is one: sled has it on
/// this file.
fn unlocked(folder: &Path, until: Instant) -> io::Result<()> {
    let database = match fs::File::open(folder.join("db")) {
        Ok(database) => database,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    while let Err(error) = flock(&database, FlockOperation::NonBlockingLockExclusive) {
        if Instant::now() >= until {
            return Err(error.into());
        }
        thread::sleep(LOCK_PAUSE);
    }
    Ok(())
}

/// Runs `work` on sled in a thread of its own: sled panics on damage and on some full disks.
pub(crate) fn guarded<T: Send + 'static>(
    folder: &Path,
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, OpenError> {
    let failed = |what: String| OpenError::Io {
        doing: "use the checkpoint in",
        path: folder.to_owned(),
        source: io::Error::other(what),
    };
    let thread = thread::Builder::new().name("store-sled".to_owned()).spawn(work);
    let thread = thread.map_err(|error| failed(error.to_string()))?;
    match thread.join() {
        Ok(done) => done.map_err(failed),
        Err(panic) => {
            let words = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied());
            Err(failed(format!("sled gave up: {}", words.unwrap_or("without words"))))
        }
    }
}

/// Length and checksum of every file below `folder`, which several threads read.
fn seals(folder: &Path, progress: &Progress) -> io::Result<BTreeMap<String, Seal>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next)? {
            let path: PathBuf = entry?.path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    let readers = thread::available_parallelism().map_or(1, usize::from).min(SEALERS_MAX);
    let some = &|first: usize| -> io::Result<Vec<(String, Seal)>> {
        let mut sealed = Vec::new();
        for path in files.iter().skip(first).step_by(readers) {
            if let Some(name) = path.strip_prefix(folder).ok().and_then(Path::to_str) {
                let seal = seal(path)?;
                progress.advance(seal.length);
                sealed.push((name.to_owned(), seal));
            }
        }
        Ok(sealed)
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..readers).map(|first| scope.spawn(move || some(first))).collect();
        let mut found: BTreeMap<_, _> = some(0)?.into_iter().collect();
        for other in others {
            let sealed = other.join().map_err(|_| io::Error::other("a reader stopped"))?;
            found.extend(sealed?);
        }
        Ok(found)
    })
}

fn seal(path: &Path) -> io::Result<Seal> {
    let mut file = fs::File::open(path)?;
    let mut seal = Seal { length: 0, checksum: 0 };
    let mut buffer = vec![0; 1024 * 1024];
    loop {
        let length = file.read(&mut buffer)?;
        let Some(octets) = buffer.get(..length).filter(|octets| !octets.is_empty()) else {
            return Ok(seal);
        };
        seal.checksum = crc32c::crc32c_append(seal.checksum, octets);
        seal.length += u64::try_from(length).map_err(io::Error::other)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::RealFiles;
    use crate::local::parts;
    use crate::local::state::Decoded;
    use crate::testing::node_counters;
    use crate::{AnyRow, Stamp};

    #[test]
    fn one_of_an_older_format_is_replaced_at_the_same_revision() {
        let folder = tempfile::tempdir().unwrap();
        let (files, store): (Arc<dyn Files>, _) = (Arc::new(RealFiles), folder.path());
        let mut state = State::default();
        let row = AnyRow::NodeCounters(Arc::new(node_counters(1, 7)));
        state.restore(Decoded::Row(row, Stamp::default()));
        let stop = Arc::default();
        let made = write(&files, store, &state, &stop).unwrap();
        assert_eq!(write(&files, store, &state, &stop).unwrap().folder, made.folder);
        let older = Manifest { format: FORMAT - 1, ..made.clone() };
        name_it(&files, store, &older).unwrap();
        let newer = write(&files, store, &state, &stop).unwrap();
        assert_eq!((newer.format, newer.revision), (FORMAT, made.revision));
        assert_ne!(newer.folder, older.folder);
        // Until it was named the other was whole.
        older.verify_files(store, &Progress::default()).unwrap();
        let manifest = read_manifest(store).unwrap().unwrap();
        remove_others(&files, store, Some(&manifest)).unwrap();
        let read = parts::read(&store.join(manifest.folder), FORMAT, &Progress::default());
        let (state, totals) = read.unwrap();
        assert_eq!((totals, totals.items), (newer.totals, 1));
        assert_eq!(crate::testing::value(&state.snapshot, 1), Some(7));
    }
}
