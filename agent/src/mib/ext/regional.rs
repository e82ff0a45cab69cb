//! `mip4ExtRegional`: regions of gateways and foreign agents (RFC 4857), what they are configured to,
//! who configured it, and who is registered within them.

mod visitors;

#[cfg(test)]
pub(super) mod tests;

use std::net::Ipv4Addr;
use std::sync::Arc;

use mibs::mip4_ext_mib::{
    self as module, mip4_ext_regional_commit_table, mip4_ext_regional_counter_table,
    mip4_ext_regional_foreign_agent_table, mip4_ext_regional_gateway_table,
    mip4_ext_regional_visitor_table,
};
use store::{
    CommitCause, CommitState, Counter, Counters, GatewayAssignment, GatewaySetting, Origin,
    Regional, RegionalCommit, RegionalForeignAgent, RegionalReplay, RegionalValue, Resource, Role,
};

use super::{admin_string, agents, date_and_time, is_stale, variables};
use crate::mib::object::SparseScalar;
use crate::mib::small::{SmallTable, addresses};
use crate::mib::{Context, Registry, Scalar, TableObject, identity};
use crate::{Oid, Value};

use super::add_small;

pub(super) fn register(registry: &mut Registry) {
    let revision = |context: Context<'_>| {
        is_present(context).then(|| Value::Gauge32(RegionalCommit::last_id(context.snapshot).0))
    };
    registry.add(module::MIP4_EXT_REGIONAL_REVISION, Scalar(revision));
    // Before the first commit nobody has set anything.
    let last = |context: Context<'_>, value: fn(&RegionalCommit) -> Value| {
        is_present(context).then(|| RegionalCommit::last(context.snapshot).map(|row| value(row)))
    };
    let by = move |context: Context<'_>| last(context, |row| admin_string(&row.who));
    registry.add(module::MIP4_EXT_REGIONAL_CHANGED_BY, SparseScalar(by));
    let at = move |context: Context<'_>| last(context, |row| date_and_time(row.at));
    registry.add(module::MIP4_EXT_REGIONAL_CHANGED_AT, SparseScalar(at));
    let within = |context: Context<'_>| is_present(context).then(|| confirm_within(context));
    registry.add(module::MIP4_EXT_REGIONAL_CONFIRM_WITHIN, Scalar(within));
    add_small::<CommitTable>(registry, mip4_ext_regional_commit_table::OID);
    add_small::<GatewayTable>(registry, mip4_ext_regional_gateway_table::OID);
    add_small::<ForeignAgentTable>(registry, mip4_ext_regional_foreign_agent_table::OID);
    registry.add(mip4_ext_regional_visitor_table::OID, TableObject(visitors::Source));
    add_small::<CounterTable>(registry, mip4_ext_regional_counter_table::OID);
}

/// Whether there are regions here: a gateway, a region that is configured, or was.
fn is_present(context: Context<'_>) -> bool {
    context.plays(Role::Gateway)
        || !context.snapshot.rows::<Regional>().is_empty()
        || RegionalCommit::last(context.snapshot).is_some()
}

/// Whole seconds until the last commit is rolled back, 0 if it is not.
fn confirm_within(context: Context<'_>) -> Value {
    let deadline = RegionalCommit::last(context.snapshot).and_then(|row| row.deadline());
    Value::gauge32(deadline.map_or(0, |at| at.since(context.now.utc).as_secs()))
}

pub(super) struct CommitTable;

impl SmallTable for CommitTable {
    type Column = mip4_ext_regional_commit_table::Column;
    type Row<'a> = &'a RegionalCommit;

    fn rows(context: Context<'_>) -> Option<Vec<(Oid, &RegionalCommit)>> {
        is_present(context).then_some(())?;
        let rows = context.snapshot.rows::<RegionalCommit>().iter().map(AsRef::as_ref);
        Some(rows.map(|row: &RegionalCommit| (Oid::from([row.id.0]), row)).collect())
    }

