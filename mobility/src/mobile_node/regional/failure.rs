//! Gateways that do not serve a mobile node, and the way back to them.
//!
//! ```text
//!   trusted ── no answer, refused ──▶ distrusted for a while, longer each time ──▶ asked again
//!      ▲                                                                              │
//!      └──────────────────────────────── accepted ◀───────────────────────────────────┘
//! ```

use std::net::Ipv4Addr;
use std::time::Duration;

use store::{Counter, Now, Time};
use wire::{Code, Lifetime};

use super::{Offer, Route};
use crate::action::Action;
use crate::mobile_node::discovery::Attachment;
use crate::mobile_node::{HOLD_OFF_MAX, MobileNode, SPACING, Wish};

/// How many requests a gateway may leave unanswered.
pub(super) const ATTEMPTS: u32 = 3;

/// How many it may leave unanswered in a row, and for how long, to a node that moves before it has
/// sent so many from one place: replies may have come to where the node was.
const UNANSWERED_MAX: u32 = 12;
const QUIET_MAX: Duration = Duration::from_secs(30);

/// How many gateways are distrusted at a time.
const DISTRUSTED_MAX: usize = 32;

/// Requests in a row that a gateway did not answer, and since when there are such.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unanswered {
    gateway: Ipv4Addr,
    requests: u32,
    since: Time,
}

/// Until when a gateway is not asked, and how long that was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Distrust {
    until: Time,
    hold_off: Duration,
}

impl MobileNode {
    /// Whether a gateway is to be asked; all ones stands for those that regions assign.
    pub(super) fn trusts(&self, gateway: Ipv4Addr, now: Now) -> bool {
        self.region.distrusted.get(&gateway).is_none_or(|it| it.until <= now.uptime)
    }

    /// The gateway of the pending request, if it has left enough of them unanswered.
    pub(in crate::mobile_node) fn silent_gateway(&self, attempts: u32) -> Option<Ipv4Addr> {
        let suspect = self.pending.as_ref().and_then(|pending| pending.route.suspect());
        suspect.filter(|_| attempts >= ATTEMPTS)
    }

    /// A request goes to a gateway, from wherever.
    pub(in crate::mobile_node) fn note_asked(&mut self, gateway: Option<Ipv4Addr>, now: Now) {
        let Some(gateway) = gateway else { return };
        let first = Unanswered { gateway, requests: 0, since: now.uptime };
        let known = self.region.unanswered.filter(|it| it.gateway == gateway).unwrap_or(first);
        let requests = known.requests.saturating_add(1);
        self.region.unanswered = Some(Unanswered { requests, ..known });
    }

    /// The gateway is there, whatever it said.
    pub(in crate::mobile_node) fn heard_of_gateway(&mut self) {
        self.region.unanswered = None;
    }

    /// The gateway that a node which moves all the time would ask, and that has not answered for long.
    pub(super) fn quiet_gateway(&self, now: Now) -> Option<Ipv4Addr> {
        let Unanswered { gateway, requests, since } = self.region.unanswered?;
        let is_next = self.route(now).suspect() == Some(gateway);
        let is_quiet = requests >= UNANSWERED_MAX && now.uptime.since(since) >= QUIET_MAX;
        (is_quiet && is_next && !self.leaves()).then_some(gateway)
    }

    /// A gateway does not serve the node: another one is asked, or else the node registers as if
    /// there was none. With a Code it has refused, and nothing has changed at home.
    pub(in crate::mobile_node) fn fail_gateway(
        &mut self,
        gateway: Ipv4Addr,
        code: Option<Code>,
        now: Now,
    ) -> Vec<Action> {
        self.tally.count(Counter::MnGatewayFailures);
        self.distrust(gateway, now);
        self.note_region("gateway-failed", Some(gateway), code, now);
        self.pending = None;
        self.cease_regional();
        self.heard_of_gateway();
        self.region.visit.take_if(|visit| visit.gateway == gateway);
        self.is_row_stale = true;
        self.turn_to_other_gateway(now);
        if code.is_none() || !self.is_plainly_registered(now) {
            self.hold_off = self.config.hold_off;
            self.send_at = Some(self.earliest(now));
        }
        vec![Action::GatewayFailed { gateway }]
    }

    /// Does not ask a gateway for a while, longer each time. Nodes that lost it together come back
    /// apart.
    fn distrust(&mut self, gateway: Ipv4Addr, now: Now) {
        let known = self.region.distrusted.get(&gateway);
        let hold_off = known.map_or(self.config.gateway_hold_off, |it| it.hold_off * 2);
        let hold_off = hold_off.min(HOLD_OFF_MAX.max(self.config.gateway_hold_off));
        let until = now.uptime + hold_off * (750 + self.random.next_u32() % 500) / 1000;
        let is_full = self.region.distrusted.len() >= DISTRUSTED_MAX && known.is_none();
        if is_full {
            let first = self.region.distrusted.iter().min_by_key(|(_, it)| it.until);
            let first = first.map(|(gateway, _)| *gateway);
            first.and_then(|gateway| self.region.distrusted.remove(&gateway));
        }
        self.region.distrusted.insert(gateway, Distrust { until, hold_off });
    }

    /// Another foreign agent on the link may have a gateway that serves.
    fn turn_to_other_gateway(&mut self, now: Now) {
        if self.route(now) != Route::Plain || self.foreign_agent().is_none() || self.leaves() {
            return;
        }
        let usable = self.discovery.agents.iter().filter(|(_, heard)| heard.takes_nodes());
        let mut usable = usable.filter_map(|(agent, heard)| {
            let gateway = Offer::of(heard)?.gateway.filter(|it| self.is_usable(*it, now))?;
            Some((*agent, *heard.mobility.care_of_addresses.first()?, gateway))
        });
        if let Some((agent, care_of_address, _)) = usable.next() {
            self.attachment = Attachment::ForeignAgent { agent, care_of_address };
            self.note_offer();
        }
    }

    /// Whether the registration in force is one without a gateway, from here, that lasts.
    fn is_plainly_registered(&self, now: Now) -> bool {
        self.registration.is_some_and(|it| {
            self.is_here(it.care_of_address)
                && it.lifetime != Lifetime::ZERO
                && it.renew_at.is_some_and(|at| at > now.uptime + SPACING)
        })
    }

    /// When to ask a gateway again that has failed, of a node that goes without it meanwhile.
    pub(super) fn returns_at(&self) -> Option<Time> {
        let is_idle = self.pending.is_none() && self.send_at.is_none();
        let registration = self.registration.as_ref().filter(|_| is_idle)?;
        if self.wish != Some(Wish::Registered) || !self.is_here(registration.care_of_address) {
            return None;
        }
        let gateway = self.offer()?.gateway?;
        let distrust = self.region.distrusted.get(&gateway)?;
        let has_keys = match gateway {
            Ipv4Addr::BROADCAST => self.guess().is_some(),
            gateway => self.gateway_association(gateway).is_some(),
        };
        has_keys.then_some(distrust.until)
    }

    /// A gateway that had failed has accepted the node.
    pub(super) fn note_return(&mut self, gateway: Ipv4Addr, now: Now) {
        self.tally.count(Counter::MnGatewayReturns);
        self.note_region("gateway-returned", Some(gateway), None, now);
    }
}
