//! The mobile node (RFC 5944 §3.6).
//!
//! ```text
//!            register                 accepted
//!   Idle ──────────────▶ Pending ──────────────────▶ Registered
//!    ▲                   │  ▲  │ ▲                    │  │
//!    │ accepted (0 s)    │  │  │ └── time to renew ───┘  │ lifetime over
//!    └───────────────────┘  │  ├─ denied ──▶ waits ──┐   ▼
//!                           │  └─ unanswered too often: Isolated
//!                           └─────────── retries ────┘
//! ```
//!
//! A request may be pending while a registration is served, so the two are
//! fields of their own, and each holds its deadlines.

mod config;
mod departure;
mod discovery;
mod home_agents;
mod identification;
mod notification;
mod operations;
mod regional;
mod reply;
mod request;
mod revocation;
mod row;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use store::{
    Awaited, Batch, Change, Counter, CountersKey, Identity, Now, OperationId, RegistrationKey,
    ReplayProtection, Role, Snapshot, TargetKey, Time, UserMessage,
};
use wire::{Code, Identification, Lifetime, RegistrationRequest};

use crate::action::{Action, CommitId, Output};
use crate::association::SecurityAssociation;
use crate::limits::{Limiter, RateLimits};
use crate::notification::{self as notifications, Heard, NotificationId};
use crate::operations::Operations;
use crate::random::Random;
use crate::tally::Tally;
use crate::violations::Violations;

pub use config::MobileNodeConfig;
use departure::{Departure, Former};
use discovery::{Attachment, Discovery, Place};
use identification::Clock;
pub use notification::NotificationReceiver;
use regional::{Region, Route};
use request::Draft;

/// §3.6: no more than one attempt to register a second.
const SPACING: Duration = Duration::from_secs(1);

/// How often a deregistration is sent before the node goes without an answer.
const DEREGISTRATION_ATTEMPTS: u32 = 4;

/// How many mismatches in a row are mended at once; more are no matter of clocks.
const RESYNCHRONISATIONS: u32 = 3;

/// The longest wait after a denial.
const HOLD_OFF_MAX: Duration = Duration::from_secs(300);

/// A mobile node: with a co-located care-of address, or with the foreign agents that it hears.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the node")]
pub struct MobileNode {
    config: MobileNodeConfig,
    associations: Vec<SecurityAssociation>,
    /// The home address, once it is known.
    home_address: Option<Ipv4Addr>,
    /// The home agent, once it is known.
    home_agent: SocketAddrV4,
    /// The home agents that it may turn to beside the configured one.
    candidates: Vec<Ipv4Addr>,
    /// How many of them were asked since one said yes.
    asked: usize,
    /// Whether it deregisters from a home agent that it may not use any more.
    is_leaving: bool,
    /// The lifetime to ask for.
    lifetime: Lifetime,
    clock: Clock,
    random: Random,
    tally: Tally,
    violations: Violations,
    attachment: Attachment,
    came_from: Option<Place>,
    /// Whether it can go on with a co-located care-of address when it hears no agent any more.
    has_own_care_of_address: bool,
    /// Whether it was told to answer no ARP request for its home address.
    is_muted: bool,
    discovery: Discovery,
    interface: u32,
    wish: Option<Wish>,
    pending: Option<Pending>,
    registration: Option<Granted>,
    /// When to send the next request that no reply or timeout calls for.
    send_at: Option<Time>,
    last_sent_at: Option<Time>,
    /// The greatest Revocation Identifier that was accepted.
    last_revocation: Option<u32>,
    hold_off: Duration,
    resynchronisations: u32,
    /// The row that the store shows.
    shown: Option<RegistrationKey>,
    is_row_stale: bool,
    notifications: notifications::Outstanding<()>,
    operations: Operations,
    /// The targets that notifications on their way are of.
    told: BTreeMap<NotificationId, TargetKey>,
    last_commit: CommitId,
    in_flight: BTreeMap<CommitId, InFlight>,
    heard: Heard,
    /// Refusals of notifications: no more than one a second to the same address.
    refusals: Limiter,
    /// What an agent had to say last.
    message: Option<UserMessage>,
    departure: Option<Departure>,
    former: Option<Former>,
    /// An alternate home agent that did not take the node, and until when it is not asked again.
    distrusted: Option<(Ipv4Addr, Time)>,
    /// What it knows of regions and their gateways (RFC 4857).
    region: Region,
}

/// A batch on its way to the store: what an operation has to write.
#[derive(Debug)]
struct InFlight {
    /// An operation that is taken on.
    step: Option<OperationId>,
    /// Notifications that leave once it is durable.
    notified: Vec<NotificationId>,
    changes: Vec<Change>,
}

