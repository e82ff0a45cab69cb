//! Opens the store, and serves it to other processes of this machine if it is ours.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, bail};
use store::{OpenOptions, Policy, Store, StoreUrl};
use tokio::task::JoinSet;
use tracing::error;

use crate::config::StoreConfig;
use crate::driver::{Shutdown, Stop};
use crate::exit::Failure;
use crate::privilege;

/// Opens the store that the file names.
pub(crate) async fn open(config: &StoreConfig) -> Result<Store, Failure> {
    let (url, options) = match config {
        StoreConfig::Owned { path, key_file, .. } => {
            let options = OpenOptions { key_file: key_file.clone(), ..OpenOptions::default() };
            (StoreUrl::Sled(path.clone()), options)
        }
        StoreConfig::Connected(connected) => {
            let (etcd, key_file) = (connected.etcd.clone(), connected.key_file.clone());
            let options = OpenOptions { key_file, etcd, ..OpenOptions::default() };
            (connected.url.clone(), options)
        }
    };
    Ok(Store::open(&url, options).await?)
}

/// A socket file that is gone when this is dropped.
pub(crate) struct SocketFile {
    path: PathBuf,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.path));
    }
}

/// Listens on `path` for the owner of this process, and for `group` if one is named.
pub(crate) fn listen(
    path: &Path,
    group: Option<&str>,
) -> anyhow::Result<(UnixListener, SocketFile)> {
    let shown = path.display();
    remove_stale(path)?;
    let listener = bind_private(path).with_context(|| format!("failed to listen on {shown}"))?;
    let file = SocketFile { path: path.to_owned() };
    if let Some(group) = group {
        let gid = privilege::find_group(group)?;
        std::os::unix::fs::chown(path, None, Some(gid))
            .with_context(|| format!("failed to give {shown} to the group `{group}`"))?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o660))
            .with_context(|| format!("failed to open {shown} to the group `{group}`"))?;
    }
    listener.set_nonblocking(true).context("failed to prepare the socket")?;
    Ok((listener, file))
}

/// Binds a socket that nobody else can connect to, not for a moment.
fn bind_private(path: &Path) -> io::Result<UnixListener> {
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
    let bound = UnixListener::bind(path);
    rustix::process::umask(before);
    bound
}

/// Removes what a process that is gone left behind, and nothing else.
fn remove_stale(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::FileTypeExt as _;
    let shown = path.display();
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found.with_context(|| format!("failed to look at {shown}"))?,
    };
    if !metadata.file_type().is_socket() {
        bail!("{shown} is in the way: it is no socket");
    }
    if UnixStream::connect(path).is_ok() {
        bail!("{shown} is in use by another process");
    }
    fs::remove_file(path).with_context(|| format!("failed to remove the stale {shown}"))
}

/// Serves the store on its sockets, in a thread of its own: a large read delays no registration.
pub(crate) struct StoreServer {
    stop: Stop,
    thread: JoinHandle<()>,
    /// Gone only after the thread has ended.
    files: Vec<SocketFile>,
}

impl StoreServer {
    pub(crate) fn start(config: &StoreConfig, store: &Store) -> anyhow::Result<Self> {
        let mut sockets = Vec::new();
        let mut files = Vec::new();
        if let StoreConfig::Owned { socket, view_socket, group, view_group, .. } = config {
            if let Some(path) = socket {
                let policy = match group {
                    Some(group) => Policy::operators_of(Some(privilege::find_group(group)?)),
                    None => Policy::operators(),
                };
                let (listener, file) = listen(path, group.as_deref())?;
                sockets.push((listener, policy.named(path.to_string_lossy())));
                files.push(file);
            }
            if let Some(path) = view_socket {
                let (listener, file) = listen(path, view_group.as_deref())?;
                sockets.push((listener, Policy::viewers().named(path.to_string_lossy())));
                files.push(file);
            }
        }
        let (stop, shutdown) = Stop::new();
        let store = store.clone();
        let thread = thread::Builder::new()
            .name("store-server".to_owned())
            .spawn(move || {
                if let Err(error) = serve_all(&store, sockets, &shutdown) {
                    error!("the store is not served any more: {error:#}");
                }
            })
            .context("failed to start a thread")?;
        Ok(Self { stop, thread, files })
    }

    /// Stops serving; returns once nobody is served any more.
    pub(crate) fn end(self) {
        self.stop.now();
        if self.thread.join().is_err() {
            error!("the thread that serves the store panicked");
        }
        drop(self.files);
    }
}

fn serve_all(
    store: &Store,
    sockets: Vec<(UnixListener, Policy)>,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    crate::run::reactor()?.block_on(async {
        let mut servers = JoinSet::new();
        for (listener, policy) in sockets {
            let listener = tokio::net::UnixListener::from_std(listener)
                .context("failed to register a socket")?;
            let mut shutdown = shutdown.clone();
            let stopped = async move { shutdown.requested().await };
            servers.spawn(store::serve(store.clone(), listener, policy, stopped));
        }
        while let Some(served) = servers.join_next().await {
            served.context("a server panicked")?.context("failed to serve a socket")?;
        }
        Ok(())
    })
}
