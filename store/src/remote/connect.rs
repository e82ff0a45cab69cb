//! Ways to a server: a Unix socket, or the members of a cluster.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tower::service_fn;

use crate::{EtcdOptions, OpenError};

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

/// A channel to each of `endpoints`, made when it is used.
pub(crate) fn etcd(endpoints: &[String], options: &EtcdOptions) -> Result<Vec<Channel>, OpenError> {
    let tls = tls(options)?;
    let mut channels = Vec::with_capacity(endpoints.len());
    for address in endpoints {
        let fault =
            |error: tonic::transport::Error| OpenError::Unreachable(format!("{address}: {error}"));
        let mut endpoint = Endpoint::from_shared(address.clone()).map_err(fault)?;
        if address.starts_with("https:") {
            endpoint = endpoint.tls_config(tls.clone()).map_err(fault)?;
        }
        channels.push(
            endpoint
                .initial_stream_window_size(WINDOW_OCTETS)
                .initial_connection_window_size(4 * WINDOW_OCTETS)
                .connect_timeout(Duration::from_secs(2))
                .http2_keep_alive_interval(Duration::from_secs(5))
                .keep_alive_timeout(Duration::from_secs(5))
                .connect_lazy(),
        );
    }
    Ok(channels)
}

/// Certificates from the files that `options` name.
fn tls(options: &EtcdOptions) -> Result<ClientTlsConfig, OpenError> {
    let mut tls = ClientTlsConfig::new();
    if let Some(path) = &options.authority {
        tls = tls.ca_certificate(Certificate::from_pem(read(path)?));
    }
    match (&options.certificate, &options.key) {
        (Some(certificate), Some(key)) => {
            let key_octets = zeroize::Zeroizing::new(read(key)?);
            tls = tls.identity(Identity::from_pem(read(certificate)?, &key_octets));
        }
        (None, None) => {}
        (Some(path), None) | (None, Some(path)) => {
            return Err(OpenError::KeyFile {
                path: path.clone(),
                what: "a client certificate needs its key, and a key its certificate".to_owned(),
            });
        }
    }
    Ok(tls)
}

fn read(path: &Path) -> Result<Vec<u8>, OpenError> {
    std::fs::read(path).map_err(|source| OpenError::Io {
        doing: "read",
        path: path.to_owned(),
        source,
    })
}
