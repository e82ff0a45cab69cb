//! Rows of configuration that come from the file, and those that do not outlive their owner.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail};
use store::{
    Association, Author, Batch, CareOfAddress, Change, CommitError, Configuration, Instance,
    InstanceState, Key, Origin, Owner, Proposal, Regional, Row, Setting, Snapshot, StorageType,
    Store, UtcTime, audit,
};
use tracing::{info, warn};

use crate::clock::utc;

/// How often a change is worked out again because somebody else was faster.
const ATTEMPTS_MAX: u32 = 10;
/// How many rows go to a cluster at once.
const CLUSTER_CHANGES_MAX: usize = 100;

/// Makes the rows that are from the file of `instance` say what `wanted` says; returns the keys of
/// those that the file names no more.
///
/// Rows that the shell or a manager made stay, unless the file names the same row.
pub(crate) async fn follow<R>(
    store: &Store,
    instance: &str,
    wanted: &[R],
) -> anyhow::Result<Vec<R::Key>>
where
    R: Row + Configuration + PartialEq,
{
    let table = R::TABLE.name();
    for _ in 0..ATTEMPTS_MAX {
        let snapshot = store.snapshot();
        let (proposal, vanished) = propose(&snapshot, instance, wanted)?;
        if proposal.is_empty() {
            return Ok(vanished);
        }
        let batch = proposal.prepare().batch;
        let changes = batch.changes.len();
        let mut batch = batch;
        audit(&snapshot, &mut batch, &Author::own_user(Origin::File, instance), utc());
        match commit(store, batch).await {
            Ok(()) => {
                info!(table, configured = wanted.len(), changes, "the store follows the file");
                return Ok(vanished);
            }
            Err(CommitError::Refused(_)) => {}
            Err(error) => {
                return Err(error).with_context(|| format!("failed to write {table} of the file"));
            }
        }
    }
    bail!("{table} of the file change too fast in the store");
}

/// Commits `batch` whole, but on a cluster, which takes 128 operations at once, in parts: one row
/// of a file does not depend on another, and what a crash leaves undone the next start does.
async fn commit(store: &Store, batch: Batch) -> Result<(), CommitError> {
    if batch.changes.len() <= CLUSTER_CHANGES_MAX || store.health().engine != "etcd" {
        return store.commit(batch).await.map(drop);
    }
    for changes in batch.changes.chunks(CLUSTER_CHANGES_MAX) {
        let keys: BTreeSet<_> = changes.iter().map(Change::key).collect();
        let compares = batch.compares.iter().filter(|compare| keys.contains(&compare.key));
        let compares = compares.cloned().collect();
        store.commit(Batch { class: batch.class, compares, changes: changes.to_vec() }).await?;
    }
    Ok(())
}

/// The change that is needed, and the keys of rows that the file names no more.
fn propose<'s, R>(
    snapshot: &'s Snapshot,
    instance: &str,
    wanted: &[R],
) -> anyhow::Result<(Proposal<'s>, Vec<R::Key>)>
where
    R: Row + Configuration + PartialEq,
{
    let rows = snapshot.rows::<R>();
    let mut proposal = Proposal::new(snapshot, Origin::File);
    let mut named = BTreeSet::new();
    for row in wanted {
        let key = row.key();
        match rows.get(&key) {
            Some(old) if **old == *row => {}
            Some(old) if old.origin() != Origin::File => {
                warn!(key = key.path(), "the file replaces a row of another origin");
                proposal.put(row.clone())?;
            }
            _ => proposal.put(row.clone())?,
        }
        named.insert(key);
    }
    let is_ours =
        |row: &R| row.origin() == Origin::File && row.file_of().is_none_or(|from| from == instance);
    let vanished: Vec<R::Key> = rows
        .iter()
        .filter(|row| is_ours(row))
        .map(|row| row.key())
        .filter(|key| !named.contains(key))
        .collect();
    for key in &vanished {
        proposal.delete::<R>(key)?;
    }
    Ok((proposal, vanished))
}

/// Ends the volatile rows that `instance` acts on: it starts, and they do not outlive that
/// (RFC 2579, `StorageType`).
///
/// What several daemons of a role act on stays while another of them is up.
pub(crate) async fn end_volatile(
    store: &Store,
    instance: &Instance,
    now: UtcTime,
) -> anyhow::Result<()> {
    let snapshot = store.snapshot();
    let mut proposal = Proposal::new(&snapshot, Origin::File);
    let ends = |row: &dyn Configuration| {
        row.storage() == StorageType::Volatile && owns(instance, &row.owner(), &snapshot, now)
    };
    let mut ended = 0;
    for row in snapshot.rows::<CareOfAddress>().iter().filter(|row| ends(&***row)) {
        ended += u32::from(proposal.delete::<CareOfAddress>(&row.key())?);
    }
    for row in snapshot.rows::<Setting>().iter().filter(|row| ends(&***row)) {
        ended += u32::from(proposal.delete::<Setting>(&row.key())?);
    }
    for row in snapshot.rows::<Regional>().iter().filter(|row| ends(&***row)) {
        ended += u32::from(proposal.delete::<Regional>(&row.key())?);
    }
    let mut keys = Vec::new();
    for row in snapshot.rows::<Association>().iter().filter(|row| ends(&***row)) {
        ended += u32::from(proposal.delete::<Association>(&row.key())?);
        keys.push(row.key());
    }
    if ended == 0 {
        return Ok(());
    }
    let mut batch = proposal.prepare().batch;
    audit(&snapshot, &mut batch, &Author::own_user(Origin::File, &instance.name), now);
    store.commit(batch).await.context("failed to end volatile rows")?;
    info!(rows = ended, "volatile rows of the last run are gone");
    for key in keys {
        let path = crate::associations::secret_path(&key);
        store.delete_secret(&path).await.context("failed to forget a key")?;
    }
    Ok(())
}

fn owns(instance: &Instance, owner: &Owner, snapshot: &Snapshot, now: UtcTime) -> bool {
    match owner {
        Owner::Instance(name) => *name == instance.name,
        Owner::Address(role, address) => {
            instance.roles.contains(role) && instance.addresses.contains(address)
        }
        Owner::Role(role) => {
            let others = snapshot.rows::<Instance>().iter();
            let mut others = others.filter(|other| {
                other.name != instance.name
                    && other.roles.contains(role)
                    && other.state != InstanceState::Gone
                    && !other.is_silent(now)
            });
            instance.roles.contains(role) && others.next().is_none()
        }
    }
}
