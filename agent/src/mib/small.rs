//! Tables of few rows, whose index is not the order of any key.
//!
//! Bounded by configuration, or by the machine that writes them: so rows are
//! sorted by their index for each request, and compared as the names they are.

use crate::{Oid, Table, Value};

use super::Context;

/// A table of few rows.
pub(crate) trait SmallTable: Sized {
    type Column: mibs::Column;
    type Row<'a>: Clone;

    /// The rows with their indexes, in any order. Of several with one index, the first is shown.
    fn rows(context: Context<'_>) -> Option<Vec<(Oid, Self::Row<'_>)>>;

    /// The value in `column` of `row`.
    fn cell(context: Context<'_>, row: &Self::Row<'_>, column: Self::Column) -> Option<Value>;
}

/// Opens a [`SmallTable`].
pub(crate) struct Source<T>(std::marker::PhantomData<fn() -> T>);

impl<T> Source<T> {
    pub(crate) const fn new() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<T: SmallTable + 'static> super::TableSource for Source<T> {
    type Table<'a> = Sorted<'a, T>;

    fn open(context: Context<'_>) -> Option<Sorted<'_, T>> {
        let mut rows = T::rows(context)?;
        rows.sort_by(|(a, _), (b, _)| a.cmp(b));
        rows.dedup_by(|(later, _), (earlier, _)| later == earlier);
        Some(Sorted { context, rows })
    }
}

/// The rows of a [`SmallTable`] in the order of their indexes.
pub(crate) struct Sorted<'a, T: SmallTable> {
    context: Context<'a>,
    rows: Vec<(Oid, T::Row<'a>)>,
}

impl<'a, T: SmallTable> Table for Sorted<'a, T> {
    type Column = T::Column;
    type Row = (Oid, T::Row<'a>);
    type Rows = std::vec::IntoIter<Self::Row>;

    fn row(&self, suffix: &[u32]) -> Option<Self::Row> {
        let place = self.rows.binary_search_by(|(index, _)| index[..].cmp(suffix)).ok()?;
        self.rows.get(place).cloned()
    }

    fn rows_after(&self, suffix: &[u32]) -> Self::Rows {
        let place = self.rows.partition_point(|(index, _)| index[..] <= *suffix);
        self.rows.get(place..).unwrap_or(&[]).to_vec().into_iter()
    }

    fn index(&self, (index, _): &Self::Row, name: &mut Oid) {
        name.extend_from_slice(index);
    }

    fn cell(&self, (_, row): &Self::Row, column: T::Column) -> Option<Value> {
        T::cell(self.context, row, column)
    }
}

/// An index of addresses.
pub(crate) fn addresses<const N: usize>(addresses: [std::net::Ipv4Addr; N]) -> Oid {
    let mut index = Oid::new();
    for address in addresses {
        index.extend_from_octets(&address.octets());
    }
    index
}
