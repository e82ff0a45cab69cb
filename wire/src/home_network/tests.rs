use proptest::prelude::*;

use super::*;
use crate::testing::{check_extension, check_length, emitted};

#[test]
fn lengths_and_subtypes() {
    check_length!(DynamicHomeAgent::parse, 139, Some(1), 4);
    check_length!(MobileNetwork::parse, 148, Some(0), 5);
    check_length!(MobileNetwork::parse, 148, Some(1), 7);
    check_length!(MobileNetwork::parse, 148, Some(2), 7);
    let extension = Extension { kind: 148, subtype: Some(3), body: &[0; 7], start: 0, end: 0 };
    let error = ParseError::ExtensionSubtype { kind: 148, subtype: 3 };
    assert_eq!(MobileNetwork::parse(&extension), Err(error));
}

#[test]
fn octets_of_the_figures() {
    let redirected = DynamicHomeAgent {
        subtype: DynamicHomeAgent::REDIRECTED,
        home_agent: [192, 0, 2, 9].into(),
    };
    assert_eq!(emitted!(redirected), [139, 2, 0, 4, 192, 0, 2, 9]);
    let prefix = [10, 1, 0, 0].into();
    let request = MobileNetwork::Request { prefix_length: 24, prefix };
    assert_eq!(emitted!(request), [148, 6, 0, 24, 10, 1, 0, 0]);
    let acknowledgement = MobileNetwork::Acknowledgement {
        explicit: true,
        code: MobileNetworkCode::UNAUTHORIZED,
        prefix_length: 24,
        reserved: 0,
        prefix,
    };
    assert_eq!(emitted!(acknowledgement), [148, 8, 1, 2, 24, 0, 10, 1, 0, 0]);
}

proptest! {
    #[test]
    fn extensions_survive(
        subtype: u8, address: u32, prefix_length: u8, explicit: bool, code: u8, reserved: u8,
    ) {
        let dynamic = DynamicHomeAgent { subtype, home_agent: address.into() };
        check_extension!(dynamic, DynamicHomeAgent::parse, emitted!(dynamic));
        let prefix = address.into();
        let request = MobileNetwork::Request { prefix_length, prefix };
        check_extension!(request, MobileNetwork::parse, emitted!(request));
        let code = MobileNetworkCode(code);
        let acknowledgement =
            MobileNetwork::Acknowledgement { explicit, code, prefix_length, reserved, prefix };
        check_extension!(acknowledgement, MobileNetwork::parse, emitted!(acknowledgement));
    }
}
