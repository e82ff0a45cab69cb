//! Requests of mobile nodes at a foreign agent (RFC 5944 §3.7.2).

use std::net::SocketAddrV4;
use std::sync::Arc;

use store::{Counter, Identity, Now};
use wire::{Flags, Lifetime, RegistrationRequest, extension_type};

use super::ForeignAgent;
use super::denial::ForeignAgentDenial as Denial;
use super::pending::{Pending, is_deregistration, pending};
use crate::action::{Action, Output, Received};
use crate::extensions::{Extensions, read};
use crate::home_agent::{Admission, ReservedBits, ReverseTunnel};

impl ForeignAgent {
    pub(super) fn on_request(&mut self, received: &Received<'_>, now: Now) -> Output {
        type Fixed = RegistrationRequest;
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
        self.tally.count(Counter::FaRegRequestsReceived);
        if extensions.appended.normal {
            self.tally.count(Counter::FaNvsesFromMnIgnored);
        }
        let co_located = request.flags.any(Flags::DECAPSULATION_BY_MOBILE_NODE);
        if extensions.revocation_covered.is_some() && !co_located {
            // RFC 3543 §4.2.1: such a node must not offer it, and gets no answer.
            self.tally.count(Counter::DatagramsUnexpected);
            return Output::default();
        }
        let nai = extensions.nai.clone();
        let identity = Identity::of_node(nai.as_ref(), request.home_address);
        let timeout = self.config.pending_timeout;
        let mut pending = pending(request, identity, nai, received, now, timeout);
        pending.encapsulating_delivery = extensions.delivery;
        pending.gateway = self.gateway_of(&pending.request);
        if pending.gateway.is_none() {
            // RFC 4857 §4.1.2: it is the gateway that authenticates the nodes of a region.
            pending.signer = self.mobile_signer(&pending.identity, &extensions);
        }
        let known = extensions.mobile_foreign.first().or(extensions.mobile_home.first());
        pending.spi = known.map(|it| it.spi);
        pending.authenticated = pending.signer.is_some()
            && self.check_mobile_authentication(&pending, &extensions).is_ok();
        match self.check(&pending, &extensions, received) {
            // §3.3: one message a second about a binding, revocations among them; it comes again.
            Ok(()) if self.is_too_soon(&pending, now) => {
                self.tally.count(Counter::DatagramsRateLimited);
                Output::default()
            }
            Ok(()) if pending.gateway.is_some() => self.relay_to_gateway(pending, received, now),
            Ok(()) => self.relay(pending, &extensions, received),
            Err(denial) => self.deny_request(&pending, denial, &extensions, now),
        }
    }

    /// The association with the mobile node: the one it used, or else any.
    fn mobile_signer(
        &self,
        identity: &Identity,
        extensions: &Extensions<'_>,
    ) -> Option<Arc<crate::SecurityAssociation>> {
        let named = extensions.mobile_foreign.first();
        let named = named.and_then(|named| self.associations.get(identity, named.spi));
        named.or_else(|| self.associations.with(identity).next()).map(Arc::clone)
    }

