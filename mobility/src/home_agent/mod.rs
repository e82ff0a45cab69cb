//! The home agent (RFC 5944 §3.8).
//!
//! ```text
//! datagram ── parse ──┬─ malformed: counted, dropped
//!                     └─ check ──┬─ discard: counted, dropped
//!                                ├─ deny: counted, answered at once
//!                                └─ grant ── memory changes ── batch ──┬─ committed: answered
//!                                                                      └─ failed: memory reloaded, 130
//! ```
//!
//! Memory runs ahead of the store by the batches that are on their way, so that
//! a request sees what the one before it changed. It is the rows themselves
//! that memory holds; nothing of a denied request is kept but its counters.

mod arp;
mod check;
mod config;
mod denial;
mod drain;
mod grant;
mod node_counters;
mod notes;
mod notification;
mod notified;
mod pool;
mod request;
mod revocation;
mod revoked;
mod state;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use store::{
    Awaited, Batch, Binding, BindingKey, Change, ClockHealth, Counter, CountersKey, Identity, Now,
    OperationId, ReplayProtection, Resource, Role, Row, Snapshot, TargetResult, Time, UtcTime,
};
use wire::{Code, Identification, message_type};

use crate::action::{Action, CommitId, Output, Received, Service};
use crate::association::{Associations, SecurityAssociation};
use crate::clock;
use crate::clock_health::ClockOpinions;
use crate::limits::{Limiter, RateLimits};
use crate::notification::{self as notifications, Heard, NotificationId};
use crate::operations::Operations;
use crate::random::Random;
use crate::refusal::Refuse as _;
use crate::revocation::{Outstanding, Recent, Revoker as _};
use crate::tally::Tally;
use crate::trails::Trails;
use crate::violations::Violations;

pub use config::{Admission, HomeAgentConfig, ReservedBits, ReverseTunnel};
pub use denial::Denial;

use check::Refusal;
use grant::Grant;
use pool::Pools;
use request::{Answer, Extras, Request};
use state::State;

/// How many bindings one [`HomeAgent::on_deadline`] removes: few enough that requests are served
/// in between, and that a cluster takes them in one transaction, which has 128 operations there.
const DELETED_AT_ONCE: usize = 100;

/// How long to wait before expired rows are deleted again that the store did not delete.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A home agent, without a clock and without a socket.
#[derive(Debug)]
pub struct HomeAgent {
    config: HomeAgentConfig,
    started_at: UtcTime,
    /// The name in `config`, as all of its bindings share it.
    instance: Arc<str>,
    associations: Associations,
    state: State,
    pools: Pools,
    random: Random,
    tally: Tally,
    /// Invariant: the nodes that say so.
    dirty_nodes: BTreeSet<Identity>,
    last_commit: CommitId,
    in_flight: BTreeMap<CommitId, InFlight>,
    /// Expired rows that the store did not delete, and when to try again.
    undeleted: Vec<BindingKey>,
    retry_at: Option<Time>,
    violations: Violations,
    trails: Trails,
    limiter: Limiter,
    clock_opinions: ClockOpinions,
    revocations: Outstanding<Binding>,
    recent: Recent,
    operations: Operations,
    notifications: notifications::Outstanding<BindingKey>,
    heard: Heard,
    /// Refusals of notifications: no more than one a second to the same address.
    refusals: Limiter,
    drain: Option<drain::Drain>,
}

/// A batch on its way to the store.
#[derive(Debug)]
struct InFlight {
    changes: Vec<Change>,
    purpose: Purpose,
}

