//! `haRegCounterTable`: registration statistics of each mobile node.

use std::time::Duration;

use mibs::mip_mib::ha_reg_counter_table::Column;
use store::{Identity, NodeCounters, NodeKey, Role, UtcTime};

use super::agents::Merged;
use super::{Context, TableSource, identity};
use crate::{Oid, Table, Value};

/// Opens the table; it is absent where no home agent was ever configured.
pub(crate) struct Source;

impl TableSource for Source {
    type Table<'a> = HaRegCounterTable<'a>;

    fn open(context: Context<'_>) -> Option<HaRegCounterTable<'_>> {
        context.has_role(Role::HomeAgent).then_some(HaRegCounterTable { context })
    }
}

/// The statistics of every node that a home agent has counted for.
#[derive(Clone, Copy)]
pub(crate) struct HaRegCounterTable<'a> {
    context: Context<'a>,
}

/// What the home agents counted for one index: a node with several home agents,
/// or NAIs that differ only in octets that the index does not hold.
pub(crate) struct Statistics<'a> {
    pub(crate) identity: &'a Identity,
    accepted: u64,
    denied: u64,
    served: Duration,
    last_accepted: Option<Event>,
    last_denied: Option<Event>,
}

/// Something that happened, and what to compare its time with.
#[derive(Clone, Copy)]
struct Event {
    at: UtcTime,
    owner_now: UtcTime,
    code: u8,
}

impl<'a> Statistics<'a> {
    pub(crate) fn new(identity: &'a Identity) -> Self {
        Self {
            identity,
            accepted: 0,
            denied: 0,
            served: Duration::ZERO,
            last_accepted: None,
            last_denied: None,
        }
    }

    /// Adds what one home agent counted.
    pub(crate) fn add(&mut self, context: Context<'_>, row: &NodeCounters) {
        let (owner_now, started_at) = context.home_agent_times(row.home_agent);
        self.accepted = self.accepted.wrapping_add(row.accepted);
        self.denied = self.denied.wrapping_add(row.denied);
        self.served += row.served(started_at, owner_now);
        let event = |at, code| Event { at, owner_now, code };
        keep_later(&mut self.last_accepted, row.last_accepted_at.map(|at| event(at, 0)));
        let code = row.last_denied_code.map_or(0, |code| code.0);
        keep_later(&mut self.last_denied, row.last_denied_at.map(|at| event(at, code)));
    }

    /// `…ServiceRequestsAccepted`: Codes 0 and 1.
    pub(crate) fn accepted(&self) -> Value {
        Value::counter32(self.accepted)
    }

    /// `…ServiceRequestsDenied`: every denial by the home agent, also by codes
    /// that came after the 159 of the description (a reading).
    pub(crate) fn denied(&self) -> Value {
        Value::counter32(self.denied)
    }

    /// `…OverallServiceTime` in seconds.
    pub(crate) fn service_time(&self) -> Value {
        Value::gauge32(self.served.as_secs())
    }

    /// `…RecentServiceAcceptedTime`; 0 if never.
    pub(crate) fn accepted_time(&self, context: Context<'_>) -> Value {
        time_of(context, self.last_accepted)
    }

    /// `…RecentServiceDeniedTime`; 0 if never.
    pub(crate) fn denied_time(&self, context: Context<'_>) -> Value {
        time_of(context, self.last_denied)
    }

    /// The code of the last denial.
    pub(crate) fn denied_code(&self) -> Option<u8> {
        self.last_denied.map(|event| event.code)
    }
}

fn time_of(context: Context<'_>, event: Option<Event>) -> Value {
    let owner_now = event.map_or(UtcTime::default(), |event| event.owner_now);
    context.time_stamp(event.map(|event| event.at), owner_now)
}

/// Keeps the event that is less long ago.
fn keep_later(kept: &mut Option<Event>, other: Option<Event>) {
    let age = |event: &Event| event.owner_now.since(event.at);
    *kept = [*kept, other].into_iter().flatten().min_by_key(age);
}

/// Statistics in the order of the index.
pub(crate) struct Nodes<'a> {
    context: Context<'a>,
    merged: Option<Merged<'a, NodeCounters, &'a Identity>>,
    /// Rows with this index were asked for already.
    skip: Vec<u32>,
}

impl<'a> Nodes<'a> {
    /// Those from `start` on, if anything can be there.
    fn from(context: Context<'a>, start: Option<Identity>, skip: &[u32]) -> Self {
        let merged = start.map(|identity| {
            let rank = |row: &'a NodeCounters| &row.identity;
            Merged::new(context, rank, |home_agent| NodeKey {
                home_agent,
                identity: identity.clone(),
            })
        });
        Self { context, merged, skip: skip.to_vec() }
    }

    /// The next row with all that has the same index.
    fn gather(&mut self) -> Option<Statistics<'a>> {
        let merged = self.merged.as_mut()?;
        let first = merged.next_row()?;
        let mut statistics = Statistics::new(&first.identity);
        statistics.add(self.context, first);
        while let Some(other) =
            merged.next_if(|row| identity::same_index(&row.identity, statistics.identity))
        {
            statistics.add(self.context, other);
        }
        Some(statistics)
    }
}

impl<'a> Iterator for Nodes<'a> {
    type Item = Statistics<'a>;

    fn next(&mut self) -> Option<Statistics<'a>> {
        loop {
            let statistics = self.gather()?;
            if self.skip.is_empty() {
                return Some(statistics);
            }
            let mut index = Oid::new();
            identity::push(&mut index, statistics.identity);
            if *index > self.skip[..] {
                self.skip.clear();
                return Some(statistics);
            }
        }
    }
}

impl<'a> Table for HaRegCounterTable<'a> {
    type Column = Column;
    type Row = Statistics<'a>;
    type Rows = Nodes<'a>;

    fn row(&self, suffix: &[u32]) -> Option<Statistics<'a>> {
        let start = identity::exact(suffix)?;
        let statistics = Nodes::from(self.context, Some(start), &[]).next()?;
        let mut index = Oid::new();
        identity::push(&mut index, statistics.identity);
        (*index == *suffix).then_some(statistics)
    }

    fn rows_after(&self, suffix: &[u32]) -> Nodes<'a> {
        Nodes::from(self.context, identity::first_after(suffix), suffix)
    }

    fn index(&self, row: &Statistics<'a>, name: &mut Oid) {
        identity::push(name, row.identity);
    }

    fn cell(&self, row: &Statistics<'a>, column: Column) -> Option<Value> {
        Some(match column {
            Column::ServiceRequestsAccepted => row.accepted(),
            Column::ServiceRequestsDenied => row.denied(),
            Column::OverallServiceTime => row.service_time(),
            Column::RecentServiceAcceptedTime => row.accepted_time(self.context),
            Column::RecentServiceDeniedTime => row.denied_time(self.context),
            // 0 before the first denial (a reading).
            Column::RecentServiceDeniedCode => {
                Value::Integer32(row.denied_code().unwrap_or(0).into())
            }
        })
    }
}

#[cfg(test)]
mod tests;
