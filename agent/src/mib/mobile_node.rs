//! The mobile node: `mnSystem`, `mnDiscovery` and `mnRegistration`, but for their counters.
//!
//! The module is of one mobile node. Where a process runs several, tables show
//! all of them, and scalars the first in the order of names.

use std::net::Ipv4Addr;
use std::time::Duration;

use mibs::mip_mib::{self as module, mn_fa_table, mn_registration_table};
use store::wire::AdvertisementFlags;
use store::{Advertisement, Counters, Identity, Registration, Role};

use super::object::SparseScalar;
use super::small::{SmallTable, addresses};
use super::{Context, Registry, Scalar, flags, identity};
use crate::{Oid, Value};

pub(super) fn register(registry: &mut Registry) {
    let mut add = |oid, read: fn(Context<'_>) -> Value| {
        let read =
            move |context: Context<'_>| context.has_role(Role::MobileNode).then(|| read(context));
        registry.add(oid, Scalar(read));
    };
    add(module::MN_STATE, state);
    add(module::MN_HOME_ADDRESS, |context| home_address(context).into());
    add(module::MN_IDENTIFIER_TYPE, |context| identity::kind(&own_identity(context)));
    add(module::MN_IDENTIFIER, |context| identity::identifier(&own_identity(context)));
    let mut add = |oid, read: fn(Context<'_>, &Advertisement) -> Option<Value>| {
        let read = move |context: Context<'_>| {
            let newest = || newest_advertisement(context).and_then(|row| read(context, row));
            context.has_role(Role::MobileNode).then(newest)
        };
        registry.add(oid, SparseScalar(read));
    };
    add(module::MN_ADV_SOURCE_ADDRESS, |_, row| Some(row.source.into()));
    add(module::MN_ADV_SEQUENCE, |_, row| Some(Value::Integer32(row.sequence_number.into())));
    add(module::MN_ADV_FLAGS, |_, row| Some(advertisement_flags(row)));
    add(module::MN_ADV_MAX_REG_LIFETIME, |_, row| from_one(row.registration_lifetime.0));
    add(module::MN_ADV_MAX_ADV_LIFETIME, |_, row| from_one(row.lifetime));
    add(module::MN_ADV_TIME_RECEIVED, |context, row| {
        Some(context.time_stamp(row.at, context.owner_now(&row.instance)))
    });
}

/// A number from 1 on; 0 has no value in the syntax (a reading).
pub(super) fn from_one(number: u16) -> Option<Value> {
    (number > 0).then(|| Value::Integer32(number.into()))
}

pub(super) fn registrations(context: Context<'_>) -> impl Iterator<Item = &Registration> {
    let rows = context.snapshot.rows::<Registration>().iter().map(AsRef::as_ref);
    rows.filter(move |row: &&Registration| context.shows(&row.instance))
}

/// Those that have not expired.
pub(super) fn is_running(context: Context<'_>, row: &Registration) -> bool {
    let now = context.owner_now(&row.instance);
    row.accepted && row.expires_at.is_none_or(|at| at > now)
}

/// `mnState`: registered(2), pending(3), isolated(4), or unknown(5) before the first request.
fn state(context: Context<'_>) -> Value {
    let accepted = registrations(context).any(|row| is_running(context, row));
    let pending = registrations(context).any(|row| !row.accepted);
    let any = registrations(context).next().is_some();
    Value::Integer32(match (accepted, pending, any) {
        (true, ..) => 2,
        (_, true, _) => 3,
        (.., true) => 4,
        (.., false) => 5,
    })
}

/// `mnHomeAddress`, zero while there is none.
fn home_address(context: Context<'_>) -> Ipv4Addr {
    let registered = registrations(context).next().map(|row| row.home_address);
    let counted = || {
        let mut rows = context.snapshot.rows::<Counters>().iter();
        rows.find(|row| row.role == Role::MobileNode && context.shows(&row.instance))
            .map(|row| row.address)
    };
    registered.or_else(counted).unwrap_or(Ipv4Addr::UNSPECIFIED)
}

/// Who the mobile node is: what it registers as, else its home address.
fn own_identity(context: Context<'_>) -> Identity {
    let registered = registrations(context).next().map(|row| row.identity.clone());
    registered.unwrap_or_else(|| Identity::Address(home_address(context)))
}

/// Advertisements that a mobile node heard.
fn heard(context: Context<'_>) -> impl Iterator<Item = &Advertisement> {
    let rows = context.snapshot.rows::<Advertisement>().iter().map(AsRef::as_ref);
    rows.filter(move |row: &&Advertisement| {
        row.role == Role::MobileNode && row.at.is_some() && context.shows(&row.instance)
    })
}

