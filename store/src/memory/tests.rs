use std::net::Ipv4Addr;

use crate::{
    Batch, Change, Class, CommitError, Expect, Identity, NodeCounters, NodeKey, Revision, Store,
    StoreUrl, StoreUrlError, UtcTime, WatchEvent,
};

fn counters(number: u8) -> NodeCounters {
    NodeCounters {
        home_agent: Ipv4Addr::LOCALHOST,
        identity: Identity::Address(Ipv4Addr::new(10, 0, 0, number)),
        accepted: 0,
        denied: 0,
        served_milliseconds: 0,
        serving_since: None,
        counted_since: UtcTime(0),
        last_accepted_at: None,
        last_denied_at: None,
        last_denied_code: None,
        discontinuity_at: UtcTime(0),
        unknown: crate::Unknown::default(),
    }
}

fn key(number: u8) -> NodeKey {
    NodeKey {
        home_agent: Ipv4Addr::LOCALHOST,
        identity: Identity::Address(Ipv4Addr::new(10, 0, 0, number)),
    }
}

fn put(number: u8) -> Batch {
    let mut batch = Batch::new(Class::Durable);
    batch.put(counters(number));
    batch
}

#[tokio::test]
async fn commits_are_visible_and_numbered() {
    let store = Store::in_memory();
    assert_eq!(store.commit(put(1)).await.unwrap(), Revision(1));
    assert_eq!(store.commit(put(2)).await.unwrap(), Revision(2));
    assert_eq!(store.commit(put(1)).await.unwrap(), Revision(3));
    let snapshot = store.snapshot();
    assert_eq!(snapshot.revision, Revision(3));
    let entry = snapshot.rows::<NodeCounters>().entry(&key(1)).unwrap();
    assert_eq!((entry.created, entry.modified, entry.version), (Revision(1), Revision(3), 2));
}

#[tokio::test]
async fn a_compare_that_fails_changes_nothing() {
    let store = Store::in_memory();
    let mut batch = put(1);
    batch.expect::<NodeCounters>(key(1), Expect::Absent);
    assert_eq!(store.commit(batch.clone()).await.unwrap(), Revision(1));
    assert!(matches!(store.commit(batch).await, Err(CommitError::Refused(_))));
    let mut batch = put(1);
    batch.expect::<NodeCounters>(key(1), Expect::Modified(Revision(1)));
    assert_eq!(store.commit(batch).await.unwrap(), Revision(2));
    assert_eq!(store.snapshot().revision, Revision(2));
}

#[tokio::test]
async fn a_watch_resumes_waits_and_is_told_of_compaction() {
    let store = Store::in_memory();
    for number in 1..=3 {
        store.commit(put(number)).await.unwrap();
    }
    let mut watch = store.watch(Some(Revision(2)));
    for revision in 2..=3 {
        let Some(WatchEvent::Changed(event)) = watch.next().await else { panic!("no event") };
        assert_eq!(event.revision, Revision(revision));
        assert!(matches!(&event.changes[..], [Change::Put(_)]));
        assert_eq!(event.stamps[0].version, 1);
    }
    let waiting = tokio::spawn(async move { watch.next().await });
    tokio::task::yield_now().await;
    let mut batch = Batch::new(Class::Durable);
    batch.delete::<NodeCounters>(key(1)).delete::<NodeCounters>(key(9));
    store.commit(batch).await.unwrap();
    let Some(WatchEvent::Changed(event)) = waiting.await.unwrap() else { panic!("no event") };
    assert!(matches!(&event.changes[..], [Change::Delete(_)]), "deleting nothing is no change");
    store.compact(Revision(2));
    let mut late = store.watch(Some(Revision(2)));
    assert!(matches!(late.next().await, Some(WatchEvent::Compacted(Revision(2)))));
    assert!(late.next().await.is_none());
}

#[tokio::test]
async fn secrets_are_no_rows() {
    let store = Store::in_memory();
    store.put_secret("associations/address=10.0.0.1/1000", b"key").await.unwrap();
    let secret = store.secret("associations/address=10.0.0.1/1000").await.unwrap().unwrap();
    assert_eq!(&secret[..], b"key");
    assert!(store.secret("associations/other").await.unwrap().is_none());
    store.delete_secret("associations/address=10.0.0.1/1000").await.unwrap();
    assert!(store.secret("associations/address=10.0.0.1/1000").await.unwrap().is_none());
    assert_eq!(store.snapshot().revision, Revision(2));
}

#[test]
fn urls_are_read_and_written() {
    for text in ["sled:/var/lib/mip4/store", "unix:store.sock", "etcd:https://a:2379,http://b:2"] {
        assert_eq!(text.parse::<StoreUrl>().unwrap().to_string(), text);
    }
    assert!(matches!("sled:".parse::<StoreUrl>(), Err(StoreUrlError::Empty(_))));
    assert!(matches!("/var/lib".parse::<StoreUrl>(), Err(StoreUrlError::Scheme(_))));
    assert!(matches!("etcd:a:2379".parse::<StoreUrl>(), Err(StoreUrlError::Endpoint(_))));
}
