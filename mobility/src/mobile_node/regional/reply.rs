//! What gateways, and the foreign agents before them, answer a mobile node (RFC 4857 §5.1, §6.1,
//! §7.1, §10.2).

use std::net::Ipv4Addr;

use store::{Counter, Identity, Now, ReplayProtection, ViolationReason};
use wire::{Lifetime, RegionalRegistrationReply, RegistrationReply, Spi};

use super::Route;
use super::request::Asked;
use crate::action::{Action, Output, Received};
use crate::extensions::{Extensions, read};
use crate::mobile_node::reply::is_of_foreign_agent;
use crate::mobile_node::{MobileNode, Pending, RESYNCHRONISATIONS};
use crate::violations::Offence;

impl MobileNode {
    /// Whether a reply to a home registration through a gateway is what it seems: the gateway is in
    /// the place of the foreign agent (§4.1.2). An error is the counter of a reply to be discarded.
    ///
    /// A reading: the foreign agent in between authenticates nothing for the node, so a refusal may
    /// be its own unless the node shares keys with it; the node goes without the gateway then.
    pub(in crate::mobile_node) fn check_gateway(
        &self,
        route: Route,
        reply: &RegistrationReply,
        extensions: &Extensions<'_>,
    ) -> Result<(), Counter> {
        let is_granted = reply.code.is_accepted() && reply.lifetime != Lifetime::ZERO;
        let gateway = route.gateway(extensions);
        if is_granted && gateway.is_none() {
            return Err(Counter::MnRepliesWithoutGateway); // §7.1
        }
        let signer = self.signing_gateway(route, extensions);
        let authentic = match extensions.mobile_foreign.as_slice() {
            [] => is_of_foreign_agent(reply.code) && !self.shares_keys_with_foreign_agent(),
            [_] if is_granted => signer.is_some() && signer == gateway,
            [_] => {
                signer.is_some()
                    || is_of_foreign_agent(reply.code) && self.is_from_foreign_agent(extensions)
            }
            _ => false,
        };
        if authentic { Ok(()) } else { Err(Counter::MnRepliesFAAuthenticationFailure) }
    }

    /// The gateway that authenticates a reply to a home registration: the one that was asked, or any
    /// of those that the region may have assigned.
    fn signing_gateway(&self, route: Route, extensions: &Extensions<'_>) -> Option<Ipv4Addr> {
        let asked = match route {
            Route::Plain => Vec::new(),
            Route::Gateway(gateway) => vec![gateway],
            Route::Assigned(_) => {
                let named = extensions.gateway_covered;
                named.into_iter().chain(self.possible_gateways()).collect()
            }
        };
        let mut asked = asked.into_iter();
        asked.find(|gateway| self.is_signed_by(&Identity::Address(*gateway), extensions))
    }

    fn is_from_foreign_agent(&self, extensions: &Extensions<'_>) -> bool {
        self.agent_identity().is_some_and(|agent| self.is_signed_by(&agent, extensions))
    }

    fn is_signed_by(&self, peer: &Identity, extensions: &Extensions<'_>) -> bool {
        let [only] = extensions.mobile_foreign.as_slice() else { return false };
        self.associations.iter().any(|it| it.peer == *peer && it.verifies(only))
    }

    fn shares_keys_with_foreign_agent(&self) -> bool {
        let agent = self.agent_identity();
        self.associations.iter().any(|it| Some(&it.peer) == agent.as_ref())
    }

