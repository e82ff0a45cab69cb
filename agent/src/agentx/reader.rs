//! Takes the basic encodings (RFC 2741 §5) without a way to read past the end.

use super::header::ByteOrder;
use super::{ParseError, SearchRange, VarBind, VarData, value_type};
use crate::Oid;
use crate::value::{Octets, Value};

/// What precedes the sub-identifiers that a prefix octet stands for.
pub(super) const INTERNET: [u32; 4] = [1, 3, 6, 1];

/// The rest of a payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    order: ByteOrder,
}

impl<'a> Reader<'a> {
    pub(super) fn new(octets: &'a [u8], order: ByteOrder) -> Self {
        Self { rest: octets, order }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], ParseError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(ParseError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn slice(&mut self, length: usize) -> Result<&'a [u8], ParseError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(ParseError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn u16(&mut self) -> Result<u16, ParseError> {
        let octets = self.take()?;
        Ok(match self.order {
            ByteOrder::Network => u16::from_be_bytes(octets),
            ByteOrder::Little => u16::from_le_bytes(octets),
        })
    }

    pub(super) fn u32(&mut self) -> Result<u32, ParseError> {
        let octets = self.take()?;
        Ok(match self.order {
            ByteOrder::Network => u32::from_be_bytes(octets),
            ByteOrder::Little => u32::from_le_bytes(octets),
        })
    }

    fn u64(&mut self) -> Result<u64, ParseError> {
        let octets = self.take()?;
        Ok(match self.order {
            ByteOrder::Network => u64::from_be_bytes(octets),
            ByteOrder::Little => u64::from_le_bytes(octets),
        })
    }

    /// An object identifier, and its `include` field (§5.1).
    pub(super) fn oid(&mut self) -> Result<(Oid, bool), ParseError> {
        let [count, prefix, include, _reserved] = self.take()?;
        let count = usize::from(count);
        let mut oid = Oid::new();
        if prefix != 0 {
            oid.extend_from_slice(&INTERNET);
            oid.push(prefix.into());
        }
        let total = oid.len() + count;
        if total > Oid::LEN_MAX {
            return Err(ParseError::OidLength(total));
        }
        let mut sub_ids = Self::new(self.slice(4 * count)?, self.order);
        for _ in 0..count {
            oid.push(sub_ids.u32()?);
        }
        Ok((oid, include != 0))
    }

    /// An octet string and what pads it (§5.3).
    pub(super) fn octets(&mut self) -> Result<&'a [u8], ParseError> {
        let length = self.u32()?;
        let length = usize::try_from(length).map_err(|_| ParseError::Truncated)?;
        let octets = self.slice(length)?;
        self.slice(padding(length))?;
        Ok(octets)
    }

    pub(super) fn search_range(&mut self) -> Result<SearchRange, ParseError> {
        let (start, include) = self.oid()?;
        let (end, _) = self.oid()?;
        Ok(SearchRange { start, include, end })
    }

    /// All search ranges that are left (§5.2).
    pub(super) fn search_ranges(&mut self) -> Result<Vec<SearchRange>, ParseError> {
        let mut ranges = Vec::new();
        while !self.is_empty() {
            ranges.push(self.search_range()?);
        }
        Ok(ranges)
    }

    /// All variable bindings that are left (§5.4).
    pub(super) fn variables(&mut self) -> Result<Vec<VarBind>, ParseError> {
        let mut variables = Vec::new();
        while !self.is_empty() {
            let kind = self.u16()?;
            let _reserved: [u8; 2] = self.take()?;
            let (name, _) = self.oid()?;
            let data = self.data(kind)?;
            variables.push(VarBind { name, data });
        }
        Ok(variables)
    }

    fn data(&mut self, kind: u16) -> Result<VarData, ParseError> {
        let value = match kind {
            value_type::INTEGER => Value::Integer32(self.u32()?.cast_signed()),
            value_type::OCTET_STRING => Value::octets(self.octets()?),
            value_type::OBJECT_IDENTIFIER => Value::ObjectIdentifier(self.oid()?.0),
            value_type::IP_ADDRESS => {
                let octets = self.octets()?;
                let address = octets.try_into();
                Value::IpAddress(address.map_err(|_| ParseError::AddressLength(octets.len()))?)
            }
            value_type::COUNTER32 => Value::Counter32(self.u32()?),
            value_type::GAUGE32 => Value::Gauge32(self.u32()?),
            value_type::TIME_TICKS => Value::TimeTicks(self.u32()?),
            value_type::COUNTER64 => Value::Counter64(self.u64()?),
            value_type::OPAQUE => return Ok(VarData::Opaque(Octets::from(self.octets()?))),
            value_type::NULL => return Ok(VarData::Null),
            value_type::NO_SUCH_OBJECT => return Ok(VarData::NoSuchObject),
            value_type::NO_SUCH_INSTANCE => return Ok(VarData::NoSuchInstance),
            value_type::END_OF_MIB_VIEW => return Ok(VarData::EndOfMibView),
            other => return Err(ParseError::ValueType(other)),
        };
        Ok(VarData::Value(value))
    }
}

/// How many octets follow a string of `length`, so that what comes next is aligned.
pub(super) fn padding(length: usize) -> usize {
    length.wrapping_neg() & 3
}
