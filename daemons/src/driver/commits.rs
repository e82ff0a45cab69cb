//! Batches on their way to the store, and the actions that wait for them.
//!
//! What the datagrams of one turn want is queued together, and its results come
//! together: one task and two wake-ups a turn instead of a commit.

use std::collections::BTreeSet;

use mobility::{Action, CommitId, Output};
use store::{CommitError, Revision, Store};
use tokio::task::{JoinError, JoinSet};

/// What became of one batch.
pub(crate) struct Finished {
    pub(crate) id: CommitId,
    /// To be done if the batch was committed, and only then.
    pub(crate) actions: Vec<Action>,
    pub(crate) result: Result<Revision, CommitError>,
}

/// Commits that have not ended.
#[derive(Default)]
pub(crate) struct Commits {
    /// Those that [`Self::queue`] will hand to the store, in order.
    gathered: Vec<Output>,
    tasks: JoinSet<Vec<Finished>>,
    /// Those of them that were due, and nobody waits for.
    due: BTreeSet<CommitId>,
}

impl Commits {
    /// Adds the batch of `output` to those that are to be queued.
    pub(crate) fn gather(&mut self, output: Output) {
        self.gathered.push(output);
    }

    /// The batch with this id is one that no datagram asked for.
    pub(crate) fn note_due(&mut self, id: CommitId) {
        self.due.insert(id);
    }

    /// How many of these have not ended.
    pub(crate) fn due(&self) -> usize {
        self.due.len()
    }

    /// Queues what was gathered, in the order in which it was.
    pub(crate) fn queue(&mut self, store: &Store) {
        if self.gathered.is_empty() {
            return;
        }
        let mut batches = Vec::with_capacity(self.gathered.len());
        let mut waiting = Vec::with_capacity(self.gathered.len());
        for Output { id, batch, actions } in self.gathered.drain(..) {
            batches.push(batch);
            waiting.push((id, actions));
        }
        let commits = store.commit_all(batches);
        self.tasks.spawn(async move {
            let ended = waiting.into_iter().zip(commits.await);
            ended.map(|((id, actions), result)| Finished { id, actions, result }).collect()
        });
    }

    /// The next ones that have ended; never returns while there are none.
    pub(crate) async fn next(&mut self) -> Vec<Finished> {
        loop {
            let Some(ended) = self.tasks.join_next().await else { std::future::pending().await };
            if let Some(finished) = self.ended(ended) {
                return finished;
            }
        }
    }

    /// Some that have ended already.
    pub(crate) fn try_next(&mut self) -> Option<Vec<Finished>> {
        let ended = self.tasks.try_join_next()?;
        self.ended(ended)
    }

    fn ended(&mut self, ended: Result<Vec<Finished>, JoinError>) -> Option<Vec<Finished>> {
        match ended {
            Ok(finished) => {
                for one in &finished {
                    self.due.remove(&one.id);
                }
                Some(finished)
            }
            Err(error) => {
                // A panic in the store: its driver cannot go on either, but others can tell. Which
                // commits those were is not known, and what is due must not wait for them.
                tracing::error!(%error, "a commit was lost");
                self.due.clear();
                None
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.gathered.is_empty() && self.tasks.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use store::{Batch, Class};

    use super::*;

    #[tokio::test]
    async fn what_is_due_counts_until_it_has_ended() {
        let store = Store::in_memory();
        let output = |id| {
            let batch = Batch::new(Class::Durable);
            Output { id: CommitId(id), batch, actions: Vec::new() }
        };
        let mut commits = Commits::default();
        commits.gather(output(1));
        for id in [2, 3] {
            commits.note_due(CommitId(id));
            commits.gather(output(id));
            if id == 2 {
                commits.queue(&store);
            }
        }
        assert_eq!(commits.due(), 2);
        let first: Vec<_> = commits.next().await.iter().map(|one| one.id.0).collect();
        assert_eq!((first, commits.due()), (vec![1, 2], 1));
        commits.queue(&store);
        while commits.due() > 0 {
            commits.next().await;
        }
        assert!(commits.is_empty());
    }
}
