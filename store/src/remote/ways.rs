//! The ways to the members of a cluster: one is used until it fails, then the next.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicUsize, Ordering};

use tonic::transport::Channel;
use tonic::{Code, Status};

/// A channel to each member; to our own server there is one.
pub(crate) struct Ways {
    channels: Vec<Channel>,
    current: AtomicUsize,
}

impl Ways {
    /// `channels` must not be empty.
    pub(crate) fn new(channels: Vec<Channel>) -> Self {
        Self { channels, current: AtomicUsize::new(0) }
    }

    /// The way in use, and its number.
    pub(crate) fn current(&self) -> (usize, Channel) {
        let way = self.current.load(Ordering::Relaxed) % self.channels.len();
        // The modulus keeps it in range; a clone of a channel is another handle of it.
        (way, self.channels.get(way).unwrap_or(&self.channels[0]).clone())
    }

    /// Judges a call that ended with `status` on `way`: if that member is away, the next is used
    /// from here on. Tells whether the call may be made again, which is so if it never left.
    pub(crate) fn turn(&self, way: usize, status: &Status, attempt: usize) -> bool {
        let is_away =
            matches!(status.code(), Code::Unavailable | Code::Unknown | Code::DeadlineExceeded);
        if !is_away {
            return false;
        }
        let next = (way + 1) % self.channels.len();
        // If it is another already, somebody else's call has failed before.
        let turned = self.current.compare_exchange(way, next, Ordering::Relaxed, Ordering::Relaxed);
        if turned.is_ok() && next != way {
            tracing::debug!(%status, from = way, to = next, "another member of the cluster is asked");
        }
        was_never_sent(status) && attempt + 1 < self.channels.len()
    }
}

/// Whether nobody can have received the call: there was no connection, and none was made.
fn was_never_sent(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return matches!(
                error.kind(),
                ErrorKind::ConnectionRefused
                    | ErrorKind::HostUnreachable
                    | ErrorKind::NetworkUnreachable
            );
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use tonic::transport::Endpoint;

    use super::*;

    fn away(kind: ErrorKind) -> Status {
        Status::from_error(Box::new(tonic::ConnectError(Box::new(io::Error::from(kind)))))
    }

    #[tokio::test]
    async fn the_next_way_is_taken_when_one_fails() {
        let channel = || Endpoint::from_static("http://127.0.0.1:1").connect_lazy();
        let ways = Ways::new(vec![channel(), channel(), channel()]);
        assert_eq!(ways.current().0, 0);
        assert!(!ways.turn(0, &Status::invalid_argument("no"), 0));
        assert_eq!(ways.current().0, 0, "the member is there, and says no");
        assert!(ways.turn(0, &away(ErrorKind::ConnectionRefused), 0));
        assert_eq!(ways.current().0, 1);
        // Many calls fail at a time; together they turn once.
        assert!(ways.turn(0, &away(ErrorKind::ConnectionRefused), 0));
        assert_eq!(ways.current().0, 1);
        // What may have arrived is not sent twice.
        assert!(!ways.turn(1, &away(ErrorKind::ConnectionReset), 0));
        assert_eq!(ways.current().0, 2);
        assert!(!ways.turn(2, &away(ErrorKind::ConnectionRefused), 2), "all were asked");
        assert_eq!(ways.current().0, 0);
    }
}
