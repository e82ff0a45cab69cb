//! What every engine promises, asked of each of them.

pub(crate) mod protocol;

use std::path::Path;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::testing::{node_counters, node_key, put};
use crate::{
    Batch, Change, Class, CommitError, Event, Expect, NodeCounters, OpenOptions, Policy, Revision,
    Store, StoreUrl, WatchEvent, WatchStream, serve,
};

/// A store to be tested, and what keeps it alive.
pub(crate) struct Fixture {
    pub(crate) store: Store,
    _folder: tempfile::TempDir,
    _server: Option<Server>,
}

/// A server on a socket, until it is stopped or dropped.
pub(crate) struct Server {
    stop: Option<oneshot::Sender<()>>,
    pub(crate) task: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves `store` at `path`.
    pub(crate) fn start(store: Store, path: &Path, policy: Policy) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let _ = std::fs::remove_file(path);
        let listener = UnixListener::bind(path).unwrap();
        let task = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            serve(store, listener, policy, stopped).await.unwrap();
        });
        Self { stop: Some(stop), task: Some(task) }
    }

    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        self.task.take().unwrap().await.unwrap();
    }
}

/// Which engine to ask.
#[derive(Clone, Copy)]
enum Kind {
    Memory,
    Sled,
    Served,
}

impl Fixture {
    async fn new(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut server = None;
        let store = match kind {
            Kind::Memory => Store::in_memory(),
            Kind::Sled => {
                let url = StoreUrl::Sled(folder.path().join("store"));
                Store::open(&url, OpenOptions::default()).await.unwrap()
            }
            Kind::Served => {
                let socket = folder.path().join("store.sock");
                server = Some(Server::start(Store::in_memory(), &socket, Policy::operators()));
                let url = StoreUrl::Unix(socket);
                Store::open(&url, OpenOptions::default()).await.unwrap()
            }
        };
        Self { store, _folder: folder, _server: server }
    }
}

macro_rules! conformance {
    (@ $module:ident $kind:ident $($case:ident)*) => {
        mod $module {
            $(
                #[tokio::test]
                async fn $case() {
                    let fixture = super::Fixture::new(super::Kind::$kind).await;
                    let asked = super::$case(fixture.store.clone());
                    tokio::time::timeout(super::PATIENCE, asked).await.unwrap();
                }
            )*
        }
    };
    (every engine: $($case:ident)* ; without a cluster: $($alone:ident)*) => {
        conformance!(@ memory Memory $($case)* $($alone)*);
        conformance!(@ sled Sled $($case)* $($alone)*);
        conformance!(@ served Served $($case)* $($alone)*);

        /// Asks the store at `url` all of it, one case after the other, each on an empty store.
        pub(crate) async fn ask_all(url: &StoreUrl, options: &OpenOptions) {
            $(
                let store = Store::open(url, options.clone()).await.unwrap();
                clear(&store).await;
                let asked = $case(store.clone());
                // A cluster syncs each of thousands of commits by itself.
                if tokio::time::timeout(5 * PATIENCE, asked).await.is_err() {
                    panic!("{} does not end", stringify!($case));
                }
                store.close().await;
            )*
        }
    };
}

const PATIENCE: Duration = Duration::from_secs(180);

conformance! {
    every engine:
    a_commit_is_visible_when_it_resolves
    revisions_grow_and_watches_see_them_in_order
    a_batch_happens_at_one_revision
    a_compare_that_fails_changes_nothing
    versions_count_and_the_creation_stays
    deleting_what_is_not_there_is_no_error
    a_watch_resumes_from_any_revision_that_is_kept
    a_watch_across_compaction_is_told
    a_hundred_writers_race_on_one_row
    commits_to_one_row_keep_the_order_of_the_calls
    commits_made_together_have_a_result_each
    relaxed_commits_become_visible
    a_durable_commit_comes_after_the_relaxed_one_before_it
    secrets_are_kept_and_forgotten
    ;
    without a cluster:
    commits_to_different_rows_keep_the_order_of_the_calls
}

