//! The journal: what commits sync, and what a restart reads.
//!
//! A folder of segments, each named by its first revision. Commits are
//! appended to the last one; the others are closed and wait until a checkpoint
//! covers them. Revisions are contiguous from the first record to the last.

pub(crate) mod item;
pub(crate) mod mark;
mod read;
pub(crate) mod record;
pub(crate) mod segment;
#[cfg(test)]
mod tests;

pub(crate) use read::{Layout, read};

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::Revision;
use crate::files::{File, Files};

/// How much of a segment is written with zeros ahead of its records: for so many appends like the
/// one that takes it, within limits. While a file does not grow, a sync need not write its inode,
/// which is a third of what it takes.
const ROOM_APPENDS: usize = 16;
const ROOM_MIN: usize = 64 * 1024;
const ROOM_MAX: usize = 1024 * 1024;

/// What it is written with; it takes no room in the program.
static ZEROS: [u8; ROOM_MAX] = [0; ROOM_MAX];

/// A journal that is open for appending.
pub(crate) struct Journal {
    files: Arc<dyn Files>,
    directory: PathBuf,
    active: Active,
    closed: VecDeque<Closed>,
    /// The last revision that is synced.
    last: Revision,
}

struct Active {
    file: Box<dyn File>,
    path: PathBuf,
    first: Revision,
    /// How much of the file is synced; nothing lies behind it but zeros and failed writes.
    length: u64,
    /// How long the file is.
    allocated: u64,
}

/// A segment that is not appended to.
#[derive(Clone, Debug)]
pub(crate) struct Closed {
    pub(crate) path: PathBuf,
    pub(crate) last: Revision,
    pub(crate) length: u64,
}

impl Journal {
    /// Starts a journal, or a new segment of one, whose first record will have revision `first`.
    pub(crate) fn create(
        files: Arc<dyn Files>,
        directory: PathBuf,
        first: Revision,
    ) -> io::Result<Self> {
        let active = Active::create(&files, &directory, first)?;
        let last = Revision(first.0.saturating_sub(1));
        Ok(Self { files, directory, active, closed: VecDeque::new(), last })
    }

    /// Opens what [`read`] found, cutting off what was never synced.
    pub(crate) fn open(
        files: Arc<dyn Files>,
        directory: PathBuf,
        layout: Layout,
    ) -> io::Result<Self> {
        for path in &layout.stillborn {
            files.remove(path)?;
        }
        if !layout.stillborn.is_empty() {
            files.sync_directory(&directory)?;
        }
        let mut segments = layout.segments;
        let Some(newest) = segments.pop() else {
            return Self::create(files, directory, layout.last.next());
        };
        let active = Active::open(&files, newest.path, newest.first, newest.length)?;
        let closed = segments
            .into_iter()
            .map(|segment| Closed {
                path: segment.path,
                last: segment.last,
                length: segment.length,
            })
            .collect();
        Ok(Self { files, directory, active, closed, last: layout.last })
    }

    /// The last revision that is synced.
    pub(crate) fn last(&self) -> Revision {
        self.last
    }

    /// What the checksums of records in the current segment start from.
    pub(crate) fn salt(&self) -> u64 {
        self.active.first.0
    }

    /// The octets in the segment that is appended to.
    pub(crate) fn active_length(&self) -> u64 {
        self.active.length
    }

    /// The octets in segments that wait for a checkpoint.
    pub(crate) fn closed_length(&self) -> u64 {
        self.closed.iter().map(|segment| segment.length).sum()
    }

    /// Appends records up to revision `last` and syncs them: when this returns, they are on disk.
    ///
    /// After an error, [`Self::reopen`] must succeed before the next call.
    pub(crate) fn append(&mut self, records: &[u8], last: Revision) -> io::Result<()> {
        self.active.write(records)?;
        self.active.file.sync()?;
        self.active.length += u64::try_from(records.len()).unwrap_or(0);
        self.last = last;
        Ok(())
    }

