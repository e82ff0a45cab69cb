//! What a run costs beside time, and how figures are summed up.

use std::time::{Duration, Instant};

/// A run that goes on.
pub struct Meter {
    started: Instant,
    cpu: Duration,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    pub per_second: f64,
    /// Of this process, user and system.
    pub cpu_us: f64,
}

impl Meter {
    pub fn start() -> Self {
        Self { started: Instant::now(), cpu: cpu() }
    }

    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    pub fn end(&self, done: u64) -> Figure {
        let count = (done.max(1)) as f64;
        Figure {
            per_second: done as f64 / self.started.elapsed().as_secs_f64(),
            cpu_us: (cpu() - self.cpu).as_secs_f64() * 1e6 / count,
        }
    }
}

fn cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a timespec of ours that the call fills in.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Smallest, median and largest.
pub fn middle(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |part: usize| values.get((values.len() - 1) * part / 2).copied().unwrap_or(0.0);
    (at(0), at(1), at(2))
}

/// A percentile of sorted values, in parts of a thousand.
pub fn at(sorted: &[Duration], part: usize) -> Duration {
    sorted.get(sorted.len().saturating_sub(1) * part / 1000).copied().unwrap_or_default()
}

/// With commas between thousands.
pub fn commas(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
