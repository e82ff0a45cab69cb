//! Rows of several home agents as one sequence.
//!
//! Keys start with the home agent, indexes of the MIB do not. There are few
//! home agents in a store, so their rows are merged; each is found by a search.

use std::iter::Peekable;
use std::net::Ipv4Addr;
use std::ops::Bound;

use store::{Binding, BindingKey, Identity, NodeCounters, NodeKey, Row, Rows};

/// Rows of one home agent from some place on.
type Sequence<'a, R> = Peekable<Box<dyn Iterator<Item = &'a R> + 'a>>;

/// A row whose key starts with the address of a home agent.
pub(crate) trait PerHomeAgent: Row {
    /// The smallest key of `home_agent`.
    fn first_key(home_agent: Ipv4Addr) -> Self::Key;
    fn home_agent(&self) -> Ipv4Addr;
}

impl PerHomeAgent for Binding {
    fn first_key(home_agent: Ipv4Addr) -> BindingKey {
        let (home_address, care_of_address) = (Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED);
        BindingKey { home_agent, home_address, care_of_address, nai: None }
    }

    fn home_agent(&self) -> Ipv4Addr {
        self.home_agent
    }
}

impl PerHomeAgent for NodeCounters {
    fn first_key(home_agent: Ipv4Addr) -> NodeKey {
        NodeKey { home_agent, identity: Identity::Address(Ipv4Addr::UNSPECIFIED) }
    }

    fn home_agent(&self) -> Ipv4Addr {
        self.home_agent
    }
}

/// The home agents that have rows of type `R`.
pub(crate) fn home_agents<R: PerHomeAgent>(rows: &Rows<R>) -> impl Iterator<Item = Ipv4Addr> {
    let mut from = Some(Ipv4Addr::UNSPECIFIED);
    std::iter::from_fn(move || {
        let (_, entry) = rows.range(R::first_key(from?)..).next()?;
        let found = entry.row.home_agent();
        from = following(found);
        Some(found)
    })
}

/// The rows of `home_agent` from `start` on.
pub(crate) fn rows_of<'a, R: PerHomeAgent>(
    rows: &'a Rows<R>,
    home_agent: Ipv4Addr,
    start: R::Key,
) -> Sequence<'a, R> {
    let end = following(home_agent).map(R::first_key);
    let end = end.map_or(Bound::Unbounded, Bound::Excluded);
    let range = rows.range((Bound::Included(start), end));
    let rows: Box<dyn Iterator<Item = &'a R> + 'a> =
        Box::new(range.map(|(_, entry)| entry.row.as_ref()));
    rows.peekable()
}

fn following(address: Ipv4Addr) -> Option<Ipv4Addr> {
    address.to_bits().checked_add(1).map(Ipv4Addr::from_bits)
}

/// The sequences of all home agents, merged by what `rank` says of a row.
pub(crate) struct Merged<'a, R, K> {
    sequences: Vec<Sequence<'a, R>>,
    rank: fn(&'a R) -> K,
}

impl<'a, R: PerHomeAgent, K: Ord> Merged<'a, R, K> {
    /// `start` is where to start in the rows of each home agent.
    pub(crate) fn new(
        rows: &'a Rows<R>,
        rank: fn(&'a R) -> K,
        start: impl Fn(Ipv4Addr) -> R::Key,
    ) -> Self {
        let sequences = home_agents(rows)
            .map(|home_agent| rows_of(rows, home_agent, start(home_agent)))
            .collect();
        Self { sequences, rank }
    }

    /// The next row in the order of the ranks.
    pub(crate) fn next_row(&mut self) -> Option<&'a R> {
        self.next_if(|_| true)
    }

    /// The next row, if it is as wanted.
    pub(crate) fn next_if(&mut self, is_wanted: impl Fn(&R) -> bool) -> Option<&'a R> {
        let rank = self.rank;
        // Most stores have one home agent: then there is nothing to compare.
        if let [only] = self.sequences.as_mut_slice() {
            return only.next_if(|row| is_wanted(row));
        }
        let heads = self.sequences.iter_mut().filter_map(|sequence| {
            let head = rank(sequence.peek()?);
            Some((head, sequence))
        });
        let (_, sequence) = heads.min_by(|(a, _), (b, _)| a.cmp(b))?;
        sequence.next_if(|row| is_wanted(row))
    }
}
