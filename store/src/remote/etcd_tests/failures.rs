//! Clusters that lose members, leaders, all of it, or room.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::cluster::Cluster;
use crate::testing::{put, value};
use crate::{Batch, Class, CommitError, Store};

#[tokio::test]
async fn nothing_acknowledged_is_lost_while_members_are_killed_and_leaders_moved() {
    let mut cluster = Cluster::start(3, &[]);
    let store = cluster.open().await;
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (1..=8).map(|row| Writer::start(&store, row, &stop)).collect();
    let total = || writers.iter().map(|writer| writer.acknowledged.load(Ordering::SeqCst)).sum();
    let mut before: u64 = 0;
    for position in 0..3 {
        progress(&mut before, total).await;
        cluster.kill(position);
        // Two of three go on without it, under a new leader if it was that.
        progress(&mut before, total).await;
        cluster.run(position);
        tokio::time::sleep(Duration::from_millis(800)).await;
        cluster.move_leader();
        progress(&mut before, total).await;
    }
    // And all of them at once.
    (0..3).for_each(|position| cluster.kill(position));
    tokio::time::sleep(Duration::from_millis(500)).await;
    (0..3).for_each(|position| cluster.run(position));
    progress(&mut before, total).await;
    stop.store(true, Ordering::SeqCst);
    let mut acknowledged = Vec::new();
    for writer in writers {
        writer.task.await.unwrap();
        acknowledged.push((writer.row, writer.acknowledged.load(Ordering::SeqCst)));
    }
    let fresh = cluster.open().await;
    for (row, least) in acknowledged {
        assert!(value(&fresh.snapshot(), row) >= Some(least), "row {row} lost {least}");
    }
    // The mirror that went through it all ends where a new one begins.
    let begun = Instant::now();
    let differs = |row: u32| value(&store.snapshot(), row) != value(&fresh.snapshot(), row);
    while (1..=8).any(differs) {
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", store.health());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until more commits are acknowledged than `before`.
async fn progress(before: &mut u64, total: impl Fn() -> u64) {
    let begun = Instant::now();
    while total() < *before + 20 {
        assert!(begun.elapsed() < Duration::from_secs(20), "no commit is acknowledged any more");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    *before = total();
}

/// Writes growing values to a row of its own.
struct Writer {
    row: u32,
    acknowledged: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Writer {
    fn start(store: &Store, row: u32, stop: &Arc<AtomicBool>) -> Self {
        let acknowledged = Arc::new(AtomicU64::new(0));
        let (store, stop, last) = (store.clone(), Arc::clone(stop), Arc::clone(&acknowledged));
        let task = tokio::spawn(async move {
            for next in 1.. {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                match store.commit(put(Class::Durable, row, next)).await {
                    Ok(_) => last.store(next, Ordering::SeqCst),
                    // It may have been made or not; nobody was told that it was.
                    Err(CommitError::Unreachable(_)) => {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        });
        Self { row, acknowledged, task }
    }
}

#[tokio::test]
async fn a_cluster_that_stops_is_followed_again_when_it_is_back() {
    let mut cluster = Cluster::start(1, &[]);
    let store = cluster.open().await;
    store.commit(put(Class::Durable, 1, 1)).await.unwrap();
    cluster.kill(0);
    let begun = Instant::now();
    while store.health().degraded.is_none() {
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(value(&store.snapshot(), 1), Some(1), "the last revision is still served");
    store.commit_soon(put(Class::Relaxed, 2, 2));
    cluster.run(0);
    while store.health().degraded.is_some() || value(&store.snapshot(), 2) != Some(2) {
        assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", store.health());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    store.commit(put(Class::Durable, 1, 3)).await.unwrap();
    assert_eq!(value(&store.snapshot(), 1), Some(3));
}

#[tokio::test]
async fn a_cluster_that_is_full_says_so() {
    let cluster = Cluster::start(1, &["--quota-backend-bytes", "1000000"]);
    let store = cluster.open().await;
    let mut error = None;
    for number in 0..5_000 {
        let mut batch = Batch::default();
        for row in 0..100 {
            batch.put(crate::testing::node_counters(row, number));
        }
        if let Err(refused) = store.commit(batch).await {
            error = Some(refused);
            break;
        }
    }
    assert!(matches!(error, Some(CommitError::Full(_))), "{error:?}");
    assert!(store.health().degraded.unwrap().contains("full"));
    // The administrator gives it room, and takes the alarm back.
    let revision = store.snapshot().revision.to_string();
    // What is compacted is gone before the rest is packed, or the alarm comes again.
    cluster.etcdctl(0, &["compact", "--physical", &revision]);
    cluster.etcdctl(0, &["defrag"]);
    cluster.etcdctl(0, &["alarm", "disarm"]);
    let begun = Instant::now();
    while store.commit(put(Class::Durable, 1, 1)).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", store.health());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(store.health().degraded, None);
}

#[tokio::test]
async fn a_member_that_is_away_costs_no_commit() {
    let mut cluster = Cluster::start(3, &[]);
    cluster.open().await.close().await;
    // Whichever is asked first, some store is opened at one that is away.
    for position in 0..3 {
        cluster.kill(position);
        let store = cluster.open().await;
        for number in 0..30 {
            let done = store.commit(put(Class::Durable, 1, number)).await;
            // While the others elect a leader no commit can be made.
            if let Err(error) = done {
                assert!(number == 0, "commit {number}: {error}");
            }
        }
        store.close().await;
        cluster.run(position);
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}
