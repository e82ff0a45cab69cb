//! Batches on their way to the store, and the actions that wait for them.

use mobility::{Action, CommitId, Output};
use store::{CommitError, Revision, Store};
use tokio::task::JoinSet;

/// What became of one batch.
pub(crate) struct Finished {
    pub(crate) id: CommitId,
    /// To be done if the batch was committed, and only then.
    pub(crate) actions: Vec<Action>,
    pub(crate) result: Result<Revision, CommitError>,
}

/// Commits that were queued and have not ended.
#[derive(Default)]
pub(crate) struct Commits {
    tasks: JoinSet<Finished>,
}

impl Commits {
    /// Queues the batch of `output`, in the order of the calls.
    pub(crate) fn start(&mut self, store: &Store, output: Output) {
        let Output { id, batch, actions } = output;
        let commit = store.commit(batch);
        self.tasks.spawn(async move { Finished { id, actions, result: commit.await } });
    }

    /// The next one that has ended; never returns while there is none.
    pub(crate) async fn next(&mut self) -> Finished {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(finished)) => return finished,
                // A panic in the store: its driver cannot go on either, but others can tell.
                Some(Err(error)) => tracing::error!(%error, "a commit was lost"),
                None => std::future::pending().await,
            }
        }
    }

    /// One that has ended already.
    pub(crate) fn try_next(&mut self) -> Option<Finished> {
        self.tasks.try_join_next()?.ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }
}
