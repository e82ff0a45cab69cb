//! `BITS`, and the flags whose order differs from that on the wire.

use store::wire::Flags;

use crate::Value;

/// `BITS` (RFC 2578 §7.1.4): bit 0 is the highest of the first octet.
pub(crate) fn bits(present: &[bool]) -> Value {
    Value::OctetString(present.chunks(8).map(octet).collect())
}

/// Up to eight bits as one octet.
fn octet(bits: &[bool]) -> u8 {
    let set = bits.iter().enumerate().filter(|(_, is_set)| **is_set);
    set.fold(0, |octet, (position, _)| octet | 0x80 >> position)
}

/// `RegistrationFlags`, which keep the order of RFC 2006.
///
/// Bits 0 to 5 are the wire's from `r` back to `S`, bit 6 is `T`; the wire's
/// `x` is not represented, and `reserved` stays clear.
pub(crate) fn registration_flags(flags: Flags) -> Value {
    bits(&[
        false,
        flags.any(Flags::GRE),
        flags.any(Flags::MINIMAL_ENCAPSULATION),
        flags.any(Flags::DECAPSULATION_BY_MOBILE_NODE),
        flags.any(Flags::BROADCAST_DATAGRAMS),
        flags.any(Flags::SIMULTANEOUS_BINDINGS),
        flags.any(Flags::REVERSE_TUNNEL),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wire_bit_has_its_place() {
        // S B D M G r T x
        let places = [0x04, 0x08, 0x10, 0x20, 0x40, 0, 0x02, 0];
        for (position, place) in places.into_iter().enumerate() {
            let flags = Flags(0x80 >> position);
            assert_eq!(registration_flags(flags), Value::octets([place]), "wire bit {position}");
        }
    }

    #[test]
    fn bits_fill_as_many_octets_as_there_are_labels() {
        let mut ten = [false; 10];
        ten[9] = true;
        assert_eq!(bits(&ten), Value::octets([0, 0x40]));
        assert_eq!(bits(&[true, false, true]), Value::octets([0xa0]));
    }
}
