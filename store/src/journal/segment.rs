//! A file of the journal, and how its end is judged after a crash.

use super::record::{self, Record};
use crate::Revision;

/// The version of everything that a store keeps in files: journal, marks,
/// checkpoint, backups. A store of a later one is refused; one of an earlier one is read, and
/// its mark, by which older programs judge it, is replaced when it is opened.
///
/// | format | what is different |
/// |---|---|
/// | 1 | the mark has no lineage |
/// | 2 | the mark has one |
/// | 3 | pages of the checkpoint are compressed; zeros may follow the records of a segment |
pub(crate) const FORMAT: u32 = 3;
/// The oldest that is read.
pub(crate) const FORMAT_OLDEST: u32 = 1;

pub(crate) const HEADER: usize = 32;
const MAGIC: &[u8; 8] = b"MIP4JRNL";
/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// The header of a segment: magic, format, first revision, checksum.
pub(crate) fn header(first: Revision) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    let mut octets = Vec::with_capacity(HEADER);
    octets.extend(MAGIC);
    octets.extend(FORMAT.to_be_bytes());
    octets.extend([0; 4]);
    octets.extend(first.0.to_be_bytes());
    octets.extend(crc32c::crc32c(&octets).to_be_bytes());
    octets.resize(HEADER, 0);
    header.copy_from_slice(&octets);
    header
}

/// Whether this version reads files of `format`.
pub(crate) fn is_known(format: u32) -> bool {
    (FORMAT_OLDEST..=FORMAT).contains(&format)
}

/// What is wrong with a header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum HeaderFault {
    /// Shorter than a header, or holes in it: it was never synced.
    Torn,
    Damaged,
    Format(u32),
}

/// The first revision that a segment's header names.
pub(crate) fn parse_header(octets: &[u8]) -> Result<Revision, HeaderFault> {
    let Some(found) = octets.first_chunk::<HEADER>() else { return Err(HeaderFault::Torn) };
    if found.iter().all(|octet| *octet == 0) {
        return Err(HeaderFault::Torn);
    }
    let ([magic @ .., _, _, _, _, _, _, _, _], _) = found.split_at(24) else {
        return Err(HeaderFault::Damaged);
    };
    let stated =
        found.get(24..).and_then(|rest| rest.first_chunk()).copied().map(u32::from_be_bytes);
    if !magic.starts_with(MAGIC) || stated != Some(crc32c::crc32c(&found[..24])) {
        return Err(HeaderFault::Damaged);
    }
    let format =
        magic.get(8..).and_then(|rest| rest.first_chunk()).copied().map(u32::from_be_bytes);
    if !format.is_some_and(is_known) {
        return Err(HeaderFault::Format(format.unwrap_or(0)));
    }
    let first = found.get(16..).and_then(|rest| rest.first_chunk()).copied();
    first.map(|first| Revision(u64::from_be_bytes(first))).ok_or(HeaderFault::Damaged)
}

/// How the records of a segment end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// With the file, or with zeros up to its end, which are room for more.
    Whole,
    /// With writes that were never synced, which nobody was promised.
    Torn,
    /// With something that was once whole.
    Damaged(&'static str),
}

/// What a segment holds.
#[derive(Clone, Debug)]
pub(crate) struct Scan {
    /// The last revision of the good part.
    pub(crate) last: Revision,
    /// Where the good part ends.
    pub(crate) length: usize,
    pub(crate) end: End,
    /// How much was written behind the good part and never synced.
    pub(crate) torn: usize,
    /// The highest revision that anything in the file proves to have been written.
    pub(crate) written: Revision,
}

/// Walks the records of a segment that starts at `first` and hands each to `each`.
///
/// `mark` is the last revision that was synced for certain.
pub(crate) fn scan<'a>(
    octets: &'a [u8],
    first: Revision,
    mark: Revision,
    mut each: impl FnMut(Record<'a>),
) -> Scan {
    let mut last = Revision(first.0.saturating_sub(1));
    let mut length = HEADER;
    let written = without_zeros(octets).len();
    loop {
        let rest = octets.get(length..).unwrap_or_default();
        let torn = written.saturating_sub(length);
        if torn == 0 && (rest.is_empty() || last >= mark) {
            return Scan { last, length, end: End::Whole, torn, written: last };
        }
        match Record::parse(rest, first.0) {
            Some(record) if record.header.revision == last.next() => {
                last = record.header.revision;
                length += record.length;
                each(record);
            }
            Some(record) => {
                let written = record.header.revision.max(last);
                let end = End::Damaged("the record there is out of order");
                return Scan { last, length, end, torn, written };
            }
            None => {
                let (end, written) = judge(octets, length, first, last.next(), mark);
                return Scan { last, length, end, torn, written: written.max(last) };
            }
        }
    }
}

