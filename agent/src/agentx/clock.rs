//! The master's `sysUpTime`, which time stamps are relative to.

use std::time::Duration;

use store::{Now, Time};

/// How our uptime stands to the master's.
#[derive(Clone, Copy, Debug)]
pub(super) struct MasterClock {
    /// When the master started, on a clock that is `lead` ahead of our uptime.
    started: Time,
    /// How much longer than us the master runs.
    lead: Duration,
}

impl MasterClock {
    /// Until the master tells, it started at `started`.
    pub(super) fn new(started: Time) -> Self {
        Self { started, lead: Duration::ZERO }
    }

    /// The master says that its uptime is so many hundredths of a second.
    pub(super) fn follow(&mut self, now: Now, sys_up_time: u32) {
        let theirs = Duration::from_millis(u64::from(sys_up_time) * 10);
        let ours = now.uptime.since(Time::default());
        self.lead = theirs.saturating_sub(ours);
        self.started = Time::from_uptime(ours.saturating_sub(theirs));
    }

    pub(super) fn started(&self) -> Time {
        self.started
    }

    /// The same moment on the clock that [`Self::started`] is on.
    pub(super) fn now(&self, now: Now) -> Now {
        Now { uptime: now.uptime + self.lead, ..now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uptime(clock: MasterClock, now: Now) -> Duration {
        clock.now(now).uptime.since(clock.started())
    }

    #[test]
    fn the_master_may_be_younger_or_older() {
        let now = |seconds| Now {
            uptime: Time::from_uptime(Duration::from_secs(seconds)),
            ..Now::default()
        };
        let mut clock = MasterClock::new(Time::default());
        for theirs in [0, 1, 99, 100, 101, 42_949_672] {
            clock.follow(now(100), theirs * 100);
            assert_eq!(uptime(clock, now(100)), Duration::from_secs(theirs.into()));
            assert_eq!(uptime(clock, now(130)), Duration::from_secs(u64::from(theirs) + 30));
        }
    }
}
