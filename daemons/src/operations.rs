//! What becomes of operations that no agent looks after: those whose owner is gone, and old ones.

use std::collections::BTreeMap;
use std::time::Duration;

use mobility::operation_change;
use store::{
    Batch, Class, Expect, Instance, InstanceState, Now, Operation, OperationId, OperationShare,
    OperationShareKey, OperationState, OperationTarget, Role, Row as _, Snapshot, Store,
    TargetResult, TargetState, Unknown,
};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, info};

use crate::audit::{self, Syslog};
use crate::clock::Clock;
use crate::driver::Shutdown;

/// How often it is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// How long an owner may be away before its targets are given up: long enough to be started anew.
const UNOWNED_AFTER: Duration = Duration::from_secs(60);

/// How many rows go into one batch.
const ROWS_AT_ONCE: usize = 1000;

/// Looks after the operations of the store until it is told to stop.
///
/// Every daemon does; each change compares what it is based on, so that only one makes it.
pub(crate) async fn keep(
    store: Store,
    clock: Clock,
    syslog: Option<Syslog>,
    mut shutdown: Shutdown,
) {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = BTreeMap::new();
    let mut syslog = syslog;
    loop {
        tokio::select! {
            () = shutdown.requested() => return,
            _ = tick.tick() => {}
        }
        let (snapshot, now) = (store.snapshot(), clock.now());
        tell(&snapshot, &mut told);
        if let Some(syslog) = &mut syslog {
            syslog.tell(&snapshot);
        }
        if let Some(batch) = change(&snapshot, now)
            && let Err(error) = store.commit(batch).await
        {
            debug!(%error, "somebody else changed an operation");
        }
    }
}

/// Whether mobile nodes have a part in an operation that has not ended.
pub(crate) fn concern_mobile_nodes(snapshot: &Snapshot) -> bool {
    let mut operations = snapshot.rows::<Operation>().iter();
    operations.any(|it| !it.state.is_final() && it.action.role() == Role::MobileNode)
}

/// The next thing to change, if there is one.
fn change(snapshot: &Snapshot, now: Now) -> Option<Batch> {
    let operations = snapshot.rows::<Operation>();
    let open = operations.iter().filter(|operation| !operation.state.is_final());
    let of_open = open.into_iter().find_map(|operation| {
        let disowned = || disown(operation, snapshot, now);
        disowned().or_else(|| operation_change(operation, snapshot, now))
    });
    of_open.or_else(|| forget(snapshot)).or_else(|| audit::forget(snapshot))
}

/// Ends the part of an owner that is gone.
fn disown(operation: &Operation, snapshot: &Snapshot, now: Now) -> Option<Batch> {
    let gone = operation.owners.iter().find(|owner| {
        let share = snapshot.rows::<OperationShare>().get(&OperationShareKey {
            id: operation.id,
            role: owner.role,
            address: owner.address,
        });
        let instance = share.map_or(&owner.instance, |share| &share.owner.instance);
        let has_ended = share.is_some_and(|share| share.state.is_final());
        !has_ended
            && is_gone(instance, snapshot, now)
            && now.stamp().since(operation.created_at) > UNOWNED_AFTER
    })?;
    let key = OperationShareKey { id: operation.id, role: gone.role, address: gone.address };
    let entry = snapshot.rows::<OperationShare>().entry(&key);
    let mut batch = Batch::new(Class::Durable);
    let mut share = match entry {
        Some(entry) => {
            batch.expect::<OperationShare>(key.clone(), Expect::Modified(entry.modified));
            OperationShare::clone(&entry.row)
        }
        None => {
            batch.expect::<OperationShare>(key.clone(), Expect::Absent);
            OperationShare {
                id: operation.id,
                owner: gone.clone(),
                state: OperationState::Failed,
                targets: 0,
                results: BTreeMap::new(),
                claimed_at: now.stamp(),
                finished_at: None,
                error: None,
                unknown: Unknown::default(),
            }
        }
    };
    let ours = OperationTarget::of(operation.id, snapshot)
        .filter(|target| target.owner.address == key.address && target.owner.role == key.role);
    let open = ours.filter(|target| !matches!(target.state, TargetState::Ended(_)));
    let mut more = false;
    for (count, target) in open.enumerate() {
        if count >= ROWS_AT_ONCE {
            more = true;
            break;
        }
        let mut row = OperationTarget::clone(target);
        row.state = TargetState::Ended(TargetResult::Unowned);
        row.ended_at = Some(now.stamp());
        *share.results.entry(TargetResult::Unowned.word().to_owned()).or_insert(0) += 1;
        batch.put(row);
    }
    if !more {
        share.state = OperationState::Failed;
        share.finished_at = Some(now.stamp());
        share.error = Some(format!("`{}`, which owns the targets, is gone", share.owner.instance));
    }
    batch.put(share);
    Some(batch)
}

