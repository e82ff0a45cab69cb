//! AgentX (RFC 2741): our objects behind a master agent such as `snmpd`.
//!
//! [`Pdu`] is the protocol on the wire.

mod error;
mod header;
mod pdu;
mod reader;
mod variable;
mod writer;

pub use error::ParseError;
pub use header::{ByteOrder, Header, Ids};
pub use pdu::{Body, ErrorCode, Pdu, Region};
pub use variable::{SearchRange, VarBind, VarData};

use variable::value_type;

#[cfg(test)]
mod tests;
