//! SNMP over TCP (RFC 3430): messages one behind the other, each as long as its BER says.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use agent::{Action, Frame};
use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;
use tokio::time::timeout;
use tracing::{debug, info, warn};

use super::{Service, Shutdown};

/// How many connections there may be; more are closed at once.
const CONNECTIONS_MAX: usize = 64;

/// A connection on which nothing is asked for so long is closed.
const IDLE_MAX: Duration = Duration::from_secs(300);

/// A peer that does not take a reply for so long is left.
const WRITE_MAX: Duration = Duration::from_secs(30);

/// The largest message that is taken (RFC 3430 §2.2 asks for 8192 at least).
const MESSAGE_MAX: usize = 65_535;

/// After an error that is not of one connection, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves one listener until it is time to stop; connections end with it.
pub(super) async fn serve(
    service: Service,
    listener: std::net::TcpListener,
    mut shutdown: Shutdown,
) -> anyhow::Result<()> {
    let listener =
        TcpListener::from_std(listener).context("failed to register a socket with the reactor")?;
    let address = listener.local_addr().context("a socket without an address")?;
    info!(%address, transport = "tcp", "SNMP engine serves");
    let open = Rc::new(Cell::new(0_usize));
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.requested() => return Ok(()),
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                debug!(%error, "failed to accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if open.get() >= CONNECTIONS_MAX {
            warn!(%peer, "too many connections: one is closed");
            continue;
        }
        open.set(open.get() + 1);
        let (service, mut shutdown, open) = (service.clone(), shutdown.clone(), Rc::clone(&open));
        spawn_local(async move {
            let ended = tokio::select! {
                () = shutdown.requested() => Ok(()),
                ended = converse(&service, stream, peer) => ended,
            };
            debug!(%peer, ?ended, "an SNMP connection ended");
            open.set(open.get().saturating_sub(1));
        });
    }
}

/// Answers the messages of one connection in their order.
async fn converse(service: &Service, mut stream: TcpStream, peer: SocketAddr) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input: Vec<u8> = Vec::new();
    loop {
        match Frame::find(&input, MESSAGE_MAX) {
            Frame::Whole(length) => {
                let rest = input.split_off(length);
                let message = std::mem::replace(&mut input, rest);
                answer(service, &mut stream, peer, &message).await?;
            }
            Frame::Partial => {
                let mut more = [0; 8192];
                let length = timeout(IDLE_MAX, stream.read(&mut more)).await??;
                if length == 0 {
                    return Ok(());
                }
                input.extend_from_slice(more.get(..length).unwrap_or_default());
            }
            Frame::None => {
                // Where the next message starts is not known: count this, and hang up.
                drop(service.handle(peer, &input));
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
    }
}

async fn answer(
    service: &Service,
    stream: &mut TcpStream,
    peer: SocketAddr,
    message: &[u8],
) -> io::Result<()> {
    let mut actions = service.handle(peer, message);
    // One that was refused is tried once more, so this ends.
    while !actions.is_empty() {
        let mut next = Vec::new();
        for action in actions {
            match action {
                Action::Reply(octets) => timeout(WRITE_MAX, stream.write_all(&octets)).await??,
                Action::Notify { to, octets } => service.outlet.send(to, &octets),
                Action::Publish(notification) => service.publish(notification),
                Action::Commit { id, batch, secrets, saved } => {
                    next.extend(service.commit(id, batch, secrets, saved).await);
                }
            }
        }
        actions = next;
    }
    Ok(())
}
