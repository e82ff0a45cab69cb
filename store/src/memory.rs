//! The engine that keeps nothing when the process ends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use zeroize::Zeroizing;

use crate::engine::{Boxed, Engine};
use crate::published::Published;
use crate::{Batch, CommitError, Event, Health, Revision, Snapshot};

/// Applies every commit at once, in the calling thread.
pub(crate) struct Memory {
    state: Mutex<State>,
    published: Arc<Published>,
}

#[derive(Default)]
struct State {
    snapshot: Snapshot,
    secrets: BTreeMap<String, Zeroizing<Vec<u8>>>,
    closed: bool,
}

impl Default for Memory {
    fn default() -> Self {
        let state = State::default();
        // If there is no randomness, two of these cannot be told apart; nothing else is lost.
        let lineage = crate::journal::mark::new_lineage().unwrap_or_default();
        let published = Published::new(state.snapshot.clone(), lineage);
        Self { state: Mutex::new(state), published }
    }
}

impl Memory {
    fn commit_now(&self, batch: &Batch) -> Result<Revision, CommitError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return Err(CommitError::Closed);
        }
        if let Some(compare) = state.snapshot.tables.refuses(batch) {
            return Err(CommitError::Refused(Box::new(compare.clone())));
        }
        if batch.is_empty() {
            return Ok(state.snapshot.revision);
        }
        let revision = state.snapshot.revision.next();
        let event = state.snapshot.tables.apply(batch, revision);
        state.snapshot.revision = revision;
        // Published under the lock, so that revisions appear in order.
        self.published.publish(state.snapshot.clone(), [event]);
        Ok(revision)
    }

    fn put_secret_now(
        &self,
        path: &str,
        octets: Option<Zeroizing<Vec<u8>>>,
    ) -> Result<Revision, CommitError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return Err(CommitError::Closed);
        }
        match octets {
            Some(octets) => state.secrets.insert(path.to_owned(), octets),
            None => state.secrets.remove(path),
        };
        let revision = state.snapshot.revision.next();
        state.snapshot.revision = revision;
        let event = Event { revision, changes: Arc::default(), stamps: Arc::default() };
        self.published.publish(state.snapshot.clone(), [event]);
        Ok(revision)
    }
}

impl Engine for Memory {
    fn published(&self) -> &Arc<Published> {
        &self.published
    }

    fn commit(&self, batch: Batch) -> Boxed<'static, Result<Revision, CommitError>> {
        let done = self.commit_now(&batch);
        Box::pin(async move { done })
    }

    fn secret(&self, path: &str) -> Boxed<'_, Result<Option<Zeroizing<Vec<u8>>>, CommitError>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let secret = state.secrets.get(path).cloned();
        Box::pin(async move { Ok(secret) })
    }

    fn put_secret(
        &self,
        path: &str,
        octets: Option<Zeroizing<Vec<u8>>>,
    ) -> Boxed<'_, Result<Revision, CommitError>> {
        let done = self.put_secret_now(path, octets);
        Box::pin(async move { done })
    }

    fn health(&self) -> Health {
        let revision = self.published.snapshot().revision;
        Health { engine: "memory", revision, ..Health::default() }
    }

    fn close(&self) -> Boxed<'_, ()> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        Box::pin(async {})
    }
}

#[cfg(test)]
mod tests;
