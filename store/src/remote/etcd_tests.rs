//! The engine `etcd:` on real clusters, which these tests start on loopback.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::conformance::ask_all;
use crate::testing::{put, value};
use crate::{Batch, Class, CommitError, OpenError, OpenOptions, Store, StoreUrl};

/// Members of a cluster, each a process; they end when this is dropped.
struct Cluster {
    folder: tempfile::TempDir,
    /// Ports for clients and for peers.
    ports: Vec<(u16, u16)>,
    members: Vec<Option<Child>>,
    arguments: Vec<String>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for position in 0..self.members.len() {
            self.kill(position);
        }
    }
}

impl Cluster {
    fn start(size: usize, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(ToString::to_string).collect();
        let listeners: Vec<_> =
            (0..size * 2).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<u16> =
            listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        let ports = ports.chunks(2).map(|pair| (pair[0], pair[1])).collect();
        drop(listeners);
        let members = (0..size).map(|_| None).collect();
        let folder = tempfile::tempdir().unwrap();
        let mut cluster = Self { folder, ports, members, arguments };
        for position in 0..size {
            cluster.run(position);
        }
        cluster
    }

    /// Starts a member that is not running.
    fn run(&mut self, position: usize) {
        let (client, peer) = self.ports[position];
        let peers = self.ports.iter().enumerate();
        let peers: Vec<_> =
            peers.map(|(other, (_, peer))| format!("m{other}=http://127.0.0.1:{peer}")).collect();
        let client = format!("http://127.0.0.1:{client}");
        let peer = format!("http://127.0.0.1:{peer}");
        let member = Command::new("etcd")
            .args(["--name", &format!("m{position}")])
            .arg("--data-dir")
            .arg(self.folder.path().join(format!("m{position}")))
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &peers.join(",")])
            .args(["--heartbeat-interval", "50", "--election-timeout", "500"])
            .args(["--log-level", "error"])
            .args(&self.arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("these tests need `etcd`: apt-get install etcd-server");
        self.members[position] = Some(member);
    }

    fn kill(&mut self, position: usize) {
        if let Some(mut member) = self.members[position].take() {
            member.kill().unwrap();
            member.wait().unwrap();
        }
    }

    fn url(&self) -> StoreUrl {
        let endpoints = self.ports.iter().map(|(client, _)| format!("http://127.0.0.1:{client}"));
        StoreUrl::Etcd(endpoints.collect())
    }

    /// Opens a store on it, as soon as it answers.
    async fn open(&self) -> Store {
        let options = options(self.folder.path());
        let begun = Instant::now();
        loop {
            match Store::open(&self.url(), options.clone()).await {
                Ok(store) => return store,
                Err(error) if begun.elapsed() < Duration::from_secs(15) => drop(error),
                Err(error) => panic!("{error}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn options(folder: &Path) -> OpenOptions {
    OpenOptions { key_file: Some(folder.join("secret.key")), ..OpenOptions::default() }
}

#[tokio::test]
async fn a_cluster_keeps_the_promises_of_every_engine() {
    let cluster = Cluster::start(1, &[]);
    cluster.open().await.close().await;
    ask_all(&cluster.url(), &options(cluster.folder.path())).await;
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_while_members_are_killed_one_after_the_other() {
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
    }
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
}

#[tokio::test]
async fn too_much_at_once_and_secrets_without_a_key_are_refused_in_words() {
    let cluster = Cluster::start(1, &[]);
    let store = cluster.open().await;
    let mut batch = Batch::default();
    for row in 0..129 {
        batch.put(crate::testing::node_counters(row, 1));
    }
    let error = store.commit(batch.clone()).await.unwrap_err();
    assert!(matches!(&error, CommitError::Invalid(words) if words.contains("128")), "{error}");
    // Relaxed changes are no unit: they go in several transactions.
    batch.class = Class::Relaxed;
    store.commit(batch).await.unwrap();
    store.put_secret("a", b"plain octets").await.unwrap();
    let keyless = Store::open(&cluster.url(), OpenOptions::default()).await.unwrap();
    assert!(matches!(keyless.secret("a").await, Err(CommitError::NotPermitted(_))));
}

#[tokio::test]
async fn certificates_that_cannot_be_read_are_named() {
    let url: StoreUrl = "etcd:https://127.0.0.1:1".parse().unwrap();
    let mut options = OpenOptions::default();
    options.etcd.authority = Some("/nonexistent/ca.pem".into());
    let error = Store::open(&url, options).await.unwrap_err();
    assert!(matches!(&error, OpenError::Io { path, .. } if path.ends_with("ca.pem")), "{error}");
    let mut options = OpenOptions::default();
    options.etcd.certificate = Some("client.pem".into());
    let error = Store::open(&url, options).await.unwrap_err();
    assert!(matches!(error, OpenError::KeyFile { .. }), "{error}");
}
