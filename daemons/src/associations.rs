//! Mobility security associations: from the file to the store, and from the store to the machines.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context as _;
use mobility::SecurityAssociation;
use serde_json::Value;
use store::{
    AnyKey, AnyRow, Association, AssociationKey, Batch, Change, Class, Key as _, Origin, Revision,
    Role, Row as _, Store, WatchEvent, WatchStream,
};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{info, warn};
use wire::SecretKey;

use crate::config::{AssociationConfig, ROLE};

/// The field of a row that says which instance's file it is from: several processes, each with a
/// file of its own, may share a store.
const INSTANCE: &str = "instance";

/// Secrets on their way to the store at a time; those that wait together share a sync.
const SECRETS_AT_ONCE: usize = 1024;

/// Where the key of an association is, below `/mip4-secret/`.
fn secret_path(key: &AssociationKey) -> String {
    format!("associations/{}", key.path())
}

/// Makes the rows that are from the file of `instance` say what `configured` says.
///
/// Rows that the shell or a manager made stay, unless the file names the same association.
pub(crate) async fn follow_file(
    store: &Store,
    instance: &str,
    configured: &[AssociationConfig],
) -> anyhow::Result<()> {
    let snapshot = store.snapshot();
    let rows = snapshot.rows::<Association>();
    put_secrets(store, configured).await?;
    let mut batch = Batch::new(Class::Durable);
    let mut named = BTreeSet::new();
    for association in configured {
        let mut row = association.row();
        row.unknown.0.insert(INSTANCE.to_owned(), Value::from(instance));
        let key = row.key();
        match rows.get(&key) {
            Some(old) if **old == row => {}
            Some(old) if old.origin != Origin::File => {
                warn!(peer = %key.peer, spi = %key.spi, "the file replaces an association of another origin");
                batch.put(row);
            }
            _ => drop(batch.put(row)),
        }
        named.insert(key);
    }
    let is_ours = |row: &Association| {
        let from = row.unknown.0.get(INSTANCE).and_then(Value::as_str);
        row.origin == Origin::File && from.is_none_or(|from| from == instance)
    };
    let vanished: Vec<AssociationKey> = rows
        .iter()
        .filter(|row| is_ours(row))
        .map(|row| row.key())
        .filter(|key| !named.contains(key))
        .collect();
    for key in &vanished {
        batch.delete::<Association>(key.clone());
    }
    let changes = batch.changes.len();
    if changes > 0 {
        store.commit(batch).await.context("failed to write the associations of the file")?;
        info!(configured = configured.len(), changes, "associations of the file are in the store");
    }
    for key in vanished {
        // After the row: a row without its key would be told as an error.
        store.delete_secret(&secret_path(&key)).await.context("failed to forget a key")?;
    }
    Ok(())
}

/// Seals the keys that the store does not have yet.
async fn put_secrets(store: &Store, configured: &[AssociationConfig]) -> anyhow::Result<()> {
    let mut writes = JoinSet::new();
    for association in configured {
        let path = secret_path(&association.row().key());
        let known = store.secret(&path).await.context("failed to read a key")?;
        if known.is_some_and(|known| *known == association.key.expose_octets()) {
            continue;
        }
        while writes.len() >= SECRETS_AT_ONCE {
            finish_one(&mut writes).await?;
        }
        let (store, key) = (store.clone(), association.key.clone());
        writes.spawn(async move { store.put_secret(&path, key.expose_octets()).await });
    }
    while !writes.is_empty() {
        finish_one(&mut writes).await?;
    }
    Ok(())
}

async fn finish_one(
    writes: &mut JoinSet<Result<Revision, store::CommitError>>,
) -> anyhow::Result<()> {
    if let Some(done) = writes.join_next().await {
        done?.context("failed to seal a key")?;
    }
    Ok(())
}

/// The active associations at a revision of the store, with their keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct ActiveAssociations {
    pub(crate) revision: Revision,
    pub(crate) associations: Vec<SecurityAssociation>,
}

/// Follows the associations of the store that belong to agents of that role; ends when nobody listens any more.
pub(crate) async fn follow_store(store: &Store, role: Role) -> watch::Receiver<ActiveAssociations> {
    let mut follower = Follower::load(store, role).await;
    let (sender, receiver) = watch::channel(follower.active());
    // A task of its own: a change that was taken from the stream must not be lost halfway.
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = sender.closed() => return,
                () = follower.changed() => drop(sender.send_replace(follower.active())),
            }
        }
    });
    receiver
}

/// The active associations of the store with their keys, kept up to date.
struct Follower {
    store: Store,
    role: Role,
    watch: WatchStream,
    revision: Revision,
    known: BTreeMap<AssociationKey, SecurityAssociation>,
}

impl Follower {
    async fn load(store: &Store, role: Role) -> Self {
        let snapshot = store.snapshot();
        let mut associations = Self {
            store: store.clone(),
            role,
            watch: store.watch(Some(snapshot.revision.next())),
            revision: snapshot.revision,
            known: BTreeMap::new(),
        };
        for row in snapshot.rows::<Association>().iter() {
            associations.put(row).await;
        }
        associations
    }

    fn active(&self) -> ActiveAssociations {
        let associations = self.known.values().cloned().collect();
        ActiveAssociations { revision: self.revision, associations }
    }

    /// Returns once some association has changed; never, if the store is gone.
    async fn changed(&mut self) {
        loop {
            match self.watch.next().await {
                Some(WatchEvent::Changed(event)) => {
                    self.revision = event.revision;
                    let mut changed = false;
                    for change in event.changes.iter() {
                        changed |= self.apply(change).await;
                    }
                    if changed {
                        return;
                    }
                }
                Some(WatchEvent::Compacted(_)) => {
                    *self = Self::load(&self.store, self.role).await;
                    return;
                }
                None => std::future::pending().await,
            }
        }
    }

    /// Takes one change of the store; says whether it was about an association.
    async fn apply(&mut self, change: &Change) -> bool {
        match change {
            Change::Put(AnyRow::Association(row)) => self.put(row).await,
            Change::Delete(AnyKey::Association(key)) => drop(self.known.remove(key)),
            Change::Put(_) | Change::Delete(_) => return false,
        }
        true
    }

    async fn put(&mut self, row: &Association) {
        let key = row.key();
        self.known.remove(&key);
        if !row.active || role_of(row) != self.role.as_str() {
            return;
        }
        match read_key(&self.store, &key).await {
            Ok(secret) => drop(self.known.insert(key, association(row, secret))),
            Err(error) => {
                warn!(peer = %key.peer, spi = %key.spi, "association not in use: {error:#}");
            }
        }
    }
}

/// Which agent an association belongs to.
fn role_of(row: &Association) -> &str {
    row.unknown.0.get(ROLE).and_then(Value::as_str).unwrap_or(Role::HomeAgent.as_str())
}

async fn read_key(store: &Store, key: &AssociationKey) -> anyhow::Result<SecretKey> {
    let sealed = store.secret(&secret_path(key)).await.context("its key is unreadable")?;
    let octets = sealed.context("it has no key")?;
    SecretKey::from_octets(&octets).context("its key is wrong")
}

fn association(row: &Association, key: SecretKey) -> SecurityAssociation {
    SecurityAssociation {
        peer: row.peer.clone(),
        spi: row.spi,
        algorithm: row.algorithm,
        key,
        replay: row.replay,
        tolerance: Duration::from_secs(row.tolerance.into()),
    }
}
