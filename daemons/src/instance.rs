//! The row of this process: who it is, and that it is alive.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use store::{
    Batch, Class, ClockHealth, ClockState, Instance, InstanceState, Revision, Role, Snapshot,
    Store, Unknown,
};
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;
use tracing::{info, warn};

use crate::clock::Clock;
use crate::driver::Shutdown;

/// How often the row is written; it is stale after three were missed.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// The least time between two writes, however often there is something new to say.
const PAUSE: Duration = Duration::from_millis(20);

/// Keeps the row of this process. Clones share it.
#[derive(Clone)]
pub(crate) struct InstanceKeeper {
    store: Store,
    clock: Clock,
    row: Arc<Mutex<Instance>>,
    parts: Arc<Mutex<Parts>>,
    /// There is something that should not wait for the next heartbeat.
    news: Arc<Notify>,
}

/// How far the parts of the process have taken in the configuration.
#[derive(Debug, Default)]
struct Parts {
    /// The revision that each acts on, and the rows that it does not act on.
    applied: BTreeMap<Role, (Revision, BTreeMap<String, String>)>,
    /// What is wrong with the file, by its path.
    file: BTreeMap<String, String>,
    /// The agents that go out of service.
    draining: BTreeSet<Role>,
}

impl Parts {
    /// What all parts act on.
    fn revision(&self) -> Revision {
        self.applied.values().map(|(revision, _)| *revision).min().unwrap_or_default()
    }

    fn errors(&self) -> BTreeMap<String, String> {
        let errors = self.applied.values().map(|(_, errors)| errors);
        errors.chain([&self.file]).flatten().map(|(of, why)| (of.clone(), why.clone())).collect()
    }
}

/// What an instance is called unless its file says: the host, and what it does there.
pub(crate) fn default_name(roles: &[Role]) -> String {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = match host.trim() {
        "" => "localhost",
        host => host,
    };
    // SNMP comes and goes with a file's edits; counters and bindings stay with what owns them.
    let words: Vec<&str> = roles
        .iter()
        .filter(|role| !matches!(role, Role::Snmp | Role::Store))
        .map(|role| role.as_str())
        .collect();
    if words.is_empty() { host.to_owned() } else { format!("{host}-{}", words.join("-")) }
}

/// What the last run of the instance left behind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Predecessor {
    /// How far its clock was stepped.
    pub(crate) clock_step: i64,
    /// It did not end in order, so relaxed writes may be lost.
    pub(crate) crashed: bool,
}

impl Predecessor {
    pub(crate) fn of(name: &str, snapshot: &Snapshot) -> Self {
        match snapshot.rows::<Instance>().get(&name.to_owned()) {
            Some(row) => {
                Self { clock_step: row.clock_step, crashed: row.state != InstanceState::Gone }
            }
            None => Self::default(),
        }
    }
}

impl InstanceKeeper {
    /// Makes the row, in state `starting`.
    pub(crate) async fn announce(
        store: Store,
        clock: Clock,
        name: String,
        roles: Vec<Role>,
        addresses: Vec<Ipv4Addr>,
    ) -> anyhow::Result<Self> {
        let stamp = clock.now().stamp();
        let row = Instance {
            name,
            roles,
            addresses,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            process_id: std::process::id(),
            started_at: stamp,
            heartbeat_at: stamp,
            clock_step: 0,
            state: InstanceState::Starting,
            applied_revision: 0,
            apply_error: None,
            clock_health: None,
            apply_errors: BTreeMap::new(),
            unknown: Unknown::default(),
        };
        let keeper = Self {
            store,
            clock,
            row: Arc::new(Mutex::new(row)),
            parts: Arc::default(),
            news: Arc::default(),
        };
        keeper.write(Class::Durable).await?;
        Ok(keeper)
    }

    pub(crate) fn name(&self) -> String {
        self.change(|row| row.name.clone())
    }

    /// Says durably in which state the process is.
    pub(crate) async fn set_state(&self, state: InstanceState) -> anyhow::Result<()> {
        // Whoever begins to serve may have a drain to go on with.
        let is_held = state == InstanceState::Serving && self.is_draining();
        let state = if is_held { InstanceState::Draining } else { state };
        self.change(|row| row.state = state);
        self.write(Class::Durable).await
    }

    /// Whether an agent of the process goes out of service.
    fn is_draining(&self) -> bool {
        !self.parts.lock().unwrap_or_else(PoisonError::into_inner).draining.is_empty()
    }