    /// The validity checks (§3.7.2.1), in the order of the text; then what we can accommodate.
    fn check(
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
        let co_located = flags.any(Flags::DECAPSULATION_BY_MOBILE_NODE);
        if self.config.regional.is_some() && request.care_of_address.is_broadcast() {
            return Err(Denial::BroadcastCareOfAddress);
        }
        let to_gateway = pending.gateway.is_some();
        let offered = self.config.offers(request.care_of_address) || to_gateway;
        if !co_located && !is_deregistration(request) && !offered {
            return Err(Denial::InvalidCareOfAddress);
        }
        if pending.signer.is_some() && !pending.authenticated {
            return Err(Denial::MobileNodeFailedAuthentication);
        }
        if extensions.mobile_home.is_empty() {
            return Err(Denial::Unauthenticated);
        }
        if extensions.nai_misplaced {
            return Err(Denial::MisplacedNai);
        }
        if request.home_address.is_unspecified() && pending.nai.is_none() {
            return Err(Denial::HomeAddressRequired);
        }
        // §3.7.2: never to ourselves; and a unicast address is needed to get anywhere at all.
        let home_agent = request.home_agent;
        let nowhere = home_agent.is_unspecified() || home_agent.is_multicast();
        if nowhere || home_agent.is_broadcast() || self.config.is_own(home_agent) {
            return Err(Denial::InvalidHomeAgent);
        }
        if extensions.appended.critical {
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

    /// Exactly one valid Mobile-Foreign authentication, if there is an association (§3.7.2.1).
    fn check_mobile_authentication(
        &self,
        pending: &Pending,
        extensions: &Extensions<'_>,
    ) -> Result<(), Denial> {
        if self.associations.with(&pending.identity).next().is_none() {
            return Ok(());
        }
        let valid = match extensions.mobile_foreign.as_slice() {
            [only] => self
                .associations
                .get(&pending.identity, only.spi)
                .is_some_and(|association| association.verifies(only)),
            _ => false,
        };
        if valid { Ok(()) } else { Err(Denial::MobileNodeFailedAuthentication) }
    }

    /// What the mobile node asks of the tunnel; with a co-located address it ends at the node.
    pub(super) fn check_capabilities(
        &self,
        flags: Flags,
        co_located: bool,
        extensions: &Extensions<'_>,
        received: &Received<'_>,
    ) -> Result<(), Denial> {
        let gre = flags.any(Flags::GRE);
        let minimal = flags.any(Flags::MINIMAL_ENCAPSULATION);
        let served = gre && self.config.gre || minimal && self.config.minimal_encapsulation;
        if !co_located && (gre || minimal) && !served {
            return Err(Denial::EncapsulationUnavailable);
        }
        let reverse = flags.any(Flags::REVERSE_TUNNEL);
        match (self.config.reverse_tunnel, reverse) {
            (ReverseTunnel::Unavailable, true) => return Err(Denial::ReverseTunnelUnavailable),
            (ReverseTunnel::Required, false) => return Err(Denial::ReverseTunnelRequired),
            _ => {}
        }
        // RFC 3024 §3.4: whoever wants a reverse tunnel is on the link.
        if reverse && received.ttl.is_some_and(|ttl| ttl != 255) {
            return Err(Denial::TooDistant);
        }
        if reverse && extensions.delivery && !self.config.encapsulating_delivery {
            return Err(Denial::DeliveryStyleUnsupported);
        }
        Ok(())
    }

    pub(super) fn check_admission(&self, pending: &Pending) -> Result<(), Denial> {
        let is_visitor = self.visitors.contains(&pending.identity, pending.request.home_address);
        match self.config.admission {
            Admission::Closed => Err(Denial::Closed),
            Admission::RenewalsOnly if !is_visitor => Err(Denial::Draining),
            _ if !is_visitor && self.visitors.len() >= self.config.visitors_max => {
                Err(Denial::TooManyVisitors)
            }
            Admission::Open | Admission::RenewalsOnly => Ok(()),
        }
    }

    /// §3.7.1: the limit of pending requests; a new request takes the place of the node's last.
    pub(super) fn check_room(&self, pending: &Pending) -> Result<(), Denial> {
        let replaces = self.pending.contains(&pending.identity, pending.request.home_address);
        if !replaces && self.pending.len() >= self.config.pending_max {
            return Err(Denial::TooManyPending);
        }
        Ok(())
    }

    /// §3.7.2.2: the request goes on octet for octet, up to and with what the home agent authenticates.
    fn relay(
        &mut self,
        mut pending: Pending,
        extensions: &Extensions<'_>,
        received: &Received<'_>,
    ) -> Output {
        let request = pending.request;
        let end = extensions.mobile_home_end();
        let mut octets = received.octets.get(..end).unwrap_or(received.octets).to_vec();
        // §3.5.4: not on deregistrations, and not for a care-of address that we do not offer.
        let home_agent = Identity::Address(request.home_agent);
        if !is_deregistration(&request)
            && self.config.offers(request.care_of_address)
            && let Some(association) = self.associations.with(&home_agent).next()
        {
            let offer = self.offer(&pending);
            if let Some(offer) = offer {
                offer.emit(&mut octets);
            }
            association.sign(&mut octets, extension_type::FOREIGN_HOME_AUTHENTICATION);
            pending.offer = offer;
            pending.signed_for_home_agent = true;
        }
        let from = self.config.relay_source(request.care_of_address);
        let to = SocketAddrV4::new(request.home_agent, self.config.home_agent_port);
        self.tally.count(Counter::FaRegRequestsRelayed);
        self.await_reply(pending);
        Output::at_once(vec![Action::Send { from, to, octets }])
    }

    pub(super) fn deny_request(
        &mut self,
        pending: &Pending,
        denial: Denial,
        extensions: &Extensions<'_>,
        now: Now,
    ) -> Output {
        let spi = extensions.mobile_foreign.first().map(|it| it.spi);
        let reply = self.deny(pending, denial, spi, now);
        // §3.7.2: no more than one denial a second to the same mobile node.
        let reply = reply.filter(|_| self.denials.allows(*pending.source.ip(), now.uptime));
        Output::at_once(reply.into_iter().collect())
    }
}

/// The smaller of two lifetimes; infinity is the greatest value there is.
pub(super) fn least(one: Lifetime, other: Lifetime, another: Lifetime) -> Lifetime {
    one.min(other).min(another)
}
