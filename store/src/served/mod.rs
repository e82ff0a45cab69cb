//! The store for other processes: a part of etcd v3 on a Unix socket.

mod access;
mod condition;
mod feed;
pub(crate) mod generated;
mod kv;
mod lease;
mod lease_service;
mod lenient;
mod plan;
mod range;
pub(crate) mod span;
pub(crate) mod status;
mod view;
mod watch;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server as Transport;

pub use access::Policy;
use generated::etcdserverpb::kv_server::KvServer;
use generated::etcdserverpb::lease_server::LeaseServer;
use generated::etcdserverpb::maintenance_server::MaintenanceServer;
use generated::etcdserverpb::watch_server::WatchServer;
use kv::{Server, Shared};

use crate::Store;

/// The largest request; a transaction of a whole import fits.
const REQUEST_OCTETS_MAX: usize = 64 << 20;
/// How many clients a socket serves at once; those beyond are hung up on, and the log says so.
///
/// Each may have windows full of answers that it does not read.
const CONNECTIONS_MAX: usize = 256;
/// How long open calls may take once the server is to stop.
const GRACE: Duration = Duration::from_secs(2);

/// Serves `store` on `listener` until `shutdown` is done.
///
/// Peers may do what `policy` says of them. The file of the socket is the
/// caller's: to make, to give a mode and a group, and to remove.
pub async fn serve(
    store: Store,
    listener: UnixListener,
    policy: Policy,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let (close, closing) = tokio::sync::watch::channel(false);
    let server = Arc::new(Server {
        store,
        policy,
        views: view::Views::default(),
        leases: Arc::default(),
        closing: closing.clone(),
    });
    let shared = Shared(Arc::clone(&server));
    let mut closed = closing.clone();
    let connections = UnixListenerStream::new(listener);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let connections = connections.filter_map(move |accepted| admitted(accepted, &places));
    let transport = Transport::builder()
        .max_concurrent_streams(1_024)
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .add_service(KvServer::new(shared.clone()).max_decoding_message_size(REQUEST_OCTETS_MAX))
        .add_service(WatchServer::new(shared.clone()))
        .add_service(LeaseServer::new(shared.clone()))
        .add_service(MaintenanceServer::new(shared))
        .serve_with_incoming_shutdown(connections, async move {
            // An error means that the sender is gone, and then it is over as well.
            let _ = closed.wait_for(|closed| *closed).await;
        });
    let stopping = async move {
        shutdown.await;
        // Watches end, so that the transport need not wait for them.
        close.send_replace(true);
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        done = transport => done.map_err(io::Error::other),
        () = stopping => Ok(()),
        () = server.leases.run(&server.store) => Ok(()),
        () = expire_views(&server) => Ok(()),
    }
}

/// Gives a connection its place; one that finds none is closed.
fn admitted(
    accepted: io::Result<UnixStream>,
    places: &Arc<Semaphore>,
) -> Option<io::Result<lenient::Lenient<UnixStream>>> {
    let stream = match accepted {
        Ok(stream) => stream,
        Err(error) => return Some(Err(error)),
    };
    let Ok(place) = Arc::clone(places).try_acquire_owned() else {
        tracing::warn!(
            "a client was refused: {CONNECTIONS_MAX} are connected to the store's socket"
        );
        return None;
    };
    Some(Ok(lenient::Lenient::new(stream, Some(place))))
}

/// Lets go of old revisions as their time comes; never returns.
async fn expire_views(server: &Server) {
    loop {
        tokio::time::sleep(Duration::from_secs(5)).await;
        server.views.expire(std::time::Instant::now());
    }
}

#[cfg(test)]
mod tests;
