//! The engines whose tables are somewhere else: `unix:PATH` and `etcd:…`.

pub(crate) mod calls;
mod client;
mod commits;
mod compactor;
pub(crate) mod connect;
mod large;
mod mirror;
mod ways;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tonic::{Code, Status};
use zeroize::Zeroizing;

use calls::{Calls, Peer};
pub use client::{Client, ClientError, Page};
use commits::{Commits, Order};
use mirror::Mirror;

use crate::engine::{Boxed, Engine};
use crate::progress::Progress;
use crate::published::Published;
use crate::secrets::{PREFIX, Sealer};
use crate::served::status::{describe, to_commit};
use crate::{Batch, CommitError, Health, OpenError, OpenOptions, Revision, Table};

/// How long a commit that is made waits until the mirror shows it.
const VISIBLE_WITHIN: Duration = Duration::from_secs(10);

/// A mirror of a server's tables, and a queue of commits to it.
pub(crate) struct Remote {
    mirror: Arc<Mirror>,
    orders: mpsc::UnboundedSender<Order>,
    following: JoinHandle<()>,
    compacting: Option<JoinHandle<()>>,
    /// Seals what goes into a cluster; our own server seals for itself.
    sealer: Option<Sealer>,
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.abort();
    }
}

impl Remote {
    /// Opens the store that is served on the socket at `path`, or some `tables` of it.
    pub(crate) async fn unix(
        path: &Path,
        tables: Option<BTreeSet<Table>>,
        progress: &Progress,
    ) -> Result<Self, OpenError> {
        let calls = Calls::new(Peer::Served, vec![connect::unix(path).await?]);
        Self::open(calls, None, tables, progress).await
    }

    /// Opens the store that a cluster keeps.
    pub(crate) async fn etcd(
        endpoints: &[String],
        options: &OpenOptions,
    ) -> Result<Self, OpenError> {
        let sealer = options.key_file.as_deref().map(Sealer::from_file).transpose()?;
        let calls = Calls::new(Peer::Etcd, connect::etcd(endpoints, &options.etcd)?);
        // What is made has to be there before anybody reads.
        let recovered = large::recover(&calls).await.map_err(|status| refusal(&status));
        let opened = match recovered {
            Ok(()) => Self::open(calls.clone(), sealer, None, &options.progress).await,
            Err(error) => Err(error),
        };
        let mut remote = opened.map_err(|error| doubt_certificates(error, endpoints))?;
        remote.compacting = Some(tokio::spawn(compactor::run(calls, compactor::PACE)));
        Ok(remote)
    }

    async fn open(
        calls: Calls,
        sealer: Option<Sealer>,
        tables: Option<BTreeSet<Table>>,
        progress: &Progress,
    ) -> Result<Self, OpenError> {
        let loaded = Mirror::load(calls.clone(), tables, progress).await;
        let mirror = Arc::new(loaded.map_err(|status| refusal(&status))?);
        let following = tokio::spawn({
            let mirror = Arc::clone(&mirror);
            async move { mirror.follow().await }
        });
        let (orders, queue) = mpsc::unbounded_channel();
        tokio::spawn(Commits::new(Arc::clone(&mirror)).run(queue));
        Ok(Self { mirror, orders, following, compacting: None, sealer })
    }

    fn calls(&self) -> &Calls {
        &self.mirror.calls
    }

    fn abort(&self) {
        self.following.abort();
        if let Some(compacting) = &self.compacting {
            compacting.abort();
        }
    }

    /// The key for secrets, or `None` where the server has it.
    fn sealer(&self) -> Result<Option<&Sealer>, CommitError> {
        match (self.calls().peer, &self.sealer) {
            (Peer::Served, _) => Ok(None),
            (Peer::Etcd, Some(sealer)) => Ok(Some(sealer)),
            (Peer::Etcd, None) => {
                Err(CommitError::NotPermitted("secrets in a cluster need a key file".to_owned()))
            }
        }
    }
}

