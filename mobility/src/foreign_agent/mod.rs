//! The foreign agent (RFC 5944 §3.7).
//!
//! ```text
//! request ── check ──┬─ deny: answered by us
//!                    └─ relay ── pending ──┬─ reply ── visitor ── batch ── relayed to the node
//!                                          ├─ reply, not valid: answered by us
//!                                          └─ too late, unreachable: answered by us
//! ```
//!
//! What is relayed is relayed octet for octet. Anybody on the link can ask, so
//! the pending list and all that is kept of the unauthenticated is bounded.

mod config;
mod denial;
mod pending;
mod regional;
mod reply;
mod request;
mod revocation;
mod revoked;
#[cfg(test)]
mod tests;
mod upstream;
mod visited;
pub(crate) mod visitors;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use store::{
    Awaited, Batch, Change, Counter, CountersKey, Identity, Now, OperationId, Resource, Role, Row,
    Snapshot, TargetResult, Time, TrailEvent, Unknown, Visitor, VisitorKey,
};
use wire::{Code, Lifetime, ParseError, RegistrationReply, RegistrationRequest, Spi, message_type};

use crate::action::{Action, CommitId, Output, Received, Service};
use crate::association::{Associations, SecurityAssociation};
use crate::home_agent::Admission;
use crate::limits::{Limiter, RateLimits};
use crate::notification::{self as notifications, Heard, NotificationId};
use crate::operations::Operations;
use crate::pending::PendingList;
use crate::random::Random;
use crate::revocation::{Outstanding, Recent, Revoker as _};
use crate::tally::Tally;
use crate::trails::{Trails, Word, plain};
use crate::violations::{Offence, Violations};

pub use config::{ForeignAgentConfig, RegionConfig};
pub use denial::ForeignAgentDenial;

use pending::Pending;
use visitors::{Visitors, visitor_key};

/// How many visitors one [`ForeignAgent::on_deadline`] removes; a cluster takes no more than 128
/// operations in one transaction.
const DELETED_AT_ONCE: usize = 100;

/// How long to wait before expired rows are deleted again that the store did not delete.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A foreign agent, without a clock and without a socket.
#[derive(Debug)]
pub struct ForeignAgent {
    config: ForeignAgentConfig,
    associations: Associations,
    pending: PendingList<Pending>,
    visitors: Visitors,
    tally: Tally,
    violations: Violations,
    trails: Trails,
    limiter: Limiter,
    /// §3.7.2: no more than one denial a second to the same mobile node.
    denials: Limiter,
    /// Pending rows that the store shows.
    shown: BTreeSet<VisitorKey>,
    last_commit: CommitId,
    in_flight: BTreeMap<CommitId, InFlight>,
    undeleted: Vec<VisitorKey>,
    retry_at: Option<Time>,
    revocations: Outstanding<Visitor>,
    recent: Recent,
    /// The identifiers that we used last, beyond the visitors that they were for.
    used: Recent,
    operations: Operations,
    notifications: notifications::Outstanding<VisitorKey>,
    random: Random,
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
    /// A reply that is relayed once the visitor list is durable.
    Reply(Box<Pending>, Code),
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

/// Why a home agent cannot be reached, as ICMP says (RFC 5944 §3.4: Codes 80, 81, 82, 88).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unreachable {
    Network,
    Host,
    Port,
    Other,
}

impl Unreachable {
    /// What a node is told; RFC 4857 §10.3 has Codes of its own for gateways.
    const fn denial(self, is_gateway: bool) -> ForeignAgentDenial {
        match (self, is_gateway) {
            (Self::Network, false) => ForeignAgentDenial::NetworkUnreachable,
            (Self::Host, false) => ForeignAgentDenial::HostUnreachable,
            (Self::Port, false) => ForeignAgentDenial::PortUnreachable,
            (Self::Other, false) => ForeignAgentDenial::Unreachable,
            (Self::Host, true) => ForeignAgentDenial::GatewayHostUnreachable,
            (Self::Port, true) => ForeignAgentDenial::GatewayPortUnreachable,
            (Self::Network | Self::Other, true) => ForeignAgentDenial::GatewayUnreachable,
        }
    }
}

