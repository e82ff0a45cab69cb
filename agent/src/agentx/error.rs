//! Why octets are no AgentX PDU.

/// The octets are not what RFC 2741 §5 and §6 allow.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ParseError {
    #[error("the octets end early")]
    Truncated,
    #[error("there are octets behind the end")]
    Surplus,
    #[error("version {0} is unknown")]
    Version(u8),
    #[error("PDU type {0} is unknown")]
    PduType(u8),
    #[error("a payload of {0} octets is not aligned or too long")]
    PayloadLength(u32),
    #[error("an object identifier has {0} sub-identifiers")]
    OidLength(usize),
    #[error("an address has {0} octets")]
    AddressLength(usize),
    #[error("value type {0} is unknown")]
    ValueType(u16),
}
