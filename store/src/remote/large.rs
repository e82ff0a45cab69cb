//! Commits to a cluster of more operations than it takes at once (128): whole or not at all.
//!
//! ```text
//!  /mip4-staged/<id>/<n>   the changes, many in a value; nobody looks at them yet
//!          │ one transaction: nothing in the tables concerned has changed since the compares
//!          ▼               were checked, and /mip4-switched/<id> is written
//!  /mip4-switched/<id>     from here on the commit is made
//!          │ fold: transactions of 128 that put the rows where they belong, unless they were
//!          ▼ written since
//!  /mip4/<table>/<key>
//! ```
//!
//! Who dies before the switch leaves a stage that is swept; who dies after it leaves a commit that
//! the next process that opens the store folds before it reads anything. Readers see the rows of a
//! large commit arrive within the time that folding takes, not at one revision.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tonic::Status;

use super::calls::{Calls, Condition, Done, ETCD_OPERATIONS_MAX, Write};
use super::mirror::Mirror;
use crate::served::generated::mvccpb::KeyValue;
use crate::served::span::prefix;
use crate::served::status::{to_commit, unsigned};
use crate::{AnyKey, Batch, Change, CommitError, Compare, Expect, Revision, Table};

const STAGED: &str = "/mip4-staged/";
const SWITCHED: &str = "/mip4-switched/";
/// A value is full when it has grown to this; a cluster takes 1.5 MiB.
const STAGE_OCTETS: usize = 256 << 10;
/// How long a stage may lie there without a switch.
const ABANDONED_AFTER: Duration = Duration::from_secs(600);

/// One change as it is staged.
#[derive(Debug, Deserialize, Serialize)]
struct Staged {
    key: String,
    /// The stored form of the row; `None` deletes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    row: Option<Box<serde_json::value::RawValue>>,
}

/// Makes a commit that is too large for one transaction.
pub(crate) async fn commit(mirror: &Mirror, batch: &Batch) -> Result<Done, CommitError> {
    let calls = &mirror.calls;
    let snapshot = mirror.published.snapshot();
    if let Some(compare) = snapshot.tables.refuses(batch) {
        return Err(CommitError::Refused(Box::new(compare.clone())));
    }
    let id = new_id()?;
    let stages = stages(batch)?;
    let failed = |status: Status| to_commit(&status);
    for (number, stage) in stages.into_iter().enumerate() {
        calls.put(&format!("{STAGED}{id}/{number:08}"), stage).await.map_err(failed)?;
    }
    let Some(at) = switch(calls, &id, batch, snapshot.revision).await.map_err(failed)? else {
        sweep_stage(calls, &id).await.map_err(failed)?;
        return Err(CommitError::Refused(Box::new(faster(batch)?)));
    };
    let revision = fold(calls, &id, at).await.map_err(failed)?;
    Ok(Done { revision, effective: true })
}

/// What to name if somebody was faster: the tables as a whole were compared, so any row will do.
fn faster(batch: &Batch) -> Result<Compare, CommitError> {
    let named = batch.compares.first().cloned();
    let key = batch.changes.first().map(key_of);
    named
        .or_else(|| key.map(|key| Compare { key, expect: Expect::Present }))
        .ok_or_else(|| CommitError::Invalid("nothing to commit".to_owned()))
}

/// The changes in few values.
fn stages(batch: &Batch) -> Result<Vec<Vec<u8>>, CommitError> {
    let invalid = |error: serde_json::Error| CommitError::Invalid(error.to_string());
    let mut stages = vec![Vec::new()];
    for change in &batch.changes {
        let key = key_of(change).path();
        let row = match change {
            Change::Put(row) => {
                let text = String::from_utf8(row.encode().map_err(invalid)?)
                    .map_err(|error| CommitError::Invalid(error.to_string()))?;
                Some(serde_json::value::RawValue::from_string(text).map_err(invalid)?)
            }
            Change::Delete(_) => None,
        };
        let line = serde_json::to_vec(&Staged { key, row }).map_err(invalid)?;
        if stages.last().is_some_and(|last| last.len() + line.len() >= STAGE_OCTETS) {
            stages.push(Vec::new());
        }
        if let Some(last) = stages.last_mut() {
            last.extend(line);
            last.push(b'\n');
        }
    }
    Ok(stages)
}

/// Makes the commit, if no row of its tables was written after `base`; tells at which revision.
pub(crate) async fn switch(
    calls: &Calls,
    id: &str,
    batch: &Batch,
    base: Revision,
) -> Result<Option<Revision>, Status> {
    let changed = batch.changes.iter().map(|change| key_of(change).table());
    let compared = batch.compares.iter().map(|compare| compare.key.table());
    let tables: BTreeSet<Table> = changed.chain(compared).collect();
    let unchanged = tables.into_iter().map(|table| Condition::older(&prefix(table), base.next()));
    let marker = Write::Put(format!("{SWITCHED}{id}"), Vec::new());
    calls.write_if(unchanged.collect(), vec![marker]).await
}

