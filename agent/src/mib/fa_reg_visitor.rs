//! `faRegVisitorTable`: the visitor lists of all foreign agents.

use mibs::mip_mib::fa_reg_visitor_table::Column;
use store::{Identity, Role, Visitor, VisitorKey};

use super::agents::Merged;
use super::{Context, TableSource, flags, identity};
use crate::{Oid, Table, Value};

/// Opens the table; it is absent where no foreign agent was ever configured.
pub(crate) struct Source;

impl TableSource for Source {
    type Table<'a> = FaRegVisitorTable<'a>;

    fn open(context: Context<'_>) -> Option<FaRegVisitorTable<'_>> {
        context.has_role(Role::ForeignAgent).then_some(FaRegVisitorTable { context })
    }
}

/// The index is the identifier alone. A node that is registered through several
/// foreign agents, or has several home addresses, is shown as it was heard last.
#[derive(Clone, Copy)]
pub(crate) struct FaRegVisitorTable<'a> {
    context: Context<'a>,
}

/// Visitors in the order of the index, the latest where it has several.
pub(crate) struct Visitors<'a> {
    merged: Option<Merged<'a, Visitor, &'a Identity>>,
    /// Visitors up to this index are passed over.
    after: Oid,
}

impl<'a> Visitors<'a> {
    fn new(context: Context<'a>, start: Option<Identity>, after: &[u32]) -> Self {
        let merged = start.map(|identity| {
            let rank = |row: &'a Visitor| &row.identity;
            Merged::new(context, rank, |foreign_agent| VisitorKey {
                foreign_agent,
                identity: identity.clone(),
                home_address: std::net::Ipv4Addr::UNSPECIFIED,
            })
        });
        Self { merged, after: Oid::from(after) }
    }

    fn gather(&mut self) -> Option<&'a Visitor> {
        let merged = self.merged.as_mut()?;
        let mut latest = merged.next_row()?;
        while let Some(other) =
            merged.next_if(|row| identity::same_index(&row.identity, &latest.identity))
        {
            if other.registered_at > latest.registered_at {
                latest = other;
            }
        }
        Some(latest)
    }
}

fn index_of(row: &Visitor) -> Oid {
    let mut index = Oid::new();
    identity::push(&mut index, &row.identity);
    index
}

impl<'a> Iterator for Visitors<'a> {
    type Item = &'a Visitor;

    fn next(&mut self) -> Option<&'a Visitor> {
        loop {
            let row = self.gather()?;
            if self.after.is_empty() || *index_of(row) > *self.after {
                self.after = Oid::new();
                return Some(row);
            }
        }
    }
}

impl<'a> Table for FaRegVisitorTable<'a> {
    type Column = Column;
    type Row = &'a Visitor;
    type Rows = Visitors<'a>;

    fn row(&self, suffix: &[u32]) -> Option<&'a Visitor> {
        let start = identity::exact(suffix)?;
        let row = Visitors::new(self.context, Some(start), &[]).next()?;
        (*index_of(row) == *suffix).then_some(row)
    }

    fn rows_after(&self, suffix: &[u32]) -> Visitors<'a> {
        Visitors::new(self.context, identity::first_after(suffix), suffix)
    }

    fn index(&self, row: &&'a Visitor, name: &mut Oid) {
        identity::push(name, &row.identity);
    }

    fn cell(&self, row: &&'a Visitor, column: Column) -> Option<Value> {
        Some(match column {
            Column::HomeAddress => row.home_address.into(),
            Column::HomeAgentAddress => row.home_agent.into(),
            Column::TimeGranted => Value::Integer32(row.lifetime_granted.0.into()),
            Column::TimeRemaining => time_remaining(self.context, row),
            Column::RegFlags => flags::registration_flags(row.flags),
            Column::RegIdLow => Value::Gauge32(row.identification.low()),
            Column::RegIdHigh => Value::Gauge32(row.identification.high()),
            Column::RegIsAccepted => Value::truth(row.accepted),
            Column::DeliveryStyle => {
                Value::Integer32(if row.encapsulating_delivery { 2 } else { 1 })
            }
            Column::Nai => match &row.identity {
                Identity::Nai(nai) => identity::full_nai(Some(nai)),
                Identity::Address(_) => identity::full_nai(None),
            },
            // Nothing forwards yet, so nothing is counted.
            Column::InPkts | Column::InOctets | Column::OutPkts | Column::OutOctets => return None,
        })
    }
}

/// Seconds to expiry: 0 while the reply is awaited; what was granted if it never expires.
pub(super) fn time_remaining(context: Context<'_>, row: &Visitor) -> Value {
    let left = row.remaining_seconds(context.owner_now(&row.instance));
    let left = left.unwrap_or(row.lifetime_granted.0.into());
    Value::gauge32(if row.accepted { left } else { 0 })
}

/// `faRegVisitorCount`: how many rows the table has.
pub(super) fn count(context: Context<'_>) -> Option<Value> {
    let rows = Source::open(context)?.rows_after(&[]).count();
    Some(Value::gauge32(u64::try_from(rows).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests;
