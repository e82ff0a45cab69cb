//! Commits that SETs wait for: begun by the threads of sockets, carried on where there is a reactor.

use agent::{Action, AssociationSecret, CommitId, Saved};
use store::Batch;
use tokio::task::spawn_local;
use tracing::warn;

use super::Service;

/// Sends an answer to who asked.
pub(super) type Reply = Box<dyn Fn(&[u8]) + Send>;

/// A commit that was asked for, and whom to answer.
pub(super) struct Begun {
    id: CommitId,
    batch: Batch,
    secrets: Vec<AssociationSecret>,
    saved: Option<Box<Saved>>,
    reply: Reply,
}

impl Service {
    /// Hands a commit over; how many there can be, the engine says.
    pub(super) fn begin(
        &self,
        id: CommitId,
        batch: Batch,
        secrets: Vec<AssociationSecret>,
        saved: Option<Box<Saved>>,
        reply: Reply,
    ) {
        let begun = Begun { id, batch, secrets, saved, reply };
        if self.commits.send(begun).is_err() {
            warn!("an SNMP SET is lost: the engine stops");
        }
    }

    /// Makes a commit in a task of the present thread, and answers when it has ended.
    pub(super) fn carry_on(&self, begun: Begun) {
        let service = self.clone();
        let Begun { id, batch, secrets, saved, reply } = begun;
        spawn_local(async move {
            let mut actions = service.commit(id, batch, secrets, saved).await;
            // One that was refused is tried once more, so this ends.
            while !actions.is_empty() {
                let mut next = Vec::new();
                for action in actions {
                    match action {
                        Action::Reply(octets) => reply(&octets),
                        Action::Notify { to, octets } => service.outlet.send(to, &octets),
                        Action::Publish(notification) => service.publish(notification),
                        Action::Commit { id, batch, secrets, saved } => {
                            next.extend(service.commit(id, batch, secrets, saved).await);
                        }
                    }
                }
                actions = next;
            }
        });
    }
}
