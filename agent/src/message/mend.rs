//! Checks variable bindings, and rewrites the few that `rasn` would refuse.

use std::borrow::Cow;

use crate::ber::{Malformed, Reader, Tlv, integer32, nest, object_identifier, tag, unsigned};

/// What is to be done with a TLV before it is decoded.
enum Verdict {
    Keep,
    /// An empty OBJECT IDENTIFIER, which some managers send for 0.0.
    Zero,
    /// An unsigned value that lacks the zero octet in front.
    Unsigned(u64),
}

/// Makes a list of variable bindings fit for `rasn`, which checks less and
/// also more than SNMP asks for.
///
/// Refused: constructed strings and indefinite lengths (RFC 3417 §8), integers
/// and sub-identifiers beyond 32 bits, more than 128 sub-identifiers.
pub(super) fn mend(list: Tlv<'_>) -> Result<Cow<'_, [u8]>, Malformed> {
    if list.tag != tag::SEQUENCE {
        return Err(Malformed);
    }
    let mut clean = true;
    let mut bindings = Reader::new(list.content);
    while !bindings.is_empty() {
        let [name, value] = binding(&mut bindings)?;
        let kept = matches!((judge(name)?, judge(value)?), (Verdict::Keep, Verdict::Keep));
        clean = clean && kept;
    }
    if clean { Ok(Cow::Borrowed(list.whole)) } else { rewrite(list.content).map(Cow::Owned) }
}

fn binding<'a>(bindings: &mut Reader<'a>) -> Result<[Tlv<'a>; 2], Malformed> {
    let mut binding = bindings.sequence()?;
    let name = binding.tlv()?;
    let value = binding.tlv()?;
    binding.end()?;
    if name.tag == tag::OBJECT_IDENTIFIER { Ok([name, value]) } else { Err(Malformed) }
}

fn judge(tlv: Tlv<'_>) -> Result<Verdict, Malformed> {
    let content = tlv.content;
    match tlv.tag {
        tag::INTEGER => integer32(content).map(|_| Verdict::Keep),
        tag::OCTET_STRING | tag::OPAQUE => Ok(Verdict::Keep),
        tag::OBJECT_IDENTIFIER if content.is_empty() => Ok(Verdict::Zero),
        tag::OBJECT_IDENTIFIER => object_identifier(content).map(|()| Verdict::Keep),
        tag::IP_ADDRESS if content.len() == 4 => Ok(Verdict::Keep),
        tag::COUNTER32 | tag::GAUGE32 | tag::TIME_TICKS => positive(content, 4),
        tag::COUNTER64 => positive(content, 8),
        tag::NULL | tag::NO_SUCH_OBJECT | tag::NO_SUCH_INSTANCE | tag::END_OF_MIB_VIEW
            if content.is_empty() =>
        {
            Ok(Verdict::Keep)
        }
        _ => Err(Malformed),
    }
}

fn positive(content: &[u8], octets_max: usize) -> Result<Verdict, Malformed> {
    let value = unsigned(content, octets_max)?;
    let looks_negative = content.first().is_some_and(|first| first & 0x80 != 0);
    Ok(if looks_negative { Verdict::Unsigned(value) } else { Verdict::Keep })
}

fn rewrite(bindings: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut bindings = Reader::new(bindings);
    let mut list = Vec::new();
    while !bindings.is_empty() {
        let pair = binding(&mut bindings)?;
        let mut out = Vec::new();
        for tlv in pair {
            match judge(tlv)? {
                Verdict::Keep => out.extend_from_slice(tlv.whole),
                Verdict::Zero => out.extend([tlv.tag, 1, 0]),
                Verdict::Unsigned(value) => nest(&mut out, tlv.tag, |out| {
                    out.push(0);
                    let octets = value.to_be_bytes();
                    let leading = octets.iter().take_while(|octet| **octet == 0).count();
                    out.extend_from_slice(octets.get(leading..).unwrap_or_default());
                }),
            }
        }
        nest(&mut list, tag::SEQUENCE, |list| list.extend_from_slice(&out));
    }
    let mut whole = Vec::with_capacity(list.len() + 6);
    nest(&mut whole, tag::SEQUENCE, |whole| whole.extend_from_slice(&list));
    Ok(whole)
}
