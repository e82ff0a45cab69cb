//! The subset of the Basic Encoding Rules that SNMP uses (RFC 3417 §8).
//!
//! [`Reader`] walks the TLVs of a received message: it finds the fields that
//! must be looked at before, or without, decoding the whole. [`Writer`] makes
//! responses: variable bindings are appended, headers are put in front.

mod reader;
mod writer;

pub(crate) use reader::{Malformed, Reader, Tlv, integer32, object_identifier, unsigned};
pub(crate) use writer::{Writer, nest};

/// Identifier octets (RFC 3417 §8, RFC 2578 §7.1, RFC 3416 §3).
pub(crate) mod tag {
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const NULL: u8 = 0x05;
    pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const IP_ADDRESS: u8 = 0x40;
    pub(crate) const COUNTER32: u8 = 0x41;
    pub(crate) const GAUGE32: u8 = 0x42;
    pub(crate) const TIME_TICKS: u8 = 0x43;
    pub(crate) const OPAQUE: u8 = 0x44;
    pub(crate) const COUNTER64: u8 = 0x46;
    pub(crate) const NO_SUCH_OBJECT: u8 = 0x80;
    pub(crate) const NO_SUCH_INSTANCE: u8 = 0x81;
    pub(crate) const END_OF_MIB_VIEW: u8 = 0x82;
}

#[cfg(test)]
mod tests;
