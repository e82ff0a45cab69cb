use proptest::prelude::*;

use super::*;
use crate::extensions;
use crate::testing::{check_extension, check_length, check_message, emitted};

#[test]
fn lengths() {
    check_length!(GfaIpAddress::parse, 46, None, 6);
    check_length!(HierarchicalForeignAgent::parse, 140, None, 6);
    check_length!(RegionalRegistrationLifetime::parse, 142, None, 6);
    check_length!(ReplayProtectionStyle::parse, 141, None, 10);
}

/// Both lengths that RFC 4857 §9.3 can be read to ask for.
#[test]
fn replay_protection_style_of_either_length() {
    let style = ReplayProtectionStyle {
        style: ReplayProtectionStyle::NONCE,
        initial_identification: Identification(0x0102_0304_0506_0708),
    };
    let mut octets = emitted!(style);
    assert_eq!(octets, [141, 10, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8]);
    octets[1] = 2;
    octets.extend([142, 6, 0, 0, 0, 0, 0, 60]);
    let found: Vec<_> = extensions(&octets).map(Result::unwrap).collect();
    assert_eq!(found.len(), 2);
    assert_eq!(ReplayProtectionStyle::parse(&found[0]), Ok(style));
    assert_eq!(
        RegionalRegistrationLifetime::parse(&found[1]),
        Ok(RegionalRegistrationLifetime(60))
    );
    assert!(extensions(&[141, 2, 0, 1]).next().is_some_and(|item| item.is_err()));
}

#[test]
fn regional_lifetime_in_sixteen_bits() {
    assert_eq!(RegionalRegistrationLifetime(60).lifetime(), Lifetime(60));
    assert_eq!(RegionalRegistrationLifetime(0xffff).lifetime(), Lifetime::INFINITE);
    assert_eq!(RegionalRegistrationLifetime(0x1_0000).lifetime(), Lifetime::INFINITE);
    assert_eq!(RegionalRegistrationLifetime::from(Lifetime::INFINITE).0, 0xffff);
}

#[test]
fn reserved_octets_are_ignored() {
    let octets = [46, 6, 0xff, 0xff, 192, 0, 2, 3];
    let extension = extensions(&octets).next().unwrap().unwrap();
    assert_eq!(GfaIpAddress::parse(&extension), Ok(GfaIpAddress([192, 0, 2, 3].into())));
}

proptest! {
    #[test]
    fn request_survives(
        flags: u8, lifetime: u16, home: u32, gateway: u32, care_of: u32, identification: u64,
        tail: Vec<u8>,
    ) {
        let request = RegionalRegistrationRequest {
            flags: Flags(flags),
            lifetime: Lifetime(lifetime),
            home_address: home.into(),
            gfa_ip_address: gateway.into(),
            care_of_address: care_of.into(),
            identification: Identification(identification),
        };
        check_message!(RegionalRegistrationRequest, request, tail);
    }

    #[test]
    fn reply_survives(
        code: u8, lifetime: u16, home: u32, gateway: u32, identification: u64, tail: Vec<u8>,
    ) {
        let reply = RegionalRegistrationReply {
            code: Code(code),
            lifetime: Lifetime(lifetime),
            home_address: home.into(),
            gfa_ip_address: gateway.into(),
            identification: Identification(identification),
        };
        check_message!(RegionalRegistrationReply, reply, tail);
    }

    #[test]
    fn extensions_survive(address: u32, style: u16, identification: u64, lifetime: u32) {
        let gateway = GfaIpAddress(address.into());
        check_extension!(gateway, GfaIpAddress::parse, emitted!(gateway));
        let foreign = HierarchicalForeignAgent(address.into());
        check_extension!(foreign, HierarchicalForeignAgent::parse, emitted!(foreign));
        let style = ReplayProtectionStyle {
            style,
            initial_identification: Identification(identification),
        };
        check_extension!(style, ReplayProtectionStyle::parse, emitted!(style));
        let lifetime = RegionalRegistrationLifetime(lifetime);
        check_extension!(lifetime, RegionalRegistrationLifetime::parse, emitted!(lifetime));
    }
}