    /// A refusal of a home registration through a gateway, by the gateway or the foreign agent.
    pub(in crate::mobile_node) fn denied_in_region(
        &mut self,
        reply: &RegistrationReply,
        extensions: &Extensions<'_>,
        pending: &Pending,
        now: Now,
    ) -> Vec<Action> {
        let route = pending.route;
        let peer = route.peer().unwrap_or(Ipv4Addr::UNSPECIFIED);
        let signer = self.signing_gateway(route, extensions);
        let is_from_gateway = signer.is_some();
        let mut actions = Self::denied(reply.code);
        match reply.code.0 {
            // Which lifetime would do, and that the home agent cannot be reached, is no fault of
            // the gateway's.
            69 => return self.denied_by_foreign_agent(reply, now),
            78 | 80..=95 if is_from_gateway => return self.denied_by_foreign_agent(reply, now),
            // §5.3: it has no nonces; timestamps are what everybody has.
            110 if is_from_gateway && self.region.without_nonces != signer => {
                self.region.without_nonces = signer;
                self.send_at = Some(self.earliest(now));
            }
            // Another gateway was assigned than the one that it was authenticated for: it says who
            // it is, or not.
            67 if matches!(route, Route::Assigned(_)) && signer.is_some_and(|it| it != peer) => {
                (self.region.assigned, self.region.guess) = (signer, 0);
                self.send_at = Some(self.earliest(now));
            }
            67 if matches!(route, Route::Assigned(_)) && self.has_other_guess() => {
                self.region.guess += 1;
                self.send_at = Some(self.earliest(now));
            }
            _ => {
                self.region.guess = 0;
                let suspect = route.suspect().unwrap_or(peer);
                actions.extend(self.fail_gateway(suspect, Some(reply.code), now));
            }
        }
        actions
    }

    fn has_other_guess(&self) -> bool {
        self.region.guess + 1 < self.possible_gateways().len()
    }

    pub(in crate::mobile_node) fn on_regional_reply(
        &mut self,
        received: &Received<'_>,
        now: Now,
    ) -> Output {
        type Fixed = RegionalRegistrationReply;
        let (reply, extensions) = match read(received.octets, Fixed::LEN, Fixed::parse) {
            Ok(parsed) => parsed,
            Err(error) => {
                self.tally.count_malformed(&error);
                return Output::default();
            }
        };
        self.tally.count_reply(reply.code);
        if let Err(reason) = self.check_regional(&reply, &extensions) {
            self.tally.count(Counter::MnRegionalRepliesDiscarded);
            // A reply to a request before the last one changes nothing, but the gateway is there.
            if self.is_of_gateway(&reply, &extensions) {
                self.heard_of_gateway();
            }
            if let Some(reason) = reason {
                self.note_forgery(&reply, &extensions, reason, received, now);
            }
            return Output::default();
        }
        let Some(asked) = self.region.asked.take() else { return Output::default() };
        self.is_row_stale = true;
        let is_of_gateway = !extensions.mobile_gateway.is_empty();
        if is_of_gateway {
            self.heard_of_gateway();
        }
        let uses_nonces = self.visit().is_some_and(|it| it.replay == ReplayProtection::Nonces);
        if uses_nonces && is_of_gateway {
            // RFC 5944 §5.7.2: every reply brings the nonce of the next request.
            self.region.clock.take_nonce(reply.identification);
        }
        if reply.code.is_accepted() {
            return Output::at_once(self.regionally_accepted(&reply, &asked, now));
        }
        self.tally.count(Counter::MnRegionalRequestsDenied);
        let mut actions = Self::denied(reply.code);
        actions.extend(self.regionally_denied(&reply, uses_nonces, now));
        Output::at_once(actions)
    }

    /// An error is a reply to be discarded, with the reason if that is a security exception.
    fn check_regional(
        &self,
        reply: &RegionalRegistrationReply,
        extensions: &Extensions<'_>,
    ) -> Result<(), Option<ViolationReason>> {
        let Some(Asked { request, .. }) = &self.region.asked else { return Err(None) };
        if reply.identification.low() != request.identification.low()
            || reply.home_address != request.home_address
            || reply.gfa_ip_address != request.gfa_ip_address
        {
            return Err(None);
        }
        match extensions.mobile_gateway.as_slice() {
            // §10: every one of a gateway has it. What the foreign agent says is a refusal.
            [] if is_of_foreign_agent(reply.code) => Ok(()),
            [_] if self.is_of_gateway(reply, extensions) => Ok(()),
            [_] => Err(Some(ViolationReason::BadAuthenticator)),
            _ => Err(Some(ViolationReason::MissingSecurityExtension)),
        }
    }

