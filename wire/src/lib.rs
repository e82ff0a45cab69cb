//! Mobile IPv4 messages to octets and back (RFC 5944 and its extensions).
//!
//! The codec keeps what it does not understand: unknown codes, reserved bits
//! and unknown skippable extensions survive a round trip, because policy lives
//! in `mobility`. Nothing here reads a clock, owns a socket, or allocates from
//! a length that was not checked against the octets that arrived.

mod types;

pub use types::{Code, Flags, Identification, Lifetime, Nai, NaiError, Spi};