fn age(context: Context<'_>, row: &Advertisement) -> Duration {
    let now = context.owner_now(&row.instance);
    row.at.map_or(Duration::MAX, |at| now.since(at))
}

fn newest_advertisement(context: Context<'_>) -> Option<&Advertisement> {
    heard(context).min_by_key(|row| age(context, row))
}

/// `mnAdvFlags`, whose order is that of RFC 2006 with the newer bits behind.
fn advertisement_flags(row: &Advertisement) -> Value {
    let flags = AdvertisementFlags(row.flags);
    flags::bits(&[
        false,
        flags.any(AdvertisementFlags::GRE),
        flags.any(AdvertisementFlags::MINIMAL_ENCAPSULATION),
        flags.any(AdvertisementFlags::FOREIGN_AGENT),
        flags.any(AdvertisementFlags::HOME_AGENT),
        flags.any(AdvertisementFlags::BUSY),
        flags.any(AdvertisementFlags::REGISTRATION_REQUIRED),
        flags.any(AdvertisementFlags::REVERSE_TUNNEL),
        flags.any(AdvertisementFlags::UDP_TUNNEL),
        flags.any(AdvertisementFlags::REGIONAL_REGISTRATION),
    ])
}

/// `mnFATable`: foreign agents whose advertisement is still valid, with their care-of addresses.
pub(crate) struct MnFaTable;

impl SmallTable for MnFaTable {
    type Column = mn_fa_table::Column;
    type Row<'a> = [Ipv4Addr; 2];

    fn rows(context: Context<'_>) -> Option<Vec<(Oid, [Ipv4Addr; 2])>> {
        context.has_role(Role::MobileNode).then_some(())?;
        let is_valid =
            |row: &&Advertisement| age(context, row) < Duration::from_secs(row.lifetime.into());
        let pairs = heard(context)
            .filter(is_valid)
            .flat_map(|row| row.care_of_addresses.iter().map(|care_of| [row.source, *care_of]));
        Some(pairs.map(|pair| (addresses(pair), pair)).collect())
    }

    fn cell(_: Context<'_>, row: &[Ipv4Addr; 2], column: Self::Column) -> Option<Value> {
        use mn_fa_table::Column;
        let [agent, care_of_address] = *row;
        Some(match column {
            Column::FaAddress => agent.into(),
            Column::Coa => care_of_address.into(),
        })
    }
}

/// `mnRegistrationTable`: what was asked for, and what was got.
pub(crate) struct MnRegistrationTable;

impl SmallTable for MnRegistrationTable {
    type Column = mn_registration_table::Column;
    type Row<'a> = &'a Registration;

    fn rows(context: Context<'_>) -> Option<Vec<(Oid, &Registration)>> {
        context.has_role(Role::MobileNode).then_some(())?;
        let mut rows: Vec<&Registration> = registrations(context).collect();
        // Of several with one index, the request that was sent last.
        rows.sort_by_key(|row| std::cmp::Reverse(row.sent_at));
        let index = |row: &Registration| addresses([row.agent_address, row.care_of_address]);
        Some(rows.into_iter().map(|row| (index(row), row)).collect())
    }

    fn cell(context: Context<'_>, row: &&Registration, column: Self::Column) -> Option<Value> {
        use mn_registration_table::Column;
        let owner_now = context.owner_now(&row.instance);
        Some(match column {
            Column::RegAgentAddress => row.agent_address.into(),
            Column::RegCoa => row.care_of_address.into(),
            Column::RegFlags => flags::registration_flags(row.flags),
            Column::RegIdLow => Value::Gauge32(row.identification.low()),
            Column::RegIdHigh => Value::Gauge32(row.identification.high()),
            Column::RegTimeRequested => Value::Gauge32(row.lifetime.0.into()),
            Column::RegTimeRemaining => Value::gauge32(match (row.accepted, row.expires_at) {
                // Nothing runs while the reply is awaited (a reading).
                (false, _) => 0,
                (true, Some(at)) => at.since(owner_now).as_secs(),
                (true, None) => row.lifetime.0.into(),
            }),
            Column::RegTimeSent => context.time_stamp(Some(row.sent_at), owner_now),
            Column::RegIsAccepted => Value::truth(row.accepted),
            Column::CoaIsLocal => Value::truth(row.co_located),
            // No delivery style where the mobile node is the end of the tunnel itself.
            Column::RegDeliveryStyle if row.co_located => return None,
            // direct(1): the encapsulating style is never asked for.
            Column::RegDeliveryStyle => Value::Integer32(1),
        })
    }
}

#[cfg(test)]
mod tests;
