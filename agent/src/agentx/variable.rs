//! Variables and ranges of them (RFC 2741 §5.2 and §5.4).

use crate::Oid;
use crate::value::{Octets, Value};

/// `v.type`
pub(super) mod value_type {
    pub(in crate::agentx) const INTEGER: u16 = 2;
    pub(in crate::agentx) const OCTET_STRING: u16 = 4;
    pub(in crate::agentx) const NULL: u16 = 5;
    pub(in crate::agentx) const OBJECT_IDENTIFIER: u16 = 6;
    pub(in crate::agentx) const IP_ADDRESS: u16 = 64;
    pub(in crate::agentx) const COUNTER32: u16 = 65;
    pub(in crate::agentx) const GAUGE32: u16 = 66;
    pub(in crate::agentx) const TIME_TICKS: u16 = 67;
    pub(in crate::agentx) const OPAQUE: u16 = 68;
    pub(in crate::agentx) const COUNTER64: u16 = 70;
    pub(in crate::agentx) const NO_SUCH_OBJECT: u16 = 128;
    pub(in crate::agentx) const NO_SUCH_INSTANCE: u16 = 129;
    pub(in crate::agentx) const END_OF_MIB_VIEW: u16 = 130;
}

/// Names from `start`, which may be included, to before `end`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SearchRange {
    pub start: Oid,
    pub include: bool,
    /// Null, which is empty, where the range has no end.
    pub end: Oid,
}

/// A variable binding.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VarBind {
    pub name: Oid,
    pub data: VarData,
}

/// The value of a variable binding, or why it has none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum VarData {
    Value(Value),
    Opaque(Octets),
    Null,
    NoSuchObject,
    NoSuchInstance,
    EndOfMibView,
}