impl ForeignAgent {
    /// Takes over the visitors that the last foreign agent at this address left in the store.
    pub fn new(config: ForeignAgentConfig, snapshot: &Snapshot, now: Now) -> Self {
        let key = CountersKey {
            instance: config.instance.clone(),
            role: Role::ForeignAgent,
            address: config.address,
        };
        let shown = snapshot.rows::<Visitor>().iter();
        let shown = shown.filter(|row| row.foreign_agent == config.address && !row.accepted);
        let mut foreign_agent = Self {
            associations: Associations::default(),
            pending: PendingList::default(),
            visitors: Visitors::load(config.address, snapshot, now),
            tally: Tally::load(&key, snapshot, config.counters_lost, now),
            violations: Violations::load(&config.instance, Role::ForeignAgent, snapshot),
            trails: Trails::load(config.address, snapshot),
            limiter: Limiter::new(config.rate_limits),
            denials: Limiter::new(RateLimits { all: None, peer: Some(1) }),
            shown: shown.map(|row| row.key()).collect(),
            last_commit: CommitId::default(),
            in_flight: BTreeMap::new(),
            undeleted: Vec::new(),
            retry_at: None,
            revocations: Outstanding::default(),
            recent: Recent::default(),
            used: Recent::default(),
            operations: Operations::new(Role::ForeignAgent, config.address, &config.instance),
            notifications: notifications::Outstanding::default(),
            random: Random::new(config.seed),
            heard: Heard::new(now),
            refusals: Limiter::new(RateLimits { all: None, peer: Some(1) }),
            config,
        };
        foreign_agent.resume_revocations(now);
        foreign_agent.resume_operations(snapshot);
        foreign_agent
    }

    /// Replaces all associations: with mobile nodes, and with home agents.
    pub fn set_associations(&mut self, associations: Vec<SecurityAssociation>) {
        self.associations = associations.into_iter().collect();
    }

    /// Changes the region that it is part of; visitors stay where they are registered.
    pub fn set_region(&mut self, region: Option<RegionConfig>) {
        self.config.regional = region;
    }

    /// Changes who may register from now on.
    pub fn set_admission(&mut self, admission: Admission) {
        self.config.admission = admission;
    }

    /// The services of all visitors: what a driver starts after [`Self::new`].
    pub fn services(&self) -> impl Iterator<Item = Service> {
        self.visitors.iter().map(|visitor| self.config.service(visitor))
    }

    pub fn visitor_count(&self) -> usize {
        self.visitors.len()
    }

    /// Whether it takes no more mobile nodes, which is what the `B` bit says (§2.1.1).
    pub fn is_busy(&self) -> bool {
        self.visitors.len() >= self.config.visitors_max
            || self.pending.len() >= self.config.pending_max
            || self.config.admission != Admission::Open
    }

    /// Counts what only the driver sees.
    pub fn count(&mut self, counter: Counter) {
        self.tally.count(counter);
    }

    /// Adds what an [`Advertiser`](crate::Advertiser) counted.
    pub fn add_counts(&mut self, counts: impl IntoIterator<Item = (Counter, u64)>) {
        for (counter, count) in counts {
            self.tally.add(counter, count);
        }
    }

    /// Takes a datagram of the registration port, or of the sockets that requests are relayed from.
    pub fn on_datagram(&mut self, received: &Received<'_>, now: Now) -> Output {
        self.tally.count(Counter::DatagramsReceived);
        match message_type(received.octets) {
            Some(message_type::REGISTRATION_REQUEST) => self.on_request(received, now),
            Some(message_type::REGISTRATION_REPLY) => self.on_reply(received, now),
            Some(message_type::REGIONAL_REGISTRATION_REQUEST) => {
                self.on_regional_request(received, now)
            }
            Some(message_type::REGIONAL_REGISTRATION_REPLY) => {
                self.on_regional_reply(received, now)
            }
            Some(message_type::REGISTRATION_REVOCATION) => self.on_revocation(received, now),
            Some(message_type::REGISTRATION_REVOCATION_ACKNOWLEDGMENT) => {
                self.on_revocation_acknowledgment(received, now)
            }
            Some(message_type::GENERIC_NOTIFICATION) => self.on_notification(received, now),
            Some(message_type::GENERIC_NOTIFICATION_ACKNOWLEDGMENT) => {
                self.on_notification_acknowledgement(received, now)
            }
            Some(got) => {
                let want = RegistrationRequest::TYPE;
                self.tally.count_malformed(&ParseError::UnexpectedType { got, want });
                Output::default()
            }
            None => {
                let need = RegistrationReply::LEN;
                self.tally.count_malformed(&ParseError::Truncated { need, have: 0 });
                Output::default()
            }
        }
    }

    /// An ICMP error came back for what was relayed to `home_agent` (§3.7.3).
    pub fn on_unreachable(
        &mut self,
        home_agent: Ipv4Addr,
        unreachable: Unreachable,
        now: Now,
    ) -> Output {
        let hit = self.pending.iter().filter(|it| it.peer() == home_agent);
        let hit: Vec<Pending> = hit.cloned().collect();
        let actions = hit.iter().flat_map(|it| {
            let denial = unreachable.denial(it.is_regional);
            self.reject(it, denial, None, now).actions
        });
        Output::at_once(actions.collect())
    }

