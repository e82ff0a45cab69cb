//! The handle that everything else holds, and the words for what can go wrong.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::engine::Engine;
use crate::local::Local;
use crate::memory::Memory;
use crate::progress::Progress;
use crate::remote::Remote;
use crate::{Batch, Class, Compare, Revision, Snapshot, Table, WatchStream};

/// A store that is open. Clones share it.
#[derive(Clone)]
pub struct Store {
    engine: Arc<dyn Engine>,
}

impl Store {
    /// Opens the store at `url` and loads it; returns once snapshots can be served.
    pub async fn open(url: &StoreUrl, options: OpenOptions) -> Result<Self, OpenError> {
        match url {
            StoreUrl::Sled(path) => {
                let path = path.clone();
                let opened =
                    tokio::task::spawn_blocking(move || Local::open(&path, options.into()));
                Ok(Self::from_engine(opened.await.unwrap_or_else(|error| {
                    Err(OpenError::Unreachable(format!("loading it stopped: {error}")))
                })?))
            }
            StoreUrl::Unix(path) => {
                Ok(Self::from_engine(Remote::unix(path, options.tables, &options.progress).await?))
            }
            StoreUrl::Etcd(endpoints) => {
                Ok(Self::from_engine(Remote::etcd(endpoints, &options).await?))
            }
        }
    }

    /// A store that lives in this process and ends with it; for tests and previews.
    pub fn in_memory() -> Self {
        Self::from_engine(Memory::default())
    }

    pub(crate) fn from_engine(engine: impl Engine) -> Self {
        Self { engine: Arc::new(engine) }
    }

    /// The newest visible state of all tables. Never blocks.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.engine.snapshot()
    }

    /// Changes whenever a newer snapshot is visible.
    pub fn revisions(&self) -> watch::Receiver<Revision> {
        self.engine.revisions()
    }

    /// Makes the changes of `batch`, all of them at one revision or none.
    ///
    /// The commit is queued when this is called, in the order of the calls. A
    /// durable one resolves once it is synced *and* visible in [`Self::snapshot`];
    /// a relaxed one as soon as its place in the order is known, and is visible
    /// within 50 ms and a sync.
    pub fn commit(
        &self,
        batch: Batch,
    ) -> impl Future<Output = Result<Revision, CommitError>> + Send + use<> {
        self.engine.commit(batch)
    }

    /// Makes several commits, queued together when this is called, in their order.
    ///
    /// Each is a commit of its own and has a result of its own, in the same
    /// order; only waiting for them is shared. Who has many at a time, as a home
    /// agent whose socket was full, saves a queue entry and a wake-up for each.
    pub fn commit_all(
        &self,
        batches: Vec<Batch>,
    ) -> impl Future<Output = Vec<Result<Revision, CommitError>>> + Send + use<> {
        self.engine.commit_all(batches)
    }

    /// Queues `batch` as relaxed and forgets about it; it may be lost.
    pub fn commit_soon(&self, mut batch: Batch) {
        batch.class = Class::Relaxed;
        drop(self.engine.commit(batch));
    }

    /// Every change from the one at `from` on; from now on if `None`.
    pub fn watch(&self, from: Option<Revision>) -> WatchStream {
        self.engine.watch(from)
    }

    /// The changes of commits that touch the configuration: associations, settings, care-of
    /// addresses, regions. Whoever needs no more is not woken by registrations.
    pub fn watch_configuration(&self, from: Option<Revision>) -> WatchStream {
        self.engine.watch_configuration(from)
    }

    /// The secret at `path`, which is below `/mip4-secret/`.
    pub async fn secret(&self, path: &str) -> Result<Option<Zeroizing<Vec<u8>>>, CommitError> {
        self.engine.secret(path).await
    }

    /// Seals `octets` and keeps them at `path`, durably.
    pub async fn put_secret(&self, path: &str, octets: &[u8]) -> Result<Revision, CommitError> {
        self.engine.put_secret(path, Some(Zeroizing::new(octets.to_vec()))).await
    }

    /// Forgets the secret at `path`, durably; no error if there is none.
    pub async fn delete_secret(&self, path: &str) -> Result<Revision, CommitError> {
        self.engine.put_secret(path, None).await
    }

    /// Folds the journal into a checkpoint now, where the engine has one; returns its revision.
    pub async fn checkpoint(&self) -> Result<Revision, CommitError> {
        self.engine.checkpoint().await
    }

    /// How the store is, as of now.
    pub fn health(&self) -> Health {
        self.engine.health()
    }

    /// Flushes what is queued, relaxed commits included, and closes the engine for every clone.
    pub async fn close(self) {
        self.engine.close().await;
    }

    /// A random number that a store gets when it is made, and anew when it is made out of a
    /// backup: a revision means the same only as long as this is the same.
    pub fn lineage(&self) -> u64 {
        self.engine.published().lineage()
    }

    /// The last revision that [`Self::watch`] cannot start from.
    pub fn compacted(&self) -> Revision {
        self.engine.published().compacted()
    }

    /// Forgets the history up to and including `revision`; watches that need it are told.
    pub fn compact(&self, revision: Revision) {
        self.engine.published().compact(revision);
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("revision", &self.snapshot().revision).finish_non_exhaustive()
    }
}

