use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;

#[test]
fn addresses_are_written_as_everybody_writes_them() {
    for octet in 0..=255 {
        let address = Ipv4Addr::new(octet, 7, 255 - octet, octet / 3);
        let mut text = String::new();
        push_address(&mut text, address);
        assert_eq!(text, address.to_string());
    }
}
use crate::{AnyKey, AssociationKey, BindingKey, NodeKey};
use wire::Spi;

fn nai() -> impl Strategy<Value = Nai> {
    "[^\\p{Cc}]{1,40}".prop_map(|text| Nai::new(&text).unwrap())
}

fn identity() -> impl Strategy<Value = Identity> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(|address| Identity::Address(address.into())),
        nai().prop_map(Identity::Nai),
    ]
}

proptest! {
    /// A key is its path: whatever the NAI holds, nothing is lost and nothing else is named.
    #[test]
    fn keys_survive_their_text(
        identity in identity(), nai in proptest::option::of(nai()),
        addresses in any::<[[u8; 4]; 3]>(), spi in any::<u32>(),
    ) {
        let [home_agent, home_address, care_of_address] = addresses.map(Ipv4Addr::from);
        let keys = [
            AnyKey::Binding(BindingKey { home_agent, home_address, care_of_address, nai }),
            AnyKey::Node(NodeKey { home_agent, identity: identity.clone() }),
            AnyKey::Association(AssociationKey { peer: identity, spi: Spi(spi) }),
        ];
        for key in keys {
            let path = key.path();
            prop_assert!(path.bytes().all(|octet| octet.is_ascii_graphic()), "{}", path);
            prop_assert_eq!(AnyKey::from_path(&path), Some(key));
        }
    }

    #[test]
    fn any_text_is_escaped_and_back(text in "\\PC{0,60}") {
        let escaped = escape(&text);
        prop_assert!(!escaped.contains('/'));
        prop_assert_eq!(unescape(&escaped), Some(text));
    }

    #[test]
    fn no_text_makes_a_key_panic(text in "\\PC{0,80}") {
        let _ = AnyKey::from_path(&text);
        let _ = AnyKey::from_path(&format!("/mip4/bindings/{text}"));
        let _ = unescape(&text);
    }
}
