//! A drain is over when its home agent has no bindings, not when its first targets have ended.

use std::net::Ipv4Addr;
use std::time::Duration;

use store::{
    Binding, BindingKey, Found, Now, OperationState, OperationTarget, OperationTargetKey, Row as _,
    Snapshot, TargetKey, TargetResult, TargetState,
};

use super::job::Job;

/// How often it is looked for what is still to be drained.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Gives a drain whose targets have all ended those that came to be since: a node that moved has
/// another binding. With none, or at the deadline, it may end.
pub(super) fn look(job: &mut Job, snapshot: &Snapshot, now: Now) {
    let has_rested = job.looked_at.is_none_or(|at| now.uptime.since(at) >= LOOK_EVERY);
    if !job.is_drain() || job.may_end || !job.is_exhausted() || !has_rested {
        return;
    }
    job.looked_at = Some(now.uptime);
    let mut is_empty = true;
    for binding in bindings(job.share.owner.address, snapshot) {
        is_empty = false;
        let target = TargetKey::Binding(binding.key());
        let key = OperationTargetKey { id: job.share.id, target: target.clone() };
        let before = snapshot.rows::<OperationTarget>().get(&key);
        match before.map(|row| (row.since, row.state)) {
            Some((since, TargetState::Ended(result))) => {
                // What ended otherwise while the binding stayed cannot be mended by trying again.
                if since == binding.created_at && result != TargetResult::Gone {
                    continue;
                }
                job.uncount(result);
                job.share.targets = job.share.targets.saturating_sub(1);
            }
            Some(_) => continue,
            None => {}
        }
        let found = Found { owner: job.share.owner.clone(), target, since: binding.created_at };
        job.unexpanded.push_back(super::target(job.share.id, found));
    }
    if !job.unexpanded.is_empty() {
        job.share.state = OperationState::Expanding;
    } else if is_empty || job.is_too_late(now) {
        job.may_end = true;
    }
}

/// The bindings of a home agent, as the store has them.
fn bindings(home_agent: Ipv4Addr, snapshot: &Snapshot) -> impl Iterator<Item = &Binding> {
    let zero = Ipv4Addr::UNSPECIFIED;
    let first = BindingKey { home_agent, home_address: zero, care_of_address: zero, nai: None };
    let rows = snapshot.rows::<Binding>().range(first..);
    rows.take_while(move |(key, _)| key.home_agent == home_agent).map(|(_, entry)| &*entry.row)
}
