//! Serves an empty store in memory: `serve_memory SOCKET [VIEW_SOCKET]`, until standard input ends.
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
    let socket = sockets.next().ok_or("usage: serve_memory SOCKET [VIEW_SOCKET]")?;
    let store = Store::in_memory();
    let operators = serve(store.clone(), UnixListener::bind(socket)?, Policy::operators(), ended());
    match sockets.next() {
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
