//! Rows of several agents as one sequence.
//!
//! Keys start with the address of a home or foreign agent, indexes of the MIB
//! do not. There are few agents in a store, so their rows are merged; those of
//! each are found by a search.

use std::iter::Peekable;
use std::net::Ipv4Addr;

use store::{
    Binding, BindingKey, Identity, NodeCounters, NodeKey, Range, Row, Rows, Visitor, VisitorKey,
};

use super::Context;

/// Rows of one agent from some place on.
pub(crate) struct Sequence<'a, R: PerAgent> {
    agent: Ipv4Addr,
    rows: Range<'a, R>,
}

impl<'a, R: PerAgent> Iterator for Sequence<'a, R> {
    type Item = &'a R;

    fn next(&mut self) -> Option<&'a R> {
        let (_, entry) = self.rows.next()?;
        // Looking at each row costs less than searching for the end.
        (entry.row.agent() == self.agent).then_some(&*entry.row)
    }
}

/// A row whose key starts with the address of an agent.
pub(crate) trait PerAgent: Row {
    /// The smallest key of `agent`.
    fn first_key(agent: Ipv4Addr) -> Self::Key;
    fn agent(&self) -> Ipv4Addr;

    /// The agents that have rows.
    fn agents(rows: &Rows<Self>) -> impl Iterator<Item = Ipv4Addr> {
        let mut from = Some(Ipv4Addr::UNSPECIFIED);
        std::iter::from_fn(move || {
            let (_, entry) = rows.range(Self::first_key(from?)..).next()?;
            let found = entry.row.agent();
            from = following(found);
            Some(found)
        })
    }
}

impl PerAgent for Binding {
    fn first_key(home_agent: Ipv4Addr) -> BindingKey {
        let (home_address, care_of_address) = (Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED);
        BindingKey { home_agent, home_address, care_of_address, nai: None }
    }

    fn agent(&self) -> Ipv4Addr {
        self.home_agent
    }

    /// Known without a search.
    fn agents(rows: &Rows<Self>) -> impl Iterator<Item = Ipv4Addr> {
        rows.home_agents()
    }
}

impl PerAgent for NodeCounters {
    fn first_key(home_agent: Ipv4Addr) -> NodeKey {
        NodeKey { home_agent, identity: Identity::Address(Ipv4Addr::UNSPECIFIED) }
    }

    fn agent(&self) -> Ipv4Addr {
        self.home_agent
    }
}

impl PerAgent for Visitor {
    fn first_key(foreign_agent: Ipv4Addr) -> VisitorKey {
        let unspecified = Ipv4Addr::UNSPECIFIED;
        let identity = Identity::Address(unspecified);
        VisitorKey { foreign_agent, identity, home_address: unspecified }
    }

    fn agent(&self) -> Ipv4Addr {
        self.foreign_agent
    }
}

/// The rows of `agent` from `start` on.
pub(crate) fn rows_of<R: PerAgent>(
    rows: &Rows<R>,
    agent: Ipv4Addr,
    start: R::Key,
) -> Sequence<'_, R> {
    Sequence { agent, rows: rows.range(start..) }
}

fn following(address: Ipv4Addr) -> Option<Ipv4Addr> {
    address.to_bits().checked_add(1).map(Ipv4Addr::from_bits)
}

/// The sequences of all agents that are shown, merged by what `rank` says of a row.
pub(crate) struct Merged<'a, R: PerAgent, K> {
    sequences: Vec<Peekable<Sequence<'a, R>>>,
    rank: fn(&'a R) -> K,
}

impl<'a, R: PerAgent, K: Ord> Merged<'a, R, K> {
    /// `start` is where to start in the rows of each agent.
    pub(crate) fn new(
        context: Context<'a>,
        rank: fn(&'a R) -> K,
        start: impl Fn(Ipv4Addr) -> R::Key,
    ) -> Self {
        let rows = context.snapshot.rows::<R>();
        let agents = R::agents(rows).filter(|agent| context.shows_agent(*agent));
        let sequences = agents.map(|agent| rows_of(rows, agent, start(agent)).peekable());
        Self { sequences: sequences.collect(), rank }
    }

    /// The next row in the order of the ranks.
    pub(crate) fn next_row(&mut self) -> Option<&'a R> {
        self.next_if(|_| true)
    }

    /// The next row, if it is as wanted.
    pub(crate) fn next_if(&mut self, is_wanted: impl Fn(&R) -> bool) -> Option<&'a R> {
        let rank = self.rank;
        // Most stores have one: then there is nothing to compare.
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
