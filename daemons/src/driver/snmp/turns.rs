//! In which order datagrams are answered when several wait at one socket.
//!
//! Who was sent a long answer last, as managers that walk are, waits behind those who were not, and
//! takes turns with its like. So a GET is answered after the one answer that is being made, however
//! many walks there are. Only the length of an answer counts: an encrypted request does
//! not tell what it asks for.

use std::collections::{HashSet, VecDeque};
use std::net::SocketAddr;

/// Longer answers are long; that of a GET of some ten variables is not.
const SHORT_MAX: usize = 1024;
/// How many sources are known for long answers; when there are more, all are learned anew.
const SOURCES_MAX: usize = 1024;
/// How many datagrams may wait here; more stay in the socket.
const WAITING_MAX: usize = 64;

/// Datagrams that wait for their turn.
#[derive(Debug)]
pub(super) struct Turns<T> {
    /// By source; the next one first. None is empty.
    waiting: VecDeque<(SocketAddr, VecDeque<T>)>,
    count: usize,
    /// Who got a long answer last.
    greedy: HashSet<SocketAddr>,
}

impl<T> Turns<T> {
    pub(super) fn new() -> Self {
        Self { waiting: VecDeque::new(), count: 0, greedy: HashSet::new() }
    }

    /// Whether a datagram of `source` is to be answered at once.
    pub(super) fn is_first(&self, source: SocketAddr) -> bool {
        // What waits from the same source was sent before.
        !self.greedy.contains(&source) && !self.waiting.iter().any(|(other, _)| *other == source)
    }

    /// Notes how long the answer was that `source` got.
    pub(super) fn answered(&mut self, source: SocketAddr, octets: usize) {
        if octets <= SHORT_MAX {
            self.greedy.remove(&source);
            return;
        }
        if self.greedy.len() >= SOURCES_MAX && !self.greedy.contains(&source) {
            self.greedy.clear();
        }
        self.greedy.insert(source);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.count >= WAITING_MAX
    }

    /// Lets a datagram wait; there must be room.
    pub(super) fn push(&mut self, source: SocketAddr, datagram: T) {
        self.count += 1;
        match self.waiting.iter_mut().find(|(other, _)| *other == source) {
            Some((_, datagrams)) => datagrams.push_back(datagram),
            None => self.waiting.push_back((source, VecDeque::from([datagram]))),
        }
    }

    /// The datagram whose turn it is: the first of the source that waits longest for one.
    pub(super) fn next(&mut self) -> Option<T> {
        let (source, mut datagrams) = self.waiting.pop_front()?;
        let next = datagrams.pop_front();
        self.count -= usize::from(next.is_some());
        if !datagrams.is_empty() {
            self.waiting.push_back((source, datagrams));
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn rest(turns: &mut Turns<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| turns.next()).collect()
    }

    #[test]
    fn long_answers_make_a_source_wait_until_it_gets_a_short_one() {
        let mut turns = Turns::<&str>::new();
        assert!(turns.is_first(source(1)));
        turns.answered(source(1), SHORT_MAX + 1);
        assert!(!turns.is_first(source(1)) && turns.is_first(source(2)));
        turns.answered(source(1), SHORT_MAX);
        assert!(turns.is_first(source(1)));
    }

    #[test]
    fn sources_take_turns_and_each_keeps_its_order() {
        let mut turns = Turns::new();
        for (port, datagram) in [(1, "a1"), (1, "a2"), (1, "a3"), (2, "b1"), (3, "c1"), (2, "b2")] {
            turns.push(source(port), datagram);
        }
        assert_eq!(rest(&mut turns), ["a1", "b1", "c1", "a2", "b2", "a3"]);
        assert!(turns.is_empty());
    }

    #[test]
    fn nobody_overtakes_itself() {
        let mut turns = Turns::new();
        turns.answered(source(1), 60_000);
        turns.push(source(1), "walk");
        turns.push(source(1), "set");
        turns.answered(source(1), 10);
        assert!(!turns.is_first(source(1)), "one of its datagrams still waits");
        assert_eq!(rest(&mut turns), ["walk", "set"]);
        assert!(turns.is_first(source(1)));
    }

    #[test]
    fn what_waits_and_what_is_remembered_is_bounded() {
        let mut turns = Turns::new();
        for _ in 0..WAITING_MAX {
            assert!(!turns.is_full());
            turns.push(source(1), "walk");
        }
        assert!(turns.is_full());
        assert_eq!(rest(&mut turns).len(), WAITING_MAX);
        assert!(!turns.is_full());
        for port in 0..10_000 {
            turns.answered(source(port), 60_000);
            assert!(turns.greedy.len() <= SOURCES_MAX);
        }
        assert!(!turns.is_first(source(9_999)));
    }
}
