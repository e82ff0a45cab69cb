//! Reading at a revision: snapshots that are kept for a while, and their order by text.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tonic::Status;

use super::span::Span;
use super::status;
use crate::{AnyKey, Revision, Snapshot, Store, Table};

/// How long a revision can be read after it was read first.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// How many revisions are kept at most; the oldest goes first.
const KEPT_MAX: usize = 64;

/// A snapshot, and the paths of its rows in order once somebody pages through them.
///
/// The tables have an order of their own, which is not that of the text.
pub(crate) struct View {
    pub(crate) snapshot: Arc<Snapshot>,
    sorted: Vec<OnceLock<Box<[Box<str>]>>>,
}

impl View {
    pub(crate) fn new(snapshot: Arc<Snapshot>) -> Self {
        let sorted = Table::ALL.iter().map(|_| OnceLock::new()).collect();
        Self { snapshot, sorted }
    }

    /// The paths in `span` in order, without sorting a whole table for one row.
    pub(crate) fn paths(&self, span: &Span) -> Vec<Box<str>> {
        if let Span::One(key) = span {
            return self.one(key).into_iter().map(String::into_boxed_str).collect();
        }
        let mut paths = Vec::new();
        for table in span.tables() {
            let start = paths.len();
            let all = self.snapshot.tables.all(table).map(|(row, _)| row.key().path());
            paths.extend(all.filter(|path| span.contains(path)).map(String::into_boxed_str));
            paths[start..].sort_unstable();
        }
        paths
    }

    /// The first `limit` paths in `span`, and how many there are in all.
    pub(crate) fn page(&self, span: &Span, limit: usize) -> (Vec<&str>, usize) {
        let mut page: Vec<&str> = Vec::new();
        let mut count = 0;
        for table in span.tables() {
            let sorted = self.sorted(table);
            let Span::Between { start, end } = span else { continue };
            let from = sorted.partition_point(|path| path.as_bytes() < start.as_slice());
            let to = end.as_ref().map_or(sorted.len(), |end| {
                sorted.partition_point(|path| path.as_bytes() < end.as_slice())
            });
            let within = sorted.get(from..to).unwrap_or_default();
            count += within.len();
            let room = limit.saturating_sub(page.len());
            page.extend(within.iter().take(room).map(AsRef::as_ref));
        }
        (page, count)
    }

    /// How many rows have to be looked at for `span`.
    pub(crate) fn effort(&self, span: &Span) -> usize {
        if matches!(span, Span::One(_)) {
            return 1;
        }
        span.tables().into_iter().map(|table| self.snapshot.tables.count(table)).sum()
    }

    /// The path of the row that `key` names, if it is there.
    fn one(&self, key: &[u8]) -> Option<String> {
        let path = std::str::from_utf8(key).ok()?;
        let key = AnyKey::from_path(path)?;
        self.snapshot.tables.modified(&key)?;
        // Text that names a row in another than its own spelling is not its key.
        Some(key.path()).filter(|own| own == path)
    }

    fn sorted(&self, table: Table) -> &[Box<str>] {
        let position = Table::ALL.iter().position(|other| *other == table);
        let Some(sorted) = position.and_then(|position| self.sorted.get(position)) else {
            return &[];
        };
        sorted.get_or_init(|| {
            let all = self.snapshot.tables.all(table);
            let mut paths: Vec<_> = all.map(|(row, _)| row.key().path().into_boxed_str()).collect();
            paths.sort_unstable();
            paths.into_boxed_slice()
        })
    }
}

/// The revisions that can still be read.
#[derive(Default)]
pub(crate) struct Views {
    kept: Mutex<VecDeque<(Instant, Arc<View>)>>,
}

impl Views {
    /// The view at `revision` of a request; 0 is the newest.
    pub(crate) fn at(&self, store: &Store, revision: i64) -> Result<Arc<View>, Status> {
        self.at_time(Instant::now(), store, revision)
    }

    fn at_time(&self, now: Instant, store: &Store, revision: i64) -> Result<Arc<View>, Status> {
        let snapshot = store.snapshot();
        let wanted = match revision {
            ..=0 => snapshot.revision,
            revision => Revision(status::unsigned(revision)),
        };
        if wanted > snapshot.revision {
            return Err(status::future());
        }
        match self.find(now, wanted) {
            Some(view) => Ok(view),
            None if wanted == snapshot.revision => Ok(Arc::new(View::new(snapshot))),
            None => Err(status::compacted()),
        }
    }

    /// Keeps `view`, so that its revision can be asked for again.
    pub(crate) fn keep(&self, view: &Arc<View>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.iter().any(|(_, other)| other.snapshot.revision == view.snapshot.revision) {
            return;
        }
        while kept.len() >= KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back((Instant::now(), Arc::clone(view)));
    }

    /// Lets go of what nobody may ask for any more.
    pub(crate) fn expire(&self, now: Instant) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(since, _)| within(*since, now));
    }

    /// Lets go of the revisions before `revision`.
    pub(crate) fn forget_before(&self, revision: Revision) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(_, view)| view.snapshot.revision >= revision);
    }

    fn find(&self, now: Instant, revision: Revision) -> Option<Arc<View>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, view) = kept
            .iter()
            .find(|(since, view)| view.snapshot.revision == revision && within(*since, now))?;
        Some(Arc::clone(view))
    }
}

/// Whether what was kept at `since` may still be read at `now`.
fn within(since: Instant, now: Instant) -> bool {
    now.saturating_duration_since(since) <= KEPT_FOR
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;
    use crate::Class;
    use crate::testing::put;

    #[tokio::test]
    async fn a_kept_revision_can_be_read_for_a_minute() {
        let store = Store::in_memory();
        let old = store.commit(put(Class::Durable, 1, 1)).await.unwrap();
        let views = Views::default();
        views.keep(&Arc::new(View::new(store.snapshot())));
        let since = Instant::now();
        store.commit(put(Class::Durable, 1, 2)).await.unwrap();
        let asked = i64::try_from(old.0).unwrap();
        let before = KEPT_FOR.saturating_sub(Duration::from_secs(1));
        assert_eq!(views.at_time(since + before, &store, asked).unwrap().snapshot.revision, old);
        let after = since + KEPT_FOR + Duration::from_secs(1);
        let status = views.at_time(after, &store, asked).err().unwrap();
        assert_eq!(status.code(), Code::OutOfRange);
        assert!(status.message().contains("compacted"), "{status}");
        views.expire(since + before);
        assert_eq!(views.kept.lock().unwrap().len(), 1);
        views.expire(after);
        assert!(views.kept.lock().unwrap().is_empty());
    }
}
