//! `haRegCounterTable`: what is counted for each mobile node.
//!
//! Only nodes that have an association get here, so that a flood of made-up
//! identities makes no rows.

use std::sync::Arc;

use store::{Batch, Identity, NodeCounters, Now, Unknown, UtcTime};
use wire::Code;

use super::HomeAgent;

/// How many rows go to the store at a time; the others wait for the next time.
const ROWS_AT_ONCE: usize = 4096;

impl HomeAgent {
    pub(super) fn node_accepted(&mut self, identity: &Identity, at: UtcTime) {
        self.change_counters(identity, at, |row, is_served| {
            row.accepted += 1;
            row.last_accepted_at = Some(at);
            settle(row, is_served, at);
        });
    }

    pub(super) fn node_denied(&mut self, identity: &Identity, code: Code, now: Now) {
        self.change_counters(identity, now.stamp(), |row, _| {
            row.denied += 1;
            row.last_denied_at = Some(now.stamp());
            row.last_denied_code = Some(code);
        });
    }

    /// Starts or stops the service time of a node, as its bindings say.
    pub(super) fn settle_service_time(&mut self, identity: &Identity, at: UtcTime) {
        let is_settled = self.state.node(identity).is_none_or(|node| {
            let row = node.counters.as_ref();
            node.is_served() == row.is_some_and(|row| row.serving_since.is_some())
        });
        if !is_settled {
            self.change_counters(identity, at, |row, is_served| settle(row, is_served, at));
        }
    }

    /// Puts right what the last run did not get to the store: whether a node is served. Its service
    /// time counts from here on, which [`NodeCounters::served`] sees to where nothing is to be put right.
    pub(super) fn settle_service_times(&mut self, now: Now) {
        let wrong = self.state.identities().filter(|(_, node)| {
            let row = node.counters.as_ref();
            row.is_some_and(|row| row.serving_since.is_some() != node.is_served())
        });
        let wrong: Vec<Identity> = wrong.map(|(identity, _)| identity.clone()).collect();
        for identity in wrong {
            self.settle_service_time(&identity, now.stamp());
        }
    }

    /// Puts the rows that have changed, as many as go at a time.
    pub(super) fn put_node_counters(&mut self, batch: &mut Batch) {
        for _ in 0..ROWS_AT_ONCE {
            let Some(identity) = self.dirty_nodes.pop_first() else { return };
            let node = self.state.entry(&identity);
            node.is_dirty = false;
            if let Some(row) = &node.counters {
                batch.put::<NodeCounters>(Arc::clone(row));
            }
        }
    }

    fn change_counters(
        &mut self,
        identity: &Identity,
        at: UtcTime,
        change: impl FnOnce(&mut NodeCounters, bool),
    ) {
        let (home_agent, started_at) = (self.config.address, self.started_at);
        let node = self.state.entry(identity);
        let is_served = node.is_served();
        let row = node.counters.get_or_insert_with(|| {
            Arc::new(NodeCounters {
                home_agent,
                identity: identity.clone(),
                accepted: 0,
                denied: 0,
                served_milliseconds: 0,
                serving_since: None,
                counted_since: started_at,
                last_accepted_at: None,
                last_denied_at: None,
                last_denied_code: None,
                discontinuity_at: at,
                unknown: Unknown::default(),
            })
        });
        // Copies the row if the store has it, and changes it in place if not.
        let row = Arc::make_mut(row);
        if row.counted_since < started_at {
            row.counted_since = started_at;
            row.served_milliseconds = 0;
            row.serving_since = row.serving_since.map(|since| since.max(started_at));
        }
        change(row, is_served);
        if !std::mem::replace(&mut node.is_dirty, true) {
            self.dirty_nodes.insert(identity.clone());
        }
    }
}

/// Starts or stops the service time of a node that is served from `at` on, or not any more.
fn settle(row: &mut NodeCounters, is_served: bool, at: UtcTime) {
    if is_served == row.serving_since.is_some() {
        return;
    }
    let since = row.serving_since.replace(at);
    let served = since.map_or(0, |since| at.since(since).as_millis());
    row.served_milliseconds += u64::try_from(served).unwrap_or(0);
    if !is_served {
        row.serving_since = None;
    }
}