    /// Whether the gateway that it names authenticates a reply.
    fn is_of_gateway(
        &self,
        reply: &RegionalRegistrationReply,
        extensions: &Extensions<'_>,
    ) -> bool {
        let [only] = extensions.mobile_gateway.as_slice() else { return false };
        let gateway = Identity::Address(reply.gfa_ip_address);
        self.associations.iter().any(|it| it.peer == gateway && it.verifies(only))
    }

    fn note_forgery(
        &mut self,
        reply: &RegionalRegistrationReply,
        extensions: &Extensions<'_>,
        reason: ViolationReason,
        received: &Received<'_>,
        now: Now,
    ) {
        self.tally.count(Counter::MipSecTotalViolations);
        let spi = extensions.mobile_gateway.first().map_or(Spi(0), |it| it.spi);
        let offence = Offence {
            violator: Identity::Address(reply.gfa_ip_address),
            address: *received.source.ip(),
            spi,
            identification: reply.identification,
            reason,
            code: None,
        };
        self.violations.record(offence, now);
    }

    /// The gateway knows where the node is; its home agent heard nothing of it.
    fn regionally_accepted(
        &mut self,
        reply: &RegionalRegistrationReply,
        asked: &Asked,
        now: Now,
    ) -> Vec<Action> {
        self.tally.count(Counter::MnRegionalRequestsAccepted);
        self.region.resynchronisations = 0;
        let lifetime = reply.lifetime.min(asked.request.lifetime);
        if lifetime == Lifetime::ZERO {
            // §10.2: the gateway has deregistered it.
            self.forget_visit("left-region", now);
            self.send_at = Some(self.earliest(now));
            return Vec::new();
        }
        let agent_address = *self.destination().ip();
        let realm = self.offer().and_then(|offer| offer.realm);
        let home_renew_at = self.registration.and_then(|it| it.renew_at);
        let per_mille = 700 + self.random.next_u32() % 100;
        let care_of_address = asked.request.care_of_address;
        let Some(visit) = &mut self.region.visit else { return Vec::new() };
        visit.realm = realm;
        visit.local_care_of_address = care_of_address;
        visit.lifetime = lifetime;
        visit.identification = asked.request.identification;
        visit.accepted += 1;
        visit.arm(asked.sent_at, per_mille, home_renew_at);
        if let Some(registration) = &mut self.registration {
            registration.agent_address = agent_address;
        }
        vec![Action::RegionallyRegistered {
            home_address: reply.home_address,
            gateway: reply.gfa_ip_address,
            care_of_address,
            lifetime,
        }]
    }

    fn regionally_denied(
        &mut self,
        reply: &RegionalRegistrationReply,
        uses_nonces: bool,
        now: Now,
    ) -> Vec<Action> {
        let gateway = reply.gfa_ip_address;
        let offered = self.offer().and_then(|offer| offer.gateway);
        match reply.code.0 {
            133 if self.region.resynchronisations < RESYNCHRONISATIONS => {
                self.region.resynchronisations += 1;
                if !uses_nonces {
                    self.region.clock.correct(reply.identification, now);
                }
                self.region.send_at = Some(self.earliest(now));
                Vec::new()
            }
            // §6: the foreign agent relays to another gateway alone, which the home agent is told.
            112 if offered != Some(gateway) => self.register_at_home_again(now),
            // §6.3: the gateway has no home registration of the node. §3.6.2.3 of RFC 5944: what
            // was too long is worked out between node and home agent.
            69 | 193 => self.register_at_home_again(now),
            _ => self.fail_gateway(gateway, Some(reply.code), now),
        }
    }

    /// Goes on with a home registration; the old one is in force until then.
    fn register_at_home_again(&mut self, now: Now) -> Vec<Action> {
        self.forget_visit("left-region", now);
        self.send_at = Some(self.earliest(now));
        Vec::new()
    }
}
