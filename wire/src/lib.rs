//! Mobile IPv4 messages to octets and back (RFC 5944 and its extensions).
//!
//! The codec keeps what it does not understand: unknown codes, reserved bits
//! and unknown skippable extensions survive a round trip, because policy lives
//! in `mobility`. Nothing here reads a clock, owns a socket, or allocates from
//! a length that was not checked against the octets that arrived.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod auth;
mod cursor;
mod error;
mod extension;
mod message;
mod nai;
mod registration;
mod registration_extensions;
mod types;

pub use auth::{
    Authentication, AuthenticationAlgorithm, KeyError, SecretKey, append_authentication, verify,
};
pub use error::ParseError;
pub use extension::{
    Extension, Extensions, Layout, extension_type, extensions, extensions_from, is_known,
    is_skippable, layout,
};
pub use message::{extensions_offset, message_type};
pub use registration::{RegistrationReply, RegistrationRequest};
pub use registration_extensions::RegistrationExtensions;
pub use types::{Code, Flags, Identification, Lifetime, Nai, NaiError, Spi};
