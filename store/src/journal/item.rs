//! Rows as octets: what records of the journal and pages of the checkpoint hold.
//!
//! ```text
//! kind (1 put, 2 delete) · path length u16 · path
//! and for a put: created u64 · modified u64 · version u64 · value length u32 · value
//! ```
//!
//! All numbers are big-endian. The value of a row is its JSON; that of a
//! secret is sealed.

use std::sync::Arc;

use crate::{Revision, Stamp};

/// The kinds of items.
const PUT: u8 = 1;
const DELETE: u8 = 2;

/// How long a stamp is.
const STAMP: usize = 24;

/// The longest path: keys hold at most one NAI, of 255 octets, escaped.
pub(crate) const PATH_MAX: usize = 4096;
/// The longest value, so that a page of the checkpoint stays small.
pub(crate) const VALUE_MAX: usize = 32 * 1024;

/// One row, or its absence, as it is stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Item<'a> {
    pub(crate) path: &'a str,
    /// `None` if the row was deleted.
    pub(crate) put: Option<(Stamp, &'a [u8])>,
}

/// A sealed secret in memory.
#[derive(Clone, Debug)]
pub(crate) struct Sealed {
    pub(crate) octets: Arc<[u8]>,
    pub(crate) stamp: Stamp,
}

/// The octets are not items.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the items in it are malformed")]
pub(crate) struct Malformed;

impl<'a> Item<'a> {
    pub(crate) fn emit(&self, out: &mut Vec<u8>) {
        emit_path(if self.put.is_some() { PUT } else { DELETE }, self.path, out);
        if let Some((stamp, value)) = self.put {
            out.extend(stamp_octets(stamp));
            out.extend(u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend(value);
        }
    }

    /// Appends the item of a row that is deleted.
    pub(crate) fn emit_delete(path: &str, out: &mut Vec<u8>) {
        emit_path(DELETE, path, out);
    }

    /// Appends the item of a row whose value `write` appends and whose stamp is not known yet.
    pub(crate) fn emit_put<E>(
        path: &str,
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<Unstamped, E> {
        emit_path(PUT, path, out);
        let at = out.len();
        out.extend([0; STAMP + 4]);
        let start = out.len();
        write(out)?;
        let value = out.len() - start;
        let length = u32::try_from(value).unwrap_or(u32::MAX).to_be_bytes();
        if let Some(place) = out.get_mut(at + STAMP..start) {
            place.copy_from_slice(&length);
        }
        Ok(Unstamped { at, value })
    }

    /// Takes one item from the front of `octets`.
    pub(crate) fn parse(octets: &mut &'a [u8]) -> Result<Self, Malformed> {
        let kind = take::<1>(octets)?;
        let length = usize::from(u16::from_be_bytes(take(octets)?));
        let path = std::str::from_utf8(split(octets, length)?).map_err(|_| Malformed)?;
        let put = match kind {
            [PUT] => {
                let created = Revision(u64::from_be_bytes(take(octets)?));
                let modified = Revision(u64::from_be_bytes(take(octets)?));
                let version = u64::from_be_bytes(take(octets)?);
                let length = u32::from_be_bytes(take(octets)?);
                let value = split(octets, usize::try_from(length).map_err(|_| Malformed)?)?;
                Some((Stamp { created, modified, version }, value))
            }
            [DELETE] => None,
            _ => return Err(Malformed),
        };
        Ok(Self { path, put })
    }

    /// Parses all of `octets`.
    pub(crate) fn parse_all(
        mut octets: &'a [u8],
    ) -> impl Iterator<Item = Result<Item<'a>, Malformed>> {
        std::iter::from_fn(move || {
            if octets.is_empty() {
                return None;
            }
            let item = Self::parse(&mut octets);
            if item.is_err() {
                octets = &[];
            }
            Some(item)
        })
    }
}

/// An item that [`Item::emit_put`] appended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unstamped {
    /// Where in the octets its stamp belongs.
    pub(crate) at: usize,
    /// How long its value is.
    pub(crate) value: usize,
}

/// Writes a stamp where it belongs.
pub(crate) fn set_stamp(octets: &mut [u8], at: usize, stamp: Stamp) {
    if let Some(place) = octets.get_mut(at..at + STAMP) {
        place.copy_from_slice(&stamp_octets(stamp));
    }
}

fn emit_path(kind: u8, path: &str, out: &mut Vec<u8>) {
    out.push(kind);
    let length = u16::try_from(path.len()).unwrap_or(u16::MAX);
    out.extend(length.to_be_bytes());
    out.extend(path.as_bytes());
}

fn stamp_octets(stamp: Stamp) -> [u8; STAMP] {
    let mut octets = [0; STAMP];
    let fields = [stamp.created.0, stamp.modified.0, stamp.version];
    for (place, field) in octets.as_chunks_mut::<8>().0.iter_mut().zip(fields) {
        *place = field.to_be_bytes();
    }
    octets
}

fn take<const N: usize>(octets: &mut &[u8]) -> Result<[u8; N], Malformed> {
    let (first, rest) = octets.split_first_chunk().ok_or(Malformed)?;
    *octets = rest;
    Ok(*first)
}

fn split<'a>(octets: &mut &'a [u8], length: usize) -> Result<&'a [u8], Malformed> {
    let (first, rest) = octets.split_at_checked(length).ok_or(Malformed)?;
    *octets = rest;
    Ok(first)
}
