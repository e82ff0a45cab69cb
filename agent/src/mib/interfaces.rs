//! `ifNumber`, `ifTable` and `ifXTable` (RFC 2863), as small as they can be: the interfaces of
//! this host that its advertisements refer to, so that `ifIndex` in MIP-MIB leads somewhere.

use std::collections::BTreeSet;

use mibs::if_mib::{self as module, if_table, if_x_table};
use store::{Advertisement, Role};

use super::small::SmallTable;
use super::{Context, Registry, Scalar};
use crate::{Oid, Value};

/// What the driver knows of an interface; counts are those of the kernel.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Interface {
    pub name: String,
    pub alias: String,
    /// An `IANAifType`.
    pub kind: i32,
    pub mtu: i32,
    /// In bits a second; `None` where there is no such thing.
    pub speed: Option<u64>,
    pub address: Vec<u8>,
    pub is_admin_up: bool,
    /// `ifOperStatus`.
    pub oper_status: i32,
    pub is_promiscuous: bool,
    pub received: Traffic,
    pub sent: Traffic,
}

/// One direction of it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Traffic {
    pub octets: u64,
    pub packets: u64,
    pub multicast: u64,
    pub discards: u64,
    pub errors: u64,
}

pub(super) fn register(registry: &mut Registry) {
    registry.add(
        module::IF_NUMBER,
        Scalar(|context: Context<'_>| {
            let count = i32::try_from(rows(context)?.len()).unwrap_or(i32::MAX);
            Some(Value::Integer32(count))
        }),
    );
    super::small::<IfTable>(registry, if_table::OID);
    super::small::<IfXTable>(registry, if_x_table::OID);
}

type Row<'a> = (u32, &'a Interface);

/// The interfaces that agents here advertise on; none of it exists where there are none.
fn rows(context: Context<'_>) -> Option<Vec<(Oid, Row<'_>)>> {
    let advertised: BTreeSet<u32> = context
        .snapshot
        .rows::<Advertisement>()
        .iter()
        .filter(|row| row.role != Role::MobileNode && context.shows(&row.instance))
        .map(|row| row.interface)
        .collect();
    let known = advertised.iter().filter_map(|index| {
        let interface = context.local.interfaces.get(index)?;
        Some((Oid::from([*index]), (*index, interface)))
    });
    let rows: Vec<_> = known.collect();
    (!rows.is_empty()).then_some(rows)
}

struct IfTable;

impl SmallTable for IfTable {
    type Column = if_table::Column;
    type Row<'a> = Row<'a>;

    fn rows(context: Context<'_>) -> Option<Vec<(Oid, Row<'_>)>> {
        rows(context)
    }

    fn cell(_: Context<'_>, (index, row): &Row<'_>, column: if_table::Column) -> Option<Value> {
        use if_table::Column;
        let (received, sent) = (&row.received, &row.sent);
        Some(match column {
            Column::Index => Value::Integer32(i32::try_from(*index).ok()?),
            Column::Descr => Value::octets(&row.name),
            Column::Type => Value::Integer32(row.kind),
            Column::Mtu => Value::Integer32(row.mtu),
            // It stays at its maximum where `ifHighSpeed` goes on.
            Column::Speed => Value::gauge32(row.speed.unwrap_or(0)),
            Column::PhysAddress => Value::octets(&row.address),
            Column::AdminStatus => Value::Integer32(if row.is_admin_up { 1 } else { 2 }),
            Column::OperStatus => Value::Integer32(row.oper_status),
            // Since before the start, as far as is known (RFC 2863 §6).
            Column::LastChange => Value::TimeTicks(0),
            Column::InOctets => Value::counter32(received.octets),
            Column::InUcastPkts => Value::counter32(unicast(received)),
            Column::InNUcastPkts => Value::counter32(received.multicast),
            Column::InDiscards => Value::counter32(received.discards),
            Column::InErrors => Value::counter32(received.errors),
            Column::OutOctets => Value::counter32(sent.octets),
            Column::OutUcastPkts => Value::counter32(unicast(sent)),
            Column::OutDiscards => Value::counter32(sent.discards),
            Column::OutErrors => Value::counter32(sent.errors),
            // The kernel does not count these.
            Column::InUnknownProtos | Column::OutNUcastPkts | Column::OutQLen => return None,
            Column::Specific => Value::ObjectIdentifier(Oid::from([0, 0])),
        })
    }
}

struct IfXTable;

impl SmallTable for IfXTable {
    type Column = if_x_table::Column;
    type Row<'a> = Row<'a>;

    fn rows(context: Context<'_>) -> Option<Vec<(Oid, Row<'_>)>> {
        rows(context)
    }

    fn cell(_: Context<'_>, (_, row): &Row<'_>, column: if_x_table::Column) -> Option<Value> {
        use if_x_table::Column;
        let (received, sent) = (&row.received, &row.sent);
        Some(match column {
            Column::Name => Value::octets(&row.name),
            Column::InMulticastPkts => Value::counter32(received.multicast),
            Column::HcInOctets => Value::Counter64(received.octets),
            Column::HcInUcastPkts => Value::Counter64(unicast(received)),
            Column::HcInMulticastPkts => Value::Counter64(received.multicast),
            Column::HcOutOctets => Value::Counter64(sent.octets),
            Column::HcOutUcastPkts => Value::Counter64(unicast(sent)),
            // linkUp and linkDown are other agents' to send.
            Column::LinkUpDownTrapEnable => Value::Integer32(2),
            Column::HighSpeed => Value::gauge32(row.speed.unwrap_or(0).div_ceil(1_000_000)),
            Column::PromiscuousMode => Value::truth(row.is_promiscuous),
            Column::ConnectorPresent => Value::truth(row.kind == ETHERNET),
            Column::Alias => Value::octets(&row.alias),
            Column::CounterDiscontinuityTime => Value::TimeTicks(0),
            // The kernel does not tell these from others.
            Column::InBroadcastPkts
            | Column::OutMulticastPkts
            | Column::OutBroadcastPkts
            | Column::HcInBroadcastPkts
            | Column::HcOutMulticastPkts
            | Column::HcOutBroadcastPkts => return None,
        })
    }
}

/// `ethernetCsmacd`
const ETHERNET: i32 = 6;

fn unicast(traffic: &Traffic) -> u64 {
    traffic.packets.saturating_sub(traffic.multicast)
}

#[cfg(test)]
mod tests;
