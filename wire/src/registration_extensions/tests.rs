use proptest::prelude::*;

use super::*;
use crate::{
    AuthenticationAlgorithm, Code, Identification, Lifetime, RegistrationReply, SecretKey, Spi,
    append_authentication, append_generalized_authentication, verify,
};

const HMAC: AuthenticationAlgorithm = AuthenticationAlgorithm::HmacMd5;

fn key() -> SecretKey {
    SecretKey::from_ascii("a test key").unwrap()
}

fn reply() -> Vec<u8> {
    let mut message = Vec::new();
    RegistrationReply {
        code: Code::ACCEPTED,
        lifetime: Lifetime(60),
        home_address: [10, 0, 0, 1].into(),
        home_agent: [10, 0, 0, 2].into(),
        identification: Identification(7),
    }
    .emit(&mut message);
    message
}

fn authenticate(message: &mut Vec<u8>, kind: u8) {
    append_authentication(message, kind, Spi(256 + u32::from(kind)), HMAC, &key());
}

#[test]
fn each_authentication_covers_what_came_before_it() {
    let mut message = reply();
    Nai::new("node@example.net").unwrap().emit(&mut message);
    message.extend([134, 8, 0, 0, 0, 0, 0, 9, 0, 14]);
    authenticate(&mut message, 32);
    let relayed = message.len();
    message.extend([0, 134, 8, 0, 0, 0, 0, 0, 9, 0, 15, 0]);
    authenticate(&mut message, 34);
    authenticate(&mut message, 33);

    let found = RegistrationExtensions::parse(&message).unwrap();
    assert_eq!(found.nai.as_ref().map(Nai::as_str), Some("node@example.net"));
    assert_eq!((found.duplicate, found.misplaced), (None, None));
    for (authentication, spi) in
        [(found.mobile_home, 288), (found.mobile_foreign, 289), (found.foreign_home, 290)]
    {
        let authentication = authentication.unwrap();
        assert_eq!(authentication.spi, Spi(spi));
        assert!(verify(&authentication, HMAC, &key()));
    }
    let kinds = |iterator: &mut dyn Iterator<Item = Extension<'_>>| -> Vec<u8> {
        iterator.map(|extension| extension.kind).collect()
    };
    assert_eq!(kinds(&mut found.before_mobile_home()), [131, 134]);
    assert_eq!(kinds(&mut found.after_mobile_home()), [134, 34, 33]);
    assert_eq!(found.all().count(), 6);
    assert_eq!(found.first(134).unwrap().body.last(), Some(&14));
    assert_eq!(found.through_mobile_home(), &message[..relayed]);
}

#[test]
fn without_mobile_home_authentication_nothing_is_after_it() {
    let mut message = reply();
    authenticate(&mut message, 33);
    let found = RegistrationExtensions::parse(&message).unwrap();
    assert_eq!(found.before_mobile_home().count(), 1);
    assert_eq!(found.after_mobile_home().count(), 0);
    assert_eq!((found.duplicate, found.misplaced), (None, None));
    assert_eq!(found.through_mobile_home(), &message[..]);
}

#[test]
fn the_first_of_several_counts_and_the_rest_is_reported() {
    for kind in 32..=34 {
        let mut message = reply();
        authenticate(&mut message, kind);
        let once = message.len();
        authenticate(&mut message, kind);
        let found = RegistrationExtensions::parse(&message).unwrap();
        assert_eq!(found.duplicate, Some(kind));
        let taken = [found.mobile_home, found.mobile_foreign, found.foreign_home];
        let taken = taken.iter().flatten().next().unwrap();
        assert_eq!(taken.covered.len() + taken.authenticator.len(), once);
    }
    let mut message = reply();
    message.extend(b"\x83\x01a\x83\x01b");
    let found = RegistrationExtensions::parse(&message).unwrap();
    assert_eq!((found.nai.unwrap().as_str(), found.duplicate), ("a", Some(131)));
}

