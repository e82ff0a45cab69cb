//! The PDUs (RFC 2741 §6.2).

use std::fmt;

use super::header::{Header, Ids, flag};
use super::reader::Reader;
use super::writer::Writer;
use super::{ParseError, SearchRange, VarBind};
use crate::Oid;
use crate::value::Octets;

/// One PDU.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pdu {
    pub ids: Ids,
    pub body: Body,
}

/// What a PDU says, by its type.
///
/// A context is `None` where the default context is meant (§6.1.1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Body {
    /// §6.2.1; `timeout` is in seconds, 0 leaves it to the master.
    Open {
        timeout: u8,
        id: Oid,
        description: Octets,
    },
    /// §6.2.2
    Close {
        reason: u8,
    },
    /// §6.2.3
    Register {
        context: Option<Octets>,
        region: Region,
        timeout: u8,
        instance: bool,
    },
    /// §6.2.4
    Unregister {
        context: Option<Octets>,
        region: Region,
    },
    /// §6.2.5
    Get {
        context: Option<Octets>,
        ranges: Vec<SearchRange>,
    },
    /// §6.2.6
    GetNext {
        context: Option<Octets>,
        ranges: Vec<SearchRange>,
    },
    /// §6.2.7
    GetBulk {
        context: Option<Octets>,
        non_repeaters: u16,
        max_repetitions: u16,
        ranges: Vec<SearchRange>,
    },
    /// §6.2.8
    TestSet {
        context: Option<Octets>,
        variables: Vec<VarBind>,
    },
    /// §6.2.9
    CommitSet,
    UndoSet,
    CleanupSet,
    /// §6.2.10
    Notify {
        context: Option<Octets>,
        variables: Vec<VarBind>,
    },
    /// §6.2.11
    Ping {
        context: Option<Octets>,
    },
    /// §6.2.12
    IndexAllocate {
        context: Option<Octets>,
        new: bool,
        any: bool,
        variables: Vec<VarBind>,
    },
    /// §6.2.13
    IndexDeallocate {
        context: Option<Octets>,
        new: bool,
        any: bool,
        variables: Vec<VarBind>,
    },
    /// §6.2.14
    AddAgentCaps {
        context: Option<Octets>,
        id: Oid,
        description: Octets,
    },
    /// §6.2.15
    RemoveAgentCaps {
        context: Option<Octets>,
        id: Oid,
    },
    /// §6.2.16; `sys_up_time` in hundredths of a second.
    Response {
        sys_up_time: u32,
        error: ErrorCode,
        index: u16,
        variables: Vec<VarBind>,
    },
}

/// What is registered: one subtree, or several that differ in one sub-identifier.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Region {
    pub priority: u8,
    pub subtree: Oid,
    /// Which sub-identifier of `subtree` differs, counted from 1, and up to which value.
    pub range: Option<(u8, u32)>,
}

/// `res.error`: those of AgentX, and those of SNMP (RFC 3416 §3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ErrorCode(pub u16);

impl ErrorCode {
    pub const NO_ERROR: Self = Self(0);
    pub const GEN_ERR: Self = Self(5);
    pub const RESOURCE_UNAVAILABLE: Self = Self(13);
    pub const COMMIT_FAILED: Self = Self(14);
    pub const UNDO_FAILED: Self = Self(15);
    pub const NOT_WRITABLE: Self = Self(17);
    pub const OPEN_FAILED: Self = Self(256);
    pub const NOT_OPEN: Self = Self(257);
    pub const UNSUPPORTED_CONTEXT: Self = Self(262);
    pub const DUPLICATE_REGISTRATION: Self = Self(263);
    pub const UNKNOWN_REGISTRATION: Self = Self(264);
    pub const PARSE_ERROR: Self = Self(266);
    pub const REQUEST_DENIED: Self = Self(267);
    pub const PROCESSING_ERROR: Self = Self(268);
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match *self {
            Self::OPEN_FAILED => "openFailed",
            Self::NOT_OPEN => "notOpen",
            Self::UNSUPPORTED_CONTEXT => "unsupportedContext",
            Self::DUPLICATE_REGISTRATION => "duplicateRegistration",
            Self::UNKNOWN_REGISTRATION => "unknownRegistration",
            Self::PARSE_ERROR => "parseError",
            Self::REQUEST_DENIED => "requestDenied",
            Self::PROCESSING_ERROR => "processingError",
            Self(number) => return write!(f, "error {number}"),
        };
        f.write_str(name)
    }
}

