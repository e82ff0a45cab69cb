//! Agent advertisement by home and foreign agents: `maAdvertisement` and `faAdvertisement`.

use std::net::Ipv4Addr;

use mibs::mip_mib::{
    self as module, fa_advert_conf_table, fa_coa_table, ma_adv_config_table, ma_advert_conf_table,
};
use store::wire::AdvertisementFlags;
use store::{Advertisement, AdvertisementSchedule, CareOfAddress, Role};

use super::conventions::{row_status, storage_type};
use super::mobile_node::from_one;
use super::small::{SmallTable, addresses};
use super::{Context, Registry, Scalar, flags};
use crate::{Oid, Value};

/// Roles that advertise.
const AGENTS: [Role; 2] = [Role::ForeignAgent, Role::HomeAgent];

pub(super) fn register(registry: &mut Registry) {
    let mut add = |oid, mask: u16| {
        let read = move |context: Context<'_>| {
            context.has_role(Role::ForeignAgent).then(|| {
                let mut rows = sent(context, &[Role::ForeignAgent]);
                Value::truth(rows.any(|(row, _)| AdvertisementFlags(row.flags).any(mask)))
            })
        };
        registry.add(oid, Scalar(read));
    };
    add(module::FA_IS_BUSY, AdvertisementFlags::BUSY);
    add(module::FA_REGISTRATION_REQUIRED, AdvertisementFlags::REGISTRATION_REQUIRED);
}

/// Advertisements that agents of `roles` send, with when they do.
fn sent<'a>(
    context: Context<'a>,
    roles: &'a [Role],
) -> impl Iterator<Item = (&'a Advertisement, AdvertisementSchedule)> {
    let rows = context.snapshot.rows::<Advertisement>().iter();
    rows.filter(move |row| roles.contains(&row.role) && context.shows(&row.instance))
        .filter_map(|row| Some((row.as_ref(), row.schedule?)))
}

/// What is advertised, and when.
pub(crate) type Sent<'a> = (&'a Advertisement, AdvertisementSchedule);

/// The rows of agents that advertise, by what `index` makes of them.
fn advertised<'a>(
    context: Context<'a>,
    roles: &'static [Role],
    index: impl Fn(&Advertisement) -> Oid,
) -> Option<Vec<(Oid, Sent<'a>)>> {
    roles.iter().find(|role| context.has_role(**role))?;
    Some(sent(context, roles).map(|sent| (index(sent.0), sent)).collect())
}

fn interface(row: &Advertisement) -> Oid {
    Oid::from([row.interface])
}

/// `224.0.0.1` or `255.255.255.255`, which are all that the module allows.
fn destination(row: &Advertisement) -> Option<Value> {
    let address = row.destination;
    let is_allowed = address == Ipv4Addr::new(224, 0, 0, 1) || address.is_broadcast();
    is_allowed.then(|| address.into())
}

/// `maAdvertConfTable`, by interface.
///
/// Rows follow the configuration file, so managers find them read-only. Where a
/// home and a foreign agent advertise on one interface, the foreign agent's is shown.
pub(crate) struct MaAdvertConfTable;

impl SmallTable for MaAdvertConfTable {
    type Column = ma_advert_conf_table::Column;
    type Row<'a> = Sent<'a>;

    fn rows(context: Context<'_>) -> Option<Vec<(Oid, Sent<'_>)>> {
        let mut rows = advertised(context, &AGENTS, interface)?;
        rows.sort_by_key(|(_, (row, _))| row.role != Role::ForeignAgent);
        Some(rows)
    }

