//! `mip4ExtVisitorTable`: visitors by their full key.

use std::net::Ipv4Addr;

use mibs::mip4_ext_mib::mip4_ext_visitor_table::Column;
use store::{Identity, Role, Visitor, VisitorKey};

use super::{admin_string, age, encapsulation, is_stale};
use crate::mib::{Context, TableSource, fa_reg_visitor, flags, identity, index};
use crate::{Oid, Table, Value};

/// `mip4ExtVisitorCount`.
pub(super) fn count(context: Context<'_>) -> Option<Value> {
    Source::open(context)?;
    let rows = context.snapshot.rows::<Visitor>();
    let count = match context.instance {
        None => rows.len(),
        Some(_) => rows.iter().filter(|row| context.shows_agent(row.foreign_agent)).count(),
    };
    Some(super::instances::gauge(count))
}

/// Opens the table; it is absent where no foreign agent was ever configured.
pub(super) struct Source;

impl TableSource for Source {
    type Table<'a> = VisitorTable<'a>;

    fn open(context: Context<'_>) -> Option<VisitorTable<'_>> {
        context.has_role(Role::ForeignAgent).then_some(VisitorTable { context })
    }
}

pub(super) struct VisitorTable<'a> {
    context: Context<'a>,
}

fn index_of(row: &Visitor) -> Oid {
    index_from(row.foreign_agent, &row.identity, row.home_address)
}

/// The index that the visitor of that key has, or had.
pub(super) fn index_of_key(key: &VisitorKey) -> Oid {
    index_from(key.foreign_agent, &key.identity, key.home_address)
}

fn index_from(foreign_agent: Ipv4Addr, identity: &Identity, home_address: Ipv4Addr) -> Oid {
    let mut index = Oid::new();
    index.extend_from_octets(&foreign_agent.octets());
    identity::push(&mut index, identity);
    index.extend_from_octets(&home_address.octets());
    index
}

/// Visitors in the order of the index. Names that agree in all octets that an
/// index holds are sorted together by home address; of one the latest is shown.
pub(super) struct Rows<'a> {
    later: std::iter::Peekable<Box<dyn Iterator<Item = &'a Visitor> + 'a>>,
    /// The rows of the present name, the next one last.
    name: Vec<&'a Visitor>,
    /// Rows up to this index are passed over.
    after: Option<Oid>,
}

impl Rows<'_> {
    fn next_name(&mut self) -> Option<()> {
        let first = self.later.next()?;
        self.name.push(first);
        let is_same = |row: &&Visitor| {
            row.foreign_agent == first.foreign_agent
                && identity::same_index(&row.identity, &first.identity)
        };
        while let Some(row) = self.later.next_if(is_same) {
            self.name.push(row);
        }
        let latest_first = |row: &&Visitor| std::cmp::Reverse(row.registered_at);
        self.name.sort_by_key(|row| (row.home_address, latest_first(row)));
        self.name.dedup_by_key(|row| row.home_address);
        self.name.reverse();
        Some(())
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = &'a Visitor;

    fn next(&mut self) -> Option<&'a Visitor> {
        loop {
            while let Some(row) = self.name.pop() {
                match &self.after {
                    Some(after) if *index_of(row) <= **after => {}
                    _ => {
                        self.after = None;
                        return Some(row);
                    }
                }
            }
            self.next_name()?;
        }
    }
}

/// How many sub-identifiers an identity takes at the start of `suffix`, if it is one.
fn identity_len(suffix: &[u32]) -> Option<usize> {
    match suffix {
        [2, ..] => Some(6),
        [3, len, ..] => usize::try_from(*len).ok()?.checked_add(2),
        _ => None,
    }
}

