//! How long to wait before the next attempt to reach the master.

use std::time::Duration;

/// The first waits are up to so long.
const FIRST: Duration = Duration::from_millis(250);

/// No wait is longer.
const LONGEST: Duration = Duration::from_secs(12);

/// Waits that double, half of each by chance, so that many subagents of one master do not come
/// back at once. The chance is that of a seed.
#[derive(Clone, Debug)]
pub(super) struct BackOff {
    attempts: u32,
    random: u64,
}

impl BackOff {
    pub(super) fn new(seed: u64) -> Self {
        Self { attempts: 0, random: seed }
    }

    pub(super) fn reset(&mut self) {
        self.attempts = 0;
    }

    pub(super) fn next(&mut self) -> Duration {
        let factor = 2_u32.saturating_pow(self.attempts);
        self.attempts = self.attempts.saturating_add(1);
        let half = FIRST.saturating_mul(factor).min(LONGEST) / 2;
        let range = u64::try_from(half.as_millis()).unwrap_or(u64::MAX).max(1);
        half + Duration::from_millis(self.draw() % range)
    }

    /// `SplitMix64` (Steele, Lea and Flood, 2014).
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_below_15_seconds() {
        for seed in 0..200 {
            let mut back_off = BackOff::new(seed);
            let waits: Vec<Duration> = (0..100).map(|_| back_off.next()).collect();
            assert!(waits[0] < FIRST);
            assert!(waits.iter().all(|wait| *wait < LONGEST));
            assert!(waits[10..].iter().all(|wait| *wait >= LONGEST / 2));
            back_off.reset();
            assert!(back_off.next() < FIRST);
        }
    }

    #[test]
    fn seeds_give_different_waits() {
        let wait = |seed| BackOff::new(seed).next();
        assert_ne!(wait(1), wait(2));
        assert_eq!(wait(3), wait(3));
    }
}
