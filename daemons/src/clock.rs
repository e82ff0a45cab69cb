//! The only place that reads the clock.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use store::{Now, Time, UtcTime};

/// A larger jump of the wall clock than this is a step; less is the slewing of a time daemon.
const STEP_MIN: u64 = 250;

/// Turns the clocks of the operating system into [`Now`]. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    started_at: Instant,
    wall: Arc<Mutex<Wall>>,
}

/// How the wall clock stands to the monotonic one, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Wall {
    /// UTC at uptime zero, as of the last look.
    origin: i64,
    /// The sum of its steps.
    step: i64,
}

impl Wall {
    /// Looks at the wall clock; returns the sum of its steps.
    fn look(&mut self, uptime: Time, utc: UtcTime) -> i64 {
        let origin = utc.0.saturating_sub(i64::try_from(uptime.as_millis()).unwrap_or(i64::MAX));
        let moved = origin.saturating_sub(self.origin);
        if moved.unsigned_abs() >= STEP_MIN {
            self.step = self.step.saturating_add(moved);
        }
        self.origin = origin;
        self.step
    }
}

impl Clock {
    pub(crate) fn start() -> Self {
        let wall = Wall { origin: utc().0, step: 0 };
        Self { started_at: Instant::now(), wall: Arc::new(Mutex::new(wall)) }
    }

    /// Takes over the steps that the last run of this instance has published, so that what it
    /// stamped and what is stamped from here on are on one scale.
    pub(crate) fn take_over_steps(&self, step: i64) {
        let mut wall = self.wall.lock().unwrap_or_else(PoisonError::into_inner);
        wall.step = wall.step.saturating_add(step);
    }

    pub(crate) fn now(&self) -> Now {
        // Both are read under the lock, so that a delay between them is no step to another thread.
        let mut wall = self.wall.lock().unwrap_or_else(PoisonError::into_inner);
        let uptime = self.uptime();
        let utc = utc();
        let clock_step = wall.look(uptime, utc);
        Now { uptime, utc, clock_step }
    }

    /// Returns at `deadline`; never, if there is none.
    pub(crate) async fn reach(&self, deadline: Option<Time>) {
        match deadline {
            Some(deadline) => tokio::time::sleep(deadline.since(self.uptime())).await,
            None => std::future::pending().await,
        }
    }

    /// As [`Self::reach`], without the millisecond that a timer takes if `deadline` has passed:
    /// what is due may take a thousand turns. `after_others` lets all else that is ready have a
    /// turn before.
    pub(crate) async fn reach_soon(&self, deadline: Option<Time>, after_others: bool) {
        if deadline.is_none_or(|deadline| deadline > self.uptime()) {
            self.reach(deadline).await;
        } else if after_others {
            tokio::task::yield_now().await;
        }
    }

    fn uptime(&self) -> Time {
        Time::from_uptime(self.started_at.elapsed())
    }
}

/// The wall clock, for who has no other.
pub(crate) fn utc() -> UtcTime {
    let milliseconds = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    UtcTime(match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => milliseconds(since),
        Err(before) => milliseconds(before.duration()).saturating_neg(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(milliseconds: u64) -> Time {
        Time::from_uptime(Duration::from_millis(milliseconds))
    }

    #[test]
    fn a_step_is_counted_and_slewing_is_not() {
        let mut wall = Wall { origin: 1_000_000, step: 0 };
        assert_eq!(wall.look(time(1_000), UtcTime(1_001_000)), 0);
        assert_eq!(wall.look(time(2_000), UtcTime(1_002_200)), 0, "slewed by 200 ms");
        assert_eq!(wall.look(time(3_000), UtcTime(1_003_400)), 0, "and by 200 ms again");
        assert_eq!(wall.look(time(4_000), UtcTime(4_604_400)), 3_600_000, "an hour ahead");
        assert_eq!(wall.look(time(5_000), UtcTime(1_005_400)), 0, "and back");
    }

    #[tokio::test]
    async fn what_is_due_waits_for_others_or_for_nobody() {
        let clock = Clock::start();
        let due = Some(clock.now().uptime);
        for (after_others, first) in [(true, "others"), (false, "due")] {
            let turn = tokio::select! {
                biased;
                () = clock.reach_soon(due, after_others) => "due",
                () = std::future::ready(()) => "others",
            };
            assert_eq!(turn, first);
            clock.reach_soon(due, after_others).await;
        }
    }

    #[test]
    fn both_clocks_go_on() {
        let clock = Clock::start();
        let (first, second) = (clock.now(), clock.now());
        assert!(first.uptime <= second.uptime);
        assert!(first.utc.0 > 1_700_000_000_000);
        assert_eq!(second.clock_step, 0);
    }
}
