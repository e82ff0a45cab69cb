//! What is wrong: found in the rows and in the health of the store, with the memory of a few minutes.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use store::{ClockState, Counter, Counters, CountersKey, Instance, InstanceState, Row as _, Time};

use super::{NotificationKind, Severity};
use crate::mib::{Context, is_stale};

/// A reason for an alarm.
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) kind: NotificationKind,
    pub(super) subject: String,
    pub(super) severity: Severity,
    pub(super) cause: String,
    pub(super) action: &'static str,
}

/// An agent is nearly full from the first percentage on, and below the second no more.
const FULL: [u64; 2] = [90, 80];
/// Violations within [`WINDOW`] that are a burst, and below the second no more.
const BURST: [u64; 2] = [100, 50];
const WINDOW: Duration = Duration::from_secs(60);
/// How often a count is remembered within the window.
const SAMPLE_EVERY: Duration = Duration::from_secs(5);
/// A step of a wall clock that matters, in milliseconds, and how long it is told.
const STEP: i64 = 1000;
const SETTLED_AFTER: Duration = Duration::from_secs(300);
/// How far a clock may be ahead of ours, in milliseconds.
const AHEAD: i64 = 2000;
/// How old what the store shows may be.
const STORE_AGE: Duration = Duration::from_secs(5);
/// A disk with less free than this percentage is nearly full.
const DISK_FREE: u64 = 5;

/// What was seen before.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    counts: BTreeMap<CountersKey, VecDeque<(Time, u64)>>,
    clocks: BTreeMap<String, Clock>,
}

#[derive(Clone, Copy, Debug)]
struct Clock {
    step: i64,
    /// When it was stepped, and how far.
    stepped: Option<(Time, i64)>,
}

impl Memory {
    /// Everything that is wrong; `is_raised` says what was wrong before.
    pub(super) fn conditions(
        &mut self,
        context: Context<'_>,
        is_raised: impl Fn(NotificationKind, &str) -> bool,
    ) -> Vec<Condition> {
        let mut found = Vec::new();
        store(context, &mut found);
        for row in context.snapshot.rows::<Instance>().iter() {
            instance(context, row, &mut found);
            self.clock(context, row, &mut found);
        }
        for row in context.snapshot.rows::<Counters>().iter() {
            capacity(context, row, &is_raised, &mut found);
            self.burst(context, row, &is_raised, &mut found);
        }
        let rows = context.snapshot.rows::<Counters>();
        self.counts.retain(|key, _| rows.get(key).is_some());
        let rows = context.snapshot.rows::<Instance>();
        self.clocks.retain(|name, _| rows.get(name).is_some());
        found
    }

    fn clock(&mut self, context: Context<'_>, row: &Instance, found: &mut Vec<Condition>) {
        if row.state == InstanceState::Gone {
            return;
        }
        let now = context.now;
        let first = Clock { step: row.clock_step, stepped: None };
        let clock = self.clocks.entry(row.name.clone()).or_insert(first);
        let step = row.clock_step.saturating_sub(clock.step);
        if step.saturating_abs() >= STEP {
            *clock = Clock { step: row.clock_step, stepped: Some((now.uptime, step)) };
        }
        let wall = row.heartbeat_at.shifted(row.clock_step);
        let ahead = wall.0.saturating_sub(now.utc.0);
        let suspect = row.clock_health.filter(|health| health.state == ClockState::Suspect);
        let cause = match clock.stepped {
            Some((at, step)) if now.uptime.since(at) < SETTLED_AFTER => {
                format!("the wall clock of {} was stepped by {step} ms", row.name)
            }
            _ if suspect.is_some() => {
                let (disagreeing, nodes) = suspect.map_or((0, 0), |it| (it.disagreeing, it.nodes));
                let name = &row.name;
                format!("{disagreeing} of {nodes} mobile nodes disagree with the clock of {name}")
            }
            _ if ahead > AHEAD => {
                format!("the wall clock of {} is {ahead} ms ahead of the one here", row.name)
            }
            _ => return,
        };
        found.push(Condition {
            kind: NotificationKind::Clock,
            subject: row.name.clone(),
            severity: Severity::Warning,
            cause,
            action: "Let one time service keep the clocks of agents and managers; mobile nodes \
                     whose timestamps are refused (code 133) adjust by themselves.",
        });
    }

