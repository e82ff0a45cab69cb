//! The one thread that changes a store.
//!
//! ```text
//!   commits ──► queue ──► group ──► evaluate in order ──► append ──► fdatasync ──► publish ──► reply
//!                           ▲        (on a clone)            │ failed
//!                           └── while syncing, the next      └──► drop the clone, fail all, degraded:
//!                               group gathers                     probe every second until it works
//! ```
//!
//! What readers see is always on disk, relaxed commits included: they wait at
//! most [`RELAXED_DELAY`] for a durable one to ride with.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::SecretsView;
use super::checkpoint::Manifest;
use super::folder::Folder;
use super::keeper::Keeper;
use super::lock::Lock;
use super::queue::{Commit, Encoded, Queued, Results, Work};
use super::shared::Shared;
use super::state::State;
use crate::files::Files;
use crate::journal::item::Item;
use crate::journal::record::{HEADER, Header};
use crate::journal::{Journal, is_full};
use crate::{Change, Class, CommitError, Event, Revision};

/// How long a relaxed commit waits for others.
pub(crate) const RELAXED_DELAY: Duration = Duration::from_millis(50);
/// How often a store that cannot write looks whether it can again.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);
/// What a probe must be able to write: room for some commits, not just for one octet.
const PROBE_OCTETS: usize = 64 * 1024;
/// The largest group, so that the first in it need not wait for too many others.
const GROUP_COMMITS_MAX: usize = 4096;
const GROUP_OCTETS_MAX: usize = 8 * 1024 * 1024;

/// Where so many have commits under way, the next group waits for all of them: who commits in a
/// loop comes back, and syncing the first of them alone makes all the others wait for that.
const SIBLINGS: usize = 8;
/// The longest such wait, where syncs take longer than that.
const LINGER_MAX: Duration = Duration::from_millis(1);

/// How much room for records is kept from group to group.
const RECORDS_ROOM_MAX: usize = 1024 * 1024;

/// When segments are closed and folded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// A segment this long is closed.
    pub(crate) segment_octets: u64,
    /// Closed segments this long, or a quarter of the checkpoint, make a new checkpoint.
    pub(crate) checkpoint_octets: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { segment_octets: 16 * 1024 * 1024, checkpoint_octets: 64 * 1024 * 1024 }
    }
}

pub(crate) struct Writer {
    pub(crate) queue: Receiver<Work>,
    pub(crate) journal: Journal,
    /// What is on disk and published.
    pub(crate) state: State,
    pub(crate) shared: Arc<Shared>,
    pub(crate) secrets: Arc<Mutex<SecretsView>>,
    pub(crate) files: Arc<dyn Files>,
    pub(crate) store: PathBuf,
    pub(crate) limits: Limits,
    pub(crate) folder: Folder,
    pub(crate) keeper: Keeper,
    pub(crate) lock: Lock,
    /// Who wants to know when a checkpoint covers a revision.
    pub(crate) waiting: Vec<(Revision, oneshot::Sender<Result<Revision, CommitError>>)>,
    /// What the last group tells of the next one.
    pub(crate) last: Last,
    /// Room for the records of a group, which the next one has again.
    pub(crate) records: Vec<u8>,
    /// Why nothing can be written, and when that was tried last.
    pub(crate) degraded: Option<(CommitError, Instant)>,
}

/// The group that was synced last.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Last {
    /// Its commits, whose callers may come back, and those that waited for it to end.
    under_way: usize,
    latency: Duration,
    /// `None` if there was none.
    at: Option<Instant>,
}

impl Last {
    /// How many commits are worth waiting for, and until when: no longer than a sync took, and only
    /// if the last group is not much further back than that.
    fn expects(&self, now: Instant) -> Option<(usize, Instant)> {
        let wait = self.latency.min(LINGER_MAX);
        let is_recent = now.saturating_duration_since(self.at?) <= wait * 4;
        (is_recent && self.under_way >= SIBLINGS).then_some((self.under_way, now + wait))
    }
}

