//! A foreign agent beneath a gateway (RFC 4857 §5.2, §6.2, §7.2).
//!
//! What is for a gateway is relayed octet for octet as well, with two extensions behind it: where
//! the node is, and that we say so.

use std::net::{Ipv4Addr, SocketAddrV4};

use store::{Counter, Identity, Now, RegionalVisit, ReplayProtection};
use wire::{
    Code, Flags, GeneralizedAuthentication, HierarchicalForeignAgent, Identification, Lifetime,
    RegionalRegistrationReply, RegionalRegistrationRequest, RegistrationReply, RegistrationRequest,
};

use super::ForeignAgent;
use super::denial::ForeignAgentDenial as Denial;
use super::pending::{Pending, is_deregistration, pending};
use crate::action::{Action, Output, Received};
use crate::extensions::{Extensions, read};
use crate::home_agent::ReservedBits;

impl ForeignAgent {
    /// The gateway that a Registration Request is to be relayed to, if it is for one: its care-of
    /// address names it, or is zero and leaves it to us (§5.2, §7.2).
    pub(super) fn gateway_of(&self, request: &RegistrationRequest) -> Option<Ipv4Addr> {
        let region = self.config.regional.as_ref()?;
        let care_of_address = request.care_of_address;
        if care_of_address.is_unspecified() && region.dynamic {
            return Some(region.gateway);
        }
        region.knows(care_of_address).then_some(care_of_address)
    }

    pub(super) fn on_regional_request(&mut self, received: &Received<'_>, now: Now) -> Output {
        type Fixed = RegionalRegistrationRequest;
        if !self.limiter.allows(*received.source.ip(), now.uptime) {
            self.tally.count(Counter::DatagramsRateLimited);
            return Output::default();
        }
        let (request, extensions) = match read(received.octets, Fixed::LEN, Fixed::parse) {
            Ok(parsed) => parsed,
            Err(error) => {
                self.tally.count_malformed(&error);
                return Output::default();
            }
        };
        self.tally.count(Counter::RegionalRequestsReceived);
        let nai = extensions.nai.clone();
        let identity = Identity::of_node(nai.as_ref(), request.home_address);
        let timeout = self.config.pending_timeout;
        let mut pending = pending(fixed(&request), identity, nai, received, now, timeout);
        pending.is_regional = true;
        pending.gateway = Some(request.gfa_ip_address);
        pending.spi = extensions.mobile_gateway.first().map(|it| it.spi);
        match self.check_regional(&pending, &extensions, received) {
            Ok(()) if self.is_too_soon(&pending, now) => {
                self.tally.count(Counter::DatagramsRateLimited);
                Output::default()
            }
            Ok(()) => self.relay_to_gateway(pending, received, now),
            Err(denial) => self.deny_request(&pending, denial, &extensions, now),
        }
    }

    /// The checks of a Registration Request, with the gateway in the place of the home agent (§6.2).
    fn check_regional(
        &self,
        pending: &Pending,
        extensions: &Extensions<'_>,
        received: &Received<'_>,
    ) -> Result<(), Denial> {
        let request = &pending.request;
        let flags = request.flags;
        if self.config.reserved_bits == ReservedBits::Reject && flags.any(Flags::RESERVED) {
            return Err(Denial::ReservedBits);
        }
        let region = self.config.regional.as_ref();
        if !region.is_some_and(|region| region.knows(request.home_agent)) {
            return Err(Denial::UnknownGateway);
        }
        // §10: every regional message carries it; the Foreign-Home authentication is none of its.
        if extensions.mobile_gateway.is_empty() || !extensions.foreign_home.is_empty() {
            return Err(Denial::Unauthenticated);
        }
        if extensions.nai_misplaced {
            return Err(Denial::MisplacedNai);
        }
        let co_located = flags.any(Flags::DECAPSULATION_BY_MOBILE_NODE);
        let care_of_address = request.care_of_address;
        // A reading: §6 has zeros where nothing is said, §10.1 has ones; both leave it to us.
        let is_open = care_of_address.is_unspecified() || care_of_address.is_broadcast();
        if !co_located && !is_open && !self.config.offers(care_of_address) {
            return Err(Denial::InvalidCareOfAddress);
        }
        if request.home_address.is_unspecified() {
            return Err(Denial::HomeAddressRequired);
        }
        if extensions.appended.critical || extensions.covered.critical {
            return Err(Denial::VendorExtensionFromMobileNode);
        }
        if is_deregistration(request) {
            return self.check_room(pending);
        }
        if request.lifetime > self.config.lifetime_max {
            return Err(Denial::LifetimeTooLong);
        }
        self.check_capabilities(flags, co_located, extensions, received)?;
        self.check_admission(pending)?;
        self.check_room(pending)
    }

