//! What a mobile node does when its home agent says that it will shut down.
//!
//! ```text
//!  notice with an alternate ── waits a part of the time left ── asks the alternate
//!                                                                 │         │
//!                                            stays with it ◀── accepted   denied, or no answer
//!                                                                           │
//!                        the home agent that it had ◀── goes back, and tells it ──┘
//! ```
//!
//! Its old registration goes on while it asks, so that it is never without one
//! by its own doing. The notice is a line of a message string, in a
//! notification (RFC 6098) or in a reply (RFC 4917).

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use store::{Now, Time};

use super::notification::NotificationReceiver;
use super::{MobileNode, SPACING};
use crate::action::Action;
use crate::notification::ShutdownNotice;

/// How many requests to the alternate may go unanswered.
const ATTEMPTS: u32 = 4;

/// How long an alternate that did not take the node is not asked again.
const DISTRUSTED_FOR: Duration = Duration::from_secs(60);

/// A node on its way to another home agent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Departure {
    /// Where it goes, and where it comes from.
    alternate: SocketAddrV4,
    former: SocketAddrV4,
    /// When it asks; `None` once it does.
    at: Option<Time>,
}

/// A home agent that the node has left, and that may still say something about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Former {
    pub(super) home_agent: Ipv4Addr,
    /// The home agent's timestamp, if it may revoke what the node left there.
    pub(super) revocable_since: Option<u32>,
}

impl MobileNode {
    /// Takes a text of the home agent; most are for people alone.
    pub(super) fn on_shutdown_notice(&mut self, home_agent: Ipv4Addr, text: &str, now: Now) {
        let Ok(ShutdownNotice { after, alternate: Some(alternate) }) = text.parse() else { return };
        let is_distrusted =
            self.distrusted.is_some_and(|(it, until)| it == alternate && now.uptime < until);
        // One that the node has left, or is about to leave, has nothing new to say.
        let is_ours = home_agent == *self.home_agent.ip() && alternate != home_agent;
        if !self.wants_registration() || is_distrusted || !is_ours {
            return;
        }
        let alternate = SocketAddrV4::new(alternate, self.home_agent.port());
        // Nodes that are told together come apart; three quarters are left for who has to wait.
        let share = after * (self.random.next_u32() % 1000) / 4000;
        let at = now.uptime + share;
        let known = self.departure.filter(|it| it.alternate == alternate).and_then(|it| it.at);
        let at = known.map_or(at, |known| known.min(at));
        self.departure = Some(Departure { alternate, former: self.home_agent, at: Some(at) });
    }

    /// Asks the alternate when it is time.
    pub(super) fn depart(&mut self, now: Now) -> Option<Action> {
        let departure = self.departure.as_mut()?;
        departure.at.take_if(|at| *at <= now.uptime)?;
        self.home_agent = departure.alternate;
        self.pending = None;
        self.hold_off = self.config.hold_off;
        self.resynchronisations = 0;
        self.send_at = Some(self.earliest(now));
        Some(Action::HomeAgentChanged { home_agent: *self.home_agent.ip() })
    }

    /// There is no reason to wait any more before it asks the alternate.
    pub(super) fn hasten_departure(&mut self, now: Now) {
        if let Some(at) = self.departure.as_mut().and_then(|departure| departure.at.as_mut()) {
            *at = now.uptime;
        }
    }

    pub(super) fn departure_deadline(&self) -> Option<Time> {
        self.departure.and_then(|departure| departure.at)
    }

    /// Whether it waits for an answer of an alternate.
    pub(super) fn is_departing(&self) -> bool {
        self.departure.is_some_and(|departure| departure.at.is_none())
    }

    /// Whether so many requests to the alternate went unanswered that it goes back.
    pub(super) fn is_stranded(&self, attempts: u32) -> bool {
        self.is_departing() && attempts >= ATTEMPTS
    }

    /// The alternate has taken the node.
    pub(super) fn arrived(&mut self) {
        let Some(departure) = self.departure.filter(|it| it.at.is_none()) else { return };
        self.departure = None;
        let home_agent = *departure.former.ip();
        let revocable_since = self.registration.and_then(|it| it.revocable_since);
        self.former = Some(Former { home_agent, revocable_since });
    }

    /// The alternate has not taken it: it goes on with the home agent that it had, and says so.
    pub(super) fn fall_back(&mut self, now: Now) -> Vec<Action> {
        let Some(departure) = self.departure.take() else { return Vec::new() };
        self.distrusted = Some((*departure.alternate.ip(), now.uptime + DISTRUSTED_FOR));
        self.home_agent = departure.former;
        self.pending = None;
        self.send_at = None;
        let mut actions = vec![Action::HomeAgentChanged { home_agent: *self.home_agent.ip() }];
        let renewal = self.registration.as_mut().map(|registration| &mut registration.renew_at);
        match renewal {
            // The time to renew may have passed meanwhile.
            Some(renew_at) => {
                renew_at.get_or_insert(now.uptime + SPACING);
                let text = format!("ha-shutdown failed alternate={}", departure.alternate.ip());
                let told = self.notify(NotificationReceiver::HomeAgent, &text, now);
                actions.extend(told.actions);
            }
            None => self.send_at = Some(self.earliest(now)),
        }
        actions
    }
}
