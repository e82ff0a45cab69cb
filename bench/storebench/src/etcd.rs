//! A member of its own on loopback, with its data on the disk that is measured.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use store::{OpenOptions, Store, StoreUrl};

use crate::Done;

pub struct Etcd {
    child: Child,
    url: StoreUrl,
}

impl Drop for Etcd {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Etcd {
    pub fn start(folder: &Path) -> Done<Self> {
        let ports = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
        let [client, peer] = ports.map(|port| port.local_addr().map(|address| address.port()));
        let (client, peer) =
            (format!("http://127.0.0.1:{}", client?), format!("http://127.0.0.1:{}", peer?));
        let child = Command::new("etcd")
            .arg("--data-dir")
            .arg(folder)
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &format!("default={peer}"), "--log-level", "error"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { child, url: StoreUrl::Etcd(vec![client]) })
    }

    pub async fn open(&self) -> Done<Store> {
        for _ in 0..100 {
            if let Ok(store) = Store::open(&self.url, OpenOptions::default()).await {
                return Ok(store);
            }
            thread::sleep(Duration::from_millis(100));
        }
        Err("etcd does not answer".into())
    }
}