fn is_gone(instance: &str, snapshot: &Snapshot, now: Now) -> bool {
    let Some(row) = snapshot.rows::<Instance>().get(&instance.to_owned()) else { return true };
    let silent_for = row.heartbeat_age(now.utc);
    silent_for > UNOWNED_AFTER && (row.state == InstanceState::Gone || row.is_silent(now.utc))
}

/// Deletes what has ended and is more than is kept, the oldest first.
fn forget(snapshot: &Snapshot) -> Option<Batch> {
    let operations = snapshot.rows::<Operation>();
    let ended = operations.iter().filter(|operation| operation.state.is_final());
    let ended: Vec<OperationId> = ended.map(|operation| operation.id).collect();
    let targets = snapshot.rows::<OperationTarget>().len();
    let too_many = ended.len() > Operation::KEPT_MAX || targets > Operation::TARGETS_KEPT_MAX;
    // The newest number stays taken, so that no number means two operations; and what keeps a home
    // agent out of service stays to be cancelled.
    let newest = *ended.last()?;
    let is_kept = |id: OperationId| {
        let operation = operations.get(&id).filter(|operation| operation.is_in_force());
        let of = operation.and_then(|operation| operation.selector.home_agents.first());
        let drain = of.and_then(|home_agent| Operation::drain_of(*home_agent, snapshot));
        id == newest || drain.is_some_and(|drain| drain.id == id)
    };
    let oldest = ended.iter().find(|id| too_many && !is_kept(**id))?;
    let mut batch = Batch::new(Class::Durable);
    for target in OperationTarget::of(*oldest, snapshot).take(ROWS_AT_ONCE) {
        batch.delete::<OperationTarget>(target.key());
    }
    if batch.changes.len() < ROWS_AT_ONCE {
        for share in OperationShare::of(*oldest, snapshot) {
            batch.delete::<OperationShare>(share.key());
        }
        batch.delete::<Operation>(*oldest);
    }
    Some(batch)
}

/// Says in the log what operators ask for and how it ends.
fn tell(snapshot: &Snapshot, told: &mut BTreeMap<OperationId, (OperationState, &'static str)>) {
    let operations = snapshot.rows::<Operation>();
    for operation in operations.iter() {
        let wish = match operation.wish {
            store::OperationWish::Run => "run",
            store::OperationWish::Pause => "pause",
            store::OperationWish::Cancel => "cancel",
        };
        let now = (operation.state, wish);
        let before = told.insert(operation.id, now);
        // What had ended before this process began is no news.
        let is_news = before != Some(now) && !(before.is_none() && operation.state.is_final());
        if is_news {
            let progress = store::Progress::of(operation.id, snapshot);
            info!(
                target: "audit",
                operation = %operation.id,
                action = operation.action.word(),
                who = operation.who,
                reason = operation.reason.as_deref().unwrap_or_default(),
                wish,
                state = operation.state.word(),
                targets = progress.targets,
                ended = progress.ended(),
                "operation"
            );
        }
    }
    told.retain(|id, _| operations.get(id).is_some());
}
