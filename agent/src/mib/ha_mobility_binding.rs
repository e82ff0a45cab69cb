//! `haMobilityBindingTable`: the binding lists of all home agents.

use std::net::Ipv4Addr;
use std::ops::Bound;

use mibs::mip_mib::ha_mobility_binding_table::Column;
use store::{Binding, BindingKey, Role};

use super::agents::Merged;
use super::{Context, TableSource, flags, identity, index};
use crate::{Oid, Table, Value};

/// Opens the table; it is absent where no home agent was ever configured.
pub(crate) struct Source;

impl TableSource for Source {
    type Table<'a> = HaMobilityBindingTable<'a>;

    fn open(context: Context<'_>) -> Option<HaMobilityBindingTable<'_>> {
        context.has_role(Role::HomeAgent).then_some(HaMobilityBindingTable { context })
    }
}

/// The bindings as they are in one snapshot.
///
/// The index is home address and care-of address alone. Where several bindings
/// share it, of home agents or of nodes that use one dummy address, the newest
/// is shown; our own MIB shows all.
#[derive(Clone, Copy)]
pub(crate) struct HaMobilityBindingTable<'a> {
    pub(crate) context: Context<'a>,
}

/// What the index says: home address, care-of address.
type Index = (Ipv4Addr, Ipv4Addr);

fn index_of(binding: &Binding) -> Index {
    (binding.home_address, binding.care_of_address)
}

fn from_octets([a, b, c, d, e, f, g, h]: [u8; 8]) -> Index {
    (Ipv4Addr::new(a, b, c, d), Ipv4Addr::new(e, f, g, h))
}

/// The octets that follow `octets` in the order of indexes.
fn following(octets: [u8; 8]) -> Option<[u8; 8]> {
    u64::from_be_bytes(octets).checked_add(1).map(u64::to_be_bytes)
}

/// Bindings in the order of the index, the newest where it has several.
pub(crate) struct Bindings<'a>(Option<Merged<'a, Binding, Index>>);

impl<'a> Bindings<'a> {
    /// Those whose index is `start` or greater.
    pub(crate) fn from(context: Context<'a>, start: Index) -> Self {
        let (home_address, care_of_address) = start;
        Self(Some(Merged::new(context, index_of, |home_agent| BindingKey {
            home_agent,
            home_address,
            care_of_address,
            nai: None,
        })))
    }
}

impl<'a> Iterator for Bindings<'a> {
    type Item = &'a Binding;

    fn next(&mut self) -> Option<&'a Binding> {
        let merged = self.0.as_mut()?;
        let mut newest = merged.next_row()?;
        let index = index_of(newest);
        while let Some(other) = merged.next_if(|other| index_of(other) == index) {
            if other.registered_at > newest.registered_at {
                newest = other;
            }
        }
        Some(newest)
    }
}

impl<'a> Table for HaMobilityBindingTable<'a> {
    type Column = Column;
    type Row = &'a Binding;
    type Rows = Bindings<'a>;

    fn row(&self, suffix: &[u32]) -> Option<&'a Binding> {
        let index = from_octets(index::exact(suffix)?);
        Bindings::from(self.context, index).next().filter(|binding| index_of(binding) == index)
    }

    fn rows_after(&self, suffix: &[u32]) -> Bindings<'a> {
        let start = match index::after::<8>(suffix) {
            Bound::Included(octets) => Some(octets),
            Bound::Excluded(octets) => following(octets),
            Bound::Unbounded => Some([0; 8]),
        };
        start.map_or(Bindings(None), |octets| Bindings::from(self.context, from_octets(octets)))
    }

    fn index(&self, binding: &&'a Binding, name: &mut Oid) {
        let [a, b, c, d] = binding.home_address.octets();
        let [e, f, g, h] = binding.care_of_address.octets();
        // At once: this is done for every variable of a walk.
        name.extend_from_slice(&[a, b, c, d, e, f, g, h].map(u32::from));
    }

    fn cell(&self, binding: &&'a Binding, column: Column) -> Option<Value> {
        Some(match column {
            Column::Mn => binding.home_address.into(),
            Column::Coa => binding.care_of_address.into(),
            Column::SourceAddress => (*binding.source.ip()).into(),
            Column::RegFlags => flags::registration_flags(binding.flags),
            Column::RegIdLow => Value::Gauge32(binding.identification.low()),
            Column::RegIdHigh => Value::Gauge32(binding.identification.high()),
            Column::TimeGranted => Value::Gauge32(binding.lifetime_granted.0.into()),
            Column::TimeRemaining => self.time_remaining(binding),
            Column::MnIdType => identity::kind_of(binding.nai.as_ref()),
            Column::MnId => identity::identifier_of(binding.nai.as_ref(), binding.home_address),
            Column::Ha => binding.home_agent.into(),
            Column::Nai => identity::full_nai(binding.nai.as_ref()),
            // Nothing forwards yet, so nothing is counted.
            Column::InPkts | Column::InOctets | Column::OutPkts | Column::OutOctets => return None,
        })
    }
}

impl HaMobilityBindingTable<'_> {
    /// Seconds to expiry. A binding that never expires keeps what was granted:
    /// 65535, which is infinity (RFC 5944 §3.3; a reading).
    fn time_remaining(&self, binding: &Binding) -> Value {
        let owner_now = self.context.owner_now(&binding.instance);
        let granted = binding.lifetime_granted.0;
        Value::gauge32(binding.remaining_seconds(owner_now).unwrap_or(granted.into()))
    }
}

/// `haRegMobilityBindingCount`: how many rows the table has.
pub(super) fn count(context: Context<'_>) -> Option<Value> {
    Source::open(context)?;
    let rows = context.snapshot.rows::<Binding>();
    let pairs = if rows.home_agents().all(|agent| context.shows_agent(agent)) {
        rows.by_mib_index().len() // Which is known without counting.
    } else {
        Bindings::from(context, from_octets([0; 8])).count()
    };
    Some(Value::gauge32(u64::try_from(pairs).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests;
