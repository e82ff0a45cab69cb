//! Serves an empty store in memory: `serve_memory SOCKET [VIEW_SOCKET [GROUP]]`, until standard
//! input ends. Members of the group of that number are operators.
//!
//! For trying `etcdctl` against the socket, and for the tests that do.

use std::error::Error;
use std::io;

use store::{Policy, Store, serve};
use tokio::net::UnixListener;

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run())
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut sockets = std::env::args().skip(1);
    let socket = sockets.next().ok_or("usage: serve_memory SOCKET [VIEW_SOCKET [GROUP]]")?;
    let store = Store::in_memory();
    let view_socket = sockets.next();
    let policy = match sockets.next() {
        Some(group) => Policy::operators_of(Some(group.parse()?)),
        None => Policy::operators(),
    };
    let operators = serve(store.clone(), UnixListener::bind(socket)?, policy, ended());
    match view_socket {
        None => operators.await?,
        Some(socket) => {
            let listener = UnixListener::bind(socket)?;
            let viewers = serve(store, listener, Policy::viewers(), ended());
            tokio::try_join!(operators, viewers)?;
        }
    }
    Ok(())
}

/// Resolves when standard input ends.
async fn ended() {
    // An input that cannot be read has ended as well.
    let _ = tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await;
}