/// Puts the rows of a commit that was made at `at` where they belong; returns the last revision.
pub(crate) async fn fold(calls: &Calls, id: &str, at: Revision) -> Result<Revision, Status> {
    let mut last = at;
    for stage in read_all(calls, &format!("{STAGED}{id}/")).await? {
        let writes = parse(&stage)?;
        for writes in writes.chunks(ETCD_OPERATIONS_MAX) {
            // A key may be written once in a transaction, and compared as often as one likes.
            let untouched = |write: &Write| Condition::untouched(write.key(), at);
            let conditions = writes.iter().map(untouched).collect();
            if let Some(revision) = calls.write_if(conditions, writes.to_vec()).await? {
                last = last.max(revision);
                continue;
            }
            for write in writes {
                // Whoever wrote the row since knows better.
                let alone = calls.write_if(vec![untouched(write)], vec![write.clone()]).await?;
                last = last.max(alone.unwrap_or(last));
            }
        }
    }
    let done = vec![
        Write::DeletePrefix(format!("{STAGED}{id}/")),
        Write::DeletePrefix(format!("{SWITCHED}{id}")),
    ];
    calls.write_if(Vec::new(), done).await?;
    Ok(last)
}

/// Folds what others have left behind, and sweeps what they never switched on.
pub(crate) async fn recover(calls: &Calls) -> Result<(), Status> {
    for marker in read_all(calls, SWITCHED).await? {
        let key = String::from_utf8_lossy(&marker.key).into_owned();
        let Some(id) = key.strip_prefix(SWITCHED) else { continue };
        tracing::warn!(id, "finishing a large commit that another process has made");
        fold(calls, id, Revision(unsigned(marker.mod_revision))).await?;
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let ids = read_all(calls, STAGED).await?;
    let ids: BTreeSet<String> = ids.iter().filter_map(|stage| id_of(&stage.key)).collect();
    for id in ids {
        let begun = id.split('-').next().and_then(|text| text.parse().ok()).unwrap_or(0);
        if now.saturating_sub(Duration::from_secs(begun)) > ABANDONED_AFTER {
            sweep_stage(calls, &id).await?;
        }
    }
    Ok(())
}

fn id_of(key: &[u8]) -> Option<String> {
    let rest = std::str::from_utf8(key).ok()?.strip_prefix(STAGED)?;
    rest.split('/').next().map(ToOwned::to_owned)
}

async fn sweep_stage(calls: &Calls, id: &str) -> Result<(), Status> {
    calls.write_if(Vec::new(), vec![Write::DeletePrefix(format!("{STAGED}{id}/"))]).await.map(drop)
}

async fn read_all(calls: &Calls, prefix: &str) -> Result<Vec<KeyValue>, Status> {
    let (mut found, mut start, mut revision) = (Vec::new(), None, Revision::default());
    loop {
        let page = calls.raw_page(prefix, start, revision).await?;
        found.extend(page.rows);
        revision = page.revision;
        start = page.next;
        if start.is_none() {
            return Ok(found);
        }
    }
}

/// The changes of a stage; the last one of each row is what counts.
fn parse(stage: &KeyValue) -> Result<Vec<Write>, Status> {
    let damaged = |error: serde_json::Error| {
        Status::data_loss(format!("{}: {error}", String::from_utf8_lossy(&stage.key)))
    };
    let mut writes: Vec<Write> = Vec::new();
    let mut places = std::collections::BTreeMap::new();
    for line in stage.value.split(|octet| *octet == b'\n').filter(|line| !line.is_empty()) {
        let staged: Staged = serde_json::from_slice(line).map_err(damaged)?;
        let write = match staged.row {
            Some(row) => Write::Put(staged.key.clone(), row.get().as_bytes().to_vec()),
            None => Write::Delete(staged.key.clone()),
        };
        match places.get(&staged.key).and_then(|place: &usize| writes.get_mut(*place)) {
            Some(earlier) => *earlier = write,
            None => {
                places.insert(staged.key, writes.len());
                writes.push(write);
            }
        }
    }
    Ok(writes)
}

fn key_of(change: &Change) -> AnyKey {
    match change {
        Change::Put(row) => row.key(),
        Change::Delete(key) => key.clone(),
    }
}

/// When it was begun, in seconds, and a number that nobody else has.
fn new_id() -> Result<String, CommitError> {
    let mut octets = [0; 8];
    getrandom::fill(&mut octets).map_err(|error| CommitError::Broken(error.to_string()))?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Ok(format!("{}-{:016x}", now.as_secs(), u64::from_be_bytes(octets)))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Stages a commit and, if `switched`, makes it; then the process dies.
    pub(crate) async fn die(mirrored: &Calls, batch: &Batch, base: Revision, switched: bool) {
        let id = new_id().unwrap();
        for (number, stage) in stages(batch).unwrap().into_iter().enumerate() {
            mirrored.put(&format!("{STAGED}{id}/{number:08}"), stage).await.unwrap();
        }
        if switched {
            switch(mirrored, &id, batch, base).await.unwrap().unwrap();
        }
    }

    /// How many values large commits have left behind.
    pub(crate) async fn left_behind(calls: &Calls) -> usize {
        read_all(calls, STAGED).await.unwrap().len()
            + read_all(calls, SWITCHED).await.unwrap().len()
    }
}
