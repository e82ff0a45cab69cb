//! The thread that raises the high-water mark behind the journal's back.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::Revision;
use crate::journal::mark::Mark;

/// The least time between two writes of the mark: under load it costs ten syncs a second.
const INTERVAL: Duration = Duration::from_millis(100);

/// Writes the mark soon after commits are synced, and never holds them up.
pub(crate) struct Keeper {
    revisions: Sender<Revision>,
    thread: JoinHandle<()>,
}

impl Keeper {
    pub(crate) fn start(mark: Mark) -> std::io::Result<Self> {
        let (revisions, receiver) = channel();
        let thread = thread::Builder::new()
            .name("store-mark".to_owned())
            .spawn(move || keep(mark, &receiver))?;
        Ok(Self { revisions, thread })
    }

    /// Says that everything up to `revision` is synced.
    pub(crate) fn raise(&self, revision: Revision) {
        let _ = self.revisions.send(revision);
    }

    /// Waits until the last revision is written.
    pub(crate) fn stop(self) {
        drop(self.revisions);
        let _ = self.thread.join();
    }
}

fn keep(mut mark: Mark, revisions: &Receiver<Revision>) {
    let mut pause = Duration::ZERO;
    while let Ok(revision) = revisions.recv() {
        if !pause.is_zero() {
            thread::sleep(pause);
        }
        let newest = revisions.try_iter().last().unwrap_or(revision);
        if let Err(error) = mark.write(newest) {
            // The journal meets the same disk; the next commit tries again.
            tracing::warn!(%error, revision = mark.revision().0, "the high-water mark stays behind");
        }
        pause = INTERVAL;
    }
}