/// A key from which on everything is found whose index is greater than `suffix`.
pub(super) fn start_after(suffix: &[u32]) -> Option<VisitorKey> {
    let (agent, rest) = suffix.split_at(suffix.len().min(4));
    let key = |foreign_agent: Ipv4Addr, identity| VisitorKey {
        foreign_agent,
        identity,
        home_address: Ipv4Addr::UNSPECIFIED,
    };
    let first = Identity::Address(Ipv4Addr::UNSPECIFIED);
    let Some(octets) = index::exact::<4>(agent) else {
        return Some(match index::after::<4>(agent) {
            std::ops::Bound::Included(octets) => key(octets.into(), first),
            std::ops::Bound::Excluded(octets) => key(next_address(octets)?, first),
            std::ops::Bound::Unbounded => key(Ipv4Addr::UNSPECIFIED, first),
        });
    };
    // What follows an identity and an address may be of the same identity.
    let exact = identity_len(rest).and_then(|len| identity::exact(rest.get(..len)?));
    match exact.or_else(|| identity::first_after(rest)) {
        Some(identity) => Some(key(octets.into(), identity)),
        None => Some(key(next_address(octets)?, first)),
    }
}

fn next_address(octets: [u8; 4]) -> Option<Ipv4Addr> {
    u32::from_be_bytes(octets).checked_add(1).map(Ipv4Addr::from_bits)
}

impl<'a> VisitorTable<'a> {
    fn from(&self, start: Option<VisitorKey>, after: Option<Oid>) -> Rows<'a> {
        let all = self.context.snapshot.rows::<Visitor>();
        let rows: Box<dyn Iterator<Item = &'a Visitor> + 'a> = match start {
            Some(start) => {
                let rows = all.range(start..).map(|(_, entry)| entry.row.as_ref());
                let context = self.context;
                Box::new(rows.filter(move |row| context.shows_agent(row.foreign_agent)))
            }
            None => Box::new(std::iter::empty()),
        };
        Rows { later: rows.peekable(), name: Vec::new(), after }
    }
}

impl<'a> Table for VisitorTable<'a> {
    type Column = Column;
    type Row = &'a Visitor;
    type Rows = Rows<'a>;

    fn row(&self, suffix: &[u32]) -> Option<&'a Visitor> {
        let (agent, rest) = suffix.split_at_checked(4)?;
        let foreign_agent = index::exact::<4>(agent)?.into();
        let (identity, _) = rest.split_at_checked(identity_len(rest)?)?;
        let identity = identity::exact(identity)?;
        let start = VisitorKey { foreign_agent, identity, home_address: Ipv4Addr::UNSPECIFIED };
        let mut rows = self.from(Some(start), None);
        rows.find(|row| *index_of(row) >= *suffix).filter(|row| *index_of(row) == *suffix)
    }

    fn rows_after(&self, suffix: &[u32]) -> Rows<'a> {
        self.from(start_after(suffix), Some(Oid::from(suffix)))
    }

    fn index(&self, row: &&'a Visitor, name: &mut Oid) {
        name.extend_from_slice(&index_of(row));
    }

    fn cell(&self, row: &&'a Visitor, column: Column) -> Option<Value> {
        let owner_now = self.context.owner_now(&row.instance);
        Some(match column {
            Column::Nai => match &row.identity {
                Identity::Nai(nai) => identity::full_nai(Some(nai)),
                Identity::Address(_) => identity::full_nai(None),
            },
            Column::HomeAgent => row.home_agent.into(),
            Column::CareOfAddress => row.care_of_address.into(),
            Column::SourceAddress => (*row.source.ip()).into(),
            Column::SourcePort => Value::Gauge32(row.source.port().into()),
            Column::LocalAddress => (*row.local.ip()).into(),
            Column::LocalPort => Value::Gauge32(row.local.port().into()),
            Column::Flags => flags::registration_flags(row.flags),
            Column::Encapsulation => encapsulation(row.flags),
            Column::DeliveryStyle => {
                Value::Integer32(if row.encapsulating_delivery { 2 } else { 1 })
            }
            Column::Accepted => Value::truth(row.accepted),
            Column::TimeRequested => Value::Gauge32(row.lifetime_requested.0.into()),
            Column::TimeGranted => Value::Gauge32(row.lifetime_granted.0.into()),
            Column::TimeRemaining => fa_reg_visitor::time_remaining(self.context, row),
            Column::Age => age(owner_now, row.created_at),
            Column::RegistrationAge => age(owner_now, row.registered_at),
            Column::Instance => admin_string(&row.instance),
            Column::Stale => Value::truth(is_stale(self.context, &row.instance)),
            // Nothing forwards yet, so nothing is counted.
            Column::InPkts | Column::InOctets | Column::OutPkts | Column::OutOctets => return None,
        })
    }
}
