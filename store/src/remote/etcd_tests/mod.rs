//! The engine `etcd:` on real clusters, which these tests start on loopback.

mod certificates;
mod cluster;
mod failures;
mod history;
mod whole;

use cluster::{Cluster, options};

use crate::conformance::ask_all;
use crate::testing::{put, value};
use crate::{Class, CommitError, OpenOptions, Store};

#[tokio::test]
async fn a_cluster_keeps_the_promises_of_every_engine() {
    let cluster = Cluster::start(1, &[]);
    cluster.open().await.close().await;
    ask_all(&cluster.url(), &options(cluster.folder.path())).await;
}

#[tokio::test]
async fn secrets_without_a_key_are_refused_in_words() {
    let cluster = Cluster::start(1, &[]);
    let store = cluster.open().await;
    store.put_secret("a", b"plain octets").await.unwrap();
    let keyless = Store::open(&cluster.url(), OpenOptions::default()).await.unwrap();
    assert!(matches!(keyless.secret("a").await, Err(CommitError::NotPermitted(_))));
}

#[tokio::test]
async fn relaxed_changes_of_one_row_share_a_transaction() {
    let cluster = Cluster::start(1, &[]);
    let store = cluster.open().await;
    let before = store.commit(put(Class::Durable, 1, 0)).await.unwrap();
    let mut last = None;
    for number in 1..=500 {
        last = Some(store.commit(put(Class::Relaxed, 2, number)));
    }
    let revision = last.unwrap().await.unwrap();
    assert!(revision.0 - before.0 <= 2, "{} transactions for 500 changes", revision.0 - before.0);
    assert_eq!(value(&store.snapshot(), 2), Some(500));
}
