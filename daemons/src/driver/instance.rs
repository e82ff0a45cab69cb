//! Keeps the instance row of this process alive.

use std::time::Duration;

use store::{Batch, Class, Instance, InstanceState, Snapshot, Store};
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use super::Shutdown;
use crate::clock::Clock;

/// Readers call an instance stale after three of these.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Whether the instance called `name` may have lost relaxed writes: it was there, and did not end in order.
pub(crate) fn ended_badly(snapshot: &Snapshot, name: &str) -> bool {
    let last = snapshot.rows::<Instance>().get(&name.to_owned());
    last.is_some_and(|last| last.state != InstanceState::Gone)
}

/// The instance row of this process, and what keeps it true.
pub(crate) struct Heartbeat {
    store: Store,
    clock: Clock,
    row: Instance,
}

impl Heartbeat {
    pub(crate) fn new(store: Store, clock: Clock, row: Instance) -> Self {
        Self { store, clock, row }
    }

    /// Says that the instance is in `state`, durably.
    pub(crate) async fn announce(&mut self, state: InstanceState) {
        self.row.state = state;
        let batch = self.batch(Class::Durable);
        if let Err(error) = self.store.commit(batch).await {
            warn!(%error, ?state, "failed to say how this instance is");
        }
    }

    /// Beats until it is told to stop, then says goodbye.
    pub(crate) async fn run(mut self, mut shutdown: Shutdown) {
        let mut beat = interval(HEARTBEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = shutdown.requested() => break,
                _ = beat.tick() => {
                    let batch = self.batch(Class::Relaxed);
                    self.store.commit_soon(batch);
                }
            }
        }
        self.announce(InstanceState::Gone).await;
    }

    fn batch(&mut self, class: Class) -> Batch {
        let now = self.clock.now();
        self.row.heartbeat_at = now.stamp();
        self.row.clock_step = now.clock_step;
        let mut batch = Batch::new(class);
        batch.put(self.row.clone());
        batch
    }
}
