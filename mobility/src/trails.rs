//! The last events of mobile nodes at an agent: a bounded list, for `explain`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use store::{Batch, Identity, NodeKey, Snapshot, Trail, TrailEvent, Unknown};

/// Of how many nodes events are kept; the one that was quiet longest makes room.
const NODES_MAX: usize = 4096;

/// How many rows go to the store at a time.
const ROWS_AT_ONCE: usize = 256;

/// The trails of one agent.
#[derive(Debug)]
pub(crate) struct Trails {
    agent: Ipv4Addr,
    nodes: BTreeMap<Identity, (u64, Trail)>,
    /// Invariant: one entry for each node, by when its last event was.
    by_age: BTreeSet<(u64, Identity)>,
    events: u64,
    changed: BTreeSet<Identity>,
    gone: BTreeSet<Identity>,
}

impl Trails {
    /// Takes over what the agent left in the store.
    pub(crate) fn load(agent: Ipv4Addr, snapshot: &Snapshot) -> Self {
        let mut trails = Self {
            agent,
            nodes: BTreeMap::new(),
            by_age: BTreeSet::new(),
            events: 0,
            changed: BTreeSet::new(),
            gone: BTreeSet::new(),
        };
        for row in snapshot.rows::<Trail>().iter().filter(|row| row.agent == agent) {
            trails.by_age.insert((0, row.identity.clone()));
            trails.nodes.insert(row.identity.clone(), (0, Trail::clone(row)));
        }
        trails
    }

    /// Adds an event; the same one again only counts.
    pub(crate) fn record(&mut self, identity: &Identity, event: TrailEvent) {
        self.events += 1;
        if !self.nodes.contains_key(identity) && self.nodes.len() >= NODES_MAX {
            self.forget_oldest();
        }
        self.gone.remove(identity);
        let agent = self.agent;
        let (age, trail) = self.nodes.entry(identity.clone()).or_insert_with(|| {
            let unknown = Unknown::default();
            (0, Trail { agent, identity: identity.clone(), events: Vec::new(), unknown })
        });
        self.by_age.remove(&(*age, identity.clone()));
        *age = self.events;
        self.by_age.insert((self.events, identity.clone()));
        self.changed.insert(identity.clone());
        match trail.events.last_mut() {
            Some(last) if is_same(last, &event) => {
                *last = TrailEvent { times: last.times + event.times, ..event };
            }
            _ => {
                if trail.events.len() >= Trail::EVENTS_MAX {
                    trail.events.remove(0);
                }
                trail.events.push(event);
            }
        }
    }

    /// Puts what has changed.
    pub(crate) fn put(&mut self, batch: &mut Batch) {
        while let Some(identity) = self.gone.pop_first() {
            batch.delete::<Trail>(NodeKey { home_agent: self.agent, identity });
        }
        for _ in 0..ROWS_AT_ONCE {
            let Some(identity) = self.changed.pop_first() else { return };
            if let Some((_, trail)) = self.nodes.get(&identity) {
                batch.put(trail.clone());
            }
        }
    }

    fn forget_oldest(&mut self) {
        let Some((_, identity)) = self.by_age.pop_first() else { return };
        self.nodes.remove(&identity);
        if !self.changed.remove(&identity) {
            self.gone.insert(identity);
        }
    }
}

/// Whether two events say the same; when and how far the clock was off may differ.
fn is_same(one: &TrailEvent, other: &TrailEvent) -> bool {
    (&one.event, one.code, one.peer, one.care_of_address, one.spi)
        == (&other.event, other.code, other.peer, other.care_of_address, other.spi)
}
