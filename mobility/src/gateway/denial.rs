//! Why a gateway refuses a request or a reply, and what that means on the wire and in the MIB.

use store::{Counter, ViolationReason};
use wire::Code;

/// Why the gateway denies a mobile node (RFC 4857 §5.3, §6.3, §7.3; RFC 5944 §3.4).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum GatewayDenial {
    /// The operator closed the gateway without a word.
    Closed,
    /// Only visitors that it has already are served.
    Draining,
    /// The home agent has nothing to do with revocation, and that is not enough (RFC 3543 §4.2.1).
    RevocationRequired,
    /// What sent it is no foreign agent of this region.
    ForeignAgentOfAnotherRegion,
    /// It is one of another gateway: the two have not heard of a change of their regions at the same
    /// instant. Nobody is told, and the node asks again.
    ForeignAgentOfAnotherGateway,
    /// The foreign agent's authentication is missing, repeated or wrong (RFC 4857 §11).
    ForeignAgentFailedAuthentication,
    TooManyVisitors,
    TooManyPending,
    /// The store did not take the visitor.
    CommitFailed,
    /// The mobile node's authentication is missing, repeated or wrong.
    MobileNodeFailedAuthentication,
    /// The home agent's authentication is missing, repeated or wrong.
    HomeAgentFailedAuthentication,
    LifetimeTooLong,
    ReservedBits,
    /// Nothing in the request authenticates it for the home agent, or for us.
    Unauthenticated,
    MisplacedNai,
    /// Nothing says where the node is (RFC 4857 §5.2), or nothing protects what does.
    MissingHierarchy,
    PoorlyFormedReply,
    EncapsulationUnavailable,
    ReverseTunnelUnavailable,
    ReverseTunnelRequired,
    /// The care-of address is not ours.
    InvalidCareOfAddress,
    Timeout,
    NetworkUnreachable,
    HostUnreachable,
    PortUnreachable,
    Unreachable,
    HomeAddressRequired,
    /// The replay protection that is asked for is not offered (RFC 4857 §5.3).
    ReplayProtectionUnavailable,
    /// Requests without a care-of address are not taken (RFC 4857 §7.3).
    DynamicAssignmentUnsupported,
    /// They are, but nothing could protect our address on its way to that home agent.
    DynamicAssignmentUnprotected,
    InvalidHomeAgent,
    /// The timestamp or nonce of a regional request is not right.
    IdentificationMismatch,
    /// There is no home registration, or it has ended (RFC 4857 §6.3).
    NoHomeRegistration,
}

impl GatewayDenial {
    /// The Code that tells the mobile node, and the counter that tells the operator; some have none.
    pub const fn answer(self) -> (Code, Option<Counter>) {
        match self {
            Self::Closed => (Code(64), Some(Counter::FaReasonUnspecified)),
            Self::Draining | Self::RevocationRequired => (Code(65), Some(Counter::FaAdmProhibited)),
            // A reading: the RFC has no Code for a foreign agent that is not believed; the node
            // cannot mend it, and another foreign agent may do.
            Self::ForeignAgentOfAnotherRegion
            | Self::ForeignAgentOfAnotherGateway
            | Self::ForeignAgentFailedAuthentication => {
                (Code(65), Some(Counter::RegionalStrangersRefused))
            }
            Self::TooManyVisitors | Self::TooManyPending | Self::CommitFailed => {
                (Code(66), Some(Counter::FaInsufficientResource))
            }
            Self::MobileNodeFailedAuthentication => {
                (Code(67), Some(Counter::FaMNAuthenticationFailure))
            }
            Self::HomeAgentFailedAuthentication => {
                (Code(68), Some(Counter::FaHAAuthenticationFailure))
            }
            Self::LifetimeTooLong => (Code(69), Some(Counter::FaRegLifetimeTooLong)),
            Self::ReservedBits
            | Self::Unauthenticated
            | Self::MisplacedNai
            | Self::MissingHierarchy => (Code(70), Some(Counter::FaPoorlyFormedRequests)),
            Self::PoorlyFormedReply => (Code(71), Some(Counter::FaPoorlyFormedReplies)),
            Self::EncapsulationUnavailable => (Code(72), Some(Counter::FaEncapsulationUnavailable)),
            Self::ReverseTunnelUnavailable => (Code(74), Some(Counter::FaReverseTunnelUnavailable)),
            Self::ReverseTunnelRequired => (Code(75), Some(Counter::FaReverseTunnelBitNotSet)),
            Self::InvalidCareOfAddress => (Code(77), None),
            Self::Timeout => (Code(78), None),
            Self::NetworkUnreachable => (Code(80), Some(Counter::FaHAUnreachable)),
            Self::HostUnreachable => (Code(81), Some(Counter::FaHAUnreachable)),
            Self::PortUnreachable => (Code(82), Some(Counter::FaHAUnreachable)),
            Self::Unreachable => (Code(88), Some(Counter::FaHAUnreachable)),
            Self::HomeAddressRequired => (Code(96), Some(Counter::FaNonZeroHomeAddressRequired)),
            Self::ReplayProtectionUnavailable => (Code(110), None),
            Self::DynamicAssignmentUnsupported | Self::DynamicAssignmentUnprotected => {
                (Code(111), None)
            }
            Self::InvalidHomeAgent => (Code(116), None),
            // A reading: RFC 4857 §10.2 takes the Codes of RFC 5944, where this one is the home
            // agent's; for regional requests the gateway is in its place.
            Self::IdentificationMismatch => (Code(133), None),
            Self::NoHomeRegistration => (Code(193), None),
        }
    }

    pub const fn code(self) -> Code {
        self.answer().0
    }

    /// Its security violation, if it is one.
    pub const fn violation(self) -> Option<ViolationReason> {
        match self {
            Self::MobileNodeFailedAuthentication
            | Self::HomeAgentFailedAuthentication
            | Self::ForeignAgentFailedAuthentication => Some(ViolationReason::BadAuthenticator),
            Self::ForeignAgentOfAnotherRegion => {
                Some(ViolationReason::NoMobilitySecurityAssociation)
            }
            Self::IdentificationMismatch => Some(ViolationReason::BadIdentifier),
            _ => None,
        }
    }

    /// Its word in trails and logs.
    pub fn word(self) -> String {
        crate::words::kebab(&format!("{self:?}"))
    }
}
