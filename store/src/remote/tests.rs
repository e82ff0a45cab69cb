//! The engine `unix:` when its server goes, forgets, or was never there.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use crate::conformance::Server;
use crate::testing::{binding, home_address, node_key, put, value};
use crate::{
    AnyRow, Batch, Binding, Change, Class, Client, ClientError, CommitError, NodeCounters,
    OpenError, OpenOptions, Policy, Store, StoreUrl, Table, WatchEvent,
};

async fn open(path: &Path) -> Store {
    Store::open(&StoreUrl::Unix(path.into()), OpenOptions::default()).await.unwrap()
}

async fn until(store: &Store, condition: impl Fn(&Store) -> bool) {
    let waiting = async {
        while !condition(store) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap();
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let folder = tempfile::tempdir().unwrap();
    let url = StoreUrl::Unix(folder.path().join("none.sock"));
    let error = Store::open(&url, OpenOptions::default()).await.unwrap_err();
    assert!(matches!(&error, OpenError::Unreachable(words) if words.contains("none.sock")));
    let error = Client::connect(&url).await.err().unwrap();
    assert!(matches!(error, ClientError::Unreachable(_)), "{error}");
}

#[tokio::test]
async fn the_last_revision_is_served_while_the_server_is_away_and_followed_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sock");
    let origin = Store::in_memory();
    let server = Server::start(origin.clone(), &path, Policy::operators());
    let store = open(&path).await;
    store.commit(put(Class::Durable, 1, 1)).await.unwrap();
    let mut watch = store.watch(None);
    server.stop().await;
    until(&store, |store| store.health().degraded.is_some()).await;
    assert_eq!(value(&store.snapshot(), 1), Some(1));
    let error = store.commit(put(Class::Durable, 1, 9)).await.unwrap_err();
    assert!(matches!(error, CommitError::Unreachable(_)), "{error}");
    assert!(store.health().age > Duration::ZERO);

    origin.commit(put(Class::Durable, 1, 2)).await.unwrap();
    origin.commit(put(Class::Durable, 1, 3)).await.unwrap();
    let _server = Server::start(origin, &path, Policy::operators());
    until(&store, |store| value(&store.snapshot(), 1) == Some(3)).await;
    assert!(store.health().degraded.is_none());
    // Nothing was missed: the watch has both, not just the last.
    for _ in 0..2 {
        let event = watch.next().await;
        assert!(matches!(event, Some(WatchEvent::Changed(_))), "{event:?}");
    }
}

#[tokio::test]
async fn a_mirror_whose_history_is_compacted_loads_everything_and_tells_its_watches() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sock");
    let origin = Store::in_memory();
    let server = Server::start(origin.clone(), &path, Policy::operators());
    let store = open(&path).await;
    store.commit(put(Class::Durable, 1, 1)).await.unwrap();
    let mut watch = store.watch(None);
    server.stop().await;
    origin.commit(put(Class::Durable, 2, 2)).await.unwrap();
    let mut batch = Batch::default();
    batch.delete::<NodeCounters>(node_key(1));
    let last = origin.commit(batch).await.unwrap();
    origin.compact(last);
    origin.commit(put(Class::Durable, 3, 3)).await.unwrap();
    let _server = Server::start(origin, &path, Policy::operators());
    until(&store, |store| value(&store.snapshot(), 3) == Some(3)).await;
    assert_eq!(value(&store.snapshot(), 1), None, "the deletion was not seen, only its result");
    assert_eq!(value(&store.snapshot(), 2), Some(2));
    assert!(matches!(watch.next().await, Some(WatchEvent::Compacted(_))));
}

#[tokio::test]
async fn a_server_that_lost_its_past_is_not_mixed_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sock");
    let server = Server::start(Store::in_memory(), &path, Policy::operators());
    let store = open(&path).await;
    for number in 1..=5 {
        store.commit(put(Class::Durable, number, 1)).await.unwrap();
    }
    server.stop().await;
    let another = Store::in_memory();
    another.commit(put(Class::Durable, 9, 9)).await.unwrap();
    let _server = Server::start(another, &path, Policy::operators());
    until(&store, |store| value(&store.snapshot(), 9) == Some(9)).await;
    assert_eq!(value(&store.snapshot(), 1), None);
    store.commit(put(Class::Durable, 1, 2)).await.unwrap();
    assert_eq!(value(&store.snapshot(), 1), Some(2));
}

