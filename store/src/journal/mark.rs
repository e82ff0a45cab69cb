//! The high-water mark: the last revision that is on disk for certain.
//!
//! It lives in a file of its own, so that a journal that lost its end is
//! noticed. Two slots are written in turn; a torn write costs one of them.
//!
//! ```text
//! slot: magic "MIP4MARK" · format u32 · zero u32 · turn u64 · revision u64 · CRC-32C u32
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::segment::FORMAT;
use crate::files::{File, Files};
use crate::{OpenError, Revision};

const MAGIC: &[u8; 8] = b"MIP4MARK";
const SLOT: usize = 36;
/// Slots lie in different pages, so that one torn write cannot hit both.
const SLOT_DISTANCE: u64 = 4096;

/// The mark of a store that is open.
pub(crate) struct Mark {
    file: Box<dyn File>,
    turn: u64,
    revision: Revision,
}

impl Mark {
    /// Makes the file of a new store; it appears under its name once it is whole.
    pub(crate) fn create(files: &Arc<dyn Files>, path: &Path) -> io::Result<Self> {
        let temporary = path.with_extension("new");
        if temporary.exists() {
            files.remove(&temporary)?;
        }
        let mut mark = Self { file: files.create(&temporary)?, turn: 0, revision: Revision(0) };
        mark.write(Revision(0))?;
        mark.write(Revision(0))?;
        files.rename(&temporary, path)?;
        if let Some(directory) = path.parent() {
            files.sync_directory(directory)?;
        }
        mark.file = files.open(path)?;
        Ok(mark)
    }

    /// Opens the file of a store that is there; [`read`] says what is in it.
    pub(crate) fn open(files: &Arc<dyn Files>, path: &Path, found: Found) -> io::Result<Self> {
        Ok(Self { file: files.open(path)?, turn: found.turn, revision: found.revision })
    }

    pub(crate) fn revision(&self) -> Revision {
        self.revision
    }

    /// Raises the mark; `revision` must be synced already.
    pub(crate) fn write(&mut self, revision: Revision) -> io::Result<()> {
        let turn = self.turn + 1;
        self.file.write_at((turn % 2) * SLOT_DISTANCE, &slot(turn, revision))?;
        self.file.sync()?;
        self.turn = turn;
        self.revision = revision;
        Ok(())
    }
}

/// What the file of a mark holds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Found {
    turn: u64,
    pub(crate) revision: Revision,
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
    found.map(Some).ok_or_else(|| OpenError::Damaged {
        file: PathBuf::from(path),
        offset: 0,
        what: "neither copy of the high-water mark can be read".to_owned(),
        good: Revision(0),
        written: Revision(0),
    })
}

fn slot(turn: u64, revision: Revision) -> Vec<u8> {
    let mut slot = Vec::with_capacity(SLOT);
    slot.extend(MAGIC);
    slot.extend(FORMAT.to_be_bytes());
    slot.extend([0; 4]);
    slot.extend(turn.to_be_bytes());
    slot.extend(revision.0.to_be_bytes());
    slot.extend(crc32c::crc32c(&slot).to_be_bytes());
    slot
}

fn parse(octets: &[u8]) -> Option<Found> {
    let slot = octets.get(..SLOT)?;
    let (body, stated) = slot.split_last_chunk::<4>()?;
    let whole = body.starts_with(MAGIC) && crc32c::crc32c(body) == u32::from_be_bytes(*stated);
    let turn = u64::from_be_bytes(*body.get(16..)?.first_chunk()?);
    let revision = u64::from_be_bytes(*body.get(24..)?.first_chunk()?);
    whole.then_some(Found { turn, revision: Revision(revision) })
}
