//! A gateway as mobile nodes visit it: in a region it is the foreign agent of RFC 6098, which home agents
//! know and which shares keys with the nodes; foreign agents beneath it pass on what is said.

use std::net::{Ipv4Addr, SocketAddrV4};

use store::{Visitor, VisitorKey};
use wire::GenericNotificationAcknowledgement;

use super::Gateway;
use crate::action::Action;
use crate::association::Failure;
use crate::extensions::Extensions;
use crate::foreign_agent::visitors::Visitors;
use crate::notification::{Notifier, Notifying, Sending};
use crate::visited::{Parts, Sends as _, Visited};

impl Notifier for Gateway {
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

impl Visited for Gateway {
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

    fn is_known_at_home(&self, _: &Visitor) -> bool {
        true
    }

    /// Its foreign agent, or itself with a co-located address.
    fn reached_at(&self, visitor: &Visitor) -> Ipv4Addr {
        *visitor.source.ip()
    }

    fn to_node(&self, visitor: &Visitor, octets: Vec<u8>) -> Action {
        let from = SocketAddrV4::new(self.config.address, visitor.local.port());
        Action::Send { from, to: visitor.source, octets }
    }

    fn to_home_agent(&self, visitor: &Visitor, octets: Vec<u8>) -> Action {
        let from = SocketAddrV4::new(self.config.address, self.config.port);
        let to = SocketAddrV4::new(visitor.home_agent, self.config.home_agent_port);
        Action::Send { from, to, octets }
    }
}
