//! The real thing: a store that this process opens.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use store::maintenance::{Progress, Step};
use store::{
    Author, Batch, CommitError, Event, OpenError, OpenOptions, Origin, Revision, Snapshot, Store,
    StoreUrl, Table, WatchEvent, WatchStream,
};
use tokio::runtime::{Builder, Handle};
use tokio::signal::unix::{Signal, SignalKind, signal};
use zeroize::Zeroizing;

use crate::failure::{Failure, Stop, chain};
use crate::session::StorePlace;
use crate::source::{Health, Source, SourceError};

/// How long a store may be silent; the copy of millions of rows takes its time.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// How long reading goes on before somebody is told how far it is, and how often it is looked at.
const TOLD_AFTER: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Opens the store at `place`.
pub(crate) fn connect(place: &StorePlace) -> Result<Box<dyn Source>, Stop> {
    let url: StoreUrl = place.url.parse().map_err(|err| Failure::usage(chain(&err)))?;
    let is_served = matches!(url, StoreUrl::Unix(_));
    // Which tables are needed is known when they are read.
    let copied = is_served.then(BTreeSet::new);
    let runtime = start_runtime().map_err(|err| SourceError::Unreachable(err.to_string()))?;
    let mut interrupts = listen(&runtime)?;
    let options = OpenOptions { tables: copied.clone(), ..place.options.clone() };
    let opening = open(&url, options);
    let store = interruptible(&runtime, &mut interrupts, opening)??;
    let place = (url, place.options.clone());
    let audits = !is_served;
    Ok(Box::new(Served { runtime, interrupts, place, store, copied, audits, changes: None }))
}

async fn open(url: &StoreUrl, options: OpenOptions) -> Result<Store, SourceError> {
    // Each copy is counted from its beginning.
    let progress = Progress::default();
    let options = OpenOptions { progress: progress.clone(), ..options };
    match patiently(Store::open(url, options), || progress.step(), SILENCE_MAX).await {
        Some(opened) => Ok(opened?),
        None => Err(SourceError::Unreachable(format!("`{url}` does not answer"))),
    }
}

/// Waits for a store for as long as it takes to read it, and says how far that is; `None` if nothing
/// came for as long as `silence_max`.
async fn patiently<T>(
    opening: impl Future<Output = T>,
    step: impl Fn() -> Option<Step>,
    silence_max: Duration,
) -> Option<T> {
    let mut opening = pin!(opening);
    let bar = ProgressBar::hidden();
    let begun = Instant::now();
    let (mut heard, mut heard_at) = (None, begun);
    loop {
        if let Ok(opened) = tokio::time::timeout(LOOK_EVERY, &mut opening).await {
            bar.finish_and_clear();
            return Some(opened);
        }
        let step = step();
        if step != heard {
            (heard, heard_at) = (step, Instant::now());
        } else if heard_at.elapsed() >= silence_max {
            bar.finish_and_clear();
            return None;
        }
        if let Some(step) = step.filter(|_| begun.elapsed() >= TOLD_AFTER) {
            draw(&bar, &step);
        }
    }
}

/// Draws how far reading is, at a terminal.
fn draw(bar: &ProgressBar, step: &Step) {
    if bar.length().is_none() {
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}") {
            bar.set_style(style);
        }
        bar.set_draw_target(ProgressDrawTarget::stderr());
    }
    bar.set_message(step.doing);
    bar.set_length(step.total.max(step.done));
    bar.set_position(step.done);
}

struct Served {
    runtime: Handle,
    /// Ctrl-C, also between two waits: one that is pressed while a bar is drawn counts.
    interrupts: Signal,
    place: (StoreUrl, OpenOptions),
    store: Store,
    /// Which tables are copied; everything if `None`.
    copied: Option<BTreeSet<Table>>,
    /// Whether nobody else writes the audit trail.
    audits: bool,
    changes: Option<WatchStream>,
}

impl Source for Served {
    fn begin(&mut self) {
        let heard = self.interrupts.recv();
        // What was pressed as the last line ended is not for this one.
        let _ = self.runtime.block_on(async { tokio::time::timeout(Duration::ZERO, heard).await });
    }

    fn read(&mut self, tables: &[Table]) -> Result<Arc<Snapshot>, SourceError> {
        self.copy(tables)?;
        Ok(self.store.snapshot())
    }

    fn wait(
        &mut self,
        after: Revision,
        timeout: Duration,
    ) -> Result<Option<Revision>, SourceError> {
        let mut revisions = self.store.revisions();
        let newer = async {
            let newer = revisions.wait_for(|revision| *revision > after);
            tokio::time::timeout(timeout, newer).await.map(|newer| newer.map(|newer| *newer))
        };
        match interruptible(&self.runtime, &mut self.interrupts, newer)? {
            Ok(Ok(revision)) => Ok(Some(revision)),
            Ok(Err(_)) => Err(SourceError::Unreachable("the store is closed".to_owned())),
            Err(_) => Ok(None),
        }
    }

