//! Registration revocation (RFC 3543): what home agents, foreign agents and mobile nodes share.

pub(crate) mod message;
mod outstanding;
mod recent;
mod revocable;
mod revoker;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use store::UtcTime;
use wire::RegistrationRevocation;

use crate::clock;

pub(crate) use outstanding::{Draft, Outstanding, Revocation, Turn};
pub(crate) use recent::{Recent, Verdict};
pub(crate) use revoker::{Meant, Revoker, Revoking, Sender, Work};

/// How long two messages about one binding are apart at least (§3.3).
pub(crate) const SPACING: Duration = Duration::from_secs(1);

/// How many revocations one turn begins, repeats or ends.
pub(crate) const AT_ONCE: usize = 256;

/// What an operator decides about revocation; [`RevocationConfig::default`] has the defaults.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own in the configuration file"
)]
pub struct RevocationConfig {
    /// Whether it is negotiated at all.
    pub enabled: bool,
    /// Whether the use of the `I` bit is offered, or agreed to (§3.2).
    pub negotiates_inform: bool,
    /// Whether mobile nodes are informed unless an operation says otherwise; where the `I` bit is
    /// not negotiated, the policy of a foreign agent (§3.4: "highly recommended").
    pub informs: bool,
    /// Whether registrations for which it cannot be negotiated are refused (§4.2.1).
    pub is_required: bool,
    /// Whether a home agent revokes what a mobile node left behind by moving.
    pub on_handoff: bool,
    /// How many messages are sent before it goes without an acknowledgment.
    pub attempts_max: u32,
    /// How long the first one waits for it; each one after it twice as long.
    pub timeout: Duration,
    /// Where revocations are sent to.
    pub port: RevocationPort,
    /// Peers that tell apart nodes with one home address by an NAI extension. The RFC does not
    /// provide for it, so it is sent to nobody else.
    pub nai_peers: BTreeSet<Ipv4Addr>,
}

impl Default for RevocationConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            negotiates_inform: true,
            informs: true,
            is_required: false,
            on_handoff: true,
            attempts_max: 3,
            timeout: Duration::from_secs(1),
            port: RevocationPort::Fixed(crate::PORT),
            nai_peers: BTreeSet::new(),
        }
    }
}

/// Which port of a peer revocations are sent to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RevocationPort {
    /// This one; the RFC says 434 (§3.3).
    Fixed(u16),
    /// That which the last registration came from, for peers behind translators, and where the
    /// agents of a laboratory share no port 434.
    OfRegistration,
}

impl RevocationPort {
    pub(crate) const fn or(self, registration: u16) -> u16 {
        match self {
            Self::Fixed(port) => port,
            Self::OfRegistration => registration,
        }
    }
}

impl RevocationConfig {
    /// How long the message numbered `sent`, from 1, waits for its acknowledgment.
    pub(crate) fn wait(&self, sent: usize) -> Duration {
        let doublings = u32::try_from(sent.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
        self.timeout.max(SPACING).saturating_mul(1 << doublings)
    }

    /// What is offered at `at` by who forwards a request (§4.2.1), later than what was said `before`
    /// and `used` since; `None` if it is not to be negotiated.
    pub(crate) fn offer(
        &self,
        before: Option<store::RevocationSupport>,
        used: Option<u32>,
        at: UtcTime,
    ) -> Option<Offer> {
        if !self.enabled {
            return None;
        }
        let before = before.map(|it| it.own_timestamp);
        let timestamp = before.into_iter().chain(used).fold(clock::seconds(at), clock::later);
        Some(Offer { inform: self.negotiates_inform, timestamp })
    }

    /// Whether a mobile node is informed of a revocation of its home agent (§4.2.2.2): where the `I`
    /// bit was negotiated it decides, and our policy elsewhere.
    pub(crate) fn informs_of(
        &self,
        fixed: &RegistrationRevocation,
        negotiated: Option<&store::RevocationSupport>,
    ) -> bool {
        match negotiated {
            Some(negotiated) if uses_inform(negotiated) => fixed.informs(),
            Some(_) => self.informs,
            None => false,
        }
    }
}

/// What one side decided about a registration.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Offer {
    pub(crate) inform: bool,
    pub(crate) timestamp: u32,
}

impl Offer {
    /// The extension that says so.
    pub(crate) fn emit(self, out: &mut Vec<u8>) {
        let flags = if self.inform { wire::RevocationSupport::INFORM } else { 0 };
        wire::RevocationSupport { flags, timestamp: self.timestamp }.emit(out);
    }

    /// What was negotiated, once the other side has said `support`.
    pub(crate) fn with(self, support: wire::RevocationSupport) -> store::RevocationSupport {
        store::RevocationSupport {
            peer_inform: support.informs(),
            own_inform: self.inform,
            peer_timestamp: support.timestamp,
            own_timestamp: self.timestamp,
        }
    }
}

/// Whether both sides agreed to use the `I` bit (§3.2).
pub(crate) const fn uses_inform(negotiated: &store::RevocationSupport) -> bool {
    negotiated.peer_inform && negotiated.own_inform
}
