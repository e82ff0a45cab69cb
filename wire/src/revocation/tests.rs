use proptest::prelude::*;

use super::*;
use crate::testing::{check_extension, check_message, emitted};

#[test]
fn the_inform_bit_has_two_places() {
    let revocation = RegistrationRevocation {
        reserved: 0,
        flags: RegistrationRevocation::INFORM,
        home_address: [10, 99, 0, 7].into(),
        home_domain_address: [192, 0, 2, 1].into(),
        foreign_domain_address: [198, 51, 100, 9].into(),
        identifier: 0x0102_0304,
    };
    assert!(revocation.informs() && !revocation.is_from_home_agent());
    assert_eq!(
        emitted!(revocation),
        [7, 0, 0x40, 0, 10, 99, 0, 7, 192, 0, 2, 1, 198, 51, 100, 9, 1, 2, 3, 4]
    );
    let from_home =
        RegistrationRevocation { flags: RegistrationRevocation::FROM_HOME_AGENT, ..revocation };
    assert!(!from_home.informs() && from_home.is_from_home_agent());

    let acknowledgment = RegistrationRevocationAcknowledgment {
        reserved: 0,
        flags: RegistrationRevocationAcknowledgment::INFORM,
        home_address: [10, 99, 0, 7].into(),
        identifier: 0x0102_0304,
    };
    assert!(acknowledgment.informs());
    assert_eq!(emitted!(acknowledgment), [15, 0, 0x80, 0, 10, 99, 0, 7, 1, 2, 3, 4]);
    let other = RegistrationRevocationAcknowledgment { flags: 0x4000, ..acknowledgment };
    assert!(!other.informs());
}

#[test]
fn support_may_grow_but_not_shrink() {
    let support = RevocationSupport { flags: RevocationSupport::INFORM, timestamp: 5 };
    assert!(support.informs());
    assert_eq!(emitted!(support), [137, 6, 0x80, 0, 0, 0, 0, 5]);
    let body = [0x80, 0, 0, 0, 0, 5, 99, 99];
    for length in 0..=body.len() {
        let extension =
            Extension { kind: 137, subtype: None, body: &body[..length], start: 0, end: 0 };
        let want = if length < 6 {
            Err(ParseError::ExtensionLength { kind: 137, length })
        } else {
            Ok(support)
        };
        assert_eq!(RevocationSupport::parse(&extension), want);
    }
}

proptest! {
    #[test]
    fn revocation_survives(
        reserved: u8, flags: u16, home: u32, home_domain: u32, foreign: u32, identifier: u32,
        tail: Vec<u8>,
    ) {
        let revocation = RegistrationRevocation {
            reserved,
            flags,
            home_address: home.into(),
            home_domain_address: home_domain.into(),
            foreign_domain_address: foreign.into(),
            identifier,
        };
        check_message!(RegistrationRevocation, revocation, tail);
    }

    #[test]
    fn acknowledgment_survives(
        reserved: u8, flags: u16, home: u32, identifier: u32, tail: Vec<u8>,
    ) {
        let acknowledgment = RegistrationRevocationAcknowledgment {
            reserved, flags, home_address: home.into(), identifier,
        };
        check_message!(RegistrationRevocationAcknowledgment, acknowledgment, tail);
    }

    #[test]
    fn support_survives(flags: u16, timestamp: u32) {
        let support = RevocationSupport { flags, timestamp };
        check_extension!(support, RevocationSupport::parse, emitted!(support));
    }
}