/// Commits that share one sync.
#[derive(Default)]
struct Group {
    queued: Vec<Queued>,
    commits: usize,
    /// Of their keys and values.
    octets: usize,
    durable: bool,
}

/// A group on its way to disk.
struct Pending {
    state: State,
    records: Vec<u8>,
    events: Vec<Event>,
    replies: Vec<(oneshot::Sender<Results>, Results)>,
}

impl Writer {
    /// Works until the store is closed.
    pub(crate) fn run(mut self) {
        let closed = loop {
            let (group, other) = self.gather();
            if !group.queued.is_empty() {
                self.commit(group);
            }
            match other {
                Some(Work::Close(done)) => break done,
                Some(Work::Checkpointed(done)) => self.checkpointed(done),
                Some(Work::Checkpoint(done)) => self.checkpoint_wanted(done),
                Some(Work::Commits(_)) | None => {}
            }
            self.probe();
        };
        let Self { folder, keeper, lock, journal, queue, .. } = self;
        folder.stop();
        keeper.stop();
        journal.close();
        drop((queue, lock));
        // Everything is let go of before the caller is told.
        let _ = closed.send(());
    }

    /// Waits for work: a group of commits, and what ended it if that was not one.
    fn gather(&self) -> (Group, Option<Work>) {
        let mut group = Group::default();
        let mut until = self.degraded.as_ref().map(|(_, tried)| *tried + PROBE_INTERVAL);
        let mut expected: Option<(usize, Instant)> = None;
        loop {
            let full = group.commits >= GROUP_COMMITS_MAX || group.octets >= GROUP_OCTETS_MAX;
            let next = if full {
                Err(RecvTimeoutError::Timeout)
            } else if let Some((commits, until)) = expected
                && group.commits < commits
            {
                self.queue.recv_timeout(until.saturating_duration_since(Instant::now()))
            } else if group.durable || (self.degraded.is_some() && !group.queued.is_empty()) {
                self.queue.try_recv().map_err(|_| RecvTimeoutError::Timeout)
            } else if let Some(until) = until {
                self.queue.recv_timeout(until.saturating_duration_since(Instant::now()))
            } else {
                self.queue.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match next {
                Ok(Work::Commits(queued)) => {
                    self.shared.dequeued(queued.commits.len());
                    group.durable |= queued.is_durable();
                    group.commits += queued.commits.len();
                    group.octets += queued.octets();
                    group.queued.push(queued);
                    let now = Instant::now();
                    until = until.or_else(|| Some(now + RELAXED_DELAY));
                    if group.durable && expected.is_none() && self.degraded.is_none() {
                        expected = Some(self.last.expects(now).unwrap_or((0, now)));
                    }
                }
                Ok(other) => return (group, Some(other)),
                Err(_) => return (group, None),
            }
        }
    }

    fn commit(&mut self, group: Group) {
        if let Some((error, _)) = &self.degraded {
            for queued in group.queued {
                queued.fail(error);
            }
            return;
        }
        let commits = group.commits;
        let records = std::mem::take(&mut self.records);
        let pending = self.evaluate(group, records);
        let last = pending.state.snapshot.revision;
        let started = Instant::now();
        let synced = if pending.records.is_empty() {
            Ok(())
        } else {
            self.journal.append(&pending.records, last)
        };
        match synced {
            Ok(()) => {
                if !pending.records.is_empty() {
                    let (at, latency) = (Some(Instant::now()), started.elapsed());
                    self.shared.synced(latency);
                    let under_way = commits + self.shared.waiting();
                    self.last = Last { under_way, latency, at };
                    self.keeper.raise(last);
                    self.state = pending.state;
                    let secrets = self.state.secrets.clone();
                    *self.secrets.lock().unwrap_or_else(PoisonError::into_inner) = secrets;
                    self.shared.published.publish(self.state.snapshot.clone(), pending.events);
                }
                self.keep_room(pending.records);
                for (reply, results) in pending.replies {
                    let _ = reply.send(results);
                }
                self.rotate_if_long();
            }
            Err(error) => {
                let error = self.degrade("write the journal", &error);
                for (reply, results) in pending.replies {
                    let failed = |result: Result<_, _>| Err(result.err().unwrap_or(error.clone()));
                    let _ = reply.send(results.into_iter().map(failed).collect());
                }
            }
        }
    }

    /// Keeps room for the next group, unless this one was larger than most.
    fn keep_room(&mut self, mut records: Vec<u8>) {
        if records.capacity() <= RECORDS_ROOM_MAX {
            records.clear();
            self.records = records;
        }
    }

    /// Decides every commit in order, each seeing those before it; `records` is empty.
    fn evaluate(&self, group: Group, mut records: Vec<u8>) -> Pending {
        let state = self.state.clone();
        records.reserve(group.octets + group.commits * HEADER);
        let mut pending = Pending {
            state,
            records,
            events: Vec::with_capacity(group.commits),
            replies: Vec::with_capacity(group.queued.len()),
        };
        for queued in group.queued {
            let durable = queued.is_durable();
            let Queued { commits, reply } = queued;
            let evaluate = |commit: Result<Commit, CommitError>| match commit? {
                Commit::Batch(encoded) => self.evaluate_batch(encoded, &mut pending),
                Commit::Secret { path, sealed } => {
                    Ok(self.evaluate_secret(&path, sealed.as_deref(), &mut pending))
                }
            };
            let results: Results = commits.into_iter().map(evaluate).collect();
            if durable || results.iter().any(Result::is_err) {
                pending.replies.push((reply, results));
            } else {
                // Their places are known, and nobody was promised more.
                drop(reply.send(results));
            }
        }
        pending
    }

    fn evaluate_batch(
        &self,
        mut encoded: Encoded,
        pending: &mut Pending,
    ) -> Result<Revision, CommitError> {
        let batch = &encoded.batch;
        let snapshot = &mut pending.state.snapshot;
        if let Some(compare) = snapshot.tables.refuses(batch) {
            return Err(CommitError::Refused(Box::new(compare.clone())));
        }
        if batch.is_empty() {
            return Ok(snapshot.revision);
        }
        let revision = snapshot.revision.next();
        let event = snapshot.tables.make(std::mem::take(&mut encoded.batch.changes), revision);
        snapshot.revision = revision;
        let puts = event.changes.iter().zip(event.stamps.iter());
        let stamps = puts.filter(|(change, _)| matches!(change, Change::Put(_)));
        let header = self.header(encoded.batch.class, revision);
        header.emit(self.journal.salt(), &mut pending.records, |out| {
            encoded.emit(stamps.map(|(_, stamp)| *stamp), out);
        });
        pending.events.push(event);
        Ok(revision)
    }

    fn evaluate_secret(
        &self,
        path: &str,
        sealed: Option<&[u8]>,
        pending: &mut Pending,
    ) -> Revision {
        let revision = pending.state.snapshot.revision.next();
        let stamp = pending.state.put_secret(path, sealed, revision);
        pending.state.snapshot.revision = revision;
        let put = sealed.map(|octets| (stamp, octets));
        self.header(Class::Durable, revision).emit(
            self.journal.salt(),
            &mut pending.records,
            |out| Item { path, put }.emit(out),
        );
        pending.events.push(Event { revision, changes: Arc::default(), stamps: Arc::default() });
        revision
    }

    fn header(&self, class: Class, revision: Revision) -> Header {
        Header { class, revision, synced: self.journal.last() }
    }

    fn rotate_if_long(&mut self) {
        if self.journal.active_length() < self.limits.segment_octets {
            return;
        }
        // If there is no room for a new segment the old one grows: no commit failed yet.
        if let Err(error) = self.journal.rotate() {
            self.shared.failed(&format!("cannot start a segment of the journal: {error}"));
            return;
        }
        let due = self.limits.checkpoint_octets.max(self.shared.checkpoint_octets() / 4);
        if self.journal.closed_length() >= due {
            self.checkpoint();
        }
    }

    fn checkpoint(&mut self) {
        self.folder.fold(&self.state);
    }

    fn checkpoint_wanted(&mut self, done: oneshot::Sender<Result<Revision, CommitError>>) {
        if let Some((error, _)) = &self.degraded {
            let _ = done.send(Err(error.clone()));
            return;
        }
        if let Err(error) = self.journal.rotate() {
            let error = self.degrade("start a segment of the journal", &error);
            let _ = done.send(Err(error));
            return;
        }
        self.waiting.push((self.journal.last(), done));
        self.checkpoint();
    }

    fn checkpointed(&mut self, done: Result<Manifest, String>) {
        self.folder.done();
        let result = match done {
            Ok(manifest) => {
                self.shared.checkpointed(manifest.octets());
                if let Err(error) = self.journal.forget(manifest.revision) {
                    self.shared.failed(&format!("cannot delete segments of the journal: {error}"));
                }
                Ok(manifest.revision)
            }
            Err(words) => {
                self.shared.failed(&format!("cannot make a checkpoint: {words}"));
                Err(CommitError::Broken(words))
            }
        };
        let covered = result.as_ref().map_or(Revision(u64::MAX), |revision| *revision);
        for (wanted, waiting) in std::mem::take(&mut self.waiting) {
            if wanted <= covered {
                let _ = waiting.send(result.clone());
            } else {
                self.waiting.push((wanted, waiting));
            }
        }
        if !self.waiting.is_empty() {
            self.checkpoint();
        }
    }

    /// Nothing more can be written; gives the words that every waiting commit gets.
    fn degrade(&mut self, doing: &str, error: &io::Error) -> CommitError {
        let words = format!("cannot {doing} in {}: {error}", self.store.display());
        tracing::error!(error = %words, "commits fail until the store can write again");
        self.shared.degraded(&words);
        let error = classify(error, words);
        // At once, so that a commit that was just refused does not come back after a crash.
        let _ = self.journal.reopen();
        self.degraded = Some((error.clone(), Instant::now()));
        error
    }

    /// Tries, once a second, whether a store that could not write can again.
    fn probe(&mut self) {
        let due = |tried: Instant| tried.elapsed() >= PROBE_INTERVAL;
        let Some((error, tried)) = &mut self.degraded else { return };
        if !due(*tried) {
            return;
        }
        *tried = Instant::now();
        match self.journal.reopen().and_then(|()| write_probe(&*self.files, &self.store)) {
            Ok(()) => {
                self.degraded = None;
                self.shared.recovered();
                tracing::info!(revision = self.journal.last().0, "the store can write again");
            }
            Err(again) => {
                let words = format!("cannot write in {}: {again}", self.store.display());
                *error = classify(&again, words);
            }
        }
    }
}

/// Whether there is room again: writes and syncs a file, and removes it.
fn write_probe(files: &dyn Files, store: &std::path::Path) -> io::Result<()> {
    let path = store.join("probe");
    if path.exists() {
        files.remove(&path)?;
    }
    let mut file = files.create(&path)?;
    let done = file.write_at(0, &vec![0; PROBE_OCTETS]).and_then(|()| file.sync());
    files.remove(&path)?;
    done
}

/// The words of a failed write, by what the operator can do about it.
fn classify(error: &io::Error, words: String) -> CommitError {
    match error.kind() {
        _ if is_full(error) => CommitError::Full(words),
        io::ErrorKind::ReadOnlyFilesystem => CommitError::ReadOnly(words),
        _ => CommitError::Broken(words),
    }
}
