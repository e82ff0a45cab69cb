//! A subagent against a master that is a script.

use super::*;
use crate::agentx::SearchRange;
use crate::mib::{Cursor, GetResult, Object, Scalar};

const ROOT: &[u32] = &[1, 3, 6, 1, 2, 1, 44];
const SESSION: u32 = 77;

/// Instances `.1` to `.n`, whose value is their number.
struct Numbers(u32);

impl Object for Numbers {
    fn get(&self, _: Context<'_>, suffix: &[u32]) -> GetResult {
        match suffix {
            [n] if (1..=self.0).contains(n) => GetResult::Value(Value::Gauge32(*n)),
            _ => GetResult::NoSuchInstance,
        }
    }

    fn seek<'a>(&'a self, _: Context<'a>, suffix: &[u32]) -> Box<dyn Cursor + 'a> {
        Box::new(NumbersCursor(suffix.first().map_or(1, |n| n.saturating_add(1)), self.0))
    }
}

struct NumbersCursor(u32, u32);

impl Cursor for NumbersCursor {
    fn next(&mut self, name: &mut Oid) -> Option<Value> {
        let number = self.0;
        (number <= self.1).then(|| {
            self.0 += 1;
            name.push(number);
            Value::Gauge32(number)
        })
    }
}

/// Hands out the same name again and again.
struct Stuck;

impl Object for Stuck {
    fn get(&self, _: Context<'_>, _: &[u32]) -> GetResult {
        GetResult::NoSuchInstance
    }

    fn seek<'a>(&'a self, _: Context<'a>, _: &[u32]) -> Box<dyn Cursor + 'a> {
        Box::new(StuckCursor)
    }
}

struct StuckCursor;

impl Cursor for StuckCursor {
    fn next(&mut self, name: &mut Oid) -> Option<Value> {
        name.push(1);
        Some(Value::Gauge32(0))
    }
}

impl PartialEq for SubagentAction {
    fn eq(&self, other: &Self) -> bool {
        format!("{self:?}") == format!("{other:?}")
    }
}

struct World {
    subagent: Subagent,
    snapshot: Snapshot,
    now: Now,
}

