//! `mip4ExtRegionalVisitorTable`: visitors that are registered within a region.

use mibs::mip4_ext_mib::mip4_ext_regional_visitor_table::Column;
use store::Visitor;
use store::wire::Lifetime;

use crate::mib::ext::visitors::{self, VisitorTable};
use crate::mib::mip_security_assoc::replay_method;
use crate::mib::{Context, TableSource};
use crate::{Oid, Table, Value};

/// Opens the table; it is absent where there are no regions.
pub(in crate::mib::ext) struct Source;

impl TableSource for Source {
    type Table<'a> = RegionalVisitorTable<'a>;

    fn open(context: Context<'_>) -> Option<RegionalVisitorTable<'_>> {
        super::is_present(context).then_some(())?;
        let all = visitors::Source::open(context)?;
        Some(RegionalVisitorTable { context, all })
    }
}

/// The visitors of [`VisitorTable`] that have a regional registration.
pub(in crate::mib::ext) struct RegionalVisitorTable<'a> {
    context: Context<'a>,
    all: VisitorTable<'a>,
}

impl<'a> Table for RegionalVisitorTable<'a> {
    type Column = Column;
    type Row = &'a Visitor;
    type Rows = Rows<'a>;

    fn row(&self, suffix: &[u32]) -> Option<&'a Visitor> {
        self.all.row(suffix).filter(|row| row.regional.is_some())
    }

    fn rows_after(&self, suffix: &[u32]) -> Self::Rows {
        Rows(self.all.rows_after(suffix))
    }

    fn index(&self, row: &&'a Visitor, name: &mut Oid) {
        self.all.index(row, name);
    }

    fn cell(&self, row: &&'a Visitor, column: Column) -> Option<Value> {
        let visit = row.regional.as_deref()?;
        Some(match column {
            Column::Gateway => visit.gateway.into(),
            Column::LocalCareOfAddress => visit.local_care_of_address.into(),
            Column::TimeGranted => Value::Gauge32(visit.lifetime_granted.0.into()),
            Column::TimeRemaining => {
                let now = self.context.owner_now(&row.instance);
                let left = visit.expires_at.map(|at| at.since(now).as_secs());
                Value::gauge32(left.unwrap_or_else(|| Lifetime::INFINITE.0.into()))
            }
            Column::Replay => replay_method(visit.replay),
            Column::Accepted => Value::Counter64(visit.accepted),
        })
    }
}

/// Those of all visitors that have a regional registration.
pub(in crate::mib::ext) struct Rows<'a>(visitors::Rows<'a>);

impl<'a> Iterator for Rows<'a> {
    type Item = &'a Visitor;

    fn next(&mut self) -> Option<&'a Visitor> {
        self.0.find(|row| row.regional.is_some())
    }
}
