use std::time::Duration;

use store::{
    Counter, Counters, Disk, Health, Identity, InstanceState, Resource, Role, ViolationReason,
};

use super::*;
use crate::mib::ext::tests::commit;
use crate::mib::tests::rows::{FA, address, violation};
use crate::mib::tests::{HOME_AGENT, INSTANCE, World, counters, instance, nai};

/// A world that is looked at.
struct Watched {
    world: World,
    alarms: Alarms,
}

impl Watched {
    fn new() -> Self {
        let mut watched = Self { world: World::with_home_agent(), alarms: Alarms::default() };
        assert_eq!(watched.look(), Vec::<String>::new());
        watched
    }

    /// Looks once; tells the names of the notifications.
    fn look(&mut self) -> Vec<String> {
        self.observe().iter().map(|it| name_of(&it.kind).to_owned()).collect()
    }

    fn observe(&mut self) -> Vec<Notification> {
        let registry = crate::mib::registry();
        self.alarms.observe(self.world.context(), &registry)
    }

    /// Lets time go on; instances that live send their heartbeats.
    fn pass(&mut self, seconds: u64, alive: &[&str]) {
        let now = &mut self.world.now;
        now.uptime = now.uptime + Duration::from_secs(seconds);
        now.utc = now.utc + Duration::from_secs(seconds);
        for name in alive {
            let mut row = instance(name, Role::HomeAgent, HOME_AGENT);
            row.heartbeat_at = self.world.now.stamp();
            self.world.put(row);
        }
    }

    fn subjects(&self) -> Vec<&str> {
        self.alarms.raised().map(|alarm| alarm.subject.as_str()).collect()
    }
}

fn name_of(oid: &[u32]) -> &'static str {
    let modules = mibs::MODULES.iter().flat_map(|module| module.notifications);
    modules.into_iter().find(|it| it.oid == oid).unwrap().name
}

fn usage(limit: u64, in_use: u64) -> Counters {
    let mut row = counters(INSTANCE, Role::HomeAgent, []);
    row.set_usage(Resource::Bindings, limit, in_use, row.discontinuity_at);
    row
}

#[test]
fn an_instance_that_falls_silent_is_told_once_and_again_when_it_is_back() {
    let mut watched = Watched::new();
    watched.pass(4, &[]);
    assert_eq!(watched.look(), ["mip4ExtInstanceGone"]);
    watched.pass(1, &[]);
    assert_eq!(watched.look(), Vec::<String>::new());
    assert_eq!(watched.subjects(), [INSTANCE]);
    watched.pass(1, &[INSTANCE]);
    assert_eq!(watched.look(), ["mip4ExtInstanceBack"]);
    assert_eq!(watched.subjects(), Vec::<&str>::new());
    // One that ends in order is no reason to wake anybody.
    let mut ended = instance(INSTANCE, Role::HomeAgent, HOME_AGENT);
    ended.state = InstanceState::Gone;
    watched.world.put(ended);
    watched.pass(100, &[]);
    assert_eq!(watched.look(), Vec::<String>::new());
}

#[test]
fn a_notification_has_severity_since_cause_and_action_and_names_its_subject() {
    let mut watched = Watched::new();
    watched.pass(4, &[]);
    let since = watched.world.now.utc;
    let [notification] = &watched.observe()[..] else { panic!("one notification") };
    let objects = mibs::mip4_ext_mib::MODULE.notifications[0].objects;
    assert_eq!(notification.variables.len(), objects.len());
    for ((name, _), object) in notification.variables.iter().zip(objects) {
        let object = mibs::mip4_ext_mib::MODULE.object(object).unwrap();
        let instance = name.strip_prefix(object.oid).unwrap();
        assert_eq!(instance, [3, 104, 97, 49], "{}", object.name);
    }
    let values: Vec<_> = notification.variables.iter().map(|(_, value)| value.clone()).collect();
    assert_eq!(values[0], Value::Integer32(4));
    assert_eq!(values[1], date_and_time(since));
    let cause = "ha1 (home-agent), process 1, sends no heartbeats";
    assert_eq!(values[2], Value::octets(cause));
    watched.pass(1, &[INSTANCE]);
    let [cleared] = &watched.observe()[..] else { panic!("one notification") };
    assert_eq!(cleared.variables[0].1, Value::Integer32(1));
    assert_eq!(cleared.variables[1].1, date_and_time(since));
}

