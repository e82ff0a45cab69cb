//! The commits on their way to a server.
//!
//! Commits that share no row travel at the same time; one that touches a row of
//! another waits for it, so that each row sees them in the order of the calls.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::calls::{Done, ETCD_OPERATIONS_MAX, Peer};
use super::large;
use super::mirror::Mirror;
use crate::{AnyKey, Batch, Change, Class, CommitError};

/// How many transactions are under way at most.
const UNDER_WAY_MAX: usize = 256;
/// How many relaxed changes go in one transaction to our own server.
const RELAXED_MAX: usize = 8_192;
/// How many rows with relaxed changes wait for a server that is away; then they are dropped.
const RELAXED_KEPT_MAX: usize = 200_000;
/// How long relaxed changes wait once the server could not be reached.
const RETRY_AFTER: Duration = Duration::from_secs(1);

pub(crate) type Answer = oneshot::Sender<Result<Done, CommitError>>;

/// What the queue is told.
pub(crate) enum Order {
    Commit(Batch, Answer),
    /// Send what waits and say when all is answered.
    Close(oneshot::Sender<()>),
}

/// The far end of the queue.
pub(crate) struct Commits {
    mirror: Arc<Mirror>,
    /// How long relaxed changes are gathered.
    gather: Duration,
    waiting: VecDeque<(Batch, Vec<Answer>)>,
    busy: BTreeSet<AnyKey>,
    under_way: JoinSet<Finished>,
    relaxed: BTreeMap<AnyKey, Change>,
    relaxed_answers: Vec<Answer>,
    flush_at: Option<Instant>,
}

struct Finished {
    keys: Vec<AnyKey>,
    /// Relaxed changes that the server did not get.
    unsent: Vec<Change>,
}

impl Commits {
    pub(crate) fn new(mirror: Arc<Mirror>) -> Self {
        let gather = match mirror.calls.peer {
            Peer::Served => Duration::from_millis(20),
            Peer::Etcd => Duration::from_millis(500),
        };
        Self {
            mirror,
            gather,
            waiting: VecDeque::new(),
            busy: BTreeSet::new(),
            under_way: JoinSet::new(),
            relaxed: BTreeMap::new(),
            relaxed_answers: Vec::new(),
            flush_at: None,
        }
    }

    /// Works until the near end of the queue is gone or closes it.
    pub(crate) async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        let mut closed = None;
        loop {
            let flush_at = self.flush_at.unwrap_or_else(Instant::now);
            tokio::select! {
                order = orders.recv() => match order {
                    Some(Order::Commit(batch, answer)) => self.take(batch, answer),
                    Some(Order::Close(done)) => {
                        closed = Some(done);
                        break;
                    }
                    None => break,
                },
                Some(finished) = self.under_way.join_next() => self.finish(finished),
                () = tokio::time::sleep_until(flush_at), if self.flush_at.is_some() => self.flush(),
            }
            self.send();
        }
        self.flush();
        self.send();
        while let Some(finished) = self.under_way.join_next().await {
            self.finish(finished);
            self.send();
        }
        if let Some(closed) = closed {
            // Whoever asked may have gone.
            let _ = closed.send(());
        }
    }

    fn take(&mut self, batch: Batch, answer: Answer) {
        if batch.class == Class::Relaxed && batch.compares.is_empty() {
            for change in batch.changes {
                self.relaxed.insert(change.key(), change);
            }
            self.relaxed_answers.push(answer);
            self.flush_at.get_or_insert_with(|| Instant::now() + self.gather);
            if self.relaxed.len() >= RELAXED_MAX {
                self.flush();
            }
            return;
        }
        if keys(&batch).any(|key| self.relaxed.contains_key(&key)) {
            self.flush();
        }
        self.waiting.push_back((batch, vec![answer]));
    }

    /// Queues the relaxed changes that were gathered.
    fn flush(&mut self) {
        self.flush_at = None;
        let mut answers = std::mem::take(&mut self.relaxed_answers);
        let most = match self.mirror.calls.peer {
            Peer::Served => RELAXED_MAX,
            Peer::Etcd => ETCD_OPERATIONS_MAX,
        };
        let mut changes = std::mem::take(&mut self.relaxed).into_values().peekable();
        while changes.peek().is_some() {
            let changes_of_one = changes.by_ref().take(most).collect();
            let batch =
                Batch { class: Class::Relaxed, compares: Vec::new(), changes: changes_of_one };
            // All are answered when the last is done.
            let last = changes.peek().is_none();
            let answers = if last { std::mem::take(&mut answers) } else { Vec::new() };
            self.waiting.push_back((batch, answers));
        }
    }

    /// Sends from the front of the queue what shares no row with what is under way.
    fn send(&mut self) {
        while self.under_way.len() < UNDER_WAY_MAX
            && let Some((batch, _)) = self.waiting.front()
            && !keys(batch).any(|key| self.busy.contains(&key))
            && let Some((batch, answers)) = self.waiting.pop_front()
        {
            let keys: Vec<_> = keys(&batch).collect();
            self.busy.extend(keys.iter().cloned());
            let mirror = Arc::clone(&self.mirror);
            self.under_way.spawn(deliver(mirror, batch, answers, keys));
        }
    }

    fn finish(&mut self, finished: Result<Finished, tokio::task::JoinError>) {
        let Ok(finished) = finished else { return };
        for key in &finished.keys {
            self.busy.remove(key);
        }
        if finished.unsent.is_empty() {
            return;
        }
        if self.relaxed.len() + finished.unsent.len() > RELAXED_KEPT_MAX {
            tracing::warn!(rows = finished.unsent.len(), "relaxed changes are dropped");
            return;
        }
        for change in finished.unsent {
            // What came after it is newer.
            self.relaxed.entry(change.key()).or_insert(change);
        }
        self.flush_at = Some(Instant::now() + RETRY_AFTER);
    }
}

async fn deliver(
    mirror: Arc<Mirror>,
    batch: Batch,
    answers: Vec<Answer>,
    keys: Vec<AnyKey>,
) -> Finished {
    let is_large = mirror.calls.peer == Peer::Etcd
        && batch.class == Class::Durable
        && batch.changes.len().max(batch.compares.len()) > ETCD_OPERATIONS_MAX;
    let done = if is_large {
        large::commit(&mirror, &batch).await
    } else {
        mirror.calls.commit(&batch).await
    };
    mirror.committed(&done);
    let is_away = matches!(done, Err(CommitError::Unreachable(_)));
    for answer in answers {
        // Nobody waits for `commit_soon`.
        let _ = answer.send(done.clone());
    }
    let unsent = if is_away && batch.class == Class::Relaxed && batch.compares.is_empty() {
        batch.changes
    } else {
        Vec::new()
    };
    Finished { keys, unsent }
}

fn keys(batch: &Batch) -> impl Iterator<Item = AnyKey> + '_ {
    let compared = batch.compares.iter().map(|compare| compare.key.clone());
    batch.changes.iter().map(Change::key).chain(compared)
}
