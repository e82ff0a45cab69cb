//! `mipSecurityAssocTable`, and the deprecated `mipSecAssocTable`: security associations.
//!
//! The key octets are no part of the store's rows; a read yields none of them.

mod write;

use std::net::Ipv4Addr;
use std::ops::Bound;
use std::sync::Arc;

use mibs::mip_mib::{mip_sec_assoc_table, mip_security_assoc_table};
use store::wire::Spi;
use store::{Algorithm, Association, AssociationKey, Identity, ReplayProtection};

use super::context::MOBILITY_ROLES;
use super::conventions::{row_status, storage_type};
use super::{Context, TableSource, identity, index};
use crate::{Oid, Table, Value};

pub(crate) use write::{Draft, Outcome, set};

/// Whether any entity is configured that could hold associations.
fn is_present(context: Context<'_>) -> bool {
    MOBILITY_ROLES.into_iter().any(|role| context.has_role(role))
}

/// `mipSecurityAssocsCount`.
pub(super) fn count(context: Context<'_>) -> Option<Value> {
    let rows = context.snapshot.rows::<Association>();
    let count = match context.instance {
        None => rows.len(),
        Some(_) => rows.iter().filter(|row| context.shows_association(row)).count(),
    };
    is_present(context).then(|| Value::gauge32(u64::try_from(count).unwrap_or(u64::MAX)))
}

/// `mipSecurityAlgorithmType`: md5(2), or other(1) for what the module does not know.
fn algorithm_type(algorithm: Algorithm) -> Value {
    Value::Integer32(match algorithm {
        Algorithm::HmacMd5 | Algorithm::KeyedMd5 => 2,
        Algorithm::HmacSha1 | Algorithm::HmacSha256 => 1,
    })
}

/// `mipSecurityReplayMethod`.
pub(super) fn replay_method(replay: ReplayProtection) -> Value {
    Value::Integer32(match replay {
        ReplayProtection::None => 1,
        ReplayProtection::Timestamps => 2,
        ReplayProtection::Nonces => 3,
    })
}

/// Associations from `start` on, in the order of their keys.
fn from(
    context: Context<'_>,
    start: AssociationKey,
) -> impl Iterator<Item = &Arc<Association>> + use<'_> {
    let rows = context.snapshot.rows::<Association>().range(start..);
    rows.map(|(_, entry)| &entry.row).filter(move |row| context.shows_association(row))
}

/// Opens `mipSecurityAssocTable`.
pub(crate) struct Source;

impl TableSource for Source {
    type Table<'a> = MipSecurityAssocTable<'a>;

    fn open(context: Context<'_>) -> Option<MipSecurityAssocTable<'_>> {
        is_present(context).then_some(MipSecurityAssocTable { context })
    }
}

/// By kind and identifier of the peer, and SPI: the order of the keys.
#[derive(Clone, Copy)]
pub(crate) struct MipSecurityAssocTable<'a> {
    context: Context<'a>,
}

fn index_of(row: &Association) -> Oid {
    let mut index = Oid::new();
    identity::push(&mut index, &row.peer);
    index.push(row.spi.0);
    index
}

/// Rows in the order of the index. Peers that agree in all octets that an
/// index holds are sorted together by SPI; of one SPI the first is shown.
pub(crate) struct Associations<'a> {
    rows: Box<dyn Iterator<Item = &'a Arc<Association>> + 'a>,
    /// A row that was read and belongs to the next peer.
    head: Option<&'a Arc<Association>>,
    /// The rows of the present peer, the next one last.
    peer: Vec<&'a Arc<Association>>,
    /// Rows up to this index are passed over.
    after: Oid,
}

impl<'a> Associations<'a> {
    fn new(context: Context<'a>, peer: Option<Identity>, after: &[u32]) -> Self {
        let mut rows: Box<dyn Iterator<Item = &'a Arc<Association>> + 'a> = match peer {
            Some(peer) => Box::new(from(context, AssociationKey { peer, spi: Spi(0) })),
            None => Box::new(std::iter::empty()),
        };
        let head = rows.next();
        Self { rows, head, peer: Vec::new(), after: Oid::from(after) }
    }

    /// Reads the rows of the next peer; false if there is none.
    fn next_peer(&mut self) -> bool {
        let Some(first) = self.head.take() else { return false };
        self.peer.push(first);
        for row in self.rows.by_ref() {
            if !identity::same_index(&row.peer, &first.peer) {
                self.head = Some(row);
                break;
            }
            self.peer.push(row);
        }
        self.peer.sort_by_key(|row| row.spi.0);
        self.peer.dedup_by_key(|row| row.spi);
        self.peer.reverse();
        true
    }
}

impl<'a> Iterator for Associations<'a> {
    type Item = &'a Association;

    fn next(&mut self) -> Option<&'a Association> {
        loop {
            while let Some(row) = self.peer.pop() {
                if self.after.is_empty() {
                    return Some(row);
                }
                if *index_of(row) > *self.after {
                    self.after = Oid::new();
                    return Some(row);
                }
            }
            if !self.next_peer() {
                return None;
            }
        }
    }
}

impl<'a> Table for MipSecurityAssocTable<'a> {
    type Column = mip_security_assoc_table::Column;
    type Row = &'a Association;
    type Rows = Associations<'a>;