/// `h.type`
pub(super) mod pdu_type {
    pub(in crate::agentx) const OPEN: u8 = 1;
    pub(in crate::agentx) const CLOSE: u8 = 2;
    pub(in crate::agentx) const REGISTER: u8 = 3;
    pub(in crate::agentx) const UNREGISTER: u8 = 4;
    pub(in crate::agentx) const GET: u8 = 5;
    pub(in crate::agentx) const GET_NEXT: u8 = 6;
    pub(in crate::agentx) const GET_BULK: u8 = 7;
    pub(in crate::agentx) const TEST_SET: u8 = 8;
    pub(in crate::agentx) const COMMIT_SET: u8 = 9;
    pub(in crate::agentx) const UNDO_SET: u8 = 10;
    pub(in crate::agentx) const CLEANUP_SET: u8 = 11;
    pub(in crate::agentx) const NOTIFY: u8 = 12;
    pub(in crate::agentx) const PING: u8 = 13;
    pub(in crate::agentx) const INDEX_ALLOCATE: u8 = 14;
    pub(in crate::agentx) const INDEX_DEALLOCATE: u8 = 15;
    pub(in crate::agentx) const ADD_AGENT_CAPS: u8 = 16;
    pub(in crate::agentx) const REMOVE_AGENT_CAPS: u8 = 17;
    pub(in crate::agentx) const RESPONSE: u8 = 18;
}

impl Pdu {
    /// Parses exactly one PDU.
    pub fn parse(octets: &[u8]) -> Result<Self, ParseError> {
        let header = Header::parse(octets)?;
        let payload = octets.get(Header::LEN..).unwrap_or_default();
        Self::parse_payload(header, payload)
    }

    /// Parses what follows `header`.
    pub fn parse_payload(header: Header, payload: &[u8]) -> Result<Self, ParseError> {
        match payload.len().cmp(&header.payload_length) {
            std::cmp::Ordering::Less => return Err(ParseError::Truncated),
            std::cmp::Ordering::Greater => return Err(ParseError::Surplus),
            std::cmp::Ordering::Equal => {}
        }
        let mut reader = Reader::new(payload, header.ids.order);
        let body = Body::parse(header.kind, header.flags, &mut reader)?;
        if !reader.is_empty() {
            return Err(ParseError::Surplus);
        }
        Ok(Self { ids: header.ids, body })
    }

    /// Appends the PDU.
    pub fn emit(&self, out: &mut Vec<u8>) {
        let Self { ids, body } = self;
        let start = Header::emit(body.kind(), body.flags(), *ids, out);
        let mut writer = Writer::new(out, ids.order);
        if let Some(context) = body.context() {
            writer.octets(context);
        }
        body.emit(&mut writer);
        Header::finish(start, ids.order, out);
    }
}

