//! `faVisitorTable`, deprecated: visitors by the source address of their request.

use std::iter::Peekable;
use std::net::Ipv4Addr;
use std::ops::Bound;
use std::sync::Arc;

use mibs::mip_mib::fa_visitor_table::Column;
use store::{Role, Visitor};

use super::fa_reg_visitor::time_remaining;
use super::{Context, TableSource, flags, index};
use crate::{Oid, Table, Value};

/// Opens the table; it is absent where no foreign agent was ever configured.
pub(crate) struct Source;

impl TableSource for Source {
    type Table<'a> = FaVisitorTable<'a>;

    fn open(context: Context<'_>) -> Option<FaVisitorTable<'_>> {
        context.has_role(Role::ForeignAgent).then_some(FaVisitorTable { context })
    }
}

/// Of several visitors with one source, the one heard last is shown.
#[derive(Clone, Copy)]
pub(crate) struct FaVisitorTable<'a> {
    context: Context<'a>,
}

type Sources<'a> = Peekable<Box<dyn Iterator<Item = &'a Arc<Visitor>> + 'a>>;

/// Visitors in the order of their source.
pub(crate) struct Visitors<'a>(Sources<'a>);

impl<'a> Visitors<'a> {
    fn from(context: Context<'a>, start: Option<Ipv4Addr>) -> Self {
        let rows: Box<dyn Iterator<Item = &'a Arc<Visitor>> + 'a> = match start {
            Some(start) => {
                let rows = context.snapshot.rows::<Visitor>().by_source_from(start);
                Box::new(rows.filter(move |row| context.shows_agent(row.foreign_agent)))
            }
            None => Box::new(std::iter::empty()),
        };
        Self(rows.peekable())
    }
}

impl<'a> Iterator for Visitors<'a> {
    type Item = &'a Visitor;

    fn next(&mut self) -> Option<&'a Visitor> {
        let mut latest: &'a Visitor = self.0.next()?;
        let source = *latest.source.ip();
        while let Some(other) = self.0.next_if(|row| *row.source.ip() == source) {
            if other.registered_at > latest.registered_at {
                latest = other;
            }
        }
        Some(latest)
    }
}

impl<'a> Table for FaVisitorTable<'a> {
    type Column = Column;
    type Row = &'a Visitor;
    type Rows = Visitors<'a>;

    fn row(&self, suffix: &[u32]) -> Option<&'a Visitor> {
        let source = index::exact::<4>(suffix)?.into();
        Visitors::from(self.context, Some(source)).next().filter(|row| *row.source.ip() == source)
    }

    fn rows_after(&self, suffix: &[u32]) -> Visitors<'a> {
        let start = match index::map(index::after::<4>(suffix), Ipv4Addr::from) {
            Bound::Included(address) => Some(address),
            Bound::Excluded(address) => address.to_bits().checked_add(1).map(Ipv4Addr::from_bits),
            Bound::Unbounded => Some(Ipv4Addr::UNSPECIFIED),
        };
        Visitors::from(self.context, start)
    }

    fn index(&self, row: &&'a Visitor, name: &mut Oid) {
        name.extend_from_octets(&row.source.ip().octets());
    }

    fn cell(&self, row: &&'a Visitor, column: Column) -> Option<Value> {
        Some(match column {
            Column::IpAddress => (*row.source.ip()).into(),
            Column::HomeAddress => row.home_address.into(),
            Column::HomeAgentAddress => row.home_agent.into(),
            Column::TimeGranted => Value::Integer32(row.lifetime_granted.0.into()),
            Column::TimeRemaining => time_remaining(self.context, row),
            Column::RegFlags => flags::registration_flags(row.flags),
            // Integer32 here: the same 32 bits.
            Column::RegIdLow => Value::Integer32(row.identification.low().cast_signed()),
            Column::RegIdHigh => Value::Integer32(row.identification.high().cast_signed()),
            Column::RegIsAccepted => Value::truth(row.accepted),
        })
    }
}