#[derive(Debug)]
enum Purpose {
    Registration {
        answer: Box<Answer>,
        code: Code,
        at: UtcTime,
        left: Vec<BindingKey>,
    },
    Expiry {
        identities: BTreeSet<Identity>,
        at: UtcTime,
    },
    /// Revocations that are sent, and bindings that went with others.
    Revocation {
        sent: Vec<BindingKey>,
        notified: Vec<NotificationId>,
        ended: Vec<(Identity, &'static str)>,
        at: UtcTime,
    },
    /// An operation is taken on, or says how far it is.
    Step {
        id: OperationId,
        is_ours: bool,
    },
}

impl HomeAgent {
    /// Takes over what the last home agent at this address left in the store.
    ///
    /// What expired while nobody was there is due at once.
    pub fn new(config: HomeAgentConfig, snapshot: &Snapshot, now: Now) -> Self {
        let key = CountersKey {
            instance: config.instance.clone(),
            role: Role::HomeAgent,
            address: config.address,
        };
        let mut home_agent = Self {
            started_at: now.stamp(),
            instance: config.instance.as_str().into(),
            associations: Associations::default(),
            state: State::load(config.address, snapshot, now),
            pools: Pools::new(config.pools.clone()),
            random: Random::new(config.seed),
            tally: Tally::load(&key, snapshot, config.counters_lost, now),
            dirty_nodes: BTreeSet::new(),
            last_commit: CommitId::default(),
            in_flight: BTreeMap::new(),
            undeleted: Vec::new(),
            retry_at: None,
            violations: Violations::load(&config.instance, Role::HomeAgent, snapshot),
            trails: Trails::load(config.address, snapshot),
            limiter: Limiter::new(config.rate_limits),
            clock_opinions: ClockOpinions::default(),
            revocations: Outstanding::default(),
            recent: Recent::default(),
            operations: Operations::new(Role::HomeAgent, config.address, &config.instance),
            notifications: notifications::Outstanding::default(),
            heard: Heard::new(now),
            refusals: Limiter::new(RateLimits { all: None, peer: Some(1) }),
            drain: None,
            config,
        };
        home_agent.settle_service_times(now);
        home_agent.resume_revocations(now);
        home_agent.resume_operations(snapshot);
        home_agent.look_for_drain(snapshot);
        home_agent
    }

    /// Replaces all associations; bindings stay.
    pub fn set_associations(&mut self, associations: Vec<SecurityAssociation>) {
        self.associations = associations.into_iter().collect();
    }

    /// The services of all bindings: what a driver starts after [`Self::new`].
    pub fn services(&self) -> impl Iterator<Item = Service> {
        self.state.all_bindings().map(|binding| self.config.service(binding))
    }

    /// The home addresses that it answers ARP requests for: what a driver starts after [`Self::new`].
    pub fn proxied_home_addresses(&self) -> BTreeSet<Ipv4Addr> {
        let bindings = self.state.all_bindings().map(|binding| binding.home_address);
        bindings.filter(|address| self.has_arp(*address)).collect()
    }

    /// What mobile nodes' timestamps say of our clock.
    pub fn clock_health(&self, now: Now) -> ClockHealth {
        self.clock_opinions.health(now)
    }

    /// How many bindings there are.
    pub fn binding_count(&self) -> usize {
        self.state.len()
    }

    /// Counts what only the driver sees: `SendErrors`, `DatagramsRateLimited`, ARP sent.
    pub fn count(&mut self, counter: Counter) {
        self.tally.count(counter);
    }

    /// Adds what an [`Advertiser`](crate::Advertiser) counted.
    pub fn add_counts(&mut self, counts: impl IntoIterator<Item = (Counter, u64)>) {
        for (counter, count) in counts {
            self.tally.add(counter, count);
        }
    }

    /// Takes a datagram of the registration port.
    pub fn on_datagram(&mut self, received: &Received<'_>, now: Now) -> Output {
        self.tally.count(Counter::DatagramsReceived);
        match message_type(received.octets) {
            Some(message_type::REGISTRATION_REVOCATION) => self.on_revocation(received, now),
            Some(message_type::REGISTRATION_REVOCATION_ACKNOWLEDGMENT) => {
                self.on_revocation_acknowledgment(received, now)
            }
            Some(message_type::GENERIC_NOTIFICATION) => self.on_notification(received, now),
            Some(message_type::GENERIC_NOTIFICATION_ACKNOWLEDGMENT) => {
                self.on_notification_acknowledgement(received, now)
            }
            _ => self.on_request(received, now),
        }
    }

    fn on_request(&mut self, received: &Received<'_>, now: Now) -> Output {
        if !self.limiter.allows(*received.source.ip(), now.uptime) {
            self.tally.count(Counter::DatagramsRateLimited);
            return Output::default();
        }
        let request = match Request::parse(received, now) {
            Ok(request) => request,
            Err(error) => return self.malformed(&error),
        };
        self.tally.count(Counter::HaRegRequestsReceived);
        if request.is_deregistration() {
            self.tally.count(Counter::HaDeRegRequestsReceived);
        }
        self.count_vendor_extensions(&request);
        let answer = match self.check(&request) {
            Ok(answer) => answer,
            Err(Refusal::Discard(offender, reason)) => {
                self.note_discard(&request, offender, reason);
                return Output::default();
            }
            Err(Refusal::Deny(answer, denial)) => {
                self.note_clock(&answer, Some(denial), now);
                return self.deny(&answer, denial, now);
            }
        };
        self.note_clock(&answer, None, now);
        let key = BindingKey {
            home_agent: self.config.address,
            home_address: request.fixed.home_address,
            care_of_address: request.fixed.care_of_address,
            nai: request.extensions.nai.clone(),
        };
        if self.revocations.is_too_soon(&key, now.uptime) {
            self.tally.count(Counter::DatagramsRateLimited);
            return Output::default();
        }
        match self.grant(&request, &answer) {
            Ok(grant) => self.accept(answer, &grant, now),
            Err(denial) => self.deny(&answer, denial, now),
        }
    }

