//! Reading a journal without changing anything.

use std::io;
use std::path::{Path, PathBuf};

use super::record::Record;
use super::segment::{self, End, HeaderFault};
use crate::{OpenError, Revision};

/// What a journal consists of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    pub(crate) segments: Vec<Segment>,
    /// Segments that were never synced, not even their headers.
    pub(crate) stillborn: Vec<PathBuf>,
    /// The last revision, of the journal or of the checkpoint before it.
    pub(crate) last: Revision,
    /// The octets that were never synced, to be cut off.
    pub(crate) torn: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    pub(crate) first: Revision,
    pub(crate) last: Revision,
    /// How much of the file is good.
    pub(crate) length: u64,
    /// How much was written behind that and never synced.
    torn: u64,
}

/// Verifies every record in `directory` and hands those after `checkpoint` to `each`, in order.
///
/// `mark` is the last revision that was synced for certain: less than that is damage.
pub(crate) fn read(
    directory: &Path,
    checkpoint: Revision,
    mark: Revision,
    mut each: impl FnMut(&Path, u64, Record<'_>) -> Result<(), OpenError>,
) -> Result<Layout, OpenError> {
    let files = list(directory)?;
    let mut layout = Layout { last: checkpoint, ..Layout::default() };
    for (index, (first, path)) in files.iter().enumerate() {
        let newest = index + 1 == files.len();
        let previous = layout.segments.last().map(|segment| segment.last);
        let expected = previous.map_or(*first, Revision::next);
        let good = previous.unwrap_or(checkpoint);
        let damaged = |offset: u64, what: &str, written: Revision| OpenError::Damaged {
            file: path.clone(),
            offset,
            what: what.to_owned(),
            good,
            written: written.max(mark),
        };
        if *first > good.next() || *first != expected {
            return Err(damaged(0, "revisions are missing before it", *first));
        }
        let octets = std::fs::read(path).map_err(|source| OpenError::Io {
            doing: "read",
            path: path.clone(),
            source,
        })?;
        match segment::parse_header(&octets) {
            Ok(stated) if stated == *first => {}
            Err(HeaderFault::Torn) if newest && *first > mark => {
                layout.torn += u64::try_from(octets.len()).unwrap_or(0);
                layout.stillborn.push(path.clone());
                break;
            }
            Err(HeaderFault::Format(found)) => {
                let known = segment::FORMAT;
                return Err(OpenError::Format { file: path.clone(), found, known });
            }
            _ => return Err(damaged(0, "its header is bad", *first)),
        }
        // What comes after belongs to the next one.
        let next = files.get(index + 1).map(|(next, _)| Revision(next.0.saturating_sub(1)));
        let mark = next.map_or(mark, |last| mark.min(last));
        let segment = read_segment(path, &octets, *first, checkpoint, mark, newest, &mut each)?;
        layout.torn += segment.torn;
        layout.last = layout.last.max(segment.last);
        layout.segments.push(segment);
    }
    ends_where_it_should(directory, &layout, mark)?;
    Ok(layout)
}

fn read_segment(
    path: &Path,
    octets: &[u8],
    first: Revision,
    checkpoint: Revision,
    mark: Revision,
    newest: bool,
    each: &mut impl FnMut(&Path, u64, Record<'_>) -> Result<(), OpenError>,
) -> Result<Segment, OpenError> {
    let mut failed = None;
    let mut offset = u64::try_from(segment::HEADER).unwrap_or(0);
    let scan = segment::scan(octets, first, mark, |record| {
        if record.header.revision > checkpoint && failed.is_none() {
            failed = each(path, offset, record).err();
        }
        offset += u64::try_from(record.length).unwrap_or(0);
    });
    let length = u64::try_from(scan.length).unwrap_or(0);
    let damaged = |what: &str| OpenError::Damaged {
        file: path.to_owned(),
        offset: length,
        what: what.to_owned(),
        good: scan.last,
        written: scan.written.max(mark),
    };
    match (&scan.end, failed) {
        (End::Damaged(what), _) => Err(damaged(what)),
        (End::Torn, _) if !newest => Err(damaged("it ends early, and another follows it")),
        (_, Some(error)) => Err(error),
        (End::Whole | End::Torn, None) => {
            let torn = u64::try_from(scan.torn).unwrap_or(0);
            Ok(Segment { path: path.to_owned(), first, last: scan.last, length, torn })
        }
    }
}

fn ends_where_it_should(
    directory: &Path,
    layout: &Layout,
    mark: Revision,
) -> Result<(), OpenError> {
    if layout.last >= mark {
        return Ok(());
    }
    let newest = layout.segments.last();
    Err(OpenError::Damaged {
        file: newest.map_or_else(|| directory.to_owned(), |segment| segment.path.clone()),
        offset: newest.map_or(0, |segment| segment.length),
        what: "it ends before a revision that was synced".to_owned(),
        good: layout.last,
        written: mark,
    })
}

/// The segments in `directory`, in order.
fn list(directory: &Path) -> Result<Vec<(Revision, PathBuf)>, OpenError> {
    let failed = |source| OpenError::Io { doing: "list", path: directory.to_owned(), source };
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if let Some(first) = entry.file_name().to_str().and_then(super::first_of) {
            files.push((first, entry.path()));
        }
    }
    files.sort();
    Ok(files)
}