    fn cell(
        context: Context<'_>,
        (row, schedule): &Sent<'_>,
        column: Self::Column,
    ) -> Option<Value> {
        use ma_advert_conf_table::Column;
        Some(match column {
            Column::MaxRegLifetime => from_one(row.registration_lifetime.0)?,
            Column::PrefixLengthInclusion => Value::truth(!row.prefix_lengths.is_empty()),
            Column::Address => destination(row)?,
            Column::MaxInterval => Value::Integer32(schedule.interval_max.into()),
            Column::MinInterval => Value::Integer32(schedule.interval_min.into()),
            Column::MaxAdvLifetime => Value::Integer32(row.lifetime.into()),
            Column::ResponseSolicitationOnly => Value::truth(schedule.solicited_only),
            Column::Service => {
                let offers = |mask| {
                    sent(context, &AGENTS).any(|(other, _)| {
                        other.interface == row.interface
                            && AdvertisementFlags(other.flags).any(mask)
                    })
                };
                let foreign_agent = offers(AdvertisementFlags::FOREIGN_AGENT);
                flags::bits(&[foreign_agent, offers(AdvertisementFlags::HOME_AGENT)])
            }
            // No network access identifier is advertised (RFC 3846).
            Column::NetworkNai => Value::octets(""),
            Column::Status => row_status(true),
            Column::StorageType => Value::Integer32(5),
        })
    }
}

/// `maAdvConfigTable`, deprecated: by the address of the interface.
pub(crate) struct MaAdvConfigTable;

impl SmallTable for MaAdvConfigTable {
    type Column = ma_adv_config_table::Column;
    type Row<'a> = Sent<'a>;

    fn rows(context: Context<'_>) -> Option<Vec<(Oid, Sent<'_>)>> {
        advertised(context, &AGENTS, |row| addresses([row.source]))
    }

    fn cell(_: Context<'_>, (row, schedule): &Sent<'_>, column: Self::Column) -> Option<Value> {
        use ma_adv_config_table::Column;
        Some(match column {
            Column::MaxRegLifetime => Value::Integer32(row.registration_lifetime.0.into()),
            Column::PrefixLengthInclusion => Value::truth(!row.prefix_lengths.is_empty()),
            Column::Address => destination(row)?,
            Column::MaxInterval => Value::Integer32(schedule.interval_max.into()),
            Column::MinInterval => Value::Integer32(schedule.interval_min.into()),
            Column::MaxAdvLifetime => Value::Integer32(row.lifetime.into()),
            Column::ResponseSolicitationOnly => Value::truth(schedule.solicited_only),
            Column::Status => row_status(true),
        })
    }
}

/// `faAdvertConfTable`: what a foreign agent adds, by interface.
pub(crate) struct FaAdvertConfTable;

impl SmallTable for FaAdvertConfTable {
    type Column = fa_advert_conf_table::Column;
    type Row<'a> = Sent<'a>;

    fn rows(context: Context<'_>) -> Option<Vec<(Oid, Sent<'_>)>> {
        advertised(context, &[Role::ForeignAgent], interface)
    }

    fn cell(_: Context<'_>, (row, _): &Sent<'_>, column: Self::Column) -> Option<Value> {
        use fa_advert_conf_table::Column;
        let flags = AdvertisementFlags(row.flags);
        Some(match column {
            Column::IsBusy => Value::truth(flags.any(AdvertisementFlags::BUSY)),
            Column::RegRequired => {
                Value::truth(flags.any(AdvertisementFlags::REGISTRATION_REQUIRED))
            }
            // No challenge is issued, so none may be used (a reading of 0).
            Column::ChallengeWindow => Value::Integer32(0),
        })
    }
}

/// `faCOATable`: the care-of addresses of foreign agents.
pub(crate) struct FaCoaTable;

impl SmallTable for FaCoaTable {
    type Column = fa_coa_table::Column;
    type Row<'a> = &'a CareOfAddress;

    fn rows(context: Context<'_>) -> Option<Vec<(Oid, &CareOfAddress)>> {
        context.has_role(Role::ForeignAgent).then_some(())?;
        let rows = context.snapshot.rows::<CareOfAddress>().iter().map(AsRef::as_ref);
        let rows = rows.filter(|row: &&CareOfAddress| context.shows(&row.instance));
        Some(rows.map(|row: &CareOfAddress| (addresses([row.address]), row)).collect())
    }

    fn cell(_: Context<'_>, row: &&CareOfAddress, column: Self::Column) -> Option<Value> {
        use fa_coa_table::Column;
        Some(match column {
            Column::Status => row_status(row.active),
            Column::StorageType => storage_type(row.origin, row.storage),
        })
    }
}

#[cfg(test)]
mod tests;