    /// What is due at `now`: bindings whose lifetime has ended are removed.
    pub fn on_deadline(&mut self, now: Now) -> Output {
        let mut batch = Batch::default();
        if self.retry_at.is_some_and(|at| at <= now.uptime) {
            let rest = self.undeleted.split_off(self.undeleted.len().min(DELETED_AT_ONCE));
            self.retry_at = (!rest.is_empty()).then_some(now.uptime);
            for key in std::mem::replace(&mut self.undeleted, rest) {
                // Only what did not come back in the meantime.
                let identity = identity(&key);
                let care_of_address = key.care_of_address;
                let is_back = self.state.bindings(&identity).iter().any(|binding| {
                    binding.home_address == key.home_address
                        && binding.care_of_address == care_of_address
                });
                if !is_back {
                    batch.delete::<Binding>(key);
                }
            }
        }
        let expired = self.state.expire(now.uptime, DELETED_AT_ONCE - batch.changes.len());
        let mut identities = BTreeSet::new();
        let mut actions = Vec::new();
        for binding in expired {
            let identity = binding.identity();
            self.give_back_homes(&identity, std::iter::once(binding.home_address));
            let key = binding.key();
            let sent = binding.revoking.as_ref().map_or(0, |it| it.identifiers.len());
            let result = TargetResult::TimedOut(u32::try_from(sent).unwrap_or(u32::MAX));
            self.give_up_revocation(&key, result, &mut batch, now);
            batch.delete::<Binding>(key);
            actions.push(Action::StopService(self.config.service(&binding)));
            actions.extend(self.arp_after_end(&identity, binding.home_address));
            identities.insert(identity);
        }
        if batch.is_empty() {
            return self.revocation_work(now);
        }
        self.send_off(batch, actions, Purpose::Expiry { identities, at: now.stamp() })
    }

    /// When to call [`Self::on_deadline`].
    pub fn next_deadline(&self) -> Option<Time> {
        let revocation = self.revocation_deadline();
        self.state.first_deadline().into_iter().chain(self.retry_at).chain(revocation).min()
    }

    /// The batch of an [`Output`] is durable; its actions are to be done.
    pub fn on_committed(&mut self, id: CommitId, now: Now) {
        match self.in_flight.remove(&id).map(|in_flight| in_flight.purpose) {
            Some(Purpose::Registration { answer, code, at, left }) => {
                self.state.no_longer_busy(&answer.identity);
                self.arm_left_behind(&left, now);
                self.count_reply(&answer, code);
                self.tally.count(if code == Code::ACCEPTED {
                    Counter::HaRegistrationAccepted
                } else {
                    Counter::HaMultiBindingUnsupported
                });
                self.node_accepted(&answer.identity, at);
                self.note_accepted(&answer, code, at);
            }
            Some(Purpose::Expiry { identities, at }) => {
                for identity in &identities {
                    self.settle_service_time(identity, at);
                    self.note_event(identity, "expired", at);
                }
            }
            Some(Purpose::Revocation { sent, notified, ended, at }) => {
                self.arm_work(&sent, &notified, now);
                for (identity, word) in &ended {
                    self.settle_service_time(identity, at);
                    self.note_event(identity, *word, at);
                }
            }
            Some(Purpose::Step { id, is_ours: true }) => self.operations.on_committed(id),
            Some(Purpose::Step { .. }) | None => {}
        }
    }