#[test]
fn capacity_has_a_threshold_each_way() {
    let mut watched = Watched::new();
    for (in_use, told) in [
        (89, None),
        (90, Some("mip4ExtCapacityHigh")),
        (85, None),
        (100, None),
        (80, None),
        (79, Some("mip4ExtCapacityNormal")),
        (85, None),
    ] {
        watched.world.put(usage(100, in_use));
        assert_eq!(watched.look(), Vec::from_iter(told), "{in_use}");
    }
    // No room at all is full.
    watched.world.put(usage(0, 0));
    assert_eq!(watched.look(), ["mip4ExtCapacityHigh"]);
    assert_eq!(watched.alarms.raised().next().unwrap().severity, Severity::Critical);
}

#[test]
fn a_burst_of_violations_within_a_minute_is_told() {
    let mut watched = Watched::new();
    let seen =
        |count| counters(INSTANCE, Role::HomeAgent, [(Counter::MipSecTotalViolations, count)]);
    watched.world.put(seen(1_000_000));
    assert_eq!(watched.look(), Vec::<String>::new(), "what was before is no burst");
    watched.pass(30, &[INSTANCE]);
    watched.world.put(seen(1_000_100));
    assert_eq!(watched.look(), Vec::<String>::new());
    watched.world.put(seen(1_000_101));
    assert_eq!(watched.look(), ["mip4ExtViolationBurst"]);
    let mut told = Vec::new();
    for _ in 0..24 {
        watched.pass(5, &[INSTANCE]);
        told.extend(watched.look());
    }
    assert_eq!(told, ["mip4ExtViolationBurstEnd"]);
    // Slow and steady is none, however many there are in all.
    for n in 0..200_u64 {
        watched.pass(5, &[INSTANCE]);
        watched.world.put(seen(1_000_101 + n * 5));
        assert_eq!(watched.look(), Vec::<String>::new());
    }
}

#[test]
fn a_burst_before_anybody_looked_is_told_too() {
    let started = |age: u64, before: u64, count: u64| {
        let mut world = World::with_home_agent();
        let mut row =
            counters(INSTANCE, Role::HomeAgent, [(Counter::MipSecTotalViolations, count)]);
        let at = world.now.utc.shifted(-i64::try_from(age * 1000).unwrap());
        row.began = Some(store::Began { at, violations: before });
        world.put(row);
        let mut watched = Watched { world, alarms: Alarms::default() };
        watched.look()
    };
    assert_eq!(started(10, 0, 101), ["mip4ExtViolationBurst"]);
    assert_eq!(started(10, 0, 100), Vec::<String>::new());
    // What it had counted before it started is of another time.
    assert_eq!(started(10, 1_000_000, 1_000_100), Vec::<String>::new());
    assert_eq!(started(10, 1_000_000, 1_000_101), ["mip4ExtViolationBurst"]);
    // Nobody knows how much of it was within the last minute.
    assert_eq!(started(60, 0, 1_000_000), Vec::<String>::new());
}

#[test]
fn a_burst_right_after_counting_began_anew_is_told() {
    let mut watched = Watched::new();
    let seen =
        |count| counters(INSTANCE, Role::HomeAgent, [(Counter::MipSecTotalViolations, count)]);
    watched.world.put(seen(500));
    assert_eq!(watched.look(), Vec::<String>::new());
    watched.pass(1, &[INSTANCE]);
    watched.world.put(seen(101));
    assert_eq!(watched.look(), ["mip4ExtViolationBurst"]);
}

