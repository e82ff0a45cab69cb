//! The newest visible snapshot, and a bounded history of how it came to be.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::watch;

use crate::{Event, Revision, Snapshot, WatchStream};

/// How many changes are kept for watches that resume; a mirror that is further
/// behind loads everything, which costs less than replaying more than this.
#[cfg(not(test))]
pub(crate) const HISTORY_CHANGES_MAX: usize = 100_000;
/// Tests fill it.
#[cfg(test)]
pub(crate) const HISTORY_CHANGES_MAX: usize = 20_000;

/// What an engine shows to its readers. Nothing is shown before it is durable.
#[derive(Debug)]
pub(crate) struct Published {
    current: RwLock<Arc<Snapshot>>,
    history: Mutex<History>,
    revision: watch::Sender<Revision>,
    lineage: AtomicU64,
    /// The snapshots before the current one, the oldest first.
    ///
    /// To free what only an old one held takes time, a whole group of commits' worth. Whoever
    /// lets go of it last pays, and that is to be who publishes, not a reader that had it for some
    /// microseconds while the next one came.
    retired: Mutex<VecDeque<Arc<Snapshot>>>,
}

/// How many snapshots are kept behind the current one.
const RETIRED_MAX: usize = 2;

#[derive(Debug)]
struct History {
    events: VecDeque<Event>,
    changes: usize,
    /// Everything at or before this revision is forgotten.
    compacted: Revision,
}

/// What a watcher finds in the history.
pub(crate) enum Lookup {
    Found(Event),
    NotYet,
    Compacted(Revision),
}

impl Published {
    /// Starts with `snapshot` and no history.
    pub(crate) fn new(snapshot: Snapshot, lineage: u64) -> Arc<Self> {
        let revision = snapshot.revision;
        Arc::new(Self {
            current: RwLock::new(Arc::new(snapshot)),
            history: Mutex::new(History {
                events: VecDeque::new(),
                changes: 0,
                compacted: revision,
            }),
            revision: watch::Sender::new(revision),
            lineage: AtomicU64::new(lineage),
            retired: Mutex::default(),
        })
    }

    /// Which past the revisions belong to; see [`Store::lineage`](crate::Store::lineage).
    pub(crate) fn lineage(&self) -> u64 {
        self.lineage.load(Ordering::Relaxed)
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn revisions(&self) -> watch::Receiver<Revision> {
        self.revision.subscribe()
    }

    /// Shows `snapshot`, which the `events` lead to from the one before.
    pub(crate) fn publish(&self, snapshot: Snapshot, events: impl IntoIterator<Item = Event>) {
        {
            let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
            for event in events {
                history.push(event);
            }
        }
        self.show(snapshot);
    }

    /// Shows `snapshot` though the way to it is unknown: watches end with
    /// [`WatchEvent::Compacted`](crate::WatchEvent::Compacted).
    pub(crate) fn reset(&self, snapshot: Snapshot, lineage: u64) {
        self.lineage.store(lineage, Ordering::Relaxed);
        {
            let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
            history.events.clear();
            history.changes = 0;
            history.compacted = snapshot.revision;
        }
        self.show(snapshot);
    }

    /// Forgets the history up to and including `revision`.
    pub(crate) fn compact(&self, revision: Revision) {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).forget(revision);
    }

    /// The last revision that watches cannot start from.
    pub(crate) fn compacted(&self) -> Revision {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).compacted
    }

    /// Follows all changes, from the one at `from` on; from the next one if `None`.
    pub(crate) fn watch(self: &Arc<Self>, from: Option<Revision>) -> WatchStream {
        let revisions = self.revisions();
        let from = from.unwrap_or_else(|| self.snapshot().revision.next());
        WatchStream::new(Arc::clone(self), revisions, from)
    }

    /// The first event at `from` or later.
    pub(crate) fn event(&self, from: Revision) -> Lookup {
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        if from <= history.compacted {
            return Lookup::Compacted(history.compacted);
        }
        let at = history.events.partition_point(|event| event.revision < from);
        history.events.get(at).cloned().map_or(Lookup::NotYet, Lookup::Found)
    }

    fn show(&self, snapshot: Snapshot) {
        let revision = snapshot.revision;
        let next = Arc::new(snapshot);
        let last = {
            let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *current, next)
        };
        self.revision.send_replace(revision);
        // Nobody waits for this: no lock is held when it is freed.
        drop(self.retire(last));
    }

    /// Keeps `last` for a while; gives the snapshot that was kept long enough.
    fn retire(&self, last: Arc<Snapshot>) -> Option<Arc<Snapshot>> {
        let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        retired.push_back(last);
        if retired.len() > RETIRED_MAX { retired.pop_front() } else { None }
    }
}

impl History {
    fn push(&mut self, event: Event) {
        self.changes += event.changes.len().max(1);
        self.events.push_back(event);
        while self.changes > HISTORY_CHANGES_MAX {
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some(event) = self.events.pop_front() {
            self.changes -= event.changes.len().max(1);
            self.compacted = event.revision;
        }
    }

    fn forget(&mut self, revision: Revision) {
        while self.events.front().is_some_and(|event| event.revision <= revision) {
            self.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_reads_for_a_moment_is_not_the_last_to_let_go() {
        let published = Published::new(Snapshot::default(), 1);
        let publish = |revision| {
            published.publish(Snapshot { revision: Revision(revision), ..Snapshot::default() }, []);
        };
        let first = published.snapshot();
        for revision in 1..=u64::try_from(RETIRED_MAX).unwrap() {
            publish(revision);
            assert_eq!(Arc::strong_count(&first), 2, "it is kept at revision {revision}");
        }
        publish(100);
        assert_eq!(Arc::strong_count(&first), 1, "not for ever");
    }
}