    /// What is due at `now`: requests that nobody answered, visitors whose lifetime has ended.
    pub fn on_deadline(&mut self, now: Now) -> Output {
        let mut actions = Vec::new();
        while let Some(pending) = self.pending.expire(now.uptime) {
            actions.extend(self.deny(&pending, ForeignAgentDenial::Timeout, None, now));
        }
        if !actions.is_empty() {
            return Output::at_once(actions);
        }
        let mut batch = Batch::default();
        if self.retry_at.take_if(|at| *at <= now.uptime).is_some() {
            let rest = self.undeleted.split_off(self.undeleted.len().min(DELETED_AT_ONCE));
            self.retry_at = (!rest.is_empty()).then_some(now.uptime);
            for key in std::mem::replace(&mut self.undeleted, rest) {
                if !self.visitors.contains(&key.identity, key.home_address) {
                    batch.delete::<Visitor>(key);
                }
            }
        }
        for visitor in self.visitors.expire(now.uptime, DELETED_AT_ONCE - batch.changes.len()) {
            let key = visitor.key();
            let sent = visitor.revoking.as_ref().map_or(0, |it| it.identifiers.len());
            let result = TargetResult::TimedOut(u32::try_from(sent).unwrap_or(u32::MAX));
            self.give_up_revocation(&key, result, &mut batch, now);
            batch.delete::<Visitor>(key);
            actions.push(Action::StopService(self.config.service(&visitor)));
        }
        if batch.is_empty() {
            return self.revocation_work(now);
        }
        self.send_off(batch, actions, Purpose::Expiry)
    }

    /// When to call [`Self::on_deadline`].
    pub fn next_deadline(&self) -> Option<Time> {
        let deadlines = [self.pending.first_deadline(), self.visitors.first_deadline()];
        let revocation = self.revocation_deadline();
        deadlines.into_iter().flatten().chain(self.retry_at).chain(revocation).min()
    }

