//! A foreign agent as mobile nodes visit it: what notifications (RFC 6098) have to do with it.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use store::{Counter, Now, Visitor, VisitorKey};
use wire::{
    GenericNotification, GenericNotificationAcknowledgement, MessageDirection, message_type,
};

use super::ForeignAgent;
use super::pending::reach;
use crate::action::{Action, Output, Received};
use crate::association::Failure;
use crate::extensions::Extensions;
use crate::foreign_agent::visitors::Visitors;
use crate::notification::message::About;
use crate::notification::{Notifier, Notifying, Sending};
use crate::visited::{Parts, Receives as _, Sends as _, Visited};

impl ForeignAgent {
    pub(super) fn on_notification(&mut self, received: &Received<'_>, now: Now) -> Output {
        match self.pass_on(received, now) {
            Some(output) => output,
            None => self.take_notification_message(received, now),
        }
    }

    /// A mobile node or home agent answers a notification of ours, or each other's (§4.6.4).
    pub(super) fn on_notification_acknowledgement(
        &mut self,
        received: &Received<'_>,
        now: Now,
    ) -> Output {
        match self.pass_on(received, now) {
            Some(output) => output,
            None => self.take_acknowledgement(received, now),
        }
    }

    /// What a node beneath a gateway and its gateway say to each other goes on octet for octet.
    ///
    /// A reading, where RFC 6098 and RFC 4857 are silent: in a region the gateway is the foreign agent
    /// of RFC 6098, which home agents know and which shares keys with nodes. Nothing is added on the
    /// way, because no other authentication is permitted in notifications (RFC 6098 §4.1).
    fn pass_on(&mut self, received: &Received<'_>, now: Now) -> Option<Output> {
        let (about, direction) = self.not_for_us(received)?;
        let source = *received.source.ip();
        let visitor = self.beneath_gateway(about)?;
        let gateway = visitor.regional.as_ref()?.gateway;
        let (of_gateway, of_node) = (source == gateway, source == self.reached_at(&visitor));
        let action = match direction {
            MessageDirection::HOME_AGENT_TO_MOBILE_NODE
            | MessageDirection::FOREIGN_AGENT_TO_MOBILE_NODE
                if of_gateway =>
            {
                self.to_node(&visitor, received.octets.to_vec())
            }
            MessageDirection::MOBILE_NODE_TO_HOME_AGENT
            | MessageDirection::MOBILE_NODE_TO_FOREIGN_AGENT
                if of_node =>
            {
                let from = SocketAddrV4::new(self.config.address, self.config.port);
                let to = SocketAddrV4::new(gateway, self.config.home_agent_port);
                Action::Send { from, to, octets: received.octets.to_vec() }
            }
            _ => return None,
        };
        if !self.limiter.allows(source, now.uptime) {
            self.tally.count(Counter::DatagramsRateLimited);
            return Some(Output::default());
        }
        self.tally.count(Counter::NotificationsRelayed);
        Some(Output::at_once(vec![action]))
    }

    /// What a message is about that may be on its way between a node and its gateway, and in which
    /// direction; not what answers us, and nothing that is not permitted.
    fn not_for_us(&self, received: &Received<'_>) -> Option<(About, MessageDirection)> {
        if !self.config.notification.enabled {
            return None;
        }
        let is_permitted = |fixed_len| {
            let extensions = Extensions::parse(received.octets, fixed_len).ok();
            extensions.is_some_and(|it| !it.not_for_notifications)
        };
        if message_type(received.octets) == Some(GenericNotification::TYPE) {
            let (fixed, _) = GenericNotification::parse(received.octets).ok()?;
            let is_permitted = is_permitted(GenericNotification::LEN);
            return is_permitted.then(|| (About::of(&fixed), fixed.direction));
        }
        let (fixed, _) = GenericNotificationAcknowledgement::parse(received.octets).ok()?;
        let is_ours = self.notifications.answered_by(*received.source.ip(), &fixed).is_some();
        let about = About {
            home_address: fixed.home_address,
            home_agent: fixed.home_agent,
            care_of_address: fixed.care_of_address,
        };
        (!is_ours && is_permitted(GenericNotificationAcknowledgement::LEN))
            .then_some((about, fixed.direction))
    }

    /// The visitor beneath a gateway that a message names. Of one that came from within the region
    /// we know no home agent: its regional request named the gateway instead.
    fn beneath_gateway(&self, about: About) -> Option<Arc<Visitor>> {
        let visitors = self.visitors.with_home(about.home_address);
        let mut fitting = visitors.filter(|visitor| {
            let gateway = visitor.regional.as_ref().map(|it| it.gateway);
            let is_unknown = gateway == Some(visitor.home_agent);
            gateway == Some(about.care_of_address)
                && (is_unknown || visitor.home_agent == about.home_agent)
        });
        let first = fitting.next()?;
        fitting.next().is_none().then(|| Arc::clone(first))
    }
}

impl Notifier for ForeignAgent {
    type Key = VisitorKey;

    fn notifying(&mut self) -> Notifying<'_, VisitorKey> {
        Notifying {
            outstanding: &mut self.notifications,
            config: &self.config.notification,
            tally: &mut self.tally,
        }
    }

    fn is_about(&self, key: &VisitorKey, fixed: &GenericNotificationAcknowledgement) -> bool {
        key.home_address == fixed.home_address
    }

    fn check_answer(
        &self,
        sending: &Sending<VisitorKey>,
        fixed: &GenericNotificationAcknowledgement,
        extensions: &Extensions<'_>,
    ) -> Result<(), Failure> {
        self.is_answer_of(sending, fixed, extensions)
    }

    fn check_stray_answer(
        &self,
        source: Ipv4Addr,
        fixed: &GenericNotificationAcknowledgement,
        extensions: &Extensions<'_>,
    ) -> Result<(), Failure> {
        self.is_stray_of(source, fixed, extensions)
    }
}

impl Visited for ForeignAgent {
    fn parts(&mut self) -> Parts<'_> {
        Parts {
            config: &self.config.notification,
            outstanding: &mut self.notifications,
            operations: &mut self.operations,
            limiter: &mut self.limiter,
            refusals: &mut self.refusals,
            heard: &mut self.heard,
            trails: &mut self.trails,
            tally: &mut self.tally,
            random: &mut self.random,
        }
    }

    fn visitors(&self) -> &Visitors {
        &self.visitors
    }

    fn is_notifying(&self) -> bool {
        self.config.notification.enabled
    }

    /// Beneath a gateway it is the gateway that home agents know.
    fn is_known_at_home(&self, visitor: &Visitor) -> bool {
        visitor.regional.is_none()
    }

    fn reached_at(&self, visitor: &Visitor) -> Ipv4Addr {
        *reach(visitor.source, visitor.home_address).ip()
    }

    fn to_node(&self, visitor: &Visitor, octets: Vec<u8>) -> Action {
        let of_many = visitor.local.ip().is_multicast() || visitor.local.ip().is_broadcast();
        let address = if of_many { self.config.address } else { *visitor.local.ip() };
        let from = SocketAddrV4::new(address, visitor.local.port());
        let to = reach(visitor.source, visitor.home_address);
        match visitor.interface {
            Some(interface) => Action::SendOnLink { interface, from, to, octets },
            None => Action::Send { from, to, octets },
        }
    }

    fn to_home_agent(&self, visitor: &Visitor, octets: Vec<u8>) -> Action {
        let from = self.config.relay_source(visitor.care_of_address);
        let to = SocketAddrV4::new(visitor.home_agent, self.config.home_agent_port);
        Action::Send { from, to, octets }
    }
}
