//! Indexes made of `MipEntityIdentifierType` and `MipEntityIdentifier`.
//!
//! The identifier is an octet string of variable size, so its length comes
//! first (RFC 2578 §7.7): walk order is kind, length, octets, which is the
//! order of [`Identity`] too.

use std::net::Ipv4Addr;
use std::ops::Bound;

use store::Identity;
use store::wire::Nai;

use super::index;
use crate::{Oid, Value};

#[cfg(test)]
mod tests;

/// `ipaddress(2)` of `MipEntityIdentifierType`.
const IP_ADDRESS: u32 = 2;
/// `nai(3)` of `MipEntityIdentifierType`.
const NAI: u32 = 3;

/// The `MipEntityIdentifierType` of `identity`.
pub(crate) fn kind(identity: &Identity) -> Value {
    Value::Integer32(match identity {
        Identity::Address(_) => 2,
        Identity::Nai(_) => 3,
    })
}

/// The `MipEntityIdentifier` of `identity`: four octets in network order, or
/// the NAI, of which no more than 64 octets fit.
pub(crate) fn identifier(identity: &Identity) -> Value {
    match identity {
        Identity::Address(address) => Value::octets(address.octets()),
        Identity::Nai(nai) => Value::octets(index_octets(nai)),
    }
}

/// Like [`kind`], of a node that is named by its NAI if it has one.
pub(crate) fn kind_of(nai: Option<&Nai>) -> Value {
    Value::Integer32(if nai.is_some() { 3 } else { 2 })
}

/// Like [`identifier`], of a node that is named by its NAI if it has one.
///
/// A walk asks for every row: making an [`Identity`] of each would cost more than the answer.
pub(crate) fn identifier_of(nai: Option<&Nai>, address: Ipv4Addr) -> Value {
    match nai {
        None => Value::octets(address.octets()),
        Some(nai) => Value::octets(index_octets(nai)),
    }
}

/// The `MipEntityIdentifierNAI` of `nai`, empty if there is none.
pub(crate) fn full_nai(nai: Option<&Nai>) -> Value {
    Value::octets(nai.map_or("", Nai::as_str))
}

/// The octets of `nai` that an index holds.
fn index_octets(nai: &Nai) -> &[u8] {
    let octets = nai.as_str().as_bytes();
    octets.get(..Identity::INDEX_LEN_MAX).unwrap_or(octets)
}

/// Appends the index of `identity`.
pub(crate) fn push(name: &mut Oid, identity: &Identity) {
    match identity {
        Identity::Address(address) => {
            name.extend_from_slice(&[IP_ADDRESS, 4]);
            name.extend_from_octets(&address.octets());
        }
        Identity::Nai(nai) => {
            let octets = index_octets(nai);
            let len = u32::try_from(octets.len()).unwrap_or(u32::MAX);
            name.extend_from_slice(&[NAI, len]);
            name.extend_from_octets(octets);
        }
    }
}

/// Whether two identities have the same index: they agree in all that fits.
pub(crate) fn same_index(a: &Identity, b: &Identity) -> bool {
    match (a, b) {
        (Identity::Nai(a), Identity::Nai(b)) => index_octets(a) == index_octets(b),
        _ => a == b,
    }
}

/// An identity from which on a search finds everything whose index is `suffix`
/// or starts with it; there may be others before them.
pub(crate) fn exact(suffix: &[u32]) -> Option<Identity> {
    match suffix {
        [IP_ADDRESS, 4, address @ ..] => {
            index::exact::<4>(address).map(|octets| Identity::Address(octets.into()))
        }
        [NAI, len, octets @ ..] if usize::try_from(*len) == Ok(octets.len()) => {
            let octets: Option<Vec<u8>> =
                octets.iter().map(|&sub_id| u8::try_from(sub_id).ok()).collect();
            let octets = octets.filter(|octets| octets.len() <= Identity::INDEX_LEN_MAX)?;
            ceiling(&octets).map(Identity::Nai)
        }
        _ => None,
    }
}