    fn row(&self, suffix: &[u32]) -> Option<&'a Association> {
        let (_, peer) = suffix.split_last()?;
        let rows = Associations::new(self.context, Some(identity::exact(peer)?), &[]);
        rows.take_while(|row| *index_of(row) <= *suffix).find(|row| *index_of(row) == *suffix)
    }

    fn rows_after(&self, suffix: &[u32]) -> Associations<'a> {
        // What follows a peer and an SPI may be of the same peer, so look from the peer itself on.
        let len = match suffix {
            [2, ..] => Some(6),
            [3, len, ..] => usize::try_from(*len).ok().and_then(|len| len.checked_add(2)),
            _ => None,
        };
        let exact = len.and_then(|len| identity::exact(suffix.get(..len)?));
        let peer = exact.or_else(|| identity::first_after(suffix));
        Associations::new(self.context, peer, suffix)
    }

    fn index(&self, row: &&'a Association, name: &mut Oid) {
        name.extend_from_slice(&index_of(row));
    }

    fn cell(&self, row: &&'a Association, column: Self::Column) -> Option<Value> {
        use mip_security_assoc_table::Column;
        Some(match column {
            Column::AlgorithmType => algorithm_type(row.algorithm),
            Column::AlgorithmMode => Value::Integer32(match row.algorithm {
                Algorithm::KeyedMd5 => 2,
                Algorithm::HmacMd5 | Algorithm::HmacSha1 | Algorithm::HmacSha256 => 3,
            }),
            Column::Key => Value::octets(""),
            Column::ReplayMethod => replay_method(row.replay),
            // Below 3 seconds the syntax has no value.
            Column::ReplayTime if row.tolerance < 3 => return None,
            Column::ReplayTime => Value::Gauge32(row.tolerance.into()),
            Column::PeerNai => match &row.peer {
                Identity::Nai(nai) => identity::full_nai(Some(nai)),
                Identity::Address(_) => identity::full_nai(None),
            },
            Column::PeerIpAddress => match row.peer {
                Identity::Address(address) => address.into(),
                Identity::Nai(_) => Ipv4Addr::UNSPECIFIED.into(),
            },
            Column::Status if row.keyless => Value::Integer32(3),
            Column::Status => row_status(row.active),
            Column::StorageType => storage_type(row.origin, row.storage),
        })
    }
}

/// Opens `mipSecAssocTable`.
pub(crate) struct OldSource;

impl TableSource for OldSource {
    type Table<'a> = MipSecAssocTable<'a>;

    fn open(context: Context<'_>) -> Option<MipSecAssocTable<'_>> {
        is_present(context).then_some(MipSecAssocTable { context })
    }
}

/// The associations whose peer is an address, by address and SPI.
#[derive(Clone, Copy)]
pub(crate) struct MipSecAssocTable<'a> {
    context: Context<'a>,
}

/// Address and SPI of `row`, if its peer is an address.
fn old_key(row: &Association) -> Option<(Ipv4Addr, Spi)> {
    match row.peer {
        Identity::Address(address) => Some((address, row.spi)),
        Identity::Nai(_) => None,
    }
}

impl<'a> Table for MipSecAssocTable<'a> {
    type Column = mip_sec_assoc_table::Column;
    type Row = &'a Association;
    type Rows = Box<dyn Iterator<Item = &'a Association> + 'a>;

    fn row(&self, suffix: &[u32]) -> Option<&'a Association> {
        let (&spi, address) = suffix.split_last()?;
        let peer = Identity::Address(index::exact::<4>(address)?.into());
        let key = AssociationKey { peer, spi: Spi(spi) };
        let row = self.context.snapshot.rows::<Association>().get(&key).map(AsRef::as_ref);
        row.filter(|row| self.context.shows_association(row))
    }

    fn rows_after(&self, suffix: &[u32]) -> Self::Rows {
        let (address, rest) = suffix.split_at(suffix.len().min(4));
        let exact = index::exact::<4>(address).map(Ipv4Addr::from);
        let start = exact.or_else(|| match index::after::<4>(address) {
            Bound::Included(octets) => Some(octets.into()),
            Bound::Excluded(octets) => {
                u32::from_be_bytes(octets).checked_add(1).map(Ipv4Addr::from_bits)
            }
            Bound::Unbounded => Some(Ipv4Addr::UNSPECIFIED),
        });
        let Some(start) = start else { return Box::new(std::iter::empty()) };
        // The SPIs of an address that was asked for exactly, up to the one given, are behind us.
        let passed = exact.and_then(|address| Some((address, Spi(*rest.first()?))));
        let key = AssociationKey { peer: Identity::Address(start), spi: Spi(0) };
        let key = match passed {
            Some((_, spi)) => AssociationKey { spi, ..key },
            None => key,
        };
        let rows = from(self.context, key).map(AsRef::as_ref);
        let rows = rows.skip_while(move |row| passed.is_some() && old_key(row) == passed);
        Box::new(rows.take_while(|row| old_key(row).is_some()))
    }

    fn index(&self, row: &&'a Association, name: &mut Oid) {
        if let Some((address, spi)) = old_key(row) {
            name.extend_from_octets(&address.octets());
            name.push(spi.0);
        }
    }

    fn cell(&self, row: &&'a Association, column: Self::Column) -> Option<Value> {
        use mip_sec_assoc_table::Column;
        Some(match column {
            Column::AlgorithmType => algorithm_type(row.algorithm),
            // The enumeration is older than HMAC.
            Column::AlgorithmMode => Value::Integer32(match row.algorithm {
                Algorithm::KeyedMd5 => 2,
                Algorithm::HmacMd5 | Algorithm::HmacSha1 | Algorithm::HmacSha256 => 1,
            }),
            Column::Key => Value::octets(""),
            Column::ReplayMethod => replay_method(row.replay),
        })
    }
}

#[cfg(test)]
mod tests;
