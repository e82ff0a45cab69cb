//! Object identifiers, without an allocation for those that managers ask for.

use std::fmt;
use std::ops::Deref;

/// How many sub-identifiers are held in place: enough for every instance whose
/// index is two addresses, and for most with a short identifier.
const INLINE: usize = 30;

/// An object identifier, or a part of one.
///
/// It derefs to its sub-identifiers, whose order is that of a walk.
pub struct Oid(Repr);

enum Repr {
    Inline { len: u8, sub_ids: [u32; INLINE] },
    Heap(Vec<u32>),
}

impl Oid {
    /// The most sub-identifiers that an object identifier may have (RFC 2578 §3.5).
    pub const LEN_MAX: usize = 128;

    pub const fn new() -> Self {
        Self(Repr::Inline { len: 0, sub_ids: [0; INLINE] })
    }

    /// Appends one sub-identifier.
    pub fn push(&mut self, sub_id: u32) {
        self.extend_from_slice(&[sub_id]);
    }

    /// Appends `tail`.
    pub fn extend_from_slice(&mut self, tail: &[u32]) {
        match &mut self.0 {
            Repr::Heap(sub_ids) => sub_ids.extend_from_slice(tail),
            Repr::Inline { len, sub_ids } => {
                let start = usize::from(*len);
                let end = start + tail.len();
                match (sub_ids.get_mut(start..end), u8::try_from(end)) {
                    (Some(free), Ok(end)) => {
                        free.copy_from_slice(tail);
                        *len = end;
                    }
                    _ => {
                        let mut heap = Vec::with_capacity(end.max(2 * INLINE));
                        heap.extend_from_slice(self);
                        heap.extend_from_slice(tail);
                        self.0 = Repr::Heap(heap);
                    }
                }
            }
        }
    }

    /// Appends octets, one sub-identifier each.
    pub fn extend_from_octets(&mut self, octets: &[u8]) {
        // Four at a time: addresses are most of what indexes are made of.
        let (quads, rest) = octets.as_chunks::<4>();
        for quad in quads {
            self.extend_from_slice(&quad.map(u32::from));
        }
        for &octet in rest {
            self.push(octet.into());
        }
    }

    /// Keeps the first `len` sub-identifiers; no effect if there are no more.
    pub fn truncate(&mut self, len: usize) {
        match &mut self.0 {
            Repr::Heap(sub_ids) => sub_ids.truncate(len),
            Repr::Inline { len: own, .. } => *own = u8::try_from(len).unwrap_or(*own).min(*own),
        }
    }

    /// Whether it comes after `other` in the order of a walk.
    ///
    /// Names that follow each other begin alike, so what is alike is passed over by eights.
    pub(crate) fn is_after(&self, other: &[u32]) -> bool {
        let (mut own, mut other) = (self.as_slice(), other);
        while let (Some((head, rest)), Some((other_head, other_rest))) =
            (own.split_first_chunk::<8>(), other.split_first_chunk::<8>())
        {
            if head != other_head {
                break;
            }
            (own, other) = (rest, other_rest);
        }
        own > other
    }

    pub fn as_slice(&self) -> &[u32] {
        match &self.0 {
            Repr::Inline { len, sub_ids } => sub_ids.get(..usize::from(*len)).unwrap_or(sub_ids),
            Repr::Heap(sub_ids) => sub_ids,
        }
    }
}

impl Clone for Oid {
    fn clone(&self) -> Self {
        match &self.0 {
            Repr::Heap(sub_ids) => Self(Repr::Heap(sub_ids.clone())),
            Repr::Inline { .. } => Self::from(self.as_slice()),
        }
    }

    /// Copies what there is, not the room around it: walks do this for every variable.
    fn clone_from(&mut self, source: &Self) {
        self.truncate(0);
        self.extend_from_slice(source);
    }
}

impl Default for Oid {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Oid {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        self.as_slice()
    }
}

impl From<&[u32]> for Oid {
    fn from(sub_ids: &[u32]) -> Self {
        let mut oid = Self::new();
        oid.extend_from_slice(sub_ids);
        oid
    }
}

impl<const N: usize> From<[u32; N]> for Oid {
    fn from(sub_ids: [u32; N]) -> Self {
        Self::from(&sub_ids[..])
    }
}

impl PartialEq for Oid {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Oid {}

impl PartialOrd for Oid {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Oid {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, sub_id) in self.iter().enumerate() {
            let dot = if position == 0 { "" } else { "." };
            write!(f, "{dot}{sub_id}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
