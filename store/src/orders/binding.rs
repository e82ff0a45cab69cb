//! Bindings by expiry, NAI and care-of address, and by the INDEX of `haMobilityBindingTable`.

use std::cmp::Ordering;
use std::net::Ipv4Addr;
use std::ops::Bound;
use std::sync::Arc;
use std::thread;

use imbl::OrdMap;
use wire::Nai;

use super::{By, Order, Orders};
use crate::{Binding, BindingKey, Entry, Rows, UtcTime};

/// The orders of bindings.
#[derive(Clone, Debug, Default)]
pub struct BindingOrders {
    expiry: Order<Binding, Expiry>,
    nai: Order<Binding, ByNai>,
    care_of_address: Order<Binding, CareOf>,
    /// How many bindings each home agent has: the MIB order is a merge of theirs.
    home_agents: OrdMap<Ipv4Addr, usize>,
    /// How many pairs of home address and care-of address there are.
    pairs: usize,
}

#[derive(Debug)]
struct Expiry;
#[derive(Debug)]
struct ByNai;
#[derive(Debug)]
struct CareOf;

impl By<Binding> for Expiry {
    type Hint = UtcTime;
    type Sort = UtcTime;

    fn hint(row: &Binding) -> Option<UtcTime> {
        row.expires_at
    }

    fn compare(one: &Binding, other: &Binding) -> Ordering {
        by_key(one, other)
    }

    fn seek(sort: &UtcTime, hint: &UtcTime, _: &Binding) -> Ordering {
        sort.cmp(hint)
    }
}

impl By<Binding> for ByNai {
    type Hint = ();
    type Sort = Nai;

    fn hint(row: &Binding) -> Option<()> {
        row.nai.is_some().then_some(())
    }

    fn compare(one: &Binding, other: &Binding) -> Ordering {
        one.nai.cmp(&other.nai).then_with(|| by_key(one, other))
    }

    fn seek(sort: &Nai, (): &(), row: &Binding) -> Ordering {
        Some(sort).cmp(&row.nai.as_ref())
    }
}

impl By<Binding> for CareOf {
    type Hint = Ipv4Addr;
    type Sort = Ipv4Addr;

    fn hint(row: &Binding) -> Option<Ipv4Addr> {
        Some(row.care_of_address)
    }

    fn compare(one: &Binding, other: &Binding) -> Ordering {
        by_key(one, other)
    }

    fn seek(sort: &Ipv4Addr, hint: &Ipv4Addr, _: &Binding) -> Ordering {
        sort.cmp(hint)
    }
}

/// The order of [`BindingKey`], without making any.
fn by_key(one: &Binding, other: &Binding) -> Ordering {
    let addresses = |row: &Binding| (row.home_agent, row.home_address, row.care_of_address);
    addresses(one).cmp(&addresses(other)).then_with(|| one.nai.cmp(&other.nai))
}

impl Orders<Binding> for BindingOrders {
    fn replace(
        &mut self,
        rows: &OrdMap<BindingKey, Entry<Binding>>,
        old: Option<&Arc<Binding>>,
        new: Option<&Arc<Binding>>,
    ) {
        self.expiry.replace(old, new);
        self.nai.replace(old, new);
        self.care_of_address.replace(old, new);
        match (old, new) {
            (None, Some(row)) => {
                *self.home_agents.entry(row.home_agent).or_insert(0) += 1;
                if self.with_pair(rows, row.home_address, row.care_of_address).count() == 1 {
                    self.pairs += 1;
                }
            }
            (Some(row), None) => {
                if self.with_pair(rows, row.home_address, row.care_of_address).next().is_none() {
                    self.pairs -= 1;
                }
                let left = self.home_agents.get(&row.home_agent).map_or(0, |count| count - 1);
                if left == 0 {
                    self.home_agents.remove(&row.home_agent);
                } else {
                    self.home_agents.insert(row.home_agent, left);
                }
            }
            _ => {}
        }
    }

    fn build(rows: &OrdMap<BindingKey, Entry<Binding>>) -> Self {
        let all = || rows.values().map(|entry| &entry.row);
        let mut home_agents = OrdMap::new();
        let mut pairs = Vec::with_capacity(rows.len());
        for row in all() {
            *home_agents.entry(row.home_agent).or_insert(0) += 1;
            pairs.push((row.home_address, row.care_of_address));
        }
        pairs.sort_unstable();
        pairs.dedup();
        let (expiry, nai, care_of_address) = thread::scope(|scope| {
            let expiry = scope.spawn(|| Order::build(all()));
            let nai = scope.spawn(|| Order::build(all()));
            let care_of_address = Order::build(all());
            // A panic in there is one of ours; let it go on here.
            (join(expiry), join(nai), care_of_address)
        });
        Self { expiry, nai, care_of_address, home_agents, pairs: pairs.len() }
    }
}

