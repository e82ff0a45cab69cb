//! The subagent: a session with a master that is opened again for ever.

use std::time::Duration;

use store::{Batch, Now, Snapshot, Time};

use super::answer::{Answer, Reading};
use super::back_off::BackOff;
use super::clock::MasterClock;
use super::pdu::pdu_type;
use super::session::{Session, Verdict};
use super::transaction::{Step, Transaction};
use super::{Body, ByteOrder, ErrorCode, Header, Ids, ParseError, Pdu, Region, VarBind, VarData};
use crate::Oid;
use crate::mib::{Context, LocalFacts, Registry};
use crate::value::{Octets, Value};

/// How long a master may take to accept a connection, and to answer what is asked of it.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How long it may take to say farewell.
const FAREWELL: Duration = Duration::from_secs(1);

/// `snmpTrapOID.0` (RFC 3418 §2)
const SNMP_TRAP_OID: [u32; 11] = [1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0];

/// `c.reason`: `reasonTimeouts` and `reasonShutdown` (§6.2.2).
const REASON_TIMEOUTS: u8 = 4;
const REASON_SHUTDOWN: u8 = 5;

/// What a subagent says of itself, and what it registers.
#[derive(Clone, Debug)]
pub struct SubagentConfig {
    pub description: String,
    /// What is registered; objects elsewhere are the master's.
    pub subtrees: Vec<Oid>,
    /// How many seconds a master shall wait for a response; 0 leaves it to the master.
    pub timeout: u8,
    /// A lower number wins where several subagents register one subtree.
    pub priority: u8,
    /// Spreads the attempts to connect.
    pub seed: u64,
    pub local: LocalFacts,
}

impl Default for SubagentConfig {
    /// MIP-MIB, and what we define ourselves.
    fn default() -> Self {
        Self {
            description: "Mobile IPv4".to_owned(),
            subtrees: vec![Oid::from(MIP_MIB), Oid::from(crate::mib::PRODUCT)],
            timeout: 5,
            priority: 127,
            seed: 0,
            local: LocalFacts::default(),
        }
    }
}

/// The root of MIP-MIB (RFC 2006 §4).
const MIP_MIB: [u32; 7] = [1, 3, 6, 1, 2, 1, 44];

/// What the driver must do, in order.
#[derive(Clone, Debug)]
pub enum SubagentAction {
    /// Connect to the master, then tell with `on_connected` or `on_disconnected`.
    Connect,
    Send(Vec<u8>),
    /// Drop the connection, or the attempt; nothing more is to be told about it.
    Disconnect,
    /// Something that an operator may want to know.
    Report(Report),
    /// Commit this, and say with [`Subagent::on_committed`] whether it is done. There is one at a
    /// time.
    Commit(Batch),
}

/// What has happened to a session.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Report {
    #[error("the master accepted session {0}")]
    Opened(u32),
    #[error("the master serves our objects")]
    Serving,
    #[error("the master refused to register {subtree}: {error}")]
    Refused { subtree: Oid, error: ErrorCode },
    #[error("the master refused a session: {0}")]
    OpenRefused(ErrorCode),
    #[error("the master closed the session with reason {0}")]
    Closed(u8),
    #[error("the connection to the master was lost")]
    Disconnected,
    #[error("the master does not answer")]
    Silent,
    #[error("the master sent what is no AgentX: {0}")]
    Malformed(ParseError),
}

/// Where the session stands; what waits has a deadline.
///
/// ```text
///            deadline             connected          response
///  Waiting ───────────▶ Connecting ────────▶ Opening ────────▶ Open
///     ▲                     │                   │               │ shutdown
///     └─────────────────────┴───────────────────┴───────────────┤
///       lost, closed, refused or silent                         ▼
///                                              Stopped ◀──── Closing
/// ```
#[derive(Clone, Debug)]
enum State {
    Waiting { until: Time },
    Connecting { until: Time },
    Opening { packet: u32, until: Time },
    Open(Session),
    Closing { session: u32, packet: u32, until: Time },
    Stopped,
}

/// Serves objects through a master agent (RFC 2741).
///
/// It owns no socket and no clock. What it waits for is told by [`Self::next_deadline`].
pub struct Subagent {
    config: SubagentConfig,
    registry: Registry,
    clock: MasterClock,
    state: State,
    back_off: BackOff,
    /// The last packet ID that was given out.
    packet: u32,
    /// What arrived and is no whole PDU yet.
    input: Vec<u8>,
    notifications_dropped: u64,
    /// The SET that the master has begun, or what is left of it.
    transaction: Option<Transaction>,
}

