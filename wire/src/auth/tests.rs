use proptest::prelude::*;

use super::*;
use crate::extension::{extension_type, extensions_from};

const ALGORITHMS: [AuthenticationAlgorithm; 4] = [
    AuthenticationAlgorithm::HmacMd5,
    AuthenticationAlgorithm::KeyedMd5,
    AuthenticationAlgorithm::HmacSha1,
    AuthenticationAlgorithm::HmacSha256,
];

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |words, octet| words + &format!("{octet:02x}"))
}

fn digest(algorithm: AuthenticationAlgorithm, key: &SecretKey, octets: &[u8]) -> String {
    hex(compute(algorithm, key, octets).as_slice())
}

/// RFC 2202 §2 and §3, RFC 4231 §4.2 and §4.3: the first two cases of each.
#[test]
fn published_vectors() {
    let data = b"what do ya want for nothing?";
    let jefe = SecretKey::from_ascii("Jefe").unwrap();
    let vectors = [
        (
            AuthenticationAlgorithm::HmacMd5,
            16,
            "9294727a3638bb1c13f48ef8158bfc9d",
            "750c783e6ab0b503eaa86e310a5db738",
        ),
        (
            AuthenticationAlgorithm::HmacSha1,
            20,
            "b617318655057264e28bc0b6fb378c8ef146be00",
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
        ),
        (
            AuthenticationAlgorithm::HmacSha256,
            20,
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
    ];
    for (algorithm, key_length, hi_there, nothing) in vectors {
        let key = SecretKey::from_octets(&vec![0x0b; key_length]).unwrap();
        assert_eq!(digest(algorithm, &key, b"Hi There"), hi_there, "{algorithm}");
        assert_eq!(digest(algorithm, &jefe, data), nothing, "{algorithm}");
    }
}

/// MD5("abc") of RFC 1321 §A.5, cut into key, message and key: "a" + "…" + "a" has no published
/// vector, so the concatenation "aba" is compared with plain MD5.
#[test]
fn keyed_md5_is_prefix_and_suffix() {
    let key = SecretKey::from_ascii("a").unwrap();
    let plain = hex(&Md5::digest(b"aba"));
    assert_eq!(digest(AuthenticationAlgorithm::KeyedMd5, &key, b"b"), plain);
}

#[test]
fn keys_from_words() {
    let key = SecretKey::from_hex("00112233445566778899AABBccddeeff").unwrap();
    assert_eq!(hex(key.expose_octets()), "00112233445566778899aabbccddeeff");
    assert_eq!(SecretKey::from_ascii("secret").unwrap().expose_octets(), b"secret");
    assert_eq!(SecretKey::from_hex("012"), Err(KeyError::Hexadecimal));
    assert_eq!(SecretKey::from_hex("0g"), Err(KeyError::Hexadecimal));
    assert_eq!(SecretKey::from_hex("éa"), Err(KeyError::Hexadecimal));
    assert_eq!(SecretKey::from_hex(""), Err(KeyError::Length(0)));
    assert_eq!(SecretKey::from_hex(&"00".repeat(65)), Err(KeyError::Length(65)));
    assert_eq!(SecretKey::from_octets(&[]), Err(KeyError::Length(0)));
    assert_eq!(SecretKey::from_octets(&[0; 65]), Err(KeyError::Length(65)));
    assert!(SecretKey::from_octets(&[7; 64]).is_ok());
    assert_eq!(SecretKey::from_ascii("tab\t"), Err(KeyError::Ascii));
}

#[test]
fn a_key_prints_nothing_and_differs_from_its_extension_by_zeros() {
    let key = SecretKey::from_ascii("hidden").unwrap();
    assert_eq!(format!("{key:?}"), "SecretKey(..)");
    assert_ne!(key, SecretKey::from_octets(b"hidden\0").unwrap());
    assert_eq!(key, key.clone());
}

#[test]
fn a_key_that_was_used_before_says_the_same() {
    let fresh = || SecretKey::from_ascii("secret").unwrap();
    let used = fresh();
    for algorithm in ALGORITHMS.into_iter().chain(ALGORITHMS) {
        let [used, fresh] = [&used, &fresh()].map(|key| compute(algorithm, key, b"message"));
        assert_eq!(used.as_slice(), fresh.as_slice(), "{algorithm}");
    }
}

#[test]
fn names_are_those_of_serde() {
    for algorithm in ALGORITHMS {
        assert_eq!(serde_json::to_string(&algorithm).unwrap(), format!("\"{algorithm}\""));
    }
}

#[test]
fn an_spi_that_is_cut_short_is_an_error() {
    let message = [32, 3, 0, 0, 1];
    let extension = extensions_from(&message, 0).next().unwrap().unwrap();
    assert_eq!(
        Authentication::parse(&message, &extension),
        Err(ParseError::ExtensionLength { kind: 32, length: 3 })
    );
}

proptest! {
    #[test]
    fn what_is_appended_verifies_and_any_flipped_bit_does_not(
        front in prop::collection::vec(any::<u8>(), 0..60),
        spi: u32,
        key in prop::collection::vec(any::<u8>(), 1..=64),
        algorithm in prop::sample::select(&ALGORITHMS[..]),
        kind in 32..=34_u8,
        flip: prop::sample::Index,
    ) {
        let key = SecretKey::from_octets(&key).unwrap();
        let mut message = front.clone();
        append_authentication(&mut message, kind, Spi(spi), algorithm, &key);
        prop_assert_eq!(message.len(), front.len() + 6 + algorithm.authenticator_len());
        let check = |message: &[u8]| {
            let extension = extensions_from(message, front.len()).next().unwrap().ok()?;
            let authentication = Authentication::parse(message, &extension).ok()?;
            (extension.kind == kind && extension.end == message.len())
                .then(|| (authentication.spi, verify(&authentication, algorithm, &key)))
        };
        prop_assert_eq!(check(&message), Some((Spi(spi), true)));
        let bit = flip.index(message.len() * 8);
        message[bit / 8] ^= 1 << (bit % 8);
        prop_assert_ne!(check(&message).map(|(_, valid)| valid), Some(true));
    }

    #[test]
    fn a_shorter_authenticator_never_verifies(cut in 0..16_usize) {
        let key = SecretKey::from_ascii("k").unwrap();
        let mut message = Vec::new();
        let kind = extension_type::MOBILE_HOME_AUTHENTICATION;
        append_authentication(&mut message, kind, Spi(256), AuthenticationAlgorithm::HmacMd5, &key);
        let authentication = Authentication {
            spi: Spi(256),
            authenticator: &message[6..6 + cut],
            covered: &message[..6],
        };
        prop_assert!(!verify(&authentication, AuthenticationAlgorithm::HmacMd5, &key));
    }
}
