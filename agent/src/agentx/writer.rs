//! Appends the basic encodings (RFC 2741 §5).

use super::header::ByteOrder;
use super::reader::{INTERNET, padding};
use super::{SearchRange, VarBind, VarData, value_type};
use crate::Oid;
use crate::value::Value;

/// Appends to a PDU that is being built.
pub(super) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    order: ByteOrder,
}

impl<'a> Writer<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>, order: ByteOrder) -> Self {
        Self { out, order }
    }

    pub(super) fn raw(&mut self, octets: &[u8]) {
        self.out.extend_from_slice(octets);
    }

    pub(super) fn u16(&mut self, number: u16) {
        self.raw(&match self.order {
            ByteOrder::Network => number.to_be_bytes(),
            ByteOrder::Little => number.to_le_bytes(),
        });
    }

    pub(super) fn u32(&mut self, number: u32) {
        self.raw(&match self.order {
            ByteOrder::Network => number.to_be_bytes(),
            ByteOrder::Little => number.to_le_bytes(),
        });
    }

    fn u64(&mut self, number: u64) {
        self.raw(&match self.order {
            ByteOrder::Network => number.to_be_bytes(),
            ByteOrder::Little => number.to_le_bytes(),
        });
    }

    /// An object identifier, its prefix compressed (§5.1).
    ///
    /// What exceeds the 128 sub-identifiers there may be is left out.
    pub(super) fn oid(&mut self, oid: &[u32], include: bool) {
        let oid = oid.get(..Oid::LEN_MAX).unwrap_or(oid);
        let (prefix, sub_ids) = compress(oid);
        let count = u8::try_from(sub_ids.len()).unwrap_or(u8::MAX);
        self.raw(&[count, prefix, u8::from(include), 0]);
        for &sub_id in sub_ids {
            self.u32(sub_id);
        }
    }

    /// An octet string, padded (§5.3).
    pub(super) fn octets(&mut self, octets: &[u8]) {
        self.u32(u32::try_from(octets.len()).unwrap_or(u32::MAX));
        self.raw(octets);
        self.raw([0; 3].get(..padding(octets.len())).unwrap_or_default());
    }

    pub(super) fn search_ranges(&mut self, ranges: &[SearchRange]) {
        for range in ranges {
            self.oid(&range.start, range.include);
            self.oid(&range.end, false);
        }
    }

    pub(super) fn variables(&mut self, variables: &[VarBind]) {
        for variable in variables {
            self.variable(&variable.name, &variable.data);
        }
    }

    pub(super) fn variable(&mut self, name: &[u32], data: &VarData) {
        self.u16(data.kind());
        self.raw(&[0; 2]);
        self.oid(name, false);
        match data {
            VarData::Value(value) => self.value(value),
            VarData::Opaque(octets) => self.octets(octets),
            VarData::Null
            | VarData::NoSuchObject
            | VarData::NoSuchInstance
            | VarData::EndOfMibView => {}
        }
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Integer32(number) => self.u32(number.cast_unsigned()),
            Value::Counter32(number) | Value::Gauge32(number) | Value::TimeTicks(number) => {
                self.u32(*number);
            }
            Value::Counter64(number) => self.u64(*number),
            Value::OctetString(octets) => self.octets(octets),
            Value::ObjectIdentifier(oid) => self.oid(oid, false),
            Value::IpAddress(address) => self.octets(address),
        }
    }
}

/// The prefix octet, and the sub-identifiers that it does not stand for.
fn compress(oid: &[u32]) -> (u8, &[u32]) {
    if let Some([prefix, sub_ids @ ..]) = oid.strip_prefix(&INTERNET)
        && let Ok(prefix @ 1..) = u8::try_from(*prefix)
    {
        return (prefix, sub_ids);
    }
    (0, oid)
}

impl VarData {
    /// `v.type`.
    fn kind(&self) -> u16 {
        match self {
            Self::Value(Value::Integer32(_)) => value_type::INTEGER,
            Self::Value(Value::Counter32(_)) => value_type::COUNTER32,
            Self::Value(Value::Gauge32(_)) => value_type::GAUGE32,
            Self::Value(Value::TimeTicks(_)) => value_type::TIME_TICKS,
            Self::Value(Value::Counter64(_)) => value_type::COUNTER64,
            Self::Value(Value::OctetString(_)) => value_type::OCTET_STRING,
            Self::Value(Value::ObjectIdentifier(_)) => value_type::OBJECT_IDENTIFIER,
            Self::Value(Value::IpAddress(_)) => value_type::IP_ADDRESS,
            Self::Opaque(_) => value_type::OPAQUE,
            Self::Null => value_type::NULL,
            Self::NoSuchObject => value_type::NO_SUCH_OBJECT,
            Self::NoSuchInstance => value_type::NO_SUCH_INSTANCE,
            Self::EndOfMibView => value_type::END_OF_MIB_VIEW,
        }
    }
}
