//! Values of managed objects.

use std::fmt;
use std::net::Ipv4Addr;
use std::ops::Deref;

use crate::Oid;

/// A value of SMIv2 base type (RFC 2578 §7.1), as a varbind carries it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Value {
    /// `INTEGER` and `Integer32`.
    Integer32(i32),
    Counter32(u32),
    /// `Gauge32` and `Unsigned32`, which share a tag.
    Gauge32(u32),
    TimeTicks(u32),
    Counter64(u64),
    /// `OCTET STRING` and `BITS`.
    OctetString(Octets),
    ObjectIdentifier(Oid),
    IpAddress([u8; 4]),
}

impl Value {
    /// A `TruthValue` (RFC 2579): true is 1, false is 2.
    pub const fn truth(value: bool) -> Self {
        Self::Integer32(if value { 1 } else { 2 })
    }

    /// A `Counter32` from a count that may have grown beyond it: counters wrap.
    pub fn counter32(count: u64) -> Self {
        Self::Counter32(low_half(count))
    }

    /// A `Gauge32`, which stays at its maximum (RFC 2578 §7.1.7).
    pub fn gauge32(amount: u64) -> Self {
        Self::Gauge32(u32::try_from(amount).unwrap_or(u32::MAX))
    }

    pub fn octets(octets: impl AsRef<[u8]>) -> Self {
        Self::OctetString(Octets::from(octets.as_ref()))
    }
}

impl From<Ipv4Addr> for Value {
    fn from(address: Ipv4Addr) -> Self {
        Self::IpAddress(address.octets())
    }
}

/// `count` modulo 2³².
pub(crate) fn low_half(count: u64) -> u32 {
    let [.., a, b, c, d] = count.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// How many octets are held in place; flags, addresses and most identifiers fit.
const INLINE: usize = 22;

/// The octets of a string, without an allocation for short ones.
#[derive(Clone)]
pub struct Octets(Repr);

#[derive(Clone)]
enum Repr {
    Inline { len: u8, octets: [u8; INLINE] },
    Heap(Box<[u8]>),
}

impl From<&[u8]> for Octets {
    fn from(source: &[u8]) -> Self {
        let mut octets = [0; INLINE];
        match (octets.get_mut(..source.len()), u8::try_from(source.len())) {
            (Some(place), Ok(len)) => {
                place.copy_from_slice(source);
                Self(Repr::Inline { len, octets })
            }
            _ => Self(Repr::Heap(source.into())),
        }
    }
}

impl FromIterator<u8> for Octets {
    fn from_iter<T: IntoIterator<Item = u8>>(source: T) -> Self {
        let mut octets = [0; INLINE];
        let mut len = 0_u8;
        let mut source = source.into_iter();
        while let Some(octet) = source.next() {
            let Some(place) = octets.get_mut(usize::from(len)) else {
                let held = octets.into_iter().chain([octet]);
                return Self(Repr::Heap(held.chain(source).collect()));
            };
            *place = octet;
            len += 1;
        }
        Self(Repr::Inline { len, octets })
    }
}

impl Deref for Octets {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { len, octets } => octets.get(..usize::from(*len)).unwrap_or(octets),
            Repr::Heap(octets) => octets,
        }
    }
}

impl PartialEq for Octets {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Octets {}

impl fmt::Debug for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_of_every_length_survive() {
        for len in 0..=300_usize {
            let source: Vec<u8> = (0..len).map(|n| u8::try_from(n % 251).unwrap()).collect();
            assert_eq!(*Octets::from(&source[..]), source[..]);
            assert_eq!(*source.iter().copied().collect::<Octets>(), source[..]);
        }
    }

    #[test]
    fn counters_wrap_and_gauges_latch() {
        let beyond = (1 << 32) + 5;
        assert_eq!(Value::counter32(beyond), Value::Counter32(5));
        assert_eq!(Value::gauge32(beyond), Value::Gauge32(u32::MAX));
    }
}
