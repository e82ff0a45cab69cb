//! Keys of rows and their paths are a pair.

use std::net::{Ipv4Addr, SocketAddrV4};

use proptest::prelude::*;
use wire::{Code, Flags, Identification, Lifetime, Nai, Spi};

use super::*;
use crate::{Identity, Key, UtcTime};

fn check<K: Key>(key: &K) {
    assert_eq!(K::from_path(&key.path()).as_ref(), Some(key), "{}", key.path());
    for bad in [format!("{}/x", key.path()), String::new()] {
        assert_eq!(K::from_path(&bad), None, "{bad}");
    }
}

#[test]
fn keys_of_visitors_and_others_survive_their_paths() {
    let address = Ipv4Addr::new(10, 0, 0, 1);
    let instance = "host/1 %".to_owned();
    for identity in
        [Identity::Address(address), Identity::Nai(Nai::new("a/b=c%@example.com").unwrap())]
    {
        let foreign_agent = Ipv4Addr::new(192, 0, 2, 1);
        check(&VisitorKey { foreign_agent, identity: identity.clone(), home_address: address });
        check(&RegistrationKey {
            instance: instance.clone(),
            identity: identity.clone(),
            agent_address: foreign_agent,
            care_of_address: address,
        });
        let role = Role::HomeAgent;
        check(&ViolationKey { instance: instance.clone(), role, violator: identity });
    }
    let role = Role::MobileNode;
    check(&AdvertisementKey { instance: instance.clone(), role, interface: 7, source: address });
    for subject in [RegionalSubject::Gateway(address), RegionalSubject::ForeignAgent(address)] {
        check(&subject);
        check(&CandidateEditKey { candidate: "alice/1 %".to_owned(), subject });
        check(&RegionalChangeKey { id: RegionalCommitId(7), subject });
    }
    check(&CareOfAddressKey { instance: instance.clone(), address });
    let indexes = [
        Some(SettingIndex::Interface(2)),
        Some(SettingIndex::Address(address)),
        Some(SettingIndex::Identity(Identity::Address(address))),
    ];
    for scope in [Scope::Instance(instance), Scope::Role(Role::Snmp)] {
        for index in indexes.clone() {
            check(&SettingKey::new(scope.clone(), "advertisement", index));
        }
        let key = SettingKey::new(scope, "enabled", None);
        assert_eq!(SettingKey::from_path(&key.path()), Some(key));
    }
}

#[test]
fn a_setting_keeps_what_this_version_does_not_know() {
    let known = r#"{"scope":{"instance":"a"},"kind":"enabled","origin":"cli","storage":"volatile","active":true,"colour":"green","enabled":false}"#;
    let setting: Setting = serde_json::from_str(known).unwrap();
    assert_eq!(setting.value, SettingValue::Enabled { enabled: false });
    assert_eq!(setting.unknown.get("colour").unwrap(), "green");
    assert_eq!(serde_json::to_string(&setting).unwrap(), known);

    for odd in [
        known.replace("\"enabled\":false", "\"enabled\":7"),
        known.replace("\"kind\":\"enabled\"", "\"kind\":\"of-tomorrow\""),
    ] {
        let setting: Setting = serde_json::from_str(&odd).unwrap();
        assert!(matches!(setting.value, SettingValue::Other { .. }), "{odd}");
        assert_eq!(serde_json::to_string(&setting).unwrap(), odd);
    }
}

fn an_address() -> impl Strategy<Value = Ipv4Addr> {
    any::<u32>().prop_map(Ipv4Addr::from)
}

fn a_socket() -> impl Strategy<Value = SocketAddrV4> {
    (an_address(), any::<u16>()).prop_map(|(address, port)| SocketAddrV4::new(address, port))
}

fn a_nai() -> impl Strategy<Value = Nai> {
    "[a-zé\"\\\\/@.]{1,12}".prop_map(|text| Nai::new(&text).unwrap())
}

fn an_identity() -> impl Strategy<Value = Identity> {
    prop_oneof![an_address().prop_map(Identity::Address), a_nai().prop_map(Identity::Nai)]
}

fn an_instant() -> impl Strategy<Value = UtcTime> {
    prop_oneof![0..2_000_000_000_000_i64, any::<i64>()].prop_map(UtcTime)
}

fn an_option<T: fmt::Debug>(some: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    proptest::option::of(some)
}

prop_compose! {
    fn a_revocation()(
        informs in any::<[bool; 2]>(), peer_timestamp in any::<u32>(), own_timestamp in any::<u32>(),
    ) -> RevocationSupport {
        let [peer_inform, own_inform] = informs;
        RevocationSupport { peer_inform, own_inform, peer_timestamp, own_timestamp }
    }
}

