//! Ways to a server: a Unix socket, or the members of a cluster.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use crate::OpenError;

/// What may be under way before the sender hears of it.
const WINDOW_OCTETS: u32 = 1 << 20;

/// A channel to the socket at `path`, made anew whenever it breaks.
pub(crate) async fn unix(path: &Path) -> Result<Channel, OpenError> {
    // The channel connects when it is used, and says less about what is wrong.
    if let Err(source) = UnixStream::connect(path).await {
        return Err(refused(path, &source));
    }
    let path = path.to_owned();
    // The name is never looked up; it only has to be one that HTTP/2 takes.
    Ok(Endpoint::from_static("http://localhost")
        .initial_stream_window_size(WINDOW_OCTETS)
        .initial_connection_window_size(4 * WINDOW_OCTETS)
        .connect_timeout(Duration::from_secs(5))
        .connect_with_connector_lazy(service_fn(move |_| open(path.clone()))))
}

async fn open(path: PathBuf) -> std::io::Result<TokioIo<UnixStream>> {
    Ok(TokioIo::new(UnixStream::connect(path).await?))
}

fn refused(path: &Path, source: &std::io::Error) -> OpenError {
    if source.kind() == std::io::ErrorKind::PermissionDenied {
        return OpenError::NotPermitted(format!("{}: {source}", path.display()));
    }
    OpenError::Unreachable(format!("{}: {source}", path.display()))
}
