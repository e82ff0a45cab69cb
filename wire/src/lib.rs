//! Mobile IPv4 messages to octets and back (RFC 5944 and its extensions).
//!
//! The codec keeps what it does not understand: unknown codes, reserved bits
//! and unknown skippable extensions survive a round trip, because policy lives
//! in `mobility`. Nothing here reads a clock, owns a socket, or allocates from
//! a length that was not checked against the octets that arrived.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod auth;
mod challenge;
mod code;
mod cursor;
mod emit;
mod error;
mod extension;
mod generalized;
mod home_network;
mod icmp;
mod message;
mod nai;
mod notification;
mod regional;
mod registration;
mod registration_extensions;
mod revocation;
mod tunnel;
mod types;
mod vendor;

pub use auth::{
    Authentication, AuthenticationAlgorithm, KeyError, SecretKey, append_authentication, verify,
};
pub use challenge::Challenge;
pub use emit::DataTooLong;
pub use error::ParseError;
pub use extension::{
    Extension, Extensions, Layout, extension_type, extensions, extensions_from, is_known,
    is_skippable, layout,
};
pub use generalized::{GeneralizedAuthentication, append_generalized_authentication};
pub use home_network::{DynamicHomeAgent, MobileNetwork, MobileNetworkCode};
pub use icmp::{
    AdvertisementFlags, AgentAdvertisement, AgentSolicitation, MobilityAgentAdvertisement,
    RouterAddress,
};
pub use message::{extensions_offset, message_type};
pub use nai::NaiCarrying;
pub use notification::{
    GenericNotification, GenericNotificationAcknowledgement, MessageDirection, MessageString,
};
pub use regional::{
    GfaIpAddress, HierarchicalForeignAgent, RegionalRegistrationLifetime,
    RegionalRegistrationReply, RegionalRegistrationRequest, ReplayProtectionStyle,
};
pub use registration::{RegistrationReply, RegistrationRequest};
pub use registration_extensions::RegistrationExtensions;
pub use revocation::{
    RegistrationRevocation, RegistrationRevocationAcknowledgment, RevocationSupport,
};
pub use tunnel::{
    EncapsulatingDeliveryStyle, ForeignAgentError, GreKey, TunnelData, UdpTunnelReply,
    UdpTunnelRequest,
};
pub use types::{Code, Flags, Identification, Lifetime, Nai, NaiError, Spi};
pub use vendor::VendorExtension;

#[cfg(test)]
mod testing;
