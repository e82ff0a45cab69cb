//! Facts of the MIB modules in `modules/`, as Rust tables.
//!
//! `cargo xtask mibs` makes them; see `README.md` for how to change a module.

pub mod generated;

pub use generated::{MODULES, if_mib, mip_mib, mip4_capabilities_mib, mip4_ext_mib, snmpv2_mib};

/// The readable columns of a conceptual table.
///
/// Generated for each table; a handler that matches on it does not compile
/// until it answers a column that a module gains.
pub trait Column: Copy + Eq + std::fmt::Debug + Send + Sync + 'static {
    /// All of them, in the order of a walk.
    const ALL: &'static [Self];

    /// The last sub-identifier of the column's OID.
    fn sub_id(self) -> u32;

    /// The column with that sub-identifier, if it is readable.
    fn from_sub_id(sub_id: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|column| column.sub_id() == sub_id)
    }
}

/// A module, its objects in the order of their OIDs.
#[derive(Debug)]
pub struct Module {
    pub name: &'static str,
    pub objects: &'static [Object],
    pub notifications: &'static [Notification],
    pub groups: &'static [Group],
    pub compliances: &'static [Compliance],
    pub capabilities: &'static [Capabilities],
}

/// An `OBJECT-TYPE`.
#[derive(Debug)]
pub struct Object {
    pub name: &'static str,
    /// Without an instance.
    pub oid: &'static [u32],
    pub kind: Kind,
    pub syntax: Syntax,
    pub access: Access,
    pub status: Status,
    pub units: Option<&'static str>,
    /// DEFVAL as it is written.
    pub default: Option<&'static str>,
    /// The descriptors of the index objects, for an entry.
    pub index: &'static [&'static str],
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    Scalar,
    Table,
    Entry,
    Column,
}

/// What values of an object look like.
#[derive(Clone, Copy, Debug)]
pub struct Syntax {
    pub base: Base,
    /// The textual convention that the module names.
    pub convention: Option<&'static str>,
    /// Of the value, or of the length of an octet string; any if there are none.
    pub ranges: &'static [(i128, i128)],
    /// Of an enumeration, or of bits.
    pub labels: &'static [(&'static str, i128)],
}

/// A base type of SMIv2 (RFC 2578 §7.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Base {
    Integer32,
    OctetString,
    ObjectIdentifier,
    Bits,
    IpAddress,
    Counter32,
    Gauge32,
    Unsigned32,
    TimeTicks,
    Counter64,
    /// A `SEQUENCE OF`: it has no value.
    Table,
    /// A `SEQUENCE`: it has no value.
    Entry,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Access {
    NotAccessible,
    AccessibleForNotify,
    ReadOnly,
    ReadWrite,
    ReadCreate,
}

impl Access {
    /// Whether GET may ask for it.
    pub const fn is_readable(self) -> bool {
        matches!(self, Self::ReadOnly | Self::ReadWrite | Self::ReadCreate)
    }

    /// Whether SET may change it.
    pub const fn is_writable(self) -> bool {
        matches!(self, Self::ReadWrite | Self::ReadCreate)
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Status {
    Current,
    Deprecated,
    Obsolete,
}

/// A `NOTIFICATION-TYPE`, its objects in their order.
#[derive(Debug)]
pub struct Notification {
    pub name: &'static str,
    pub oid: &'static [u32],
    pub status: Status,
    pub objects: &'static [&'static str],
}

/// An `OBJECT-GROUP` or a `NOTIFICATION-GROUP`.
#[derive(Debug)]
pub struct Group {
    pub name: &'static str,
    pub oid: &'static [u32],
    pub status: Status,
    pub members: &'static [&'static str],
}

/// A `MODULE-COMPLIANCE`.
#[derive(Debug)]
pub struct Compliance {
    pub name: &'static str,
    pub oid: &'static [u32],
    pub status: Status,
    pub mandatory: &'static [&'static str],
    /// Groups that are required under a condition.
    pub conditional: &'static [&'static str],
}

/// An `AGENT-CAPABILITIES` statement.
#[derive(Debug)]
pub struct Capabilities {
    pub name: &'static str,
    pub oid: &'static [u32],
    pub groups: &'static [&'static str],
    /// Objects that differ, each with the access that is left.
    pub variations: &'static [(&'static str, &'static str)],
}

impl Module {
    /// The object with that descriptor.
    pub fn object(&self, name: &str) -> Option<&'static Object> {
        self.objects.iter().find(|object| object.name == name)
    }

    /// The object that `name` is an instance of: the longest OID that starts it.
    pub fn object_of(&self, name: &[u32]) -> Option<&'static Object> {
        let end = self.objects.partition_point(|object| object.oid <= name);
        let before = self.objects.get(..end)?;
        before.iter().rev().find(|object| name.starts_with(object.oid))
    }

    /// The group with that descriptor.
    pub fn group(&self, name: &str) -> Option<&'static Group> {
        self.groups.iter().find(|group| group.name == name)
    }
}

/// The object that `name` is an instance of, in any module.
pub fn object_of(name: &[u32]) -> Option<&'static Object> {
    MODULES.iter().find_map(|module| module.object_of(name))
}

#[cfg(test)]
mod tests;
