use std::os::unix::fs::PermissionsExt;
use std::rc::Rc;

use store::{Algorithm, Association, Change, Origin, ReplayProtection, StorageType, Unknown};

use super::{on, snapshot};
use crate::failure::ExitStatus;
use crate::fixture::Fake;

const KEY: &str = "hex:00112233445566778899aabbccddeeff\n";

fn association(origin: Origin) -> Association {
    Association {
        peer: store::Identity::Address([10, 99, 0, 7].into()),
        spi: store::wire::Spi(1000),
        reserved_spi: false,
        keyless: false,
        algorithm: Algorithm::HmacMd5,
        replay: ReplayProtection::Timestamps,
        tolerance: 7,
        origin,
        storage: StorageType::NonVolatile,
        active: true,
        role: store::Role::HomeAgent,
        instance: None,
        changed: None,
        unknown: Unknown::default(),
    }
}

fn with(origin: Origin) -> Fake {
    let mut fake = Fake::network();
    fake.put(association(origin));
    fake
}

#[test]
fn the_key_goes_to_the_secrets_and_nowhere_else() {
    let fake = Fake::network();
    let told = Rc::clone(&fake.told);
    let done = on(fake, "association add 10.99.0.9 --spi 1001 --algorithm hmac-sha256", KEY);
    snapshot!("association_add", done);
    let told = told.borrow();
    assert_eq!(told.secrets.len(), 1);
    assert_eq!(told.secrets[0].0, "associations/address=10.99.0.9/1001");
    assert_eq!(told.secrets[0].1.len(), 16);
    let Change::Put(row) = &told.committed[0].changes[0] else { panic!("a row is put") };
    let stored = String::from_utf8(row.encode().unwrap()).unwrap();
    assert!(stored.contains("hmac-sha256") && !stored.contains("0011"), "{stored}");
}

#[test]
fn what_is_there_is_not_overwritten() {
    let fake = with(Origin::Cli);
    let told = Rc::clone(&fake.told);
    snapshot!("association_add_twice", on(fake, "association add 10.99.0.7 --spi 1000", KEY));
    assert!(told.borrow().secrets.is_empty(), "the key in use must stay");
}

#[test]
fn wrong_keys_and_names_are_refused() {
    let refused = |line: &str, input| on(Fake::network(), line, input).status;
    assert_eq!(refused("association add 10.99.0.9 --spi 1001", "0011\n"), ExitStatus::Refused);
    assert_eq!(refused("association add 10.99.0.9 --spi 1001", ""), ExitStatus::Refused);
    assert_eq!(refused("association add 10.99.0.9 --spi 255", KEY), ExitStatus::Usage);
    assert_eq!(refused("association add 10.99.0.9", KEY), ExitStatus::Usage);
    assert_eq!(refused("association add 10.99.0.9 --spi 1 --key 00", KEY), ExitStatus::Usage);
}

#[test]
fn a_key_file_must_be_private() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), KEY).unwrap();
    let line = format!("association add u@x --spi 1001 --key-file {}", file.path().display());
    let mode =
        |mode| std::fs::set_permissions(file.path(), PermissionsExt::from_mode(mode)).unwrap();
    mode(0o644);
    assert_eq!(on(Fake::network(), &line, "").status, ExitStatus::Refused);
    mode(0o600);
    let fake = Fake::network();
    let told = Rc::clone(&fake.told);
    assert_eq!(on(fake, &line, "").status, ExitStatus::Success);
    assert_eq!(told.borrow().secrets[0].0, "associations/nai=u@x/1001");
}

#[test]
fn delete_and_roll() {
    let fake = with(Origin::Cli);
    let told = Rc::clone(&fake.told);
    let done = on(fake, "-o json association delete 10.99.0.7 --spi 1000", "");
    assert_eq!(done.json()["rows"], serde_json::json!([]));
    assert_eq!(told.borrow().deleted_secrets, ["associations/address=10.99.0.7/1000"]);

    let fake = with(Origin::File);
    let told = Rc::clone(&fake.told);
    let done = on(fake, "association roll 10.99.0.7 --spi 1000 --new-spi 1001", KEY);
    snapshot!("association_roll", done);
    assert_eq!(told.borrow().secrets[0].0, "associations/address=10.99.0.7/1001");

    let nothing = on(with(Origin::Cli), "association delete 10.99.0.7 --spi 999", "");
    assert_eq!(nothing.status, ExitStatus::NothingMatched);
    snapshot!(
        "association_of_file",
        on(with(Origin::File), "association delete 10.99.0.7 --spi 1000", "")
    );
}

#[test]
fn lists_show_no_keys() {
    snapshot!("show_associations", on(with(Origin::Snmp), "association list", ""));
    let done = on(with(Origin::Snmp), "-o json show associations --home-address 10.99.0.7", "");
    assert_eq!(done.json()["rows"][0]["spi"], 1000);
}

#[test]
fn values_that_snmp_refuses_are_refused_with_field_and_reason() {
    let line = "association add 10.99.0.9 --spi 1001 --tolerance 2";
    let done = on(Fake::network(), line, KEY);
    assert_eq!(done.status, ExitStatus::Refused, "{done}");
    assert!(done.err.contains("`tolerance`: at least 3 seconds"), "{done}");
}

#[test]
fn a_daemon_that_does_not_act_on_a_change_is_told_of() {
    let mut fake = Fake::network();
    let path = "/mip4/associations/address=10.99.0.9/1001".to_owned();
    fake.apply_errors.insert(path, "it has no key".to_owned());
    let done = on(fake, "association add 10.99.0.9 --spi 1001", KEY);
    assert_eq!(done.status, ExitStatus::PartlyFailed, "{done}");
    assert!(done.err.contains("`ha@gate` does not act on it: it has no key"), "{done}");
}