/// Who went back to how it was, and to what, is told once, and nothing of other commits.
#[test]
fn a_change_of_regions_that_was_taken_back_is_told() {
    use store::{CommitCause, RegionalCommitId};
    let mut watched = Watched::new();
    watched.world.put(commit(1, CommitCause::Candidate));
    assert_eq!(watched.look(), Vec::<String>::new());
    watched.world.put(commit(2, CommitCause::NotConfirmed(RegionalCommitId(1))));
    let [told] = &watched.observe()[..] else { panic!("one notification") };
    assert_eq!(name_of(&told.kind), "mip4ExtRegionalRolledBack");
    let values: Vec<_> = told.variables.iter().map(|(_, value)| value.clone()).collect();
    let words = [Value::octets("operator"), Value::octets("too much")];
    let numbers = [Value::Integer32(3), Value::Gauge32(1)];
    assert_eq!(values[..4], [&numbers[..], &words[..]].concat());
    for (name, value) in &told.variables {
        assert_eq!(watched.world.ask(name), crate::mib::GetResult::Value(value.clone()));
    }
    assert_eq!(watched.look(), Vec::<String>::new());
    for id in [3, 4] {
        watched.world.put(commit(id, CommitCause::RollBack(RegionalCommitId(1))));
    }
    assert_eq!(watched.look(), ["mip4ExtRegionalRolledBack", "mip4ExtRegionalRolledBack"]);
    // What was there before somebody looked is no news.
    let mut later = Watched { world: watched.world, alarms: Alarms::default() };
    assert_eq!(later.look(), Vec::<String>::new());
}

#[test]
fn a_step_of_a_clock_is_told_for_five_minutes() {
    let mut watched = Watched::new();
    let step = |watched: &mut Watched, step| {
        let mut row = instance(INSTANCE, Role::HomeAgent, HOME_AGENT);
        row.clock_step = step;
        row.heartbeat_at = watched.world.now.utc.shifted(-step);
        watched.world.put(row);
        watched.look()
    };
    assert_eq!(step(&mut watched, 999), Vec::<String>::new());
    assert_eq!(step(&mut watched, -3_600_000), ["mip4ExtClockTrouble"]);
    let cause = watched.alarms.raised().next().unwrap().cause.clone();
    assert_eq!(cause, "the wall clock of ha1 was stepped by -3600000 ms");
    watched.pass(299, &[]);
    assert_eq!(step(&mut watched, -3_600_000), Vec::<String>::new());
    watched.pass(1, &[]);
    assert_eq!(step(&mut watched, -3_600_000), ["mip4ExtClockSettled"]);
}

#[test]
fn a_clock_that_is_ahead_of_ours_is_told() {
    let mut watched = Watched::new();
    let mut row = instance(INSTANCE, Role::HomeAgent, HOME_AGENT);
    row.heartbeat_at = watched.world.now.utc.shifted(2001);
    watched.world.put(row);
    assert_eq!(watched.look(), ["mip4ExtClockTrouble"]);
}

#[test]
fn a_clock_that_most_nodes_disagree_with_is_told() {
    let mut watched = Watched::new();
    let mut row = instance(INSTANCE, Role::HomeAgent, HOME_AGENT);
    let state = store::ClockState::Suspect;
    row.clock_health =
        Some(store::ClockHealth { state, nodes: 20, disagreeing: 19, offset: Some(60_000) });
    watched.world.put(row);
    assert_eq!(watched.look(), ["mip4ExtClockTrouble"]);
    let cause = &watched.alarms.raised().next().unwrap().cause;
    assert_eq!(cause, "19 of 20 mobile nodes disagree with the clock of ha1");
}

#[test]
fn the_store_in_trouble_is_told_with_its_reason() {
    let mut watched = Watched::new();
    let broken = Health { degraded: Some("no space left".to_owned()), ..Health::default() };
    let old = Health { age: Duration::from_secs(6), ..Health::default() };
    let disk = Disk { free_octets: 4 << 20, total_octets: 100 << 20, used_octets: 1 };
    let full = Health { disk: Some(disk), ..Health::default() };
    for (health, told) in [
        (broken, Some("mip4ExtStoreTrouble")),
        (old, None),
        (Health::default(), Some("mip4ExtStoreHealthy")),
        (full, Some("mip4ExtStoreTrouble")),
    ] {
        watched.world.local.store = health;
        assert_eq!(watched.look(), Vec::from_iter(told));
    }
    assert_eq!(watched.alarms.raised().next().unwrap().severity, Severity::Major);
}

