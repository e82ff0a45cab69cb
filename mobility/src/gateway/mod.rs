//! The gateway foreign agent (RFC 4857): the care-of address that home agents know, and who knows
//! where in its region a node is.
//!
//! ```text
//! Registration Request ── who sent it? ── check ── relay ── pending ── reply ── visitor ── batch ── relayed
//! Regional Request ────── who sent it? ── check ── visitor ── batch ── answered by us
//! ```
//!
//! Home agents see it as a foreign agent, and never see what moves beneath it.

mod beneath;
mod config;
mod denial;
mod notes;
mod origin;
mod pending;
mod regional;
mod reply;
mod request;
mod revocation;
mod visited;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use store::{
    Awaited, Batch, Change, Counter, CountersKey, GatewaySetting, Identity, Now, OperationId,
    Resource, Role, Row, Snapshot, TargetResult, Time, Visitor, VisitorKey,
};
use wire::{Code, Lifetime, ParseError, RegistrationRequest, message_type};

use crate::action::{Action, CommitId, Output, Received, Service};
use crate::association::{Associations, SecurityAssociation};
use crate::foreign_agent::Unreachable;
use crate::foreign_agent::visitors::{Visitors, visitor_key};
use crate::home_agent::Admission;
use crate::limits::{Limiter, RateLimits};
use crate::notification::{self as notifications, Heard, NotificationId};
use crate::operations::Operations;
use crate::pending::PendingList;
use crate::random::Random;
use crate::revocation::{Outstanding, Recent, Revoker as _};
use crate::tally::Tally;
use crate::trails::Trails;
use crate::violations::Violations;
use crate::visited::{Receives as _, Sends as _};

pub use config::GatewayConfig;
pub use denial::GatewayDenial;

use beneath::Beneath;
use pending::Pending;

/// How many visitors one [`Gateway::on_deadline`] removes or changes; a cluster takes no more than
/// 128 operations in one transaction.
const CHANGED_AT_ONCE: usize = 100;

/// How long to wait before rows are written again that the store did not take.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A gateway foreign agent, without a clock and without a socket.
#[derive(Debug)]
pub struct Gateway {
    config: GatewayConfig,
    /// The longest lifetime where the region does not say otherwise.
    lifetime_max: Lifetime,
    associations: Associations,
    pending: PendingList<Pending>,
    visitors: Visitors,
    /// When regional registrations end that end before their home registration.
    regional_deadlines: BTreeSet<(Time, VisitorKey)>,
    /// Foreign agents that were moved to another gateway, and until when they are believed.
    leaving: BTreeMap<Ipv4Addr, Time>,
    tally: Tally,
    violations: Violations,
    trails: Trails,
    limiter: Limiter,
    random: Random,
    last_commit: CommitId,
    in_flight: BTreeMap<CommitId, InFlight>,
    /// Visitors whose rows have to be deleted, or written as memory has them, once more.
    unwritten: Vec<VisitorKey>,
    retry_at: Option<Time>,
    /// Revocations towards home agents.
    revocations: Outstanding<Visitor>,
    /// What home agents revoked lately.
    recent: Recent,
    /// The identifiers that we used last, beyond the visitors that they were for.
    used: Recent,
    beneath: Beneath,
    operations: Operations,
    notifications: notifications::Outstanding<VisitorKey>,
    heard: Heard,
    /// Refusals of notifications: no more than one a second to the same address.
    refusals: Limiter,
}

/// A batch on its way to the store.
#[derive(Debug)]
struct InFlight {
    changes: Vec<Change>,
    purpose: Purpose,
}

