//! The two kinds of managed object, scalars and tables, as the registry sees them.

use mibs::Column as _;

use super::{Context, GetResult};
use crate::engine::{ErrorStatus, Staging};
use crate::{Oid, Table, Value};

/// A managed object, or a table of them, below one root.
///
/// `suffix` is what follows the root in a name.
pub trait Object: Send + Sync {
    /// The value of one instance.
    fn get(&self, context: Context<'_>, suffix: &[u32]) -> GetResult;

    /// The instances whose suffix is greater than `suffix`, in order.
    ///
    /// `name` is the root when it is handed over.
    fn seek<'a>(&'a self, context: Context<'a>, suffix: &[u32]) -> Box<dyn Cursor + 'a>;

    /// Checks a new value of one instance, and stages the change (RFC 3416 §4.2.5).
    ///
    /// A handler sees through `Staging` what earlier variables of the request
    /// change. Objects are read-only unless they say otherwise.
    fn set(&self, _: &mut Staging<'_>, _suffix: &[u32], _: &Value) -> Result<(), ErrorStatus> {
        Err(ErrorStatus::NotWritable)
    }
}

/// Instances of an object in order.
pub trait Cursor {
    /// Writes the name of the next instance behind the root in `name`.
    fn next(&mut self, name: &mut Oid) -> Option<Value>;
}

/// An object with the one instance `0`.
///
/// The function answers `None` where the object does not exist, for instance
/// because no agent plays its role.
pub struct Scalar<F>(pub F);

impl<F: Fn(Context<'_>) -> Option<Value> + Send + Sync> Object for Scalar<F> {
    fn get(&self, context: Context<'_>, suffix: &[u32]) -> GetResult {
        match (self.0)(context) {
            None => GetResult::NoSuchObject,
            Some(value) if suffix == [0] => GetResult::Value(value),
            Some(_) => GetResult::NoSuchInstance,
        }
    }

    fn seek<'a>(&'a self, context: Context<'a>, suffix: &[u32]) -> Box<dyn Cursor + 'a> {
        let value = if suffix.is_empty() { (self.0)(context) } else { None };
        scalar_cursor(value)
    }
}

/// A walk over the one instance of a scalar, if there is a value.
pub(crate) fn scalar_cursor<'a>(value: Option<Value>) -> Box<dyn Cursor + 'a> {
    Box::new(ScalarCursor(value))
}

/// An object whose one instance `0` may be missing.
///
/// The function answers `None` where the object does not exist, and
/// `Some(None)` where it does and has no value.
pub(crate) struct SparseScalar<F>(pub(crate) F);

impl<F: Fn(Context<'_>) -> Option<Option<Value>> + Send + Sync> Object for SparseScalar<F> {
    fn get(&self, context: Context<'_>, suffix: &[u32]) -> GetResult {
        match (self.0)(context) {
            None => GetResult::NoSuchObject,
            Some(value) => value.filter(|_| suffix == [0]).into(),
        }
    }

    fn seek<'a>(&'a self, context: Context<'a>, suffix: &[u32]) -> Box<dyn Cursor + 'a> {
        let value = if suffix.is_empty() { (self.0)(context).flatten() } else { None };
        Box::new(ScalarCursor(value))
    }
}

struct ScalarCursor(Option<Value>);

impl Cursor for ScalarCursor {
    fn next(&mut self, name: &mut Oid) -> Option<Value> {
        let value = self.0.take()?;
        name.push(0);
        Some(value)
    }
}

/// Opens a table on the snapshot of a request.
pub trait TableSource: Send + Sync {
    type Table<'a>: Table;

    /// `None` where the table does not exist, for instance because no agent plays its role.
    fn open(context: Context<'_>) -> Option<Self::Table<'_>>;
}

/// A [`Table`] as an object; its root is the OID of the table.
pub struct TableObject<S>(pub S);

/// What writes to an object, as [`Object::set`] has it.
pub(crate) type Setter = fn(&mut Staging<'_>, &[u32], &Value) -> Result<(), ErrorStatus>;

/// An object with what is done when it is written.
pub(crate) struct Writable<O> {
    pub(crate) object: O,
    pub(crate) set: Setter,
}

impl<O: Object> Object for Writable<O> {
    fn get(&self, context: Context<'_>, suffix: &[u32]) -> GetResult {
        self.object.get(context, suffix)
    }

    fn seek<'a>(&'a self, context: Context<'a>, suffix: &[u32]) -> Box<dyn Cursor + 'a> {
        self.object.seek(context, suffix)
    }

    fn set(
        &self,
        staging: &mut Staging<'_>,
        suffix: &[u32],
        value: &Value,
    ) -> Result<(), ErrorStatus> {
        (self.set)(staging, suffix, value)
    }
}

/// The sub-identifier of the conceptual row below every table (RFC 2578 §7.1.12).
const ENTRY: u32 = 1;

impl<S: TableSource> Object for TableObject<S> {
    fn get(&self, context: Context<'_>, suffix: &[u32]) -> GetResult {
        let [ENTRY, column, index @ ..] = suffix else { return GetResult::NoSuchObject };
        let Some(column) = mibs::Column::from_sub_id(*column) else {
            return GetResult::NoSuchObject;
        };
        let Some(table) = S::open(context) else { return GetResult::NoSuchObject };
        table.row(index).and_then(|row| table.cell(&row, column)).into()
    }

    fn seek<'a>(&'a self, context: Context<'a>, suffix: &[u32]) -> Box<dyn Cursor + 'a> {
        match S::open(context) {
            Some(table) => Box::new(TableCursor::new(table, suffix)),
            None => Box::new(ScalarCursor(None)),
        }
    }
}

/// A walk over a table: column by column, the rows of each in order.
struct TableCursor<T: Table> {
    table: T,
    /// The columns still to be walked, the present one first.
    columns: &'static [T::Column],
    rows: T::Rows,
}

impl<T: Table> TableCursor<T> {
    fn new(table: T, suffix: &[u32]) -> Self {
        let all = T::Column::ALL;
        // Where in the subtree of the present column to start; nowhere if past the entry.
        let (columns, index) = match suffix {
            [] | [0, ..] => (all, &[][..]),
            [ENTRY, rest @ ..] => {
                let (column, index) = rest.split_first().unwrap_or((&0, &[]));
                let start = all.partition_point(|candidate| candidate.sub_id() < *column);
                let columns = all.get(start..).unwrap_or(&[]);
                let inside = columns.first().is_some_and(|first| first.sub_id() == *column);
                (columns, if inside { index } else { &[] })
            }
            _ => (&[][..], &[][..]),
        };
        let rows = table.rows_after(index);
        Self { table, columns, rows }
    }
}

impl<T: Table> Cursor for TableCursor<T> {
    fn next(&mut self, name: &mut Oid) -> Option<Value> {
        loop {
            let (&column, later) = self.columns.split_first()?;
            for row in self.rows.by_ref() {
                if let Some(value) = self.table.cell(&row, column) {
                    name.extend_from_slice(&[ENTRY, column.sub_id()]);
                    self.table.index(&row, name);
                    return Some(value);
                }
            }
            self.columns = later;
            self.rows = self.table.rows_after(&[]);
        }
    }
}
