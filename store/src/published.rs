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
    /// The last revision that changed something of the configuration: whoever follows that alone
    /// is not woken by each registration.
    configured: watch::Sender<Revision>,
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
    /// The last change of the configuration that is forgotten.
    configuration_compacted: Revision,
}

/// What a watcher finds in the history.
pub(crate) enum Lookup {
    Found(Event),
    /// Nothing yet, up to but not including this revision.
    NotYet(Revision),
    Compacted(Revision),
}

/// Which changes a watcher wants.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Of {
    All,
    /// Those of commits that change a row of configuration.
    Configuration,
}

impl Of {
    fn has(self, event: &Event) -> bool {
        self == Self::All || event.changes.iter().any(|change| change.table().is_configuration())
    }
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
                configuration_compacted: revision,
            }),
            revision: watch::Sender::new(revision),
            configured: watch::Sender::new(revision),
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
        let mut is_configuration = false;
        {
            let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
            for event in events {
                is_configuration |= Of::Configuration.has(&event);
                history.push(event);
            }
        }
        self.show(snapshot, is_configuration);
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
            history.configuration_compacted = snapshot.revision;
        }
        self.show(snapshot, true);
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
    pub(crate) fn watch(self: &Arc<Self>, from: Option<Revision>, of: Of) -> WatchStream {
        let revisions = match of {
            Of::All => self.revisions(),
            Of::Configuration => self.configured.subscribe(),
        };
        let from = from.unwrap_or_else(|| self.snapshot().revision.next());
        WatchStream::new(Arc::clone(self), revisions, from, of)
    }

    /// The first event at `from` or later.
    pub(crate) fn event(&self, from: Revision, of: Of) -> Lookup {
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let compacted = match of {
            Of::All => history.compacted,
            Of::Configuration => history.configuration_compacted,
        };
        if from <= compacted {
            return Lookup::Compacted(compacted);
        }
        let at = history.events.partition_point(|event| event.revision < from);
        let found = history.events.range(at..).find(|event| of.has(event));
        found.cloned().map_or_else(|| Lookup::NotYet(history.next().max(from)), Lookup::Found)
    }

    fn show(&self, snapshot: Snapshot, is_configuration: bool) {
        let revision = snapshot.revision;
        let next = Arc::new(snapshot);
        let last = {
            let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *current, next)
        };
        self.revision.send_replace(revision);
        if is_configuration {
            self.configured.send_replace(revision);
        }
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
    /// The revision after the last event.
    fn next(&self) -> Revision {
        self.events.back().map_or(self.compacted, |event| event.revision).next()
    }

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
            if Of::Configuration.has(&event) {
                self.configuration_compacted = event.revision;
            }
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
    use crate::Change;

    fn event(revision: u64, change: Change) -> Event {
        let stamps = [crate::Stamp::default()].into();
        Event { revision: Revision(revision), changes: [change].into(), stamps }
    }

    #[tokio::test]
    async fn who_follows_the_configuration_sleeps_through_everything_else() {
        use crate::{AnyKey, WatchEvent};

        let published = Published::new(Snapshot::default(), 1);
        let publish = |revision, path: &str| {
            let change = Change::Delete(AnyKey::from_path(path).unwrap());
            let snapshot = Snapshot { revision: Revision(revision), ..Snapshot::default() };
            published.publish(snapshot, [event(revision, change)]);
        };
        let (node, setting) =
            ("/mip4/nodes/10.0.0.1/address=10.0.0.2", "/mip4/care_of_addresses/ha/10.0.0.1");
        let mut watch = published.watch(None, Of::Configuration);
        let many = u64::try_from(HISTORY_CHANGES_MAX).unwrap() + 100;
        for revision in 1..=many {
            publish(revision, node);
        }
        let mut next = Box::pin(watch.next());
        let now = std::time::Duration::ZERO;
        assert!(tokio::time::timeout(now, &mut next).await.is_err(), "none of it concerns it");
        publish(many + 1, setting);
        let found = next.await;
        let is_found = |found: &Option<WatchEvent>, revision| matches!(found, Some(WatchEvent::Changed(event)) if event.revision == Revision(revision));
        assert!(is_found(&found, many + 1), "history that it does not care for may be forgotten");
        let mut late = published.watch(Some(Revision(many + 1)), Of::Configuration);
        for revision in many + 2..=2 * many + 2 {
            publish(revision, node);
        }
        let compacted = late.next().await;
        assert!(
            matches!(compacted, Some(WatchEvent::Compacted(_))),
            "it missed one: {compacted:?}"
        );
        publish(2 * many + 3, setting);
        assert!(is_found(&watch.next().await, 2 * many + 3));
    }

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
