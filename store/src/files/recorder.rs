//! A file layer that remembers every change, can be told to fail, and can say
//! what a disk might hold if the power had gone at any moment.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::{File, Files, RealFiles};

/// What a disk writes whole or not at all.
const SECTOR: u64 = 512;

/// One change, in the order they were made. `Sync…` is logged once it is done.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Create(PathBuf),
    Write(PathBuf, u64, Vec<u8>),
    Truncate(PathBuf, u64),
    Sync(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    MakeDirectory(PathBuf),
    RemoveDirectory(PathBuf),
    SyncDirectory(PathBuf),
    /// With all files below, as they were.
    SyncTree(PathBuf, Vec<(PathBuf, Vec<u8>)>),
    /// Something that the test wants to know the place of.
    Note(Note),
}

/// What the users of the store did and were told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Note {
    Submitted(u32, u64),
    Acknowledged(u32, u64),
    /// The high-water mark covers all that was acknowledged.
    Settled,
}

/// How files fail.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// Writes fail so once this many more octets are written.
    pub(crate) write: Option<(ErrorKind, u64)>,
    pub(crate) sync: Option<ErrorKind>,
}

/// Records, and works on the files of the host.
#[derive(Clone, Default)]
pub(crate) struct Recorder {
    log: Arc<Mutex<Vec<Op>>>,
    faults: Arc<Mutex<Faults>>,
}

struct RecordedFile {
    recorder: Recorder,
    path: PathBuf,
    file: Box<dyn File>,
}

impl Recorder {
    pub(crate) fn note(&self, note: Note) {
        self.log(Op::Note(note));
    }

    pub(crate) fn ops(&self) -> Vec<Op> {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn fail(&self, faults: Faults) {
        *self.faults.lock().unwrap() = faults;
    }

    fn log(&self, op: Op) {
        self.log.lock().unwrap().push(op);
    }

    fn sync_fault(&self) -> io::Result<()> {
        self.faults.lock().unwrap().sync.map_or(Ok(()), |kind| Err(kind.into()))
    }

    fn write_fault(&self, length: u64) -> io::Result<()> {
        let mut faults = self.faults.lock().unwrap();
        let Some((kind, room)) = &mut faults.write else { return Ok(()) };
        match room.checked_sub(length) {
            Some(left) => *room = left,
            None => return Err((*kind).into()),
        }
        Ok(())
    }
}

impl Files for Recorder {
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.write_fault(1)?;
        let file = RealFiles.create(path)?;
        self.log(Op::Create(path.to_owned()));
        Ok(Box::new(RecordedFile { recorder: self.clone(), path: path.to_owned(), file }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let file = RealFiles.open(path)?;
        Ok(Box::new(RecordedFile { recorder: self.clone(), path: path.to_owned(), file }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealFiles.rename(from, to)?;
        self.log(Op::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealFiles.remove(path)?;
        self.log(Op::Remove(path.to_owned()));
        Ok(())
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        RealFiles.create_directory(path)?;
        self.log(Op::MakeDirectory(path.to_owned()));
        Ok(())
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        RealFiles.remove_directory(path)?;
        self.log(Op::RemoveDirectory(path.to_owned()));
        Ok(())
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.sync_fault()?;
        self.log(Op::SyncDirectory(path.to_owned()));
        Ok(())
    }

    fn sync_tree(&self, path: &Path) -> io::Result<()> {
        self.sync_fault()?;
        self.log(Op::SyncTree(path.to_owned(), tree(path)?));
        Ok(())
    }
}

impl File for RecordedFile {
    fn write_at(&mut self, offset: u64, octets: &[u8]) -> io::Result<()> {
        let length = u64::try_from(octets.len()).unwrap();
        if let Err(error) = self.recorder.write_fault(length) {
            // A full disk takes what it has room for.
            let part = &octets[..octets.len() / 2];
            self.file.write_at(offset, part)?;
            self.recorder.log(Op::Write(self.path.clone(), offset, part.to_vec()));
            return Err(error);
        }
        self.file.write_at(offset, octets)?;
        self.recorder.log(Op::Write(self.path.clone(), offset, octets.to_vec()));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.recorder.sync_fault()?;
        // Long enough for whoever is told too early to note it first.
        thread::sleep(Duration::from_millis(2));
        self.recorder.log(Op::Sync(self.path.clone()));
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.file.truncate(length)?;
        self.recorder.log(Op::Truncate(self.path.clone(), length));
        Ok(())
    }
}

/// Every file below `path`.
fn tree(path: &Path) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?.path();
        if entry.is_dir() {
            files.extend(tree(&entry)?);
        } else {
            files.push((entry.clone(), fs::read(&entry)?));
        }
    }
    Ok(files)
}

/// Numbers that look random and are the same for the same seed.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }

    fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }
}

/// What becomes of changes that were not synced when the power went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unsynced {
    Lost,
    Kept,
    /// Each write, and each sector of it, is kept or lost by chance.
    Mixed,
}

