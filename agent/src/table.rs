//! The contract between the engine and conceptual tables.

use crate::{Oid, Value};

/// A conceptual table: rows in the order of their index, and the cells of a row.
///
/// The engine turns GET, GETNEXT and GETBULK into these questions. A table
/// knows nothing of PDUs, access control or the order of columns. `suffix` is
/// what follows the column in the name; a manager may put anything there.
pub trait Table {
    /// The readable columns, generated from the module.
    type Column: mibs::Column;
    type Row;
    /// Rows in order; an iterator over the snapshot, not over the table.
    type Rows: Iterator<Item = Self::Row>;

    /// The row whose index is exactly `suffix`.
    fn row(&self, suffix: &[u32]) -> Option<Self::Row>;

    /// The rows whose index is greater than `suffix`, in order.
    ///
    /// One search, then one step a row: GETBULK takes many.
    fn rows_after(&self, suffix: &[u32]) -> Self::Rows;

    /// Appends the index of `row`.
    fn index(&self, row: &Self::Row, name: &mut Oid);

    /// The value in `column` of `row`; `None` where the column has no instance.
    fn cell(&self, row: &Self::Row, column: Self::Column) -> Option<Value>;
}
