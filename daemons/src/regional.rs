//! Rolls back what was committed to the regional configuration and not confirmed in time.

use std::time::Duration;

use store::regional::{self, Wish};
use store::{
    Changed, CommitCause, CommitError, Now, RegionalCommitId, Snapshot, Store, Time, UtcTime,
};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, info, warn};

use crate::clock::Clock;
use crate::driver::Shutdown;

/// How often it is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// Looks after commits that wait to be confirmed until it is told to stop.
///
/// Every daemon does, so that one is enough; each roll-back compares what it is based on, so that
/// only one makes it. What it needs to know is in the row of the commit: who committed and the
/// daemons may have ended meanwhile.
pub(crate) async fn keep(store: Store, name: String, clock: Clock, mut shutdown: Shutdown) {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut deadline = Deadline::default();
    let mut told = regional_head(&store.snapshot());
    loop {
        tokio::select! {
            () = shutdown.requested() => return,
            _ = tick.tick() => {}
        }
        let (snapshot, now) = (store.snapshot(), clock.now());
        tell(&snapshot, &mut told);
        if deadline.has_passed(&snapshot, now) {
            roll_back(&store, &snapshot, &name, now).await;
        } else if let Some(batch) = regional::forget(&snapshot)
            && let Err(error) = store.commit(batch).await
        {
            debug!(%error, "old history of regions is not forgotten yet");
        }
    }
}

async fn roll_back(store: &Store, snapshot: &Snapshot, name: &str, now: Now) {
    let Some(commit) = regional::waiting(snapshot) else { return };
    let (id, who) = (commit.id, commit.who.clone());
    let wish = Wish {
        by: Changed { by: format!("mip4d {name}"), at: now.utc },
        reason: Some(format!("commit {id} by {who} was not confirmed in time")),
        confirm_within: None,
    };
    let back = match regional::roll_back(snapshot, CommitCause::NotConfirmed(id), &wish) {
        Ok(back) => back,
        Err(refusal) => {
            warn!(commit = %id, ?refusal, "a commit that nobody confirmed cannot be rolled back");
            return;
        }
    };
    match store.commit(back.prepared.batch).await {
        Ok(_) => {}
        Err(CommitError::Refused(_)) => debug!(commit = %id, "somebody else was faster"),
        Err(error) => warn!(commit = %id, %error, "a commit is not rolled back yet"),
    }
}

/// When the commit that waits has to be confirmed, by the monotonic clock.
///
/// It is worked out when the commit is first seen: a clock that is stepped afterwards neither
/// hastens nor delays it, and who starts anew goes on with what is left.
#[derive(Debug, Default)]
struct Deadline(Option<(RegionalCommitId, Time)>);

impl Deadline {
    fn has_passed(&mut self, snapshot: &Snapshot, now: Now) -> bool {
        let Some(commit) = regional::waiting(snapshot) else {
            self.0 = None;
            return false;
        };
        let (id, at) = match self.0 {
            Some((id, at)) if id == commit.id => (id, at),
            _ => {
                let whole = Duration::from_secs(commit.confirm_within.unwrap_or_default().into());
                let until = commit.deadline().unwrap_or(UtcTime(0));
                (commit.id, now.uptime + until.since(now.utc).min(whole))
            }
        };
        self.0 = Some((id, at));
        now.uptime >= at
    }
}

fn regional_head(snapshot: &Snapshot) -> RegionalCommitId {
    store::RegionalCommit::last_id(snapshot)
}

/// Says in the log who commits what.
fn tell(snapshot: &Snapshot, told: &mut RegionalCommitId) {
    for (commit, _) in regional::commits_since(*told, snapshot) {
        info!(
            target: "audit",
            commit = %commit.id,
            cause = %commit.cause,
            who = commit.who,
            reason = commit.reason.as_deref().unwrap_or_default(),
            agents = commit.changes,
            state = commit.state.as_str(),
            "regional configuration"
        );
        *told = commit.id;
    }
}

#[cfg(test)]
mod tests {
    use store::regional::Configuration;
    use store::{GatewaySetting, RegionalSubject, RegionalValue};

    use super::*;

    const COMMITTED_AT: i64 = 1_700_000_000_000;

    fn now(uptime: u64, utc: i64) -> Now {
        Now {
            uptime: Time::from_uptime(Duration::from_secs(uptime)),
            utc: UtcTime(COMMITTED_AT + utc * 1000),
            clock_step: 0,
        }
    }

    /// A store in which a commit of a gateway waits to be confirmed within a minute.
    async fn waiting() -> Store {
        let store = Store::in_memory();
        let by = Changed { by: "alice".to_owned(), at: UtcTime(COMMITTED_AT) };
        let mut wanted = Configuration::default();
        let value = RegionalValue::Gateway(GatewaySetting::default());
        wanted.set(RegionalSubject::Gateway([192, 0, 2, 9].into()), Some(value));
        let edit = regional::edit("alice", &wanted, &store.snapshot(), ("alice", &by));
        store.commit(edit).await.unwrap();
        let wish = Wish { by, reason: None, confirm_within: Some(60) };
        let commit = regional::commit("alice", &store.snapshot(), &wish).unwrap();
        store.commit(commit.prepared.batch).await.unwrap();
        store
    }

    #[tokio::test]
    async fn a_step_of_the_clock_neither_hastens_nor_delays_it() {
        let snapshot = waiting().await.snapshot();
        let mut deadline = Deadline::default();
        assert!(!deadline.has_passed(&snapshot, now(100, 1)));
        assert!(!deadline.has_passed(&snapshot, now(110, 4000)), "an hour ahead");
        assert!(!deadline.has_passed(&snapshot, now(158, 58)));
        assert!(deadline.has_passed(&snapshot, now(159, -4000)), "an hour behind");
        // Who starts anew goes on with what is left, and never waits for longer than was said.
        assert!(Deadline::default().has_passed(&snapshot, now(1, 61)));
        let mut behind = Deadline::default();
        assert!(!behind.has_passed(&snapshot, now(1, -4000)));
        assert!(behind.has_passed(&snapshot, now(61, -3940)));
    }

    #[tokio::test]
    async fn it_is_rolled_back_with_a_name_and_a_reason() {
        let store = waiting().await;
        roll_back(&store, &store.snapshot(), "gw1", now(100, 61)).await;
        let snapshot = store.snapshot();
        assert_eq!(Configuration::running(&snapshot), Configuration::default());
        let last = store::RegionalCommit::last(&snapshot).unwrap();
        assert_eq!((last.id, last.who.as_str()), (RegionalCommitId(2), "mip4d gw1"));
        assert!(last.reason.as_ref().unwrap().contains("commit 1 by alice"));
        // Once more changes nothing.
        roll_back(&store, &snapshot, "gw2", now(101, 62)).await;
        assert_eq!(regional_head(&store.snapshot()), RegionalCommitId(2));
    }
}
