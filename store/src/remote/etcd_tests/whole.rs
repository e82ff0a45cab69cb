//! Commits of any size, what the protocol promises, and who may come in.

use super::cluster::{Cluster, options};
use crate::conformance::protocol;
use crate::remote::calls::{Calls, Peer};
use crate::remote::connect;
use crate::remote::large::switch;
use crate::remote::large::tests::{die, left_behind};
use crate::testing::{node_counters, node_key, put, value};
use crate::{Batch, Class, CommitError, EtcdOptions, Expect, NodeCounters, OpenError, Store};

fn calls(cluster: &Cluster) -> Calls {
    let channels = connect::etcd(&cluster.endpoints(), &EtcdOptions::default()).unwrap();
    Calls::new(Peer::Etcd, channels)
}

#[tokio::test]
async fn a_cluster_keeps_the_promises_of_the_protocol() {
    let cluster = Cluster::start(1, &[]);
    let store = cluster.open().await;
    protocol::ask_all(&store, &calls(&cluster)).await;
    store.close().await;
}

/// Who somebody is, is a cluster's to know: one with users lets nobody in who is none of them.
#[tokio::test]
async fn a_client_that_is_no_user_of_a_cluster_gets_nothing() {
    let cluster = Cluster::start(1, &[]);
    let store = cluster.open().await;
    store.commit(put(Class::Durable, 1, 1)).await.unwrap();
    cluster.etcdctl(0, &["user", "add", "root:secret"]);
    cluster.etcdctl(0, &["user", "grant-role", "root", "root"]);
    assert!(cluster.etcdctl(0, &["auth", "enable"]).contains("Enabled"));
    let options = options(cluster.folder.path());
    let error = Store::open(&cluster.url(), options).await.unwrap_err();
    assert!(matches!(&error, OpenError::NotPermitted(_)), "{error}");
    let error = store.commit(put(Class::Durable, 1, 2)).await.unwrap_err();
    assert!(error.to_string().contains("user name is empty"), "{error}");
    assert_eq!(value(&store.snapshot(), 1), Some(1));
}

/// A batch of more rows than a transaction of a cluster takes.
fn many(value: u64) -> Batch {
    let mut batch = Batch::default();
    for row in 0..400 {
        batch.put(node_counters(row, value));
    }
    batch
}

/// How many rows say `expected`.
fn count(store: &Store, expected: u64) -> usize {
    let snapshot = store.snapshot();
    let rows = snapshot.rows::<NodeCounters>();
    rows.iter().filter(|row| row.accepted == expected).count()
}

#[tokio::test]
async fn a_commit_of_any_size_is_made_whole_or_not_at_all() {
    let cluster = Cluster::start(1, &[]);
    let store = cluster.open().await;
    let calls = calls(&cluster);

    let mut batch = many(1);
    batch.delete::<NodeCounters>(node_key(7));
    batch.expect::<NodeCounters>(node_key(0), Expect::Absent);
    store.commit(batch.clone()).await.unwrap();
    assert_eq!(count(&store, 1), 399, "the last change of a row counts");
    let refused = store.commit(batch).await.unwrap_err();
    assert!(matches!(refused, CommitError::Refused(_)), "{refused}");
    let base = store.snapshot().revision;
    assert_eq!(left_behind(&calls).await, 0);

    // Somebody who dies before the switch has done nothing …
    die(&calls, &many(2), base, false).await;
    let other = cluster.open().await;
    assert_eq!((count(&other, 1), count(&other, 2)), (399, 0));
    // … who dies after it has done everything, but for what was written since.
    die(&calls, &many(3), base, true).await;
    store.commit(put(Class::Durable, 9, 10)).await.unwrap();
    let other = cluster.open().await;
    assert_eq!((count(&other, 1), count(&other, 3), count(&other, 10)), (0, 399, 1));
    assert_eq!(left_behind(&calls).await, 1, "a stage is swept when it is old");
    // Who is slower than another is refused, whatever row it was about.
    let late = switch(&calls, "late", &many(4), base).await.unwrap();
    assert_eq!(late, None);

    // Relaxed changes are no unit: they go in several transactions.
    let mut relaxed = many(5);
    relaxed.class = Class::Relaxed;
    store.commit(relaxed).await.unwrap();
}
