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
use std::ops::Bound;
use std::sync::Arc;

use equivalent::{Comparable, Equivalent};
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
    /// What is kept beside the reference, so that most comparisons need not look at the row.
    /// `()` where they must look further anyway: a million rows have a million of these.
    type Hint: Ord + Clone + fmt::Debug;
    /// What a search names.
    type Sort;

    /// `None` if the row is not in this order.
    fn hint(row: &R) -> Option<Self::Hint>;
    /// The order of rows with the same hint: by sort, then by key.
    fn compare(one: &R, other: &R) -> Ordering;
    /// How `sort` stands to that of a row that has this hint.
    fn seek(sort: &Self::Sort, hint: &Self::Hint, row: &R) -> Ordering;
}

/// Rows in the order that `B` says.
#[derive(Debug)]
struct Order<R, B: By<R>> {
    places: OrdSet<Place<R, B>>,
}

/// A row in an order.
struct Place<R, B: By<R>> {
    hint: B::Hint,
    row: Arc<R>,
}

/// The place before all rows of a sort.
struct Before<'a, S>(&'a S);

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
        let mut sorted: Vec<_> = rows.filter_map(|row| Place::of(row).map(Some)).collect();
        // No two are equal, and what is sorted in place leaves no hole in the heap.
        sorted.sort_unstable();
        let mut places = OrdSet::new();
        packed(&mut [sorted], |place| {
            places.insert(place);
        });
        Self { places }
    }

    fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<R>> {
        self.places.iter().map(|place| &place.row)
    }

    /// The rows from the first of `sort` on.
    fn from<'a>(&'a self, sort: &B::Sort) -> impl Iterator<Item = &'a Arc<R>> + use<'a, R, B> {
        self.places_from(sort).map(|place| &place.row)
    }

    /// The rows of exactly `sort`.
    fn of(&self, sort: B::Sort) -> impl Iterator<Item = &Arc<R>> {
        self.places_from(&sort)
            .take_while(move |place| B::seek(&sort, &place.hint, &place.row).is_eq())
            .map(|place| &place.row)
    }

    fn places_from<'a>(
        &'a self,
        sort: &B::Sort,
    ) -> impl Iterator<Item = &'a Place<R, B>> + use<'a, R, B> {
        let from = (Bound::Included(&Before(sort)), Bound::Unbounded);
        self.places.range::<_, Before<'_, B::Sort>>(from)
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
        Some(Self { hint: B::hint(row)?, row: Arc::clone(row) })
    }
}

impl<R, B: By<R>> Clone for Place<R, B> {
    fn clone(&self) -> Self {
        Self { hint: self.hint.clone(), row: Arc::clone(&self.row) }
    }
}

impl<R, B: By<R>> fmt::Debug for Place<R, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hint.fmt(f)
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
        self.hint.cmp(&other.hint).then_with(|| {
            if Arc::ptr_eq(&self.row, &other.row) {
                Ordering::Equal
            } else {
                B::compare(&self.row, &other.row)
            }
        })
    }
}

impl<R, B: By<R>> Equivalent<Place<R, B>> for Before<'_, B::Sort> {
    fn equivalent(&self, _: &Place<R, B>) -> bool {
        false
    }
}

impl<R, B: By<R>> Comparable<Place<R, B>> for Before<'_, B::Sort> {
    fn compare(&self, place: &Place<R, B>) -> Ordering {
        B::seek(self.0, &place.hint, &place.row).then(Ordering::Less)
    }
}