#[derive(Clone, Debug, Default)]
struct Inode {
    synced: Vec<u8>,
    pending: Vec<Op>,
}

/// A disk, as the changes so far may have left it.
#[derive(Default)]
struct Disk {
    inodes: Vec<Inode>,
    /// Names as the process sees them, and as they are on disk; directories have no inode.
    names: BTreeMap<PathBuf, Option<usize>>,
    synced_names: BTreeMap<PathBuf, Option<usize>>,
    /// Changes of names that are not synced.
    pending: Vec<NameChange>,
}

#[derive(Clone, Debug)]
enum NameChange {
    Make(PathBuf, Option<usize>),
    Rename(PathBuf, PathBuf),
    /// With all below it.
    Remove(PathBuf),
}

impl NameChange {
    /// The name that syncing its folder makes durable.
    fn path(&self) -> &Path {
        match self {
            Self::Make(path, _) | Self::Rename(_, path) | Self::Remove(path) => path,
        }
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, Option<usize>>) {
        match self {
            Self::Make(path, inode) => {
                names.insert(path.clone(), *inode);
            }
            Self::Rename(from, to) => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
            Self::Remove(path) => names.retain(|name, _| !name.starts_with(path)),
        }
    }
}

/// The files a disk may hold after `ops`, by path.
pub(crate) fn image(
    ops: &[Op],
    unsynced: Unsynced,
    chance: &mut Chance,
) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut disk = Disk::default();
    for op in ops {
        disk.apply(op);
    }
    let kept = match unsynced {
        Unsynced::Lost => 0,
        Unsynced::Kept => disk.pending.len(),
        Unsynced::Mixed => chance.below(disk.pending.len() + 1),
    };
    let mut names = disk.synced_names.clone();
    // Names are journalled by the file system: a prefix of the changes survives.
    for change in disk.pending.iter().take(kept) {
        change.apply(&mut names);
    }
    let mut files = BTreeMap::new();
    for (path, inode) in names {
        let contents = inode.map(|inode| contents(&disk.inodes[inode], unsynced, chance));
        files.insert(path, contents);
    }
    files
}

