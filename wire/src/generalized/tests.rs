use proptest::prelude::*;

use super::*;
use crate::{extensions_from, verify};

#[test]
fn an_authenticator_has_at_least_sixteen_octets() {
    let mut message = vec![36, 1, 0, 19];
    message.extend([0; 19]);
    let extension = extensions_from(&message, 0).next().unwrap().unwrap();
    assert_eq!(
        GeneralizedAuthentication::parse(&message, &extension),
        Err(ParseError::ExtensionLength { kind: 36, length: 19 })
    );
}

proptest! {
    #[test]
    fn what_is_appended_verifies(
        front in prop::collection::vec(any::<u8>(), 0..40), subtype: u8, spi: u32,
        algorithm in prop::sample::select(&[
            AuthenticationAlgorithm::HmacMd5,
            AuthenticationAlgorithm::KeyedMd5,
            AuthenticationAlgorithm::HmacSha1,
            AuthenticationAlgorithm::HmacSha256,
        ][..]),
    ) {
        let key = SecretKey::from_ascii("a test key").unwrap();
        let mut message = front.clone();
        append_generalized_authentication(&mut message, subtype, Spi(spi), algorithm, &key);
        let extension = extensions_from(&message, front.len()).next().unwrap().unwrap();
        prop_assert_eq!(extension.end, message.len());
        let found = GeneralizedAuthentication::parse(&message, &extension).unwrap();
        prop_assert_eq!((found.subtype, found.authentication.spi), (subtype, Spi(spi)));
        prop_assert_eq!(found.authentication.covered.len(), front.len() + 8);
        prop_assert!(verify(&found.authentication, algorithm, &key));
        for end in front.len() + 1..message.len() {
            let cut = extensions_from(&message[..end], front.len()).next();
            prop_assert!(cut.is_some_and(|item| item.is_err()));
        }
    }
}
