//! Visitors by the source address of their request: the INDEX of `faVisitorTable`.

use std::cmp::Ordering;
use std::net::Ipv4Addr;
use std::sync::Arc;

use imbl::OrdMap;

use super::{By, Order, Orders};
use crate::{Entry, Rows, Visitor, VisitorKey};

/// The orders of visitors.
#[derive(Clone, Debug, Default)]
pub struct VisitorOrders {
    source: Order<Visitor, Source>,
}

#[derive(Debug)]
struct Source;

impl By<Visitor> for Source {
    type Hint = Ipv4Addr;
    type Sort = Ipv4Addr;

    fn hint(row: &Visitor) -> Option<Ipv4Addr> {
        Some(*row.source.ip())
    }

    fn seek(sort: &Ipv4Addr, hint: &Ipv4Addr, _: &Visitor) -> Ordering {
        sort.cmp(hint)
    }

    fn compare(one: &Visitor, other: &Visitor) -> Ordering {
        let key = |row| -> (Ipv4Addr, Ipv4Addr) {
            let row: &Visitor = row;
            (row.foreign_agent, row.home_address)
        };
        key(one).cmp(&key(other)).then_with(|| one.identity.cmp(&other.identity))
    }
}

impl Orders<Visitor> for VisitorOrders {
    fn replace(
        &mut self,
        _rows: &OrdMap<VisitorKey, Entry<Visitor>>,
        old: Option<&Arc<Visitor>>,
        new: Option<&Arc<Visitor>>,
    ) {
        self.source.replace(old, new);
    }
}

impl Rows<Visitor> {
    /// The visitors whose last request came from `source` or a greater address, in that order.
    pub fn by_source_from(&self, source: Ipv4Addr) -> impl Iterator<Item = &Arc<Visitor>> {
        self.orders().source.from(&source)
    }
}