impl Disk {
    fn apply(&mut self, op: &Op) {
        match op {
            Op::Write(path, ..) | Op::Truncate(path, _) => {
                if let Some(Some(inode)) = self.names.get(path) {
                    self.inodes[*inode].pending.push(op.clone());
                }
            }
            Op::Sync(path) => {
                if let Some(Some(inode)) = self.names.get(path) {
                    let inode = &mut self.inodes[*inode];
                    for op in std::mem::take(&mut inode.pending) {
                        change_contents(&mut inode.synced, &op, &mut |_| true);
                    }
                }
            }
            Op::SyncDirectory(directory) => self.sync_names(directory),
            Op::SyncTree(folder, files) => {
                for (path, octets) in files {
                    let below = |path: &&Path| path.starts_with(folder) && *path != folder;
                    for part in path.ancestors().skip(1).filter(below) {
                        self.names.insert(part.to_owned(), None);
                        self.synced_names.insert(part.to_owned(), None);
                    }
                    self.inodes.push(Inode { synced: octets.clone(), pending: Vec::new() });
                    let inode = Some(self.inodes.len() - 1);
                    self.names.insert(path.clone(), inode);
                    self.synced_names.insert(path.clone(), inode);
                }
                self.name(NameChange::Make(folder.clone(), None));
            }
            Op::Create(path) => {
                self.inodes.push(Inode::default());
                self.name(NameChange::Make(path.clone(), Some(self.inodes.len() - 1)));
            }
            Op::MakeDirectory(path) => self.name(NameChange::Make(path.clone(), None)),
            Op::Rename(from, to) => self.name(NameChange::Rename(from.clone(), to.clone())),
            Op::Remove(path) | Op::RemoveDirectory(path) => {
                self.name(NameChange::Remove(path.clone()));
            }
            Op::Note(_) => {}
        }
    }

    fn name(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.pending.push(change);
    }

    fn sync_names(&mut self, directory: &Path) {
        let within = |path: &Path| path.parent() == Some(directory);
        let old: Vec<_> = self.synced_names.keys().filter(|path| within(path)).cloned().collect();
        for path in old {
            if !self.names.contains_key(&path) {
                self.synced_names.retain(|name, _| !name.starts_with(&path));
            }
        }
        for (path, inode) in self.names.iter().filter(|(path, _)| within(path)) {
            self.synced_names.insert(path.clone(), *inode);
        }
        self.pending.retain(|change| !within(change.path()));
    }
}

fn contents(inode: &Inode, unsynced: Unsynced, chance: &mut Chance) -> Vec<u8> {
    let mut contents = inode.synced.clone();
    for op in &inode.pending {
        match unsynced {
            Unsynced::Lost => {}
            Unsynced::Kept => change_contents(&mut contents, op, &mut |_| true),
            Unsynced::Mixed => match chance.below(3) {
                0 => {}
                1 => change_contents(&mut contents, op, &mut |_| true),
                _ => change_contents(&mut contents, op, &mut |_| chance.one_in(2)),
            },
        }
    }
    contents
}

/// Makes the change, but of a write only the sectors that `keep` says.
fn change_contents(contents: &mut Vec<u8>, op: &Op, keep: &mut dyn FnMut(u64) -> bool) {
    match op {
        Op::Write(_, offset, octets) => {
            let mut at = *offset;
            let mut rest = &octets[..];
            while !rest.is_empty() {
                let room = usize::try_from(SECTOR - at % SECTOR).unwrap();
                let (sector, tail) = rest.split_at(room.min(rest.len()));
                if keep(at / SECTOR) {
                    let start = usize::try_from(at).unwrap();
                    if contents.len() < start + sector.len() {
                        contents.resize(start + sector.len(), 0);
                    }
                    contents[start..start + sector.len()].copy_from_slice(sector);
                }
                at += u64::try_from(sector.len()).unwrap();
                rest = tail;
            }
        }
        Op::Truncate(_, length) if keep(0) => contents.resize(usize::try_from(*length).unwrap(), 0),
        _ => {}
    }
}

/// Writes an image below `to` instead of `from`; files whose folder is missing are lost with it.
pub(crate) fn materialise(
    image: &BTreeMap<PathBuf, Option<Vec<u8>>>,
    from: &Path,
    to: &Path,
) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for (path, contents) in image {
        let Ok(relative) = path.strip_prefix(from) else { continue };
        let path = to.join(relative);
        match contents {
            None => fs::create_dir_all(&path)?,
            Some(contents) if path.parent().is_some_and(Path::is_dir) => {
                fs::write(&path, contents)?;
            }
            Some(_) => {}
        }
    }
    Ok(())
}
