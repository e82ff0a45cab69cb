//! Makes a change of configuration that a manager asked for, and waits until it is acted on.

use std::time::Duration;

use agent::{AssociationSecret, CommitOutcome};
use store::{AnyKey, Association, AssociationKey, Batch, Change, CommitError, Prepared, Store};
use tracing::warn;

use crate::associations::secret_path;

/// How long the daemons may take to act on a change. Managers wait for a few
/// seconds, and what they send again meanwhile is not taken twice.
const PATIENCE: Duration = Duration::from_secs(5);

/// Seals the secrets, commits the batch, waits until every daemon that it concerns acts on it,
/// and forgets the keys of associations that are gone.
pub(crate) async fn change(
    store: &Store,
    batch: Batch,
    secrets: Vec<AssociationSecret>,
) -> CommitOutcome {
    let Prepared { batch, concerns } = Prepared::of(batch, &store.snapshot());
    let ended: Vec<AssociationKey> = batch.changes.iter().filter_map(ended).collect();
    // Before the row: whoever sees it can read its key.
    for AssociationSecret { association, octets } in secrets {
        if let Err(error) = store.put_secret(&secret_path(&association), &octets).await {
            warn!(%error, "failed to seal the key of an association");
            return CommitOutcome::Failed;
        }
    }
    let revision = match store.commit(batch).await {
        Ok(revision) => revision,
        Err(CommitError::Refused(_)) => return CommitOutcome::Refused,
        Err(error) => {
            warn!(%error, "failed to commit an SNMP SET");
            return CommitOutcome::Failed;
        }
    };
    for key in ended {
        if store.snapshot().rows::<Association>().get(&key).is_none()
            && let Err(error) = store.delete_secret(&secret_path(&key)).await
        {
            warn!(%error, "failed to forget the key of an association");
        }
    }
    let application = store.applied(&concerns, revision, PATIENCE).await;
    for (instance, why) in &application.failed {
        warn!(instance, why, "a change by SNMP is not acted on");
    }
    for instance in &application.waiting {
        warn!(instance, "a change by SNMP is not acted on in time");
    }
    if application.failed.is_empty() && application.waiting.is_empty() {
        CommitOutcome::Done
    } else {
        CommitOutcome::Failed
    }
}

/// The association that a change ends.
fn ended(change: &Change) -> Option<AssociationKey> {
    match change {
        Change::Delete(AnyKey::Association(key)) => Some(key.clone()),
        Change::Put(_) | Change::Delete(_) => None,
    }
}
