//! The only place that reads the clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use store::{Now, Time, UtcTime};

/// Both clocks of the operating system, and how far the wall clock was stepped since the start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started_at: Instant,
    utc_at_start: UtcTime,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { started_at: Instant::now(), utc_at_start: wall() }
    }

    pub(crate) fn now(self) -> Now {
        let uptime = self.started_at.elapsed();
        let utc = wall();
        let clock_step = utc.0.saturating_sub((self.utc_at_start + uptime).0);
        Now { uptime: Time::from_uptime(uptime), utc, clock_step }
    }

    /// Returns at `deadline`; never, if there is none.
    pub(crate) async fn reach(self, deadline: Option<Time>) {
        match deadline {
            // A millisecond more: `Time` is whole milliseconds, rounded down.
            Some(deadline) => {
                let left = deadline.since(self.now().uptime);
                if !left.is_zero() {
                    tokio::time::sleep(left + Duration::from_millis(1)).await;
                }
            }
            None => std::future::pending().await,
        }
    }
}

fn wall() -> UtcTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UtcTime(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