/// Deletes the rows that the cases write.
async fn clear(store: &Store) {
    let snapshot = store.snapshot();
    let keys: Vec<_> =
        snapshot.rows::<NodeCounters>().iter().map(|row| crate::Row::key(&**row)).collect();
    // As many as a cluster takes at once.
    for keys in keys.chunks(100) {
        let mut batch = Batch::default();
        for key in keys {
            batch.delete::<NodeCounters>(key.clone());
        }
        store.commit(batch).await.unwrap();
    }
}

fn accepted(store: &Store, number: u32) -> Option<u64> {
    let snapshot = store.snapshot();
    snapshot.rows::<NodeCounters>().get(&node_key(number)).map(|row| row.accepted)
}

async fn until(store: &Store, condition: impl Fn(&Store) -> bool) {
    let mut revisions = store.revisions();
    while !condition(store) {
        revisions.changed().await.unwrap();
    }
}

/// The next event that changes something.
async fn next(watch: &mut WatchStream) -> Event {
    loop {
        match watch.next().await {
            Some(WatchEvent::Changed(event)) if event.changes.is_empty() => {}
            Some(WatchEvent::Changed(event)) => return event,
            other => panic!("{other:?}"),
        }
    }
}

fn value_of(change: &Change) -> u64 {
    match change {
        Change::Put(crate::AnyRow::NodeCounters(row)) => row.accepted,
        other => panic!("{other:?}"),
    }
}

async fn a_commit_is_visible_when_it_resolves(store: Store) {
    for value in 1..=20 {
        let revision = store.commit(put(Class::Durable, 1, value)).await.unwrap();
        assert!(store.snapshot().revision >= revision);
        assert_eq!(accepted(&store, 1), Some(value));
    }
}

async fn revisions_grow_and_watches_see_them_in_order(store: Store) {
    let mut watch = store.watch(None);
    let mut revisions = Vec::new();
    for number in 1..=20 {
        revisions.push(store.commit(put(Class::Durable, number, 1)).await.unwrap());
    }
    assert!(revisions.is_sorted_by(|a, b| a < b), "{revisions:?}");
    for revision in revisions {
        let event = next(&mut watch).await;
        assert_eq!(event.revision, revision);
        assert_eq!(event.changes.len(), 1);
        assert_eq!(event.stamps[0].modified, revision);
    }
}

async fn a_batch_happens_at_one_revision(store: Store) {
    store.commit(put(Class::Durable, 3, 1)).await.unwrap();
    let mut watch = store.watch(None);
    let mut batch = Batch::default();
    batch.put(node_counters(1, 7)).put(node_counters(2, 7)).delete::<NodeCounters>(node_key(3));
    let revision = store.commit(batch).await.unwrap();
    let event = next(&mut watch).await;
    assert_eq!((event.revision, event.changes.len()), (revision, 3));
    let snapshot = store.snapshot();
    let rows = snapshot.rows::<NodeCounters>();
    assert_eq!(rows.entry(&node_key(1)).unwrap().modified, revision);
    assert_eq!(rows.entry(&node_key(2)).unwrap().modified, revision);
    assert!(rows.get(&node_key(3)).is_none());
}

async fn a_compare_that_fails_changes_nothing(store: Store) {
    let first = store.commit(put(Class::Durable, 1, 1)).await.unwrap();
    let second = store.commit(put(Class::Durable, 1, 2)).await.unwrap();
    for (number, expect) in [
        (1, Expect::Absent),
        (1, Expect::Modified(first)),
        (2, Expect::Present),
        (2, Expect::Modified(second)),
    ] {
        let mut batch = put(Class::Durable, 1, 9);
        batch.expect::<NodeCounters>(node_key(3), Expect::Absent);
        batch.expect::<NodeCounters>(node_key(number), expect);
        let refused = store.commit(batch).await.unwrap_err();
        let CommitError::Refused(compare) = refused else { panic!("{refused}") };
        assert_eq!(compare.expect, expect);
    }
    assert_eq!(accepted(&store, 1), Some(2));
    assert_eq!(store.snapshot().revision, second);
    let mut batch = put(Class::Durable, 1, 3);
    batch.expect::<NodeCounters>(node_key(1), Expect::Modified(second));
    batch.expect::<NodeCounters>(node_key(1), Expect::Present);
    batch.expect::<NodeCounters>(node_key(2), Expect::Absent);
    store.commit(batch).await.unwrap();
    assert_eq!(accepted(&store, 1), Some(3));
}

