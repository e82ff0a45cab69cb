//! `haCounterTable`, deprecated: the statistics of `haRegCounterTable` by home address.

use std::iter;
use std::net::Ipv4Addr;
use std::ops::Bound;

use mibs::mip_mib::ha_counter_table::Column;
use store::{Identity, NodeCounters, NodeKey, Role};

use super::agents::{PerAgent as _, rows_of};
use super::ha_mobility_binding::Bindings;
use super::ha_reg_counter::Statistics;
use super::{Context, TableSource, index};
use crate::{Oid, Table, Value};

/// Opens the table; it is absent where no home agent was ever configured.
pub(crate) struct Source;

impl TableSource for Source {
    type Table<'a> = HaCounterTable<'a>;

    fn open(context: Context<'_>) -> Option<HaCounterTable<'_>> {
        context.has_role(Role::HomeAgent).then_some(HaCounterTable { context })
    }
}

/// A row for each home address that has statistics: those of nodes that are
/// named by it, and of the node that has the newest binding of it.
#[derive(Clone, Copy)]
pub(crate) struct HaCounterTable<'a> {
    context: Context<'a>,
}

impl<'a> HaCounterTable<'a> {
    /// The home agents that have counted, as far as they are shown.
    fn agents(self) -> impl Iterator<Item = Ipv4Addr> {
        let agents = NodeCounters::agents(self.context.snapshot.rows::<NodeCounters>());
        agents.filter(move |agent| self.context.shows_agent(*agent))
    }

    /// The smallest home address from `start` on that may have statistics.
    fn home_address_from(self, start: Ipv4Addr) -> Option<Ipv4Addr> {
        let rows = self.context.snapshot.rows::<NodeCounters>();
        if rows.is_empty() {
            return None; // Else every binding would be looked at, for nothing.
        }
        let bound = Bindings::from(self.context, (start, Ipv4Addr::UNSPECIFIED)).next();
        let bound = bound.map(|binding| binding.home_address);
        let counted = self.agents().filter_map(|home_agent| {
            let key = NodeKey { home_agent, identity: Identity::Address(start) };
            match rows_of(rows, home_agent, key).next()?.identity {
                Identity::Address(address) => Some(address),
                Identity::Nai(_) => None,
            }
        });
        counted.chain(bound).min()
    }

    /// The statistics of `home_address`, if anything was counted.
    fn statistics(self, home_address: Ipv4Addr) -> Option<Statistics<'a>> {
        let rows = self.context.snapshot.rows::<NodeCounters>();
        let named = Identity::Address(home_address);
        let bound = Bindings::from(self.context, (home_address, Ipv4Addr::UNSPECIFIED))
            .take_while(|binding| binding.home_address == home_address)
            .max_by_key(|binding| binding.registered_at)
            .map(store::Binding::identity)
            .filter(|identity| *identity != named);
        let mut statistics: Option<Statistics<'a>> = None;
        for home_agent in self.agents() {
            for identity in iter::once(&named).chain(&bound) {
                let key = NodeKey { home_agent, identity: identity.clone() };
                if let Some(row) = rows.get(&key) {
                    let sum = statistics.get_or_insert_with(|| Statistics::new(&row.identity));
                    sum.add(self.context, row);
                }
            }
        }
        statistics
    }
}

/// Rows in the order of the home address.
pub(crate) struct HomeAddresses<'a> {
    table: HaCounterTable<'a>,
    next: Option<Ipv4Addr>,
}

impl<'a> Iterator for HomeAddresses<'a> {
    type Item = (Ipv4Addr, Statistics<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let address = self.table.home_address_from(self.next?)?;
            self.next = address.to_bits().checked_add(1).map(Ipv4Addr::from_bits);
            if let Some(statistics) = self.table.statistics(address) {
                return Some((address, statistics));
            }
        }
    }
}

impl<'a> Table for HaCounterTable<'a> {
    type Column = Column;
    type Row = (Ipv4Addr, Statistics<'a>);
    type Rows = HomeAddresses<'a>;

    fn row(&self, suffix: &[u32]) -> Option<Self::Row> {
        let address = index::exact::<4>(suffix)?.into();
        Some((address, self.statistics(address)?))
    }

    fn rows_after(&self, suffix: &[u32]) -> HomeAddresses<'a> {
        let next = match index::map(index::after::<4>(suffix), Ipv4Addr::from) {
            Bound::Included(address) => Some(address),
            Bound::Excluded(address) => address.to_bits().checked_add(1).map(Ipv4Addr::from_bits),
            Bound::Unbounded => Some(Ipv4Addr::UNSPECIFIED),
        };
        HomeAddresses { table: *self, next }
    }

    fn index(&self, (address, _): &Self::Row, name: &mut Oid) {
        name.extend_from_octets(&address.octets());
    }

    fn cell(&self, (_, row): &Self::Row, column: Column) -> Option<Value> {
        Some(match column {
            Column::ServiceRequestsAccepted => row.accepted(),
            Column::ServiceRequestsDenied => row.denied(),
            Column::OverallServiceTime => row.service_time(),
            Column::RecentServiceAcceptedTime => row.accepted_time(self.context),
            Column::RecentServiceDeniedTime => row.denied_time(self.context),
            Column::RecentServiceDeniedCode => {
                // The enumeration is closed: other codes, and none, have no value in it.
                let code = row.denied_code().filter(|code| (128..=136).contains(code))?;
                Value::Integer32(code.into())
            }
        })
    }
}

#[cfg(test)]
mod tests;