impl Body {
    fn parse(kind: u8, flags: u8, reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        let context = match kind {
            pdu_type::OPEN
            | pdu_type::CLOSE
            | pdu_type::COMMIT_SET..=pdu_type::CLEANUP_SET
            | pdu_type::RESPONSE.. => None,
            _ if flags & flag::NON_DEFAULT_CONTEXT == 0 => None,
            _ => Some(Octets::from(reader.octets()?)),
        };
        Ok(match kind {
            pdu_type::GET => Self::Get { context, ranges: reader.search_ranges()? },
            pdu_type::GET_NEXT => Self::GetNext { context, ranges: reader.search_ranges()? },
            pdu_type::GET_BULK => Self::GetBulk {
                context,
                non_repeaters: reader.u16()?,
                max_repetitions: reader.u16()?,
                ranges: reader.search_ranges()?,
            },
            pdu_type::TEST_SET => Self::TestSet { context, variables: reader.variables()? },
            pdu_type::COMMIT_SET => Self::CommitSet,
            pdu_type::UNDO_SET => Self::UndoSet,
            pdu_type::CLEANUP_SET => Self::CleanupSet,
            pdu_type::RESPONSE => Self::Response {
                sys_up_time: reader.u32()?,
                error: ErrorCode(reader.u16()?),
                index: reader.u16()?,
                variables: reader.variables()?,
            },
            _ => Self::parse_administrative(kind, flags, context, reader)?,
        })
    }

    /// Parses a PDU of administration (§6.1) behind its context.
    fn parse_administrative(
        kind: u8,
        flags: u8,
        context: Option<Octets>,
        reader: &mut Reader<'_>,
    ) -> Result<Self, ParseError> {
        let set = |bit: u8| flags & bit != 0;
        let (new, any) = (set(flag::NEW_INDEX), set(flag::ANY_INDEX));
        Ok(match kind {
            pdu_type::OPEN => {
                let [timeout, ..] = reader.take::<4>()?;
                Self::Open { timeout, id: reader.oid()?.0, description: reader.octets()?.into() }
            }
            pdu_type::CLOSE => {
                let [reason, ..] = reader.take::<4>()?;
                Self::Close { reason }
            }
            pdu_type::REGISTER => {
                let (timeout, region) = Region::parse(reader)?;
                let instance = set(flag::INSTANCE_REGISTRATION);
                Self::Register { context, region, timeout, instance }
            }
            pdu_type::UNREGISTER => {
                let (_reserved, region) = Region::parse(reader)?;
                Self::Unregister { context, region }
            }
            pdu_type::NOTIFY => Self::Notify { context, variables: reader.variables()? },
            pdu_type::PING => Self::Ping { context },
            pdu_type::INDEX_ALLOCATE => {
                Self::IndexAllocate { context, new, any, variables: reader.variables()? }
            }
            pdu_type::INDEX_DEALLOCATE => {
                Self::IndexDeallocate { context, new, any, variables: reader.variables()? }
            }
            pdu_type::ADD_AGENT_CAPS => Self::AddAgentCaps {
                context,
                id: reader.oid()?.0,
                description: reader.octets()?.into(),
            },
            pdu_type::REMOVE_AGENT_CAPS => Self::RemoveAgentCaps { context, id: reader.oid()?.0 },
            other => return Err(ParseError::PduType(other)),
        })
    }

