//! The requests of a mobile node (RFC 5944 §3.6.1): where they go, what they ask for.

use std::net::{Ipv4Addr, SocketAddrV4};

use store::{Identity, Now};
use wire::{AdvertisementFlags, Flags, Lifetime, RegistrationRequest, extension_type};

use super::discovery::Attachment;
use super::regional::Route;
use super::{MobileNode, Wish};
use crate::action::Action;

/// A request that was made and not sent yet.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) request: RegistrationRequest,
    pub(super) octets: Vec<u8>,
    pub(super) route: Route,
}

impl MobileNode {
    /// Sends a message the way that requests go.
    pub(super) fn send_octets(&self, octets: Vec<u8>) -> Action {
        let (from, to) = (self.source(), self.destination());
        match self.attachment {
            // §3.6.1.1: by the link that it was heard on; its address need not be of our network.
            Attachment::ForeignAgent { .. } if self.config.sends_from_home_address => {
                Action::SendOnLink { interface: self.interface, from, to, octets }
            }
            _ => Action::Send { from, to, octets },
        }
    }

    /// The foreign agent that the node is attached to, as associations name it.
    pub(super) fn agent_identity(&self) -> Option<Identity> {
        self.foreign_agent().map(Identity::Address)
    }

    /// Where requests come from (§3.6.1.1).
    pub(super) fn source(&self) -> SocketAddrV4 {
        if self.attachment == Attachment::CoLocated || !self.config.sends_from_home_address {
            return self.config.local;
        }
        let home_address = self.home_address.unwrap_or(Ipv4Addr::UNSPECIFIED);
        SocketAddrV4::new(home_address, self.config.local.port())
    }

    /// Where they go: the foreign agent by the address it advertised from, or the home agent.
    pub(super) fn destination(&self) -> SocketAddrV4 {
        match self.attachment {
            Attachment::ForeignAgent { agent, .. } => {
                SocketAddrV4::new(agent, self.home_agent.port())
            }
            Attachment::CoLocated | Attachment::Home | Attachment::Searching => self.home_agent,
        }
    }

    /// A new request, signed (§3.6.1.2, §3.6.1.3).
    pub(super) fn request(&mut self, now: Now) -> Option<Draft> {
        let replay = self.home_association()?.replay;
        let home_address = self.home_address.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let identification = self.clock.identification(replay, &mut self.random, now);
        let lifetime =
            if self.leaves() { Lifetime::ZERO } else { self.lifetime.min(self.longest()) };
        let route = self.route(now);
        let request = RegistrationRequest {
            flags: self.flags(),
            lifetime,
            home_address,
            home_agent: *self.home_agent.ip(),
            care_of_address: match route {
                Route::Gateway(gateway) => gateway,
                // RFC 4857 §7.1.
                Route::Assigned(_) => Ipv4Addr::UNSPECIFIED,
                // All care-of addresses are deregistered by naming the home address.
                Route::Plain if lifetime == Lifetime::ZERO => home_address,
                Route::Plain => self.care_of_address(),
            },
            identification,
        };
        let mut octets = Vec::with_capacity(128);
        request.emit(&mut octets);
        if let Some(nai) = &self.config.nai {
            nai.emit(&mut octets);
        }
        self.offer_revocation(&request, &mut octets, now);
        self.home_association()?.sign(&mut octets, extension_type::MOBILE_HOME_AUTHENTICATION);
        let agent = self.agent_identity();
        if let Some(gateway) = route.peer() {
            self.sign_for_gateway(gateway, lifetime, &mut octets);
        } else if let Some(agent) = agent
            && let Some(association) = self.associations.iter().find(|it| it.peer == agent)
        {
            association.sign(&mut octets, extension_type::MOBILE_FOREIGN_AUTHENTICATION);
        }
        Some(Draft { request, octets, route })
    }

    /// Whether what it asks for is to be deregistered.
    pub(super) fn leaves(&self) -> bool {
        self.is_leaving
            || self.wish == Some(Wish::Deregistered)
            || self.attachment == Attachment::Home
    }

    /// The care-of address that the node has where it is: its own, or that of its foreign agent.
    pub(super) fn care_of_address(&self) -> Ipv4Addr {
        match self.attachment {
            Attachment::ForeignAgent { care_of_address, .. } => care_of_address,
            Attachment::CoLocated | Attachment::Home | Attachment::Searching => {
                *self.config.local.ip()
            }
        }
    }

    /// The longest lifetime that its foreign agent allows (§3.6.1.2).
    pub(super) fn longest(&self) -> Lifetime {
        let heard = self.foreign_agent().and_then(|agent| self.discovery.agents.get(&agent));
        heard.map_or(Lifetime::INFINITE, |heard| heard.mobility.registration_lifetime)
    }

    /// The flags that the attachment allows (§3.6.1.2).
    pub(super) fn flags(&self) -> Flags {
        let wanted = self.config.flags.0;
        if self.attachment == Attachment::CoLocated {
            return Flags(wanted);
        }
        // The D bit is for co-located care-of addresses alone.
        let mut flags = wanted & !Flags::DECAPSULATION_BY_MOBILE_NODE;
        let Some(agent) = self.foreign_agent() else { return Flags(flags) };
        // The foreign agent decapsulates only what it said it can.
        let heard = self.discovery.agents.get(&agent).map(|heard| &heard.mobility);
        let can = |bit| heard.is_some_and(|mobility| mobility.flags.any(bit));
        if !can(AdvertisementFlags::GRE) {
            flags &= !Flags::GRE;
        }
        if !can(AdvertisementFlags::MINIMAL_ENCAPSULATION) {
            flags &= !Flags::MINIMAL_ENCAPSULATION;
        }
        Flags(flags)
    }
}
