//! Keys, and how they change over the network (RFC 3414 §5, `KeyChange`).

use std::fmt;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::AuthenticationProtocol;

/// A secret key; it is overwritten when it is dropped, and never printed.
#[derive(Clone)]
pub struct Key(Zeroizing<Vec<u8>>);

impl Key {
    pub fn new(octets: &[u8]) -> Self {
        Self(Zeroizing::new(octets.to_vec()))
    }

    /// The key itself: to be used, or sealed, not to be shown.
    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    /// Makes a localized key as long as a cipher needs.
    ///
    /// Longer ones go on with the hash of all there is so far, as
    /// draft-blumenthal-aes-usm-04 §3.1.2.1 has it: that is what Net-SNMP means by
    /// AES-192 and AES-256.
    #[must_use]
    pub(crate) fn fitted(mut self, protocol: AuthenticationProtocol, len: usize) -> Self {
        while self.0.len() < len {
            let more = protocol.hash(&[&self.0]);
            // A new vector, because a growing one leaves a copy behind.
            self.0 = Zeroizing::new([self.0.as_slice(), &more].concat());
        }
        self.0.truncate(len);
        self
    }
}

impl PartialEq for Key {
    /// In a time that tells nothing but whether the lengths differ.
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// The key that a `KeyChange` value makes of `old`; `None` if its length is wrong.
pub fn next_key(protocol: AuthenticationProtocol, old: &Key, change: &[u8]) -> Option<Key> {
    let (random, delta) = change.split_at_checked(old.octets().len())?;
    if delta.len() != random.len() {
        return None;
    }
    let mut new = Zeroizing::new(Vec::with_capacity(delta.len()));
    let mut temp = Zeroizing::new(old.octets().to_vec());
    for part in delta.chunks(protocol.key_len()) {
        temp = protocol.hash(&[&temp, random]);
        new.extend(part.iter().zip(temp.iter()).map(|(delta, pad)| delta ^ pad));
    }
    Some(Key(new))
}

/// The `KeyChange` value that makes `new` of `old`, which are of one length.
pub fn key_change(
    protocol: AuthenticationProtocol,
    old: &Key,
    new: &Key,
    random: &[u8],
) -> Option<Vec<u8>> {
    // Exclusive or is its own inverse.
    let change = [random, new.octets()].concat();
    let delta = next_key(protocol, old, &change)?;
    Some([random, delta.octets()].concat())
}