    /// Closes the current segment and starts the next, unless it is empty.
    pub(crate) fn rotate(&mut self) -> io::Result<()> {
        if self.active.first > self.last {
            return Ok(());
        }
        let next = Active::create(&self.files, &self.directory, self.last.next())?;
        let mut done = std::mem::replace(&mut self.active, next);
        done.give_back();
        self.closed.push_back(Closed { path: done.path, last: self.last, length: done.length });
        Ok(())
    }

    /// Ends the journal; the last segment keeps no room for more.
    pub(crate) fn close(mut self) {
        self.active.give_back();
    }

    /// Opens the current segment anew after an error: cuts off what failed,
    /// and verifies what is left.
    pub(crate) fn reopen(&mut self) -> io::Result<()> {
        let Active { path, first, length, .. } = &self.active;
        let (path, first, length) = (path.clone(), *first, *length);
        let active = Active::open(&self.files, path, first, length)?;
        let octets = std::fs::read(&active.path)?;
        let scan = segment::scan(&octets, first, self.last, |_| ());
        if segment::parse_header(&octets) != Ok(first)
            || scan.end != segment::End::Whole
            || scan.last != self.last
        {
            let words = format!("{} does not read back as written", active.path.display());
            return Err(io::Error::other(words));
        }
        self.active = active;
        Ok(())
    }

    /// Deletes segments that hold nothing after `covered`.
    pub(crate) fn forget(&mut self, covered: Revision) -> io::Result<()> {
        let mut any = false;
        while let Some(segment) = self.closed.front().filter(|segment| segment.last <= covered) {
            self.files.remove(&segment.path)?;
            self.closed.pop_front();
            any = true;
        }
        if any { self.files.sync_directory(&self.directory) } else { Ok(()) }
    }
}

impl Active {
    fn create(files: &Arc<dyn Files>, directory: &Path, first: Revision) -> io::Result<Self> {
        let path = directory.join(file_name(first));
        // Left over from an attempt that failed half-way; nothing was acknowledged in it.
        if path.exists() {
            files.remove(&path)?;
        }
        let mut file = files.create(&path)?;
        let header = segment::header(first);
        file.write_at(0, &header)?;
        file.sync()?;
        files.sync_directory(directory)?;
        let length = u64::try_from(header.len()).unwrap_or(0);
        Ok(Self { file, path, first, length, allocated: length })
    }

    /// Lets go of what nothing was written in. Zeros do no harm, they only take room.
    fn give_back(&mut self) {
        if self.allocated == self.length {
            return;
        }
        match self.file.truncate(self.length) {
            Ok(()) => self.allocated = self.length,
            Err(error) => tracing::debug!(%error, segment = %self.path.display(), "keeps its room"),
        }
    }

    /// Writes records behind those that are there, and zeros behind them where the file ends.
    fn write(&mut self, records: &[u8]) -> io::Result<()> {
        let octets = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        self.file.write_at(self.length, records)?;
        let end = self.length.saturating_add(octets(records.len()));
        if end <= self.allocated {
            return Ok(());
        }
        self.allocated = end;
        let room = records.len().saturating_mul(ROOM_APPENDS).clamp(ROOM_MIN, ROOM_MAX);
        match self.file.write_at(end, ZEROS.get(..room).unwrap_or(&ZEROS)) {
            Ok(()) => self.allocated = end.saturating_add(octets(room)),
            // The records have found their place, which is all that was asked for.
            Err(error) if is_full(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn open(
        files: &Arc<dyn Files>,
        path: PathBuf,
        first: Revision,
        length: u64,
    ) -> io::Result<Self> {
        let mut file = files.open(&path)?;
        if std::fs::metadata(&path)?.len() != length {
            file.truncate(length)?;
        }
        // Also makes durable what a crash of the process left in the cache.
        file.sync()?;
        Ok(Self { file, path, first, length, allocated: length })
    }
}

/// Whether an error says that the disk, or what may be used of it, is full.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The name of the segment that starts at `first`.
pub(crate) fn file_name(first: Revision) -> String {
    format!("{:020}.journal", first.0)
}

/// Undoes [`file_name`].
pub(crate) fn first_of(name: &str) -> Option<Revision> {
    let digits = name.strip_suffix(".journal")?;
    (digits.len() == 20).then(|| digits.parse().ok().map(Revision))?
}
