use proptest::prelude::*;

use super::*;
use crate::testing::{check_extension, check_length, check_message, emitted};

#[test]
fn lengths_and_subtypes() {
    check_length!(EncapsulatingDeliveryStyle::parse, 130, None, 0);
    check_length!(UdpTunnelRequest::parse, 144, Some(0), 5);
    check_length!(UdpTunnelReply::parse, 44, Some(0), 5);
    check_length!(GreKey::parse, 48, Some(0), 4);
    check_length!(ForeignAgentError::parse, 45, Some(0), 1);
    let extension = |kind| Extension { kind, subtype: Some(1), body: &[], start: 0, end: 0 };
    let error = |kind| ParseError::ExtensionSubtype { kind, subtype: 1 };
    assert_eq!(UdpTunnelRequest::parse(&extension(144)), Err(error(144)));
    assert_eq!(UdpTunnelReply::parse(&extension(44)), Err(error(44)));
    assert_eq!(GreKey::parse(&extension(48)), Err(error(48)));
    assert_eq!(ForeignAgentError::parse(&extension(45)), Err(error(45)));
}

#[test]
fn octets_of_the_figures() {
    let request = UdpTunnelRequest {
        reserved_1: 0,
        flags: UdpTunnelRequest::FORCE,
        encapsulation: 47,
        reserved_3: 0,
    };
    assert_eq!(emitted!(request), [144, 6, 0, 0, 0x80, 47, 0, 0]);
    let reply = UdpTunnelReply {
        reply_code: UdpTunnelReply::DECLINED,
        flags: UdpTunnelReply::FORCED,
        keepalive_interval: 110,
    };
    assert!(!reply.is_assent());
    assert!(UdpTunnelReply { reply_code: 63, ..reply }.is_assent());
    assert_eq!(emitted!(reply), [44, 6, 0, 64, 0x80, 0, 0, 110]);
    assert_eq!(emitted!(GreKey(0x0102_0304)), [48, 0, 0, 4, 1, 2, 3, 4]);
    assert_eq!(emitted!(ForeignAgentError(Code(71))), [45, 2, 0, 71]);
    assert_eq!(emitted!(EncapsulatingDeliveryStyle), [130, 0]);
    assert_eq!(emitted!(TunnelData { next_header: 4, reserved: 0 }), [4, 4, 0, 0]);
}

proptest! {
    #[test]
    fn extensions_survive(a: u8, b: u8, c: u8, d: u16, e: u16, f: u32) {
        let request = UdpTunnelRequest { reserved_1: a, flags: b, encapsulation: c, reserved_3: d };
        check_extension!(request, UdpTunnelRequest::parse, emitted!(request));
        let reply = UdpTunnelReply { reply_code: a, flags: d, keepalive_interval: e };
        check_extension!(reply, UdpTunnelReply::parse, emitted!(reply));
        check_extension!(GreKey(f), GreKey::parse, emitted!(GreKey(f)));
        let error = ForeignAgentError(Code(a));
        check_extension!(error, ForeignAgentError::parse, emitted!(error));
        let style = EncapsulatingDeliveryStyle;
        check_extension!(style, EncapsulatingDeliveryStyle::parse, emitted!(style));
    }

    #[test]
    fn tunnel_data_survive(next_header: u8, reserved: u16, tail: Vec<u8>) {
        let header = TunnelData { next_header, reserved };
        check_message!(TunnelData, header, tail);
    }
}
