//! The engine behind `sled:PATH`: files of this process alone.
//!
//! ```text
//! PATH/lock                    who has it open
//! PATH/mark                    the high-water mark
//! PATH/journal/*.journal       what commits sync
//! PATH/checkpoint.json         which folder below is the checkpoint, and its checksums
//! PATH/checkpoint-REVISION/    all rows at that revision, in sled
//! ```

pub(crate) mod checkpoint;
mod folder;
mod keeper;
pub(crate) mod load;
pub(crate) mod lock;
mod page;
mod parts;
mod queue;
mod shared;
pub(crate) mod state;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;
use zeroize::Zeroizing;

use self::folder::Folder;
use self::keeper::Keeper;
use self::load::{Loaded, Paths};
use self::lock::Lock;
use self::queue::{Commit, Encoded, Queued, Results, Work};
use self::shared::Shared;
pub(crate) use self::shared::used;
use self::state::State;
pub(crate) use self::writer::Limits;
use self::writer::{Last, Writer};
use crate::engine::{Boxed, Engine};
use crate::files::{Files, RealFiles};
use crate::journal::Journal;
use crate::journal::mark::{self, Mark};
use crate::progress::Progress;
use crate::published::Published;
use crate::secrets::{self, Sealer};
use crate::{Batch, Class, CommitError, Health, OpenError, OpenOptions, Revision, Snapshot};

/// Relaxed commits beyond this many are dropped: they may be lost, memory may not.
const QUEUE_MAX: usize = 100_000;

/// How files are opened; the default is what `Store::open` takes.
#[derive(Clone)]
pub(crate) struct LocalOptions {
    pub(crate) files: Arc<dyn Files>,
    pub(crate) key_file: Option<PathBuf>,
    pub(crate) limits: Limits,
    pub(crate) progress: Progress,
}

impl From<OpenOptions> for LocalOptions {
    fn from(options: OpenOptions) -> Self {
        Self {
            files: Arc::new(RealFiles),
            key_file: options.key_file,
            limits: Limits::default(),
            progress: options.progress,
        }
    }
}

/// A store in files.
pub(crate) struct Local {
    queue: Sender<Work>,
    shared: Arc<Shared>,
    secrets: Arc<Mutex<SecretsView>>,
    sealer: Sealer,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// The sealed secrets as of the last sync.
pub(crate) type SecretsView = imbl::OrdMap<String, crate::journal::item::Sealed>;

impl Local {
    /// Opens the store at `path`, making it if there is none. Takes as long as loading takes.
    pub(crate) fn open(path: &Path, options: LocalOptions) -> Result<Self, OpenError> {
        let LocalOptions { files, key_file, limits, progress } = options;
        let paths = Paths::new(path);
        make_directory(&files, path)?;
        let lock = Lock::take(path)?;
        let loaded = load::load(&paths, &progress)?;
        let key_file = key_file.unwrap_or_else(|| secrets::default_key_file(path));
        let sealer = open_sealer(&key_file, &loaded)?;
        make_directory(&files, &paths.journal)?;
        let Loaded { state, manifest, mark, layout, events } = loaded;
        if layout.torn > 0 {
            tracing::warn!(octets = layout.torn, "cut off what was never synced");
        }
        let tidied = checkpoint::remove_others(&files, path, manifest.as_ref());
        tidied.map_err(io_error("tidy", path))?;
        let revision = layout.last;
        let mut mark = match mark {
            Some(found) => Mark::open(&files, &paths.mark, found),
            None => mark::new_lineage()
                .and_then(|lineage| Mark::create(&files, &paths.mark, Revision(0), lineage)),
        }
        .map_err(io_error("open", &paths.mark))?;
        let journal = Journal::open(Arc::clone(&files), paths.journal.clone(), layout)
            .map_err(io_error("open", &paths.journal))?;
        if revision > mark.revision() {
            mark.write(revision).map_err(io_error("write", &paths.mark))?;
        }
        let published = publish(&state, events, mark.lineage());
        let octets = manifest.map_or(0, |manifest| manifest.octets());
        let shared = Arc::new(Shared::new(published, path.to_owned(), octets));
        let secrets = Arc::new(Mutex::new(state.secrets.clone()));
        let (queue, receiver) = channel();
        let threads = || -> std::io::Result<_> {
            let folder = Folder::start(Arc::clone(&files), path.to_owned(), queue.clone())?;
            let keeper = Keeper::start(mark)?;
            let writer = Writer {
                queue: receiver,
                journal,
                state,
                shared: Arc::clone(&shared),
                secrets: Arc::clone(&secrets),
                files,
                store: path.to_owned(),
                limits,
                folder,
                keeper,
                lock,
                waiting: Vec::new(),
                last: Last::default(),
                records: Vec::new(),
                degraded: None,
            };
            thread::Builder::new().name("store-writer".to_owned()).spawn(move || writer.run())
        };
        let writer = threads().map_err(io_error("start the threads of", path))?;
        Ok(Self { queue, shared, secrets, sealer, writer: Mutex::new(Some(writer)) })
    }