/// What the node was told to bring about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wish {
    Registered,
    Deregistered,
}

/// A request that waits for its reply (§3.6).
#[derive(Debug)]
struct Pending {
    request: RegistrationRequest,
    octets: Vec<u8>,
    sent_at: Time,
    resend_at: Time,
    timeout: Duration,
    attempts: u32,
    route: Route,
}

/// A registration that the home agent granted.
#[derive(Clone, Copy, Debug)]
struct Granted {
    lifetime: Lifetime,
    identification: Identification,
    care_of_address: Ipv4Addr,
    home_agent: Ipv4Addr,
    /// Whom the request went to.
    agent_address: Ipv4Addr,
    co_located: bool,
    renew_at: Option<Time>,
    expires_at: Option<Time>,
    /// The home agent's timestamp, if it may revoke the registration (RFC 3543 §4.2.1).
    revocable_since: Option<u32>,
}

/// What the node is doing, in the words of `mnState`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MobileNodeState {
    /// It was told nothing, or has deregistered.
    Idle,
    /// A request waits for its reply, and there is no registration.
    Pending,
    Registered,
    /// It is on its home network and needs no registration.
    Home,
    /// It wants to be registered, is not, and has no request on its way.
    Isolated,
}

impl MobileNode {
    /// A node that does nothing until it is told to; its counters go on from those in `snapshot`.
    pub fn new(config: MobileNodeConfig, snapshot: &Snapshot, now: Now) -> Self {
        let address = config.home_address.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let key =
            CountersKey { instance: config.instance.clone(), role: Role::MobileNode, address };
        Self {
            associations: Vec::new(),
            home_address: config.home_address,
            home_agent: config.home_agent,
            candidates: Vec::new(),
            asked: 0,
            is_leaving: false,
            lifetime: config.lifetime,
            clock: Clock::default(),
            random: Random::new(config.seed),
            tally: Tally::load(&key, snapshot, config.counters_lost, now),
            violations: Violations::load(&config.instance, Role::MobileNode, snapshot),
            attachment: Attachment::CoLocated,
            came_from: None,
            has_own_care_of_address: false,
            is_muted: false,
            discovery: Discovery::default(),
            interface: 0,
            wish: None,
            shown: None,
            is_row_stale: false,
            notifications: notifications::Outstanding::default(),
            operations: Operations::new(Role::MobileNode, address, &config.instance),
            told: BTreeMap::new(),
            last_commit: CommitId::default(),
            in_flight: BTreeMap::new(),
            heard: Heard::new(now),
            refusals: Limiter::new(RateLimits { all: None, peer: Some(1) }),
            message: None,
            departure: None,
            former: None,
            distrusted: None,
            region: Region::load(&config, snapshot),
            pending: None,
            registration: None,
            send_at: None,
            last_sent_at: None,
            last_revocation: None,
            hold_off: config.hold_off,
            resynchronisations: 0,
            config,
        }
    }

    /// The associations with the home agent: requests are signed with the first, replies may be
    /// with any.
    pub fn set_associations(&mut self, associations: Vec<SecurityAssociation>) {
        self.associations = associations;
    }

    pub fn state(&self) -> MobileNodeState {
        if self.attachment == Attachment::Home && self.pending.is_none() {
            return MobileNodeState::Home;
        }
        match (&self.registration, &self.pending, self.wish) {
            (Some(_), ..) => MobileNodeState::Registered,
            (None, Some(_), _) => MobileNodeState::Pending,
            (None, None, Some(Wish::Registered)) => MobileNodeState::Isolated,
            (None, None, _) => MobileNodeState::Idle,
        }
    }

    /// The foreign agent that it is attached to.
    pub fn foreign_agent(&self) -> Option<Ipv4Addr> {
        match self.attachment {
            Attachment::ForeignAgent { agent, .. } => Some(agent),
            Attachment::CoLocated | Attachment::Home | Attachment::Searching => None,
        }
    }

    /// The home address; `None` until one is assigned.
    pub fn home_address(&self) -> Option<Ipv4Addr> {
        self.home_address
    }

    /// How far the node corrected its clock, in milliseconds (§5.7.1).
    pub fn clock_offset(&self) -> i64 {
        self.clock.offset
    }

    /// Starts to register, and to stay registered.
    pub fn register(&mut self, now: Now) -> Output {
        self.wish = Some(Wish::Registered);
        self.start(now)
    }

    /// Ends all registrations of the node.
    pub fn deregister(&mut self, now: Now) -> Output {
        self.wish = Some(Wish::Deregistered);
        self.start(now)
    }