    /// The store did not take the batch of an [`Output`]; its actions are not to be done, but those
    /// returned are: the mobile node is told 130, and memory says what `snapshot` says.
    pub fn on_commit_failed(&mut self, id: CommitId, snapshot: &Snapshot, now: Now) -> Vec<Action> {
        let Some(InFlight { changes, purpose }) = self.in_flight.remove(&id) else {
            return Vec::new();
        };
        match purpose {
            Purpose::Registration { answer, left, .. } => {
                for key in &left {
                    self.revocations.remove(key);
                }
                self.operations.on_commit_failed(&changes, now);
                self.state.no_longer_busy(&answer.identity);
                self.reload(&answer.identity, &changes, snapshot);
                self.deny(&answer, Denial::CommitFailed, now).actions
            }
            Purpose::Expiry { identities, at } => {
                self.operations.on_commit_failed(&changes, now);
                self.undeleted.extend(changes.iter().filter_map(binding_key));
                self.retry_at = Some(now.uptime + RETRY_AFTER);
                for identity in &identities {
                    self.settle_service_time(identity, at);
                }
                Vec::new()
            }
            Purpose::Revocation { sent, notified, ended, at } => {
                self.operations.on_commit_failed(&changes, now);
                let deleted = changes.iter().filter(|change| matches!(change, Change::Delete(_)));
                self.undeleted.extend(deleted.filter_map(binding_key));
                self.retry_at = Some(now.uptime + RETRY_AFTER);
                self.unsend_work(&sent, &notified, snapshot, now);
                for (identity, _) in &ended {
                    self.settle_service_time(identity, at);
                }
                Vec::new()
            }
            Purpose::Step { id, is_ours } => {
                if is_ours {
                    self.operations.on_step_failed(id);
                }
                Vec::new()
            }
        }
    }

    /// Says whose violations are forgotten when the next run starts (`mipSecurityviolationStorageType`).
    pub fn set_volatile_violations(&mut self, offenders: BTreeSet<Identity>) {
        self.violations.set_volatile(offenders);
    }

    /// What has changed and needs no durability: counters, violations, trails.
    pub fn take_counters(&mut self, now: Now) -> Batch {
        let mut batch = Batch::new(store::Class::Relaxed);
        self.note_usage(now);
        self.tally.put(&mut batch);
        self.put_node_counters(&mut batch);
        self.violations.put(&mut batch, now);
        self.trails.put(&mut batch);
        batch
    }

    /// How full it is.
    fn note_usage(&mut self, now: Now) {
        let (bindings, in_flight) = (self.state.len(), self.in_flight.len());
        self.tally.use_of(Resource::Bindings, self.config.bindings_max, bindings, now);
        self.tally.use_of(Resource::Pending, self.config.in_flight_max, in_flight, now);
        self.tally.waiting(Awaited::Revocations, self.revocations.len());
        self.tally.waiting(Awaited::Notifications, self.notifications.len());
    }

    fn accept(&mut self, answer: Answer, grant: &Grant, now: Now) -> Output {
        let (mut batch, mut actions) = self.apply(&answer, grant);
        self.give_up_superseded(grant, &mut batch, now);
        let left = self.revoke_left_behind(&grant.left_behind());
        let identification = self.reply_identification(&answer, None, now);
        let home_agent = self.config.address;
        let Grant { home_address, code, lifetime, .. } = *grant;
        let texts = self.texts(&answer, code, now);
        let extras = Extras { offer: grant.offer, texts, redirected: None };
        let reply = answer.reply(home_agent, home_address, code, lifetime, identification, &extras);
        self.count_texts(reply.is_some(), &extras);
        // The tunnel is there before the mobile node learns that it may use it.
        actions.extend(reply);
        let at = now.stamp();
        self.state.entry(&answer.identity).busy += 1;
        let answer = Box::new(answer);
        self.send_off(batch, actions, Purpose::Registration { answer, code, at, left })
    }

    fn deny(&mut self, answer: &Answer, denial: Denial, now: Now) -> Output {
        let (code, counter) = denial.answer();
        let identification = self.reply_identification(answer, Some(denial), now);
        // §3.8.3.2: copied from the request, unless it is more than is ever granted.
        let lifetime = answer.request.lifetime.min(self.config.lifetime_max);
        let home_address = answer.request.home_address;
        let home_agent = self.config.address;
        let redirected = self.redirects_to().filter(|_| denial == Denial::Redirected);
        let extras = Extras { offer: None, texts: self.texts(answer, code, now), redirected };
        let reply = answer.reply(home_agent, home_address, code, lifetime, identification, &extras);
        self.count_texts(reply.is_some(), &extras);
        self.tally.count(counter);
        self.node_denied(&answer.identity, code, now);
        if reply.is_some() {
            self.count_reply(answer, code);
        }
        self.note_denied(answer, denial, now);
        Output::at_once(reply.into_iter().collect())
    }

    /// What a reply says to the user of the node (RFC 4917 §4): where there is a drain, that first.
    fn texts(&self, answer: &Answer, code: Code, now: Now) -> Vec<String> {
        // Nobody else can be told, and nobody else needs to know.
        if !answer.authenticated || answer.is_deregistration() && code.is_accepted() {
            return Vec::new();
        }
        let notice = self.drain_notice(now).map(|notice| notice.to_string());
        let policy = notifications::text_for(&self.config.messages, code, answer.nai());
        notice.into_iter().chain(policy.map(str::to_owned)).collect()
    }

