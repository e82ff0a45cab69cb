use super::*;
use crate::engine::EngineConfig;
use crate::notify::Receiver;
use crate::security::{SecurityLevel, SecurityModel};
use crate::usm::{AuthenticationProtocol, PrivacyProtocol, Secret};
use crate::vacm::Access;

const ENGINE_ID: &[u8] = &[1, 2, 3, 4, 5];

fn admin() -> Admin {
    let mut config = EngineConfig::default();
    let secret = Secret::password("maplesyrup");
    for (name, privacy) in [("zz", PrivacyProtocol::Aes256), ("aaa", PrivacyProtocol::Des)] {
        let user = User::new(name).unwrap();
        let user = user.with_authentication(ENGINE_ID, AuthenticationProtocol::Sha512, &secret);
        let user = user.unwrap().with_privacy(ENGINE_ID, privacy, &secret).unwrap();
        config.allow_user(user, &[1, 3], Some(&[1, 3, 6, 1, 4]));
    }
    let vacm = &mut config.vacm;
    vacm.contexts.extend(["lab", "a-long-one"].map(Name::from));
    vacm.add_group(SecurityModel::SNMPV1, "b".into(), "readers".into());
    vacm.add_group(SecurityModel::SNMPV2C, "a".into(), "readers".into());
    vacm.add_family("readers".into(), &[1, 3, 6, 1, 2, 1], true);
    vacm.add_access("readers".into(), SecurityLevel::NoAuthNoPriv, Access::default());
    for (name, filtered) in [("zz", false), ("a-target", true), ("another", true)] {
        let receiver = Receiver {
            address: "192.0.2.7:162".parse().unwrap(),
            model: SecurityModel::SNMPV2C,
            security_name: "readers".into(),
            level: SecurityLevel::NoAuthNoPriv,
            inform: filtered,
            timeout: 100,
            retry_count: 2,
        };
        config.targets.add(name, receiver);
        if filtered {
            // The first of these is longer, and comes first all the same: it is IMPLIED.
            config.targets.add_filter(name, &[(vec![1, 3, 6, 1], true), (vec![1, 9], false)]);
        }
    }
    config.communities.push(Community::new("secret", "zz".into()));
    config.communities.push(Community::new("another", "aaaa".into()));
    let communities = config.communities.into_iter().map(Arc::new).collect();
    let users = config.users.into_iter().map(|user| (user.name.clone(), Arc::new(user)));
    Admin {
        engine_id: Name::new(ENGINE_ID),
        vacm: config.vacm,
        targets: config.targets,
        communities,
        users: users.collect(),
        ..Admin::default()
    }
}

/// Every table, and at least two rows in each.
fn tables() -> impl Iterator<Item = &'static dyn AdminTable> {
    TABLES.iter().copied()
}

#[test]
fn rows_are_in_the_order_of_their_indexes_and_can_be_read_by_them() {
    let admin = admin();
    for table in tables() {
        let indexes = table.indexes(&admin);
        assert!(indexes.len() >= 2, "{:?}", table.root());
        assert!(indexes.is_sorted_by(|a, b| a < b), "{indexes:?}");
        for index in &indexes {
            for column in table.columns() {
                assert!(table.cell(&admin, index, *column).is_some());
            }
            let longer = [index.as_slice(), &[0]].concat();
            assert_eq!(table.cell(&admin, &longer, table.columns()[0]), None);
            assert_eq!(table.cell(&admin, &index[..index.len() - 1], table.columns()[0]), None);
        }
    }
}

#[test]
fn malformed_indexes_have_no_row() {
    let admin = admin();
    let indexes: [&[u32]; 7] = [
        &[],
        &[1],
        &[u32::MAX],
        &[5, 1, 2, 3, 4],
        &[3, 97, 97, 256],
        &[3, u32::MAX, 97, 98],
        &[u32::MAX, u32::MAX, u32::MAX],
    ];
    for table in tables() {
        for index in indexes {
            assert_eq!(table.status(&admin, index), None);
            assert_eq!(table.cell(&admin, index, 3), None);
        }
    }
}

#[test]
fn keys_are_not_shown() {
    let admin = admin();
    for index in usm::UserTable.indexes(&admin) {
        for column in [6, 7, 9, 10] {
            assert_eq!(usm::UserTable.cell(&admin, &index, column), Some(Value::octets(b"")));
        }
    }
}

#[test]
fn protocols_have_their_registered_names() {
    let admin = admin();
    let index = &usm::UserTable.indexes(&admin)[1];
    assert_eq!(index[6..], [3, 97, 97, 97], "aaa is longer than zz");
    let sha512 = Value::ObjectIdentifier([1, 3, 6, 1, 6, 3, 10, 1, 1, 7].into());
    let des = Value::ObjectIdentifier([1, 3, 6, 1, 6, 3, 10, 1, 2, 2].into());
    assert_eq!(usm::UserTable.cell(&admin, index, 5), Some(sha512));
    assert_eq!(usm::UserTable.cell(&admin, index, 8), Some(des));
}

mod writes;
