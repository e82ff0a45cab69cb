//! Makes messages without knowing lengths in advance.

use super::tag;
use crate::value::Value;

/// Room for what is put in front of the variable bindings; more is found if it is too small.
const HEADROOM: usize = 512;

/// A message in the making, in a buffer that is used again and again.
///
/// ```text
///  buffer: [ headroom | headers <- | variable bindings -> ]
///                       start
/// ```
#[derive(Debug, Default)]
pub(crate) struct Writer {
    buffer: Vec<u8>,
    start: usize,
}

impl Writer {
    /// Forgets what was written; the buffer stays.
    pub(crate) fn clear(&mut self) {
        self.buffer.clear();
        self.buffer.resize(HEADROOM, 0);
        self.start = HEADROOM;
    }

    pub(crate) fn len(&self) -> usize {
        self.buffer.len() - self.start
    }

    pub(crate) fn octets(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    pub(crate) fn octets_mut(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.start..).unwrap_or_default()
    }

    /// Takes back what was appended after the length was `len`.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.buffer.truncate(self.start + len);
    }

    /// Appends octets at the end.
    pub(crate) fn append(&mut self, octets: &[u8]) {
        self.buffer.extend_from_slice(octets);
    }

    /// Appends a `VarBind` with a value.
    pub(crate) fn append_variable(&mut self, name: &[u32], value: &Value) {
        nest(&mut self.buffer, tag::SEQUENCE, |buffer| {
            nest(buffer, tag::OBJECT_IDENTIFIER, |buffer| push_object_identifier(buffer, name));
            push_value(buffer, value);
        });
    }

    /// Appends a `VarBind` with an exception, or NULL, for value.
    pub(crate) fn append_empty(&mut self, name: &[u32], tag: u8) {
        nest(&mut self.buffer, tag::SEQUENCE, |buffer| {
            nest(buffer, tag::OBJECT_IDENTIFIER, |buffer| push_object_identifier(buffer, name));
            buffer.extend([tag, 0]);
        });
    }

    /// Puts octets in front.
    pub(crate) fn prepend(&mut self, octets: &[u8]) {
        if self.start < octets.len() {
            let more = octets.len() + HEADROOM;
            self.buffer.splice(0..0, std::iter::repeat_n(0, more));
            self.start += more;
        }
        self.start -= octets.len();
        if let Some(place) = self.buffer.get_mut(self.start..self.start + octets.len()) {
            place.copy_from_slice(octets);
        }
    }

    /// Puts an INTEGER in front.
    pub(crate) fn prepend_integer(&mut self, value: i32) {
        let (octets, skip) = minimal(value.into());
        self.prepend(octets.get(skip..).unwrap_or_default());
        self.prepend_header(tag::INTEGER, octets.len() - skip);
    }

    /// Puts any value in front.
    pub(crate) fn prepend_value(&mut self, value: &Value) {
        let mut octets = Vec::new();
        push_value(&mut octets, value);
        self.prepend(&octets);
    }

    /// Puts an OCTET STRING in front.
    pub(crate) fn prepend_octet_string(&mut self, octets: &[u8]) {
        self.prepend(octets);
        self.prepend_header(tag::OCTET_STRING, octets.len());
    }

    /// Makes all but the last `after` octets the content of a TLV.
    pub(crate) fn wrap(&mut self, tag: u8, after: usize) {
        self.prepend_header(tag, self.len() - after);
    }

    fn prepend_header(&mut self, tag: u8, length: usize) {
        let (octets, skip) = length_octets(length);
        self.prepend(octets.get(skip..).unwrap_or_default());
        self.prepend(&[tag]);
    }
}

/// Appends a TLV whose content `write` appends.
pub(crate) fn nest(buffer: &mut Vec<u8>, tag: u8, write: impl FnOnce(&mut Vec<u8>)) {
    buffer.extend([tag, 0]);
    let start = buffer.len();
    write(buffer);
    let (octets, skip) = length_octets(buffer.len() - start);
    let octets = octets.get(skip..).unwrap_or_default();
    if let [short] = octets {
        if let Some(place) = buffer.get_mut(start - 1) {
            *place = *short;
        }
    } else {
        buffer.splice(start - 1..start, octets.iter().copied());
    }
}

/// The length octets, right-aligned, and how many to skip.
fn length_octets(length: usize) -> ([u8; 5], usize) {
    // No datagram or buffer here comes near 2³² octets.
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    let [a, b, c, d] = length.to_be_bytes();
    match length {
        0..0x80 => ([0, 0, 0, 0, d], 4),
        0x80..0x100 => ([0, 0, 0, 0x81, d], 3),
        0x100..0x1_0000 => ([0, 0, 0x82, c, d], 2),
        0x1_0000..0x100_0000 => ([0, 0x83, b, c, d], 1),
        _ => ([0x84, a, b, c, d], 0),
    }
}

