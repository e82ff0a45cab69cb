//! What a subagent has asked of the master in one session.

use std::collections::BTreeSet;
use std::time::Duration;

use store::{Now, Time};

use super::subagent::{PATIENCE, Report, SubagentConfig};
use super::{Body, ErrorCode, Region};

/// The master is asked for a sign of life when it was silent so long.
const SILENCE: Duration = Duration::from_secs(15);

/// A subtree that was refused is asked for again after so long.
const REFUSAL: Duration = Duration::from_secs(10);

/// How many notifications may be on their way, so that a slow master costs no memory.
const NOTIFICATIONS_MAX: usize = 64;

/// A request and its packet ID.
type Request = (u32, Body);

/// An open session.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) id: u32,
    timeout: u8,
    registrations: Vec<Registration>,
    ping: Ping,
    /// Packet IDs of notifications that are not answered.
    notifications: BTreeSet<u32>,
}

#[derive(Clone, Debug)]
struct Registration {
    region: Region,
    state: RegistrationState,
}

#[derive(Clone, Copy, Debug)]
enum RegistrationState {
    Asked { packet: u32, until: Time },
    Held,
    Refused { until: Time },
}

#[derive(Clone, Copy, Debug)]
enum Ping {
    /// Nothing was heard since [`SILENCE`] before that.
    Due {
        at: Time,
    },
    Asked {
        packet: u32,
        until: Time,
    },
}

/// What a response means.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// Nobody asked for it.
    Unknown,
    Fine,
    Report(Report),
    /// The master does not know the session.
    Lost,
}

impl Session {
    /// The session that the master has opened, and what to ask of it.
    pub(super) fn open(
        id: u32,
        config: &SubagentConfig,
        now: Now,
        packet: &mut u32,
    ) -> (Self, Vec<Request>) {
        let registrations = config.subtrees.iter().map(|subtree| Registration {
            region: Region { priority: config.priority, subtree: subtree.clone(), range: None },
            state: RegistrationState::Refused { until: now.uptime },
        });
        let mut session = Self {
            id,
            timeout: config.timeout,
            registrations: registrations.collect(),
            ping: Ping::Due { at: now.uptime + SILENCE },
            notifications: BTreeSet::new(),
        };
        let requests = session.register(now, packet);
        (session, requests)
    }

    /// Whether the master has registered all.
    pub(super) fn is_serving(&self) -> bool {
        self.registrations.iter().all(|entry| matches!(entry.state, RegistrationState::Held))
    }

    /// What the master has registered.
    pub(super) fn held(&self) -> impl Iterator<Item = &Region> {
        let held = |entry: &&Registration| matches!(entry.state, RegistrationState::Held);
        self.registrations.iter().filter(held).map(|entry| &entry.region)
    }

    pub(super) fn next_deadline(&self) -> Time {
        let (Ping::Due { at: ping } | Ping::Asked { until: ping, .. }) = self.ping;
        let registrations = self.registrations.iter().filter_map(|entry| match entry.state {
            RegistrationState::Asked { until, .. } | RegistrationState::Refused { until } => {
                Some(until)
            }
            RegistrationState::Held => None,
        });
        registrations.fold(ping, Time::min)
    }

    /// The master sent something.
    pub(super) fn on_life(&mut self, now: Now) {
        if let Ping::Due { at } = &mut self.ping {
            *at = now.uptime + SILENCE;
        }
    }

    /// Whether a request was not answered in time.
    pub(super) fn is_dead(&self, now: Now) -> bool {
        let late = |until: Time| until <= now.uptime;
        let unanswered = self.registrations.iter().any(|entry| match entry.state {
            RegistrationState::Asked { until, .. } => late(until),
            RegistrationState::Held | RegistrationState::Refused { .. } => false,
        });
        unanswered || matches!(self.ping, Ping::Asked { until, .. } if late(until))
    }

    /// The requests that are due.
    pub(super) fn on_deadline(&mut self, now: Now, packet: &mut u32) -> Vec<Request> {
        let mut requests = self.register(now, packet);
        if let Ping::Due { at } = self.ping
            && at <= now.uptime
        {
            *packet = packet.wrapping_add(1);
            self.ping = Ping::Asked { packet: *packet, until: now.uptime + PATIENCE };
            requests.push((*packet, Body::Ping { context: None }));
        }
        requests
    }

    fn register(&mut self, now: Now, packet: &mut u32) -> Vec<Request> {
        let mut requests = Vec::new();
        for entry in &mut self.registrations {
            let RegistrationState::Refused { until } = entry.state else { continue };
            if until > now.uptime {
                continue;
            }
            *packet = packet.wrapping_add(1);
            let until = now.uptime + PATIENCE;
            entry.state = RegistrationState::Asked { packet: *packet, until };
            let region = entry.region.clone();
            let timeout = self.timeout;
            requests.push((
                *packet,
                Body::Register { context: None, region, timeout, instance: false },
            ));
        }
        requests
    }

    /// Notes that the notification `packet` is sent, unless too many are on their way.
    pub(super) fn may_notify(&mut self, packet: u32) -> bool {
        self.notifications.len() < NOTIFICATIONS_MAX && self.notifications.insert(packet)
    }

    pub(super) fn on_response(&mut self, now: Now, packet: u32, error: ErrorCode) -> Verdict {
        if error == ErrorCode::NOT_OPEN {
            return Verdict::Lost;
        }
        if matches!(self.ping, Ping::Asked { packet: asked, .. } if asked == packet) {
            self.ping = Ping::Due { at: now.uptime + SILENCE };
            return Verdict::Fine;
        }
        if self.notifications.remove(&packet) {
            return Verdict::Fine;
        }
        let asked = self.registrations.iter_mut().find(|entry| {
            matches!(entry.state, RegistrationState::Asked { packet: asked, .. } if asked == packet)
        });
        match asked {
            None => Verdict::Unknown,
            Some(entry) if error == ErrorCode::NO_ERROR => {
                entry.state = RegistrationState::Held;
                Verdict::Fine
            }
            Some(entry) => {
                entry.state = RegistrationState::Refused { until: now.uptime + REFUSAL };
                Verdict::Report(Report::Refused { subtree: entry.region.subtree.clone(), error })
            }
        }
    }
}
