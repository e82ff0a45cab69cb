//! Per-node counters by the INDEX of `haRegCounterTable`.

use std::cmp::Ordering;
use std::ops::Bound;
use std::sync::Arc;

use imbl::OrdMap;
use wire::Nai;

use super::{By, Order, Orders};
use crate::{Entry, Identity, NodeCounters, NodeKey, Rows};

/// An identifier longer than this is represented by its first octets in an index.
const IDENTIFIER_MAX: usize = 64;

/// A node as MIP-MIB indexes it: `MipEntityIdentifierType`, then the length and the octets of `MipEntityIdentifier`.
#[derive(Clone, Debug)]
pub struct NodeIndex(Form);

#[derive(Clone, Debug)]
enum Form {
    Address([u8; 4]),
    Nai(Nai),
    /// What a manager asked for, which need not exist.
    Asked(u32, Arc<[u8]>),
}

impl NodeIndex {
    /// `ipaddress(2)` and `nai(3)` of `MipEntityIdentifierType`.
    pub const ADDRESS: u32 = 2;
    pub const NAI: u32 = 3;

    pub fn new(identity: &Identity) -> Self {
        Self(match identity {
            Identity::Address(address) => Form::Address(address.octets()),
            Identity::Nai(nai) => Form::Nai(nai.clone()),
        })
    }

    /// An index out of a request: any type, any octets.
    pub fn asked(kind: u32, octets: &[u8]) -> Self {
        Self(Form::Asked(kind, octets.into()))
    }

    pub fn kind(&self) -> u32 {
        match &self.0 {
            Form::Address(_) => Self::ADDRESS,
            Form::Nai(_) => Self::NAI,
            Form::Asked(kind, _) => *kind,
        }
    }

    /// The identifier, cut to 64 octets if it is that of a node.
    pub fn octets(&self) -> &[u8] {
        match &self.0 {
            Form::Address(octets) => octets,
            Form::Nai(nai) => {
                let octets = nai.as_str().as_bytes();
                octets.get(..IDENTIFIER_MAX).unwrap_or(octets)
            }
            Form::Asked(_, octets) => octets,
        }
    }
}

impl Ord for NodeIndex {
    fn cmp(&self, other: &Self) -> Ordering {
        let (one, two) = (self.octets(), other.octets());
        self.kind()
            .cmp(&other.kind())
            .then_with(|| one.len().cmp(&two.len()))
            .then_with(|| one.cmp(two))
    }
}

impl PartialOrd for NodeIndex {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for NodeIndex {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for NodeIndex {}

/// The order of per-node counters.
#[derive(Clone, Debug, Default)]
pub struct NodeOrder {
    index: Order<NodeCounters, ByIndex>,
}

#[derive(Debug)]
struct ByIndex;

impl By<NodeCounters> for ByIndex {
    type Sort = NodeIndex;

    fn sort(row: &NodeCounters) -> Option<NodeIndex> {
        Some(NodeIndex::new(&row.identity))
    }

    fn tie(one: &NodeCounters, other: &NodeCounters) -> Ordering {
        (one.home_agent, &one.identity).cmp(&(other.home_agent, &other.identity))
    }
}

impl Orders<NodeCounters> for NodeOrder {
    fn replace(
        &mut self,
        _rows: &OrdMap<NodeKey, Entry<NodeCounters>>,
        old: Option<&Arc<NodeCounters>>,
        new: Option<&Arc<NodeCounters>>,
    ) {
        self.index.replace(old, new);
    }
}

impl Rows<NodeCounters> {
    /// The counters of the node with this index; of several, those that changed last.
    pub fn at_node_index(&self, index: &NodeIndex) -> Option<&Arc<NodeCounters>> {
        self.orders()
            .index
            .of(index.clone())
            .max_by_key(|row| row.last_accepted_at.max(row.last_denied_at))
    }

    /// The counters of the node with the least index that `from` lets in.
    pub fn after_node_index(&self, from: Bound<&NodeIndex>) -> Option<&Arc<NodeCounters>> {
        let next = match from {
            Bound::Unbounded => self.orders().index.iter().next()?,
            Bound::Included(index) => self.orders().index.from(index.clone()).next()?.1,
            Bound::Excluded(index) => {
                let mut rows = self.orders().index.from(index.clone());
                rows.find(|(sort, _)| *sort > index)?.1
            }
        };
        self.at_node_index(&NodeIndex::new(&next.identity))
    }
}