impl World {
    fn new() -> Self {
        let mut registry = Registry::new();
        registry.add(&[1, 3, 6, 1, 2, 1, 1, 1], Scalar(|_: Context<'_>| Some(Value::Gauge32(0))));
        registry.add(
            &[1, 3, 6, 1, 2, 1, 44, 1],
            Scalar(|context: Context<'_>| {
                let hundredths = context.up_time().as_millis() / 10;
                Some(Value::TimeTicks(u32::try_from(hundredths).unwrap()))
            }),
        );
        registry.add(&[1, 3, 6, 1, 2, 1, 44, 2], Numbers(10_000));
        registry.add(&[1, 3, 6, 1, 2, 1, 44, 3], Stuck);
        registry.add(&[1, 3, 6, 1, 2, 1, 44, 4], sets::Stored);
        let now = Now { uptime: Time::from_uptime(Duration::from_secs(1000)), ..Now::default() };
        let config = SubagentConfig::default();
        let subagent = Subagent::with_registry(config, registry, now);
        Self { subagent, snapshot: Snapshot::default(), now }
    }

    /// With a session that is open, and all registered.
    fn serving() -> Self {
        let mut world = Self::new();
        let packets = world.open();
        let actions: Vec<_> =
            packets.iter().flat_map(|packet| world.respond(*packet, ErrorCode::NO_ERROR)).collect();
        assert_eq!(actions, [SubagentAction::Report(Report::Serving)]);
        assert!(world.subagent.is_serving());
        world
    }

    /// Up to the requests to register; returns their packet IDs.
    fn open(&mut self) -> Vec<u32> {
        assert_eq!(self.reach_deadline(), [SubagentAction::Connect]);
        let open = sent(&self.subagent.on_connected(self.now));
        let [Pdu { ids, body: Body::Open { timeout: 5, .. } }] = &open[..] else {
            panic!("{open:?}");
        };
        let actions = self.respond(ids.packet, ErrorCode::NO_ERROR);
        assert_eq!(actions[0], SubagentAction::Report(Report::Opened(SESSION)));
        let registers = sent(&actions[1..]);
        assert!(registers.iter().all(|pdu| matches!(pdu.body, Body::Register { .. })));
        assert!(registers.iter().all(|pdu| pdu.ids.session == SESSION));
        assert_eq!(registers.len(), 2);
        registers.iter().map(|pdu| pdu.ids.packet).collect()
    }

    fn reach_deadline(&mut self) -> Vec<SubagentAction> {
        let deadline = self.subagent.next_deadline().unwrap();
        self.now.uptime = self.now.uptime.max(deadline);
        self.subagent.on_deadline(self.now)
    }

    fn give(&mut self, pdu: &Pdu) -> Vec<SubagentAction> {
        let mut octets = Vec::new();
        pdu.emit(&mut octets);
        self.subagent.on_octets(self.now, &self.snapshot, &octets)
    }

    fn respond(&mut self, packet: u32, error: ErrorCode) -> Vec<SubagentAction> {
        let body = Body::Response { sys_up_time: 4200, error, index: 0, variables: Vec::new() };
        self.give(&Pdu { ids: ids(packet), body })
    }

    /// The error, the index and the variables of the answer to `body`.
    fn ask(&mut self, body: Body) -> (ErrorCode, u16, Vec<VarBind>) {
        let actions = self.give(&Pdu { ids: ids(500), body });
        let [Pdu { ids: answered, body }] = sent(&actions).try_into().unwrap();
        assert_eq!(answered, ids(500));
        match body {
            Body::Response { error, index, variables, .. } => (error, index, variables),
            other => panic!("{other:?}"),
        }
    }
}

fn ids(packet: u32) -> Ids {
    Ids { order: ByteOrder::Little, session: SESSION, transaction: 3, packet }
}

fn sent(actions: &[SubagentAction]) -> Vec<Pdu> {
    let parse = |action: &SubagentAction| match action {
        SubagentAction::Send(octets) => Pdu::parse(octets).unwrap(),
        other => panic!("{other:?}"),
    };
    actions.iter().map(parse).collect()
}

fn name(tail: &[u32]) -> Oid {
    let mut name = Oid::from(ROOT);
    name.extend_from_slice(tail);
    name
}

fn range(start: &[u32], include: bool, end: &[u32]) -> SearchRange {
    let end = if end.is_empty() { Oid::new() } else { name(end) };
    SearchRange { start: name(start), include, end }
}

fn number(n: u32) -> VarBind {
    VarBind { name: name(&[2, n]), data: VarData::Value(Value::Gauge32(n)) }
}

fn ended(tail: &[u32]) -> VarBind {
    VarBind { name: name(tail), data: VarData::EndOfMibView }
}

#[test]
fn get_tells_objects_from_instances() {
    let ranges =
        vec![range(&[2, 7], false, &[]), range(&[2, 0], false, &[]), range(&[9], false, &[])];
    let (error, index, variables) = World::serving().ask(Body::Get { context: None, ranges });
    assert_eq!((error, index), (ErrorCode::NO_ERROR, 0));
    let none = [
        VarBind { name: name(&[2, 0]), data: VarData::NoSuchInstance },
        VarBind { name: name(&[9]), data: VarData::NoSuchObject },
    ];
    assert_eq!(variables, [&[number(7)][..], &none].concat());
}

/// §7.2.3.2
#[test]
fn get_next_heeds_include_and_the_end() {
    let ranges = vec![
        range(&[2, 7], false, &[]),
        range(&[2, 7], true, &[]),
        range(&[2, 7], true, &[2, 7]),
        range(&[2, 7], false, &[2, 8]),
        range(&[2], true, &[3]),
        range(&[2, 10_000], false, &[3]),
    ];
    let (_, _, variables) = World::serving().ask(Body::GetNext { context: None, ranges });
    let expected =
        [number(8), number(7), ended(&[2, 7]), ended(&[2, 7]), number(1), ended(&[2, 10_000])];
    assert_eq!(variables, expected);
}

/// §7.2.3.3
#[test]
fn get_bulk_repeats_and_ends() {
    let bulk = |non_repeaters, max_repetitions, ranges| Body::GetBulk {
        context: None,
        non_repeaters,
        max_repetitions,
        ranges,
    };
    let ranges = vec![
        range(&[2, 1], false, &[]),
        range(&[2, 3], true, &[2, 5]),
        range(&[2, 9_999], false, &[3]),
    ];
    let mut world = World::serving();
    let (_, _, variables) = world.ask(bulk(1, 9, ranges.clone()));
    let expected = [
        number(2),
        number(3),
        number(10_000),
        number(4),
        ended(&[2, 10_000]),
        ended(&[2, 4]),
        ended(&[2, 10_000]),
    ];
    assert_eq!(variables, expected);
    assert_eq!(world.ask(bulk(1, 0, ranges.clone())).2, [number(2)]);
    assert_eq!(world.ask(bulk(9, 9, ranges)).2.len(), 3);
    let many = world.ask(bulk(0, u16::MAX, vec![range(&[2], false, &[])])).2;
    assert!((1000..10_000).contains(&many.len()), "{} variables", many.len());
}

#[test]
fn a_handler_that_does_not_go_on_is_a_general_error() {
    let mut world = World::serving();
    let ranges = vec![range(&[2, 1], false, &[]), range(&[3, 1], false, &[])];
    let failed = (ErrorCode::GEN_ERR, 2, Vec::new());
    assert_eq!(world.ask(Body::GetNext { context: None, ranges }), failed);
    let ranges = vec![range(&[3], false, &[])];
    let bulk = Body::GetBulk { context: None, non_repeaters: 0, max_repetitions: 9, ranges };
    assert_eq!(world.ask(bulk), (ErrorCode::GEN_ERR, 1, Vec::new()));
}

#[test]
fn objects_of_the_master_are_not_ours() {
    let mut world = World::serving();
    let start = Oid::from([1, 3, 6, 1, 2, 1, 1]);
    let ranges = vec![SearchRange { start, include: false, end: Oid::new() }];
    let (_, _, variables) = world.ask(Body::GetNext { context: None, ranges });
    assert_eq!(variables[0].name, name(&[1, 0]));
}

#[test]
fn time_stamps_are_on_the_clock_of_the_master() {
    let mut world = World::serving();
    world.now.uptime = world.now.uptime + Duration::from_secs(5);
    let get = || Body::Get { context: None, ranges: vec![range(&[1, 0], false, &[])] };
    let ticks = |world: &mut World| world.ask(get()).2[0].data.clone();
    assert_eq!(ticks(&mut world), VarData::Value(Value::TimeTicks(4200 + 500)));
}

#[test]
fn writes_are_refused() {
    let mut world = World::serving();
    let test = Body::TestSet { context: None, variables: vec![number(1), number(2)] };
    assert_eq!(world.ask(test), (ErrorCode::NOT_WRITABLE, 1, Vec::new()));
    assert_eq!(world.ask(Body::CommitSet).0, ErrorCode::COMMIT_FAILED);
    assert_eq!(world.ask(Body::UndoSet).0, ErrorCode::NO_ERROR);
    assert_eq!(world.give(&Pdu { ids: ids(5), body: Body::CleanupSet }), []);
}

#[test]
fn contexts_sessions_and_types_are_checked() {
    let mut world = World::serving();
    let get = |context| Body::Get { context, ranges: vec![range(&[2, 1], false, &[])] };
    let context = Some(Octets::from(&b"other"[..]));
    assert_eq!(world.ask(get(context)).0, ErrorCode::UNSUPPORTED_CONTEXT);
    assert_eq!(world.ask(Body::Ping { context: None }).0, ErrorCode::NO_ERROR);
    let description = Octets::from(&b""[..]);
    let open = Body::Open { timeout: 0, id: Oid::new(), description };
    assert_eq!(world.ask(open).0, ErrorCode::PROCESSING_ERROR);
    let stranger = Ids { session: SESSION + 1, ..ids(8) };
    let actions = world.give(&Pdu { ids: stranger, body: get(None) });
    let [Pdu { ids: answered, body: Body::Response { error, .. } }] = &sent(&actions)[..] else {
        panic!("{actions:?}");
    };
    assert_eq!((*answered, *error), (stranger, ErrorCode::NOT_OPEN));
}

/// §7.2.2 (2): what cannot be parsed is answered if its header can.
#[test]
fn a_bad_payload_is_answered_and_a_bad_header_ends_the_connection() {
    let mut world = World::serving();
    let mut octets = Vec::new();
    let body = Body::Get { context: None, ranges: vec![range(&[2, 1], false, &[])] };
    Pdu { ids: ids(8), body }.emit(&mut octets);
    octets[Header::LEN] = 200;
    let actions = world.subagent.on_octets(world.now, &Snapshot::default(), &octets);
    let [Pdu { body: Body::Response { error, .. }, .. }] = &sent(&actions)[..] else {
        panic!("{actions:?}");
    };
    assert_eq!(*error, ErrorCode::PARSE_ERROR);
    let actions = world.subagent.on_octets(world.now, &Snapshot::default(), &[7; Header::LEN]);
    let report = Report::Malformed(ParseError::Version(7));
    assert_eq!(actions, [SubagentAction::Disconnect, SubagentAction::Report(report)]);
    assert_eq!(world.reach_deadline(), [SubagentAction::Connect]);
}

#[test]
fn octets_may_come_one_by_one_or_all_at_once() {
    let mut octets = Vec::new();
    for packet in 1..=3 {
        let body = Body::Get { context: None, ranges: vec![range(&[2, packet], false, &[])] };
        Pdu { ids: ids(packet), body }.emit(&mut octets);
    }
    let snapshot = Snapshot::default();
    let mut world = World::serving();
    let at_once = world.subagent.on_octets(world.now, &snapshot, &octets);
    let one_by_one: Vec<_> = octets
        .iter()
        .flat_map(|octet| world.subagent.on_octets(world.now, &snapshot, &[*octet]))
        .collect();
    assert_eq!(at_once, one_by_one);
    assert_eq!(at_once.len(), 3);
}

#[test]
fn a_lost_master_is_found_again_for_ever() {
    let mut world = World::serving();
    for _ in 0..50 {
        let lost = world.now.uptime;
        let report = SubagentAction::Report(Report::Disconnected);
        assert_eq!(world.subagent.on_disconnected(world.now), [report]);
        assert!(!world.subagent.is_serving());
        // Nobody listens for a while.
        for _ in 0..3 {
            assert_eq!(world.reach_deadline(), [SubagentAction::Connect]);
            assert_eq!(world.subagent.on_disconnected(world.now), []);
        }
        let packets = world.open();
        assert!(world.now.uptime.since(lost) < Duration::from_secs(15));
        for packet in packets {
            world.respond(packet, ErrorCode::NO_ERROR);
        }
        assert!(world.subagent.is_serving());
    }
}

#[test]
fn a_master_that_says_nothing_is_left() {
    let silent = [SubagentAction::Disconnect, SubagentAction::Report(Report::Silent)];
    let mut world = World::new();
    assert_eq!(world.reach_deadline(), [SubagentAction::Connect]);
    assert_eq!(world.reach_deadline(), silent);
    assert_eq!(world.reach_deadline(), [SubagentAction::Connect]);
    assert_eq!(sent(&world.subagent.on_connected(world.now)).len(), 1);
    assert_eq!(world.reach_deadline(), silent);
    world.open();
    let actions = world.reach_deadline();
    assert!(matches!(sent(&actions[..1])[0].body, Body::Close { reason: REASON_TIMEOUTS }));
    assert_eq!(actions[1..], silent);
}

#[test]
fn silence_is_probed_with_a_ping() {
    let mut world = World::serving();
    for _ in 0..3 {
        let ping = sent(&world.reach_deadline());
        assert!(matches!(ping[0].body, Body::Ping { context: None }), "{ping:?}");
        assert_eq!(world.respond(ping[0].ids.packet, ErrorCode::NO_ERROR), []);
    }
    assert_eq!(sent(&world.reach_deadline()).len(), 1);
    let actions = world.reach_deadline();
    assert_eq!(actions.last(), Some(&SubagentAction::Report(Report::Silent)));
}

#[test]
fn a_refused_subtree_is_asked_for_again_and_the_other_served() {
    let mut world = World::new();
    let [first, second] = world.open().try_into().unwrap();
    let error = ErrorCode::DUPLICATE_REGISTRATION;
    let subtree = Oid::from(ROOT);
    let report = SubagentAction::Report(Report::Refused { subtree, error });
    assert_eq!(world.respond(first, error), [report]);
    assert_eq!(world.respond(second, ErrorCode::NO_ERROR), []);
    let again = sent(&world.reach_deadline());
    assert_eq!(again.len(), 1);
    let actions = world.respond(again[0].ids.packet, ErrorCode::NO_ERROR);
    assert_eq!(actions, [SubagentAction::Report(Report::Serving)]);
}

#[test]
fn responses_that_nobody_asked_for_change_nothing() {
    let mut world = World::new();
    let packets = world.open();
    assert_eq!(world.respond(9999, ErrorCode::NO_ERROR), []);
    let body = Body::Response {
        sys_up_time: 0,
        error: ErrorCode::NO_ERROR,
        index: 0,
        variables: Vec::new(),
    };
    for packet in packets {
        let stranger = Ids { session: SESSION + 1, ..ids(packet) };
        assert_eq!(world.give(&Pdu { ids: stranger, body: body.clone() }), []);
    }
    assert!(!world.subagent.is_serving());
}

#[test]
fn a_master_that_forgot_the_session_is_left() {
    let mut world = World::new();
    let packets = world.open();
    let actions = world.respond(packets[0], ErrorCode::NOT_OPEN);
    assert_eq!(actions[0], SubagentAction::Disconnect);
    assert_eq!(world.reach_deadline(), [SubagentAction::Connect]);
}

#[test]
fn a_master_that_refuses_or_closes_is_asked_again() {
    let mut world = World::new();
    world.reach_deadline();
    let open = sent(&world.subagent.on_connected(world.now));
    let actions = world.respond(open[0].ids.packet, ErrorCode::OPEN_FAILED);
    let report = SubagentAction::Report(Report::OpenRefused(ErrorCode::OPEN_FAILED));
    assert_eq!(actions, [SubagentAction::Disconnect, report]);
    world.open();
    let actions = world.give(&Pdu { ids: ids(1), body: Body::Close { reason: 5 } });
    let report = SubagentAction::Report(Report::Closed(5));
    assert_eq!(actions, [SubagentAction::Disconnect, report]);
    assert_eq!(world.reach_deadline(), [SubagentAction::Connect]);
}

#[test]
fn notifications_are_bounded_and_counted() {
    let identity = Oid::from([1, 3, 6, 1, 2, 1, 44, 0, 1]);
    let mut world = World::new();
    assert_eq!(world.subagent.notify(&identity, Vec::new()), []);
    assert_eq!(world.subagent.notifications_dropped(), 1);
    let mut world = World::serving();
    let mut packets = Vec::new();
    for _ in 0..100 {
        for pdu in sent(&world.subagent.notify(&identity, vec![number(1)])) {
            packets.push(pdu.ids.packet);
            let Body::Notify { context: None, variables } = pdu.body else { panic!("{pdu:?}") };
            assert_eq!(variables[0].name, Oid::from(SNMP_TRAP_OID));
            assert_eq!(variables[1], number(1));
        }
    }
    assert_eq!(packets.len(), 64);
    assert_eq!(world.subagent.notifications_dropped(), 36);
    assert_eq!(world.respond(packets[0], ErrorCode::NO_ERROR), []);
    assert_eq!(world.subagent.notify(&identity, Vec::new()).len(), 1);
}

#[test]
fn it_takes_leave_of_the_master() {
    let mut world = World::serving();
    let farewell = sent(&world.subagent.shut_down(world.now));
    let [
        Pdu { body: Body::Unregister { .. }, .. },
        Pdu { body: Body::Unregister { .. }, .. },
        Pdu { ids, body: Body::Close { reason: REASON_SHUTDOWN } },
    ] = &farewell[..]
    else {
        panic!("{farewell:?}");
    };
    assert!(!world.subagent.is_stopped());
    assert_eq!(world.respond(ids.packet, ErrorCode::NO_ERROR), [SubagentAction::Disconnect]);
    assert!(world.subagent.is_stopped());
    assert_eq!(world.subagent.next_deadline(), None);

    let mut world = World::serving();
    world.subagent.shut_down(world.now);
    assert_eq!(world.reach_deadline(), [SubagentAction::Disconnect]);
    assert!(world.subagent.is_stopped());

    let mut world = World::new();
    assert_eq!(world.subagent.shut_down(world.now), []);
    assert!(world.subagent.is_stopped());
}

mod sets;