/// Where a store is: `sled:PATH`, `unix:PATH` or `etcd:https://HOST:2379,…`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StoreUrl {
    /// Files of this process alone.
    Sled(PathBuf),
    /// The socket of a process that serves its files.
    Unix(PathBuf),
    /// The endpoints of an etcd cluster.
    Etcd(Vec<String>),
}

/// Why text is not a [`StoreUrl`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StoreUrlError {
    #[error(
        "`{0}` is not a store: expected `sled:PATH`, `unix:PATH` or `etcd:https://HOST:PORT,…`"
    )]
    Scheme(String),
    #[error("`{0}` names no path or endpoint after the colon")]
    Empty(String),
    #[error("`{0}` is not an endpoint: expected `http://HOST:PORT` or `https://HOST:PORT`")]
    Endpoint(String),
}

impl FromStr for StoreUrl {
    type Err = StoreUrlError;

    fn from_str(text: &str) -> Result<Self, StoreUrlError> {
        let (scheme, rest) =
            text.split_once(':').ok_or_else(|| StoreUrlError::Scheme(text.to_owned()))?;
        if !["sled", "unix", "etcd"].contains(&scheme) {
            return Err(StoreUrlError::Scheme(text.to_owned()));
        }
        if rest.is_empty() {
            return Err(StoreUrlError::Empty(text.to_owned()));
        }
        match scheme {
            "sled" => Ok(Self::Sled(rest.into())),
            "unix" => Ok(Self::Unix(rest.into())),
            _ => rest.split(',').map(endpoint).collect::<Result<_, _>>().map(Self::Etcd),
        }
    }
}

fn endpoint(text: &str) -> Result<String, StoreUrlError> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() => Ok(text.to_owned()),
        _ => Err(StoreUrlError::Endpoint(text.to_owned())),
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sled(path) => write!(f, "sled:{}", path.display()),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Etcd(endpoints) => write!(f, "etcd:{}", endpoints.join(",")),
        }
    }
}

/// What may be said about a store before it is opened.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// The key that secrets are sealed with, 0600; made if it is missing.
    /// By default `secret.key` beside the store's folder.
    pub key_file: Option<PathBuf>,
    /// How an etcd cluster is spoken to.
    pub etcd: EtcdOptions,
    /// The tables that are copied from another process's store (`unix:`), all of them if `None`.
    /// The others stay empty here, and their changes are left out of watches; revisions count
    /// on. A copy of one small table of a store with millions of rows is there at once.
    pub tables: Option<BTreeSet<Table>>,
    /// Says how far reading has come, which takes its time where there are millions of rows.
    pub progress: Progress,
}

/// Certificates for an etcd cluster, as files in PEM.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct EtcdOptions {
    pub authority: Option<PathBuf>,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

/// Why a store cannot be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("no engine of this build opens `{0}`")]
    Unsupported(StoreUrl),
    #[error("{path} is in use by process {process_id}")]
    InUse { path: PathBuf, process_id: u32 },
    #[error(
        "{} is damaged at octet {offset}: {what}; good up to revision {good}, written up to revision {written}",
        file.display()
    )]
    Damaged { file: PathBuf, offset: u64, what: String, good: Revision, written: Revision },
    #[error("{} has format {found}, this version reads up to {known}", file.display())]
    Format { file: PathBuf, found: u32, known: u32 },
    #[error("cannot {doing} {}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: std::io::Error },
    #[error("the key file {}: {what}", path.display())]
    KeyFile { path: PathBuf, what: String },
    #[error("not permitted: {0}")]
    NotPermitted(String),
    #[error("cannot reach the store: {0}")]
    Unreachable(String),
}

/// Why a commit was not made.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommitError {
    /// A compare did not hold; nothing is wrong with the store.
    #[error("{} changed in between", .0.key.path())]
    Refused(Box<Compare>),
    #[error("the change is not valid: {0}")]
    Invalid(String),
    #[error("the disk is full: {0}")]
    Full(String),
    #[error("the disk is read-only: {0}")]
    ReadOnly(String),
    #[error("the store is broken: {0}")]
    Broken(String),
    #[error("not permitted: {0}")]
    NotPermitted(String),
    #[error("cannot reach the store: {0}")]
    Unreachable(String),
    #[error("the store is closed")]
    Closed,
}

/// How a store is.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// `memory`, `sled`, `unix` or `etcd`.
    pub engine: &'static str,
    pub revision: Revision,
    /// How old the visible revision may be: zero while commits succeed and the source is in touch.
    pub age: Duration,
    /// Why commits fail, if they do.
    pub degraded: Option<String>,
    /// What went wrong last, even if it is mended.
    pub last_error: Option<String>,
    /// How long the last sync took.
    pub sync_latency: Option<Duration>,
    pub disk: Option<Disk>,
}

/// The file system below a store.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Disk {
    pub free_octets: u64,
    pub total_octets: u64,
    /// What the store itself takes.
    pub used_octets: u64,
}