impl Subagent {
    /// A subagent of all objects there are, as far as they are in the subtrees of `config`.
    pub fn new(config: SubagentConfig, now: Now) -> Self {
        Self::with_registry(config, crate::mib::registry(), now)
    }

    /// A subagent of the given objects, as far as they are in the subtrees of `config`.
    pub fn with_registry(config: SubagentConfig, mut registry: Registry, now: Now) -> Self {
        registry.retain_below(&config.subtrees);
        Self {
            registry,
            clock: MasterClock::new(config.local.started),
            state: State::Waiting { until: now.uptime },
            back_off: BackOff::new(config.seed),
            packet: 0,
            input: Vec::new(),
            notifications_dropped: 0,
            transaction: None,
            config,
        }
    }

    /// When [`Self::on_deadline`] is to be called.
    pub fn next_deadline(&self) -> Option<Time> {
        let commit = self.transaction.as_ref().and_then(Transaction::deadline);
        let session = self.session_deadline();
        commit.into_iter().chain(session).min()
    }

    fn session_deadline(&self) -> Option<Time> {
        match &self.state {
            State::Waiting { until }
            | State::Connecting { until }
            | State::Opening { until, .. }
            | State::Closing { until, .. } => Some(*until),
            State::Open(session) => Some(session.next_deadline()),
            State::Stopped => None,
        }
    }

    /// Whether the farewell after [`Self::shut_down`] is complete.
    pub fn is_stopped(&self) -> bool {
        matches!(self.state, State::Stopped)
    }

    /// Whether the master serves all of our subtrees.
    pub fn is_serving(&self) -> bool {
        matches!(&self.state, State::Open(session) if session.is_serving())
    }

    /// How many notifications were not sent, because there was no session or too many were on
    /// their way.
    pub fn notifications_dropped(&self) -> u64 {
        self.notifications_dropped
    }

    /// The master accepted a connection.
    pub fn on_connected(&mut self, now: Now) -> Vec<SubagentAction> {
        if !matches!(self.state, State::Connecting { .. }) {
            return Vec::new();
        }
        self.input.clear();
        let packet = self.next_packet();
        self.state = State::Opening { packet, until: now.uptime + PATIENCE };
        let description = Octets::from(self.config.description.as_bytes());
        let id = Oid::from(crate::mib::PRODUCT);
        let open = Body::Open { timeout: self.config.timeout, id, description };
        vec![send(0, packet, open)]
    }

    /// The connection, or the attempt to make one, came to its end.
    pub fn on_disconnected(&mut self, now: Now) -> Vec<SubagentAction> {
        match self.state {
            State::Waiting { .. } | State::Stopped => Vec::new(),
            // That nobody listens is for the driver to say: it knows why.
            State::Connecting { .. } => {
                self.wait(now);
                Vec::new()
            }
            State::Closing { .. } => {
                self.state = State::Stopped;
                Vec::new()
            }
            State::Opening { .. } | State::Open(_) => {
                self.wait(now);
                vec![SubagentAction::Report(Report::Disconnected)]
            }
        }
    }

    /// Octets arrived; each request in them is answered from `snapshot`.
    pub fn on_octets(
        &mut self,
        now: Now,
        snapshot: &Snapshot,
        octets: &[u8],
    ) -> Vec<SubagentAction> {
        let mut actions = Vec::new();
        if matches!(self.state, State::Waiting { .. } | State::Connecting { .. } | State::Stopped) {
            return actions;
        }
        let mut input = std::mem::take(&mut self.input);
        input.extend_from_slice(octets);
        let mut rest = input.as_slice();
        while rest.len() >= Header::LEN {
            let header = match Header::parse(rest) {
                Ok(header) => header,
                Err(error) => {
                    self.give_up(now, Report::Malformed(error), &mut actions);
                    return actions;
                }
            };
            let whole = Header::LEN + header.payload_length;
            let Some((pdu, behind)) = rest.split_at_checked(whole) else { break };
            let payload = pdu.get(Header::LEN..).unwrap_or_default();
            if let State::Open(session) = &mut self.state {
                session.on_life(now);
            }
            self.on_pdu(now, snapshot, header, payload, &mut actions);
            if actions.iter().any(|action| matches!(action, SubagentAction::Disconnect)) {
                return actions;
            }
            rest = behind;
        }
        self.input = rest.to_vec();
        actions
    }

