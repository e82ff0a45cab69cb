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
mod identification;
mod reply;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use store::{Batch, Counter, CountersKey, Now, ReplayProtection, Role, Snapshot, Time};
use wire::{Code, Identification, Lifetime, RegistrationRequest, extension_type};

use crate::action::{Action, Output};
use crate::association::SecurityAssociation;
use crate::random::Random;
use crate::tally::Tally;

pub use config::MobileNodeConfig;
use identification::Clock;

/// §3.6: no more than one attempt to register a second.
const SPACING: Duration = Duration::from_secs(1);

/// How often a deregistration is sent before the node goes without an answer.
const DEREGISTRATION_ATTEMPTS: u32 = 4;

/// How many mismatches in a row are mended at once; more are no matter of clocks.
const RESYNCHRONISATIONS: u32 = 3;

/// The longest wait after a denial.
const HOLD_OFF_MAX: Duration = Duration::from_secs(300);

/// A mobile node that registers a co-located care-of address.
#[derive(Debug)]
pub struct MobileNode {
    config: MobileNodeConfig,
    associations: Vec<SecurityAssociation>,
    /// The home address, once it is known.
    home_address: Option<Ipv4Addr>,
    /// The home agent, once it is known.
    home_agent: SocketAddrV4,
    /// The lifetime to ask for.
    lifetime: Lifetime,
    clock: Clock,
    random: Random,
    tally: Tally,
    wish: Option<Wish>,
    pending: Option<Pending>,
    registration: Option<Registration>,
    /// When to send the next request that no reply or timeout calls for.
    send_at: Option<Time>,
    last_sent_at: Option<Time>,
    hold_off: Duration,
    resynchronisations: u32,
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
}

/// A registration that the home agent granted.
#[derive(Clone, Copy, Debug)]
struct Registration {
    renew_at: Option<Time>,
    expires_at: Option<Time>,
}