    fn count_texts(&mut self, is_sent: bool, extras: &Extras) {
        if is_sent {
            let count = u64::try_from(extras.texts.len()).unwrap_or(u64::MAX);
            self.tally.add(Counter::MessageStringsSent, count);
        }
    }

    fn send_off(&mut self, batch: Batch, actions: Vec<Action>, purpose: Purpose) -> Output {
        self.last_commit.0 += 1;
        let id = self.last_commit;
        self.in_flight.insert(id, InFlight { changes: batch.changes.clone(), purpose });
        Output { id, batch, actions }
    }

    fn count_reply(&mut self, answer: &Answer, code: Code) {
        self.tally.count(Counter::HaRegRepliesSent);
        self.tally.count_reply(code);
        if answer.is_deregistration() {
            self.tally.count(Counter::HaDeRegRepliesSent);
        }
    }

    fn count_vendor_extensions(&mut self, request: &Request<'_>) {
        if request.extensions.covered.normal {
            self.tally.count(Counter::HaNvsesFromMnIgnored);
        }
        if request.extensions.appended.normal {
            self.tally.count(Counter::HaNvsesFromFaIgnored);
        }
    }

    /// What the reply's Identification says (§5.7.1, §5.7.2).
    fn reply_identification(
        &self,
        answer: &Answer,
        denial: Option<Denial>,
        now: Now,
    ) -> Identification {
        let requested = answer.request.identification;
        let is_mismatch = denial.is_some_and(|denial| denial.code() == Code(133));
        match answer.signer.replay {
            ReplayProtection::Nonces => {
                let nonce = self.expected_nonce(&answer.identity);
                Identification::from_halves(nonce, requested.low())
            }
            ReplayProtection::Timestamps | ReplayProtection::None if is_mismatch => {
                Identification::from_halves(clock::ntp(now.utc).high(), requested.low())
            }
            ReplayProtection::Timestamps | ReplayProtection::None => requested,
        }
    }

    /// The nonce that a mobile node has to use next (§5.7.2).
    ///
    /// It is new when a request was accepted. A refused request consumed nothing, so its reply
    /// repeats it; and a node never accepted before gets one that follows from our seed, so that
    /// nothing is kept for it.
    fn expected_nonce(&self, identity: &Identity) -> u32 {
        let row = self.state.row(identity);
        row.and_then(|row| row.nonce).unwrap_or_else(|| {
            let last = row.map_or(0, |row| row.last_identification.0);
            self.random.of(format!("{last} {identity:?}").as_bytes())
        })
    }

    /// Makes memory of one node say what the store says, and what is still on its way to it.
    fn reload(&mut self, identity: &Identity, failed: &[Change], snapshot: &Snapshot) {
        let others = self.in_flight.values().flat_map(|in_flight| &in_flight.changes);
        let keys: Vec<BindingKey> = failed
            .iter()
            .chain(others)
            .filter_map(binding_key)
            .filter(|key| self::identity(key) == *identity)
            .collect();
        self.state.reload(identity, keys, snapshot);
        for in_flight in self.in_flight.values() {
            for change in &in_flight.changes {
                redo(&mut self.state, identity, change);
            }
        }
    }
}

/// Makes one change of a batch on its way, if it is about the node.
fn redo(state: &mut State, node: &Identity, change: &Change) {
    match change {
        Change::Put(store::AnyRow::Binding(row)) if row.identity() == *node => {
            state.insert(Arc::clone(row));
        }
        Change::Put(store::AnyRow::Node(row)) if row.identity == *node => {
            state.entry(node).row = Some(Arc::clone(row));
        }
        Change::Delete(store::AnyKey::Binding(key)) if identity(key) == *node => {
            state.remove(node, key.home_address, key.care_of_address);
        }
        Change::Put(_) | Change::Delete(_) => {}
    }
}

/// Whose binding a key names.
fn identity(key: &BindingKey) -> Identity {
    Identity::of_node(key.nai.as_ref(), key.home_address)
}

/// The binding that a change is about.
fn binding_key(change: &Change) -> Option<BindingKey> {
    match change {
        Change::Put(store::AnyRow::Binding(row)) => Some(row.key()),
        Change::Delete(store::AnyKey::Binding(key)) => Some(key.clone()),
        Change::Put(_) | Change::Delete(_) => None,
    }
}