    fn cell(_: Context<'_>, row: &&RegionalCommit, column: Self::Column) -> Option<Value> {
        use mip4_ext_regional_commit_table::Column;
        Some(match column {
            Column::Cause => Value::Integer32(match row.cause {
                CommitCause::Candidate => 1,
                CommitCause::RollBack(_) => 2,
                CommitCause::NotConfirmed(_) => 3,
            }),
            Column::Of => Value::Gauge32(match row.cause {
                CommitCause::Candidate => 0,
                CommitCause::RollBack(of) | CommitCause::NotConfirmed(of) => of.0,
            }),
            Column::Who => admin_string(&row.who),
            Column::At => date_and_time(row.at),
            Column::Reason => admin_string(row.reason.as_deref().unwrap_or("")),
            Column::Changes => Value::Gauge32(row.changes),
            Column::State => Value::Integer32(match row.state {
                CommitState::Unconfirmed => 1,
                CommitState::Confirmed => 2,
                CommitState::RolledBack => 3,
            }),
            Column::EndedBy => admin_string(row.ended_by.as_deref().unwrap_or("")),
        })
    }
}

/// What the notification of a commit says that took others back; nothing for other commits.
pub(crate) fn going_back(
    commit: &RegionalCommit,
    context: Context<'_>,
) -> Option<Vec<(Oid, Value)>> {
    use mip4_ext_regional_commit_table::Column;
    if commit.cause == CommitCause::Candidate {
        return None;
    }
    let columns = [
        ("mip4ExtRegionalCommitCause", Column::Cause),
        ("mip4ExtRegionalCommitOf", Column::Of),
        ("mip4ExtRegionalCommitWho", Column::Who),
        ("mip4ExtRegionalCommitReason", Column::Reason),
        ("mip4ExtRegionalCommitChanges", Column::Changes),
    ];
    let cell = |(name, column)| (name, CommitTable::cell(context, &commit, column));
    Some(variables(&[commit.id.0], columns.map(cell)))
}

/// How many foreign agents are beneath a gateway.
fn beneath(context: Context<'_>, gateway: Ipv4Addr) -> usize {
    let all = context.snapshot.rows::<Regional>().iter();
    all.filter(|row| match &row.value {
        RegionalValue::ForeignAgent(it) => it.gateways().any(|it| it == gateway),
        RegionalValue::Gateway(_) => false,
    })
    .count()
}

/// The rows of regions that concern what is shown.
fn rows(context: Context<'_>) -> impl Iterator<Item = &Regional> {
    let rows = context.snapshot.rows::<Regional>().iter().map(AsRef::as_ref);
    rows.filter(move |row: &&Regional| match &row.value {
        RegionalValue::Gateway(_) => context.shows_agent(row.address),
        RegionalValue::ForeignAgent(it) => {
            context.shows_agent(row.address) || it.gateways().any(|it| context.shows_agent(it))
        }
    })
}

fn origin(origin: Origin) -> Value {
    Value::Integer32(match origin {
        Origin::File => 1,
        Origin::Cli => 2,
        Origin::Snmp => 3,
    })
}

/// `Mip4ExtAgentState` of the agent that plays `role` at `address`.
fn state(context: Context<'_>, role: Role, address: Ipv4Addr) -> Value {
    let rows = context.snapshot.rows::<store::Instance>().iter();
    let at = rows.filter(|it| it.roles.contains(&role) && it.addresses.contains(&address));
    // One that is alive counts, whatever was there before.
    Value::Integer32(match at.map(|it| is_stale(context, &it.name)).min() {
        Some(false) => 1,
        Some(true) => 2,
        None => 3,
    })
}

pub(super) struct GatewayTable;

impl SmallTable for GatewayTable {
    type Column = mip4_ext_regional_gateway_table::Column;
    type Row<'a> = (&'a Regional, &'a GatewaySetting);

    fn rows(context: Context<'_>) -> Option<Vec<(Oid, Self::Row<'_>)>> {
        is_present(context).then_some(())?;
        let found = rows(context).filter_map(|row| match &row.value {
            RegionalValue::Gateway(setting) => Some((addresses([row.address]), (row, setting))),
            RegionalValue::ForeignAgent(_) => None,
        });
        Some(found.collect())
    }

