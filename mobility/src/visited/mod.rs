//! What the agents that mobile nodes visit do alike, foreign agents and gateways: notifications
//! (RFC 6098 §4.6), and
//! revocations towards what is upstream (RFC 3543 §4.2.3).

mod notification;
mod notified;
mod revocation;

use std::net::Ipv4Addr;

use store::{Visitor, VisitorKey};

use crate::action::Action;
use crate::foreign_agent::visitors::Visitors;
use crate::limits::Limiter;
use crate::notification::{Heard, NotificationConfig, Notifier, Outstanding};
use crate::operations::Operations;
use crate::random::Random;
use crate::revocation::{Revoker, Work as RevocationWork};
use crate::tally::Tally;
use crate::trails::Trails;

pub(crate) use notification::Sends;
pub(crate) use notified::Receives;
pub(crate) use revocation::{Revokes, Upstream};

/// What one turn has done.
pub(crate) type Work = RevocationWork<VisitorKey>;

/// The parts of such an agent that notifications are about.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) config: &'a NotificationConfig,
    pub(crate) outstanding: &'a mut Outstanding<VisitorKey>,
    pub(crate) operations: &'a mut Operations,
    /// Of requests, and of notifications.
    pub(crate) limiter: &'a mut Limiter,
    /// Of refusals of notifications.
    pub(crate) refusals: &'a mut Limiter,
    pub(crate) heard: &'a mut Heard,
    pub(crate) trails: &'a mut Trails,
    pub(crate) tally: &'a mut Tally,
    pub(crate) random: &'a mut Random,
}

/// An agent that mobile nodes visit.
pub(crate) trait Visited: Revoker<Row = Visitor> + Notifier<Key = VisitorKey> {
    fn parts(&mut self) -> Parts<'_>;

    fn visitors(&self) -> &Visitors;

    /// Whether notifications are sent, relayed or accepted at all.
    fn is_notifying(&self) -> bool;

    /// Whether its home agent knows us as the foreign agent of a visitor.
    fn is_known_at_home(&self, visitor: &Visitor) -> bool;

    /// The address that the messages of a visitor come from.
    fn reached_at(&self, visitor: &Visitor) -> Ipv4Addr;

    /// Sends something to a visitor, with the headers of its last reply (RFC 6098 §4.1).
    fn to_node(&self, visitor: &Visitor, octets: Vec<u8>) -> Action;

    fn to_home_agent(&self, visitor: &Visitor, octets: Vec<u8>) -> Action;
}
