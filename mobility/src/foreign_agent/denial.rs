//! Why a foreign agent refuses a request or a reply, and what that means on the wire and in the MIB.

use store::{Counter, ViolationReason};
use wire::Code;

/// Why the foreign agent denies a mobile node (RFC 5944 §3.4, §3.7).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum ForeignAgentDenial {
    /// The operator closed the foreign agent without a word.
    Closed,
    /// Only visitors that it has already are served: it is busy, or being drained.
    Draining,
    /// The home agent does not take part in revocation, and has to (RFC 3543 §4.2.1).
    RevocationRequired,
    TooManyVisitors,
    /// Too many requests wait for their replies (§3.7.1).
    TooManyPending,
    /// The store did not take the visitor.
    CommitFailed,
    /// The mobile node's authentication is missing, repeated or wrong (§3.7.2.1).
    MobileNodeFailedAuthentication,
    /// The home agent's authentication is missing, repeated or wrong (§3.7.3.1).
    HomeAgentFailedAuthentication,
    LifetimeTooLong,
    /// A reserved bit is set (§3.7.2.1).
    ReservedBits,
    /// Nothing in the request authenticates it for the home agent (§3.3).
    Unauthenticated,
    /// An NAI stands where no authentication covers it, or there are two (RFC 2794 §2).
    MisplacedNai,
    PoorlyFormedReply,
    EncapsulationUnavailable,
    ReverseTunnelUnavailable,
    ReverseTunnelRequired,
    /// The request came over a router (RFC 3024 §3.4).
    TooDistant,
    DeliveryStyleUnsupported,
    /// The care-of address is not one of ours (§3.7.2.1).
    InvalidCareOfAddress,
    /// The care-of address is all ones, which is no address (RFC 4857 §5.2).
    BroadcastCareOfAddress,
    /// There is no association with the gateway that the request is for (RFC 4857 §5.2).
    GatewayAssociationMissing,
    /// A regional request is for a gateway that is not of our region (RFC 4857 §6.2).
    UnknownGateway,
    GatewayUnreachable,
    GatewayHostUnreachable,
    GatewayPortUnreachable,
    /// No reply within the time for it (§3.7.1).
    Timeout,
    NetworkUnreachable,
    HostUnreachable,
    PortUnreachable,
    Unreachable,
    /// The home agent address is one of ours, or nobody's (§3.7.2).
    InvalidHomeAgent,
    /// Neither a home address nor an NAI says who asks (RFC 2794 §3).
    HomeAddressRequired,
    /// The reply lacks the NAI, the home agent, or the home address (RFC 2794 §3).
    MissingNai,
    MissingHomeAgent,
    MissingHomeAddress,
    /// A critical vendor extension for us (RFC 3115 §2.4).
    VendorExtensionFromMobileNode,
    VendorExtensionFromHomeAgent,
}

impl ForeignAgentDenial {
    /// The Code that tells the mobile node, and the counter that tells the operator; some have none.
    pub const fn answer(self) -> (Code, Option<Counter>) {
        match self {
            Self::Closed => (Code(64), Some(Counter::FaReasonUnspecified)),
            Self::Draining | Self::RevocationRequired | Self::GatewayAssociationMissing => {
                (Code(65), Some(Counter::FaAdmProhibited))
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
            | Self::BroadcastCareOfAddress => (Code(70), Some(Counter::FaPoorlyFormedRequests)),
            Self::PoorlyFormedReply => (Code(71), Some(Counter::FaPoorlyFormedReplies)),
            Self::EncapsulationUnavailable => (Code(72), Some(Counter::FaEncapsulationUnavailable)),
            Self::ReverseTunnelUnavailable => (Code(74), Some(Counter::FaReverseTunnelUnavailable)),
            Self::ReverseTunnelRequired => (Code(75), Some(Counter::FaReverseTunnelBitNotSet)),
            Self::TooDistant => (Code(76), Some(Counter::FaMnTooDistant)),
            Self::InvalidCareOfAddress => (Code(77), None),
            Self::Timeout => (Code(78), None),
            Self::DeliveryStyleUnsupported => (Code(79), Some(Counter::FaDeliveryStyleUnsupported)),
            Self::NetworkUnreachable => (Code(80), Some(Counter::FaHAUnreachable)),
            Self::HostUnreachable => (Code(81), Some(Counter::FaHAUnreachable)),
            Self::PortUnreachable => (Code(82), Some(Counter::FaHAUnreachable)),
            Self::Unreachable => (Code(88), Some(Counter::FaHAUnreachable)),
            Self::HomeAddressRequired => (Code(96), Some(Counter::FaNonZeroHomeAddressRequired)),
            Self::MissingNai => (Code(97), None),
            Self::MissingHomeAgent => (Code(98), None),
            Self::MissingHomeAddress => (Code(99), None),
            Self::UnknownGateway => (Code(112), None),
            Self::GatewayUnreachable => (Code(113), Some(Counter::FaHAUnreachable)),
            Self::GatewayHostUnreachable => (Code(114), Some(Counter::FaHAUnreachable)),
            Self::GatewayPortUnreachable => (Code(115), Some(Counter::FaHAUnreachable)),
            Self::VendorExtensionFromMobileNode => {
                (Code(100), Some(Counter::FaCvsesFromMnUnsupported))
            }
            Self::VendorExtensionFromHomeAgent => {
                (Code(101), Some(Counter::FaCvsesFromHaUnsupported))
            }
            // The RFC prints 194, in a range of another agent; IANA assigned 116 for it.
            Self::InvalidHomeAgent => (Code(116), None),
        }
    }

    pub const fn code(self) -> Code {
        self.answer().0
    }

    /// Its security violation, if it is one.
    pub const fn violation(self) -> Option<ViolationReason> {
        match self.code().0 {
            67 | 68 => Some(ViolationReason::BadAuthenticator),
            _ => None,
        }
    }

    /// Its word in trails and logs.
    pub fn word(self) -> String {
        crate::words::kebab(&format!("{self:?}"))
    }
}