#[derive(Debug)]
enum Purpose {
    /// The answer to a request; and what the node has left behind with another foreign agent.
    Answer {
        pending: Box<Pending>,
        code: Code,
        left: Option<VisitorKey>,
    },
    Expiry,
    /// Revocations that are sent, and visitors that went with others.
    Revocation {
        sent: Vec<VisitorKey>,
        notified: Vec<NotificationId>,
        ended: Vec<(Identity, &'static str)>,
    },
    /// An operation is taken on, or says how far it is.
    Step {
        id: OperationId,
        is_ours: bool,
    },
}

impl Gateway {
    /// Takes over the visitors that the last gateway at this address left in the store.
    pub fn new(config: GatewayConfig, snapshot: &Snapshot, now: Now) -> Self {
        let key = CountersKey {
            instance: config.instance.clone(),
            role: Role::Gateway,
            address: config.address,
        };
        let mut gateway = Self {
            lifetime_max: config.lifetime_max,
            associations: Associations::default(),
            pending: PendingList::default(),
            visitors: Visitors::load(config.address, snapshot, now),
            regional_deadlines: BTreeSet::new(),
            leaving: BTreeMap::new(),
            tally: Tally::load(&key, snapshot, config.counters_lost, now),
            violations: Violations::load(&config.instance, Role::Gateway, snapshot),
            trails: Trails::load(config.address, snapshot),
            limiter: Limiter::new(config.rate_limits),
            random: Random::new(config.seed),
            last_commit: CommitId::default(),
            in_flight: BTreeMap::new(),
            unwritten: Vec::new(),
            retry_at: None,
            revocations: Outstanding::default(),
            recent: Recent::default(),
            used: Recent::default(),
            beneath: Beneath::default(),
            notifications: notifications::Outstanding::default(),
            heard: Heard::new(now),
            refusals: Limiter::new(RateLimits { all: None, peer: Some(1) }),
            // To operators it is one of the foreign agents, whose visitors are revoked.
            operations: Operations::new(Role::ForeignAgent, config.address, &config.instance),
            config,
        };
        let visitors: Vec<_> = gateway.visitors.iter().cloned().collect();
        for visitor in &visitors {
            gateway.arm(visitor);
        }
        gateway.resume_revocations(now);
        gateway.resume_operations(snapshot);
        gateway
    }

    /// Replaces all associations: with mobile nodes, foreign agents and home agents.
    pub fn set_associations(&mut self, associations: Vec<SecurityAssociation>) {
        self.associations = associations.into_iter().collect();
    }

    /// Keeps no rows of these offenders: an operator said so.
    pub fn set_volatile_violations(&mut self, offenders: BTreeSet<Identity>) {
        self.violations.set_volatile(offenders);
    }

    /// Changes who may register from now on.
    pub fn set_admission(&mut self, admission: Admission) {
        self.config.admission = admission;
    }

    /// Changes the region that it serves, and how; visitors keep what they were granted.
    ///
    /// Without a setting it serves none, and nobody is beneath it. What a foreign agent that was moved
    /// to another gateway relayed before it heard of that is still taken for as long as requests wait.
    pub fn set_region(
        &mut self,
        setting: Option<&GatewaySetting>,
        foreign_agents: BTreeSet<Ipv4Addr>,
        elsewhere: BTreeSet<Ipv4Addr>,
        now: Now,
    ) {
        let until = now.uptime + self.config.pending_timeout;
        let moved = self.config.foreign_agents.difference(&foreign_agents);
        self.leaving.extend(moved.map(|address| (*address, until)));
        self.leaving.retain(|address, until| elsewhere.contains(address) && *until > now.uptime);
        let config = &mut self.config;
        config.foreign_agents = foreign_agents;
        config.elsewhere = elsewhere;
        let Some(setting) = setting else {
            config.foreign_agents.clear();
            self.leaving.clear();
            return;
        };
        config.lifetime_max = setting.lifetime.map_or(self.lifetime_max, Lifetime);
        config.regional_lifetime_max =
            setting.regional_lifetime.map_or(Lifetime::INFINITE, Lifetime);
        config.replay = setting.replay;
        config.dynamic = setting.dynamic;
    }

    /// The services of all visitors: what a driver starts after [`Self::new`].
    pub fn services(&self) -> impl Iterator<Item = Service> {
        self.visitors.iter().map(|visitor| self.config.service(visitor))
    }

    pub fn visitor_count(&self) -> usize {
        self.visitors.len()
    }

