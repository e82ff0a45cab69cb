//! The high-water mark: the last revision that is on disk for certain.
//!
//! It lives in a file of its own, so that a journal that lost its end is
//! noticed. Two slots are written in turn; a torn write costs one of them.
//!
//! ```text
//! slot: magic "MIP4MARK" · format u32 · zero u32 · turn u64 · revision u64 · lineage u64 · CRC-32C u32
//! ```
//!
//! The *lineage* is a random number that a store is given when it is made, and
//! anew when it is made out of a backup. Format 1 has none.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::segment::{FORMAT, FORMAT_OLDEST};
use crate::files::{File, Files};
use crate::{OpenError, Revision};

const MAGIC: &[u8; 8] = b"MIP4MARK";
/// With its checksum; format 1 has slots of 36 octets.
const SLOT: usize = 44;
const SLOT_OF_FORMAT_1: usize = 36;
/// Slots lie in different pages, so that one torn write cannot hit both.
const SLOT_DISTANCE: u64 = 4096;

/// The mark of a store that is open.
pub(crate) struct Mark {
    files: Arc<dyn Files>,
    path: PathBuf,
    file: Box<dyn File>,
    /// The last write failed, so the file is opened anew before the next: its disk may have
    /// been mounted again.
    failed: bool,
    turn: u64,
    revision: Revision,
    lineage: u64,
}

/// A lineage for a store that is made now.
pub(crate) fn new_lineage() -> io::Result<u64> {
    let mut octets = [0; 8];
    getrandom::fill(&mut octets).map_err(io::Error::other)?;
    Ok(u64::from_be_bytes(octets))
}

impl Mark {
    /// Makes the file, of a new store or in place of an older one; it appears under its name
    /// once it is whole.
    pub(crate) fn create(
        files: &Arc<dyn Files>,
        path: &Path,
        revision: Revision,
        lineage: u64,
    ) -> io::Result<Self> {
        let temporary = path.with_extension("new");
        if temporary.exists() {
            files.remove(&temporary)?;
        }
        let (files, path) = (Arc::clone(files), path.to_owned());
        let file = files.create(&temporary)?;
        let mut mark = Self { files, path, file, failed: false, turn: 0, revision, lineage };
        mark.write(revision)?;
        mark.write(revision)?;
        mark.files.rename(&temporary, &mark.path)?;
        if let Some(directory) = mark.path.parent() {
            mark.files.sync_directory(directory)?;
        }
        mark.file = mark.files.open(&mark.path)?;
        Ok(mark)
    }

    /// Opens the file of a store that is there; [`read`] says what is in it. One of an older
    /// format is replaced.
    pub(crate) fn open(files: &Arc<dyn Files>, path: &Path, found: Found) -> io::Result<Self> {
        let lineage = found.lineage.map_or_else(new_lineage, Ok)?;
        if found.format < FORMAT {
            tracing::info!(from = found.format, to = FORMAT, "the store is upgraded");
            return Self::create(files, path, found.revision, lineage);
        }
        let Found { turn, revision, .. } = found;
        let (files, path) = (Arc::clone(files), path.to_owned());
        let file = files.open(&path)?;
        Ok(Self { files, path, file, failed: false, turn, revision, lineage })
    }

    pub(crate) fn lineage(&self) -> u64 {
        self.lineage
    }

    pub(crate) fn revision(&self) -> Revision {
        self.revision
    }

    /// Raises the mark; `revision` must be synced already.
    pub(crate) fn write(&mut self, revision: Revision) -> io::Result<()> {
        if std::mem::replace(&mut self.failed, true) {
            self.file = self.files.open(&self.path)?;
        }
        let turn = self.turn + 1;
        self.file.write_at((turn % 2) * SLOT_DISTANCE, &slot(turn, revision, self.lineage))?;
        self.file.sync()?;
        self.failed = false;
        self.turn = turn;
        self.revision = revision;
        Ok(())
    }
}

/// What the file of a mark holds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Found {
    pub(crate) format: u32,
    turn: u64,
    pub(crate) revision: Revision,
    /// `None` in format 1.
    lineage: Option<u64>,
}

/// Reads the mark at `path`; `None` if there is no such file.
pub(crate) fn read(path: &Path) -> Result<Option<Found>, OpenError> {
    let octets = match std::fs::read(path) {
        Ok(octets) => octets,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(OpenError::Io { doing: "read", path: path.to_owned(), source });
        }
    };
    let far = usize::try_from(SLOT_DISTANCE).unwrap_or(usize::MAX);
    let slots = [Some(&octets[..]), octets.get(far..)];
    let found = slots.into_iter().flatten().filter_map(parse).max_by_key(|found| found.turn);
    let later = || slots.into_iter().flatten().find_map(later_format);
    found.map(Some).ok_or_else(|| match later() {
        Some(found) => OpenError::Format { file: PathBuf::from(path), found, known: FORMAT },
        None => OpenError::Damaged {
            file: PathBuf::from(path),
            offset: 0,
            what: "neither copy of the high-water mark can be read".to_owned(),
            good: Revision(0),
            written: Revision(0),
        },
    })
}

fn slot(turn: u64, revision: Revision, lineage: u64) -> Vec<u8> {
    let mut slot = Vec::with_capacity(SLOT);
    slot.extend(MAGIC);
    slot.extend(FORMAT.to_be_bytes());
    slot.extend([0; 4]);
    slot.extend(turn.to_be_bytes());
    slot.extend(revision.0.to_be_bytes());
    slot.extend(lineage.to_be_bytes());
    slot.extend(crc32c::crc32c(&slot).to_be_bytes());
    slot
}

fn parse(octets: &[u8]) -> Option<Found> {
    let format = format(octets)?;
    let slot = match format {
        FORMAT_OLDEST => octets.get(..SLOT_OF_FORMAT_1)?,
        2..=FORMAT => octets.get(..SLOT)?,
        _ => return None,
    };
    let (body, stated) = slot.split_last_chunk::<4>()?;
    let whole = body.starts_with(MAGIC) && crc32c::crc32c(body) == u32::from_be_bytes(*stated);
    let turn = u64::from_be_bytes(*body.get(16..)?.first_chunk()?);
    let revision = u64::from_be_bytes(*body.get(24..)?.first_chunk()?);
    let lineage = body.get(32..)?.first_chunk().copied().map(u64::from_be_bytes);
    whole.then_some(Found { format, turn, revision: Revision(revision), lineage })
}

fn format(slot: &[u8]) -> Option<u32> {
    let rest = slot.strip_prefix(MAGIC)?;
    rest.first_chunk().copied().map(u32::from_be_bytes)
}

/// The format of a slot that a later version wrote, whose length and checksum are unknown.
fn later_format(slot: &[u8]) -> Option<u32> {
    format(slot).filter(|format| *format > FORMAT)
}
