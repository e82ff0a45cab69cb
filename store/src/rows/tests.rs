//! Keys of rows and their paths are a pair.

use std::net::Ipv4Addr;

use wire::Nai;

use super::*;
use crate::{Identity, Key};

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