    fn cell(
        context: Context<'_>,
        (row, setting): &Self::Row<'_>,
        column: Self::Column,
    ) -> Option<Value> {
        use mip4_ext_regional_gateway_table::Column;
        Some(match column {
            Column::Lifetime => Value::Gauge32(setting.lifetime.unwrap_or(0).into()),
            Column::RegionalLifetime => {
                Value::Gauge32(setting.regional_lifetime.unwrap_or(0).into())
            }
            Column::Replay => Value::Integer32(match setting.replay {
                RegionalReplay::Timestamps => 1,
                RegionalReplay::Nonces => 2,
                RegionalReplay::Any => 3,
            }),
            Column::Dynamic => Value::truth(setting.dynamic),
            Column::Origin => origin(row.origin),
            Column::ForeignAgents => super::instances::gauge(beneath(context, row.address)),
            Column::Visitors => Value::gauge32(visitor_count(context, row.address)),
            Column::State => state(context, Role::Gateway, row.address),
        })
    }
}

/// How many visitors the gateway at `address` has, as it says itself: counting its rows would look
/// at each of them.
fn visitor_count(context: Context<'_>, address: Ipv4Addr) -> u64 {
    let is_its = |row: &&Arc<Counters>| (row.role, row.address) == (Role::Gateway, address);
    let counters = context.snapshot.rows::<Counters>().iter().filter(is_its);
    let usage = counters.flat_map(|row| &row.usage);
    usage.filter(|it| it.resource == Resource::Visitors).map(|it| it.in_use).max().unwrap_or(0)
}

/// A foreign agent beneath one of its gateways.
#[derive(Clone)]
pub(super) struct Beneath<'a> {
    row: &'a Regional,
    value: &'a RegionalForeignAgent,
    gateway: Ipv4Addr,
}

pub(super) struct ForeignAgentTable;

impl SmallTable for ForeignAgentTable {
    type Column = mip4_ext_regional_foreign_agent_table::Column;
    type Row<'a> = Beneath<'a>;

    fn rows(context: Context<'_>) -> Option<Vec<(Oid, Beneath<'_>)>> {
        is_present(context).then_some(())?;
        let mut found = Vec::new();
        for row in rows(context) {
            let RegionalValue::ForeignAgent(value) = &row.value else { continue };
            for gateway in value.gateways() {
                found.push((addresses([gateway, row.address]), Beneath { row, value, gateway }));
            }
        }
        Some(found)
    }

    fn cell(context: Context<'_>, row: &Beneath<'_>, column: Self::Column) -> Option<Value> {
        use mip4_ext_regional_foreign_agent_table::Column;
        let Beneath { row, value, gateway } = row;
        Some(match column {
            Column::IsPrimary => Value::truth(value.gateway == *gateway),
            Column::Assignment => Value::Integer32(match value.assignment {
                GatewayAssignment::Advertised => 1,
                GatewayAssignment::Dynamic => 2,
            }),
            Column::Nai => identity::full_nai(value.nai.as_ref()),
            Column::Spi => Value::Gauge32(value.spi.map_or(0, |spi| spi.0)),
            Column::Origin => origin(row.origin),
            Column::State => state(context, Role::ForeignAgent, row.address),
        })
    }
}

pub(super) struct CounterTable;

impl SmallTable for CounterTable {
    type Column = mip4_ext_regional_counter_table::Column;
    type Row<'a> = &'a Counters;

    fn rows(context: Context<'_>) -> Option<Vec<(Oid, &Counters)>> {
        is_present(context).then_some(())?;
        let mut rows = agents::named(context);
        rows.retain(|(_, row)| Counter::RegionalRequestsReceived.belongs_to(row.role));
        Some(rows)
    }

    fn cell(_: Context<'_>, row: &&Counters, column: Self::Column) -> Option<Value> {
        use mip4_ext_regional_counter_table::Column;
        let count = |counter| Value::Counter64(row.value(counter));
        Some(match column {
            Column::RequestsReceived => count(Counter::RegionalRequestsReceived),
            Column::RequestsRelayed => count(Counter::RegionalRequestsRelayed),
            Column::RequestsAccepted => count(Counter::RegionalRequestsAccepted),
            Column::RequestsDenied => count(Counter::RegionalRequestsDenied),
            Column::RepliesRelayed => count(Counter::RegionalRepliesRelayed),
            Column::StrangersRefused => count(Counter::RegionalStrangersRefused),
        })
    }
}
