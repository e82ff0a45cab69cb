//! `mip4ExtBindingTable`: bindings by their full key.
//!
//! The index ends with the octets of the NAI, without their length, or with the
//! one octet 0, which no NAI has: so the order of indexes is that of the keys,
//! and one search finds a place among any number of nodes with one address.

use std::net::Ipv4Addr;
use std::ops::Bound;
use std::sync::Arc;

use mibs::mip4_ext_mib::mip4_ext_binding_table::Column;
use store::wire::Nai;
use store::{Binding, BindingKey, Entry, Role, Row as _};

use super::{
    KEY_LEN_MAX, address_or_zero, admin_string, age, encapsulation, is_stale, push_implied,
};
use crate::mib::agents::PerAgent as _;
use crate::mib::{Context, TableSource, flags, identity, index};
use crate::{Oid, Table, Value};

/// `mip4ExtBindingCount`.
pub(super) fn count(context: Context<'_>) -> Option<Value> {
    Source::open(context)?;
    let rows = context.snapshot.rows::<Binding>();
    let shown = rows.home_agents().filter(|agent| context.shows_agent(*agent));
    Some(super::instances::gauge(shown.map(|agent| rows.count_of(agent)).sum()))
}

/// Opens the table; it is absent where no home agent was ever configured.
pub(super) struct Source;

impl TableSource for Source {
    type Table<'a> = BindingTable<'a>;

    fn open(context: Context<'_>) -> Option<BindingTable<'_>> {
        context.has_role(Role::HomeAgent).then_some(BindingTable { context })
    }
}

pub(super) struct BindingTable<'a> {
    context: Context<'a>,
}

type Entries<'a> = Box<dyn Iterator<Item = (&'a BindingKey, &'a Entry<Binding>)> + 'a>;

/// Bindings in the order of the index; of several with one index the one registered last.
pub(super) struct Rows<'a> {
    entries: std::iter::Peekable<Entries<'a>>,
    /// Rows up to this index are passed over.
    after: Option<Oid>,
}

pub(super) fn index_of(key: &BindingKey) -> Oid {
    let mut index = Oid::new();
    for address in [key.home_agent, key.home_address, key.care_of_address] {
        index.extend_from_octets(&address.octets());
    }
    match &key.nai {
        Some(nai) => push_implied(&mut index, nai.as_str()),
        None => index.push(0),
    }
    index
}

/// Whether two keys have the same index.
fn share_index(one: &BindingKey, other: &BindingKey) -> bool {
    let addresses = |key: &BindingKey| (key.home_agent, key.home_address, key.care_of_address);
    let octets = |key: &BindingKey| {
        let nai = key.nai.as_ref().map(|nai| nai.as_str().as_bytes().to_vec());
        nai.map(|octets| octets.get(..KEY_LEN_MAX).unwrap_or(&octets).to_vec())
    };
    addresses(one) == addresses(other) && (one.nai == other.nai || octets(one) == octets(other))
}

impl<'a> Iterator for Rows<'a> {
    type Item = &'a Arc<Binding>;

    fn next(&mut self) -> Option<&'a Arc<Binding>> {
        loop {
            let (key, entry) = self.entries.next()?;
            let mut newest = &entry.row;
            // Longer names than an index holds are rare, equal starts rarer.
            if key.nai.as_ref().is_some_and(|nai| nai.as_str().len() >= KEY_LEN_MAX) {
                while let Some((_, other)) =
                    self.entries.next_if(|(next, _)| share_index(key, next))
                {
                    if other.row.registered_at > newest.registered_at {
                        newest = &other.row;
                    }
                }
            }
            match &self.after {
                Some(after) if *index_of(key) <= **after => {}
                _ => {
                    self.after = None;
                    return Some(newest);
                }
            }
        }
    }
}

/// The key of three addresses, without a NAI: the first that has them.
fn first_key(octets: [u8; 12]) -> BindingKey {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = octets;
    BindingKey {
        home_agent: Ipv4Addr::new(a, b, c, d),
        home_address: Ipv4Addr::new(e, f, g, h),
        care_of_address: Ipv4Addr::new(i, j, k, l),
        nai: None,
    }
}

/// A key from which on everything is found whose index is greater than `suffix`,
/// perhaps behind some that are not; `None` if nothing can be.
pub(super) fn start_after(suffix: &[u32]) -> Option<BindingKey> {
    let (addresses, name) = suffix.split_at(suffix.len().min(12));
    let Some(octets) = index::exact::<12>(addresses) else {
        return Some(first_key(match index::after::<12>(addresses) {
            Bound::Included(octets) => octets,
            Bound::Excluded(octets) => following(octets)?,
            Bound::Unbounded => [0; 12],
        }));
    };
    let key = first_key(octets);
    // The longest start of a NAI that the octets give is not after what follows them.
    let octets: Vec<u8> = name.iter().map_while(|&sub_id| u8::try_from(sub_id).ok()).collect();
    let valid = match std::str::from_utf8(&octets) {
        Ok(text) => text,
        Err(error) => octets
            .get(..error.valid_up_to())
            .and_then(|valid| std::str::from_utf8(valid).ok())
            .unwrap_or(""),
    };
    Some(BindingKey { nai: Nai::new(valid).ok(), ..key })
}

