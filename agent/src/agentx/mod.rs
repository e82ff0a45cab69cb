//! AgentX (RFC 2741): our objects behind a master agent such as `snmpd`.
//!
//! [`Pdu`] is the protocol on the wire, [`Subagent`] what speaks it.

mod answer;
mod back_off;
mod clock;
mod error;
mod header;
mod pdu;
mod reader;
mod session;
mod subagent;
mod transaction;
mod variable;
mod writer;

pub use error::ParseError;
pub use header::{ByteOrder, Header, Ids};
pub use pdu::{Body, ErrorCode, Pdu, Region};
pub use subagent::{Report, Subagent, SubagentAction, SubagentConfig};
pub use variable::{SearchRange, VarBind, VarData};

use variable::value_type;

#[cfg(test)]
mod tests;