    /// Whether it takes no more mobile nodes.
    pub fn is_busy(&self) -> bool {
        self.visitors.len() >= self.config.visitors_max
            || self.pending.len() >= self.config.pending_max
            || self.config.admission != Admission::Open
    }

    /// Adds what somebody else counted for it.
    pub fn add_counts(&mut self, counts: impl IntoIterator<Item = (Counter, u64)>) {
        for (counter, count) in counts {
            self.tally.add(counter, count);
        }
    }

    /// Counts what only the driver sees.
    pub fn count(&mut self, counter: Counter) {
        self.tally.count(counter);
    }

    /// Takes a datagram of the registration port.
    pub fn on_datagram(&mut self, received: &Received<'_>, now: Now) -> Output {
        self.tally.count(Counter::DatagramsReceived);
        match message_type(received.octets) {
            Some(message_type::REGISTRATION_REQUEST) => self.on_request(received, now),
            Some(message_type::REGISTRATION_REPLY) => self.on_reply(received, now),
            Some(message_type::REGIONAL_REGISTRATION_REQUEST) => {
                self.on_regional_request(received, now)
            }
            Some(message_type::REGISTRATION_REVOCATION) => self.on_any_revocation(received, now),
            Some(message_type::REGISTRATION_REVOCATION_ACKNOWLEDGMENT) => {
                self.on_any_acknowledgment(received, now)
            }
            Some(message_type::GENERIC_NOTIFICATION) => {
                self.take_notification_message(received, now)
            }
            Some(message_type::GENERIC_NOTIFICATION_ACKNOWLEDGMENT) => {
                self.take_acknowledgement(received, now)
            }
            Some(got) => {
                let want = RegistrationRequest::TYPE;
                self.tally.count_malformed(&ParseError::UnexpectedType { got, want });
                Output::default()
            }
            None => {
                let need = RegistrationRequest::LEN;
                self.tally.count_malformed(&ParseError::Truncated { need, have: 0 });
                Output::default()
            }
        }
    }

    /// An ICMP error came back for what was relayed to `home_agent`.
    pub fn on_unreachable(
        &mut self,
        home_agent: Ipv4Addr,
        unreachable: Unreachable,
        now: Now,
    ) -> Output {
        let denial = match unreachable {
            Unreachable::Network => GatewayDenial::NetworkUnreachable,
            Unreachable::Host => GatewayDenial::HostUnreachable,
            Unreachable::Port => GatewayDenial::PortUnreachable,
            Unreachable::Other => GatewayDenial::Unreachable,
        };
        let hit = self.pending.iter().filter(|it| it.request.home_agent == home_agent);
        let hit: Vec<Pending> = hit.cloned().collect();
        let mut actions = Vec::new();
        for pending in hit {
            self.pending.remove(&pending.identity, pending.request.home_address);
            actions.extend(self.deny(&pending, denial, None, now));
        }
        Output::at_once(actions)
    }

    /// What is due at `now`: requests that nobody answered, registrations whose lifetime has ended.
    pub fn on_deadline(&mut self, now: Now) -> Output {
        let mut actions = Vec::new();
        while let Some(pending) = self.pending.expire(now.uptime) {
            actions.extend(self.deny(&pending, GatewayDenial::Timeout, None, now));
        }
        if !actions.is_empty() {
            return Output::at_once(actions);
        }
        let mut batch = Batch::default();
        self.write_again(&mut batch, now);
        let room = CHANGED_AT_ONCE.saturating_sub(batch.changes.len());
        for visitor in self.visitors.expire(now.uptime, room) {
            self.disarm(&visitor);
            self.forget_revocations(&visitor, &mut batch, now);
            batch.delete::<Visitor>(visitor.key());
            actions.push(Action::StopService(self.config.service(&visitor)));
        }
        self.end_regional(&mut batch, &mut actions, now);
        if batch.is_empty() {
            return self.revoke_due(now);
        }
        self.send_off(batch, actions, Purpose::Expiry)
    }

