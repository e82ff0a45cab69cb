use super::*;

/// Reads `"52 6f 5e"`.
fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace().map(|octet| u8::from_str_radix(octet, 16).unwrap()).collect()
}

const ENGINE_ID: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

fn localized(protocol: AuthenticationProtocol, password: &str) -> (Vec<u8>, Vec<u8>) {
    let key = protocol.key_of_password(password.as_bytes()).unwrap();
    let local = protocol.localize(&key, &ENGINE_ID);
    (key.octets().to_vec(), local.octets().to_vec())
}

#[test]
fn password_to_key_as_in_rfc_3414_a_3() {
    let (key, local) = localized(AuthenticationProtocol::Md5, "maplesyrup");
    assert_eq!(key, hex("9f af 32 83 88 4e 92 83 4e bc 98 47 d8 ed d9 63"));
    assert_eq!(local, hex("52 6f 5e ed 9f cc e2 6f 89 64 c2 93 07 87 d8 2b"));
    let (key, local) = localized(AuthenticationProtocol::Sha1, "maplesyrup");
    assert_eq!(key, hex("9f b5 cc 03 81 49 7b 37 93 52 89 39 ff 78 8d 5d 79 14 52 11"));
    assert_eq!(local, hex("66 95 fe bc 92 88 e3 62 82 23 5f c7 15 1f 12 84 97 b3 8f 3f"));
}

#[test]
fn key_change_as_in_rfc_3414_a_5() {
    let cases = [
        (
            AuthenticationProtocol::Md5,
            "87 02 1d 7b d9 d1 01 ba 05 ea 6e 3b f9 d9 bd 4a",
            "88 05 61 51 41 67 6c c9 19 61 74 e7 42 a3 25 51",
        ),
        (
            AuthenticationProtocol::Sha1,
            "78 e2 dc ce 79 d5 94 03 b5 8c 1b ba a5 bf f4 63 91 f1 cd 25",
            "9c 10 17 f4 fd 48 3d 2d e8 d5 fa db f8 43 92 cb 06 45 70 51",
        ),
    ];
    for (protocol, new, delta) in cases {
        let old = Key::new(&localized(protocol, "maplesyrup").1);
        let (_, local) = localized(protocol, "newsyrup");
        assert_eq!(local, hex(new));
        let random = vec![0; protocol.key_len()];
        let change = key_change(protocol, &old, &Key::new(&local), &random).unwrap();
        assert_eq!(change, [random, hex(delta)].concat());
        assert_eq!(next_key(protocol, &old, &change).unwrap().octets(), local);
        assert!(next_key(protocol, &old, &change[1..]).is_none(), "the length is wrong");
    }
}

#[test]
fn key_change_of_keys_longer_than_the_hash() {
    let (old, new) = (Key::new(&[7; 32]), Key::new(&[9; 32]));
    for protocol in AuthenticationProtocol::ALL {
        let change = key_change(protocol, &old, &new, &[0x5a; 32]).unwrap();
        assert_eq!(next_key(protocol, &old, &change).unwrap().octets(), [9; 32]);
    }
}

#[test]
fn the_mac_covers_every_octet_of_the_message() {
    let message: Vec<u8> = (0..200).collect();
    for protocol in AuthenticationProtocol::ALL {
        let key = Key::new(&vec![3; protocol.key_len()]);
        let place = 50..50 + protocol.mac_len();
        let mut signed = message.clone();
        signed[place.clone()].fill(0);
        let mac = protocol.mac(&key, &[&signed]);
        signed[place.clone()].copy_from_slice(&mac);
        assert!(protocol.verify(&key, &signed, place.clone()));
        for position in 0..signed.len() {
            let mut forged = signed.clone();
            forged[position] ^= 1;
            assert!(!protocol.verify(&key, &forged, place.clone()), "octet {position}");
        }
        assert!(!protocol.verify(&key, &signed, 50..50), "an empty field");
        assert!(!protocol.verify(&key, &signed, 190..190 + protocol.mac_len()));
    }
}

#[test]
fn what_is_encrypted_can_be_decrypted_with_the_same_salt_only() {
    let context = PrivacyContext { engine_boots: 3, engine_time: 77, salt: [1; 8] };
    let other = PrivacyContext { salt: [2; 8], ..context };
    for protocol in PrivacyProtocol::ALL {
        let key = Key::new(&(0..32).collect::<Vec<u8>>()[..protocol.key_len()]);
        for len in 0..50 {
            let mut octets = vec![0x30; len];
            octets.resize(len + protocol.padding(len), 0);
            let plain = octets.clone();
            protocol.encrypt(&key, &context, &mut octets).unwrap();
            assert_eq!(octets == plain, octets.is_empty());
            let mut wrong = octets.clone();
            protocol.decrypt(&key, &context, &mut octets).unwrap();
            assert_eq!(octets, plain);
            protocol.decrypt(&key, &other, &mut wrong).unwrap();
            assert_eq!(wrong == plain, plain.is_empty());
        }
    }
    let mut odd = vec![0; 9];
    let key = Key::new(&[1; 16]);
    assert!(PrivacyProtocol::Des.decrypt(&key, &context, &mut odd).is_err());
    assert!(PrivacyProtocol::Aes256.decrypt(&key, &context, &mut odd).is_err(), "a short key");
}

#[test]
fn secrets_are_not_printed() {
    let secret = Secret::password("maplesyrup");
    let user = User::new("noc")
        .unwrap()
        .with_authentication(&ENGINE_ID, AuthenticationProtocol::Md5, &secret)
        .unwrap();
    let printed = format!("{user:?} {secret:?}");
    assert!(!printed.contains("maple") && !printed.contains("82"), "{printed}");
}

#[test]
fn users_that_cannot_be_are_refused() {
    assert_eq!(User::new("").unwrap_err(), UserError::Name);
    assert_eq!(User::new(&"x".repeat(33)).unwrap_err(), UserError::Name);
    let short = Secret::password("maplesy");
    let user = User::new("noc").unwrap();
    let refused = user.with_authentication(&ENGINE_ID, AuthenticationProtocol::Md5, &short);
    assert_eq!(refused.unwrap_err(), UserError::PasswordTooShort);
}