/// Whether the octets from `offset` on, where no good record starts, were ever whole.
///
/// A crash leaves sectors unwritten: the file ends early, or a sector is all
/// zero. A record that is bad in any other way was changed after it was written.
fn judge(
    octets: &[u8],
    offset: usize,
    first: Revision,
    missing: Revision,
    mark: Revision,
) -> (End, Revision) {
    if missing <= mark {
        return (End::Damaged("the record there is bad but was synced"), mark);
    }
    let rest = octets.get(offset..).unwrap_or_default();
    let next = next_record(rest, first.0);
    if let Some((_, record)) = next
        && record.header.synced >= missing
    {
        let end = End::Damaged("the record there is bad, and later ones say it was synced");
        return (end, record.header.revision);
    }
    let written = next.map_or(missing, |(_, record)| record.header.revision);
    let bad =
        next.and_then(|(at, _)| rest.get(..at)).unwrap_or_else(|| without_room(rest, first.0));
    let ends_early = next.is_none()
        && !Record::is_whole_but_length(bad, first.0)
        && record::declared_length(bad).is_none_or(|length| {
            usize::try_from(length).is_ok_and(|length| {
                length <= record::PAYLOAD_MAX && length > bad.len().saturating_sub(record::HEADER)
            })
        });
    if ends_early || has_unwritten_sector(bad, offset) {
        (End::Torn, written)
    } else {
        (End::Damaged("the record there is bad but no part of it is missing"), written)
    }
}

/// The octets before the zeros at their end.
fn without_zeros(octets: &[u8]) -> &[u8] {
    let end = octets.iter().rposition(|octet| *octet != 0).map_or(0, |last| last + 1);
    octets.get(..end).unwrap_or(octets)
}

/// The last record of a file, without the zeros behind it that are room for more.
///
/// It ends where it says, unless that is what is wrong with it.
fn without_room(octets: &[u8], salt: u64) -> &[u8] {
    let written = without_zeros(octets);
    if Record::is_whole_but_length(written, salt) {
        return written;
    }
    let declared = record::declared_length(octets).and_then(|length| usize::try_from(length).ok());
    let declared = declared.filter(|length| *length <= record::PAYLOAD_MAX);
    let stated = declared.map_or(0, |length| record::HEADER + length);
    octets.get(..stated.min(octets.len()).max(written.len())).unwrap_or(octets)
}

/// The first good record behind a bad one, and where it starts.
fn next_record(octets: &[u8], salt: u64) -> Option<(usize, Record<'_>)> {
    let starts =
        octets.iter().enumerate().skip(1).filter(|(_, octet)| record::could_start(**octet));
    // A length that is plausible by chance costs a checksum over as much; bound the sum of them.
    let mut budget = 64 * 1024 * 1024_usize;
    for (at, _) in starts {
        let tail = octets.get(at..)?;
        let length = record::declared_length(tail).and_then(|length| usize::try_from(length).ok());
        if length.is_some_and(|length| length < tail.len()) {
            budget = budget.checked_sub(length.unwrap_or(0))?;
        }
        if let Some(record) = Record::parse(tail, salt) {
            return Some((at, record));
        }
    }
    None
}

/// Whether a sector that lies in `octets`, or the end of the one they start in, is all zero.
fn has_unwritten_sector(octets: &[u8], offset: usize) -> bool {
    let head = SECTOR - offset % SECTOR;
    let (head, rest) = octets.split_at(head.min(octets.len()));
    std::iter::once(head)
        .chain(rest.chunks(SECTOR))
        .any(|sector| !sector.is_empty() && sector.iter().all(|octet| *octet == 0))
}