    /// The time that was asked for has come.
    pub fn on_deadline(&mut self, now: Now) -> Vec<SubagentAction> {
        let mut actions = Vec::new();
        if let Some(transaction) = &mut self.transaction {
            let step = transaction.on_deadline(now.uptime);
            self.take(step, &mut actions);
        }
        if self.session_deadline().is_none_or(|deadline| deadline > now.uptime) {
            return actions;
        }
        match &mut self.state {
            State::Waiting { .. } => {
                self.state = State::Connecting { until: now.uptime + PATIENCE };
                actions.push(SubagentAction::Connect);
            }
            State::Connecting { .. } | State::Opening { .. } => {
                self.give_up(now, Report::Silent, &mut actions);
            }
            State::Open(session) => {
                let id = session.id;
                if session.is_dead(now) {
                    actions.push(send(id, 0, Body::Close { reason: REASON_TIMEOUTS }));
                    self.give_up(now, Report::Silent, &mut actions);
                } else {
                    let requests = session.on_deadline(now, &mut self.packet);
                    actions
                        .extend(requests.into_iter().map(|(packet, body)| send(id, packet, body)));
                }
            }
            State::Closing { .. } => {
                self.state = State::Stopped;
                actions.push(SubagentAction::Disconnect);
            }
            State::Stopped => {}
        }
        actions
    }

    /// The commit that was asked for last is done, or is not.
    pub fn on_committed(&mut self, done: bool) -> Vec<SubagentAction> {
        let mut actions = Vec::new();
        if let Some(transaction) = &mut self.transaction {
            let step = transaction.on_committed(done);
            self.take(step, &mut actions);
        }
        actions
    }

    /// Does what comes of a SET. The session may be another by now: then nobody is told.
    fn take(&mut self, step: Step, actions: &mut Vec<SubagentAction>) {
        match step {
            Step::Respond(ids, error) if self.session_id() == Some(ids.session) => {
                // §6.2.16: the index is that of the first variable, where one is to blame.
                let index = u16::from(error != ErrorCode::NO_ERROR);
                actions.push(respond(ids, Answer { error, index, variables: Vec::new() }));
            }
            Step::Respond(..) | Step::Nothing => {}
            Step::Commit(batch) => actions.push(SubagentAction::Commit(batch)),
        }
    }

    /// The requests of a SET; `None` if it is another one.
    fn on_set(
        &mut self,
        now: Now,
        snapshot: &Snapshot,
        ids: Ids,
        body: &Body,
        actions: &mut Vec<SubagentAction>,
    ) -> Option<()> {
        let step = match body {
            Body::TestSet { context, variables } => {
                let is_known = context.as_ref().is_none_or(|context| context.is_empty());
                actions.push(respond(ids, self.test_set(now, snapshot, ids, is_known, variables)));
                return Some(());
            }
            Body::CommitSet => match &mut self.transaction {
                Some(transaction) if transaction.id == ids.transaction => {
                    transaction.commit(ids, now.uptime, snapshot)
                }
                _ => Step::Respond(ids, ErrorCode::COMMIT_FAILED),
            },
            Body::UndoSet => match &mut self.transaction {
                Some(transaction) if transaction.id == ids.transaction => transaction.undo(ids),
                _ => Step::Respond(ids, ErrorCode::NO_ERROR),
            },
            Body::CleanupSet => {
                self.transaction.take_if(|transaction| transaction.is_idle());
                return Some(());
            }
            _ => return None,
        };
        self.take(step, actions);
        Some(())
    }

    fn test_set(
        &mut self,
        now: Now,
        snapshot: &Snapshot,
        ids: Ids,
        is_known_context: bool,
        variables: &[VarBind],
    ) -> Answer {
        if !is_known_context {
            return Answer { error: ErrorCode::UNSUPPORTED_CONTEXT, ..Answer::empty() };
        }
        if self.transaction.as_ref().is_some_and(|transaction| !transaction.is_idle()) {
            return Answer::failed(ErrorCode::RESOURCE_UNAVAILABLE, 0);
        }
        let context = Context {
            now: self.clock.now(now),
            snapshot,
            local: &self.config.local,
            instance: None,
        };
        match Transaction::test(ids.transaction, &self.registry, context, variables) {
            Ok(transaction) => {
                self.transaction = Some(transaction);
                Answer::empty()
            }
            Err((error, position)) => {
                self.transaction = None;
                Answer::failed(error, position)
            }
        }
    }

