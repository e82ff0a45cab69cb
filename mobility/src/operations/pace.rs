//! How many targets may be begun by now.

use store::Time;

/// Spreads beginnings evenly: the n-th is due n intervals after the first, to the millisecond.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// So many a second, which so many owners share; no rate is no pace at all.
    rate: Option<u64>,
    owners: u64,
    start: Option<Time>,
    begun: u64,
}

impl Pace {
    /// `rate` a second, which `owners` share.
    pub(super) fn new(rate: Option<u32>, owners: usize) -> Self {
        let owners = u64::try_from(owners.max(1)).unwrap_or(1);
        let rate = rate.map(|rate| u64::from(rate.max(1)));
        Self { rate, owners, start: None, begun: 0 }
    }

    /// When the next one may begin.
    pub(super) fn next(&self) -> Time {
        match self.start {
            None => Time::default(),
            Some(start) => {
                let Some(rate) = self.rate else { return start };
                let after = self.begun.saturating_mul(self.owners * 1000).div_ceil(rate);
                start + std::time::Duration::from_millis(after)
            }
        }
    }

    pub(super) fn allows(&self, now: Time) -> bool {
        self.rate.is_none() || self.next() <= now
    }

    pub(super) fn begin(&mut self, now: Time) {
        self.start.get_or_insert(now);
        self.begun += 1;
    }

    /// Forgets what could have begun meanwhile: a pause is not made up for.
    pub(super) fn rest(&mut self) {
        self.start = None;
        self.begun = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn so_many_a_second_and_no_more() {
        for rate in [1, 3, 7, 100, 1500] {
            let mut pace = Pace::new(Some(rate), 1);
            let mut begun = 0_u64;
            for millisecond in 0..=10_000 {
                let now = Time::from_uptime(Duration::from_millis(millisecond));
                while pace.allows(now) {
                    pace.begin(now);
                    begun += 1;
                }
                let most = millisecond * u64::from(rate) / 1000 + 1;
                assert!(begun <= most && begun + 1 >= most, "{begun} of {most} at {rate}/s");
            }
        }
    }

    #[test]
    fn a_rest_is_not_made_up_for() {
        let mut pace = Pace::new(Some(1), 1);
        pace.begin(Time::default());
        pace.rest();
        let later = Time::from_uptime(Duration::from_secs(100));
        assert!(pace.allows(later));
        pace.begin(later);
        assert!(!pace.allows(later + Duration::from_millis(999)));
    }

    #[test]
    fn owners_share_a_rate() {
        let mut pace = Pace::new(Some(10), 2);
        pace.begin(Time::default());
        assert_eq!(pace.next(), Time::from_uptime(Duration::from_millis(200)));
    }
}
