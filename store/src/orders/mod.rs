//! Second orders of a table's rows: what a MIB walks by, what operators look up by.
//!
//! An order holds a reference to each row and the few octets it is sorted by,
//! never a copy of the row. Like the tables it is persistent: a snapshot has
//! the orders of its revision.

mod binding;
#[cfg(test)]
mod tests;
mod visitor;

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

pub use binding::{BindingOrders, MibIndex};
pub use visitor::VisitorOrders;

use crate::tables::packed;
use crate::{Entry, Row};

/// The orders of one table beside that of its keys; kept up by `Rows`.
pub trait Orders<R: Row>: Clone + Default + fmt::Debug + Send + Sync {
    /// One row changed: `rows` has `new` already, and `old` no more.
    fn replace(
        &mut self,
        rows: &OrdMap<R::Key, Entry<R>>,
        old: Option<&Arc<R>>,
        new: Option<&Arc<R>>,
    );

    /// The orders of a whole table.
    fn build(rows: &OrdMap<R::Key, Entry<R>>) -> Self {
        let mut orders = Self::default();
        for entry in rows.values() {
            orders.replace(rows, None, Some(&entry.row));
        }
        orders
    }
}

/// Tables that are only read by key.
impl<R: Row> Orders<R> for () {
    fn replace(
        &mut self,
        _rows: &OrdMap<R::Key, Entry<R>>,
        _old: Option<&Arc<R>>,
        _new: Option<&Arc<R>>,
    ) {
    }

    fn build(_rows: &OrdMap<R::Key, Entry<R>>) -> Self {}
}

/// What rows are sorted by in one order.
trait By<R>: 'static {
    type Sort: Ord + Clone + fmt::Debug;

    /// `None` if the row is not in this order.
    fn sort(row: &R) -> Option<Self::Sort>;
    /// Decides between rows of the same sort.
    fn tie(one: &R, other: &R) -> Ordering;
}

/// Rows in the order that `B` says.
#[derive(Debug)]
struct Order<R, B: By<R>> {
    places: OrdSet<Place<R, B>>,
}

/// A row in an order; without a row, the place before all rows of that sort.
struct Place<R, B: By<R>> {
    sort: B::Sort,
    row: Option<Arc<R>>,
}

impl<R: 'static, B: By<R>> Order<R, B> {
    fn replace(&mut self, old: Option<&Arc<R>>, new: Option<&Arc<R>>) {
        let old = old.and_then(Place::of);
        let new = new.and_then(Place::of);
        if let Some(old) = old.filter(|old| new.as_ref() != Some(old)) {
            self.places.remove(&old);
        }
        if let Some(new) = new {
            // Replaces the old row if both have the same place.
            self.places.insert(new);
        }
    }

    fn build<'a>(rows: impl Iterator<Item = &'a Arc<R>>) -> Self {
        let mut places: Vec<_> = rows.filter_map(Place::of).collect();
        places.sort();
        let mut order = Self::default();
        for place in packed(places) {
            order.places.insert(place);
        }
        order
    }

    fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<R>> {
        self.places.iter().filter_map(|place| place.row.as_ref())
    }

    /// The rows from the first of `sort` on.
    fn from(&self, sort: B::Sort) -> impl Iterator<Item = (&B::Sort, &Arc<R>)> {
        self.places
            .range(Place { sort, row: None }..)
            .filter_map(|place| place.row.as_ref().map(|row| (&place.sort, row)))
    }

    /// The rows of exactly `sort`.
    fn of(&self, sort: B::Sort) -> impl Iterator<Item = &Arc<R>> {
        let wanted = sort.clone();
        self.from(sort).take_while(move |(sort, _)| **sort == wanted).map(|(_, row)| row)
    }
}

impl<R, B: By<R>> Clone for Order<R, B> {
    fn clone(&self) -> Self {
        Self { places: self.places.clone() }
    }
}

impl<R, B: By<R>> Default for Order<R, B> {
    fn default() -> Self {
        Self { places: OrdSet::new() }
    }
}

impl<R, B: By<R>> Place<R, B> {
    fn of(row: &Arc<R>) -> Option<Self> {
        Some(Self { sort: B::sort(row)?, row: Some(Arc::clone(row)) })
    }
}

impl<R, B: By<R>> Clone for Place<R, B> {
    fn clone(&self) -> Self {
        Self { sort: self.sort.clone(), row: self.row.clone() }
    }
}

impl<R, B: By<R>> fmt::Debug for Place<R, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sort.fmt(f)
    }
}

impl<R, B: By<R>> PartialEq for Place<R, B> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<R, B: By<R>> Eq for Place<R, B> {}

impl<R, B: By<R>> PartialOrd for Place<R, B> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<R, B: By<R>> Ord for Place<R, B> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.sort.cmp(&other.sort).then_with(|| match (&self.row, &other.row) {
            (Some(one), Some(other)) if Arc::ptr_eq(one, other) => Ordering::Equal,
            (Some(one), Some(other)) => B::tie(one, other),
            (one, other) => one.is_some().cmp(&other.is_some()),
        })
    }
}