    fn follow(&mut self, after: Revision) -> Result<(), SourceError> {
        self.changes = Some(self.store.watch(Some(after.next())));
        Ok(())
    }

    fn next_change(&mut self, timeout: Duration) -> Result<Option<Event>, SourceError> {
        let Some(changes) = &mut self.changes else { return Ok(None) };
        let next = async { tokio::time::timeout(timeout, changes.next()).await };
        match interruptible(&self.runtime, &mut self.interrupts, next)? {
            Ok(Some(WatchEvent::Changed(event))) => Ok(Some(event)),
            Ok(Some(WatchEvent::Compacted(revision))) => Err(SourceError::Missed(revision)),
            Ok(None) => Err(SourceError::Unreachable("the store is closed".to_owned())),
            Err(_) => Ok(None),
        }
    }

    fn commit(&mut self, batch: Batch) -> Result<Revision, SourceError> {
        let mut batch = batch;
        if self.audits {
            let author = Author::own_user(Origin::Cli, "");
            store::audit(&self.store.snapshot(), &mut batch, &author, crate::utc_now());
        }
        Ok(interruptible(&self.runtime, &mut self.interrupts, self.store.commit(batch))??)
    }

    fn secret(&mut self, path: &str) -> Result<Option<Zeroizing<Vec<u8>>>, SourceError> {
        Ok(interruptible(&self.runtime, &mut self.interrupts, self.store.secret(path))??)
    }

    fn put_secret(&mut self, path: &str, octets: &[u8]) -> Result<(), SourceError> {
        interruptible(&self.runtime, &mut self.interrupts, self.store.put_secret(path, octets))??;
        Ok(())
    }

    fn delete_secret(&mut self, path: &str) -> Result<(), SourceError> {
        interruptible(&self.runtime, &mut self.interrupts, self.store.delete_secret(path))??;
        Ok(())
    }

    fn health(&mut self) -> Result<Health, SourceError> {
        let health = self.store.health();
        Ok(Health {
            engine: health.engine.to_owned(),
            revision: health.revision,
            age: health.age,
            degraded: health.degraded,
        })
    }
}

impl Served {
    /// Copies `tables` too, if they are not copied yet.
    fn copy(&mut self, tables: &[Table]) -> Result<(), SourceError> {
        let Some(copied) = &self.copied else { return Ok(()) };
        if tables.iter().all(|table| copied.contains(table)) {
            return Ok(());
        }
        // Instances are few, and every change waits for them.
        let instances = [Table::Instances];
        let wanted: BTreeSet<_> = tables.iter().chain(copied).chain(&instances).copied().collect();
        let (url, options) = &self.place;
        let options = OpenOptions { tables: Some(wanted.clone()), ..options.clone() };
        let opening = open(url, options);
        self.store = interruptible(&self.runtime, &mut self.interrupts, opening)??;
        self.copied = Some(wanted);
        // It came from the copy before.
        self.changes = None;
        Ok(())
    }
}

/// A runtime on a thread of its own, so that the store goes on while a line is typed.
fn start_runtime() -> std::io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new()
        .name("store".to_owned())
        .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
    Ok(handle)
}

/// Hears Ctrl-C from here on.
fn listen(runtime: &Handle) -> Result<Signal, SourceError> {
    let _inside = runtime.enter();
    signal(SignalKind::interrupt()).map_err(|err| SourceError::Unreachable(err.to_string()))
}

/// Waits for `future`, but not longer than until Ctrl-C.
fn interruptible<F: Future>(
    runtime: &Handle,
    interrupts: &mut Signal,
    future: F,
) -> Result<F::Output, SourceError> {
    runtime.block_on(async {
        tokio::select! {
            biased;
            _ = interrupts.recv() => Err(SourceError::Interrupted),
            output = future => Ok(output),
        }
    })
}

impl From<OpenError> for SourceError {
    fn from(err: OpenError) -> Self {
        match err {
            OpenError::NotPermitted(words) => Self::NotPermitted(words),
            OpenError::Unreachable(words) => Self::Unreachable(words),
            OpenError::Io { ref source, .. }
                if source.kind() == std::io::ErrorKind::PermissionDenied =>
            {
                Self::NotPermitted(chain(&err))
            }
            err => Self::Unreachable(chain(&err)),
        }
    }
}

impl From<CommitError> for SourceError {
    fn from(err: CommitError) -> Self {
        match err {
            CommitError::Refused(compare) => Self::Changed(compare.key.path()),
            CommitError::Invalid(words) => Self::Refused(words),
            CommitError::NotPermitted(words) => Self::NotPermitted(words),
            CommitError::Unreachable(words) => Self::Unreachable(words),
            CommitError::Full(_)
            | CommitError::ReadOnly(_)
            | CommitError::Broken(_)
            | CommitError::Closed => Self::Unwritable(chain(&err)),
        }
    }
}

#[cfg(test)]
mod tests;
