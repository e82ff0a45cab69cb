//! How far long work on files has come.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Written by whoever works, read from another thread. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    doing: Mutex<&'static str>,
    done: AtomicU64,
    total: AtomicU64,
}

/// A moment of the work.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Step {
    /// What is being done, as in “reading the journal”.
    pub doing: &'static str,
    /// How much of it is done, in units that differ from step to step.
    pub done: u64,
    /// How much there is; zero if nobody knows.
    pub total: u64,
}

impl Step {
    /// How much is done, of a hundred, if that can be told.
    pub fn percent(&self) -> Option<u64> {
        (self.done.saturating_mul(100)).checked_div(self.total).map(|percent| percent.min(100))
    }
}

impl Progress {
    /// What is being done at the moment; `None` before the first step.
    pub fn step(&self) -> Option<Step> {
        let doing = *self.inner.doing.lock().unwrap_or_else(PoisonError::into_inner);
        let done = self.inner.done.load(Ordering::Relaxed);
        let total = self.inner.total.load(Ordering::Relaxed);
        (!doing.is_empty()).then_some(Step { doing, done, total })
    }

    /// Begins the next step, which has `total` units.
    pub(crate) fn begin(&self, doing: &'static str, total: u64) {
        self.inner.done.store(0, Ordering::Relaxed);
        self.inner.total.store(total, Ordering::Relaxed);
        *self.inner.doing.lock().unwrap_or_else(PoisonError::into_inner) = doing;
    }

    /// Says that `units` more are done.
    pub(crate) fn advance(&self, units: u64) {
        self.inner.done.fetch_add(units, Ordering::Relaxed);
    }
}
