//! `mip4ExtBindingTargetTable` and `mip4ExtVisitorTargetTable`: what became of each target.
//!
//! There may be very many, and the order of an index is that of the keys in the store: one search
//! finds a place, as in the tables of bindings and visitors, whose indexes are part of these.

use std::sync::Arc;

use mibs::mip4_ext_mib::{mip4_ext_binding_target_table, mip4_ext_visitor_target_table};
use store::{
    OperationId, OperationTarget, OperationTargetKey, TargetKey, TargetResult, TargetState,
};

use super::{date_and_time, result_number};
use crate::mib::ext::{bindings, visitors};
use crate::mib::{Context, TableSource};
use crate::{Oid, Table, Value};

/// Opens the table of bindings.
pub(super) struct BindingTargets;

/// Opens the table of visitors.
pub(super) struct VisitorTargets;

impl TableSource for BindingTargets {
    type Table<'a> = Targets<'a, Bindings>;

    fn open(context: Context<'_>) -> Option<Targets<'_, Bindings>> {
        Some(Targets { context, kind: Bindings })
    }
}

impl TableSource for VisitorTargets {
    type Table<'a> = Targets<'a, Visitors>;

    fn open(context: Context<'_>) -> Option<Targets<'_, Visitors>> {
        Some(Targets { context, kind: Visitors })
    }
}

/// What the two tables do not share.
pub(super) trait Kind: Copy {
    type Column: mibs::Column;

    /// The index of a target behind the number of its operation; `None` if it is in the other table.
    fn index(target: &TargetKey) -> Option<Oid>;
    /// A key from which on all are found whose index is greater than `suffix` or equal to it;
    /// `None` if nothing can be.
    fn start(suffix: &[u32]) -> Option<TargetKey>;
    fn cell(row: &OperationTarget, column: Self::Column) -> Option<Value>;
}

#[derive(Clone, Copy)]
pub(super) struct Bindings;

#[derive(Clone, Copy)]
pub(super) struct Visitors;

impl Kind for Bindings {
    type Column = mip4_ext_binding_target_table::Column;

    fn index(target: &TargetKey) -> Option<Oid> {
        match target {
            TargetKey::Binding(key) => Some(bindings::index_of(key)),
            TargetKey::Visitor(_) | TargetKey::Registration(_) => None,
        }
    }

    fn start(suffix: &[u32]) -> Option<TargetKey> {
        bindings::start_after(suffix).map(TargetKey::Binding)
    }

    fn cell(row: &OperationTarget, column: Self::Column) -> Option<Value> {
        use mip4_ext_binding_target_table::Column;
        match column {
            Column::State => Some(state(row)),
            Column::Code => Some(code(row)),
            Column::Messages => Some(Value::Gauge32(row.messages)),
            Column::EndedAt => row.ended_at.map(date_and_time),
        }
    }
}

impl Kind for Visitors {
    type Column = mip4_ext_visitor_target_table::Column;

    fn index(target: &TargetKey) -> Option<Oid> {
        match target {
            TargetKey::Visitor(key) => Some(visitors::index_of_key(key)),
            TargetKey::Binding(_) | TargetKey::Registration(_) => None,
        }
    }

    fn start(suffix: &[u32]) -> Option<TargetKey> {
        visitors::start_after(suffix).map(TargetKey::Visitor)
    }

    fn cell(row: &OperationTarget, column: Self::Column) -> Option<Value> {
        use mip4_ext_visitor_target_table::Column;
        match column {
            Column::State => Some(state(row)),
            Column::Code => Some(code(row)),
            Column::Messages => Some(Value::Gauge32(row.messages)),
            Column::EndedAt => row.ended_at.map(date_and_time),
        }
    }
}

pub(super) fn state(row: &OperationTarget) -> Value {
    Value::Integer32(match row.state {
        TargetState::Pending => 1,
        TargetState::Sent => 2,
        TargetState::Ended(result) => i32::try_from(result_number(result)).unwrap_or(1),
    })
}

pub(super) fn code(row: &OperationTarget) -> Value {
    Value::Gauge32(match row.state {
        TargetState::Ended(TargetResult::Denied(code)) => code.0.into(),
        _ => 0,
    })
}

#[derive(Clone, Copy)]
pub(super) struct Targets<'a, K> {
    context: Context<'a>,
    kind: K,
}

type Entries<'a> = Box<dyn Iterator<Item = &'a Arc<OperationTarget>> + 'a>;

/// Targets in the order of their indexes. Of names that agree in what an index holds, one is shown.
pub(super) struct Rows<'a, K> {
    entries: Entries<'a>,
    /// Rows up to this index are passed over.
    after: Option<Oid>,
    kind: K,
}

fn index_of<K: Kind>(_: K, row: &OperationTarget) -> Option<Oid> {
    let mut index = Oid::from([row.id.0]);
    index.extend_from_slice(&K::index(&row.target)?);
    Some(index)
}

impl<'a, K: Kind> Iterator for Rows<'a, K> {
    type Item = &'a Arc<OperationTarget>;

    fn next(&mut self) -> Option<&'a Arc<OperationTarget>> {
        loop {
            let row = self.entries.next()?;
            let Some(index) = index_of(self.kind, row) else { continue };
            if self.after.as_ref().is_some_and(|after| index[..] <= after[..]) {
                continue;
            }
            self.after = Some(index);
            return Some(row);
        }
    }
}

impl<'a, K: Kind> Targets<'a, K> {
    /// From the first row on that can come at `suffix` or behind it.
    fn from(&self, suffix: &[u32]) -> Entries<'a> {
        let first = |id| K::start(&[]).map(|target| OperationTargetKey { id, target });
        let start = match suffix.split_first() {
            None => first(OperationId(0)),
            Some((&id, rest)) => match K::start(rest) {
                Some(target) => Some(OperationTargetKey { id: OperationId(id), target }),
                None => id.checked_add(1).and_then(|id| first(OperationId(id))),
            },
        };
        let rows = self.context.snapshot.rows::<OperationTarget>();
        match start {
            Some(start) => {
                let (context, rows) = (self.context, rows.range(start..));
                let rows = rows.map(|(_, entry)| &entry.row);
                Box::new(rows.filter(move |row| context.shows(&row.owner.instance)))
            }
            None => Box::new(std::iter::empty()),
        }
    }
}

impl<'a, K: Kind> Table for Targets<'a, K> {
    type Column = K::Column;
    type Row = &'a Arc<OperationTarget>;
    type Rows = Rows<'a, K>;

    fn row(&self, suffix: &[u32]) -> Option<&'a Arc<OperationTarget>> {
        // Few keys have one index, and no more of them are looked at than that.
        let mut near = self.from(suffix).take_while(|row| suffix.first() == Some(&row.id.0));
        near.find_map(|row| {
            let index = index_of(self.kind, row)?;
            (index[..] >= *suffix).then_some((index, row))
        })
        .filter(|(index, _)| index[..] == *suffix)
        .map(|(_, row)| row)
    }

    fn rows_after(&self, suffix: &[u32]) -> Rows<'a, K> {
        let after = (!suffix.is_empty()).then(|| Oid::from(suffix));
        Rows { entries: self.from(suffix), after, kind: self.kind }
    }

    fn index(&self, row: &&'a Arc<OperationTarget>, name: &mut Oid) {
        if let Some(index) = index_of(self.kind, row) {
            name.extend_from_slice(&index);
        }
    }

    fn cell(&self, row: &&'a Arc<OperationTarget>, column: K::Column) -> Option<Value> {
        K::cell(row, column)
    }
}
