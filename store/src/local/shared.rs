//! What the writer thread and the handles both look at.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::published::Published;
use crate::{Disk, Health};

pub(crate) struct Shared {
    pub(crate) published: Arc<Published>,
    store: PathBuf,
    queued: AtomicUsize,
    checkpoint_octets: AtomicU64,
    condition: Mutex<Condition>,
}

#[derive(Default)]
struct Condition {
    degraded: Option<(String, Instant)>,
    last_error: Option<String>,
    sync_latency: Option<Duration>,
}

impl Shared {
    pub(crate) fn new(published: Arc<Published>, store: PathBuf, checkpoint_octets: u64) -> Self {
        Self {
            published,
            store,
            queued: AtomicUsize::new(0),
            checkpoint_octets: AtomicU64::new(checkpoint_octets),
            condition: Mutex::default(),
        }
    }

    /// Counts commits into the queue.
    pub(crate) fn queued(&self, count: usize) {
        self.queued.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn dequeued(&self, count: usize) {
        self.queued.fetch_sub(count, Ordering::Relaxed);
    }

    /// How many commits wait in the queue.
    pub(crate) fn waiting(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Whether `limit` commits wait in the queue.
    pub(crate) fn is_full(&self, limit: usize) -> bool {
        self.waiting() >= limit
    }

    pub(crate) fn synced(&self, latency: Duration) {
        self.condition().sync_latency = Some(latency);
    }

    pub(crate) fn degraded(&self, words: &str) {
        let mut condition = self.condition();
        condition.degraded = Some((words.to_owned(), Instant::now()));
        condition.last_error = Some(words.to_owned());
    }

    pub(crate) fn recovered(&self) {
        self.condition().degraded = None;
    }

    /// Something went wrong that fails no commit.
    pub(crate) fn failed(&self, words: &str) {
        tracing::warn!("{words}");
        self.condition().last_error = Some(words.to_owned());
    }

    pub(crate) fn checkpointed(&self, octets: u64) {
        self.checkpoint_octets.store(octets, Ordering::Relaxed);
    }

    pub(crate) fn checkpoint_octets(&self) -> u64 {
        self.checkpoint_octets.load(Ordering::Relaxed)
    }

    pub(crate) fn health(&self) -> Health {
        let disk = self.disk();
        let condition = self.condition();
        let degraded = condition.degraded.as_ref();
        Health {
            engine: "sled",
            revision: self.published.snapshot().revision,
            age: degraded.map_or(Duration::ZERO, |(_, since)| since.elapsed()),
            degraded: degraded.map(|(words, _)| words.clone()),
            last_error: condition.last_error.clone(),
            sync_latency: condition.sync_latency,
            disk,
        }
    }

    fn condition(&self) -> MutexGuard<'_, Condition> {
        self.condition.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn disk(&self) -> Option<Disk> {
        let file_system = rustix::fs::statvfs(&self.store).ok()?;
        Some(Disk {
            free_octets: file_system.f_bavail.saturating_mul(file_system.f_frsize),
            total_octets: file_system.f_blocks.saturating_mul(file_system.f_frsize),
            used_octets: used(&self.store),
        })
    }
}

/// The octets of the files in `folder` and below.
pub(crate) fn used(folder: &std::path::Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let lengths = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => used(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    lengths.sum()
}