    /// The batch of an [`Output`] is durable; its actions are to be done.
    pub fn on_committed(&mut self, id: CommitId, now: Now) {
        match self.in_flight.remove(&id).map(|in_flight| in_flight.purpose) {
            Some(Purpose::Reply(pending, code)) => self.count_relayed(&pending, code),
            Some(Purpose::Revocation { sent, notified, ended }) => {
                self.arm_work(&sent, &notified, now);
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
            Purpose::Reply(pending, _) => {
                for key in &keys {
                    self.reload(key, snapshot);
                }
                let denial = ForeignAgentDenial::CommitFailed;
                self.deny(&pending, denial, None, now).into_iter().collect()
            }
            Purpose::Expiry => {
                self.undeleted.extend(keys);
                self.retry_at = Some(now.uptime + RETRY_AFTER);
                Vec::new()
            }
            Purpose::Revocation { sent, notified, .. } => {
                let deleted = changes.iter().filter(|change| matches!(change, Change::Delete(_)));
                self.undeleted.extend(deleted.filter_map(visitor_key));
                self.retry_at = Some(now.uptime + RETRY_AFTER);
                self.unsend_work(&sent, &notified, snapshot, now);
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

    /// Says which care-of addresses are offered from here on; visitors at others stay until their
    /// time is over, and cannot renew there.
    pub fn set_care_of_addresses(&mut self, care_of_addresses: Vec<Ipv4Addr>) {
        self.config.care_of_addresses = care_of_addresses;
    }

    /// What has changed and needs no durability: counters, violations, trails, pending requests.
    pub fn take_counters(&mut self, now: Now) -> Batch {
        let mut batch = Batch::new(store::Class::Relaxed);
        let (visitors, pending) = (self.visitors.len(), self.pending.len());
        self.tally.use_of(Resource::Visitors, self.config.visitors_max, visitors, now);
        self.tally.use_of(Resource::Pending, self.config.pending_max, pending, now);
        self.tally.waiting(Awaited::Revocations, self.revocations.len());
        self.tally.waiting(Awaited::Notifications, self.notifications.len());
        self.tally.put(&mut batch);
        self.violations.put(&mut batch, now);
        self.trails.put(&mut batch);
        self.put_pending(&mut batch);
        batch
    }

    /// Shows the requests that wait, and hides those that do no more.
    fn put_pending(&mut self, batch: &mut Batch) {
        let rows: Vec<Visitor> = self
            .pending
            .iter()
            .filter(|it| !self.visitors.contains(&it.identity, it.request.home_address))
            .map(|it| self.pending_row(it))
            .collect();
        let mut hidden = std::mem::take(&mut self.shown);
        for row in rows {
            let key = row.key();
            if !hidden.remove(&key) {
                batch.put(row);
            }
            self.shown.insert(key);
        }
        // A visitor that was accepted has its row under the same key.
        hidden.retain(|key| !self.visitors.contains(&key.identity, key.home_address));
        for key in hidden {
            batch.delete::<Visitor>(key);
        }
    }

    fn pending_row(&self, pending: &Pending) -> Visitor {
        let RegistrationRequest { home_address, home_agent, care_of_address, .. } = pending.request;
        Visitor {
            foreign_agent: self.config.address,
            identity: pending.identity.clone(),
            home_address,
            home_agent,
            care_of_address,
            instance: self.config.instance.clone(),
            source: pending.source,
            local: pending.local,
            interface: pending.interface,
            flags: pending.request.flags,
            identification: pending.request.identification,
            encapsulating_delivery: pending.encapsulating_delivery,
            lifetime_requested: pending.request.lifetime,
            lifetime_granted: Lifetime::ZERO,
            accepted: false,
            created_at: pending.sent_at.stamp(),
            registered_at: pending.sent_at.stamp(),
            expires_at: None,
            revocation: None,
            revoking: None,
            regional: None,
            unknown: Unknown::default(),
        }
    }

    fn count_relayed(&mut self, pending: &Pending, code: Code) {
        self.tally.count(if pending.is_regional {
            Counter::RegionalRepliesRelayed
        } else {
            Counter::FaRegRepliesRelayed
        });
        self.tally.count_reply(code);
    }

    /// Counts and notes a denial; returns the reply that says it.
    fn deny(
        &mut self,
        pending: &Pending,
        denial: ForeignAgentDenial,
        spi: Option<Spi>,
        now: Now,
    ) -> Option<Action> {
        let (code, counter) = denial.answer();
        if let Some(counter) = counter {
            self.tally.count(counter);
        }
        self.tally.count_reply(code);
        if let Some(reason) = denial.violation() {
            self.tally.count(Counter::MipSecTotalViolations);
            let by_home_agent = denial == ForeignAgentDenial::HomeAgentFailedAuthentication;
            let home_agent = pending.request.home_agent;
            let violator = if by_home_agent {
                Identity::Address(home_agent)
            } else {
                pending.identity.clone()
            };
            let address = if by_home_agent { home_agent } else { *pending.source.ip() };
            let identification = pending.request.identification;
            let spi = spi.unwrap_or(Spi(0));
            let code = Some(code);
            let offence = Offence { violator, address, spi, identification, reason, code };
            self.violations.record(offence, now);
        }
        self.trail(pending, denial.word(), Some(code), now);
        let text = notifications::text_for(&self.config.messages, code, pending.nai.as_ref());
        let text = text.filter(|_| pending.authenticated);
        let reply = pending.deny(code, text, &self.config);
        if text.is_some() && reply.is_some() {
            self.tally.count(Counter::MessageStringsSent);
        }
        reply
    }

    fn trail(&mut self, pending: &Pending, event: impl Into<Word>, code: Option<Code>, now: Now) {
        let event = TrailEvent {
            code,
            peer: Some(pending.source),
            care_of_address: Some(pending.request.care_of_address),
            spi: pending.spi,
            ..plain(event, now.stamp())
        };
        let is_known = pending.authenticated
            || code.is_some_and(Code::is_accepted)
            || self.visitors.contains(&pending.identity, pending.request.home_address);
        self.trails.note(&pending.identity, event, is_known);
    }

    /// Something that no request is the cause of.
    fn note_event(&mut self, identity: &Identity, event: impl Into<Word>, now: Now) {
        self.trails.record(identity, plain(event, now.stamp()));
    }

    fn send_off(&mut self, batch: Batch, actions: Vec<Action>, purpose: Purpose) -> Output {
        self.last_commit.0 += 1;
        let id = self.last_commit;
        self.in_flight.insert(id, InFlight { changes: batch.changes.clone(), purpose });
        Output { id, batch, actions }
    }

    /// Notes that a request was relayed, in the place of the one that the node sent before.
    fn await_reply(&mut self, pending: Pending) {
        // A node that has learnt its home address asks no more for one.
        self.pending.remove(&pending.identity, Ipv4Addr::UNSPECIFIED);
        self.pending.insert(pending);
    }

    /// Whether a change of this visitor is on its way to the store.
    fn is_in_flight(&self, visitor: &Visitor) -> bool {
        let key = visitor.key();
        let changes = self.in_flight.values().flat_map(|it| &it.changes);
        changes.filter_map(visitor_key).any(|other| other == key)
    }

    /// Makes memory of a visitor say what the store says, and what is still on its way to it.
    fn reload(&mut self, key: &VisitorKey, snapshot: &Snapshot) {
        let on_their_way = self.in_flight.values().flat_map(|it| &it.changes);
        self.visitors.reload(key, snapshot, on_their_way);
    }
}
