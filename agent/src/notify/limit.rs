//! How many notifications of one kind there may be.

use std::collections::BTreeMap;

use store::Time;

use crate::Oid;

/// A bucket of tokens for each kind of notification: an attacker who causes one
/// kind without end takes nothing from the others, and little from the network.
#[derive(Debug, Default)]
pub(crate) struct RateLimit {
    buckets: BTreeMap<Oid, Bucket>,
}

#[derive(Debug)]
struct Bucket {
    tokens: u64,
    /// When the last token was put in.
    filled_at: Time,
}

impl RateLimit {
    /// How many may come at once.
    pub(crate) const BURST: u64 = 50;
    /// After how many milliseconds there may be one more.
    const INTERVAL: u64 = 100;

    /// Whether there may be one more of this kind now.
    pub(crate) fn allows(&mut self, kind: &Oid, now: Time) -> bool {
        // The kinds are those that the program knows: there are few.
        let full = Bucket { tokens: Self::BURST, filled_at: now };
        let bucket = self.buckets.entry(kind.clone()).or_insert(full);
        let earned = u64::try_from(now.since(bucket.filled_at).as_millis()).unwrap_or(u64::MAX)
            / Self::INTERVAL;
        if earned > 0 {
            bucket.tokens = bucket.tokens.saturating_add(earned).min(Self::BURST);
            bucket.filled_at = now;
        }
        match bucket.tokens.checked_sub(1) {
            Some(left) => {
                bucket.tokens = left;
                true
            }
            None => false,
        }
    }
}