/// From which identity on to look for indexes greater than `suffix`, or `None`
/// if there can be none.
///
/// What is found may begin with some that are not greater: the caller skips
/// them. They are those with the index `suffix` itself.
pub(crate) fn first_after(suffix: &[u32]) -> Option<Identity> {
    let first_address = Identity::Address(Ipv4Addr::UNSPECIFIED);
    let (&kind, rest) = suffix.split_first().unwrap_or((&0, &[]));
    match (kind, rest) {
        (..IP_ADDRESS, _) | (IP_ADDRESS, [] | [..4, ..]) => Some(first_address),
        (IP_ADDRESS, [4, address @ ..]) => Some(match index::after::<4>(address) {
            Bound::Included(octets) => Identity::Address(octets.into()),
            Bound::Excluded(octets) => after_address(octets.into()),
            Bound::Unbounded => first_address,
        }),
        (IP_ADDRESS, _) | (NAI, []) => first_nai(1),
        (NAI, [len, octets @ ..]) => nai_after(*len, octets),
        _ => None,
    }
}

/// The first identity that can follow `address`.
fn after_address(address: Ipv4Addr) -> Identity {
    let next = address.to_bits().checked_add(1).map(Ipv4Addr::from_bits);
    let nai = || first_nai(1).unwrap_or(Identity::Address(address));
    next.map_or_else(nai, Identity::Address)
}

/// The smallest NAI of `len` octets.
fn first_nai(len: usize) -> Option<Identity> {
    Nai::new(&" ".repeat(len)).ok().map(Identity::Nai)
}

/// The smallest NAI whose index may be greater than `len` and `octets`.
fn nai_after(len: u32, octets: &[u32]) -> Option<Identity> {
    let len = usize::try_from(len).ok().filter(|len| *len <= Identity::INDEX_LEN_MAX)?;
    if len == 0 {
        return first_nai(1);
    }
    let mut bound = Vec::with_capacity(len);
    for &sub_id in octets.iter().take(len) {
        match u8::try_from(sub_id) {
            Ok(octet) => bound.push(octet),
            Err(_) => {
                bound.push(u8::MAX); // No octet of UTF-8 is that large.
                break;
            }
        }
    }
    bound.resize(len, if bound.last() == Some(&u8::MAX) { u8::MAX } else { 0 });
    match ceiling(&bound) {
        Some(nai) => Some(Identity::Nai(nai)),
        None if len < Identity::INDEX_LEN_MAX => first_nai(len + 1),
        None => None,
    }
}

/// The smallest NAI that is not before `octets` among those whose index has that length.
///
/// A NAI is UTF-8 without control characters, `octets` may be anything.
fn ceiling(octets: &[u8]) -> Option<Nai> {
    let is_longest = octets.len() >= Identity::INDEX_LEN_MAX;
    // Octets left for the rest of a NAI that starts with `start`.
    let room = |start: &str| if is_longest { 4 } else { octets.len() - start.len() };
    let mut start = valid_start(octets).to_owned();
    if start.len() < octets.len() {
        let rest = octets.get(start.len()..).unwrap_or(&[]);
        let mut next = first_char(|c| c.encode_utf8(&mut [0; 4]).as_bytes() >= rest);
        while next.is_none_or(|c| c.len_utf8() > room(&start)) {
            let last = start.pop()?;
            next = first_char(|c| c > last);
        }
        start.extend(next);
    }
    let padding = octets.len().saturating_sub(start.len());
    start.extend(std::iter::repeat_n(' ', padding));
    Nai::new(&start).ok()
}

/// The longest start of `octets` that a NAI can have.
fn valid_start(octets: &[u8]) -> &str {
    let text = match std::str::from_utf8(octets) {
        Ok(text) => text,
        Err(err) => {
            let valid = octets.get(..err.valid_up_to()).unwrap_or(&[]);
            std::str::from_utf8(valid).unwrap_or("")
        }
    };
    let end = text.find(char::is_control).unwrap_or(text.len());
    text.get(..end).unwrap_or("")
}

/// The first character that is not a control character and meets `is_reached`,
/// which all characters after one that meets it meet too.
fn first_char(is_reached: impl Fn(char) -> bool) -> Option<char> {
    let (mut low, mut high) = (0x20, 0x11_0000);
    while low < high {
        let middle = low + (high - low) / 2;
        // Surrogates are not characters; the first one after them decides.
        let c = char::from_u32(middle).unwrap_or('\u{e000}');
        if is_reached(c) { high = middle } else { low = middle + 1 }
    }
    match low {
        0x7f..=0x9f => Some('\u{a0}'),
        0xd800..=0xdfff => Some('\u{e000}'),
        _ => char::from_u32(low),
    }
}
