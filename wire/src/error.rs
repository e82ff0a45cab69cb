//! Why octets are not a message.

use crate::NaiError;

/// Why octets are not a Mobile IPv4 message.
///
/// The receiver counts the failure and drops the datagram; a parse error is
/// never answered. What is well-formed but wrong is a denial, and not of this crate.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ParseError {
    /// The message ends inside a field.
    #[error("{need} octets needed, {have} left")]
    Truncated { need: usize, have: usize },
    /// The first octet names another message.
    #[error("message type {got}, want {want}")]
    UnexpectedType { got: u8, want: u8 },
    /// The first octet names no message that this crate reads.
    #[error("message type {0} is unknown")]
    UnknownMessage(u8),
    /// An unknown extension in the range 0–127 (RFC 5944 §1.8).
    #[error("extension type {0} is unknown and must not be skipped")]
    UnskippableExtension(u8),
    /// The message ends inside an extension.
    #[error("extension type {kind} says {need} octets, {have} left")]
    ExtensionTruncated { kind: u8, need: usize, have: usize },
    /// An extension has a length that its type forbids.
    #[error("extension type {kind} cannot have {length} octets of data")]
    ExtensionLength { kind: u8, length: usize },
    /// A known extension of a sub-type that its reader does not know.
    #[error("extension type {kind} has the unknown sub-type {subtype}")]
    ExtensionSubtype { kind: u8, subtype: u8 },
    /// The reader of one extension was given another.
    #[error("extension type {got}, want {want}")]
    UnexpectedExtension { got: u8, want: u8 },
    /// The Mobile Node NAI extension holds no NAI (RFC 2794 §2).
    #[error("the NAI extension holds no NAI")]
    Nai(#[source] NaiError),
    /// Text that is not UTF-8.
    #[error("extension type {0} holds text that is not UTF-8")]
    ExtensionText(u8),
    /// The checksum of an ICMP message is wrong (RFC 1256 §3).
    #[error("checksum {0:#06x} where all ones were due")]
    Checksum(u16),
}

impl ParseError {
    /// One word for logs and for the key of a counter.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Truncated { .. } => "truncated",
            Self::UnexpectedType { .. } => "unexpected-type",
            Self::UnknownMessage(_) => "unknown-message",
            Self::UnskippableExtension(_) => "unskippable-extension",
            Self::ExtensionTruncated { .. } => "extension-truncated",
            Self::ExtensionLength { .. } => "extension-length",
            Self::ExtensionSubtype { .. } => "extension-subtype",
            Self::UnexpectedExtension { .. } => "unexpected-extension",
            Self::Nai(_) => "nai",
            Self::ExtensionText(_) => "extension-text",
            Self::Checksum(_) => "checksum",
        }
    }
}
