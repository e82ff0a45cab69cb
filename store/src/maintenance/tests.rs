use std::path::Path;

use super::*;
use crate::testing::{put, value};
use crate::{Class, NodeCounters, StoreUrl};

fn quiet() -> Progress {
    Progress::default()
}

async fn open(path: &Path) -> Store {
    Store::open(&StoreUrl::Sled(path.to_owned()), OpenOptions::default()).await.unwrap()
}

async fn filled(path: &Path, numbers: std::ops::Range<u32>) {
    let store = open(path).await;
    for number in numbers {
        store.commit(put(Class::Durable, number, 7)).await.unwrap();
    }
    store.close().await;
}

fn segment(path: &Path) -> PathBuf {
    let mut files: Vec<_> = std::fs::read_dir(path.join("journal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.pop().unwrap()
}

#[tokio::test]
async fn a_backup_of_a_store_in_use_restores_to_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let (path, file) = (folder.path().join("store"), folder.path().join("backup"));
    let store = open(&path).await;
    for number in 0..300 {
        store.commit(put(Class::Durable, number, u64::from(number))).await.unwrap();
    }
    store.put_secret("associations/one", b"octets").await.unwrap();
    store.checkpoint().await.unwrap();
    store.commit(put(Class::Durable, 300, 300)).await.unwrap();
    let backup = backup(&path, &file, &quiet()).unwrap();
    assert_eq!((backup.revision, backup.items), (Revision(302), 302));
    store.commit(put(Class::Durable, 301, 301)).await.unwrap();
    assert!(super::backup(&path, &file, &quiet()).is_err(), "a backup is never overwritten");

    let again = folder.path().join("again");
    assert!(
        restore(&file, &path, &OpenOptions::default(), &quiet()).is_err(),
        "a store is never overwritten"
    );
    let report = restore(&file, &again, &OpenOptions::default(), &quiet()).unwrap();
    assert_eq!((report.revision, report.checkpoint), (Revision(302), Some(Revision(302))));
    assert_eq!(report.secrets, 1);
    let restored = open(&again).await;
    let (one, two) = (store.snapshot(), restored.snapshot());
    assert_eq!(two.revision, Revision(302));
    for number in 0..=300 {
        assert_eq!(value(&two, number), value(&one, number));
        assert_eq!(crate::testing::stamp(&two, number), crate::testing::stamp(&one, number));
    }
    assert_eq!(value(&two, 301), None);
    assert_eq!(&restored.secret("associations/one").await.unwrap().unwrap()[..], b"octets");
    assert_eq!(restored.commit(put(Class::Durable, 1, 1)).await.unwrap(), Revision(303));
}

#[tokio::test]
async fn every_flipped_octet_of_a_backup_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let (path, file) = (folder.path().join("store"), folder.path().join("backup"));
    filled(&path, 0..3).await;
    backup(&path, &file, &quiet()).unwrap();
    let octets = std::fs::read(&file).unwrap();
    let bad = folder.path().join("bad");
    for at in 0..octets.len() {
        let mut flipped = octets.clone();
        flipped[at] ^= 4;
        std::fs::write(&bad, &flipped).unwrap();
        assert!(archive::read(&bad, &quiet()).is_err(), "octet {at}");
        std::fs::write(&bad, &octets[..at]).unwrap();
        assert!(archive::read(&bad, &quiet()).is_err(), "cut at {at}");
    }
}

#[tokio::test]
async fn a_check_names_what_is_damaged_and_a_repair_cuts_it_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    filled(&path, 0..100).await;
    let report = check(&path, &OpenOptions::default(), &quiet()).unwrap();
    assert_eq!((report.revision, report.mark), (Revision(100), Revision(100)));
    assert!(report.rows.contains(&(Table::NodeCounters, 100)));
    assert!(repair(&path, &quiet()).unwrap().found.is_empty());

    let file = segment(&path);
    let mut octets = std::fs::read(&file).unwrap();
    let middle = octets.len() / 2;
    octets[middle] ^= 1;
    std::fs::write(&file, &octets).unwrap();
    let words = check(&path, &OpenOptions::default(), &quiet()).unwrap_err().to_string();
    assert!(words.contains(&*file.to_string_lossy()) && words.contains("revision 100"), "{words}");
    let refused = Store::open(&StoreUrl::Sled(path.clone()), OpenOptions::default()).await;
    assert!(matches!(refused, Err(OpenError::Damaged { .. })));

    let done = repair(&path, &quiet()).unwrap();
    assert_eq!(done.written, Revision(100));
    assert!(done.revision > Revision(40) && done.revision < Revision(60), "{done}");
    let kept = done.aside.unwrap().join(file.file_name().unwrap());
    assert_eq!(std::fs::read(kept).unwrap(), octets);
    let store = open(&path).await;
    let rows = u64::try_from(store.snapshot().rows::<NodeCounters>().len()).unwrap();
    assert_eq!(Revision(rows), done.revision);
    assert_eq!(store.commit(put(Class::Durable, 500, 1)).await.unwrap(), done.revision.next());
}

#[tokio::test]
async fn a_repair_copes_with_a_lost_mark_and_not_with_a_lost_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    filled(&path, 0..20).await;
    std::fs::remove_file(path.join("mark")).unwrap();
    assert!(check(&path, &OpenOptions::default(), &quiet()).is_err());
    assert_eq!(repair(&path, &quiet()).unwrap().revision, Revision(20));
    let report = compact(&path, &OpenOptions::default(), &quiet()).await.unwrap();
    assert_eq!((report.checkpoint, report.commits), (Some(Revision(20)), 0));
    std::fs::remove_file(path.join("checkpoint.json")).unwrap();
    assert!(check(&path, &OpenOptions::default(), &quiet()).is_err());
    assert!(repair(&path, &quiet()).is_err(), "only a backup brings that back");
}

#[test]
fn there_must_be_a_store_to_look_after() {
    let folder = tempfile::tempdir().unwrap();
    assert!(check(folder.path(), &OpenOptions::default(), &quiet()).is_err());
    assert!(repair(folder.path(), &quiet()).is_err());
    assert!(!folder.path().join("lock").exists());
}