async fn versions_count_and_the_creation_stays(store: Store) {
    let created = store.commit(put(Class::Durable, 1, 1)).await.unwrap();
    store.commit(put(Class::Durable, 1, 2)).await.unwrap();
    let modified = store.commit(put(Class::Durable, 1, 3)).await.unwrap();
    let snapshot = store.snapshot();
    let entry = snapshot.rows::<NodeCounters>().entry(&node_key(1)).unwrap().clone();
    assert_eq!((entry.created, entry.modified, entry.version), (created, modified, 3));
    let mut batch = Batch::default();
    batch.delete::<NodeCounters>(node_key(1));
    store.commit(batch).await.unwrap();
    let again = store.commit(put(Class::Durable, 1, 4)).await.unwrap();
    let snapshot = store.snapshot();
    let entry = snapshot.rows::<NodeCounters>().entry(&node_key(1)).unwrap().clone();
    assert_eq!((entry.created, entry.modified, entry.version), (again, again, 1));
}

async fn deleting_what_is_not_there_is_no_error(store: Store) {
    let mut batch = Batch::default();
    batch.delete::<NodeCounters>(node_key(1));
    store.commit(batch).await.unwrap();
    store.commit(put(Class::Durable, 2, 1)).await.unwrap();
    assert_eq!(accepted(&store, 1), None);
}

async fn a_watch_resumes_from_any_revision_that_is_kept(store: Store) {
    let mut revisions = Vec::new();
    for value in 1..=10 {
        revisions.push(store.commit(put(Class::Durable, 1, value)).await.unwrap());
    }
    for (position, revision) in revisions.iter().enumerate() {
        let mut watch = store.watch(Some(*revision));
        for value in position + 1..=10 {
            let event = next(&mut watch).await;
            assert_eq!(value_of(&event.changes[0]), u64::try_from(value).unwrap());
        }
    }
}

async fn a_watch_across_compaction_is_told(store: Store) {
    let first = store.commit(put(Class::Durable, 1, 1)).await.unwrap();
    let second = store.commit(put(Class::Durable, 1, 2)).await.unwrap();
    let third = store.commit(put(Class::Durable, 1, 3)).await.unwrap();
    store.compact(second);
    let mut watch = store.watch(Some(first));
    let Some(WatchEvent::Compacted(at)) = watch.next().await else { panic!("not told") };
    assert_eq!(at, second);
    assert!(watch.next().await.is_none(), "that was the last word");
    let mut watch = store.watch(Some(third));
    assert_eq!(value_of(&next(&mut watch).await.changes[0]), 3);
}

async fn a_hundred_writers_race_on_one_row(store: Store) {
    store.commit(put(Class::Durable, 1, 0)).await.unwrap();
    let writers: Vec<_> = (0..100).map(|_| tokio::spawn(add_one(store.clone()))).collect();
    let mut refusals = 0;
    for writer in writers {
        refusals += writer.await.unwrap();
    }
    assert_eq!(accepted(&store, 1), Some(100));
    let version = store.snapshot().rows::<NodeCounters>().entry(&node_key(1)).unwrap().version;
    assert_eq!(version, 101, "after {refusals} refusals");
}

