//! Which home agent a mobile node registers with, where it may use several (`mnHATable`).
//!
//! ```text
//!  the configured one ── no answer, or a denial ──▶ the next candidate ── … ──▶ the configured one
//!  a candidate that is taken away: deregister there, then go on with the configured one
//! ```

use std::net::{Ipv4Addr, SocketAddrV4};

use store::{Identity, Now};

use super::discovery::Attachment;
use super::{Action, MobileNode, Output, Wish};
use crate::association::SecurityAssociation;

/// How many requests one home agent may leave unanswered while there are others to ask.
const UNANSWERED_MAX: u32 = 4;

impl MobileNode {
    /// Says which home agents may be used beside the configured one; they are asked at its port.
    ///
    /// One that is taken away while the node is registered there is told so.
    pub fn set_home_agents(&mut self, candidates: Vec<Ipv4Addr>, now: Now) -> Output {
        let lost = self.candidates.contains(self.home_agent.ip())
            && !candidates.contains(self.home_agent.ip())
            && self.home_agent.ip() != self.config.home_agent.ip();
        self.candidates = candidates;
        if !lost {
            return Output::default();
        }
        if self.wish == Some(Wish::Registered) && self.registration.is_some() {
            self.is_leaving = true;
            return self.start(now);
        }
        self.home_agent = self.config.home_agent;
        match self.wish {
            Some(_) => self.start(now),
            None => Output::default(),
        }
    }

    /// Whether a request has waited so long that another home agent is worth a try.
    pub(super) fn is_unanswered(&self, attempts: u32) -> bool {
        attempts >= UNANSWERED_MAX && self.next_home_agent().is_some()
    }

    /// Turns to the next home agent; `false` if all have been asked since the last one that said
    /// yes, so that it is time to wait.
    pub(super) fn turn_to_next_home_agent(&mut self) -> bool {
        let Some(next) = self.next_home_agent() else { return false };
        self.home_agent = next;
        self.asked = self.asked.saturating_add(1);
        if self.asked > self.candidates.len() {
            self.asked = 0;
            return false;
        }
        true
    }

    /// The node has left the home agent that was taken away, or that did not answer: it goes on
    /// with the configured one.
    pub(super) fn settle_leaving(&mut self, now: Now) {
        if std::mem::take(&mut self.is_leaving) {
            self.home_agent = self.config.home_agent;
            self.registration = None;
            self.send_at = Some(self.earliest(now));
        }
    }

    /// The one after the present one, in the order of addresses with the configured one first;
    /// `None` if there is no other.
    fn next_home_agent(&self) -> Option<SocketAddrV4> {
        // Who the home agent is, is what the node asks for, or what it sees at home.
        if self.is_discovering() || self.attachment == Attachment::Home {
            return None;
        }
        let port = self.config.home_agent.port();
        let first = *self.config.home_agent.ip();
        let others = self.candidates.iter().copied().filter(|address| *address != first);
        let all: Vec<Ipv4Addr> = std::iter::once(first).chain(others).collect();
        let place = all.iter().position(|address| address == self.home_agent.ip())?;
        let next = all.iter().cycle().nth(place + 1)?;
        (next != self.home_agent.ip()).then(|| SocketAddrV4::new(*next, port))
    }

    /// The association that requests are signed with for the home agent: its own, else one that
    /// is not another agent's.
    pub(super) fn home_association(&self) -> Option<&SecurityAssociation> {
        let home_agent = Identity::Address(*self.home_agent.ip());
        let own = self.associations.iter().find(|it| it.peer == home_agent);
        let is_other = |it: &&SecurityAssociation| {
            let of_candidate =
                matches!(&it.peer, Identity::Address(address) if self.candidates.contains(address));
            let of_foreign_agent = Some(&it.peer) == self.agent_identity().as_ref();
            !(of_foreign_agent || of_candidate || self.is_gateway(&it.peer))
        };
        own.or_else(|| self.associations.iter().find(is_other))
    }

    /// The denial of a home agent that nothing can be done about: another one is asked, or the
    /// node waits.
    pub(super) fn ask_another(&mut self, now: Now) {
        if self.turn_to_next_home_agent() {
            self.send_at = Some(self.earliest(now));
        } else {
            self.hold_off(now);
        }
    }

    /// No answer came to several requests: the next home agent is asked.
    pub(super) fn ask_another_at_once(&mut self, now: Now) -> Option<Action> {
        self.turn_to_next_home_agent();
        self.is_row_stale = true;
        self.send_first(now)
    }
}