    fn burst(
        &mut self,
        context: Context<'_>,
        row: &Counters,
        is_raised: &impl Fn(NotificationKind, &str) -> bool,
        found: &mut Vec<Condition>,
    ) {
        let now = context.now.uptime;
        let count = row.value(Counter::MipSecTotalViolations);
        let samples = self.counts.entry(row.key()).or_default();
        match samples.back() {
            None => samples.extend(start(context, row)),
            // Counting began anew since then, with nothing.
            Some((at, before)) if *before > count => *samples = VecDeque::from([(*at, 0)]),
            Some(_) => {}
        }
        if samples.back().is_none_or(|(at, _)| now.since(*at) >= SAMPLE_EVERY) {
            samples.push_back((now, count));
        }
        // The oldest is the newest that is outside the window.
        while samples.get(1).is_some_and(|(at, _)| now.since(*at) >= WINDOW) {
            samples.pop_front();
        }
        let within = samples.front().map_or(0, |(_, before)| count.saturating_sub(*before));
        let subject = agent(row);
        let [begins, ends] = BURST;
        let limit =
            if is_raised(NotificationKind::Violations, &subject) { ends } else { begins + 1 };
        if within >= limit {
            found.push(Condition {
                kind: NotificationKind::Violations,
                severity: Severity::Major,
                cause: format!("{within} security violations within a minute at {subject}"),
                subject,
                action: "Look at mipSecurityViolationTable or `mip4ctl show violations`: one \
                         offender is a wrong key or an attack, many are a wrong clock here.",
            });
        }
    }
}

/// Where an agent went on counting, if that was within the window: so what it saw before anybody
/// looked is none the less told.
fn start(context: Context<'_>, row: &Counters) -> Option<(Time, u64)> {
    let began = row.began?;
    let age = context.owner_now(&row.instance).since(began.at);
    let uptime = Duration::from_millis(context.now.uptime.as_millis());
    let at = Time::from_uptime(uptime.saturating_sub(age));
    (age < WINDOW).then_some((at, began.violations))
}

/// How an agent is named in alarms.
fn agent(row: &Counters) -> String {
    format!("{} {} of {}", row.role.as_str(), row.address, row.instance)
}

fn instance(context: Context<'_>, row: &Instance, found: &mut Vec<Condition>) {
    // One that has ended in order was ended by somebody.
    if row.state == InstanceState::Gone || !row.is_silent(context.now.utc) {
        return;
    }
    let roles: Vec<&str> = row.roles.iter().map(|role| role.as_str()).collect();
    let (name, process) = (&row.name, row.process_id);
    let roles = roles.join(", ");
    found.push(Condition {
        kind: NotificationKind::Instance,
        subject: name.clone(),
        severity: Severity::Critical,
        // No age: the cause of a raised alarm would change every second.
        cause: format!("{name} ({roles}), process {process}, sends no heartbeats"),
        action: "Look at the process on its host and start it again; what is shown of its \
                 bindings and visitors is what it knew last.",
    });
}

fn capacity(
    context: Context<'_>,
    row: &Counters,
    is_raised: &impl Fn(NotificationKind, &str) -> bool,
    found: &mut Vec<Condition>,
) {
    if is_stale(context, &row.instance) {
        return;
    }
    for usage in &row.usage {
        let resource = usage.resource.as_str();
        let subject = format!("{} {resource}", agent(row));
        let [begins, ends] = FULL;
        let limit = if is_raised(NotificationKind::Capacity, &subject) { ends } else { begins };
        let percentage =
            usage.in_use.saturating_mul(100).checked_div(usage.limit).unwrap_or(u64::MAX);
        if percentage < limit {
            continue;
        }
        let (in_use, most) = (usage.in_use, usage.limit);
        found.push(Condition {
            kind: NotificationKind::Capacity,
            severity: if in_use >= most { Severity::Critical } else { Severity::Major },
            cause: format!(
                "{in_use} of {most} {resource} are in use ({percentage} %) at {subject}"
            ),
            subject,
            action: "Raise the limit in the configuration file, or move nodes to another agent: \
                     when it is full, requests are refused with code 130 or 66.",
        });
    }
}

fn store(context: Context<'_>, found: &mut Vec<Condition>) {
    let health = &context.local.store;
    let nearly_full = health.disk.filter(|disk| {
        disk.total_octets > 0
            && disk.free_octets < disk.total_octets.saturating_mul(DISK_FREE) / 100
    });
    let (severity, cause) = if let Some(why) = &health.degraded {
        (Severity::Critical, format!("the store takes no commits: {why}"))
    } else if health.age > STORE_AGE {
        (Severity::Critical, "the store is out of touch: what is shown is old".to_owned())
    } else if let Some(disk) = nearly_full {
        let free = disk.free_octets >> 20;
        (Severity::Major, format!("the disk of the store has {free} MiB left"))
    } else {
        return;
    };
    found.push(Condition {
        kind: NotificationKind::Store,
        subject: "store".to_owned(),
        severity,
        cause,
        action: "Look at the disk and the process that owns the store: registrations are refused \
                 while nothing can be written, and what is served is the last revision.",
    });
}
