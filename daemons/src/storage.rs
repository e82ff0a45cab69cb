//! Opens the store, and serves it to other processes of this machine if it is ours.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use store::{OpenOptions, Store, StoreUrl};

use crate::config::StoreConfig;
use crate::exit::Failure;
use crate::privilege;

/// Opens the store that the file names.
pub(crate) async fn open(config: &StoreConfig) -> Result<Store, Failure> {
    let (url, key_file) = match config {
        StoreConfig::Owned { path, key_file, .. } => {
            (StoreUrl::Sled(path.clone()), key_file.clone())
        }
        StoreConfig::Connected(url) => (url.clone(), None),
    };
    let options = OpenOptions { key_file, ..OpenOptions::default() };
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

/// Serves the store on its sockets until it is told to stop.
pub(crate) struct StoreServer {
    _listening: Vec<(UnixListener, SocketFile)>,
}

impl StoreServer {
    pub(crate) fn start(config: &StoreConfig) -> anyhow::Result<Self> {
        let StoreConfig::Owned { socket, view_socket, group, view_group, .. } = config else {
            return Ok(Self { _listening: Vec::new() });
        };
        let operators = socket.iter().map(|path| (path, group));
        let viewers = view_socket.iter().map(|path| (path, view_group));
        let listening = operators
            .chain(viewers)
            .map(|(path, group)| listen(path, group.as_deref()))
            .collect::<Result<_, _>>()?;
        Ok(Self { _listening: listening })
    }
}