    /// Sends a notification through the master (§7.1.10), which knows the targets.
    ///
    /// It is dropped and counted where there is no session, or too many are not answered.
    pub fn notify(&mut self, identity: &Oid, variables: Vec<VarBind>) -> Vec<SubagentAction> {
        let State::Open(session) = &mut self.state else {
            self.notifications_dropped += 1;
            return Vec::new();
        };
        self.packet = self.packet.wrapping_add(1);
        if !session.may_notify(self.packet) {
            self.notifications_dropped += 1;
            return Vec::new();
        }
        let data = VarData::Value(Value::ObjectIdentifier(identity.clone()));
        let mut all = vec![VarBind { name: Oid::from(SNMP_TRAP_OID), data }];
        all.extend(variables);
        vec![send(session.id, self.packet, Body::Notify { context: None, variables: all })]
    }

    /// Takes leave of the master; complete when [`Self::is_stopped`].
    pub fn shut_down(&mut self, now: Now) -> Vec<SubagentAction> {
        let mut actions = Vec::new();
        let closing = match &self.state {
            State::Open(session) => {
                let regions: Vec<Region> = session.held().cloned().collect();
                let id = session.id;
                for region in regions {
                    let packet = self.next_packet();
                    actions.push(send(id, packet, Body::Unregister { context: None, region }));
                }
                let packet = self.next_packet();
                actions.push(send(id, packet, Body::Close { reason: REASON_SHUTDOWN }));
                Some(State::Closing { session: id, packet, until: now.uptime + FAREWELL })
            }
            State::Connecting { .. } | State::Opening { .. } => {
                actions.push(SubagentAction::Disconnect);
                None
            }
            State::Closing { .. } => return actions,
            State::Waiting { .. } | State::Stopped => None,
        };
        self.state = closing.unwrap_or(State::Stopped);
        actions
    }

    fn next_packet(&mut self) -> u32 {
        self.packet = self.packet.wrapping_add(1);
        self.packet
    }

    fn wait(&mut self, now: Now) {
        self.state = State::Waiting { until: now.uptime + self.back_off.next() };
    }

    /// Ends the connection, to try again later.
    fn give_up(&mut self, now: Now, report: Report, actions: &mut Vec<SubagentAction>) {
        match self.state {
            State::Closing { .. } => self.state = State::Stopped,
            _ => self.wait(now),
        }
        self.input.clear();
        actions.extend([SubagentAction::Disconnect, SubagentAction::Report(report)]);
    }

    /// §7.2.2
    fn on_pdu(
        &mut self,
        now: Now,
        snapshot: &Snapshot,
        header: Header,
        payload: &[u8],
        actions: &mut Vec<SubagentAction>,
    ) {
        let parsed = Pdu::parse_payload(header, payload);
        if header.kind == pdu_type::RESPONSE {
            if let Ok(Pdu { ids, body: Body::Response { sys_up_time, error, .. } }) = parsed {
                self.on_response(now, ids, sys_up_time, error, actions);
            }
            return;
        }
        let answer = match parsed {
            Err(_) => Some(Answer { error: ErrorCode::PARSE_ERROR, ..Answer::empty() }),
            Ok(pdu) if self.session_id() != Some(pdu.ids.session) => {
                Some(Answer { error: ErrorCode::NOT_OPEN, ..Answer::empty() })
            }
            Ok(Pdu { body: Body::Close { reason }, .. }) => {
                self.give_up(now, Report::Closed(reason), actions);
                None
            }
            Ok(pdu) => match self.on_set(now, snapshot, pdu.ids, &pdu.body, actions) {
                Some(()) => None,
                None => self.answer(now, snapshot, &pdu.body),
            },
        };
        if let Some(answer) = answer {
            actions.push(respond(header.ids, answer));
        }
    }

    /// Time stamps are relative to the master's `sysUpTime`.
    fn follow_clock(&mut self, now: Now, sys_up_time: u32) {
        self.clock.follow(now, sys_up_time);
        self.config.local.started = self.clock.started();
    }

