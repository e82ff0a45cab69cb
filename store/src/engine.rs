//! What every engine does behind a [`Store`](crate::Store).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::published::{Of, Published};
use crate::{Batch, CommitError, Health, Revision, Snapshot, WatchStream};

/// A future that an engine hands out.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One way to keep the tables: in memory, in files, or somewhere else behind a socket.
///
/// Reads never reach it: every engine publishes what is visible, and the
/// provided methods serve from that.
pub(crate) trait Engine: Send + Sync + 'static {
    /// Where this engine puts each snapshot once it may be seen.
    fn published(&self) -> &Arc<Published>;

    /// Starts a commit at once, before the future is polled; see [`Store::commit`](crate::Store::commit).
    fn commit(&self, batch: Batch) -> Boxed<'static, Result<Revision, CommitError>>;

    /// Starts commits at once, in order; see [`Store::commit_all`](crate::Store::commit_all).
    fn commit_all(
        &self,
        batches: Vec<Batch>,
    ) -> Boxed<'static, Vec<Result<Revision, CommitError>>> {
        let started: Vec<_> = batches.into_iter().map(|batch| self.commit(batch)).collect();
        Box::pin(async move {
            let mut results = Vec::with_capacity(started.len());
            for commit in started {
                results.push(commit.await);
            }
            results
        })
    }

    /// Opens a sealed secret.
    fn secret(&self, path: &str) -> Boxed<'_, Result<Option<Zeroizing<Vec<u8>>>, CommitError>>;

    /// Seals and keeps a secret; `None` forgets it. Durable.
    fn put_secret(
        &self,
        path: &str,
        octets: Option<Zeroizing<Vec<u8>>>,
    ) -> Boxed<'_, Result<Revision, CommitError>>;

    /// Folds what commits wrote into its most compact form; returns the revision it covers.
    fn checkpoint(&self) -> Boxed<'_, Result<Revision, CommitError>> {
        let revision = self.snapshot().revision;
        Box::pin(async move { Ok(revision) })
    }

    fn health(&self) -> Health;

    /// Flushes what is queued and lets go of files and sockets; later commits fail.
    fn close(&self) -> Boxed<'_, ()>;

    fn snapshot(&self) -> Arc<Snapshot> {
        self.published().snapshot()
    }

    fn revisions(&self) -> watch::Receiver<Revision> {
        self.published().revisions()
    }

    fn watch(&self, from: Option<Revision>) -> WatchStream {
        self.published().watch(from, Of::All)
    }

    fn watch_configuration(&self, from: Option<Revision>) -> WatchStream {
        self.published().watch(from, Of::Configuration)
    }
}