    fn enqueue(
        &self,
        commit: Result<Commit, CommitError>,
    ) -> Boxed<'static, Result<Revision, CommitError>> {
        let queued = commit.and_then(|commit| {
            if self.shared.is_full(QUEUE_MAX) && commit.class() == Class::Relaxed {
                return Err(CommitError::Broken("too many commits wait".to_owned()));
            }
            Ok(self.enqueue_all(vec![Ok(commit)]))
        });
        Box::pin(async move { queued?.await?.pop().unwrap_or(Err(CommitError::Closed)) })
    }

    /// Queues commits together; gives their results once all of them have one.
    fn enqueue_all(
        &self,
        commits: Vec<Result<Commit, CommitError>>,
    ) -> impl Future<Output = Result<Results, CommitError>> + Send + use<> {
        let (reply, results) = oneshot::channel();
        self.shared.queued(commits.len());
        let sent = self.queue.send(Work::Commits(Queued { commits, reply }));
        async move {
            sent.map_err(|_| CommitError::Closed)?;
            results.await.map_err(|_| CommitError::Closed)
        }
    }

    /// Asks the writer to stop; what it then waits for.
    fn ask_to_close(&self) -> oneshot::Receiver<()> {
        let (done, closed) = oneshot::channel();
        let _ = self.queue.send(Work::Close(done));
        closed
    }

    fn take_writer(&self) -> Option<JoinHandle<()>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if let Some(writer) = self.take_writer() {
            drop(self.ask_to_close());
            // So that whoever opens the path next finds it free.
            let _ = writer.join();
        }
    }
}

impl Engine for Local {
    fn published(&self) -> &Arc<Published> {
        &self.shared.published
    }

    fn commit(&self, batch: Batch) -> Boxed<'static, Result<Revision, CommitError>> {
        self.enqueue(Encoded::new(batch).map(Commit::Batch))
    }

    fn commit_all(&self, batches: Vec<Batch>) -> Boxed<'static, Results> {
        let count = batches.len();
        let encoded = batches.into_iter().map(|batch| Encoded::new(batch).map(Commit::Batch));
        let queued = self.enqueue_all(encoded.collect());
        Box::pin(async move { queued.await.unwrap_or_else(|error| vec![Err(error); count]) })
    }

    fn secret(&self, path: &str) -> Boxed<'_, Result<Option<Zeroizing<Vec<u8>>>, CommitError>> {
        let path = format!("{}{path}", secrets::PREFIX);
        let sealed = {
            let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
            secrets.get(&path).cloned()
        };
        let opened = sealed.map(|sealed| self.sealer.open(&path, &sealed.octets)).transpose();
        let opened = opened.map_err(|error| CommitError::Broken(format!("{path}: {error}")));
        Box::pin(async move { opened })
    }

    fn put_secret(
        &self,
        path: &str,
        octets: Option<Zeroizing<Vec<u8>>>,
    ) -> Boxed<'_, Result<Revision, CommitError>> {
        let path = format!("{}{path}", secrets::PREFIX);
        let sealed = octets.map(|octets| self.sealer.seal(&path, &octets)).transpose();
        let sealed = sealed.map_err(|error| CommitError::Broken(error.to_string()));
        self.enqueue(sealed.and_then(|sealed| queue::secret(path, sealed)))
    }

    fn checkpoint(&self) -> Boxed<'_, Result<Revision, CommitError>> {
        let (done, made) = oneshot::channel();
        let asked = self.queue.send(Work::Checkpoint(done));
        Box::pin(async move {
            asked.map_err(|_| CommitError::Closed)?;
            made.await.map_err(|_| CommitError::Closed)?
        })
    }

    fn health(&self) -> Health {
        self.shared.health()
    }

    fn close(&self) -> Boxed<'_, ()> {
        let closed = self.take_writer().map(|writer| (writer, self.ask_to_close()));
        Box::pin(async move {
            if let Some((writer, closed)) = closed {
                let _ = closed.await;
                let _ = writer.join();
            }
        })
    }
}

fn publish(state: &State, events: Vec<crate::Event>, lineage: u64) -> Arc<Published> {
    let first = events.first().map_or(state.snapshot.revision.next(), |event| event.revision);
    let before = Revision(first.0.saturating_sub(1));
    let published = Published::new(Snapshot { revision: before, ..Snapshot::default() }, lineage);
    published.publish(state.snapshot.clone(), events);
    published
}

/// The key must fit the secrets that are there: a new one would lock them in for ever.
pub(crate) fn open_sealer(key_file: &Path, loaded: &Loaded) -> Result<Sealer, OpenError> {
    let one = loaded.state.secrets.iter().next();
    if one.is_some() && !key_file.exists() {
        return Err(secrets::fault(key_file, "is missing, and secrets are sealed with it"));
    }
    let key = Sealer::from_file(key_file)?;
    match one {
        Some((path, sealed)) if key.open(path, &sealed.octets).is_err() => {
            Err(secrets::fault(key_file, "is not the one that the secrets are sealed with"))
        }
        _ => Ok(key),
    }
}

fn make_directory(files: &Arc<dyn Files>, path: &Path) -> Result<(), OpenError> {
    if path.is_dir() {
        return Ok(());
    }
    let made = || {
        files.create_directory(path)?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        files.sync_directory(parent.unwrap_or(Path::new(".")))
    };
    made().map_err(io_error("make", path))
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Io { doing, path, source }
}

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod tests;
