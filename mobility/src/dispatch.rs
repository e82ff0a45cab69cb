//! Which role a datagram of port 434 is for, where a home agent and a foreign agent share an address.
//!
//! ```text
//!  1      registration request       home agent if the Home Agent field is ours or dynamic, else foreign agent
//!  3, 19  replies                    foreign agent: who has relayed is who waits
//! 18      regional request           foreign agent
//!  7      revocation                 who did not send it, by its `A` bit and its domain addresses
//! 15      its acknowledgment         who sent the revocation, as was noted when it left
//! 22, 23  generic notification       whom its MD field names, or who relays to them
//!         anything else              home agent, which counts it
//! ```
//!
//! It decides by the fixed part alone and trusts nothing: what does not belong to the role it
//! comes to is refused and counted there.

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;

use store::Role;
use wire::{
    GenericNotification, GenericNotificationAcknowledgement, MessageDirection, RegistrationRequest,
    RegistrationRevocation, RegistrationRevocationAcknowledgment, message_type,
};

/// How many revocations are remembered until they are acknowledged; the oldest make room. More
/// than are ever under way at a time, and sent by ourselves: nobody else makes it grow.
const SENT_MAX: usize = 1 << 17;

/// What an acknowledgment (RFC 3543 §3.4) names its revocation by.
type Revocation = (Ipv4Addr, u32);

/// Tells the home agent's datagrams from the foreign agent's.
#[derive(Debug)]
pub struct Dispatcher {
    home_agent: Ipv4Addr,
    /// The foreign agent's own address, and its care-of addresses.
    foreign_agent: Vec<Ipv4Addr>,
    /// Whose revocation it is.
    sent: BTreeMap<Revocation, Role>,
    order: VecDeque<Revocation>,
}

impl Dispatcher {
    /// For a home agent at an address that is one of the foreign agent's as well.
    pub fn new(home_agent: Ipv4Addr, foreign_agent: Vec<Ipv4Addr>) -> Self {
        Self { home_agent, foreign_agent, sent: BTreeMap::new(), order: VecDeque::new() }
    }

    /// Whom a datagram is for: [`Role::HomeAgent`] or [`Role::ForeignAgent`].
    pub fn role(&self, octets: &[u8]) -> Role {
        let is_foreign_agents = match message_type(octets) {
            Some(message_type::REGISTRATION_REQUEST) => self.is_relayed(octets),
            Some(
                message_type::REGISTRATION_REPLY
                | message_type::REGIONAL_REGISTRATION_REQUEST
                | message_type::REGIONAL_REGISTRATION_REPLY,
            ) => true,
            Some(message_type::REGISTRATION_REVOCATION) => self.is_from_home_agent(octets),
            Some(message_type::REGISTRATION_REVOCATION_ACKNOWLEDGMENT) => {
                self.is_for_revocation_of_foreign_agent(octets)
            }
            Some(
                message_type::GENERIC_NOTIFICATION
                | message_type::GENERIC_NOTIFICATION_ACKNOWLEDGMENT,
            ) => self.is_directed_at_foreign_agent(octets),
            _ => false,
        };
        if is_foreign_agents { Role::ForeignAgent } else { Role::HomeAgent }
    }

    /// Notes what `role` is about to send, so that the answer finds it.
    pub fn note_sent(&mut self, role: Role, octets: &[u8]) {
        let Ok((fixed, _)) = RegistrationRevocation::parse(octets) else { return };
        let revocation = (fixed.home_address, fixed.identifier);
        if self.sent.insert(revocation, role).is_none() {
            self.order.push_back(revocation);
        }
        if self.order.len() > SENT_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.sent.remove(&oldest);
        }
    }

    /// A request that names another home agent goes there through the foreign agent.
    fn is_relayed(&self, octets: &[u8]) -> bool {
        RegistrationRequest::parse(octets).is_ok_and(|(fixed, _)| {
            let home_agent = fixed.home_agent;
            // RFC 5944 §3.6.1.2: a mobile node that knows no home agent asks for any.
            let is_dynamic = home_agent.is_unspecified() || home_agent.is_broadcast();
            !is_dynamic && home_agent != self.home_agent
        })
    }

    /// RFC 3543 §3.3: `A` is set by home agents. One that came back from where it was sent goes to
    /// who sent it, for whom it is a reflection (§3.5).
    fn is_from_home_agent(&self, octets: &[u8]) -> bool {
        RegistrationRevocation::parse(octets).is_ok_and(|(fixed, _)| {
            let is_at_home = fixed.home_domain_address == self.home_agent;
            let is_abroad = self.foreign_agent.contains(&fixed.foreign_domain_address);
            if fixed.is_from_home_agent() {
                is_abroad || !is_at_home
            } else {
                !is_at_home && is_abroad
            }
        })
    }

    fn is_for_revocation_of_foreign_agent(&self, octets: &[u8]) -> bool {
        RegistrationRevocationAcknowledgment::parse(octets).is_ok_and(|(fixed, _)| {
            let role = self.sent.get(&(fixed.home_address, fixed.identifier));
            role.is_some_and(|role| *role == Role::ForeignAgent)
        })
    }

    /// RFC 6098 §4.1: from whom to whom, by way of the foreign agent where that is between them.
    fn is_directed_at_foreign_agent(&self, octets: &[u8]) -> bool {
        let fields = GenericNotification::parse(octets)
            .map(|(fixed, _)| (fixed.direction, fixed.home_agent));
        let fields = fields.or_else(|_| {
            let parsed = GenericNotificationAcknowledgement::parse(octets);
            parsed.map(|(fixed, _)| (fixed.direction, fixed.home_agent))
        });
        fields.is_ok_and(|(direction, home_agent)| match direction {
            MessageDirection::HOME_AGENT_TO_MOBILE_NODE
            | MessageDirection::HOME_AGENT_TO_FOREIGN_AGENT
            | MessageDirection::MOBILE_NODE_TO_FOREIGN_AGENT
            | MessageDirection::FOREIGN_AGENT_TO_MOBILE_NODE => true,
            MessageDirection::MOBILE_NODE_TO_HOME_AGENT => home_agent != self.home_agent,
            _ => false,
        })
    }
}

#[cfg(test)]
mod tests;