    /// §5.2: where the node is goes behind everything else, protected by the association with the gateway.
    pub(super) fn relay_to_gateway(
        &mut self,
        mut pending: Pending,
        received: &Received<'_>,
        now: Now,
    ) -> Output {
        let gateway = pending.peer();
        let Some(association) = self.gateway_association(gateway).cloned() else {
            let spi = self.config.regional.as_ref().and_then(|region| region.spi);
            let reply = self.deny(&pending, Denial::GatewayAssociationMissing, spi, now);
            return Output::at_once(reply.into_iter().collect());
        };
        let mut octets = received.octets.to_vec();
        if !is_deregistration(&pending.request) {
            pending.offer = self.offer(&pending);
        }
        if let Some(offer) = pending.offer {
            // RFC 3543 §4.2.1, with the gateway in the home agent's place.
            offer.emit(&mut octets);
        }
        HierarchicalForeignAgent(self.config.address).emit(&mut octets);
        association.sign_generalized(&mut octets, GeneralizedAuthentication::FOREIGN_FOREIGN);
        let from = SocketAddrV4::new(self.config.address, self.config.port);
        let to = SocketAddrV4::new(gateway, self.config.home_agent_port);
        self.tally.count(if pending.is_regional {
            Counter::RegionalRequestsRelayed
        } else {
            Counter::FaRegRequestsRelayed
        });
        self.await_reply(pending);
        Output::at_once(vec![Action::Send { from, to, octets }])
    }

    pub(super) fn on_regional_reply(&mut self, received: &Received<'_>, now: Now) -> Output {
        let reply = match RegionalRegistrationReply::parse(received.octets) {
            Ok((reply, _)) => reply,
            Err(error) => {
                self.tally.count_malformed(&error);
                return Output::default();
            }
        };
        let extensions = Extensions::parse(received.octets, RegionalRegistrationReply::LEN);
        let nai = extensions.as_ref().ok().and_then(|extensions| extensions.nai.as_ref());
        let fixed = RegistrationReply {
            code: reply.code,
            lifetime: reply.lifetime,
            home_address: reply.home_address,
            home_agent: reply.gfa_ip_address,
            identification: reply.identification,
        };
        let pending = self.pending.answered_by(&fixed, nai, |it| it.is_regional);
        let expected = |pending: &&Pending| pending.peer() == *received.source.ip();
        let Some(pending) = pending.filter(expected).cloned() else {
            match &extensions {
                Ok(_) => self.tally.count(Counter::DatagramsUnexpected),
                Err(error) => self.tally.count_malformed(error),
            }
            return Output::default();
        };
        let extensions = match extensions {
            Ok(extensions) if is_vouched_for(&extensions, reply.code) => extensions,
            _ => return self.reject(&pending, Denial::PoorlyFormedReply, None, now),
        };
        self.pending.remove(&pending.identity, pending.request.home_address);
        self.take_reply(&fixed, &extensions, &pending, received, now)
    }

    /// Whether a gateway vouches for what it says to us, behind what it says to the node.
    pub(super) fn is_of_gateway(&self, extensions: &Extensions<'_>, pending: &Pending) -> bool {
        let association = pending.gateway.and_then(|gateway| self.gateway_association(gateway));
        match extensions.foreign_foreign.as_slice() {
            [only] => association.is_some_and(|association| association.verifies(only)),
            _ => false,
        }
    }

    /// What the visitor list says of the gateway that a visitor came through.
    pub(super) fn regional_visit(
        &self,
        pending: &Pending,
        lifetime: Lifetime,
        now: Now,
    ) -> Option<RegionalVisit> {
        let co_located = pending.request.flags.any(Flags::DECAPSULATION_BY_MOBILE_NODE);
        let own = pending.request.care_of_address;
        Some(RegionalVisit {
            gateway: pending.gateway?,
            local_care_of_address: if co_located { own } else { self.config.address },
            lifetime_granted: lifetime,
            expires_at: lifetime.duration().map(|duration| now.stamp() + duration),
            // Between the node and its gateway: nothing that we know of.
            replay: ReplayProtection::None,
            identification: Identification::default(),
            nonce: None,
            accepted: 0,
            revocation: None,
            revoking: None,
        })
    }
}

/// §10: what a gateway says is authenticated for the node; what it cannot authenticate is a refusal.
fn is_vouched_for(extensions: &Extensions<'_>, code: Code) -> bool {
    !extensions.mobile_gateway.is_empty() || !code.is_accepted()
}

/// The same as a Registration Request, with the gateway where that has its home agent.
fn fixed(request: &RegionalRegistrationRequest) -> RegistrationRequest {
    RegistrationRequest {
        flags: request.flags,
        lifetime: request.lifetime,
        home_address: request.home_address,
        home_agent: request.gfa_ip_address,
        care_of_address: request.care_of_address,
        identification: request.identification,
    }
}
