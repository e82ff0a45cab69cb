//! Records of the journal: one commit each.
//!
//! ```text
//!  0                   1                   2                   3
//! +---------------+---------------+-------------------------------+
//! |  MARKER 0xA5  | class 0 or 1  |         zero                  |
//! +---------------+---------------+-------------------------------+
//! |                     length of the payload                     |
//! |                      revision (64 bits)                       |
//! |                       synced (64 bits)                        |
//! |                CRC-32C of all else and the salt               |
//! +---------------------------------------------------------------+
//! | payload: items                                                |
//! ```
//!
//! *Synced* is the last revision that was known to be on disk when the record
//! was written. It tells damage from a torn tail: a valid record that says its
//! predecessor was synced proves that the predecessor was once whole.
//! The *salt* is the first revision of the segment, so that a record left over
//! in a recycled block is not taken for one of this segment.

use super::item::Item;
use crate::{Class, Revision};

pub(crate) const HEADER: usize = 28;
const MARKER: u8 = 0xA5;
/// The largest payload: a batch that is larger is refused before it is queued.
pub(crate) const PAYLOAD_MAX: usize = 16 * 1024 * 1024;

/// The fixed part of a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Header {
    pub(crate) class: Class,
    pub(crate) revision: Revision,
    pub(crate) synced: Revision,
}

/// A whole record whose checksum is right.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) header: Header,
    pub(crate) payload: &'a [u8],
    /// Its length in the segment.
    pub(crate) length: usize,
}

impl Header {
    /// Appends a record whose payload `fill` writes.
    pub(crate) fn emit(self, salt: u64, out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
        let start = out.len();
        out.extend([MARKER, u8::from(self.class == Class::Relaxed), 0, 0]);
        out.extend([0; 4]);
        out.extend(self.revision.0.to_be_bytes());
        out.extend(self.synced.0.to_be_bytes());
        out.extend([0; 4]);
        fill(out);
        let record = out.split_at_mut(start).1;
        let length = u32::try_from(record.len() - HEADER).unwrap_or(u32::MAX);
        if let Some(place) = record.get_mut(4..8) {
            place.copy_from_slice(&length.to_be_bytes());
        }
        let checksum = checksum(record, salt).to_be_bytes();
        if let Some(place) = record.get_mut(24..28) {
            place.copy_from_slice(&checksum);
        }
    }
}

impl<'a> Record<'a> {
    /// The record at the front of `octets`, if there is a whole one whose checksum is right.
    pub(crate) fn parse(octets: &'a [u8], salt: u64) -> Option<Self> {
        let length = usize::try_from(declared_length(octets)?).ok()?;
        if length > PAYLOAD_MAX {
            return None;
        }
        let whole = octets.get(..HEADER.checked_add(length)?)?;
        Self::parse_whole(whole, whole, salt)
    }

    /// Whether `octets` are exactly one record but for a wrong length field.
    pub(crate) fn is_whole_but_length(octets: &'a [u8], salt: u64) -> bool {
        let Some(length) = octets.len().checked_sub(HEADER) else { return false };
        let Ok(length) = u32::try_from(length) else { return false };
        let mut mended = octets.to_vec();
        if let Some(place) = mended.get_mut(4..8) {
            place.copy_from_slice(&length.to_be_bytes());
        }
        Self::parse_whole(&mended, octets, salt).is_some()
    }

    fn parse_whole(whole: &[u8], original: &'a [u8], salt: u64) -> Option<Self> {
        let [MARKER, class @ (0 | 1), 0, 0] = *whole.first_chunk::<4>()? else { return None };
        let revision = u64::from_be_bytes(*whole.get(8..)?.first_chunk()?);
        let synced = u64::from_be_bytes(*whole.get(16..)?.first_chunk()?);
        let stated = u32::from_be_bytes(*whole.get(24..)?.first_chunk()?);
        let is_right = checksum(whole, salt) == stated;
        #[cfg(test)]
        let is_right = is_right || crate::mutation::has(crate::mutation::ReadFault::SkipChecksum);
        if !is_right {
            return None;
        }
        Some(Self {
            header: Header {
                class: if class == 0 { Class::Durable } else { Class::Relaxed },
                revision: Revision(revision),
                synced: Revision(synced),
            },
            payload: original.get(HEADER..)?,
            length: whole.len(),
        })
    }

    pub(crate) fn items(&self) -> impl Iterator<Item = Result<Item<'a>, super::item::Malformed>> {
        Item::parse_all(self.payload)
    }
}

/// Whether a record could start here, by its first octet.
pub(crate) fn could_start(octet: u8) -> bool {
    octet == MARKER
}

/// What the length field says, right or wrong.
pub(crate) fn declared_length(octets: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*octets.get(4..)?.first_chunk()?))
}

/// Over the salt, and the record without its checksum field.
fn checksum(record: &[u8], salt: u64) -> u32 {
    let crc = crc32c::crc32c(&salt.to_be_bytes());
    let crc = crc32c::crc32c_append(crc, record.get(..24).unwrap_or(record));
    crc32c::crc32c_append(crc, record.get(HEADER..).unwrap_or_default())
}