    /// The row as it was written last.
    pub(crate) fn row(&self) -> Instance {
        self.change(|row| row.clone())
    }

    /// Announces that the part of that role will follow the configuration: until it says how far
    /// it is, nothing counts as applied.
    pub(crate) fn expect(&self, part: Role) {
        self.report(|parts| drop(parts.applied.insert(part, Default::default())));
    }

    /// Says that a part acts on the configuration of a revision, but for the rows in `errors`.
    pub(crate) fn applied(&self, part: Role, revision: Revision, errors: BTreeMap<String, String>) {
        self.report(|parts| drop(parts.applied.insert(part, (revision, errors))));
    }

    /// Says that the file is in force, or why not.
    pub(crate) fn file_applied(&self, path: &Path, wrong: Option<String>) {
        let errors = wrong.map(|why| (path.display().to_string(), why));
        self.report(|parts| parts.file = errors.into_iter().collect());
    }

    fn report(&self, change: impl FnOnce(&mut Parts)) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut parts);
        let (revision, errors) = (parts.revision(), parts.errors());
        drop(parts);
        self.change(|row| {
            row.applied_revision = revision.0;
            let mut words = errors.iter().map(|(of, why)| format!("{of}: {why}"));
            row.apply_error = words.next().map(|first| match words.count() {
                0 => first,
                more => format!("{first} (and {more} more)"),
            });
            row.apply_errors = errors;
        });
        self.news.notify_one();
    }

    /// Says whether the agent of that role goes out of service; the process is what its agents are.
    pub(crate) fn draining(&self, part: Role, is_draining: bool) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let has_changed =
            if is_draining { parts.draining.insert(part) } else { parts.draining.remove(&part) };
        let is_any = !parts.draining.is_empty();
        drop(parts);
        if !has_changed {
            return;
        }
        let role = part.as_str();
        if is_draining {
            warn!(role, "goes out of service: takes no new mobile nodes");
        } else {
            info!(role, "takes mobile nodes again");
        }
        self.change(|row| match (row.state, is_any) {
            (InstanceState::Serving, true) => row.state = InstanceState::Draining,
            (InstanceState::Draining, false) => row.state = InstanceState::Serving,
            _ => {}
        });
        self.news.notify_one();
    }

    /// Says what mobile nodes say of our clock, with the next heartbeat; logs an alarm and its end.
    pub(crate) fn clock_health(&self, health: Option<ClockHealth>) {
        let Some(health) = health else { return };
        let before = self.change(|row| row.clock_health.replace(health));
        let was_suspect = before.is_some_and(|before| before.state == ClockState::Suspect);
        let is_suspect = health.state == ClockState::Suspect;
        let ClockHealth { nodes, disagreeing, offset, .. } = health;
        match (was_suspect, is_suspect) {
            (false, true) => warn!(
                nodes,
                disagreeing,
                offset_milliseconds = offset.unwrap_or_default(),
                "most mobile nodes disagree with the clock of this host: is it right?"
            ),
            (true, false) => info!(nodes, disagreeing, "mobile nodes agree with our clock again"),
            (true, true) | (false, false) => {}
        }
    }

    /// Writes the row every second until it is time to stop.
    pub(crate) async fn beat(self, mut shutdown: Shutdown) {
        let mut ticks = tokio::time::interval(HEARTBEAT);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut step = self.clock.now().clock_step;
        loop {
            tokio::select! {
                () = shutdown.requested() => return,
                _ = ticks.tick() => {}
                // Whoever made a change waits for this.
                () = self.news.notified() => {}
            }
            let row = self.stamped();
            if row.clock_step != step {
                warn!(milliseconds = row.clock_step - step, "the wall clock was stepped");
                step = row.clock_step;
            }
            let mut batch = Batch::new(Class::Relaxed);
            batch.put(row);
            self.store.commit_soon(batch);
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn write(&self, class: Class) -> anyhow::Result<()> {
        let mut batch = Batch::new(class);
        batch.put(self.stamped());
        self.store.commit(batch).await.context("failed to write the row of this instance")?;
        Ok(())
    }

    /// The row as of now.
    fn stamped(&self) -> Instance {
        let now = self.clock.now();
        self.change(|row| {
            row.heartbeat_at = now.stamp();
            row.clock_step = now.clock_step;
            row.clone()
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut Instance) -> T) -> T {
        change(&mut self.row.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