    /// Deletes and writes again what the store did not take, as it is now.
    fn write_again(&mut self, batch: &mut Batch, now: Now) {
        if self.retry_at.take_if(|at| *at <= now.uptime).is_none() {
            return;
        }
        let rest = self.unwritten.split_off(self.unwritten.len().min(CHANGED_AT_ONCE));
        self.retry_at = (!rest.is_empty()).then_some(now.uptime);
        for key in std::mem::replace(&mut self.unwritten, rest) {
            match self.visitors.get(&key.identity, key.home_address) {
                Some(visitor) => batch.put::<Visitor>(Arc::clone(visitor)),
                None => batch.delete::<Visitor>(key),
            };
        }
    }

    /// A visitor is gone: nobody has to be told of it any more.
    fn forget_revocations(&mut self, visitor: &Visitor, batch: &mut Batch, now: Now) {
        let key = visitor.key();
        let sent = visitor.revoking.as_ref().map_or(0, |it| it.identifiers.len());
        let result = TargetResult::TimedOut(u32::try_from(sent).unwrap_or(u32::MAX));
        self.give_up_revocation(&key, result, batch, now);
        self.forget_beneath(visitor);
    }

    /// Ends regional registrations that were not renewed: nobody knows where such a node is, but
    /// its home registration goes on, and a regional request brings it back (RFC 4857 §6.3).
    fn end_regional(&mut self, batch: &mut Batch, actions: &mut Vec<Action>, now: Now) {
        while batch.changes.len() < CHANGED_AT_ONCE
            && let Some((at, _)) = self.regional_deadlines.first()
            && *at <= now.uptime
            && let Some((_, key)) = self.regional_deadlines.pop_first()
        {
            let Some(visitor) = self.visitors.get(&key.identity, key.home_address) else {
                continue;
            };
            let mut ended = Visitor::clone(visitor);
            actions.push(Action::StopService(self.config.service(&ended)));
            if let Some(regional) = &mut ended.regional {
                regional.lifetime_granted = Lifetime::ZERO;
                regional.expires_at = None;
            }
            let identity = ended.identity.clone();
            let ended = Arc::new(ended);
            self.visitors.insert(Arc::clone(&ended));
            batch.put::<Visitor>(ended);
            self.note_event(&identity, "regional-registration-ended", now);
        }
    }

    /// When to call [`Self::on_deadline`].
    pub fn next_deadline(&self) -> Option<Time> {
        let regional = self.regional_deadlines.first().map(|(at, _)| *at);
        let deadlines = [self.pending.first_deadline(), self.visitors.first_deadline(), regional];
        let revocation = self.revocation_deadline();
        deadlines.into_iter().flatten().chain(self.retry_at).chain(revocation).min()
    }

    /// The batch of an [`Output`] is durable; its actions are to be done.
    pub fn on_committed(&mut self, id: CommitId, now: Now) {
        match self.in_flight.remove(&id).map(|in_flight| in_flight.purpose) {
            Some(Purpose::Answer { pending, code, left }) => {
                self.count_answer(&pending, code);
                let event = if pending.is_regional { "regional-accepted" } else { "accepted" };
                self.trail(&pending, event, Some(code), now);
                if let Some(name) = left {
                    self.arm_left_behind(&name, now);
                }
            }
            Some(Purpose::Revocation { sent, notified, ended }) => {
                self.arm_work(&sent, &notified, now);
                self.arm_beneath(&sent, now);
                for (identity, word) in &ended {
                    self.note_event(identity, *word, now);
                }
            }
            Some(Purpose::Step { id, is_ours: true }) => self.operations.on_committed(id),
            Some(Purpose::Expiry | Purpose::Step { .. }) | None => {}
        }
    }

