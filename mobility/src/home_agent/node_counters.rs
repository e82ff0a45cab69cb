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
        self.change_counters(identity, at, |row| {
            row.accepted += 1;
            row.last_accepted_at = Some(at);
        });
        self.settle_service_time(identity, at);
    }

    pub(super) fn node_denied(&mut self, identity: &Identity, code: Code, now: Now) {
        self.change_counters(identity, now.stamp(), |row| {
            row.denied += 1;
            row.last_denied_at = Some(now.stamp());
            row.last_denied_code = Some(code);
        });
    }

    /// Starts or stops the service time of a node, as its bindings say.
    pub(super) fn settle_service_time(&mut self, identity: &Identity, at: UtcTime) {
        let is_served = !self.state.bindings(identity).is_empty();
        let row = self.state.node(identity).and_then(|node| node.counters.as_ref());
        let since = row.and_then(|row| row.serving_since);
        if is_served == since.is_some() {
            return;
        }
        self.change_counters(identity, at, |row| {
            row.serving_since = is_served.then_some(at);
            let served = since.map_or(0, |since| at.since(since).as_millis());
            row.served_milliseconds += u64::try_from(served).unwrap_or(0);
        });
    }

    /// The MIB counts service time from the start of the home agent.
    pub(super) fn restart_service_times(&mut self, now: Now) {
        let nodes = self.state.identities();
        let stale = nodes.filter(|(_, node)| {
            let has_time = |row: &Arc<NodeCounters>| {
                row.served_milliseconds != 0 || row.serving_since.is_some()
            };
            node.counters.as_ref().is_some_and(has_time)
        });
        let stale: Vec<Identity> = stale.map(|(identity, _)| identity.clone()).collect();
        let lost = self.config.counters_lost;
        for identity in stale {
            let is_served = !self.state.bindings(&identity).is_empty();
            self.change_counters(&identity, now.stamp(), |row| {
                row.served_milliseconds = 0;
                row.serving_since = is_served.then_some(now.stamp());
                if lost {
                    row.discontinuity_at = now.stamp();
                }
            });
        }
    }

    /// Puts the rows that have changed, as many as go at a time.
    pub(super) fn put_node_counters(&mut self, batch: &mut Batch) {
        for _ in 0..ROWS_AT_ONCE {
            let Some(identity) = self.dirty_nodes.pop_first() else { return };
            let row = self.state.node(&identity).and_then(|node| node.counters.as_ref());
            if let Some(row) = row {
                batch.put::<NodeCounters>(Arc::clone(row));
            }
        }
    }

    fn change_counters(
        &mut self,
        identity: &Identity,
        at: UtcTime,
        change: impl FnOnce(&mut NodeCounters),
    ) {
        let home_agent = self.config.address;
        let row = self.state.entry(identity).counters.get_or_insert_with(|| {
            Arc::new(NodeCounters {
                home_agent,
                identity: identity.clone(),
                accepted: 0,
                denied: 0,
                served_milliseconds: 0,
                serving_since: None,
                last_accepted_at: None,
                last_denied_at: None,
                last_denied_code: None,
                discontinuity_at: at,
                unknown: Unknown::default(),
            })
        });
        // Copies the row if the store has it, and changes it in place if not.
        change(Arc::make_mut(row));
        self.dirty_nodes.insert(identity.clone());
    }
}
