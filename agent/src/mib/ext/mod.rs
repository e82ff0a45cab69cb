//! MIP4-EXT-MIB: what no standard module shows.

mod agents;
mod alarms;
mod bindings;
mod instances;
mod notification;
mod operations;
mod regional;
mod revocation;
mod store_health;
mod visitors;

#[cfg(test)]
pub(crate) mod tests;

use std::net::Ipv4Addr;

use mibs::mip4_ext_mib as module;
use store::wire::Flags;
use store::{Instance, InstanceState, Role, UtcTime};

use super::small as add_small;
use super::{Context, Registry, Scalar, TableObject};
use crate::{Oid, Value};

pub(crate) use operations::{OperationDraft, ending};
pub(crate) use regional::going_back;

/// How many octets of a name the last part of an index holds.
const KEY_LEN_MAX: usize = 100;

pub(super) fn register(registry: &mut Registry) {
    instances::register(registry);
    registry.add(module::MIP4_EXT_BINDING_COUNT, Scalar(bindings::count));
    registry.add(module::mip4_ext_binding_table::OID, TableObject(bindings::Source));
    registry.add(module::MIP4_EXT_VISITOR_COUNT, Scalar(visitors::count));
    registry.add(module::mip4_ext_visitor_table::OID, TableObject(visitors::Source));
    add_small::<agents::AgentTable>(registry, module::mip4_ext_agent_table::OID);
    add_small::<agents::ReplyTable>(registry, module::mip4_ext_reply_table::OID);
    add_small::<agents::UsageTable>(registry, module::mip4_ext_usage_table::OID);
    store_health::register(registry);
    alarms::register(registry);
    operations::register(registry);
    add_small::<revocation::RevocationTable>(registry, module::mip4_ext_revocation_table::OID);
    add_small::<notification::NotifyTable>(registry, module::mip4_ext_notify_table::OID);
    regional::register(registry);
}

/// Appends an `IMPLIED` index of text: no length, as it is the last part.
pub(crate) fn push_implied(index: &mut Oid, text: &str) {
    let octets = text.as_bytes();
    index.extend_from_octets(octets.get(..KEY_LEN_MAX).unwrap_or(octets));
}

/// `Mip4ExtRole`; `None` for what is no role of Mobile IPv4.
fn role_number(role: Role) -> Option<u32> {
    match role {
        Role::HomeAgent => Some(1),
        Role::ForeignAgent => Some(2),
        Role::MobileNode => Some(3),
        Role::Gateway => Some(4),
        Role::Snmp | Role::Store => None,
    }
}

/// `Mip4ExtEncapsulation` of a registration with these flags.
fn encapsulation(flags: Flags) -> Value {
    Value::Integer32(match () {
        () if flags.any(Flags::GRE) => 2,
        () if flags.any(Flags::MINIMAL_ENCAPSULATION) => 3,
        () => 1,
    })
}

/// Variables for a notification: the columns of one row, by their names.
pub(crate) fn variables<'a>(
    index: &[u32],
    columns: impl IntoIterator<Item = (&'a str, Option<Value>)>,
) -> Vec<(Oid, Value)> {
    let named = columns.into_iter().filter_map(|(column, value)| {
        let mut name = Oid::from(module::MODULE.object(column)?.oid);
        name.extend_from_slice(index);
        Some((name, value?))
    });
    named.collect()
}

/// Whether rows of that instance may be out of date: it has ended, or is silent.
pub(crate) fn is_stale(context: Context<'_>, name: &str) -> bool {
    match context.snapshot.rows::<Instance>().named(name) {
        Some(row) => row.state == InstanceState::Gone || row.is_silent(context.now.utc),
        None => true,
    }
}

/// Whole seconds since `at`, on a clock that shows `owner_now`.
fn age(owner_now: UtcTime, at: UtcTime) -> Value {
    Value::gauge32(owner_now.since(at).as_secs())
}

/// A `DateAndTime` (RFC 2579 §2) in UTC, with tenths of a second.
pub(crate) fn date_and_time(at: UtcTime) -> Value {
    let days = at.0.div_euclid(86_400_000);
    let milliseconds = at.0.rem_euclid(86_400_000);
    let (year, month, day) = civil(days);
    let [high, low] = u16::try_from(year).unwrap_or(0).to_be_bytes();
    let part = |value: i64| u8::try_from(value).unwrap_or(0);
    let seconds = milliseconds / 1000;
    Value::octets([
        high,
        low,
        part(month),
        part(day),
        part(seconds / 3600),
        part(seconds / 60 % 60),
        part(seconds % 60),
        part(milliseconds / 100 % 10),
        b'+',
        0,
        0,
    ])
}

/// Year, month and day of a number of days since 1970-01-01, in the proleptic
/// Gregorian calendar. Years begin in March here, so that a leap day is the last.
fn civil(days: i64) -> (i64, i64, i64) {
    // Days since 0000-03-01, in eras of 400 years.
    let days = days.saturating_add(719_468);
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year_of_era + next_year, month, day)
}

/// An `SnmpAdminString` of at most 255 octets, cut between characters.
pub(crate) fn admin_string(text: &str) -> Value {
    let end = (0..=text.len().min(255)).rev().find(|end| text.is_char_boundary(*end));
    Value::octets(end.and_then(|end| text.get(..end)).unwrap_or(text))
}

/// An address that may be missing: zeros then.
fn address_or_zero(address: Option<Ipv4Addr>) -> Value {
    address.unwrap_or(Ipv4Addr::UNSPECIFIED).into()
}