    /// The store did not take the batch of an [`Output`]: the mobile node is told 66, and memory says
    /// what `snapshot` says.
    pub fn on_commit_failed(&mut self, id: CommitId, snapshot: &Snapshot, now: Now) -> Vec<Action> {
        let Some(InFlight { changes, purpose }) = self.in_flight.remove(&id) else {
            return Vec::new();
        };
        let keys: Vec<VisitorKey> = changes.iter().filter_map(visitor_key).collect();
        self.operations.on_commit_failed(&changes, now);
        match purpose {
            Purpose::Answer { pending, left, .. } => {
                if let Some(name) = left {
                    self.beneath.list.remove(&name);
                }
                for key in &keys {
                    self.reload(key, snapshot);
                }
                let denied = self.deny(&pending, GatewayDenial::CommitFailed, None, now);
                return denied.into_iter().collect();
            }
            Purpose::Expiry => {
                self.unwritten.extend(keys);
                self.retry_at = Some(now.uptime + RETRY_AFTER);
            }
            Purpose::Revocation { sent, notified, .. } => {
                let deleted = changes.iter().filter(|it| matches!(it, Change::Delete(_)));
                self.unwritten.extend(deleted.filter_map(visitor_key));
                self.retry_at = Some(now.uptime + RETRY_AFTER);
                self.unsend_beneath(&sent, now);
                self.unsend_work(&sent, &notified, snapshot, now);
            }
            Purpose::Step { id, is_ours } => {
                if is_ours {
                    self.operations.on_step_failed(id);
                }
            }
        }
        Vec::new()
    }

    /// What has changed and needs no durability: counters, violations, trails.
    pub fn take_counters(&mut self, now: Now) -> Batch {
        let mut batch = Batch::new(store::Class::Relaxed);
        let (visitors, pending) = (self.visitors.len(), self.pending.len());
        self.tally.use_of(Resource::Visitors, self.config.visitors_max, visitors, now);
        self.tally.use_of(Resource::Pending, self.config.pending_max, pending, now);
        let revocations = self.revocations.len() + self.beneath.list.len();
        self.tally.waiting(Awaited::Revocations, revocations);
        self.tally.waiting(Awaited::Notifications, self.notifications.len());
        self.tally.put(&mut batch);
        self.violations.put(&mut batch, now);
        self.trails.put(&mut batch);
        batch
    }

    fn send_off(&mut self, batch: Batch, actions: Vec<Action>, purpose: Purpose) -> Output {
        self.last_commit.0 += 1;
        let id = self.last_commit;
        self.in_flight.insert(id, InFlight { changes: batch.changes.clone(), purpose });
        Output { id, batch, actions }
    }

    /// Whether a change of this visitor is on its way to the store.
    fn is_in_flight(&self, visitor: &Visitor) -> bool {
        let key = visitor.key();
        let changes = self.in_flight.values().flat_map(|it| &it.changes);
        changes.filter_map(visitor_key).any(|other| other == key)
    }

    /// Puts a visitor into memory, and notes when its regional registration ends.
    fn insert(&mut self, visitor: Arc<Visitor>) {
        if let Some(old) = self.visitors.get(&visitor.identity, visitor.home_address).cloned() {
            self.disarm(&old);
        }
        self.arm(&visitor);
        self.visitors.insert(visitor);
    }

    fn arm(&mut self, visitor: &Visitor) {
        if let Some(at) = self.regional_deadline(visitor) {
            self.regional_deadlines.insert((at, visitor.key()));
        }
    }

    fn disarm(&mut self, visitor: &Visitor) {
        if let Some(at) = self.regional_deadline(visitor) {
            self.regional_deadlines.remove(&(at, visitor.key()));
        }
    }

    /// When a regional registration ends, if that is before the home registration does.
    fn regional_deadline(&self, visitor: &Visitor) -> Option<Time> {
        let ends = visitor.regional.as_ref()?.expires_at?;
        let is_first = visitor.expires_at.is_none_or(|home| ends < home);
        is_first.then(|| self.visitors.uptime(ends))
    }

    /// Makes memory of a visitor say what the store says, and what is still on its way to it.
    fn reload(&mut self, key: &VisitorKey, snapshot: &Snapshot) {
        if let Some(old) = self.visitors.get(&key.identity, key.home_address).cloned() {
            self.disarm(&old);
        }
        let on_their_way = self.in_flight.values().flat_map(|it| &it.changes);
        self.visitors.reload(key, snapshot, on_their_way);
        if let Some(new) = self.visitors.get(&key.identity, key.home_address).cloned() {
            self.arm(&new);
        }
    }
}