impl BindingOrders {
    /// Every binding of this home address and care-of address, whichever home agent or NAI.
    fn with_pair<'a>(
        &'a self,
        rows: &'a OrdMap<BindingKey, Entry<Binding>>,
        home_address: Ipv4Addr,
        care_of_address: Ipv4Addr,
    ) -> impl Iterator<Item = &'a Arc<Binding>> {
        self.home_agents.keys().flat_map(move |home_agent| {
            let first = first_key(*home_agent, home_address, care_of_address);
            rows.range(first..)
                .take_while(move |(key, _)| {
                    key.home_agent == *home_agent
                        && key.home_address == home_address
                        && key.care_of_address == care_of_address
                })
                .map(|(_, entry)| &entry.row)
        })
    }
}

fn join<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn first_key(
    home_agent: Ipv4Addr,
    home_address: Ipv4Addr,
    care_of_address: Ipv4Addr,
) -> BindingKey {
    BindingKey { home_agent, home_address, care_of_address, nai: None }
}

impl Rows<Binding> {
    /// Bindings that expire, the next to expire first.
    pub fn by_expiry(&self) -> impl DoubleEndedIterator<Item = &Arc<Binding>> {
        self.orders().expiry.iter()
    }

    /// Bindings with a NAI, in the order of their NAIs.
    pub fn by_nai(&self) -> impl DoubleEndedIterator<Item = &Arc<Binding>> {
        self.orders().nai.iter()
    }

    /// Bindings in the order of their care-of addresses.
    pub fn by_care_of_address(&self) -> impl DoubleEndedIterator<Item = &Arc<Binding>> {
        self.orders().care_of_address.iter()
    }

    /// The bindings of one NAI.
    pub fn with_nai(&self, nai: &Nai) -> impl Iterator<Item = &Arc<Binding>> {
        self.orders().nai.of(nai.clone())
    }

    /// The bindings whose NAI starts with `prefix`, in the order of their NAIs.
    pub fn with_nai_prefix<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = &'a Arc<Binding>> {
        // An empty or impossible prefix has no place to start at: filter all of them.
        let from: Box<dyn Iterator<Item = &Arc<Binding>>> = match Nai::new(prefix) {
            Ok(start) => Box::new(self.orders().nai.from(&start)),
            Err(_) => Box::new(self.by_nai()),
        };
        from.take_while(move |row| {
            row.nai.as_ref().is_some_and(|nai| nai.as_str().starts_with(prefix))
        })
    }

    /// The home agents that have bindings, in order.
    pub fn home_agents(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.orders().home_agents.keys().copied()
    }

    /// How many bindings a home agent has.
    pub fn count_of(&self, home_agent: Ipv4Addr) -> usize {
        self.orders().home_agents.get(&home_agent).copied().unwrap_or(0)
    }

    /// The bindings of one care-of address.
    pub fn with_care_of_address(
        &self,
        care_of_address: Ipv4Addr,
    ) -> impl Iterator<Item = &Arc<Binding>> {
        self.orders().care_of_address.of(care_of_address)
    }

    /// The bindings as `haMobilityBindingTable` shows them.
    pub fn by_mib_index(&self) -> MibIndex<'_> {
        MibIndex { rows: self }
    }
}

/// Bindings by (home address, care-of address), one a pair: the one registered last.
#[derive(Clone, Copy, Debug)]
pub struct MibIndex<'a> {
    rows: &'a Rows<Binding>,
}

impl<'a> MibIndex<'a> {
    /// How many pairs there are.
    pub fn len(self) -> usize {
        self.rows.orders().pairs
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The newest binding of this pair.
    pub fn get(
        self,
        home_address: Ipv4Addr,
        care_of_address: Ipv4Addr,
    ) -> Option<&'a Arc<Binding>> {
        self.rows
            .orders()
            .with_pair(self.rows.map(), home_address, care_of_address)
            .max_by_key(|row| row.registered_at)
    }

    /// The row of the least pair that `from` lets in.
    pub fn after(self, from: Bound<(Ipv4Addr, Ipv4Addr)>) -> Option<&'a Arc<Binding>> {
        let start = match from {
            Bound::Unbounded => (Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED),
            Bound::Included(pair) => pair,
            Bound::Excluded(pair) => next_pair(pair)?,
        };
        let least = self.rows.orders().home_agents.keys().filter_map(|home_agent| {
            let first = first_key(*home_agent, start.0, start.1);
            let (key, _) = self.rows.map().range(first..).next()?;
            (key.home_agent == *home_agent).then_some((key.home_address, key.care_of_address))
        });
        let (home_address, care_of_address) = least.min()?;
        self.get(home_address, care_of_address)
    }

    /// All rows, in order.
    pub fn iter(self) -> impl Iterator<Item = &'a Arc<Binding>> {
        let after = move |row: &&'a Arc<Binding>| {
            self.after(Bound::Excluded((row.home_address, row.care_of_address)))
        };
        std::iter::successors(self.after(Bound::Unbounded), after)
    }
}

/// The pair after `pair`, if it is not the last there is.
fn next_pair(pair: (Ipv4Addr, Ipv4Addr)) -> Option<(Ipv4Addr, Ipv4Addr)> {
    match u32::from(pair.1).checked_add(1) {
        Some(next) => Some((pair.0, next.into())),
        None => Some((u32::from(pair.0).checked_add(1)?.into(), Ipv4Addr::UNSPECIFIED)),
    }
}
