//! The two kinds of time: uptime of a process, and UTC.

use std::ops::Add;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds since the process started, by the monotonic clock.
///
/// Deadlines are held in it, so that a step of the wall clock expires nothing.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Time(u64);

impl Time {
    pub fn from_uptime(uptime: Duration) -> Self {
        Self(u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX))
    }

    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z; what rows hold.
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UtcTime(pub i64);

impl UtcTime {
    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The same instant on a clock that is `milliseconds` ahead.
    #[must_use]
    pub fn shifted(self, milliseconds: i64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }
}

impl Add<Duration> for UtcTime {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// One moment on both clocks, as a driver hands it to a machine.
///
/// `utc` is what the wall clock says, steps included; replay protection
/// compares with it. Rows are stamped with [`Now::stamp`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Now {
    pub uptime: Time,
    pub utc: UtcTime,
    /// How far the wall clock was stepped since the process started, in milliseconds.
    pub clock_step: i64,
}

impl Now {
    /// UTC by the clock the process started with: what rows are stamped with.
    ///
    /// Readers get the owner's steps from its instance row and subtract them,
    /// so a step of the clock moves no remaining lifetime.
    pub fn stamp(self) -> UtcTime {
        self.utc.shifted(self.clock_step.saturating_neg())
    }
}
