//! Regional requests of a mobile node (RFC 4857 §6, §10.1), and what home registrations through a
//! gateway carry for it.

use std::net::Ipv4Addr;
use std::time::Duration;

use store::{Counter, Now, ReplayProtection, Time};
use wire::{
    GeneralizedAuthentication, Identification, Lifetime, RegionalRegistrationRequest,
    ReplayProtectionStyle, extension_type,
};

use super::failure::ATTEMPTS;
use crate::action::Action;
use crate::mobile_node::{MobileNode, SPACING};

/// A regional request that waits for its reply.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) request: RegionalRegistrationRequest,
    octets: Vec<u8>,
    pub(super) sent_at: Time,
    pub(super) resend_at: Time,
    timeout: Duration,
    attempts: u32,
}

impl MobileNode {
    /// §4.1.2, §9.3: what a home registration says to the gateway goes behind what is for the home
    /// agent, under the Mobile-Foreign authentication.
    pub(in crate::mobile_node) fn sign_for_gateway(
        &self,
        gateway: Ipv4Addr,
        lifetime: Lifetime,
        octets: &mut Vec<u8>,
    ) {
        let Some(association) = self.gateway_association(gateway) else { return };
        let wants_nonces = association.replay == ReplayProtection::Nonces
            && self.region.without_nonces != Some(gateway);
        if wants_nonces && lifetime != Lifetime::ZERO {
            let initial_identification = Identification::default();
            ReplayProtectionStyle { style: ReplayProtectionStyle::NONCE, initial_identification }
                .emit(octets);
        }
        association.sign(octets, extension_type::MOBILE_FOREIGN_AUTHENTICATION);
    }

    /// Sends the first regional request of a series.
    pub(super) fn ask_gateway(&mut self, now: Now) -> Vec<Action> {
        self.region.send_at = None;
        let timeout = self.config.timeout.max(SPACING);
        match self.regional_request(now) {
            Some((request, octets)) => vec![self.send_regional(request, octets, timeout, 1, now)],
            None => Vec::new(),
        }
    }

    /// The reply did not come: asks again, or does without the gateway.
    pub(super) fn ask_gateway_again(&mut self, now: Now) -> Vec<Action> {
        let Some(asked) = self.region.asked.take() else { return Vec::new() };
        let Asked { request, octets, timeout, attempts, .. } = asked;
        if attempts >= ATTEMPTS {
            return self.fail_gateway(request.gfa_ip_address, None, now);
        }
        let uses_nonces = self.visit().is_some_and(|it| it.replay == ReplayProtection::Nonces);
        // RFC 5944 §3.6.3: with nonces the same octets again; with timestamps a new request.
        let again = if uses_nonces { Some((request, octets)) } else { self.regional_request(now) };
        let Some((request, octets)) = again else { return Vec::new() };
        let timeout = (timeout * 2).min(self.config.timeout_max).max(SPACING);
        vec![self.send_regional(request, octets, timeout, attempts + 1, now)]
    }

    fn send_regional(
        &mut self,
        request: RegionalRegistrationRequest,
        octets: Vec<u8>,
        timeout: Duration,
        attempts: u32,
        now: Now,
    ) -> Action {
        self.tally.count(Counter::MnRegionalRequestsSent);
        self.note_asked(Some(request.gfa_ip_address), now);
        let (sent_at, resend_at) = (now.uptime, now.uptime + timeout);
        let sent = octets.clone();
        self.region.asked = Some(Asked { request, octets, sent_at, resend_at, timeout, attempts });
        self.last_sent_at = Some(now.uptime);
        self.is_row_stale = true;
        self.send_octets(sent)
    }

    /// A new regional request, signed; `None` if there is no registration to base it on.
    fn regional_request(&mut self, now: Now) -> Option<(RegionalRegistrationRequest, Vec<u8>)> {
        let visit = self.visit()?;
        let (gateway, replay) = (visit.gateway, visit.replay);
        // §6.3: what is left of the home registration is the most that it can get.
        let expires_at = self.registration?.expires_at;
        let left = expires_at.map_or(Lifetime::INFINITE, |at| {
            let seconds = at.since(now.uptime).as_secs();
            u16::try_from(seconds).map_or(Lifetime::INFINITE, Lifetime)
        });
        let lifetime = self.lifetime.min(self.longest()).min(left);
        let identification = self.region.clock.identification(replay, &mut self.random, now);
        let request = RegionalRegistrationRequest {
            flags: self.flags(),
            // A second is what is left before the home registration is renewed at the latest.
            lifetime: lifetime.max(Lifetime(1)),
            home_address: self.home_address?,
            gfa_ip_address: gateway,
            care_of_address: self.care_of_address(),
            identification,
        };
        let mut octets = Vec::with_capacity(96);
        request.emit(&mut octets);
        if let Some(nai) = &self.config.nai {
            nai.emit(&mut octets);
        }
        let association = self.gateway_association(gateway)?;
        association.sign_generalized(&mut octets, GeneralizedAuthentication::MOBILE_GATEWAY);
        Some((request, octets))
    }
}