/// Adds one to row 1, again until nobody is in between; tells how often somebody was.
async fn add_one(store: Store) -> u32 {
    let mut refusals = 0;
    loop {
        let snapshot = store.snapshot();
        let entry = snapshot.rows::<NodeCounters>().entry(&node_key(1)).unwrap();
        let mut batch = put(Class::Durable, 1, entry.row.accepted + 1);
        batch.expect::<NodeCounters>(node_key(1), Expect::Modified(entry.modified));
        match store.commit(batch).await {
            Ok(_) => return refusals,
            Err(CommitError::Refused(_)) => refusals += 1,
            Err(error) => panic!("{error}"),
        }
        let mut revisions = store.revisions();
        let newer = revisions.wait_for(|revision| *revision > snapshot.revision);
        let _ = tokio::time::timeout(Duration::from_millis(50), newer).await;
    }
}

async fn commits_to_one_row_keep_the_order_of_the_calls(store: Store) {
    let commits: Vec<_> =
        (1..=50).map(|value| store.commit(put(Class::Durable, 1, value))).collect();
    let mut revisions: Vec<Revision> = Vec::new();
    for commit in commits {
        revisions.push(commit.await.unwrap());
    }
    assert!(revisions.is_sorted_by(|a, b| a < b), "{revisions:?}");
    assert_eq!(accepted(&store, 1), Some(50));
}

async fn commits_made_together_have_a_result_each(store: Store) {
    let mut refused = put(Class::Durable, 1, 3);
    refused.expect::<NodeCounters>(node_key(1), Expect::Absent);
    let together =
        [put(Class::Durable, 1, 1), put(Class::Durable, 1, 2), refused, put(Class::Durable, 2, 4)];
    let after = store.commit_all(together.into());
    let alone = store.commit(put(Class::Durable, 1, 5));
    let results = after.await;
    let [Ok(first), Ok(second), Err(CommitError::Refused(_)), Ok(_)] = results.as_slice() else {
        panic!("{results:?}")
    };
    assert!(first < second, "{results:?}");
    assert!(*second < alone.await.unwrap());
    assert_eq!((accepted(&store, 1), accepted(&store, 2)), (Some(5), Some(4)));
}

/// The engines of one process keep the order of all calls; a cluster that of each row.
async fn commits_to_different_rows_keep_the_order_of_the_calls(store: Store) {
    let together = (0..64).map(|number| put(Class::Durable, number, 1)).collect();
    let after = store.commit_all(together);
    let alone = store.commit(put(Class::Durable, 64, 1));
    let mut revisions: Vec<_> = after.await.into_iter().map(Result::unwrap).collect();
    revisions.push(alone.await.unwrap());
    assert!(revisions.windows(2).all(|pair| pair[0] < pair[1]), "{revisions:?}");
}

async fn relaxed_commits_become_visible(store: Store) {
    for value in 1..=100 {
        store.commit_soon(put(Class::Relaxed, 1, value));
        store.commit_soon(put(Class::Relaxed, 2, value));
    }
    until(&store, |store| accepted(store, 1) == Some(100) && accepted(store, 2) == Some(100)).await;
}

async fn a_durable_commit_comes_after_the_relaxed_one_before_it(store: Store) {
    for round in 0..10 {
        store.commit_soon(put(Class::Relaxed, 1, round * 2));
        store.commit(put(Class::Durable, 1, round * 2 + 1)).await.unwrap();
        assert_eq!(accepted(&store, 1), Some(round * 2 + 1));
    }
}

async fn secrets_are_kept_and_forgotten(store: Store) {
    assert!(store.secret("associations/a").await.unwrap().is_none());
    store.put_secret("associations/a", b"key").await.unwrap();
    assert_eq!(&store.secret("associations/a").await.unwrap().unwrap()[..], b"key");
    store.put_secret("associations/a", b"other").await.unwrap();
    assert_eq!(&store.secret("associations/a").await.unwrap().unwrap()[..], b"other");
    store.delete_secret("associations/a").await.unwrap();
    assert!(store.secret("associations/a").await.unwrap().is_none());
}
