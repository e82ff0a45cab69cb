use std::io::Write as _;
use std::rc::Rc;

use store::{Table, Unknown};

use super::{on, snapshot};
use crate::failure::ExitStatus;
use crate::fixture::Fake;

/// The network with two associations, of which one comes from a file.
fn configured() -> Fake {
    let mut fake = Fake::network();
    for (spi, origin) in [(1000, store::Origin::File), (1001, store::Origin::Cli)] {
        fake.put(store::Association {
            peer: store::Identity::Address([10, 99, 0, 7].into()),
            spi: store::wire::Spi(spi),
            reserved_spi: false,
            keyless: false,
            algorithm: store::Algorithm::HmacMd5,
            replay: store::ReplayProtection::Timestamps,
            tolerance: 7,
            origin,
            storage: store::StorageType::NonVolatile,
            active: true,
            role: store::Role::HomeAgent,
            instance: None,
            changed: None,
            unknown: Unknown::default(),
        });
    }
    fake
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
fn an_export_has_every_row_of_every_table() {
    let fake = configured();
    let tables = Table::ALL.iter();
    let rows: usize = tables.map(|&table| fake.snapshot.tables.all(table).count()).sum();
    let done = on(fake, "export", "");
    assert_eq!((done.status, done.out.lines().count()), (ExitStatus::Success, rows + 1));
    snapshot!("export_associations", on(configured(), "export --table associations", ""));
}

#[test]
fn an_import_is_what_an_export_wrote() {
    let exported = file(&on(configured(), "export", "").out);
    let fake = Fake::network();
    let told = Rc::clone(&fake.told);
    let done = on(fake, &format!("import {}", exported.path().display()), "");
    snapshot!("import", done);
    let told = told.borrow();
    assert_eq!(told.committed.len(), 1, "one commit: all or nothing");
    assert_eq!(told.committed[0].changes.len(), 1);
    assert_eq!(told.committed[0].compares.len(), 1);
}

#[test]
fn what_is_there_is_replaced_only_when_told() {
    let exported = file(&on(configured(), "export", "").out);
    let line = format!("import {}", exported.path().display());
    assert_eq!(on(configured(), &line, "").status, ExitStatus::Refused);
    let replaced = on(configured(), &format!("{line} --replace"), "");
    assert_eq!(replaced.status, ExitStatus::Success, "{replaced}");
    let fake = Fake::network();
    let told = Rc::clone(&fake.told);
    assert_eq!(on(fake, &format!("{line} --dry-run"), "").status, ExitStatus::Success);
    assert!(told.borrow().committed.is_empty());
}

#[test]
fn a_damaged_export_changes_nothing() {
    let good = on(configured(), "export --table associations", "").out;
    let damages = [
        String::new() + "{}\n" + &good,
        good.replace("\"version\":1", "\"version\":2"),
        good.replace("1001\",\"row", "1002\",\"row"),
        good.replace("hmac-md5", "rot13"),
        good.clone() + "x",
        good.replace("/mip4/associations", "/mip4/nonsense"),
    ];
    for text in damages {
        let fake = Fake::network();
        let told = Rc::clone(&fake.told);
        let bad = file(&text);
        let done = on(fake, &format!("import {}", bad.path().display()), "");
        assert_eq!(done.status, ExitStatus::Refused, "{text}: {done}");
        assert!(done.err.contains("line "), "{done}");
        assert!(told.borrow().committed.is_empty());
    }
}

/// The network of [`configured`] with the key of the one that is not of a file.
fn with_key() -> Fake {
    let mut fake = configured();
    fake.secrets.insert("associations/address=10.99.0.7/1001".to_owned(), b"a key in use".to_vec());
    fake
}

#[test]
fn keys_are_exported_sealed_and_imported_with_the_passphrase() {
    let plain = on(with_key(), "export", "");
    let done = on(with_key(), "export --secrets", "correct horse\n");
    assert_eq!(done.status, ExitStatus::Success, "{done}");
    let hex = "61206b657920696e20757365";
    for text in [&plain.out, &done.out] {
        assert!(!text.contains("a key in use") && !text.contains(hex));
    }
    assert!(!plain.out.contains("sealed") && done.out.contains("argon2id"));
    assert_eq!(done.out.matches("\"secret\":").count(), 1);
    let exported = file(&done.out);
    let line = format!("import {}", exported.path().display());
    let told = |fake: Fake, passphrase: &'static str| {
        let told = Rc::clone(&fake.told);
        let done = on(fake, &line, passphrase);
        (done, told)
    };
    let (done, told_wrong) = told(Fake::network(), "wrong horse\n");
    assert_eq!(done.status, ExitStatus::Refused, "{done}");
    assert!(done.err.contains("the passphrase is wrong"), "{done}");
    let told_wrong = told_wrong.borrow();
    assert!(told_wrong.secrets.is_empty() && told_wrong.committed.is_empty());
    let (done, told) = told(Fake::network(), "correct horse\n");
    assert_eq!(done.status, ExitStatus::Success, "{done}");
    let (path, octets) = &told.borrow().secrets[0];
    assert_eq!(path, "associations/address=10.99.0.7/1001");
    assert_eq!(octets, b"a key in use");
}

#[test]
fn a_short_passphrase_is_refused_and_nothing_is_printed() {
    let done = on(with_key(), "export --secrets", "short\n");
    assert_eq!((done.status, done.out.as_str()), (ExitStatus::Refused, ""), "{done}");
}

#[test]
fn an_exact_import_deletes_what_the_export_lacks() {
    let export = on(configured(), "export", "").out;
    let without = export.lines().filter(|line| !line.contains("/1001"));
    let nothing = file(&(without.collect::<Vec<_>>().join("\n") + "\n"));
    let fake = with_key();
    let told = Rc::clone(&fake.told);
    let done = on(fake, &format!("import --exact {}", nothing.path().display()), "");
    assert_eq!(done.status, ExitStatus::Success, "{done}");
    let told = told.borrow();
    assert_eq!(told.committed[0].changes.len(), 1);
    assert_eq!(told.deleted_secrets, ["associations/address=10.99.0.7/1001"]);
}
