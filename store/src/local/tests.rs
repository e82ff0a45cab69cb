use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::testing::{binding, node_key, put, stamp, value};
use crate::{Binding, Change, Expect, NodeCounters, Row, Store, StoreUrl, WatchEvent};

/// So small that a few commits close segments and make checkpoints.
const TINY: Limits = Limits { segment_octets: 4096, checkpoint_octets: 8192 };

fn options(limits: Limits) -> LocalOptions {
    LocalOptions {
        files: Arc::new(RealFiles),
        key_file: None,
        limits,
        progress: Progress::default(),
    }
}

fn open(path: &Path, limits: Limits) -> Store {
    Store::from_engine(Local::open(path, options(limits)).unwrap())
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let url = StoreUrl::Sled(folder.path().join("store"));
    let store = Store::open(&url, OpenOptions::default()).await.unwrap();
    for number in 1..=5 {
        let revision = store.commit(put(Class::Durable, number, 10)).await.unwrap();
        assert_eq!(store.snapshot().revision, revision);
    }
    store.commit(put(Class::Durable, 2, 20)).await.unwrap();
    let mut batch = Batch::new(Class::Durable);
    batch.delete::<NodeCounters>(node_key(3));
    batch.put(binding(1, Ipv4Addr::new(192, 168, 0, 1), Some("node/1@example.com")));
    store.commit(batch).await.unwrap();
    store.close().await;

    let store = Store::open(&url, OpenOptions::default()).await.unwrap();
    let snapshot = store.snapshot();
    assert_eq!(snapshot.revision, Revision(7));
    assert_eq!(value(&snapshot, 1), Some(10));
    assert_eq!(value(&snapshot, 2), Some(20));
    assert_eq!(value(&snapshot, 3), None);
    assert_eq!(stamp(&snapshot, 2), (Revision(2), Revision(6), 2));
    assert_eq!(snapshot.rows::<Binding>().len(), 1);
    let mut watch = store.watch(Some(Revision(7)));
    let Some(WatchEvent::Changed(event)) = watch.next().await else { panic!("no history") };
    assert!(matches!(&event.changes[..], [Change::Delete(_), Change::Put(_)]));
}

#[tokio::test]
async fn relaxed_commits_are_visible_soon_and_kept_by_a_close() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = open(&path, Limits::default());
    let mut revisions = store.revisions();
    store.commit_soon(put(Class::Durable, 1, 1));
    assert_eq!(store.commit(put(Class::Relaxed, 2, 2)).await.unwrap(), Revision(2));
    revisions.wait_for(|revision| *revision >= Revision(2)).await.unwrap();
    assert_eq!(value(&store.snapshot(), 1), Some(1));
    store.commit_soon(put(Class::Relaxed, 3, 3));
    store.close().await;
    assert_eq!(value(&open(&path, Limits::default()).snapshot(), 3), Some(3));
}

#[tokio::test]
async fn a_compare_sees_the_commits_queued_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store"), Limits::default());
    let racers: Vec<_> = (0..100)
        .map(|racer| {
            let mut batch = put(Class::Durable, 1, racer);
            batch.expect::<NodeCounters>(node_key(1), Expect::Absent);
            store.commit(batch)
        })
        .collect();
    let mut won = 0;
    for racer in racers {
        match racer.await {
            Ok(revision) => {
                assert_eq!(revision, Revision(1));
                won += 1;
            }
            Err(CommitError::Refused(compare)) => assert_eq!(compare.expect, Expect::Absent),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn checkpoints_take_over_from_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = open(&path, TINY);
    store.put_secret("associations/one", b"octets").await.unwrap();
    for value in 0..50 {
        for number in 0..10 {
            store.commit(put(Class::Durable, number, value)).await.unwrap();
        }
    }
    let covered = store.checkpoint().await.unwrap();
    assert_eq!(covered, Revision(501));
    assert_eq!(store.health().last_error, None);
    assert_eq!(std::fs::read_dir(path.join("journal")).unwrap().count(), 1);
    store.commit(put(Class::Durable, 3, 99)).await.unwrap();
    store.close().await;

    let store = open(&path, TINY);
    let snapshot = store.snapshot();
    assert_eq!(snapshot.revision, Revision(502));
    assert_eq!(value(&snapshot, 3), Some(99));
    assert_eq!(value(&snapshot, 4), Some(49));
    assert_eq!(stamp(&snapshot, 4), (Revision(6), Revision(496), 50));
    assert_eq!(&store.secret("associations/one").await.unwrap().unwrap()[..], b"octets");
    assert_eq!(store.compacted(), Revision(501));
}

#[tokio::test]
async fn two_processes_cannot_have_one_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = open(&path, TINY);
    match Local::open(&path, options(TINY)) {
        Err(OpenError::InUse { process_id, .. }) => assert_eq!(process_id, std::process::id()),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("opened twice"),
    }
    drop(store);
    open(&path, TINY);
}

#[tokio::test]
async fn secrets_are_sealed_in_the_files_and_need_their_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = open(&path, TINY);
    store.put_secret("associations/one", b"a very secret key").await.unwrap();
    store.checkpoint().await.unwrap();
    store.put_secret("associations/two", b"a very secret key").await.unwrap();
    store.close().await;
    let mut folders = vec![path.clone()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let entry = entry.unwrap().path();
            if entry.is_dir() {
                folders.push(entry);
            } else {
                let octets = std::fs::read(&entry).unwrap();
                assert!(!octets.windows(11).any(|window| window == b"very secret"), "{entry:?}");
            }
        }
    }
    let key = folder.path().join("secret.key");
    std::fs::rename(&key, folder.path().join("hidden")).unwrap();
    assert!(matches!(Local::open(&path, options(TINY)), Err(OpenError::KeyFile { .. })));
    std::fs::write(&key, [1; 32]).unwrap();
    let owner = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&key, owner).unwrap();
    assert!(matches!(Local::open(&path, options(TINY)), Err(OpenError::KeyFile { .. })));
    std::fs::rename(folder.path().join("hidden"), &key).unwrap();
    let store = open(&path, TINY);
    assert_eq!(&store.secret("associations/two").await.unwrap().unwrap()[..], b"a very secret key");
}

#[tokio::test]
async fn rows_that_are_too_large_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store"), TINY);
    let mut row = crate::testing::node_counters(1, 1);
    row.unknown.insert("note", "x".repeat(40_000));
    let mut batch = Batch::new(Class::Durable);
    batch.put(row.clone());
    assert!(matches!(store.commit(batch).await, Err(CommitError::Invalid(_))));
    assert_eq!(store.snapshot().revision, Revision(0));
    assert_eq!(row.key(), node_key(1));
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store"), TINY);
    let other = store.clone();
    store.close().await;
    let done =
        tokio::time::timeout(Duration::from_secs(5), other.commit(put(Class::Durable, 1, 1)));
    assert!(matches!(done.await.unwrap(), Err(CommitError::Closed)));
}

#[test]
fn a_database_that_lets_go_late_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let held = checkpoint::open_sled(folder.path()).unwrap();
    held.insert(b"page", b"items").unwrap();
    let path = folder.path().to_owned();
    let second = thread::spawn(move || checkpoint::open_sled(&path));
    thread::sleep(Duration::from_millis(100));
    assert!(!second.is_finished(), "two have one database");
    drop(held);
    let second = second.join().unwrap().unwrap();
    assert_eq!(second.get(b"page").unwrap().unwrap(), &b"items"[..]);
}
