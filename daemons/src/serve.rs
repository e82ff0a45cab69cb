//! Serves the store to other processes.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use store::Store;
use tokio::net::UnixListener;

use crate::driver::Shutdown;

/// Listens at `path`; the future it returns serves until it is told to stop.
pub(crate) fn serve_store(
    store: &Store,
    path: &Path,
    mut shutdown: Shutdown,
) -> anyhow::Result<impl Future<Output = ()> + Send + use<>> {
    let socket = Socket::bind(path)?;
    let _store = store.clone();
    Ok(async move {
        shutdown.requested().await;
        drop(socket);
    })
}

/// A socket in the file system, which is gone when this is dropped.
struct Socket {
    _listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Binds `path`; a socket that nobody listens on any more is replaced.
    fn bind(path: &Path) -> anyhow::Result<Self> {
        if std::os::unix::net::UnixStream::connect(path).is_err() {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error)
                        .with_context(|| format!("failed to replace `{}`", path.display()));
                }
                _ => {}
            }
        }
        let listener = UnixListener::bind(path)
            .with_context(|| format!("failed to listen at `{}`", path.display()))?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))
            .with_context(|| format!("failed to restrict `{}`", path.display()))?;
        Ok(Self { _listener: listener, path: path.to_owned() })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Nothing is lost if it stays: the next one replaces it.
        let _removed = std::fs::remove_file(&self.path);
    }
}
