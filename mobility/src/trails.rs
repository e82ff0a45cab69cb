//! The last events of mobile nodes at an agent: a bounded list, for `explain`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use store::{Batch, Identity, NodeKey, Snapshot, Trail, TrailEvent, Unknown, UtcTime};

/// Of how many nodes events are kept; the one that was quiet longest makes room, and strangers go first.
const NODES_MAX: usize = 4096;

/// How many rows go to the store at a time.
const ROWS_AT_ONCE: usize = 256;

/// The trails of one agent.
#[derive(Debug)]
pub(crate) struct Trails {
    agent: Ipv4Addr,
    nodes: BTreeMap<Identity, Kept>,
    /// Invariant: one entry for each node, under an age that it has, or had: whoever has events all
    /// the time is sorted anew only when somebody has to make room.
    by_age: BTreeMap<Age, Identity>,
    events: u64,
    /// Invariant: the nodes that say `changed`.
    changed: BTreeSet<Identity>,
    gone: BTreeSet<Identity>,
}

/// Whether somebody vouched for the node, and the number of its last event.
type Age = (bool, u64);

/// What is kept of one node. Every registration changes one, so what that does not need to look
/// up it finds here.
#[derive(Debug)]
struct Kept {
    age: Age,
    /// Whether the store lacks something of it.
    changed: bool,
    /// Whether the store has some of it.
    stored: bool,
    trail: Trail,
}

impl Kept {
    /// Adds an event; the same one again only counts.
    fn add(&mut self, event: TrailEvent) {
        append(&mut self.trail.events, event);
    }
}

/// What happened: a word that the program has, mostly.
pub(crate) type Word = Cow<'static, str>;

/// An event of which nothing more is known than what happened, and when.
pub(crate) fn plain(event: impl Into<Word>, at: UtcTime) -> TrailEvent {
    TrailEvent {
        at,
        event: event.into(),
        code: None,
        peer: None,
        care_of_address: None,
        spi: None,
        clock_offset: None,
        times: 1,
    }
}

impl Trails {
    /// Takes over what the agent left in the store.
    pub(crate) fn load(agent: Ipv4Addr, snapshot: &Snapshot) -> Self {
        let mut trails = Self {
            agent,
            nodes: BTreeMap::new(),
            by_age: BTreeMap::new(),
            events: 0,
            changed: BTreeSet::new(),
            gone: BTreeSet::new(),
        };
        for row in snapshot.rows::<Trail>().iter().filter(|row| row.agent == agent) {
            trails.events += 1;
            let (age, trail) = ((true, trails.events), Trail::clone(row));
            trails.by_age.insert(age, row.identity.clone());
            let kept = Kept { age, changed: false, stored: true, trail };
            trails.nodes.insert(row.identity.clone(), kept);
        }
        trails
    }

    /// Adds an event of a node that somebody vouches for.
    pub(crate) fn record(&mut self, identity: &Identity, event: TrailEvent) {
        self.note(identity, event, true);
    }

    /// Adds an event of whoever it may be. Anybody can make up nodes, and those that nobody vouches
    /// for must not take the place of those that are known.
    pub(crate) fn note(&mut self, identity: &Identity, event: TrailEvent, is_known: bool) {
        self.events += 1;
        let Some(kept) = self.nodes.get_mut(identity) else {
            return self.start(identity, event, is_known);
        };
        kept.age = (kept.age.0 || is_known, self.events);
        kept.add(event);
        if !std::mem::replace(&mut kept.changed, true) {
            self.changed.insert(identity.clone());
        }
    }

    /// Starts the trail of a node.
    fn start(&mut self, identity: &Identity, event: TrailEvent, is_known: bool) {
        if self.nodes.len() >= NODES_MAX {
            let has_stranger = self.oldest().is_some_and(|(known, _)| !known);
            if !is_known && !has_stranger {
                return;
            }
            self.forget_oldest();
        }
        let stored = self.gone.remove(identity);
        let trail = Trail {
            agent: self.agent,
            identity: identity.clone(),
            events: vec![event],
            unknown: Unknown::default(),
        };
        let age = (is_known, self.events);
        let kept = Kept { age, changed: true, stored, trail };
        self.by_age.insert(age, identity.clone());
        self.changed.insert(identity.clone());
        self.nodes.insert(identity.clone(), kept);
    }

