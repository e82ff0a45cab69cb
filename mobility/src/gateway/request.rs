//! Home registrations that come to a gateway (RFC 4857 §5.3, §7.3).

use std::net::SocketAddrV4;

use store::{Counter, Identity, Now};
use wire::{Flags, GfaIpAddress, RegistrationRequest, extension_type};

use super::Gateway;
use super::denial::GatewayDenial as Denial;
use super::origin::Fault;
use super::pending::Pending;
use crate::action::{Action, Output, Received};
use crate::extensions::{Extensions, read};
use crate::home_agent::{Admission, ReservedBits, ReverseTunnel};

impl Gateway {
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
        let mut pending = Pending::new(request, false, &extensions, received, now);
        let known = extensions.mobile_foreign.first().or(extensions.mobile_home.first());
        pending.spi = known.map(|it| it.spi);
        pending.signer = self
            .mobile_signer(&pending.identity, extensions.mobile_foreign.first().map(|it| it.spi));
        match self.check(&mut pending, &extensions, received, now) {
            // RFC 3543 §3.3: one message a second about a binding; it comes again.
            Ok(()) if self.is_too_soon(&pending, now) => {
                self.tally.count(Counter::DatagramsRateLimited);
                Output::default()
            }
            Ok(()) => self.relay(pending, &extensions, received, now),
            Err((denial, spi)) => {
                Output::at_once(self.deny(&pending, denial, spi, now).into_iter().collect())
            }
        }
    }

    fn check(
        &self,
        pending: &mut Pending,
        extensions: &Extensions<'_>,
        received: &Received<'_>,
        now: Now,
    ) -> Result<(), Fault> {
        pending.local_care_of_address =
            self.local_care_of_address(pending, extensions, received, now)?;
        pending.vouching = self.vouching(extensions, received);
        self.check_mobile_node(pending, extensions)?;
        let asked = extensions.replay_style.map(|(style, _)| style.style);
        pending.replay =
            self.config.replay_for(asked).ok_or((Denial::ReplayProtectionUnavailable, None))?;
        self.check_request(pending, extensions).map_err(|denial| (denial, None))
    }

    /// With an association, exactly one valid Mobile-Foreign authentication (§4.1.2).
    fn check_mobile_node(
        &self,
        pending: &mut Pending,
        extensions: &Extensions<'_>,
    ) -> Result<(), Fault> {
        if pending.signer.is_none() {
            return Ok(());
        }
        let valid = match extensions.mobile_foreign.as_slice() {
            [only] => self
                .associations
                .get(&pending.identity, only.spi)
                .is_some_and(|association| association.verifies(only)),
            _ => false,
        };
        pending.authenticated = valid;
        let spi = extensions.mobile_foreign.first().map(|it| it.spi);
        if valid { Ok(()) } else { Err((Denial::MobileNodeFailedAuthentication, spi)) }
    }

    /// The checks of a foreign agent (RFC 5944 §3.7.2.1), and those of RFC 4857 §7.3.
    fn check_request(&self, pending: &Pending, extensions: &Extensions<'_>) -> Result<(), Denial> {
        let request = &pending.request;
        if self.config.reserved_bits == ReservedBits::Reject && request.flags.any(Flags::RESERVED) {
            return Err(Denial::ReservedBits);
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
        let home_agent = request.home_agent;
        let nowhere = home_agent.is_unspecified() || home_agent.is_multicast();
        if nowhere || home_agent.is_broadcast() || home_agent == self.config.address {
            return Err(Denial::InvalidHomeAgent);
        }
        if pending.is_dynamic() {
            if !self.config.dynamic {
                return Err(Denial::DynamicAssignmentUnsupported);
            }
            let peer = Identity::Address(home_agent);
            if self.associations.with(&peer).next().is_none() {
                // §7.3: nothing else that we have would protect our address on its way.
                return Err(Denial::DynamicAssignmentUnprotected);
            }
        } else if request.care_of_address != self.config.address {
            return Err(Denial::InvalidCareOfAddress);
        }
        if pending.is_deregistration() {
            return self.check_room(pending);
        }
        if request.lifetime > self.config.lifetime_max {
            return Err(Denial::LifetimeTooLong);
        }
        self.check_capabilities(request.flags)?;
        self.check_admission(pending)?;
        self.check_room(pending)
    }

    pub(super) fn check_capabilities(&self, flags: Flags) -> Result<(), Denial> {
        let gre = flags.any(Flags::GRE);
        let minimal = flags.any(Flags::MINIMAL_ENCAPSULATION);
        let served = gre && self.config.gre || minimal && self.config.minimal_encapsulation;
        if (gre || minimal) && !served {
            return Err(Denial::EncapsulationUnavailable);
        }
        match (self.config.reverse_tunnel, flags.any(Flags::REVERSE_TUNNEL)) {
            (ReverseTunnel::Unavailable, true) => Err(Denial::ReverseTunnelUnavailable),
            (ReverseTunnel::Required, false) => Err(Denial::ReverseTunnelRequired),
            _ => Ok(()),
        }
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

    fn check_room(&self, pending: &Pending) -> Result<(), Denial> {
        let replaces = self.pending.contains(&pending.identity, pending.request.home_address);
        if !replaces && self.pending.len() >= self.config.pending_max {
            return Err(Denial::TooManyPending);
        }
        Ok(())
    }

    /// The request goes on up to and with what the home agent authenticates: what the foreign agent
    /// added, and what the node said to us, ends here (§5.3).
    fn relay(
        &mut self,
        mut pending: Pending,
        extensions: &Extensions<'_>,
        received: &Received<'_>,
        now: Now,
    ) -> Output {
        let request = pending.request;
        let end = extensions.mobile_home_end();
        let mut octets = received.octets.get(..end).unwrap_or(received.octets).to_vec();
        if pending.is_dynamic() {
            // §7.3: beside the care-of address, which the mobile node authenticated as it is.
            GfaIpAddress(self.config.address).emit(&mut octets);
        }
        let home_agent = Identity::Address(request.home_agent);
        // RFC 5944 §3.5.4: not on deregistrations; but our address must be protected (§7.3).
        if (!pending.is_deregistration() || pending.is_dynamic())
            && let Some(association) = self.associations.with(&home_agent).next()
        {
            if !pending.is_deregistration() {
                pending.offer = self.offer_home(&pending, now);
            }
            if let Some(offer) = pending.offer {
                offer.emit(&mut octets);
            }
            association.sign(&mut octets, extension_type::FOREIGN_HOME_AUTHENTICATION);
            pending.signed_for_home_agent = !pending.is_deregistration();
        }
        let timeout = self.config.pending_timeout;
        let lifetime = request.lifetime.duration().filter(|lifetime| !lifetime.is_zero());
        pending.expires_at = now.uptime + lifetime.map_or(timeout, |it| it.min(timeout));
        let from = SocketAddrV4::new(self.config.address, self.config.port);
        let to = SocketAddrV4::new(request.home_agent, self.config.home_agent_port);
        self.tally.count(Counter::FaRegRequestsRelayed);
        self.pending.insert(pending);
        Output::at_once(vec![Action::Send { from, to, octets }])
    }
}