    fn session_id(&self) -> Option<u32> {
        match &self.state {
            State::Open(session) => Some(session.id),
            State::Closing { session, .. } => Some(*session),
            State::Waiting { .. }
            | State::Connecting { .. }
            | State::Opening { .. }
            | State::Stopped => None,
        }
    }

    fn on_response(
        &mut self,
        now: Now,
        ids: Ids,
        sys_up_time: u32,
        error: ErrorCode,
        actions: &mut Vec<SubagentAction>,
    ) {
        match &mut self.state {
            State::Opening { packet, .. } if *packet == ids.packet => {
                if error != ErrorCode::NO_ERROR {
                    self.give_up(now, Report::OpenRefused(error), actions);
                    return;
                }
                self.follow_clock(now, sys_up_time);
                let (config, packet) = (&self.config, &mut self.packet);
                let (session, requests) = Session::open(ids.session, config, now, packet);
                self.state = State::Open(session);
                actions.push(SubagentAction::Report(Report::Opened(ids.session)));
                let sent =
                    requests.into_iter().map(|(packet, body)| send(ids.session, packet, body));
                actions.extend(sent);
            }
            State::Closing { packet, session, .. }
                if *packet == ids.packet && *session == ids.session =>
            {
                self.state = State::Stopped;
                actions.push(SubagentAction::Disconnect);
            }
            State::Open(session) if session.id == ids.session => {
                let was_serving = session.is_serving();
                let verdict = session.on_response(now, ids.packet, error);
                let serves = session.is_serving() && !was_serving;
                match verdict {
                    Verdict::Unknown => return,
                    Verdict::Fine => self.follow_clock(now, sys_up_time),
                    Verdict::Report(report) => actions.push(SubagentAction::Report(report)),
                    Verdict::Lost => {
                        self.give_up(now, Report::Silent, actions);
                        return;
                    }
                }
                if serves {
                    self.back_off.reset();
                    actions.push(SubagentAction::Report(Report::Serving));
                }
            }
            _ => {}
        }
    }

    /// The answer to a request of the master; none to the PDUs that have none.
    fn answer(&self, now: Now, snapshot: &Snapshot, body: &Body) -> Option<Answer> {
        if body.context().is_some_and(|context| !context.is_empty()) {
            return Some(Answer { error: ErrorCode::UNSUPPORTED_CONTEXT, ..Answer::empty() });
        }
        let context = Context {
            now: self.clock.now(now),
            snapshot,
            local: &self.config.local,
            instance: None,
        };
        let reading = Reading { registry: &self.registry, context };
        Some(match body {
            Body::Get { ranges, .. } => reading.get(ranges),
            Body::GetNext { ranges, .. } => reading.get_next(ranges),
            Body::GetBulk { non_repeaters, max_repetitions, ranges, .. } => {
                reading.get_bulk((*non_repeaters).into(), (*max_repetitions).into(), ranges)
            }
            Body::Ping { .. } => Answer::empty(),
            // What a SET consists of is answered before.
            Body::TestSet { .. } | Body::CommitSet | Body::UndoSet | Body::CleanupSet => {
                return None;
            }
            Body::Open { .. }
            | Body::Close { .. }
            | Body::Register { .. }
            | Body::Unregister { .. }
            | Body::Notify { .. }
            | Body::IndexAllocate { .. }
            | Body::IndexDeallocate { .. }
            | Body::AddAgentCaps { .. }
            | Body::RemoveAgentCaps { .. }
            | Body::Response { .. } => {
                Answer { error: ErrorCode::PROCESSING_ERROR, ..Answer::empty() }
            }
        })
    }
}

/// A response to the request with these IDs, in its byte order.
fn respond(ids: Ids, answer: Answer) -> SubagentAction {
    let Answer { error, index, variables } = answer;
    let body = Body::Response { sys_up_time: 0, error, index, variables };
    let mut octets = Vec::new();
    Pdu { ids, body }.emit(&mut octets);
    SubagentAction::Send(octets)
}

/// A request of ours; all of them are in network byte order.
fn send(session: u32, packet: u32, body: Body) -> SubagentAction {
    let ids = Ids { order: ByteOrder::Network, session, transaction: 0, packet };
    let mut octets = Vec::new();
    Pdu { ids, body }.emit(&mut octets);
    SubagentAction::Send(octets)
}

#[cfg(test)]
mod tests;
