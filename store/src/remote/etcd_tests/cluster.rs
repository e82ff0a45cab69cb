//! Clusters of real members.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{OpenOptions, Store, StoreUrl};

/// Members of a cluster, each a process; they end when this is dropped.
pub(super) struct Cluster {
    pub(super) folder: tempfile::TempDir,
    /// Ports for clients and for peers.
    ports: Vec<(u16, u16)>,
    members: Vec<Option<Child>>,
    arguments: Vec<String>,
    /// Whether clients need certificates of its authority.
    tls: bool,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for position in 0..self.members.len() {
            self.kill(position);
        }
    }
}

impl Cluster {
    pub(super) fn start(size: usize, arguments: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), size, arguments, false)
    }

    pub(super) fn start_in(
        folder: tempfile::TempDir,
        size: usize,
        arguments: &[&str],
        tls: bool,
    ) -> Self {
        let arguments = arguments.iter().map(ToString::to_string).collect();
        let listeners: Vec<_> =
            (0..size * 2).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<u16> =
            listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        let ports = ports.chunks(2).map(|pair| (pair[0], pair[1])).collect();
        drop(listeners);
        let members = (0..size).map(|_| None).collect();
        let mut cluster = Self { folder, ports, members, arguments, tls };
        for position in 0..size {
            cluster.run(position);
        }
        cluster
    }

    /// Starts a member that is not running.
    pub(super) fn run(&mut self, position: usize) {
        let (client, peer) = self.ports[position];
        let peers = self.ports.iter().enumerate();
        let peers: Vec<_> =
            peers.map(|(other, (_, peer))| format!("m{other}=http://127.0.0.1:{peer}")).collect();
        let client = format!("{}://127.0.0.1:{client}", self.scheme());
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

    pub(super) fn kill(&mut self, position: usize) {
        if let Some(mut member) = self.members[position].take() {
            member.kill().unwrap();
            member.wait().unwrap();
        }
    }

    pub(super) fn url(&self) -> StoreUrl {
        StoreUrl::Etcd(self.endpoints())
    }

    fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }

    pub(super) fn endpoints(&self) -> Vec<String> {
        let scheme = self.scheme();
        self.ports.iter().map(|(client, _)| format!("{scheme}://127.0.0.1:{client}")).collect()
    }

    /// What `etcdctl` says to `words`, asked at one member.
    pub(super) fn etcdctl(&self, position: usize, words: &[&str]) -> String {
        let output = Command::new("etcdctl")
            .env("ETCDCTL_API", "3")
            .args(["--endpoints", &self.endpoints()[position]])
            .args(words)
            .output()
            .expect("these tests need `etcdctl`: apt-get install etcd-client");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The member that leads, and the number by which the others know each.
    fn members(&self) -> (Option<usize>, Vec<u64>) {
        let status = |position| {
            let text = self.etcdctl(position, &["-w", "json", "endpoint", "status"]);
            let status: serde_json::Value = serde_json::from_str(&text).ok()?;
            let status = &status[0]["Status"];
            Some((status["header"]["member_id"].as_u64()?, status["leader"].as_u64()?))
        };
        let found: Vec<_> = (0..self.ports.len()).map(|at| status(at).unwrap_or((0, 1))).collect();
        let leads = found.iter().position(|(own, leader)| own == leader);
        (leads, found.into_iter().map(|(own, _)| own).collect())
    }

    /// Makes another member the leader.
    pub(super) fn move_leader(&self) {
        let begun = Instant::now();
        loop {
            if let (Some(leader), members) = self.members() {
                let next = members[(leader + 1) % members.len()];
                let said = self.etcdctl(leader, &["move-leader", &format!("{next:x}")]);
                if said.contains("transferred") {
                    return;
                }
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "the leader cannot be moved");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Opens a store on it, as soon as it answers.
    pub(super) async fn open(&self) -> Store {
        self.open_with(&options(self.folder.path())).await
    }

    pub(super) async fn open_with(&self, options: &OpenOptions) -> Store {
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

pub(super) fn options(folder: &Path) -> OpenOptions {
    OpenOptions { key_file: Some(folder.join("secret.key")), ..OpenOptions::default() }
}
