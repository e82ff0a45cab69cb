//! The validity checks of a home agent, in the order of RFC 5944 §3.8.2.1.

use std::net::Ipv4Addr;
use std::sync::Arc;

use store::{Identity, ReplayProtection, ViolationReason};
use wire::{Flags, Lifetime};

use super::HomeAgent;
use super::config::{Admission, ReservedBits, ReverseTunnel};
use super::denial::Denial;
use super::request::{Answer, Request};
use crate::association::SecurityAssociation;
use crate::clock;

/// Why a request is not granted.
pub(super) enum Refusal {
    /// Dropped without a word, as the RFC demands.
    Discard(Offender, ViolationReason),
    /// Refused with a Code.
    Deny(Box<Answer>, Denial),
}

/// Who is at fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Offender {
    MobileNode,
    ForeignAgent,
}

impl HomeAgent {
    /// Checks all that can be checked before a home address is chosen.
    pub(super) fn check(&self, request: &Request<'_>) -> Result<Answer, Refusal> {
        let answer = self.authenticate(request)?;
        let mut checked = self.check_identification(request, &answer);
        checked = checked.and_then(|()| self.check_foreign_agent(request));
        if checked.is_ok() && self.is_unknown_foreign_agent(request) {
            return Err(Refusal::Discard(
                Offender::ForeignAgent,
                ViolationReason::NoMobilitySecurityAssociation,
            ));
        }
        checked = checked.and_then(|()| self.check_gateway(request));
        checked = checked.and_then(|()| self.check_form(request));
        checked = checked.and_then(|()| self.check_capabilities(request));
        checked = checked.and_then(|()| self.check_admission(request, &answer.identity));
        match checked {
            Ok(()) => Ok(answer),
            Err(denial) => Err(Refusal::Deny(Box::new(answer), denial)),
        }
    }

    /// §3.8.2.1 a: the authorization-enabling extension.
    fn authenticate(&self, request: &Request<'_>) -> Result<Answer, Refusal> {
        let identity = request.identity().ok_or(Refusal::Discard(
            Offender::MobileNode,
            ViolationReason::NoMobilitySecurityAssociation,
        ))?;
        let [first, rest @ ..] = request.extensions.mobile_home.as_slice() else {
            return Err(Refusal::Discard(
                Offender::MobileNode,
                ViolationReason::MissingSecurityExtension,
            ));
        };
        let named = self.associations.get(&identity, first.spi);
        let Some(signer) = named.or_else(|| self.likely_association(&identity)) else {
            // "MUST silently discard": there is no key to answer with, either.
            return Err(Refusal::Discard(
                Offender::MobileNode,
                ViolationReason::NoMobilitySecurityAssociation,
            ));
        };
        let all_fit = named.is_some_and(|association| association.verifies(first))
            // "All indicated authentications are carried out"; the first that fails ends it.
            && rest.iter().all(|other| {
                self.associations
                    .get(&identity, other.spi)
                    .is_some_and(|association| association.verifies(other))
            });
        let signer = if all_fit {
            Arc::clone(signer)
        } else {
            Arc::clone(self.likely_association(&identity).unwrap_or(signer))
        };
        let foreign = self.foreign_association(request);
        let foreign_signer = foreign.as_ref().map(Arc::clone);
        let mut answer =
            Answer::new(request, identity, self.config.address, signer, foreign_signer);
        answer.authenticated = all_fit;
        if all_fit {
            return Ok(answer);
        }
        // With an association with the foreign agent, only its valid extension earns an
        // answer; without one, Code 131 MAY be sent. It can only be seen that a
        // deregistration needs none (§3.5.4).
        if foreign.is_some()
            && !request.is_deregistration()
            && self.check_foreign_agent(request).is_err()
        {
            return Err(Refusal::Discard(Offender::MobileNode, ViolationReason::BadAuthenticator));
        }
        let denial = if named.is_none() { Denial::UnknownSpi } else { Denial::BadAuthenticator };
        Err(Refusal::Deny(Box::new(answer), denial))
    }