    /// Says that the node has another care-of address; a node that wants to be registered
    /// registers it.
    pub fn move_to(&mut self, local: SocketAddrV4, now: Now) -> Output {
        self.config.local = local;
        if self.wish == Some(Wish::Registered) { self.start(now) } else { Output::default() }
    }

    /// What is due at `now`: a retransmission, a renewal, the end of a lifetime.
    pub fn on_deadline(&mut self, now: Now) -> Output {
        let mut output = self.notification_work(now);
        // What else is due waits for no batch.
        if output.batch.is_empty() {
            output.actions.extend(self.due(now).actions);
        }
        output
    }

    /// What is due of registering.
    fn due(&mut self, now: Now) -> Output {
        let mut actions = self.discovery_deadline(now);
        actions.extend(self.depart(now));
        // Without an agent there is no care-of address to register.
        let is_attached = self.attachment != Attachment::Searching;
        let is_due = |at: &mut Time| *at <= now.uptime;
        let expires_at = self.registration.as_mut().and_then(|it| it.expires_at.as_mut());
        if expires_at.is_some_and(is_due) {
            self.registration = None;
            self.forget_visit("home-registration-expired", now);
            self.is_row_stale = true;
            let home_address = self.home_address.unwrap_or(Ipv4Addr::UNSPECIFIED);
            actions.push(Action::Expired { home_address });
            let is_idle = self.pending.is_none() && self.send_at.is_none();
            if is_idle && is_attached && self.wish.is_some() {
                self.send_at = Some(now.uptime);
            }
        }
        let renew_at = self.registration.as_mut().map(|registration| &mut registration.renew_at);
        let renew = renew_at.is_some_and(|at| at.take_if(is_due).is_some());
        if renew && is_attached && self.pending.is_none() && self.wish == Some(Wish::Registered) {
            self.moved_by_prefix();
            self.send_at = Some(now.uptime);
        }
        if self.send_at.take_if(is_due).is_some() {
            actions.extend(self.send_first(now));
        } else if self.pending.as_mut().is_some_and(|pending| is_due(&mut pending.resend_at)) {
            actions.extend(self.send_again(now));
        }
        actions.extend(self.regional_work(now));
        Output::at_once(actions)
    }

    /// When to call [`Self::on_deadline`].
    pub fn next_deadline(&self) -> Option<Time> {
        let pending = self.pending.as_ref().map(|pending| pending.resend_at);
        let registration = self.registration.iter();
        let registration = registration.flat_map(|it| it.renew_at.into_iter().chain(it.expires_at));
        let others = [
            self.discovery_next(),
            self.notification_deadline(),
            self.departure_deadline(),
            self.regional_deadline(),
        ];
        let others = others.into_iter().flatten();
        self.send_at.into_iter().chain(pending).chain(registration).chain(others).min()
    }

    /// Says whose violations are forgotten when the next run starts (`mipSecurityviolationStorageType`).
    pub fn set_volatile_violations(&mut self, offenders: BTreeSet<Identity>) {
        self.violations.set_volatile(offenders);
    }

    /// What has changed and needs no durability: counters, the registration, agents heard.
    pub fn take_counters(&mut self, now: Now) -> Batch {
        let mut batch = Batch::new(store::Class::Relaxed);
        self.tally.waiting(Awaited::Notifications, self.notifications.len());
        // The row is named by the home address, so it waits until there is one.
        if self.home_address.is_some() {
            self.tally.put(&mut batch);
        }
        self.violations.put(&mut batch, now);
        self.put_heard(&mut batch);
        self.put_diary(&mut batch);
        if std::mem::take(&mut self.is_row_stale) {
            self.put_registration(&mut batch, now);
        }
        batch
    }

    /// Counts what only the driver sees.
    pub fn count(&mut self, counter: Counter) {
        self.tally.count(counter);
    }

    /// Forgets the pending request and sends another as soon as that is allowed.
    fn start(&mut self, now: Now) -> Output {
        self.pending = None;
        self.hold_off = self.config.hold_off;
        self.resynchronisations = 0;
        self.send_at = Some(self.earliest(now));
        self.due(now)
    }

    /// The first moment at which a request may be sent (§3.6).
    fn earliest(&self, now: Now) -> Time {
        self.last_sent_at.map_or(now.uptime, |sent| (sent + SPACING).max(now.uptime))
    }

    /// Sends the first request of a series.
    fn send_first(&mut self, now: Now) -> Option<Action> {
        let draft = self.request(now)?;
        let timeout = self.config.timeout.max(SPACING);
        Some(self.send(draft, timeout, 1, now))
    }

