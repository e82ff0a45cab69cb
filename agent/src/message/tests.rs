//! What arrives from managers in the field, pitfall by pitfall.

use rasn_smi::v2::{ApplicationSyntax, ObjectSyntax, SimpleSyntax};
use rasn_snmp::v2::VarBindValue;

use super::*;
use crate::ber::{nest, tag};

/// A PDU with one variable: `fields` are the contents of its three integers,
/// `name` and `value` whole TLVs.
fn pdu(tag: u8, fields: [&[u8]; 3], name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    nest(&mut octets, tag, |out| {
        for field in fields {
            nest(out, tag::INTEGER, |out| out.extend(field));
        }
        nest(out, tag::SEQUENCE, |out| {
            nest(out, tag::SEQUENCE, |out| {
                out.extend(name);
                out.extend(value);
            });
        });
    });
    octets
}

const SYS_UP_TIME: &[u8] = &[6, 8, 0x2b, 6, 1, 2, 1, 1, 3, 0];
const NULL: &[u8] = &[5, 0];

fn get(name: &[u8]) -> Vec<u8> {
    pdu(0xa0, [&[1], &[0], &[0]], name, NULL)
}

fn set(value: &[u8]) -> Vec<u8> {
    pdu(0xa3, [&[1], &[0], &[0]], SYS_UP_TIME, value)
}

fn value_of(octets: &[u8]) -> VarBindValue {
    Pdu::parse(octets).unwrap().variables.remove(0).value
}

#[test]
fn negative_repeaters_and_repetitions_are_read() {
    let octets = pdu(0xa5, [&[1], &[0xff], &[0xff, 0xfe]], SYS_UP_TIME, NULL);
    let pdu = Pdu::parse(&octets).unwrap();
    assert_eq!((pdu.kind, pdu.status, pdu.index), (PduType::GetBulk, -1, -2));
}

#[test]
fn error_status_of_a_request_means_nothing() {
    let octets = pdu(0xa0, [&[1], &[0xff], &[0x81]], SYS_UP_TIME, NULL);
    assert_eq!(Pdu::parse(&octets).unwrap().request_id, 1);
}

#[test]
fn request_id_beyond_integer32_is_malformed() {
    let octets = pdu(0xa0, [&[0, 0xff, 0xff, 0xff, 0xff], &[0], &[0]], SYS_UP_TIME, NULL);
    assert_eq!(Pdu::parse(&octets).unwrap_err(), Malformed);
}

#[test]
fn unsigned_values_without_pad_are_mended() {
    let gauge = |octets: &[u8]| match value_of(&set(octets)) {
        VarBindValue::Value(ObjectSyntax::ApplicationWide(ApplicationSyntax::Unsigned(gauge))) => {
            gauge.0
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(gauge(&[0x42, 1, 0xff]), 255);
    assert_eq!(gauge(&[0x42, 4, 0xff, 0xff, 0xff, 0xff]), u32::MAX);
    assert_eq!(gauge(&[0x42, 5, 0, 0xff, 0xff, 0xff, 0xff]), u32::MAX);
    let counter = value_of(&set(&[0x46, 8, 0xff, 0, 0, 0, 0, 0, 0, 1]));
    let ObjectSyntax::ApplicationWide(ApplicationSyntax::BigCounter(counter)) = (match counter {
        VarBindValue::Value(value) => value,
        other => panic!("{other:?}"),
    }) else {
        panic!("not a counter")
    };
    assert_eq!(counter.0, 0xff00_0000_0000_0001);
}

#[test]
fn unsigned_values_beyond_their_range_are_malformed() {
    assert!(Pdu::parse(&set(&[0x41, 5, 1, 0, 0, 0, 0])).is_err());
    assert!(Pdu::parse(&set(&[0x43, 0])).is_err());
}

#[test]
fn integers_beyond_32_bits_are_malformed() {
    assert!(Pdu::parse(&set(&[2, 6, 1, 0, 0, 0, 0, 0])).is_err());
    assert!(
        Pdu::parse(&set(&[2, 20, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]))
            .is_err()
    );
    let fine = value_of(&set(&[2, 4, 0x80, 0, 0, 0]));
    let want = ObjectSyntax::Simple(SimpleSyntax::Integer(i32::MIN.into()));
    assert_eq!(fine, VarBindValue::Value(want));
}

#[test]
fn constructed_strings_and_indefinite_lengths_are_malformed() {
    assert!(Pdu::parse(&set(&[0x24, 3, 4, 1, 0x41])).is_err());
    let indefinite = [0x30, 0x80, 2, 1, 1, 4, 0, 0xa0, 0, 0, 0];
    assert!(Version::peek(&indefinite).is_err());
}

#[test]
fn octets_after_the_message_are_ignored() {
    let mut octets = Vec::new();
    nest(&mut octets, tag::SEQUENCE, |out| {
        out.extend([2, 1, 1, 4, 1, b'x']);
        out.extend(get(SYS_UP_TIME));
    });
    octets.extend([0xde, 0xad]);
    let message = CommunityMessage::parse(&octets).unwrap();
    assert_eq!(message.community, b"x");
    assert!(Pdu::parse(message.pdu).is_ok());
}

#[test]
fn lengths_and_sub_identifiers_need_not_be_minimal() {
    let name = [6, 0x83, 0, 0, 9, 0x2b, 6, 1, 2, 1, 1, 0x80, 3, 0];
    let octets = get(&name);
    let pdu = Pdu::parse(&octets).unwrap();
    assert_eq!(pdu.variables[0].name[..], [1, 3, 6, 1, 2, 1, 1, 3, 0]);
}

#[test]
fn an_empty_name_is_zero_dot_zero() {
    let octets = get(&[6, 0]);
    let pdu = Pdu::parse(&octets).unwrap();
    assert_eq!(pdu.variables[0].name[..], [0, 0]);
}

#[test]
fn names_are_at_most_128_sub_identifiers_of_32_bits() {
    let mut name = vec![6, 127];
    name.extend([1; 127]);
    assert!(Pdu::parse(&get(&name)).is_ok());
    name[1] = 0x80;
    name.insert(1, 0x81);
    name.push(1);
    assert!(Pdu::parse(&get(&name)).is_err());
    assert!(Pdu::parse(&get(&[6, 6, 0x2b, 0x90, 0x80, 0x80, 0x80, 0])).is_err());
    assert!(Pdu::parse(&get(&[6, 2, 0x2b, 0x81])).is_err());
}

#[test]
fn addresses_have_four_octets_and_unknown_tags_are_malformed() {
    assert!(Pdu::parse(&set(&[0x40, 4, 10, 0, 0, 1])).is_ok());
    assert!(Pdu::parse(&set(&[0x40, 3, 10, 0, 0])).is_err());
    assert!(Pdu::parse(&set(&[0x47, 1, 0])).is_err());
    assert!(Pdu::parse(&set(&[5, 1, 0])).is_err());
    assert_eq!(PduType::peek(&[0xa9, 0]), Err(Malformed));
}

#[test]
fn the_version_is_looked_at_first() {
    let peek = |version| Version::peek(&[0x30, 3, 2, 1, version]);
    assert_eq!(peek(0), Ok(Version::V1));
    assert_eq!(peek(1), Ok(Version::V2c));
    assert_eq!(peek(2), Ok(Version::Other));
    assert_eq!(peek(3), Ok(Version::V3));
    assert_eq!(Version::peek(&[0x30, 0]), Err(Malformed));
}

#[test]
fn a_trap_of_version_1_is_no_pdu_to_parse() {
    assert!(Pdu::parse(&[0xa4, 0]).is_err());
}
