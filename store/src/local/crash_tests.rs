//! Crashes, damage and full disks: what was acknowledged is there, or the store
//! refuses to open with words. Never a wrong row, never a panic.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::files::recorder::{Chance, Faults, Note, Op, Recorder, Unsynced, image, materialise};
use crate::mutation::{self, ReadFault};
use crate::testing::{node_counters, put, value};
use crate::{NodeCounters, Store};

/// Segments close after a few dozen commits, and hold some groups: a group waits for all eight
/// writers, and if each were a segment, the newest would be empty whenever everybody rests.
const TINY: Limits = Limits { segment_octets: 32 * 1024, checkpoint_octets: 96 * 1024 };
/// Every commit writes two rows, this far apart, with the same value.
const TWIN: u32 = 500;
/// Rows from here on are relaxed.
const RELAXED: u32 = 1000;

fn options(files: impl Files) -> LocalOptions {
    LocalOptions {
        files: Arc::new(files),
        key_file: None,
        limits: TINY,
        progress: Progress::default(),
    }
}

fn twins(class: Class, number: u32, value: u64) -> Batch {
    let mut batch = put(class, number, value);
    batch.put(node_counters(number + TWIN, value));
    batch
}

/// Eight writers, each renewing rows of its own, with checkpoints in between.
async fn work(store: &Store, recorder: &Recorder, from: u64, to: u64) {
    let writers = (0..8_u32).map(|writer| {
        let (store, recorder) = (store.clone(), recorder.clone());
        tokio::spawn(async move {
            for value in from..to {
                recorder.note(Note::Submitted(writer + RELAXED, value));
                store.commit_soon(twins(Class::Relaxed, writer + RELAXED, value));
                recorder.note(Note::Submitted(writer, value));
                store.commit(twins(Class::Durable, writer, value)).await.unwrap();
                recorder.note(Note::Acknowledged(writer, value));
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

/// Everything a store's files went through in a short life, on a file layer with `fault`.
async fn life(path: &Path, fault: Option<WriteFault>) -> Vec<Op> {
    let recorder = Recorder::default();
    let files = Faulty { recorder: recorder.clone(), fault };
    let store = Store::from_engine(Local::open(path, options(files)).unwrap());
    work(&store, &recorder, 1, 12).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    recorder.note(Note::Settled);
    work(&store, &recorder, 12, 24).await;
    store.checkpoint().await.unwrap();
    work(&store, &recorder, 24, 36).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    recorder.note(Note::Settled);
    work(&store, &recorder, 36, 42).await;
    store.close().await;
    recorder.note(Note::Settled);
    recorder.ops()
}

/// Checks an image against what was submitted and acknowledged in `ops`.
fn verify(store: &Store, ops: &[Op], what: &str) {
    let mut submitted = BTreeMap::new();
    let mut acknowledged = BTreeMap::new();
    for op in ops {
        match op {
            Op::Note(Note::Submitted(number, value)) => submitted.insert(*number, *value),
            Op::Note(Note::Acknowledged(number, value)) => acknowledged.insert(*number, *value),
            _ => None,
        };
    }
    let snapshot = store.snapshot();
    for row in snapshot.rows::<NodeCounters>().iter() {
        let crate::Identity::Address(address) = row.identity else { panic!("{what}: a wrong row") };
        let number = u32::from(address) - 0x0a00_0000;
        let expected = node_counters(number, row.accepted);
        assert_eq!(**row, expected, "{what}: a wrong row");
        let first = if number % RELAXED >= TWIN { number - TWIN } else { number };
        assert_eq!(value(&snapshot, first), Some(row.accepted), "{what}: half a commit");
        assert!(row.accepted <= submitted[&first], "{what}: a row from nowhere");
    }
    for (number, wanted) in acknowledged {
        let found = value(&snapshot, number).unwrap_or(0);
        assert!(found >= wanted, "{what}: row {number} says {found}, acknowledged was {wanted}");
    }
}

/// Opens an image, checks it, and checks that it can be worked with.
fn open_and_verify(path: &Path, ops: &[Op], what: &str) -> Result<(), OpenError> {
    let local = Local::open(path, options(NoSync))?;
    let store = Store::from_engine(local);
    verify(&store, ops, what);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let revision = store.snapshot().revision;
    let next = runtime.block_on(store.commit(put(Class::Durable, 9999, 1))).unwrap();
    assert_eq!(next, revision.next(), "{what}");
    drop(store);
    let again = Store::from_engine(Local::open(path, options(NoSync))?);
    assert_eq!(again.snapshot().revision, next, "{what}: not what was there before");
    Ok(())
}

fn images() -> usize {
    std::env::var("MIP4_CRASH_IMAGES").map_or(200, |text| text.parse().unwrap())
}

fn recorded(folder: &Path, fault: Option<WriteFault>) -> Vec<Op> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(life(&folder.join("store"), fault))
}

#[test]
fn crash_images_open_with_every_acknowledged_row_or_refuse() {
    let folder = tempfile::tempdir().unwrap();
    let ops = recorded(folder.path(), None);
    assert!(ops.iter().any(|op| matches!(op, Op::SyncTree(..))), "no checkpoint was made");
    let seen = judge(folder.path(), &ops, 0..images());
    assert!(seen.refused > images() / 8, "damage was hardly ever noticed: {seen:?}");
    // What was damaged lay in all kinds of files.
    for kind in ["journal", "checkpoint", "mark"] {
        let least = images() / 100;
        assert!(seen.damaged.get(kind).is_some_and(|count| *count > least), "{kind}: {seen:?}");
    }
}

/// Of so many images, three are of a crash, one is flipped, and one is cut.
const KINDS: usize = 5;
const FLIP: usize = 3;
const CUT: usize = 4;

/// What was made of many images.
#[derive(Debug, Default)]
struct Seen {
    refused: usize,
    /// Images that were damaged on purpose, by the kind of file.
    damaged: BTreeMap<&'static str, usize>,
}

/// Opens images of what the files of `folder` may be after a crash, and damages some;
/// panics about each row that is lost or wrong.
fn judge(folder: &Path, ops: &[Op], seeds: impl Iterator<Item = usize>) -> Seen {
    let path = folder.join("store");
    let settled: Vec<_> =
        (1..=ops.len()).filter(|end| matches!(ops[end - 1], Op::Note(Note::Settled))).collect();
    let mut seen = Seen::default();
    for seed in seeds {
        let mut chance = Chance(u64::try_from(seed).unwrap());
        let to = folder.join(format!("image-{seed}"));
        // One that was given up is in the way.
        let _ = std::fs::remove_dir_all(&to);
        std::fs::create_dir(&to).unwrap();
        std::fs::copy(folder.join("secret.key"), to.join("secret.key")).unwrap();
        let store = to.join("store");
        match seed % KINDS {
            0..=2 => {
                let end = chance.below(ops.len() + 1);
                let unsynced = [Unsynced::Mixed, Unsynced::Mixed, Unsynced::Kept, Unsynced::Lost];
                let unsynced = unsynced[chance.below(4)];
                let what = format!("crash {seed} after {end} changes, unsynced {unsynced:?}");
                materialise(&image(&ops[..end], unsynced, &mut chance), &path, &store).unwrap();
                // A crash is no damage: such an image must open.
                open_and_verify(&store, &ops[..end], &what)
                    .unwrap_or_else(|error| panic!("{what}: {error}"));
            }
            FLIP => {
                let end = chance.below(ops.len() + 1);
                materialise(&image(&ops[..end], Unsynced::Lost, &mut chance), &path, &store)
                    .unwrap();
                let flipped = flip(&store, &mut chance);
                seen.count(&flipped, &store);
                let what = format!("flip {seed} after {end} changes: {flipped}");
                seen.refused += refusal(open_and_verify(&store, &ops[..end], &what), &what);
            }
            _ => {
                let end = settled[chance.below(settled.len())];
                materialise(&image(&ops[..end], Unsynced::Lost, &mut chance), &path, &store)
                    .unwrap();
                let shortened = cut(&store, &mut chance);
                seen.count(&shortened, &store);
                let what = format!("cut {seed} after {end} changes: {shortened}");
                seen.refused += refusal(open_and_verify(&store, &ops[..end], &what), &what);
            }
        }
        std::fs::remove_dir_all(&to).unwrap();
    }
    seen
}

impl Seen {
    fn count(&mut self, what: &str, store: &Path) {
        let below = what.strip_prefix(&*store.to_string_lossy()).unwrap_or_default();
        let below = below.trim_start_matches('/');
        let kinds = ["journal", "checkpoint", "mark"];
        if let Some(kind) = kinds.iter().find(|kind| below.starts_with(**kind)) {
            *self.damaged.entry(kind).or_default() += 1;
        }
    }
}

/// How a file layer lies about what is on the disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::enum_variant_names, reason = "each is about a sync")]
enum WriteFault {
    /// A sync of a file does nothing.
    DropSync,
    /// A sync of a file ends before it is done: who waits for it acknowledges too early.
    AcknowledgeBeforeSync,
    /// A sync of the names in a folder does nothing.
    DropFolderSync,
    /// A checkpoint is named before its files are synced.
    DropCheckpointSync,
}

#[derive(Clone)]
struct Faulty {
    recorder: Recorder,
    fault: Option<WriteFault>,
}

struct FaultyFile {
    file: Box<dyn crate::files::File>,
    path: PathBuf,
    files: Faulty,
}

impl Faulty {
    fn wrap(&self, file: Box<dyn crate::files::File>, path: &Path) -> Box<dyn crate::files::File> {
        Box::new(FaultyFile { file, path: path.to_owned(), files: self.clone() })
    }
}

impl Files for Faulty {
    fn create(&self, path: &Path) -> std::io::Result<Box<dyn crate::files::File>> {
        Ok(self.wrap(self.recorder.create(path)?, path))
    }
    fn open(&self, path: &Path) -> std::io::Result<Box<dyn crate::files::File>> {
        Ok(self.wrap(self.recorder.open(path)?, path))
    }
    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        self.recorder.rename(from, to)
    }
    fn remove(&self, path: &Path) -> std::io::Result<()> {
        self.recorder.remove(path)
    }
    fn create_directory(&self, path: &Path) -> std::io::Result<()> {
        self.recorder.create_directory(path)
    }
    fn remove_directory(&self, path: &Path) -> std::io::Result<()> {
        self.recorder.remove_directory(path)
    }
    fn sync_directory(&self, path: &Path) -> std::io::Result<()> {
        match self.fault {
            Some(WriteFault::DropFolderSync) => Ok(()),
            _ => self.recorder.sync_directory(path),
        }
    }
    fn sync_tree(&self, path: &Path) -> std::io::Result<()> {
        match self.fault {
            Some(WriteFault::DropCheckpointSync) => Ok(()),
            _ => self.recorder.sync_tree(path),
        }
    }
}

impl crate::files::File for FaultyFile {
    fn write_at(&mut self, offset: u64, octets: &[u8]) -> std::io::Result<()> {
        self.file.write_at(offset, octets)
    }
    fn sync(&mut self) -> std::io::Result<()> {
        match self.files.fault {
            Some(WriteFault::DropSync) => Ok(()),
            Some(WriteFault::AcknowledgeBeforeSync) => {
                let (recorder, path) = (self.files.recorder.clone(), self.path.clone());
                thread::spawn(move || {
                    thread::sleep(Duration::from_millis(10));
                    // It may have been renamed or removed; then there is nothing to sync.
                    recorder.open(&path).and_then(|mut file| file.sync())
                });
                Ok(())
            }
            _ => self.file.sync(),
        }
    }
    fn truncate(&mut self, length: u64) -> std::io::Result<()> {
        self.file.truncate(length)
    }
}

/// The judge is worth something: it finds each of these faults in the code.
#[test]
fn mutations_of_the_code_are_noticed() {
    let write_faults = [
        WriteFault::DropSync,
        WriteFault::AcknowledgeBeforeSync,
        WriteFault::DropFolderSync,
        WriteFault::DropCheckpointSync,
    ];
    for fault in write_faults {
        let folder = tempfile::tempdir().unwrap();
        let ops = recorded(folder.path(), Some(fault));
        let judged = std::panic::catch_unwind(|| judge(folder.path(), &ops, 0..200));
        assert!(judged.is_err(), "{fault:?} is not noticed");
    }
    // A fault in reading shows in one kind of image, and there not in each.
    let folder = tempfile::tempdir().unwrap();
    let ops = recorded(folder.path(), None);
    for (fault, kind) in [(ReadFault::SkipChecksum, FLIP), (ReadFault::IgnoreMark, CUT)] {
        mutation::set(Some(fault));
        let seeds = (0..2000).filter(|seed| seed % KINDS == kind);
        let judged = std::panic::catch_unwind(|| judge(folder.path(), &ops, seeds));
        mutation::set(None);
        assert!(judged.is_err(), "{fault:?} is not noticed");
    }
}

/// Whether it was refused, which must be with words that name what is damaged.
fn refusal(opened: Result<(), OpenError>, what: &str) -> usize {
    match opened {
        Ok(()) => 0,
        Err(error @ (OpenError::Damaged { .. } | OpenError::Format { .. })) => {
            assert!(error.to_string().contains("image-"), "{what}: no file in: {error}");
            1
        }
        Err(other) => panic!("{what}: {other}"),
    }
}

/// A file of the image that holds something, by chance.
fn some_file(store: &Path, chance: &mut Chance) -> Option<(PathBuf, Vec<u8>)> {
    let mut folders = vec![store.to_owned()];
    let mut files = Vec::new();
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::metadata(&path).unwrap().len() > 0 {
                files.push(path);
            }
        }
    }
    files.sort();
    let path = files.get(chance.below(files.len()))?.clone();
    let octets = std::fs::read(&path).unwrap();
    Some((path, octets))
}

/// How much of a file is more than room for more.
fn written(octets: &[u8]) -> usize {
    octets.iter().rposition(|octet| *octet != 0).map_or(octets.len(), |last| last + 1)
}

fn flip(store: &Path, chance: &mut Chance) -> String {
    let Some((path, mut octets)) = some_file(store, chance) else { return "nothing".to_owned() };
    let at = chance.below(written(&octets));
    octets[at] ^= 1 << chance.below(8);
    std::fs::write(&path, octets).unwrap();
    format!("{} at {at}", path.display())
}

fn cut(store: &Path, chance: &mut Chance) -> String {
    let Some((path, octets)) = some_file(store, chance) else { return "nothing".to_owned() };
    let at = chance.below(written(&octets));
    std::fs::write(&path, &octets[..at]).unwrap();
    format!("{} to {at}", path.display())
}

/// Writes like the host, and syncs nothing: images are opened by the hundred.
#[derive(Clone, Copy)]
struct NoSync;

struct NoSyncFile(Box<dyn crate::files::File>);

impl Files for NoSync {
    fn create(&self, path: &Path) -> std::io::Result<Box<dyn crate::files::File>> {
        Ok(Box::new(NoSyncFile(RealFiles.create(path)?)))
    }
    fn open(&self, path: &Path) -> std::io::Result<Box<dyn crate::files::File>> {
        Ok(Box::new(NoSyncFile(RealFiles.open(path)?)))
    }
    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        RealFiles.rename(from, to)
    }
    fn remove(&self, path: &Path) -> std::io::Result<()> {
        RealFiles.remove(path)
    }
    fn create_directory(&self, path: &Path) -> std::io::Result<()> {
        RealFiles.create_directory(path)
    }
    fn remove_directory(&self, path: &Path) -> std::io::Result<()> {
        RealFiles.remove_directory(path)
    }
    fn sync_directory(&self, _path: &Path) -> std::io::Result<()> {
        Ok(())
    }
    fn sync_tree(&self, _path: &Path) -> std::io::Result<()> {
        Ok(())
    }
}

impl crate::files::File for NoSyncFile {
    fn write_at(&mut self, offset: u64, octets: &[u8]) -> std::io::Result<()> {
        self.0.write_at(offset, octets)
    }
    fn sync(&mut self) -> std::io::Result<()> {
        Ok(())
    }
    fn truncate(&mut self, length: u64) -> std::io::Result<()> {
        self.0.truncate(length)
    }
}

/// Waits until a durable commit succeeds again.
async fn until_it_works(store: &Store, number: u32, value: u64) {
    for _ in 0..100 {
        if store.commit(put(Class::Durable, number, value)).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it does not recover: {:?}", store.health());
}

async fn fails_and_recovers(faults: Faults, is_expected: fn(&CommitError) -> bool) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let recorder = Recorder::default();
    let store = Store::from_engine(Local::open(&path, options(recorder.clone())).unwrap());
    for number in 0..20 {
        store.commit(put(Class::Durable, number, 1)).await.unwrap();
    }
    recorder.fail(faults);
    let mut failed = 0;
    let mut kept = Vec::new();
    for number in 100..160 {
        match store.commit(put(Class::Durable, number, 1)).await {
            Ok(_) => kept.push(number),
            Err(error) => {
                assert!(is_expected(&error), "{error}");
                failed += 1;
            }
        }
    }
    assert!(failed > 10, "{failed} failed");
    let health = store.health();
    assert!(health.degraded.is_some() && health.revision == store.snapshot().revision);
    // Readers go on, with what is durable and nothing else.
    let snapshot = store.snapshot();
    assert_eq!(snapshot.rows::<NodeCounters>().len(), 20 + kept.len());
    recorder.fail(Faults::default());
    until_it_works(&store, 200, 1).await;
    assert!(store.health().degraded.is_none());
    store.close().await;
    let store = Store::from_engine(Local::open(&path, options(NoSync)).unwrap());
    let snapshot = store.snapshot();
    for number in (0..20).chain(kept).chain([200]) {
        assert_eq!(value(&snapshot, number), Some(1), "row {number}");
    }
    assert_eq!(value(&snapshot, 159), None, "a commit that failed came back");
}

#[tokio::test]
async fn a_full_disk_fails_commits_with_words_and_loses_nothing() {
    let faults = Faults { write: Some((ErrorKind::StorageFull, 3000)), sync: None };
    fails_and_recovers(faults, |error| matches!(error, CommitError::Full(_))).await;
}

#[tokio::test]
async fn a_read_only_disk_fails_commits_with_words_and_loses_nothing() {
    let faults = Faults { write: Some((ErrorKind::ReadOnlyFilesystem, 0)), sync: None };
    fails_and_recovers(faults, |error| matches!(error, CommitError::ReadOnly(_))).await;
}

#[tokio::test]
async fn a_sync_that_fails_acknowledges_nothing() {
    let faults = Faults { write: None, sync: Some(ErrorKind::Other) };
    fails_and_recovers(faults, |error| matches!(error, CommitError::Broken(_))).await;
}
