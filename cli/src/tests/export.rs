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
