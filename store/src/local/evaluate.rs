//! Deciding a group of commits before it is on the disk.
//!
//! Nothing of the visible tables changes: what the group would make of each row is kept beside
//! them, so that a commit sees those before it. Once the group is synced, its events are applied to
//! the tables themselves, in place where no reader holds them. A failed group is simply dropped.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::SecretsView;
use super::queue::{Commit, Encoded, Queued, Results};
use super::state;
use crate::journal::item::Item;
use crate::journal::record::Header;
use crate::{
    AnyKey, Change, Class, CommitError, Compare, Event, Expect, Revision, Snapshot, Stamp,
};

/// What every record of a group says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// The last revision that is on the disk.
    pub(super) synced: Revision,
    /// What the checksums of records start from.
    pub(super) salt: u64,
}

impl Frame {
    fn header(self, class: Class, revision: Revision) -> Header {
        Header { class, revision, synced: self.synced }
    }
}

/// A group on its way to disk.
pub(super) struct Pending {
    frame: Frame,
    visible: Arc<Snapshot>,
    /// What the group has made of rows; `None` if it deletes them.
    stamps: BTreeMap<AnyKey, Option<Stamp>>,
    pub(super) revision: Revision,
    pub(super) secrets: SecretsView,
    pub(super) records: Vec<u8>,
    pub(super) events: Vec<Event>,
    pub(super) replies: Vec<(oneshot::Sender<Results>, Results)>,
}

impl Pending {
    /// An empty group after what is visible.
    pub(super) fn after(visible: Arc<Snapshot>, secrets: SecretsView, frame: Frame) -> Self {
        Self {
            frame,
            revision: visible.revision,
            visible,
            stamps: BTreeMap::new(),
            secrets,
            records: Vec::new(),
            events: Vec::new(),
            replies: Vec::new(),
        }
    }

    /// Decides commits that were queued together, in their order.
    pub(super) fn take(&mut self, queued: Queued) {
        let durable = queued.is_durable();
        let Queued { commits, reply } = queued;
        let decide = |commit: Result<Commit, CommitError>| match commit? {
            Commit::Batch(encoded) => self.take_batch(encoded),
            Commit::Secret { path, sealed } => Ok(self.take_secret(&path, sealed.as_deref())),
        };
        let results: Results = commits.into_iter().map(decide).collect();
        if durable || results.iter().any(Result::is_err) {
            self.replies.push((reply, results));
        } else {
            // Their places are known, and nobody was promised more.
            drop(reply.send(results));
        }
    }

    /// What is left of it once all is decided; the tables that it was decided on are let go of.
    pub(super) fn release(&mut self) {
        self.visible = Arc::default();
        self.stamps.clear();
    }

    fn take_batch(&mut self, encoded: Encoded) -> Result<Revision, CommitError> {
        let refused = encoded.batch.compares.iter().find(|compare| !self.holds(compare));
        if let Some(compare) = refused {
            return Err(CommitError::Refused(Box::new(compare.clone())));
        }
        if encoded.batch.is_empty() {
            return Ok(self.revision);
        }
        let revision = self.revision.next();
        let Encoded { batch, keys, items, stamps_at } = encoded;
        let (mut changes, mut stamps) =
            (Vec::with_capacity(keys.len()), Vec::with_capacity(keys.len()));
        let mut stamps_of_puts = Vec::with_capacity(stamps_at.len());
        for (change, key) in batch.changes.into_iter().zip(keys) {
            let before = self.stamp(&key);
            let stamp = match &change {
                Change::Put(_) => {
                    let stamp = Stamp {
                        created: before.map_or(revision, |stamp| stamp.created),
                        modified: revision,
                        version: before.map_or(0, |stamp| stamp.version) + 1,
                    };
                    stamps_of_puts.push(stamp);
                    stamp
                }
                // A deletion of what is not there has no effect; the record has it all the same.
                Change::Delete(_) if before.is_none() => continue,
                Change::Delete(_) => Stamp::default(),
            };
            self.stamps.insert(key, matches!(change, Change::Put(_)).then_some(stamp));
            changes.push(change);
            stamps.push(stamp);
        }
        let header = self.frame.header(batch.class, revision);
        header.emit(self.frame.salt, &mut self.records, |out| {
            Encoded::emit(&items, &stamps_at, &stamps_of_puts, out);
        });
        self.revision = revision;
        self.events.push(Event { revision, changes: changes.into(), stamps: stamps.into() });
        Ok(revision)
    }

    fn take_secret(&mut self, path: &str, sealed: Option<&[u8]>) -> Revision {
        let revision = self.revision.next();
        let stamp = state::put_secret(&mut self.secrets, path, sealed, revision);
        self.revision = revision;
        let put = sealed.map(|octets| (stamp, octets));
        let header = self.frame.header(Class::Durable, revision);
        header.emit(self.frame.salt, &mut self.records, |out| Item { path, put }.emit(out));
        self.events.push(Event { revision, changes: Arc::default(), stamps: Arc::default() });
        revision
    }

    /// What is known of a row after the commits before.
    fn stamp(&self, key: &AnyKey) -> Option<Stamp> {
        match self.stamps.get(key) {
            Some(stamp) => *stamp,
            None => self.visible.tables.stamp(key),
        }
    }

    fn holds(&self, compare: &Compare) -> bool {
        let stamp = self.stamp(&compare.key);
        match compare.expect {
            Expect::Absent => stamp.is_none(),
            Expect::Present => stamp.is_some(),
            Expect::Modified(revision) => stamp.is_some_and(|stamp| stamp.modified == revision),
        }
    }
}
