//! Leases: rows that end with whoever keeps them alive.
//!
//! They live as long as the process that serves; a client that is gone when it
//! starts again cannot keep anything alive, and makes a new lease when it is back.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tonic::Status;

use crate::{AnyKey, Batch, Change, CommitError, Compare, Expect, Revision, Store};

/// How many leases there may be.
const LEASES_MAX: usize = 10_000;
/// The longest time to live, in seconds; etcd's.
const SECONDS_MAX: i64 = 9_000_000_000;

/// All leases of a server.
#[derive(Default)]
pub(crate) struct Leases {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    leases: BTreeMap<i64, Lease>,
    /// The lease of each key, and the write that attached it: a later one detaches it.
    attached: BTreeMap<AnyKey, (i64, Revision)>,
}

struct Lease {
    granted: i64,
    deadline: Instant,
}

/// What is known of a lease.
pub(crate) struct TimeToLive {
    pub(crate) left: i64,
    pub(crate) granted: i64,
    pub(crate) keys: Vec<String>,
}

fn not_found() -> Status {
    Status::not_found("etcdserver: requested lease not found")
}

impl Leases {
    /// Makes a lease of `seconds`; `id` 0 lets the server choose.
    pub(crate) fn grant(&self, id: i64, seconds: i64) -> Result<(i64, i64), Status> {
        if seconds > SECONDS_MAX {
            return Err(Status::out_of_range("etcdserver: too large lease TTL"));
        }
        let seconds = seconds.max(1);
        let mut state = self.lock();
        if state.leases.len() >= LEASES_MAX {
            return Err(Status::resource_exhausted(format!("there are {LEASES_MAX} leases")));
        }
        let id = if id == 0 { free_id(&state)? } else { id };
        if state.leases.contains_key(&id) {
            return Err(Status::failed_precondition("etcdserver: lease already exists"));
        }
        let lease = Lease { granted: seconds, deadline: deadline(seconds) };
        state.leases.insert(id, lease);
        drop(state);
        self.changed.notify_one();
        Ok((id, seconds))
    }

    /// Starts the time of a lease anew; `None` if there is no such lease.
    pub(crate) fn keep_alive(&self, id: i64) -> Option<i64> {
        let mut state = self.lock();
        let lease = state.leases.get_mut(&id)?;
        lease.deadline = deadline(lease.granted);
        Some(lease.granted)
    }

    pub(crate) fn time_to_live(&self, id: i64, store: &Store) -> Option<TimeToLive> {
        let state = self.lock();
        let lease = state.leases.get(&id)?;
        let left = lease.deadline.saturating_duration_since(Instant::now());
        let left = i64::try_from(left.as_secs()).unwrap_or(i64::MAX);
        let keys = state.keys(id, store);
        let keys = keys.into_iter().map(|(key, _)| key.path()).collect();
        Some(TimeToLive { left, granted: lease.granted, keys })
    }

    pub(crate) fn ids(&self) -> Vec<i64> {
        self.lock().leases.keys().copied().collect()
    }

    pub(crate) fn check(&self, id: i64) -> Result<(), Status> {
        if self.lock().leases.contains_key(&id) { Ok(()) } else { Err(not_found()) }
    }

    /// The lease that ends the row of `key` as written at `modified`.
    pub(crate) fn of(&self, key: &AnyKey, modified: Revision) -> Option<i64> {
        let state = self.lock();
        let (id, at) = state.attached.get(key)?;
        (*at == modified).then_some(*id)
    }

    /// Ties the row of `key`, written at `revision`, to a lease; 0 unties it.
    pub(crate) fn attach(&self, key: AnyKey, id: i64, revision: Revision) {
        let mut state = self.lock();
        if state.leases.contains_key(&id) {
            state.attached.insert(key, (id, revision));
        } else {
            state.attached.remove(&key);
        }
    }

    /// The rows that end with the lease.
    pub(crate) fn keys(&self, id: i64, store: &Store) -> Result<Vec<AnyKey>, Status> {
        self.check(id)?;
        Ok(self.lock().keys(id, store).into_iter().map(|(key, _)| key).collect())
    }

    /// Ends a lease and deletes its rows.
    pub(crate) async fn revoke(&self, id: i64, store: &Store) -> Result<(), Status> {
        self.check(id)?;
        self.delete_rows(id, store).await.map_err(super::status::from_commit)?;
        let mut state = self.lock();
        state.leases.remove(&id);
        state.attached.retain(|_, (other, _)| *other != id);
        Ok(())
    }

    /// Ends leases as their time comes; never returns.
    pub(crate) async fn run(&self, store: &Store) {
        loop {
            let next = self.lock().leases.values().map(|lease| lease.deadline).min();
            let wait = next.map_or(Duration::from_secs(3600), |deadline| {
                deadline.saturating_duration_since(Instant::now())
            });
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.changed.notified() => continue,
            }
            for id in self.expired() {
                if let Err(status) = self.revoke(id, store).await {
                    tracing::warn!(id, %status, "a lease has ended but its rows cannot be deleted");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    fn expired(&self) -> Vec<i64> {
        let now = Instant::now();
        let state = self.lock();
        let expired = state.leases.iter().filter(|(_, lease)| lease.deadline <= now);
        expired.map(|(id, _)| *id).collect()
    }

    /// Deletes the rows that are still as the lease's holder wrote them.
    async fn delete_rows(&self, id: i64, store: &Store) -> Result<(), CommitError> {
        loop {
            let mut batch = Batch::default();
            for (key, at) in self.lock().keys(id, store) {
                batch.compares.push(Compare { key: key.clone(), expect: Expect::Modified(at) });
                batch.changes.push(Change::Delete(key));
            }
            if batch.is_empty() {
                return Ok(());
            }
            let seen = store.snapshot().revision;
            match store.commit(batch).await {
                Err(CommitError::Refused(_)) => super::kv::changed_since(store, seen).await,
                done => return done.map(drop),
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn keys(&self, id: i64, store: &Store) -> Vec<(AnyKey, Revision)> {
        let snapshot = store.snapshot();
        let attached = self.attached.iter().filter(|(_, (other, _))| *other == id);
        let keys = attached.filter(|(key, (_, at))| snapshot.tables.modified(key) == Some(*at));
        keys.map(|(key, (_, at))| (key.clone(), *at)).collect()
    }
}

fn deadline(seconds: i64) -> Instant {
    let now = Instant::now();
    let time = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    // Far more than any machine runs.
    now.checked_add(time).unwrap_or_else(|| now + Duration::from_secs(u64::from(u32::MAX)))
}

fn free_id(state: &State) -> Result<i64, Status> {
    loop {
        let mut octets = [0; 8];
        getrandom::fill(&mut octets).map_err(|error| Status::internal(error.to_string()))?;
        let id = i64::from_be_bytes(octets) & i64::MAX;
        if id != 0 && !state.leases.contains_key(&id) {
            return Ok(id);
        }
    }
}