#[tokio::test]
async fn relaxed_changes_reach_a_server_that_was_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sock");
    let origin = Store::in_memory();
    let server = Server::start(origin.clone(), &path, Policy::operators());
    let store = open(&path).await;
    server.stop().await;
    store.commit_soon(put(Class::Relaxed, 1, 1));
    tokio::time::sleep(Duration::from_millis(100)).await;
    store.commit_soon(put(Class::Relaxed, 1, 2));
    let _server = Server::start(origin.clone(), &path, Policy::operators());
    until(&origin, |origin| value(&origin.snapshot(), 1) == Some(2)).await;
}

#[tokio::test]
async fn closing_sends_what_was_queued() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sock");
    let origin = Store::in_memory();
    let _server = Server::start(origin.clone(), &path, Policy::operators());
    let store = open(&path).await;
    store.commit_soon(put(Class::Relaxed, 1, 7));
    let handle = store.clone();
    store.close().await;
    assert_eq!(value(&origin.snapshot(), 1), Some(7));
    let error = handle.commit(put(Class::Durable, 1, 8)).await.unwrap_err();
    assert!(matches!(error, CommitError::Closed), "{error}");
}

#[tokio::test]
async fn a_client_reads_a_table_page_by_page_at_one_revision() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sock");
    let origin = Store::in_memory();
    let mut batch = Batch::default();
    for number in 0..9_000 {
        batch.put(binding(number, home_address(1), None));
    }
    let loaded = origin.commit(batch).await.unwrap();
    let _server = Server::start(origin.clone(), &path, Policy::operators());
    let client = Client::connect(&StoreUrl::Unix(path.clone())).await.unwrap();

    let mut page = client.first_page::<Binding>().await.unwrap();
    let mut keys = Vec::new();
    loop {
        assert_eq!(page.revision, loaded);
        keys.extend(page.rows.iter().map(|entry| entry.row.home_address));
        // What happens between two pages is not seen.
        let last = page.rows.last().unwrap().row.home_address;
        let mut batch = Batch::default();
        batch.put(binding(20_000, home_address(1), None));
        batch.delete::<Binding>(crate::Row::key(&binding(8_999, home_address(1), None)));
        origin.commit(batch).await.unwrap();
        match client.next_page(&page).await.unwrap() {
            Some(next) => page = next,
            None => break,
        }
        assert!(page.rows.first().unwrap().row.home_address.to_string() > last.to_string());
    }
    assert_eq!(keys.len(), 9_000);
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 9_000, "no row comes twice");

    let store = open(&path).await;
    assert_eq!(store.snapshot().rows::<Binding>().len(), 9_000);
    let key = crate::Row::key(&binding(7, home_address(1), None));
    let entry = client.get::<Binding>(&key).await.unwrap().unwrap();
    assert_eq!((entry.row.home_address, entry.modified), (home_address(7), loaded));
}

#[tokio::test]
async fn a_copy_of_some_tables_leaves_the_others_out_and_counts_revisions_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sock");
    let origin = Store::in_memory();
    let _server = Server::start(origin.clone(), &path, Policy::operators());
    let bound = |number| binding(number, Ipv4Addr::new(192, 168, 0, 1), None);
    let mut both = put(Class::Durable, 1, 1);
    both.put(bound(1));
    origin.commit(both).await.unwrap();

    let tables = Some([Table::Bindings].into());
    let options = OpenOptions { tables, ..OpenOptions::default() };
    let store = Store::open(&StoreUrl::Unix(path.clone()), options).await.unwrap();
    let copied = store.snapshot();
    assert_eq!(copied.revision, origin.snapshot().revision);
    assert_eq!((copied.rows::<Binding>().len(), value(&copied, 1)), (1, None));

    let mut watch = store.watch(None);
    let mut both = put(Class::Durable, 2, 2);
    both.put(bound(2));
    origin.commit(both).await.unwrap();
    let last = origin.commit(put(Class::Durable, 3, 3)).await.unwrap();
    until(&store, |store| store.snapshot().revision == last).await;
    let copied = store.snapshot();
    assert_eq!((copied.rows::<Binding>().len(), value(&copied, 2)), (2, None));
    let Some(WatchEvent::Changed(event)) = watch.next().await else { panic!("no event") };
    assert!(matches!(&event.changes[..], [Change::Put(AnyRow::Binding(_))]), "{event:?}");

    let none = OpenOptions { tables: Some([].into()), ..OpenOptions::default() };
    let store = Store::open(&StoreUrl::Unix(path), none).await.unwrap();
    assert_eq!(store.snapshot().revision, last);
    assert!(store.snapshot().rows::<Binding>().is_empty());
}