/// What the node is doing, in the words of `mnState`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MobileNodeState {
    /// It was told nothing, or has deregistered.
    Idle,
    /// A request waits for its reply, and there is no registration.
    Pending,
    Registered,
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
            lifetime: config.lifetime,
            clock: Clock::default(),
            random: Random::new(config.seed),
            tally: Tally::load(&key, snapshot, config.counters_lost, now),
            wish: None,
            pending: None,
            registration: None,
            send_at: None,
            last_sent_at: None,
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
        match (&self.registration, &self.pending, self.wish) {
            (Some(_), ..) => MobileNodeState::Registered,
            (None, Some(_), _) => MobileNodeState::Pending,
            (None, None, Some(Wish::Registered)) => MobileNodeState::Isolated,
            (None, None, _) => MobileNodeState::Idle,
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
        let mut actions = Vec::new();
        let is_due = |at: &mut Time| *at <= now.uptime;
        let expires_at = self.registration.as_mut().and_then(|it| it.expires_at.as_mut());
        if expires_at.is_some_and(is_due) {
            self.registration = None;
            let home_address = self.home_address.unwrap_or(Ipv4Addr::UNSPECIFIED);
            actions.push(Action::Expired { home_address });
            if self.pending.is_none() && self.send_at.is_none() && self.wish.is_some() {
                self.send_at = Some(now.uptime);
            }
        }
        let renew_at = self.registration.as_mut().map(|registration| &mut registration.renew_at);
        let renew = renew_at.is_some_and(|at| at.take_if(is_due).is_some());
        if renew && self.pending.is_none() && self.wish == Some(Wish::Registered) {
            self.send_at = Some(now.uptime);
        }
        if self.send_at.take_if(is_due).is_some() {
            actions.extend(self.send_first(now));
        } else if self.pending.as_mut().is_some_and(|pending| is_due(&mut pending.resend_at)) {
            actions.extend(self.send_again(now));
        }
        Output::at_once(actions)
    }

    /// When to call [`Self::on_deadline`].
    pub fn next_deadline(&self) -> Option<Time> {
        let pending = self.pending.as_ref().map(|pending| pending.resend_at);
        let registration = self.registration.iter();
        let registration = registration.flat_map(|it| it.renew_at.into_iter().chain(it.expires_at));
        self.send_at.into_iter().chain(pending).chain(registration).min()
    }

    /// The counters if they have changed, for a relaxed commit.
    pub fn take_counters(&mut self, _now: Now) -> Batch {
        let mut batch = Batch::new(store::Class::Relaxed);
        // The row is named by the home address, so it waits until there is one.
        if self.home_address.is_some() {
            self.tally.put(&mut batch);
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
        self.on_deadline(now)
    }

    /// The first moment at which a request may be sent (§3.6).
    fn earliest(&self, now: Now) -> Time {
        self.last_sent_at.map_or(now.uptime, |sent| (sent + SPACING).max(now.uptime))
    }

    /// Sends the first request of a series.
    fn send_first(&mut self, now: Now) -> Option<Action> {
        let (request, octets) = self.request(now)?;
        let timeout = self.config.timeout.max(SPACING);
        Some(self.send(request, octets, timeout, 1, now))
    }

    /// The reply did not come: sends the request again, or gives up.
    fn send_again(&mut self, now: Now) -> Option<Action> {
        let Pending { request, octets, timeout, attempts, .. } = self.pending.take()?;
        let is_deregistration = request.lifetime == Lifetime::ZERO;
        let attempts_max = if is_deregistration {
            Some(DEREGISTRATION_ATTEMPTS)
        } else {
            self.config.attempts_max
        };
        if attempts_max.is_some_and(|most| attempts >= most) {
            if is_deregistration {
                self.wish = None;
                self.registration = None;
            }
            return Some(Action::GaveUp);
        }
        // §3.6.3: with nonces the same octets again; with timestamps a new request.
        let same = self.associations.first()?.replay == ReplayProtection::Nonces;
        let (request, octets) = if same { (request, octets) } else { self.request(now)? };
        let longest = request.lifetime.duration().filter(|it| !it.is_zero());
        let longest = longest.unwrap_or(self.config.timeout_max).min(self.config.timeout_max);
        let timeout = (timeout * 2).min(longest).max(SPACING);
        Some(self.send(request, octets, timeout, attempts + 1, now))
    }

    fn send(
        &mut self,
        request: RegistrationRequest,
        octets: Vec<u8>,
        timeout: Duration,
        attempts: u32,
        now: Now,
    ) -> Action {
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
        self.pending = Some(Pending { request, octets, sent_at, resend_at, timeout, attempts });
        self.send_at = None;
        self.last_sent_at = Some(now.uptime);
        Action::Send { from: self.config.local, to: self.home_agent, octets: sent }
    }

    /// A new request, signed (§3.6.1.2, §3.6.1.3).
    fn request(&mut self, now: Now) -> Option<(RegistrationRequest, Vec<u8>)> {
        let association = self.associations.first()?;
        let home_address = self.home_address.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let is_deregistration = self.wish == Some(Wish::Deregistered);
        let identification: Identification =
            self.clock.identification(association.replay, &mut self.random, now);
        let request = RegistrationRequest {
            flags: self.config.flags,
            lifetime: if is_deregistration { Lifetime::ZERO } else { self.lifetime },
            home_address,
            home_agent: *self.home_agent.ip(),
            // All care-of addresses are deregistered by naming the home address.
            care_of_address: if is_deregistration { home_address } else { *self.config.local.ip() },
            identification,
        };
        let mut octets = Vec::with_capacity(128);
        request.emit(&mut octets);
        if let Some(nai) = &self.config.nai {
            nai.emit(&mut octets);
        }
        association.sign(&mut octets, extension_type::MOBILE_HOME_AUTHENTICATION);
        Some((request, octets))
    }

    /// Whether the home agent's address is what the node wants to know.
    fn is_discovering(&self) -> bool {
        self.home_agent == self.config.home_agent && self.config.is_discovery
    }

    /// The last moment of a granted lifetime, and when to renew it before that.
    fn schedule(&mut self, granted: Lifetime, sent_at: Time) -> Registration {
        // §3.6.2.2: the lifetime is counted from when the request was sent.
        let Some(lifetime) = granted.duration() else {
            return Registration { renew_at: None, expires_at: None };
        };
        // Between 70 and 80 % of it, so that nodes that registered together renew apart and a
        // few requests may be lost.
        let per_mille = 700 + self.random.next_u32() % 100;
        let renew_after = (lifetime * per_mille / 1000).max(SPACING);
        Registration { renew_at: Some(sent_at + renew_after), expires_at: Some(sent_at + lifetime) }
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