prop_compose! {
    fn a_binding()(
        addresses in (an_address(), an_address(), an_address()),
        nai in an_option(a_nai()),
        instance in "[a-z\\\\]{0,5}",
        sockets in (a_socket(), a_socket()),
        foreign_agent in an_option(an_address()),
        numbers in any::<(u8, u32, u64, u16)>(),
        instants in (an_instant(), an_instant(), an_option(an_instant())),
        revocation in an_option(a_revocation()),
    ) -> Binding {
        Binding {
            home_agent: addresses.0,
            home_address: addresses.1,
            care_of_address: addresses.2,
            nai,
            instance: instance.into(),
            source: sockets.0,
            local: sockets.1,
            foreign_agent,
            flags: Flags(numbers.0),
            spi: Spi(numbers.1),
            identification: Identification(numbers.2),
            lifetime_granted: Lifetime(numbers.3),
            created_at: instants.0,
            registered_at: instants.1,
            expires_at: instants.2,
            revocation,
            revoking: None,
            unknown: Unknown::default(),
        }
    }
}

prop_compose! {
    fn a_node()(
        identity in an_identity(),
        addresses in (an_address(), an_address()),
        numbers in any::<(u64, Option<u32>, u32, Option<u32>)>(),
        last_accepted_at in an_instant(),
    ) -> Node {
        Node {
            home_agent: addresses.0,
            identity,
            home_address: addresses.1,
            last_identification: Identification(numbers.0),
            nonce: numbers.1,
            last_spi: Spi(numbers.2),
            last_accepted_at,
            last_revocation: numbers.3,
            unknown: Unknown::default(),
        }
    }
}

prop_compose! {
    fn some_node_counters()(
        home_agent in an_address(),
        identity in an_identity(),
        numbers in any::<[u64; 3]>(),
        code in any::<Option<u8>>(),
        instants in (an_instant(), an_instant()),
        others in proptest::array::uniform3(an_option(an_instant())),
    ) -> NodeCounters {
        let [accepted, denied, served_milliseconds] = numbers;
        let [serving_since, last_accepted_at, last_denied_at] = others;
        NodeCounters {
            home_agent,
            identity,
            accepted,
            denied,
            served_milliseconds,
            serving_since,
            counted_since: instants.0,
            last_accepted_at,
            last_denied_at,
            last_denied_code: code.map(Code),
            discontinuity_at: instants.1,
            unknown: Unknown::default(),
        }
    }
}

/// Whether the quick way says of `row`, and of it with other octets put in, what JSON says, if it
/// says anything.
fn quick_and_json_agree<R: crate::Row + PartialEq>(
    row: &R,
    quick: impl Fn(&[u8]) -> Option<R>,
    (at, with): (usize, &[u8]),
) {
    let mut octets = Vec::new();
    row.encode_into(&mut octets).unwrap();
    assert_eq!(octets, serde_json::to_vec(row).unwrap());
    assert_eq!(&R::decode(&octets).unwrap(), row);
    let text = String::from_utf8(octets.clone()).unwrap();
    if !text.contains('\\') && !text.contains(":-") {
        assert_eq!(quick(&octets).as_ref(), Some(row), "{text}");
    }
    let at = at % octets.len();
    octets.splice(at..octets.len().min(at + with.len().min(2)), with.iter().copied());
    if let Some(read) = quick(&octets) {
        let text = String::from_utf8_lossy(&octets).into_owned();
        assert_eq!(serde_json::from_slice::<R>(&octets).unwrap(), read, "{text}");
    }
}

proptest! {
    #[test]
    fn bindings_are_read_the_quick_way_as_by_json(
        row in a_binding(), at in any::<usize>(), with in "[0-9\",.:{}é\\-a]{0,3}",
    ) {
        quick_and_json_agree(&row, Binding::of_written, (at, with.as_bytes()));
    }

    #[test]
    fn nodes_are_read_the_quick_way_as_by_json(
        row in a_node(), at in any::<usize>(), with in "[0-9\",.:{}é\\-a]{0,3}",
    ) {
        quick_and_json_agree(&row, Node::of_written, (at, with.as_bytes()));
    }

    #[test]
    fn node_counters_are_read_the_quick_way_as_by_json(
        row in some_node_counters(), at in any::<usize>(), with in "[0-9\",.:{}é\\-a]{0,3}",
    ) {
        quick_and_json_agree(&row, NodeCounters::of_written, (at, with.as_bytes()));
    }
}
