//! What the nodes of the home link are told of who is away (RFC 5944 §4.6).

use std::net::Ipv4Addr;

use store::Identity;

use super::HomeAgent;
use super::request::Answer;
use crate::action::{Action, Arp};

impl HomeAgent {
    /// Whether there is a link on which a home address can be at home. An address that many nodes
    /// share is at home nowhere.
    pub(super) fn has_arp(&self, home_address: Ipv4Addr) -> bool {
        let shared = &self.config.shared_home_addresses;
        self.config.home_link && !shared.iter().any(|network| network.contains(&home_address))
    }

    /// Whether the node is bound, and so away from home.
    pub(super) fn is_away(&self, identity: &Identity, home_address: Ipv4Addr) -> bool {
        let bindings = self.state.bindings(identity);
        bindings.iter().any(|binding| binding.home_address == home_address)
    }

    /// After a grant: the first binding makes the home agent stand for the node, and the end of
    /// the last one gives its place back.
    pub(super) fn arp_after_grant(
        &self,
        answer: &Answer,
        home_address: Ipv4Addr,
        was_away: bool,
    ) -> Vec<Action> {
        let is_away = self.is_away(&answer.identity, home_address);
        if !self.has_arp(home_address) || was_away == is_away {
            return Vec::new();
        }
        if is_away {
            return vec![
                Action::Arp(Arp::Announce { home_address }),
                Action::Arp(Arp::StartProxy { home_address }),
            ];
        }
        let mut actions = vec![Action::Arp(Arp::StopProxy { home_address })];
        // A node that deregisters from somewhere else is not at home.
        if *answer.to.ip() == home_address {
            actions.push(Action::Arp(Arp::AnnounceNode { home_address }));
        }
        actions
    }

    /// After a binding has ended by itself: where the node is, nobody knows.
    pub(super) fn arp_after_end(
        &self,
        identity: &Identity,
        home_address: Ipv4Addr,
    ) -> Option<Action> {
        let ends = self.has_arp(home_address) && !self.is_away(identity, home_address);
        ends.then_some(Action::Arp(Arp::StopProxy { home_address }))
    }
}
