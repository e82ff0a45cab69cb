//! Agent advertisement by home and foreign agents: `maAdvertisement` and `faAdvertisement`.

mod care_of;
mod write;

use std::net::Ipv4Addr;

use mibs::mip_mib::{
    self as module, fa_advert_conf_table, ma_adv_config_table, ma_advert_conf_table,
};
use store::wire::AdvertisementFlags;
use store::{Advertisement, AdvertisementSchedule, Role};

use super::conventions::{row_status, storage_type};
use super::mobile_node::from_one;
use super::small::{SmallTable, addresses};
use super::{Context, Registry, Scalar, flags};
use crate::{Oid, Value};

pub(crate) use care_of::{CareOfAddressDraft, FaCoaTable, set_care_of_address};
pub(crate) use write::{AdvertisementDraft, set_advertisement, set_foreign_agent};

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
fn destination(address: Ipv4Addr) -> Option<Value> {
    let is_allowed = address == Ipv4Addr::new(224, 0, 0, 1) || address.is_broadcast();
    is_allowed.then(|| address.into())
}

/// `maAdvertConfTable`, by interface: what was written, else what the agent's file says.
///
/// Where a home and a foreign agent advertise on one interface, the foreign agent's is shown.
pub(crate) struct MaAdvertConfTable;

impl SmallTable for MaAdvertConfTable {
    type Column = ma_advert_conf_table::Column;
    type Row<'a> = Sent<'a>;

    fn rows(context: Context<'_>) -> Option<Vec<(Oid, Sent<'_>)>> {
        let mut rows = advertised(context, &AGENTS, interface)?;
        rows.sort_by_key(|(_, (row, _))| row.role != Role::ForeignAgent);
        Some(rows)
    }

    fn cell(context: Context<'_>, shown: &Sent<'_>, column: Self::Column) -> Option<Value> {
        use ma_advert_conf_table::Column;
        let (setting, values) = match write::setting_of(context, shown.0) {
            Some((setting, values)) => (Some(setting), values.clone()),
            None => (None, shown.0.as_setting(shown.1)),
        };
        Some(match column {
            Column::MaxRegLifetime => from_one(values.registration_lifetime)?,
            Column::PrefixLengthInclusion => Value::truth(values.prefix_lengths),
            Column::Address => destination(values.destination)?,
            Column::MaxInterval => Value::Integer32(values.interval_max.into()),
            Column::MinInterval => Value::Integer32(values.interval_min.into()),
            Column::MaxAdvLifetime => Value::Integer32(values.lifetime.into()),
            Column::ResponseSolicitationOnly => Value::truth(values.solicited_only),
            Column::Service => flags::bits(&write::services(context, shown.0.interface)),
            Column::NetworkNai => {
                Value::octets(values.network_nai.as_ref().map_or("", |nai| nai.as_str()))
            }
            Column::Status => row_status(setting.is_none_or(|setting| setting.active)),
            Column::StorageType => match setting {
                Some(setting) => storage_type(setting.origin, setting.storage),
                // permanent(4): it can be changed, and not be deleted.
                None => Value::Integer32(4),
            },
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
            Column::Address => destination(row.destination)?,
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

    fn cell(context: Context<'_>, (row, _): &Sent<'_>, column: Self::Column) -> Option<Value> {
        use fa_advert_conf_table::Column;
        let flags = AdvertisementFlags(row.flags);
        Some(match column {
            Column::IsBusy => Value::truth(flags.any(AdvertisementFlags::BUSY)),
            Column::RegRequired => Value::truth(write::is_registration_required(context, row)),
            // No challenge is issued, so none may be used (a reading of 0).
            Column::ChallengeWindow => Value::Integer32(0),
        })
    }
}

#[cfg(test)]
mod tests;