    /// Appends what follows the context.
    fn emit(&self, writer: &mut Writer<'_>) {
        match self {
            Self::Open { timeout, id, description } => {
                writer.raw(&[*timeout, 0, 0, 0]);
                writer.oid(id, false);
                writer.octets(description);
            }
            Self::Close { reason } => writer.raw(&[*reason, 0, 0, 0]),
            Self::Register { region, timeout, .. } => region.emit(*timeout, writer),
            Self::Unregister { region, .. } => region.emit(0, writer),
            Self::Get { ranges, .. } | Self::GetNext { ranges, .. } => {
                writer.search_ranges(ranges);
            }
            Self::GetBulk { non_repeaters, max_repetitions, ranges, .. } => {
                writer.u16(*non_repeaters);
                writer.u16(*max_repetitions);
                writer.search_ranges(ranges);
            }
            Self::TestSet { variables, .. }
            | Self::Notify { variables, .. }
            | Self::IndexAllocate { variables, .. }
            | Self::IndexDeallocate { variables, .. } => writer.variables(variables),
            Self::CommitSet | Self::UndoSet | Self::CleanupSet | Self::Ping { .. } => {}
            Self::AddAgentCaps { id, description, .. } => {
                writer.oid(id, false);
                writer.octets(description);
            }
            Self::RemoveAgentCaps { id, .. } => writer.oid(id, false),
            Self::Response { sys_up_time, error, index, variables } => {
                writer.u32(*sys_up_time);
                writer.u16(error.0);
                writer.u16(*index);
                writer.variables(variables);
            }
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Open { .. } => pdu_type::OPEN,
            Self::Close { .. } => pdu_type::CLOSE,
            Self::Register { .. } => pdu_type::REGISTER,
            Self::Unregister { .. } => pdu_type::UNREGISTER,
            Self::Get { .. } => pdu_type::GET,
            Self::GetNext { .. } => pdu_type::GET_NEXT,
            Self::GetBulk { .. } => pdu_type::GET_BULK,
            Self::TestSet { .. } => pdu_type::TEST_SET,
            Self::CommitSet => pdu_type::COMMIT_SET,
            Self::UndoSet => pdu_type::UNDO_SET,
            Self::CleanupSet => pdu_type::CLEANUP_SET,
            Self::Notify { .. } => pdu_type::NOTIFY,
            Self::Ping { .. } => pdu_type::PING,
            Self::IndexAllocate { .. } => pdu_type::INDEX_ALLOCATE,
            Self::IndexDeallocate { .. } => pdu_type::INDEX_DEALLOCATE,
            Self::AddAgentCaps { .. } => pdu_type::ADD_AGENT_CAPS,
            Self::RemoveAgentCaps { .. } => pdu_type::REMOVE_AGENT_CAPS,
            Self::Response { .. } => pdu_type::RESPONSE,
        }
    }

    fn flags(&self) -> u8 {
        let bit = |set: bool, flag: u8| if set { flag } else { 0 };
        let own = match self {
            Self::Register { instance, .. } => bit(*instance, flag::INSTANCE_REGISTRATION),
            Self::IndexAllocate { new, any, .. } | Self::IndexDeallocate { new, any, .. } => {
                bit(*new, flag::NEW_INDEX) | bit(*any, flag::ANY_INDEX)
            }
            _ => 0,
        };
        own | bit(self.context().is_some(), flag::NON_DEFAULT_CONTEXT)
    }

    /// The context, if the PDU is of a type that may have one and it is not the default.
    pub fn context(&self) -> Option<&Octets> {
        match self {
            Self::Register { context, .. }
            | Self::Unregister { context, .. }
            | Self::Get { context, .. }
            | Self::GetNext { context, .. }
            | Self::GetBulk { context, .. }
            | Self::TestSet { context, .. }
            | Self::Notify { context, .. }
            | Self::Ping { context }
            | Self::IndexAllocate { context, .. }
            | Self::IndexDeallocate { context, .. }
            | Self::AddAgentCaps { context, .. }
            | Self::RemoveAgentCaps { context, .. } => context.as_ref(),
            Self::Open { .. }
            | Self::Close { .. }
            | Self::CommitSet
            | Self::UndoSet
            | Self::CleanupSet
            | Self::Response { .. } => None,
        }
    }
}

impl Region {
    /// The fields that Register and Unregister share; first the time-out, which the latter lacks.
    fn parse(reader: &mut Reader<'_>) -> Result<(u8, Self), ParseError> {
        let [timeout, priority, range, _reserved] = reader.take()?;
        let (subtree, _) = reader.oid()?;
        let range = match range {
            0 => None,
            position => Some((position, reader.u32()?)),
        };
        Ok((timeout, Self { priority, subtree, range }))
    }

    fn emit(&self, timeout: u8, writer: &mut Writer<'_>) {
        let position = self.range.map_or(0, |(position, _)| position);
        writer.raw(&[timeout, self.priority, position, 0]);
        writer.oid(&self.subtree, false);
        if let Some((1.., upper_bound)) = self.range {
            writer.u32(upper_bound);
        }
    }
}
