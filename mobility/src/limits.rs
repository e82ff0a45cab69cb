//! How many requests an agent looks at: of all peers together, and of each.
//!
//! A token bucket each, which holds what is allowed in a second. The peers that are remembered
//! are bounded; a flood from more addresses than that shares one bucket.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use store::Time;

/// How many peers have a bucket of their own.
const PEERS_MAX: usize = 4096;

/// How often buckets are looked through for full ones: a flood must not make that work for each datagram.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// What a datagram takes out of a bucket.
const ONE: u64 = 1000;

/// Requests a second; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RateLimits {
    /// Of all peers together.
    pub all: Option<u32>,
    /// Of one source address: a mobile node, or a foreign agent with all of its visitors.
    pub peer: Option<u32>,
}

/// Says whose requests are too many.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    limits: RateLimits,
    all: Option<Bucket>,
    peers: BTreeMap<Ipv4Addr, Bucket>,
    /// Shared by those that have no bucket of their own.
    others: Option<Bucket>,
    swept_at: Option<Time>,
}

/// Thousandths of requests that may be taken.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    level: u64,
    at: Time,
}

impl Bucket {
    fn full(rate: u32, now: Time) -> Self {
        Self { level: u64::from(rate) * ONE, at: now }
    }

    /// What is in it at `now`: it fills at `rate` a second.
    fn level(self, rate: u32, now: Time) -> u64 {
        let elapsed = u64::try_from(now.since(self.at).as_millis()).unwrap_or(u64::MAX);
        let poured = elapsed.saturating_mul(rate.into());
        self.level.saturating_add(poured).min(u64::from(rate) * ONE)
    }

    fn take(&mut self, rate: u32, now: Time) -> bool {
        let level = self.level(rate, now);
        let is_enough = level >= ONE;
        *self = Self { level: if is_enough { level - ONE } else { level }, at: now };
        is_enough
    }
}

impl Limiter {
    pub(crate) fn new(limits: RateLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Whether one more request of `peer` is within the limits; counts it if so.
    pub(crate) fn allows(&mut self, peer: Ipv4Addr, now: Time) -> bool {
        // The peer first: one that sends too much must not use up what is there for all.
        self.peer_allows(peer, now)
            && self
                .limits
                .all
                .is_none_or(|rate| self.all.get_or_insert(Bucket::full(rate, now)).take(rate, now))
    }

    fn peer_allows(&mut self, peer: Ipv4Addr, now: Time) -> bool {
        let Some(rate) = self.limits.peer else { return true };
        if let Some(bucket) = self.peers.get_mut(&peer) {
            return bucket.take(rate, now);
        }
        if self.peers.len() >= PEERS_MAX {
            self.sweep(rate, now);
        }
        if self.peers.len() >= PEERS_MAX {
            return self.others.get_or_insert(Bucket::full(rate, now)).take(rate, now);
        }
        self.peers.entry(peer).or_insert(Bucket::full(rate, now)).take(rate, now)
    }

    /// Forgets those whose buckets are full again, which is as if they had never come.
    fn sweep(&mut self, rate: u32, now: Time) {
        if self.swept_at.is_some_and(|at| now.since(at) < SWEEP_EVERY) {
            return;
        }
        self.swept_at = Some(now);
        let full = u64::from(rate) * ONE;
        self.peers.retain(|_, bucket| bucket.level(rate, now) < full);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Time {
        Time::from_uptime(Duration::from_millis(milliseconds))
    }

    fn peer(number: u32) -> Ipv4Addr {
        Ipv4Addr::from(0x0a00_0000 + number)
    }

    #[test]
    fn a_second_brings_as_many_as_are_allowed() {
        let mut limiter = Limiter::new(RateLimits { all: None, peer: Some(3) });
        let burst =
            |limiter: &mut Limiter, ms| (0..10).filter(|_| limiter.allows(peer(1), at(ms))).count();
        assert_eq!(burst(&mut limiter, 0), 3);
        assert_eq!(burst(&mut limiter, 333), 0);
        assert_eq!(burst(&mut limiter, 334), 1);
        assert_eq!(burst(&mut limiter, 60_000), 3, "what is not used is not saved up");
    }

    #[test]
    fn one_peer_does_not_use_up_what_is_there_for_all() {
        let mut limiter = Limiter::new(RateLimits { all: Some(4), peer: Some(2) });
        let taken = |limiter: &mut Limiter, from| {
            (0..10).filter(|_| limiter.allows(peer(from), at(0))).count()
        };
        assert_eq!(taken(&mut limiter, 1), 2);
        assert_eq!(taken(&mut limiter, 2), 2);
        assert_eq!(taken(&mut limiter, 3), 0);
    }

    #[test]
    fn a_flood_from_everywhere_grows_nothing_and_shares_a_bucket() {
        let mut limiter = Limiter::new(RateLimits { all: None, peer: Some(1) });
        let allowed = (0..20_000).filter(|number| limiter.allows(peer(*number), at(0))).count();
        assert_eq!(allowed, PEERS_MAX + 1);
        assert_eq!(limiter.peers.len(), PEERS_MAX);
        // A second later those that were quiet make room.
        assert!(limiter.allows(peer(90_000), at(1000)));
        assert_eq!(limiter.peers.len(), 1);
    }
}
