//! Backups: all rows at one revision in a single file.
//!
//! ```text
//! magic "MIP4BKUP" · format u32 · zero u32 · revision u64 · CRC-32C u32
//! page: length u32 (not zero) · CRC-32C u32 · items          … many
//! end:  zero u32 · items u64 · CRC-32C over the checksums of all pages, and the above
//! ```

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::journal::item::Item;
use crate::journal::segment::{FORMAT, is_known};
use crate::local::state::{State, decode};
use crate::progress::Progress;
use crate::{OpenError, Revision, Table};

const MAGIC: &[u8; 8] = b"MIP4BKUP";
const HEADER: usize = 28;
const PAGE: usize = 64 * 1024;

/// What a backup holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Backup {
    pub file: PathBuf,
    pub revision: Revision,
    /// Rows and sealed secrets.
    pub items: u64,
}

/// Writes `state` to the new file `to` and syncs it; leaves nothing behind if that fails.
pub(super) fn write(state: &State, to: &Path, progress: &Progress) -> Result<Backup, OpenError> {
    let failed = |source| OpenError::Io { doing: "write", path: to.to_owned(), source };
    let mut options = fs::OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.write(true).create_new(true).open(to).map_err(failed)?;
    let rows: usize = Table::ALL.iter().map(|table| state.snapshot.tables.count(*table)).sum();
    let items = u64::try_from(rows + state.secrets.len()).unwrap_or(0);
    progress.begin("writing the backup", items);
    let written = write_to(state, &file, progress).and_then(|items| {
        file.sync_all()?;
        let folder = to.parent().filter(|parent| !parent.as_os_str().is_empty());
        fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(items)
    });
    if written.is_err() {
        let _ = fs::remove_file(to);
    }
    let items = written.map_err(failed)?;
    Ok(Backup { file: to.to_owned(), revision: state.snapshot.revision, items })
}

fn write_to(state: &State, file: &fs::File, progress: &Progress) -> io::Result<u64> {
    let mut file = io::BufWriter::new(file);
    let mut header = [&MAGIC[..], &FORMAT.to_be_bytes(), &[0; 4]].concat();
    header.extend(state.snapshot.revision.0.to_be_bytes());
    header.extend(crc32c::crc32c(&header).to_be_bytes());
    file.write_all(&header)?;
    let mut all = 0;
    let mut items = 0_u64;
    let mut page = Vec::with_capacity(PAGE * 2);
    let mut flush = |page: &mut Vec<u8>| {
        let checksum = crc32c::crc32c(page).to_be_bytes();
        all = crc32c::crc32c_append(all, &checksum);
        file.write_all(&u32::try_from(page.len()).map_err(io::Error::other)?.to_be_bytes())?;
        file.write_all(&checksum)?;
        file.write_all(page)?;
        page.clear();
        io::Result::Ok(())
    };
    state.each(&mut |item| {
        item.emit(&mut page);
        items += 1;
        progress.advance(1);
        if page.len() >= PAGE { flush(&mut page) } else { Ok(()) }
    })?;
    if !page.is_empty() {
        flush(&mut page)?;
    }
    let mut end = [&[0; 4][..], &items.to_be_bytes()].concat();
    end.extend(crc32c::crc32c_append(all, &end).to_be_bytes());
    file.write_all(&end)?;
    file.flush()?;
    Ok(items)
}

/// Reads and verifies the backup at `path`.
pub(super) fn read(path: &Path, progress: &Progress) -> Result<State, OpenError> {
    let octets = fs::read(path).map_err(|source| OpenError::Io {
        doing: "read",
        path: path.to_owned(),
        source,
    })?;
    let damaged = |offset: usize, what: &str, written: Revision| OpenError::Damaged {
        file: path.to_owned(),
        offset: u64::try_from(offset).unwrap_or(0),
        what: what.to_owned(),
        good: Revision(0),
        written,
    };
    let revision = parse_header(&octets)
        .ok_or_else(|| damaged(0, "it is no backup, or its header is bad", Revision(0)))?;
    let found = octets.get(8..).and_then(|rest| rest.first_chunk()).copied();
    let found = u32::from_be_bytes(found.unwrap_or_default());
    if !is_known(found) {
        return Err(OpenError::Format { file: path.to_owned(), found, known: FORMAT });
    }
    progress.begin("reading the backup", u64::try_from(octets.len()).unwrap_or(0));
    let mut state = State::default();
    let mut rest = octets.get(HEADER..).unwrap_or_default();
    let (mut all, mut items) = (0, 0_u64);
    loop {
        let offset = octets.len() - rest.len();
        let fault = |what: &str| damaged(offset, what, revision);
        let (length, tail) = rest.split_first_chunk().ok_or_else(|| fault("it ends early"))?;
        let length = u32::from_be_bytes(*length);
        if length == 0 {
            let end = rest.first_chunk::<16>().filter(|_| rest.len() == 16);
            let end = end.ok_or_else(|| fault("its end is bad"))?;
            return if is_end(end, all, items) {
                state.snapshot.revision = revision;
                Ok(state)
            } else {
                Err(fault("its pages are not those it was made of"))
            };
        }
        let (stated, tail) = tail.split_first_chunk().ok_or_else(|| fault("it ends early"))?;
        let length = usize::try_from(length).map_err(|_| fault("a page is too long"))?;
        let (page, tail) = tail.split_at_checked(length).ok_or_else(|| fault("it ends early"))?;
        if crc32c::crc32c(page) != u32::from_be_bytes(*stated) {
            return Err(fault("the checksum of the page there is wrong"));
        }
        all = crc32c::crc32c_append(all, stated);
        for item in Item::parse_all(page) {
            let decoded = item.map_err(Into::into).and_then(|item| decode(&item));
            state.restore(decoded.map_err(|error| fault(&error.to_string()))?);
            items += 1;
        }
        progress.advance(u64::try_from(rest.len() - tail.len()).unwrap_or(0));
        rest = tail;
    }
}

fn parse_header(octets: &[u8]) -> Option<Revision> {
    let (header, stated) = octets.first_chunk::<HEADER>()?.split_last_chunk::<4>()?;
    let whole = header.starts_with(MAGIC) && crc32c::crc32c(header) == u32::from_be_bytes(*stated);
    let revision = u64::from_be_bytes(*header.get(16..)?.first_chunk()?);
    whole.then_some(Revision(revision))
}

fn is_end(end: &[u8; 16], all: u32, items: u64) -> bool {
    let ([body @ .., _, _, _, _], Some(stated)) = (end, end.last_chunk::<4>()) else {
        return false;
    };
    let counted = body.get(4..) == Some(&items.to_be_bytes()[..]);
    counted && crc32c::crc32c_append(all, body) == u32::from_be_bytes(*stated)
}
