//! A bounded reader: there is no way to read past the end.

use std::net::Ipv4Addr;

use crate::ParseError;

/// Reads big-endian fields from the front of a message.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }

    /// Takes the Type octet, which must be `want`.
    pub(crate) fn message_type(&mut self, want: u8) -> Result<(), ParseError> {
        let got = self.u8()?;
        if got == want { Ok(()) } else { Err(ParseError::UnexpectedType { got, want }) }
    }

    pub(crate) fn u8(&mut self) -> Result<u8, ParseError> {
        self.array().map(|[octet]| octet)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, ParseError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, ParseError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, ParseError> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn address(&mut self) -> Result<Ipv4Addr, ParseError> {
        self.array::<4>().map(Ipv4Addr::from)
    }

    /// Takes `count` octets.
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], ParseError> {
        let (head, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(ParseError::Truncated { need: count, have: self.rest.len() })?;
        self.rest = rest;
        Ok(head)
    }

    /// What was not read.
    pub(crate) const fn rest(self) -> &'a [u8] {
        self.rest
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ParseError> {
        let (head, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(ParseError::Truncated { need: N, have: self.rest.len() })?;
        self.rest = rest;
        Ok(*head)
    }
}
