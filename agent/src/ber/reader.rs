//! Walks TLVs without a way to read past the end.

use super::tag;

/// The octets are not what BER or the SNMP message formats allow.
///
/// There is one reason only: everything malformed is counted in the same
/// object, `snmpInASNParseErrs`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a well-formed SNMP message")]
pub(crate) struct Malformed;

/// One TLV, as it arrived.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Tlv<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    /// Identifier, length and content.
    pub(crate) whole: &'a [u8],
    /// Where the content starts in what the first reader was made of.
    pub(crate) content_at: usize,
}

/// A sequence of TLVs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets, at: 0 }
    }

    /// A reader of the content of a TLV.
    pub(crate) fn of(tlv: Tlv<'a>) -> Self {
        Self { rest: tlv.content, at: tlv.content_at }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Takes the next TLV.
    ///
    /// Lengths must be definite (RFC 3417 §8 (1)); they need not be minimal,
    /// because deployed managers send `83 00 00 xx`.
    pub(crate) fn tlv(&mut self) -> Result<Tlv<'a>, Malformed> {
        let all = self.rest;
        let (&tag, rest) = all.split_first().ok_or(Malformed)?;
        if tag & 0x1f == 0x1f {
            return Err(Malformed); // No SNMP tag needs the long form.
        }
        let (length, rest) = length(rest)?;
        let (content, rest) = rest.split_at_checked(length).ok_or(Malformed)?;
        let whole = all.get(..all.len() - rest.len()).ok_or(Malformed)?;
        self.rest = rest;
        self.at += whole.len();
        Ok(Tlv { tag, content, whole, content_at: self.at - content.len() })
    }

    /// Takes the next TLV, which must have this tag; returns it.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<Tlv<'a>, Malformed> {
        let tlv = self.tlv()?;
        if tlv.tag == tag { Ok(tlv) } else { Err(Malformed) }
    }

    /// Takes an INTEGER that fits in 32 bits.
    pub(crate) fn integer32(&mut self) -> Result<i32, Malformed> {
        integer32(self.expect(tag::INTEGER)?.content)
    }

    /// Takes a primitive OCTET STRING.
    pub(crate) fn octet_string(&mut self) -> Result<&'a [u8], Malformed> {
        self.expect(tag::OCTET_STRING).map(|tlv| tlv.content)
    }

    /// Takes a SEQUENCE; returns a reader of what is in it.
    pub(crate) fn sequence(&mut self) -> Result<Self, Malformed> {
        self.expect(tag::SEQUENCE).map(Self::of)
    }

    /// Says that nothing may follow.
    pub(crate) fn end(self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

/// Reads the length octets; returns the length with the octets that follow.
fn length(octets: &[u8]) -> Result<(usize, &[u8]), Malformed> {
    let (&first, rest) = octets.split_first().ok_or(Malformed)?;
    if first < 0x80 {
        return Ok((first.into(), rest));
    }
    let count = usize::from(first & 0x7f);
    if count == 0 || count > 4 {
        return Err(Malformed); // 0x80 is the indefinite form.
    }
    let (digits, rest) = rest.split_at_checked(count).ok_or(Malformed)?;
    let length = digits.iter().fold(0_usize, |value, &digit| (value << 8) | usize::from(digit));
    Ok((length, rest))
}

/// The value of an INTEGER's content, if it is in the range of Integer32.
pub(crate) fn integer32(content: &[u8]) -> Result<i32, Malformed> {
    let (&first, _) = content.split_first().ok_or(Malformed)?;
    if content.len() > 8 {
        return Err(Malformed);
    }
    let sign = if first & 0x80 == 0 { 0 } else { -1_i64 };
    let value = content.iter().fold(sign, |value, &octet| (value << 8) | i64::from(octet));
    i32::try_from(value).map_err(|_| Malformed)
}

/// The value of a Counter32's, Gauge32's, TimeTicks' or Counter64's content.
///
/// The leading zero that keeps a large value positive may be missing: real
/// managers send `42 04 ff ff ff ff` for 2³² − 1.
pub(crate) fn unsigned(content: &[u8], octets_max: usize) -> Result<u64, Malformed> {
    let digits = match content {
        [] => return Err(Malformed),
        [0, digits @ ..] if content.len() == octets_max + 1 => digits,
        digits => digits,
    };
    if digits.len() > octets_max {
        return Err(Malformed);
    }
    Ok(digits.iter().fold(0, |value, &octet| (value << 8) | u64::from(octet)))
}

/// Checks an OBJECT IDENTIFIER's content: at most 128 sub-identifiers of 32
/// bits (RFC 2578 §3.5). An empty one passes; who decodes it takes it as 0.0.
pub(crate) fn object_identifier(content: &[u8]) -> Result<(), Malformed> {
    let mut count = 1; // The first octets hold two sub-identifiers.
    let mut value = 0_u64;
    let mut complete = true;
    for &octet in content {
        value = (value << 7) | u64::from(octet & 0x7f);
        if value > u64::from(u32::MAX) {
            return Err(Malformed);
        }
        complete = octet & 0x80 == 0;
        if complete {
            count += 1;
            value = 0;
        }
    }
    if complete && count <= 128 { Ok(()) } else { Err(Malformed) }
}
