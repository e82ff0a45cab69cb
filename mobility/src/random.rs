//! Unpredictable numbers from a seed that the driver gives.

use std::fmt;

use sha2::{Digest, Sha256};

/// A sequence of numbers that nobody without the seed can guess.
///
/// SHA-256 over the seed and a counter: nonces need no more (RFC 5944 §5.7.2
/// asks for unpredictable ones), and two machines with two seeds share nothing.
#[derive(Clone)]
pub(crate) struct Random {
    seed: [u8; 32],
    counter: u64,
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random(..)") // The seed is a secret.
    }
}

impl Random {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self { seed, counter: 0 }
    }

    pub(crate) fn next_u32(&mut self) -> u32 {
        self.counter = self.counter.wrapping_add(1);
        self.derive(b"next", &self.counter.to_be_bytes())
    }

    /// The same number for the same octets, for as long as the seed lives.
    pub(crate) fn of(&self, octets: &[u8]) -> u32 {
        self.derive(b"of", octets)
    }

    fn derive(&self, purpose: &[u8], octets: &[u8]) -> u32 {
        let digest =
            Sha256::new().chain_update(self.seed).chain_update(purpose).chain_update(octets);
        let [a, b, c, d, ..] = digest.finalize().0;
        u32::from_be_bytes([a, b, c, d])
    }
}