#[test]
fn the_wrong_side_is_reported() {
    let mut nai_behind = reply();
    authenticate(&mut nai_behind, 32);
    nai_behind.extend(b"\x83\x01a");
    assert_eq!(RegistrationExtensions::parse(&nai_behind).unwrap().misplaced, Some(131));
    for kind in [33, 34] {
        let mut message = reply();
        authenticate(&mut message, kind);
        authenticate(&mut message, 32);
        assert_eq!(RegistrationExtensions::parse(&message).unwrap().misplaced, Some(kind));
    }
}

#[test]
fn unskippable_is_an_error_also_where_the_layout_is_known() {
    for kind in [99, 40, 47, 127] {
        let mut message = reply();
        message.extend([kind, 1, 0, 0]);
        assert_eq!(
            RegistrationExtensions::parse(&message).unwrap_err(),
            ParseError::UnskippableExtension(kind)
        );
    }
    let mut message = reply();
    message.extend([200, 1, 0]);
    assert!(RegistrationExtensions::parse(&message).is_ok());
}

#[test]
fn malformed_parts_are_errors() {
    let with = |extension: &[u8]| {
        let mut message = reply();
        message.extend(extension);
        RegistrationExtensions::parse(&message).map(drop).unwrap_err().reason()
    };
    assert_eq!(with(&[131, 0]), "nai");
    assert_eq!(with(&[131, 1, 0xff]), "nai");
    assert_eq!(with(&[32, 3, 1, 2, 3]), "extension-length");
    assert_eq!(with(&[32, 5, 1, 2, 3]), "extension-truncated");
    assert_eq!(RegistrationExtensions::parse(&[]).unwrap_err().reason(), "truncated");
    assert_eq!(RegistrationExtensions::parse(&[2; 40]).unwrap_err().reason(), "unknown-message");
}

#[test]
fn vendors_and_generalized_authentication() {
    let mut message = reply();
    let vendor =
        |critical, vendor_type| VendorExtension { critical, vendor: 9, vendor_type, value: b"v" };
    vendor(true, 1).emit(&mut message).unwrap();
    vendor(false, 2).emit(&mut message).unwrap();
    authenticate(&mut message, 32);
    vendor(false, 3).emit(&mut message).unwrap();
    message.extend([134, 1, 0]);
    for subtype in [1, 3] {
        let spi = Spi(300 + u32::from(subtype));
        append_generalized_authentication(&mut message, subtype, spi, HMAC, &key());
    }
    let found = RegistrationExtensions::parse(&message).unwrap();
    let before: Vec<_> = found.vendors_before().collect();
    assert_eq!(before, [vendor(true, 1), vendor(false, 2)]);
    // The Normal one that is too short is skippable, so it is skipped.
    assert_eq!(found.vendors_after().collect::<Vec<_>>(), [vendor(false, 3)]);
    let gateway = found.generalized(3).unwrap();
    assert_eq!(gateway.spi, Spi(303));
    assert!(verify(&gateway, HMAC, &key()));
    assert_eq!(found.generalized(2), None);
    message.extend([38, 0, 0, 5, 0, 0, 0, 9, 0]);
    assert_eq!(
        RegistrationExtensions::parse(&message).unwrap_err(),
        ParseError::ExtensionLength { kind: 38, length: 5 }
    );
}

proptest! {
    #[test]
    fn random_octets_never_panic(
        kind in prop::sample::select(&[1_u8, 3, 7, 15, 18, 19, 22, 23][..]), octets: Vec<u8>,
    ) {
        let mut message = vec![kind];
        message.extend(octets);
        if let Ok(found) = RegistrationExtensions::parse(&message) {
            let sides = found.before_mobile_home().count() + found.after_mobile_home().count();
            let boundary = usize::from(found.mobile_home.is_some());
            prop_assert_eq!(sides + boundary, found.all().count());
            prop_assert!(found.all().all(|extension| extension.is_ok()));
        }
    }

    #[test]
    fn nai_survives(text in "[^\\p{Cc}]{1,60}") {
        let nai = Nai::new(&text).unwrap();
        let mut message = reply();
        nai.emit(&mut message);
        prop_assert_eq!(RegistrationExtensions::parse(&message).unwrap().nai, Some(nai));
    }
}