    /// What a mobile node whose authenticator is wrong most likely knows: what it used last.
    fn likely_association(&self, identity: &Identity) -> Option<&Arc<SecurityAssociation>> {
        let last_spi = self.state.row(identity).map(|row| row.last_spi);
        let last = last_spi.and_then(|spi| self.associations.get(identity, spi));
        last.or_else(|| self.associations.with(identity).next())
    }

    /// The association with the foreign agent that relayed the request (§3.5.4: by source
    /// address and SPI; to know that there is one at all, by source address).
    fn foreign_association(&self, request: &Request<'_>) -> Option<Arc<SecurityAssociation>> {
        let peer = Identity::Address(request.foreign_agent()?);
        let named = request.extensions.foreign_home.first();
        let named = named.and_then(|named| self.associations.get(&peer, named.spi));
        named.or_else(|| self.associations.with(&peer).next()).map(Arc::clone)
    }

    /// §3.8.2.1 b and §5.7: the replay protection.
    fn check_identification(&self, request: &Request<'_>, answer: &Answer) -> Result<(), Denial> {
        let identification = request.fixed.identification;
        let row = self.state.row(&answer.identity);
        match answer.signer.replay {
            ReplayProtection::Nonces => {
                let expected = self.expected_nonce(&answer.identity);
                if identification.high() == expected { Ok(()) } else { Err(Denial::WrongNonce) }
            }
            // §5.7: timestamps are what everybody MUST implement, so they also stand in
            // for an association with a mobile node that names no style.
            ReplayProtection::Timestamps | ReplayProtection::None => {
                let clock = clock::ntp(request.now.utc);
                if !clock::is_close(identification, clock, answer.signer.tolerance) {
                    return Err(Denial::TimestampOutOfTolerance);
                }
                let previous = row.map(|row| match row.nonce {
                    None => row.last_identification,
                    // The association used nonces until now: what was accepted last has no
                    // timestamp, so the instant at which it was stands for it.
                    Some(_) => clock::ntp(row.last_accepted_at.shifted(request.now.clock_step)),
                });
                match previous {
                    Some(previous) if clock::ahead(identification, previous) <= 0 => {
                        Err(Denial::TimestampNotGreater)
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    /// §3.8.2.1 c: exactly one valid Foreign-Home authentication if there is an association.
    ///
    /// Case d, an extension without an association, is [`Self::is_unknown_foreign_agent`].
    fn check_foreign_agent(&self, request: &Request<'_>) -> Result<(), Denial> {
        // A deregistration MUST NOT carry it, and the check MAY be skipped (§3.5.4, §3.8.1).
        if request.is_deregistration() {
            return Ok(());
        }
        let Some(foreign_agent) = request.foreign_agent() else { return Ok(()) };
        let peer = Identity::Address(foreign_agent);
        if self.associations.with(&peer).next().is_none() {
            return Ok(());
        }
        let valid = match request.extensions.foreign_home.as_slice() {
            [only] => {
                self.associations.get(&peer, only.spi).is_some_and(|known| known.verifies(only))
            }
            _ => false,
        };
        if valid { Ok(()) } else { Err(Denial::ForeignAgentFailedAuthentication) }
    }

    /// §3.8.2.1 d: whether the request claims an association with its sender that we do not have.
    fn is_unknown_foreign_agent(&self, request: &Request<'_>) -> bool {
        let claims = !request.is_deregistration() && !request.extensions.foreign_home.is_empty();
        claims && self.foreign_association(request).is_none()
    }

    /// RFC 4857 §7.4: a gateway that assigns itself must be allowed to, and must be who it says; and
    /// somebody has to say which care-of address a request without one means.
    fn check_gateway(&self, request: &Request<'_>) -> Result<(), Denial> {
        if request.gateway.is_none() {
            // A reading: a node that knows neither of its addresses deregisters with zeros (RFC 2794 §2).
            let is_open =
                request.fixed.care_of_address.is_unspecified() && !request.is_deregistration();
            return if is_open { Err(Denial::ZeroCareOfAddress) } else { Ok(()) };
        }
        if !self.config.dynamic_gateways {
            return Err(Denial::DynamicGatewayUnsupported);
        }
        // §7.3: nothing but the Foreign-Home authentication protects its address.
        let peer = request.foreign_agent().map(Identity::Address);
        let valid = match (request.extensions.foreign_home.as_slice(), peer) {
            ([only], Some(peer)) => {
                self.associations.get(&peer, only.spi).is_some_and(|known| known.verifies(only))
            }
            _ => false,
        };
        if valid { Ok(()) } else { Err(Denial::ForeignAgentFailedAuthentication) }
    }

    /// What is wrong with a request, whoever sent it.
    fn check_form(&self, request: &Request<'_>) -> Result<(), Denial> {
        let fixed = &request.fixed;
        if self.is_redirected(request) {
            return Err(Denial::Redirected);
        }
        let reject = self.config.reserved_bits == ReservedBits::Reject;
        // §3.8.2.1, §3.8.3.2: broadcast, zero, or another's address: all are told ours.
        if fixed.home_agent != self.config.address {
            return Err(Denial::UnknownHomeAgent);
        }
        if reject && fixed.flags.any(Flags::RESERVED) {
            return Err(Denial::ReservedBits);
        }
        if request.extensions.nai_misplaced {
            return Err(Denial::MisplacedNai);
        }
        if !fixed.home_address.is_unspecified() && is_nobodys(fixed.home_address) {
            return Err(Denial::InvalidHomeAddress);
        }
        // A lifetime together with the home address as care-of address is neither a
        // registration nor a deregistration (§3.5.4, §3.8.2.2).
        let of_nobody =
            is_nobodys(fixed.care_of_address) || fixed.care_of_address == fixed.home_address;
        if !request.is_deregistration() && of_nobody {
            return Err(Denial::InvalidCareOfAddress);
        }
        if request.extensions.covered.critical {
            return Err(Denial::VendorExtensionFromMobileNode);
        }
        if request.extensions.appended.critical {
            return Err(Denial::VendorExtensionFromForeignAgent);
        }
        Ok(())
    }

    /// What the mobile node asks of the tunnel (RFC 3024 §3.4).
    fn check_capabilities(&self, request: &Request<'_>) -> Result<(), Denial> {
        if request.is_deregistration() {
            return Ok(());
        }
        let flags = request.fixed.flags;
        match (self.config.reverse_tunnel, flags.any(Flags::REVERSE_TUNNEL)) {
            (ReverseTunnel::Unavailable, true) => return Err(Denial::ReverseTunnelUnavailable),
            (ReverseTunnel::Required, false) => return Err(Denial::ReverseTunnelRequired),
            _ => {}
        }
        // Both bits leave the choice to the home agent, so one that it has is enough.
        let gre = flags.any(Flags::GRE);
        let minimal = flags.any(Flags::MINIMAL_ENCAPSULATION);
        let served = gre && self.config.gre || minimal && self.config.minimal_encapsulation;
        if (gre || minimal) && !served {
            return Err(Denial::EncapsulationUnavailable);
        }
        Ok(())
    }

    /// RFC 4433 §5.3: who asks for any home agent, by its address or by the extension of those who
    /// can be redirected, is sent to another while this one goes out of service.
    fn is_redirected(&self, request: &Request<'_>) -> bool {
        let address = request.fixed.home_agent;
        let any = address.is_unspecified() || address.is_broadcast();
        let can = any && request.extensions.nai.is_some()
            || request.extensions.requested_home_agent.is_some();
        let is_new = request.identity().is_none_or(|it| self.state.bindings(&it).is_empty());
        can && is_new && !request.is_deregistration() && self.redirects_to().is_some()
    }

    /// Whether the operator lets the mobile node in; everybody may leave.
    fn check_admission(&self, request: &Request<'_>, identity: &Identity) -> Result<(), Denial> {
        if request.is_deregistration() {
            return Ok(());
        }
        if let Some(left) = self.lifetime_left(request.now)
            && (left == Lifetime::ZERO || self.state.bindings(identity).is_empty())
        {
            return Err(Denial::Draining);
        }
        match self.config.admission {
            Admission::Open => Ok(()),
            Admission::RenewalsOnly if !self.state.bindings(identity).is_empty() => Ok(()),
            Admission::RenewalsOnly => Err(Denial::Draining),
            Admission::Closed => Err(Denial::Closed),
        }
    }
}

fn is_nobodys(address: Ipv4Addr) -> bool {
    address.is_unspecified() || address.is_broadcast() || address.is_multicast()
}