/// The two's complement octets of `value`, right-aligned, and how many are redundant.
fn minimal(value: i64) -> ([u8; 8], usize) {
    let octets = value.to_be_bytes();
    let magnitude = if value < 0 { !value } else { value };
    // One bit more than the magnitude, for the sign.
    let bits = 65 - magnitude.leading_zeros();
    let needed = usize::try_from(bits.div_ceil(8)).unwrap_or(8);
    (octets, 8 - needed.min(8))
}

fn push_value(buffer: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Integer32(value) => push_integer(buffer, tag::INTEGER, i64::from(*value)),
        Value::Counter32(value) => push_integer(buffer, tag::COUNTER32, i64::from(*value)),
        Value::Gauge32(value) => push_integer(buffer, tag::GAUGE32, i64::from(*value)),
        Value::TimeTicks(value) => push_integer(buffer, tag::TIME_TICKS, i64::from(*value)),
        Value::Counter64(value) => push_counter64(buffer, *value),
        Value::OctetString(octets) => {
            nest(buffer, tag::OCTET_STRING, |buffer| buffer.extend_from_slice(octets));
        }
        Value::ObjectIdentifier(oid) => {
            nest(buffer, tag::OBJECT_IDENTIFIER, |buffer| push_object_identifier(buffer, oid));
        }
        Value::IpAddress(octets) => {
            buffer.extend([tag::IP_ADDRESS, 4]);
            buffer.extend(octets);
        }
    }
}

fn push_integer(buffer: &mut Vec<u8>, tag: u8, value: i64) {
    let (octets, skip) = minimal(value);
    buffer.push(tag);
    buffer.extend(u8::try_from(octets.len() - skip));
    buffer.extend_from_slice(octets.get(skip..).unwrap_or_default());
}

fn push_counter64(buffer: &mut Vec<u8>, value: u64) {
    if let Ok(value) = i64::try_from(value) {
        return push_integer(buffer, tag::COUNTER64, value);
    }
    buffer.extend([tag::COUNTER64, 9, 0]);
    buffer.extend(value.to_be_bytes());
}

fn push_object_identifier(buffer: &mut Vec<u8>, name: &[u32]) {
    let (first, rest) = match name {
        [] => (0, name),
        [one] => (u64::from(*one) * 40, &[][..]),
        [one, two, rest @ ..] => (u64::from(*one) * 40 + u64::from(*two), rest),
    };
    push_sub_identifier(buffer, first);
    let mut rest = rest;
    while !rest.is_empty() {
        let (some, later) = rest.split_at(rest.len().min(GATHERED));
        push_gathered(buffer, some);
        rest = later;
    }
}

/// How many sub-identifiers are gathered before they are appended.
const GATHERED: usize = 32;

/// Appends no more than [`GATHERED`] sub-identifiers, in one piece as far as they are short: names
/// are most of what a walk writes.
fn push_gathered(buffer: &mut Vec<u8>, sub_ids: &[u32]) {
    let mut octets = [0; 2 * GATHERED];
    let mut len = 0;
    for sub_id in sub_ids {
        let [low, next, ..] = sub_id.to_le_bytes();
        match sub_id {
            0..0x80 => {
                if let Some(place) = octets.get_mut(len) {
                    *place = low;
                }
                len += 1;
            }
            0x80..0x4000 => {
                if let Some([high_place, low_place]) = octets.get_mut(len..len + 2) {
                    *high_place = 0x80 | (next << 1) | (low >> 7);
                    *low_place = low & 0x7f;
                }
                len += 2;
            }
            _ => {
                buffer.extend_from_slice(octets.get(..len).unwrap_or_default());
                len = 0;
                push_sub_identifier(buffer, (*sub_id).into());
            }
        }
    }
    buffer.extend_from_slice(octets.get(..len).unwrap_or_default());
}

fn push_sub_identifier(buffer: &mut Vec<u8>, value: u64) {
    let digit = |shift: u32| {
        let [low, ..] = (value >> shift).to_le_bytes();
        low & 0x7f
    };
    match value {
        // What most names are made of goes without a loop.
        0..0x80 => buffer.push(digit(0)),
        0x80..0x4000 => buffer.extend_from_slice(&[digit(7) | 0x80, digit(0)]),
        _ => {
            let digits = (value.ilog2() / 7) + 1;
            for place in (1..digits).rev() {
                buffer.push(digit(place * 7) | 0x80);
            }
            buffer.push(digit(0));
        }
    }
}