    /// Puts what has changed.
    pub(crate) fn put(&mut self, batch: &mut Batch) {
        while let Some(identity) = self.gone.pop_first() {
            batch.delete::<Trail>(NodeKey { home_agent: self.agent, identity });
        }
        for _ in 0..ROWS_AT_ONCE {
            let Some(identity) = self.changed.pop_first() else { return };
            if let Some(kept) = self.nodes.get_mut(&identity) {
                (kept.changed, kept.stored) = (false, true);
                batch.put(kept.trail.clone());
            }
        }
    }

    /// The age of the node that was quiet longest; the first of `by_age` is true after that.
    fn oldest(&mut self) -> Option<Age> {
        loop {
            let first = self.by_age.first_entry()?;
            let age = self.nodes.get(first.get())?.age;
            if age == *first.key() {
                return Some(age);
            }
            let identity = first.remove();
            self.by_age.insert(age, identity);
        }
    }

    /// Forgets the first of `by_age`, which [`Self::oldest`] has put right.
    fn forget_oldest(&mut self) {
        let Some((_, identity)) = self.by_age.pop_first() else { return };
        let Some(kept) = self.nodes.remove(&identity) else { return };
        if kept.changed {
            self.changed.remove(&identity);
        }
        if kept.stored {
            self.gone.insert(identity);
        }
    }
}

/// Adds an event to the list of a node; the same one again only counts.
pub(crate) fn append(events: &mut Vec<TrailEvent>, event: TrailEvent) {
    match events.last_mut() {
        Some(last) if is_same(last, &event) => {
            *last = TrailEvent { times: last.times + event.times, ..event };
        }
        _ => {
            if events.len() >= Trail::EVENTS_MAX {
                events.remove(0);
            }
            events.push(event);
        }
    }
}

/// Whether two events say the same; when and how far the clock was off may differ.
fn is_same(one: &TrailEvent, other: &TrailEvent) -> bool {
    (&one.event, one.code, one.peer, one.care_of_address, one.spi)
        == (&other.event, other.code, other.peer, other.care_of_address, other.spi)
}

#[cfg(test)]
mod tests {
    use store::UtcTime;

    use super::*;

    fn node(number: u32) -> Identity {
        Identity::Address(Ipv4Addr::from(number))
    }

    fn event() -> TrailEvent {
        TrailEvent {
            at: UtcTime(0),
            event: "timeout".into(),
            code: None,
            peer: None,
            care_of_address: None,
            spi: None,
            clock_offset: None,
            times: 1,
        }
    }

    #[test]
    fn strangers_make_room_for_strangers_and_for_those_who_are_known() {
        let mut trails = Trails::load(Ipv4Addr::LOCALHOST, &Snapshot::default());
        trails.record(&node(1), event());
        for number in 10..10_000 {
            trails.note(&node(number), event(), false);
        }
        assert_eq!(trails.nodes.len(), NODES_MAX);
        assert!(
            trails.nodes.contains_key(&node(1)),
            "the known one, although it was quiet longest"
        );
        assert!(trails.nodes.contains_key(&node(9999)) && !trails.nodes.contains_key(&node(10)));
        for number in 10_000..20_000 {
            trails.record(&node(number), event());
        }
        trails.note(&node(5), event(), false);
        assert_eq!(trails.nodes.len(), NODES_MAX);
        assert!(!trails.nodes.contains_key(&node(5)), "no stranger takes the place of a known one");
        assert_eq!(trails.by_age.len(), NODES_MAX);
        // Whoever was vouched for once is known.
        trails.note(&node(19_999), event(), false);
        assert!(trails.nodes.values().all(|kept| kept.age.0));
    }

    #[test]
    fn whoever_was_quiet_longest_makes_room() {
        let mut trails = Trails::load(Ipv4Addr::LOCALHOST, &Snapshot::default());
        let many = u32::try_from(NODES_MAX).unwrap();
        for number in 0..many {
            trails.record(&node(number), event());
        }
        // All but two of them again, the other way round.
        for number in (0..many).rev().filter(|number| ![7, 70].contains(number)) {
            trails.record(&node(number), event());
        }
        let gone = |trails: &mut Trails, newcomer| {
            trails.record(&node(newcomer), event());
            let is_gone = |number: &u32| !trails.nodes.contains_key(&node(*number));
            (0..many).filter(is_gone).collect::<Vec<_>>()
        };
        assert_eq!(gone(&mut trails, many), [7]);
        assert_eq!(gone(&mut trails, many + 1), [7, 70]);
        assert_eq!(gone(&mut trails, many + 2), [7, 70, many - 1]);
        assert_eq!((trails.nodes.len(), trails.by_age.len()), (NODES_MAX, NODES_MAX));
    }
}