/// Members that refuse a certificate just hang up: says what may be behind that.
fn doubt_certificates(error: OpenError, endpoints: &[String]) -> OpenError {
    match error {
        OpenError::Unreachable(words)
            if endpoints.iter().any(|endpoint| endpoint.starts_with("https:")) =>
        {
            OpenError::Unreachable(format!(
                "{words}; if the cluster is up, does each side know who signed the other's certificate?"
            ))
        }
        error => error,
    }
}

/// Why a store cannot be opened, from what its server says.
fn refusal(status: &Status) -> OpenError {
    match status.code() {
        Code::PermissionDenied | Code::Unauthenticated => {
            OpenError::NotPermitted(status.message().to_owned())
        }
        // How a cluster with users tells somebody who says no name.
        Code::InvalidArgument if status.message().contains("user name is empty") => {
            OpenError::NotPermitted(status.message().to_owned())
        }
        _ => OpenError::Unreachable(describe(status)),
    }
}

impl Engine for Remote {
    fn published(&self) -> &Arc<Published> {
        &self.mirror.published
    }

    fn commit(&self, batch: Batch) -> Boxed<'static, Result<Revision, CommitError>> {
        let (answer, answered) = oneshot::channel();
        let queued = self.orders.send(Order::Commit(batch, answer));
        let mut revisions = self.mirror.published.revisions();
        Box::pin(async move {
            queued.map_err(|_| CommitError::Closed)?;
            let done = answered.await.map_err(|_| CommitError::Closed)??;
            if done.effective {
                let visible = revisions.wait_for(|revision| *revision >= done.revision);
                // It is made even if the mirror has lost its server since.
                let _ = tokio::time::timeout(VISIBLE_WITHIN, visible).await;
            }
            Ok(done.revision)
        })
    }

    fn secret(&self, path: &str) -> Boxed<'_, Result<Option<Zeroizing<Vec<u8>>>, CommitError>> {
        let key = format!("{PREFIX}{path}");
        Box::pin(async move {
            let sealer = self.sealer()?;
            let found = self.calls().get(&key).await.map_err(|status| to_commit(&status))?;
            let Some(value) = found.map(|kv| Zeroizing::new(kv.value)) else { return Ok(None) };
            let opened = match sealer {
                Some(sealer) => sealer
                    .open(&key, &value)
                    .map_err(|error| CommitError::Broken(format!("{key}: {error}")))?,
                None => value,
            };
            Ok(Some(opened))
        })
    }

    fn put_secret(
        &self,
        path: &str,
        octets: Option<Zeroizing<Vec<u8>>>,
    ) -> Boxed<'_, Result<Revision, CommitError>> {
        let key = format!("{PREFIX}{path}");
        Box::pin(async move {
            let value = match (octets, self.sealer()?) {
                (None, _) => None,
                (Some(octets), None) => Some(octets.to_vec()),
                (Some(octets), Some(sealer)) => Some(
                    sealer
                        .seal(&key, &octets)
                        .map_err(|error| CommitError::Broken(error.to_string()))?,
                ),
            };
            let done = match value {
                Some(value) => self.calls().put(&key, value).await,
                None => self.calls().delete(&key).await,
            };
            done.map_err(|status| to_commit(&status))
        })
    }

    fn health(&self) -> Health {
        let contact = self.mirror.contact();
        let engine = match self.calls().peer {
            Peer::Served => "unix",
            Peer::Etcd => "etcd",
        };
        let age = contact.lost.as_ref().map_or(Duration::ZERO, |_| contact.last.elapsed());
        let lost = contact.lost.map(|words| {
            format!("the store has been out of reach for {} s: {words}", age.as_secs())
        });
        let degraded = lost.or(contact.refusing).or(contact.server);
        Health {
            engine,
            revision: self.mirror.published.snapshot().revision,
            age,
            degraded,
            last_error: contact.last_error,
            ..Health::default()
        }
    }

    fn close(&self) -> Boxed<'_, ()> {
        Box::pin(async move {
            let (done, closed) = oneshot::channel();
            if self.orders.send(Order::Close(done)).is_ok() {
                // The queue ends by itself; an error means that it has.
                let _ = closed.await;
            }
            self.abort();
        })
    }
}

#[cfg(test)]
mod etcd_tests;
#[cfg(test)]
mod tests;
