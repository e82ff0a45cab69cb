//! The thread that folds the journal into checkpoints.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use super::checkpoint;
use super::queue::Work;
use super::state::State;
use crate::files::Files;

/// How much less of a busy processor this thread gets than others: a third (sched(7)).
const NICE: i32 = 5;

/// Makes checkpoints, one at a time, of the states it is given.
pub(crate) struct Folder {
    states: Sender<State>,
    busy: bool,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Folder {
    /// `results` is the writer's queue.
    pub(crate) fn start(
        files: Arc<dyn Files>,
        store: PathBuf,
        results: Sender<Work>,
    ) -> std::io::Result<Self> {
        let (states, receiver) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name("store-checkpoint".to_owned())
            .spawn(move || fold(&files, &store, &receiver, &results, &until))?;
        Ok(Self { states, busy: false, stop, thread })
    }

    /// Starts a checkpoint of `state`, unless one is being made.
    pub(crate) fn fold(&mut self, state: &State) {
        if !self.busy {
            self.busy = self.states.send(state.clone()).is_ok();
        }
    }

    /// The checkpoint that was started is made, or failed.
    pub(crate) fn done(&mut self) {
        self.busy = false;
    }

    /// Gives up on what is being made, and waits for the thread.
    pub(crate) fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.states);
        let _ = self.thread.join();
    }
}

fn fold(
    files: &Arc<dyn Files>,
    store: &std::path::Path,
    states: &Receiver<State>,
    results: &Sender<Work>,
    stop: &Arc<AtomicBool>,
) {
    // Nobody waits for a checkpoint: what answers and commits goes first. It is this thread's alone,
    // and the journal only grows a little longer where there is no such thing.
    let _ = rustix::process::nice(NICE);
    while let Ok(state) = states.recv() {
        let made = checkpoint::write(files, store, &state, stop);
        drop(state);
        let result = made.and_then(|manifest| {
            checkpoint::remove_others(files, store, Some(&manifest)).map_err(|source| {
                crate::OpenError::Io { doing: "tidy", path: store.to_owned(), source }
            })?;
            Ok(manifest)
        });
        if let Ok(manifest) = &result {
            tracing::info!(
                revision = manifest.revision.0,
                rows = manifest.totals.items,
                "checkpoint made"
            );
        }
        let result = result.map_err(|error| match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        });
        if results.send(Work::Checkpointed(result)).is_err() {
            return;
        }
    }
}
