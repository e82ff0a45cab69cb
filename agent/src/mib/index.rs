//! From the suffix of a name to a place among keys.

use std::ops::Bound;

#[cfg(test)]
mod tests;

/// The octets of an index of fixed length, if `suffix` is one.
pub(crate) fn exact<const N: usize>(suffix: &[u32]) -> Option<[u8; N]> {
    let mut octets = [0; N];
    if suffix.len() != N {
        return None;
    }
    for (octet, &sub_id) in octets.iter_mut().zip(suffix) {
        *octet = u8::try_from(sub_id).ok()?;
    }
    Some(octets)
}

/// Where to look for the first index of `N` octets greater than `suffix`.
///
/// A manager may ask for what follows any suffix: too short, too long, or with
/// sub-identifiers that no octet can hold.
pub(crate) fn after<const N: usize>(suffix: &[u32]) -> Bound<[u8; N]> {
    let mut octets = [0; N];
    let mut given = suffix.iter();
    for position in 0..N {
        let (_, rest) = octets.split_at_mut(position);
        let Some(&sub_id) = given.next() else {
            return Bound::Included(octets); // A longer index is a greater one.
        };
        match u8::try_from(sub_id) {
            Ok(octet) => rest.iter_mut().take(1).for_each(|place| *place = octet),
            Err(_) => {
                rest.fill(u8::MAX);
                return Bound::Excluded(octets);
            }
        }
    }
    Bound::Excluded(octets)
}

/// Applies `convert` to the key of a bound.
pub(crate) fn map<A, B>(bound: Bound<A>, convert: impl FnOnce(A) -> B) -> Bound<B> {
    match bound {
        Bound::Included(key) => Bound::Included(convert(key)),
        Bound::Excluded(key) => Bound::Excluded(convert(key)),
        Bound::Unbounded => Bound::Unbounded,
    }
}