    /// The reply did not come: sends the request again, or gives up.
    fn send_again(&mut self, now: Now) -> Vec<Action> {
        let attempts = self.pending.as_ref().map_or(0, |pending| pending.attempts);
        if self.is_stranded(attempts) {
            return self.fall_back(now);
        }
        if let Some(gateway) = self.silent_gateway(attempts) {
            return self.fail_gateway(gateway, None, now);
        }
        self.repeat(now).into_iter().collect()
    }

    fn repeat(&mut self, now: Now) -> Option<Action> {
        let Pending { request, octets, timeout, attempts, route, .. } = self.pending.take()?;
        let is_deregistration = request.lifetime == Lifetime::ZERO;
        if !is_deregistration && self.is_unanswered(attempts) {
            return self.ask_another_at_once(now);
        }
        let attempts_max = if is_deregistration {
            Some(DEREGISTRATION_ATTEMPTS)
        } else {
            self.config.attempts_max
        };
        if attempts_max.is_some_and(|most| attempts >= most) {
            if is_deregistration {
                self.settle_deregistration();
                self.registration = None;
                self.settle_leaving(now);
            }
            self.is_row_stale = true;
            return Some(Action::GaveUp);
        }
        // §3.6.3: with nonces the same octets again; with timestamps a new request.
        let same = self.home_association()?.replay == ReplayProtection::Nonces;
        let draft = if same { Draft { request, octets, route } } else { self.request(now)? };
        let longest = draft.request.lifetime.duration().filter(|it| !it.is_zero());
        let longest = longest.unwrap_or(self.config.timeout_max).min(self.config.timeout_max);
        let timeout = (timeout * 2).min(longest).max(SPACING);
        Some(self.send(draft, timeout, attempts + 1, now))
    }

    fn send(&mut self, draft: Draft, timeout: Duration, attempts: u32, now: Now) -> Action {
        let Draft { request, octets, route } = draft;
        self.is_row_stale = true;
        self.tally.count(if request.lifetime == Lifetime::ZERO {
            Counter::MnDeRegRequestsSent
        } else {
            Counter::MnRegRequestsSent
        });
        if self.is_discovering() {
            self.tally.count(Counter::MnRegRequestsWithDirectedBroadcast);
        }
        let (sent_at, resend_at) = (now.uptime, now.uptime + timeout);
        let sent = octets.clone();
        self.pending =
            Some(Pending { request, octets, sent_at, resend_at, timeout, attempts, route });
        self.send_at = None;
        // RFC 4857 §5.1: it tells the gateway and the home agent, so a regional request need not.
        self.cease_regional();
        self.note_asked(route.suspect(), now);
        self.last_sent_at = Some(now.uptime);
        self.send_octets(sent)
    }

    /// The node has no registration any more, as it wished.
    fn settle_deregistration(&mut self) {
        if self.wish == Some(Wish::Deregistered) {
            self.wish = None;
        }
    }

    /// Whether the home agent's address is what the node wants to know.
    fn is_discovering(&self) -> bool {
        self.home_agent == self.config.home_agent && self.config.is_discovery
    }

    /// What was granted, and when to renew it.
    fn granted(
        &mut self,
        lifetime: Lifetime,
        care_of_address: Ipv4Addr,
        pending: &Pending,
    ) -> Granted {
        let identification = pending.request.identification;
        let mut granted = Granted {
            lifetime,
            identification,
            care_of_address,
            home_agent: *self.home_agent.ip(),
            agent_address: *self.destination().ip(),
            co_located: self.attachment == Attachment::CoLocated,
            renew_at: None,
            expires_at: None,
            revocable_since: None,
        };
        if let Some(duration) = lifetime.duration() {
            // Between 70 and 80 % of it, so that nodes that registered together renew apart and a
            // few requests may be lost.
            let per_mille = 700 + self.random.next_u32() % 100;
            let renew_after = (duration * per_mille / 1000).max(SPACING);
            // §3.6.2.2: the lifetime is counted from when the request was sent.
            granted.renew_at = Some(pending.sent_at + renew_after);
            granted.expires_at = Some(pending.sent_at + duration);
        }
        granted
    }

    /// Waits before the next try, longer each time.
    fn hold_off(&mut self, now: Now) {
        self.send_at = Some(now.uptime + self.hold_off);
        self.hold_off = (self.hold_off * 2).min(HOLD_OFF_MAX);
    }

    fn denied(code: Code) -> Vec<Action> {
        vec![Action::Denied { code }]
    }
}
