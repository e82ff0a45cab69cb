//! Golden octets from the figures of RFC 2741, and properties of the codec.

use proptest::collection::vec;
use proptest::prelude::*;

use super::header::flag;
use super::*;
use crate::Oid;
use crate::value::{Octets, Value};

mod strategy;

fn emitted(pdu: &Pdu) -> Vec<u8> {
    let mut octets = Vec::new();
    pdu.emit(&mut octets);
    octets
}

/// The octets of `rows`, without the blanks.
fn hex(rows: &str) -> Vec<u8> {
    let digits: Vec<u8> = rows.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

fn ids(order: ByteOrder) -> Ids {
    Ids { order, session: 7, transaction: 0x0102_0304, packet: 9 }
}

/// §5.1 `sysDescr.0`, compressed, and §5.2: an included start and an end.
#[test]
fn search_ranges_are_those_of_the_figures() {
    let range = |start: &[u32], include, end: &[u32]| SearchRange {
        start: Oid::from(start),
        include,
        end: Oid::from(end),
    };
    let ranges = vec![
        range(&[1, 3, 6, 1, 2, 1, 1, 1, 0], false, &[]),
        range(&[1, 2, 3, 4], false, &[]),
        range(&[1, 3, 6, 1, 2, 1, 25, 2], true, &[1, 3, 6, 1, 2, 1, 25, 2, 1]),
    ];
    let body = Body::GetNext { context: None, ranges };
    let pdu = Pdu { ids: ids(ByteOrder::Network), body };
    let golden = hex("01061000 00000007 01020304 00000009 00000054
         04020000 00000001 00000001 00000001 00000000  00000000
         04000000 00000001 00000002 00000003 00000004  00000000
         03020100 00000001 00000019 00000002
         04020000 00000001 00000019 00000002 00000001");
    assert_eq!(emitted(&pdu), golden);
    assert_eq!(Pdu::parse(&golden), Ok(pdu));
}

/// §5.4 by hand, least significant octet first; addresses stay as they are.
#[test]
fn values_are_those_of_the_figures() {
    let name = Oid::from([1, 3, 6, 1, 2, 1]);
    let data = [
        VarData::Value(Value::Integer32(-2)),
        VarData::Value(Value::octets([0xff, 0, 0xfe, 0x80, 1])),
        VarData::Null,
        VarData::Value(Value::ObjectIdentifier(Oid::new())),
        VarData::Value(Value::IpAddress([192, 168, 1, 255])),
        VarData::Value(Value::Counter64(1 << 32)),
        VarData::Opaque(Octets::from(&[0x9f, 0x78][..])),
        VarData::EndOfMibView,
    ];
    let variables = data.map(|data| VarBind { name: name.clone(), data });
    let body = Body::Response {
        sys_up_time: 0xffff_ffff,
        error: ErrorCode::PARSE_ERROR,
        index: 2,
        variables: variables.to_vec(),
    };
    let pdu = Pdu { ids: ids(ByteOrder::Little), body };
    let golden = hex("01120000 07000000 04030201 09000000 94000000
         ffffffff 0a010200
         02000000 01020000 01000000  feffffff
         04000000 01020000 01000000  05000000 ff00fe80 01000000
         05000000 01020000 01000000
         06000000 01020000 01000000  00000000
         40000000 01020000 01000000  04000000 c0a801ff
         46000000 01020000 01000000  00000000 01000000
         44000000 01020000 01000000  02000000 9f780000
         82000000 01020000 01000000");
    assert_eq!(emitted(&pdu), golden);
    assert_eq!(Pdu::parse(&golden), Ok(pdu));
}

/// §6.2.1, §6.2.2, §6.2.3 and §6.2.11.
#[test]
fn administrative_pdus_are_those_of_the_figures() {
    let order = ByteOrder::Network;
    let mip = Oid::from([1, 3, 6, 1, 2, 1, 44]);
    let open = Body::Open { timeout: 5, id: mip.clone(), description: b"mip4d"[..].into() };
    let region = Region { priority: 127, subtree: mip, range: None };
    let range = Region { range: Some((7, 46)), ..region.clone() };
    let context = Some(Octets::from(&b"ctx"[..]));
    let header = |kind, flags, length| {
        hex(&format!("01{kind}{flags}00 00000007 01020304 00000009 000000{length}"))
    };
    let cases = [
        (
            open,
            header("01", "10", "1c"),
            "05000000 02020000 00000001 0000002c 00000005 6d697034 64000000",
        ),
        (Body::Close { reason: 5 }, header("02", "10", "04"), "05000000"),
        (
            Body::Register { context: None, region, timeout: 3, instance: true },
            header("03", "11", "10"),
            "037f0000 02020000 00000001 0000002c",
        ),
        (
            Body::Unregister { context: context.clone(), region: range },
            header("04", "18", "1c"),
            "00000003 63747800 007f0700 02020000 00000001 0000002c 0000002e",
        ),
        (Body::Ping { context }, header("0d", "18", "08"), "00000003 63747800"),
        (Body::CleanupSet, header("0b", "10", "00"), ""),
    ];
    for (body, mut golden, payload) in cases {
        golden.extend(hex(payload));
        let pdu = Pdu { ids: ids(order), body };
        assert_eq!(emitted(&pdu), golden);
        assert_eq!(Pdu::parse(&golden), Ok(pdu));
    }
}

#[test]
fn lengths_that_lie_are_errors() {
    let close = |header: &str| Pdu::parse(&hex(&format!("{header} 05000000")));
    let ids = "00000007 00000000 00000009";
    assert!(close(&format!("01021000 {ids} 00000004")).is_ok());
    assert_eq!(close(&format!("02021000 {ids} 00000004")), Err(ParseError::Version(2)));
    assert_eq!(close(&format!("01131000 {ids} 00000004")), Err(ParseError::PduType(19)));
    assert_eq!(close(&format!("01021000 {ids} 00000003")), Err(ParseError::PayloadLength(3)));
    assert_eq!(close(&format!("01021000 {ids} 00000000")), Err(ParseError::Surplus));
    assert_eq!(close(&format!("01021000 {ids} 00000008")), Err(ParseError::Truncated));
    let huge = ParseError::PayloadLength(0xffff_fffc);
    assert_eq!(close(&format!("01021000 {ids} fffffffc")), Err(huge));
    let ping = |payload: &str, length: &str| {
        Pdu::parse(&hex(&format!("010d1800 {ids} 000000{length} {payload}")))
    };
    assert_eq!(ping("ffffffff 00000000", "08"), Err(ParseError::Truncated));
    assert_eq!(ping("00000005 00000000", "08"), Err(ParseError::Truncated));
    let get = |oid: &str, length: &str| {
        Pdu::parse(&hex(&format!("01051000 {ids} 000000{length} {oid} 00000000")))
    };
    assert_eq!(get("81000000", "08"), Err(ParseError::OidLength(129)));
    assert_eq!(get("7c020000", "08"), Err(ParseError::OidLength(129)));
    assert_eq!(get("80000000", "08"), Err(ParseError::Truncated));
    let response = |variable: &str, length: &str| {
        Pdu::parse(&hex(&format!("01121000 {ids} 000000{length} 00000000 00000000 {variable}")))
    };
    assert_eq!(response("00030000 00000000", "10"), Err(ParseError::ValueType(3)));
    let short = "00400000 00000000 00000003 01020300";
    assert_eq!(response(short, "18"), Err(ParseError::AddressLength(3)));
}

proptest! {
    #[test]
    fn what_is_emitted_is_parsed(pdu in strategy::pdu()) {
        let octets = emitted(&pdu);
        prop_assert_eq!(octets.len() % 4, 0);
        prop_assert_eq!(Header::parse(&octets).unwrap().payload_length + Header::LEN, octets.len());
        prop_assert_eq!(Pdu::parse(&octets), Ok(pdu));
    }

    #[test]
    fn every_prefix_is_an_error(pdu in strategy::pdu()) {
        let octets = emitted(&pdu);
        for end in 0..octets.len() {
            prop_assert!(Pdu::parse(&octets[..end]).is_err());
        }
    }

    /// Cut short, and the header says so: a list may end earlier, but nothing else may be made up.
    #[test]
    fn a_shorter_payload_is_an_error_or_another_pdu(pdu in strategy::pdu()) {
        let octets = emitted(&pdu);
        for end in (Header::LEN..octets.len()).step_by(4) {
            let mut shorter = octets[..end].to_vec();
            Header::finish(0, pdu.ids.order, &mut shorter);
            if let Ok(other) = Pdu::parse(&shorter) {
                prop_assert_eq!(emitted(&other), shorter);
            }
        }
    }

    #[test]
    fn random_payloads_do_no_harm(
        kind in 0_u8..20, flags in any::<u8>(), payload in vec(any::<u8>(), 0..300),
    ) {
        let order = match flags & flag::NETWORK_BYTE_ORDER {
            0 => ByteOrder::Little,
            _ => ByteOrder::Network,
        };
        let mut octets = Vec::new();
        Header::emit(kind, flags, ids(order), &mut octets);
        octets.extend(&payload);
        Header::finish(0, order, &mut octets);
        if let Ok(pdu) = Pdu::parse(&octets) {
            prop_assert_eq!(Pdu::parse(&emitted(&pdu)), Ok(pdu));
        }
    }

    #[test]
    fn random_octets_do_no_harm(octets in vec(any::<u8>(), 0..100)) {
        let _nothing_to_say = Pdu::parse(&octets);
    }

    #[test]
    fn flipped_octets_do_no_harm(
        pdu in strategy::pdu(), flips in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut octets = emitted(&pdu);
        for (at, octet) in flips {
            let at = at.index(octets.len());
            octets[at] = octet;
        }
        if let Ok(pdu) = Pdu::parse(&octets) {
            prop_assert_eq!(Pdu::parse(&emitted(&pdu)), Ok(pdu));
        }
    }
}
