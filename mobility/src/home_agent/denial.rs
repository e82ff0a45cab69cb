//! Why a request is refused, and what that means on the wire and in the MIB.

use store::{Counter, ViolationReason};
use wire::Code;

/// Why the home agent refuses a request that it understood (RFC 5944 §3.8.2.3).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Denial {
    /// The operator closed the home agent without a word.
    Closed,
    /// The home agent is being drained and takes no new mobile nodes.
    Draining,
    /// The same, and the node asks for any home agent: it is told of another (RFC 4433 §5.3).
    Redirected,
    /// The home address is none of our networks' (§3.8.3.2).
    HomeAddressNotServed,
    /// Another mobile node has the home address.
    HomeAddressTaken,
    /// Revocation cannot be negotiated, and must be (RFC 3543 §4.2.1).
    RevocationRequired,
    /// No address of the pools is free.
    PoolExhausted,
    /// The limit of all bindings is reached.
    TooManyBindingsInAll,
    /// Too many requests wait for the store.
    Overloaded,
    /// The store did not take the binding.
    CommitFailed,
    /// The authenticator does not fit the association that the SPI names.
    BadAuthenticator,
    /// The mobile node has associations, but none with this SPI.
    UnknownSpi,
    /// The foreign agent's authentication is missing, repeated or wrong.
    ForeignAgentFailedAuthentication,
    /// The timestamp is too far from our clock.
    TimestampOutOfTolerance,
    /// The timestamp is not greater than that of a request accepted before.
    TimestampNotGreater,
    /// The nonce is not the one that was handed out.
    WrongNonce,
    /// A reserved bit is set.
    ReservedBits,
    /// The care-of address can be nobody's, or is the home address.
    InvalidCareOfAddress,
    /// There is no care-of address, and no gateway that assigned itself (RFC 4857 §7.4).
    ZeroCareOfAddress,
    /// Gateways must not assign themselves here.
    DynamicGatewayUnsupported,
    /// The home address can be nobody's.
    InvalidHomeAddress,
    /// An NAI stands where no authentication covers it, or there are two (RFC 2794 §2).
    MisplacedNai,
    /// The mobile node may not have one more binding.
    TooManySimultaneousBindings,
    /// The request names another home agent, or asks for any (§3.6.1.2).
    UnknownHomeAgent,
    ReverseTunnelUnavailable,
    ReverseTunnelRequired,
    EncapsulationUnavailable,
    /// The mobile node sent a critical vendor extension (RFC 3115 §2.4).
    VendorExtensionFromMobileNode,
    /// The foreign agent sent one.
    VendorExtensionFromForeignAgent,
}

impl Denial {
    /// The Code that tells the mobile node, and the counter that tells the operator.
    pub const fn answer(self) -> (Code, Counter) {
        match self {
            Self::Closed => (Code(128), Counter::HaReasonUnspecified),
            Self::Draining
            | Self::HomeAddressNotServed
            | Self::HomeAddressTaken
            | Self::RevocationRequired => (Code(129), Counter::HaAdmProhibited),
            Self::Redirected => (Code(143), Counter::HaAdmProhibited),
            Self::PoolExhausted
            | Self::TooManyBindingsInAll
            | Self::Overloaded
            | Self::CommitFailed => (Code(130), Counter::HaInsufficientResource),
            Self::BadAuthenticator | Self::UnknownSpi => {
                (Code(131), Counter::HaMNAuthenticationFailure)
            }
            Self::ForeignAgentFailedAuthentication => {
                (Code(132), Counter::HaFAAuthenticationFailure)
            }
            Self::TimestampOutOfTolerance | Self::TimestampNotGreater | Self::WrongNonce => {
                (Code(133), Counter::HaIDMismatch)
            }
            Self::ReservedBits
            | Self::InvalidCareOfAddress
            | Self::InvalidHomeAddress
            | Self::MisplacedNai => (Code(134), Counter::HaPoorlyFormedRequest),
            Self::TooManySimultaneousBindings => (Code(135), Counter::HaTooManyBindings),
            Self::UnknownHomeAgent => (Code(136), Counter::HaUnknownHA),
            Self::ReverseTunnelUnavailable => (Code(137), Counter::HaReverseTunnelUnavailable),
            Self::ReverseTunnelRequired => (Code(138), Counter::HaReverseTunnelBitNotSet),
            // The draft's text names Code 72, which is a foreign agent's; RFC 3024 §3.4
            // gives the home agent 139 for the same.
            Self::EncapsulationUnavailable => (Code(139), Counter::HaEncapsulationUnavailable),
            Self::ZeroCareOfAddress => (Code(145), Counter::HaPoorlyFormedRequest),
            Self::DynamicGatewayUnsupported => (Code(146), Counter::HaAdmProhibited),
            Self::VendorExtensionFromMobileNode => (Code(140), Counter::HaCvsesFromMnUnsupported),
            Self::VendorExtensionFromForeignAgent => (Code(141), Counter::HaCvsesFromFaUnsupported),
        }
    }

    /// The Code of the reply.
    pub const fn code(self) -> Code {
        self.answer().0
    }

    /// Its word in trails and logs.
    pub fn word(self) -> String {
        crate::words::kebab(&format!("{self:?}"))
    }

    /// Its security violation, if it is one.
    pub const fn violation(self) -> Option<ViolationReason> {
        match self.code().0 {
            131 => match self {
                Self::UnknownSpi => Some(ViolationReason::BadSpi),
                _ => Some(ViolationReason::BadAuthenticator),
            },
            132 => Some(ViolationReason::BadAuthenticator),
            133 => Some(ViolationReason::BadIdentifier),
            _ => None,
        }
    }
}
