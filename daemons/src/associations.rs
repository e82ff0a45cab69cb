//! Mobility security associations with their keys: from the file to the store, and back.

use std::time::Duration;

use anyhow::Context as _;
use mobility::SecurityAssociation;
use store::{Association, AssociationKey, Key as _, Revision, Store};
use tokio::task::JoinSet;
use wire::SecretKey;

use crate::config::AssociationConfig;
use crate::file_rows;

/// Secrets on their way to the store at a time; those that wait together share a sync.
const SECRETS_AT_ONCE: usize = 1024;

/// Where the key of an association is, below `/mip4-secret/`.
pub(crate) fn secret_path(key: &AssociationKey) -> String {
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
    put_secrets(store, configured).await?;
    let rows: Vec<Association> = configured.iter().map(|one| one.row(instance)).collect();
    let vanished = file_rows::follow(store, instance, &rows).await?;
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
        let path = secret_path(&association.key());
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

/// The association of a row, with its key.
pub(crate) async fn with_key(
    store: &Store,
    row: &Association,
) -> anyhow::Result<SecurityAssociation> {
    let secret = read_key(store, &store::Row::key(row)).await?;
    Ok(association(row, secret))
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