fn following(octets: [u8; 12]) -> Option<[u8; 12]> {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = octets;
    let number = u128::from_be_bytes([0, 0, 0, 0, a, b, c, d, e, f, g, h, i, j, k, l]);
    let [_, _, _, none, a, b, c, d, e, f, g, h, i, j, k, l] = (number + 1).to_be_bytes();
    // All ones are followed by nothing.
    (none == 0).then_some([a, b, c, d, e, f, g, h, i, j, k, l])
}

impl<'a> BindingTable<'a> {
    fn from(&self, start: Option<BindingKey>, after: Option<Oid>) -> Rows<'a> {
        let rows = self.context.snapshot.rows::<Binding>();
        let entries: Entries<'a> = match start {
            Some(start) if self.context.instance.is_none() => Box::new(rows.range(start..)),
            Some(start) => Box::new(self.shown_from(start)),
            None => Box::new(std::iter::empty()),
        };
        Rows { entries: entries.peekable(), after }
    }
}

impl<'a> BindingTable<'a> {
    /// The rows from `start` on of the agents that are shown: a search for each of them.
    fn shown_from(
        &self,
        start: BindingKey,
    ) -> impl Iterator<Item = (&'a BindingKey, &'a Entry<Binding>)> + use<'a> {
        let context = self.context;
        let rows = context.snapshot.rows::<Binding>();
        let agents = rows.home_agents().filter(move |agent| context.shows_agent(*agent));
        agents.flat_map(move |agent| {
            let first = Binding::first_key(agent).max(start.clone());
            rows.range(first..).take_while(move |(key, _)| key.home_agent == agent)
        })
    }
}

impl<'a> Table for BindingTable<'a> {
    type Column = Column;
    type Row = &'a Arc<Binding>;
    type Rows = Rows<'a>;

    fn row(&self, suffix: &[u32]) -> Option<&'a Arc<Binding>> {
        let (addresses, name) = suffix.split_at_checked(12)?;
        let key = first_key(index::exact::<12>(addresses)?);
        let nai = match name {
            [0] => None,
            _ => {
                let octets: Option<Vec<u8>> =
                    name.iter().map(|&sub_id| u8::try_from(sub_id).ok()).collect();
                Some(Nai::new(std::str::from_utf8(&octets?).ok()?).ok()?)
            }
        };
        let row = self.from(Some(BindingKey { nai, ..key }), None).next()?;
        (*index_of(&row.key()) == *suffix).then_some(row)
    }

    fn rows_after(&self, suffix: &[u32]) -> Rows<'a> {
        let after = (suffix.len() > 12).then(|| Oid::from(suffix));
        self.from(start_after(suffix), after)
    }

    fn index(&self, row: &&'a Arc<Binding>, name: &mut Oid) {
        name.extend_from_slice(&index_of(&row.key()));
    }

    fn cell(&self, row: &&'a Arc<Binding>, column: Column) -> Option<Value> {
        let owner_now = self.context.owner_now(&row.instance);
        let granted = row.lifetime_granted.0;
        Some(match column {
            Column::Nai => identity::full_nai(row.nai.as_ref()),
            Column::SourceAddress => (*row.source.ip()).into(),
            Column::SourcePort => Value::Gauge32(row.source.port().into()),
            Column::LocalAddress => (*row.local.ip()).into(),
            Column::LocalPort => Value::Gauge32(row.local.port().into()),
            Column::ForeignAgent => address_or_zero(row.foreign_agent),
            Column::Flags => flags::registration_flags(row.flags),
            Column::Encapsulation => encapsulation(row.flags),
            Column::Spi => Value::Gauge32(row.spi.0),
            Column::Revocation => Value::truth(row.revocation.is_some()),
            Column::RevocationPeerInform => Value::truth(row.revocation?.peer_inform),
            Column::RevocationOwnInform => Value::truth(row.revocation?.own_inform),
            Column::Age => age(owner_now, row.created_at),
            Column::RegistrationAge => age(owner_now, row.registered_at),
            Column::TimeGranted => Value::Gauge32(granted.into()),
            Column::TimeRemaining => {
                Value::gauge32(row.remaining_seconds(owner_now).unwrap_or(granted.into()))
            }
            Column::Instance => admin_string(&row.instance),
            Column::Stale => Value::truth(is_stale(self.context, &row.instance)),
            // Nothing forwards yet, so nothing is counted.
            Column::InPkts | Column::InOctets | Column::OutPkts | Column::OutOctets => return None,
        })
    }
}
