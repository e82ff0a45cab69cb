//! Watches that resume, and history that somebody forgets.

use std::time::{Duration, Instant};

use super::cluster::Cluster;
use crate::remote::calls::{Calls, Peer};
use crate::remote::compactor::{self, Pace};
use crate::remote::connect;
use crate::testing::{put, value};
use crate::{Class, EtcdOptions, Revision, Store, WatchEvent};

/// Waits until `store` says that row 1 is `wanted`.
async fn until(store: &Store, wanted: u64) {
    let begun = Instant::now();
    while value(&store.snapshot(), 1) != Some(wanted) {
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", store.health());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn calls(cluster: &Cluster) -> Calls {
    let channels = connect::etcd(&cluster.endpoints(), &EtcdOptions::default()).unwrap();
    Calls::new(Peer::Etcd, channels)
}

#[tokio::test]
async fn a_watch_misses_nothing_when_the_leader_changes() {
    let cluster = Cluster::start(3, &[]);
    let (writer, reader) = (cluster.open().await, cluster.open().await);
    let mut watch = reader.watch(None);
    for number in 1..=60 {
        if number % 20 == 0 {
            cluster.move_leader();
        }
        let begun = Instant::now();
        while writer.commit(put(Class::Durable, 1, number)).await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", writer.health());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    until(&reader, 60).await;
    let mut seen = 0;
    while seen < 60 {
        let Some(WatchEvent::Changed(event)) = watch.next().await else { panic!("it ended") };
        for change in event.changes.iter() {
            let crate::Change::Put(crate::AnyRow::NodeCounters(row)) = change else { continue };
            // A commit that was made though its answer was lost is made again.
            assert!(row.accepted == seen + 1 || row.accepted == seen, "after {seen}");
            seen = row.accepted;
        }
    }
}

#[tokio::test]
async fn a_mirror_that_was_away_while_history_was_forgotten_loads_everything() {
    let mut cluster = Cluster::start(3, &[]);
    let (writer, reader) = (cluster.open().await, cluster.open().await);
    writer.commit(put(Class::Durable, 1, 1)).await.unwrap();
    until(&reader, 1).await;
    let mut watch = reader.watch(None);
    // All of it restarts, and what the reader saw last is compacted before it is back.
    (0..3).for_each(|position| cluster.kill(position));
    cluster.run(0);
    cluster.run(1);
    let begun = Instant::now();
    let compacted = loop {
        let mut newest = Revision(0);
        for number in 2..50 {
            if let Ok(revision) = calls(&cluster).commit(&put(Class::Durable, 1, number)).await {
                newest = revision.revision;
            }
        }
        if newest.0 > 20 && calls(&cluster).compact(newest).await.is_ok() {
            break newest;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "the cluster does not come back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    until(&reader, 49).await;
    assert!(reader.snapshot().revision >= compacted);
    // Its own watchers were told, unless the reader was back before the history was gone.
    match watch.next().await {
        Some(WatchEvent::Compacted(_) | WatchEvent::Changed(_)) => {}
        None => panic!("the watch ended without a word"),
    }
}

#[tokio::test]
async fn one_of_many_compacts_and_another_takes_over() {
    let cluster = Cluster::start(1, &[]);
    let store = cluster.open().await;
    let first = store.commit(put(Class::Durable, 1, 1)).await.unwrap();
    let calls = calls(&cluster);
    let mut tasks: Vec<_> =
        (0..3).map(|_| tokio::spawn(compactor::run(calls.clone(), Pace::QUICK))).collect();
    let holder = claimed(&calls, None).await;
    // History moves on, and what is old is forgotten.
    let begun = Instant::now();
    let mut number = 1;
    loop {
        number += 1;
        store.commit(put(Class::Durable, 1, number)).await.unwrap();
        let old = calls.raw_page("/mip4/", None, first).await;
        if old.is_err_and(|status| status.code() == tonic::Code::OutOfRange) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "nothing is ever forgotten");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(claimed(&calls, None).await, holder, "the claim does not wander");
    // The holder is one of them; without all of those there is a new one.
    for task in &tasks {
        task.abort();
    }
    tasks.push(tokio::spawn(compactor::run(calls.clone(), Pace::QUICK)));
    assert_ne!(claimed(&calls, Some(&holder)).await, holder);
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    assert_eq!(value(&store.snapshot(), 1), Some(number), "a mirror loses nothing by it");
}

/// Who has the claim, once that is somebody else than `other`.
async fn claimed(calls: &Calls, other: Option<&[u8]>) -> Vec<u8> {
    let begun = Instant::now();
    loop {
        if let Ok(Some(claim)) = calls.get("/mip4-compactor").await
            && Some(claim.value.as_slice()) != other
        {
            return claim.value;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "nobody compacts");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