/// The agent of Solaris had an empty file where it should have sent these.
#[test]
fn solaris_8_a_failed_authentication_is_told_with_all_objects_in_order() {
    let mut watched = Watched::new();
    watched.world.put(violation(INSTANCE, Role::HomeAgent, Identity::Nai(nai("a@b"))));
    let news = watched.observe();
    let [new, old] = &news[..] else { panic!("{news:?}") };
    for (notification, name, index, values) in [
        (
            new,
            "mipAuthFailure2",
            &[3, 3, 97, 64, 98][..],
            vec![
                Value::octets("a@b"),
                Value::IpAddress([192, 0, 2, 66]),
                Value::Counter32(4),
                Value::Gauge32(1001),
                Value::TimeTicks(6000),
                Value::Gauge32(0x9000_0004),
                Value::Gauge32(0xE000_0003),
                Value::Integer32(2),
                Value::Gauge32(131),
            ],
        ),
        (
            old,
            "mipAuthFailure",
            &[192, 0, 2, 66][..],
            vec![
                Value::IpAddress([192, 0, 2, 66]),
                Value::Integer32(1001),
                Value::Integer32(0x9000_0004_u32.cast_signed()),
                Value::Integer32(0xE000_0003_u32.cast_signed()),
                Value::Integer32(2),
            ],
        ),
    ] {
        assert_eq!(name_of(&notification.kind), name);
        let definition = mibs::mip_mib::MODULE.notifications.iter().find(|it| it.name == name);
        let names: Vec<_> = definition
            .unwrap()
            .objects
            .iter()
            .map(|object| {
                let mut name = Oid::from(mibs::mip_mib::MODULE.object(object).unwrap().oid);
                name.extend_from_slice(index);
                name
            })
            .collect();
        let (sent, got): (Vec<_>, Vec<_>) = notification.variables.iter().cloned().unzip();
        assert_eq!(sent, names, "{name}");
        assert_eq!(got, values, "{name}");
    }
}

#[test]
fn an_offender_is_told_of_when_there_is_news_and_not_for_what_was_there_before() {
    let mut watched = Watched { world: World::with_home_agent(), alarms: Alarms::default() };
    let offender = |count| {
        let mut row = violation(INSTANCE, Role::HomeAgent, address("10.0.0.7"));
        (row.count, row.reason) = (count, ViolationReason::BadIdentifier);
        row
    };
    watched.world.put(offender(4));
    assert_eq!(watched.look(), Vec::<String>::new(), "it was there when we came");
    watched.world.put(offender(4));
    assert_eq!(watched.look(), Vec::<String>::new(), "nothing is new");
    watched.world.put(offender(6));
    assert_eq!(watched.look(), ["mipAuthFailure2", "mipAuthFailure"]);
    // Another agent saw the same one: news of that row.
    watched.world.put(violation(FA, Role::ForeignAgent, address("10.0.0.7")));
    assert_eq!(watched.look(), ["mipAuthFailure2", "mipAuthFailure"]);
}

#[test]
fn kinds_are_limited_one_by_one_and_counted() {
    let mut watched = Watched::new();
    for n in 0..70_u8 {
        let identity = Identity::Nai(nai(&format!("n{n}")));
        watched.world.put(violation(INSTANCE, Role::HomeAgent, identity));
    }
    assert_eq!(watched.look().len(), 100, "50 of each of two kinds");
    let snapshot = &watched.world.snapshot;
    let gate = watched.alarms.gate(snapshot, NotificationKind::AuthenticationFailure);
    assert_eq!((gate.sent, gate.suppressed), (50, 20));
    watched.pass(4, &[]);
    assert_eq!(watched.look(), ["mip4ExtInstanceGone"], "others are not held up");
    // Ten a second come back.
    watched.pass(1, &[INSTANCE]);
    for n in 0..70_u8 {
        let mut row = violation(INSTANCE, Role::HomeAgent, Identity::Nai(nai(&format!("n{n}"))));
        row.count = 9;
        watched.world.put(row);
    }
    let told = watched.look();
    assert_eq!(told.iter().filter(|name| *name == "mipAuthFailure2").count(), 50);
}

/// Reading 28: violations that a mobile node records are told of like those of agents.
#[test]
fn what_a_mobile_node_sees_is_told_of_too() {
    let mut watched = Watched::new();
    watched.world.put(violation("mn1", Role::MobileNode, address("192.0.2.1")));
    let mut told = watched.look();
    told.sort_unstable();
    assert_eq!(told, ["mipAuthFailure", "mipAuthFailure2"]);
}
