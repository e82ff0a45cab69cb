use store::{Binding, Class, Expect, Row as _};

use super::*;
use crate::failure::ExitStatus;
use crate::fixture;

fn served() -> Served {
    let runtime = start_runtime().unwrap();
    let interrupts = listen(&runtime).unwrap();
    Served {
        runtime,
        interrupts,
        place: ("unix:none.sock".parse().unwrap(), OpenOptions::default()),
        store: Store::in_memory(),
        copied: None,
        audits: false,
        changes: None,
    }
}

fn put() -> Batch {
    let mut batch = Batch::new(Class::Durable);
    batch.put(fixture::binding());
    batch
}

#[test]
fn what_is_committed_is_read_waited_for_and_followed() {
    let mut source = served();
    let before = source.read(&[Table::Bindings]).unwrap().revision;
    source.follow(before).unwrap();
    assert_eq!(source.wait(before, Duration::from_millis(1)).unwrap(), None);
    assert!(source.next_change(Duration::from_millis(1)).unwrap().is_none());

    let committed = source.commit(put()).unwrap();
    assert_eq!(source.wait(before, Duration::from_secs(20)).unwrap(), Some(committed));
    let change = source.next_change(Duration::from_secs(20)).unwrap().unwrap();
    assert_eq!((change.revision, change.changes.len()), (committed, 1));
    let snapshot = source.read(&[Table::Bindings]).unwrap();
    assert_eq!(
        **snapshot.rows::<Binding>().get(&fixture::binding().key()).unwrap(),
        fixture::binding()
    );
    assert_eq!(source.health().unwrap().revision, committed);
}

#[test]
fn a_compare_that_fails_names_the_row() {
    let mut source = served();
    source.commit(put()).unwrap();
    let mut batch = put();
    batch.expect::<Binding>(fixture::binding().key(), Expect::Absent);
    let Err(SourceError::Changed(path)) = source.commit(batch) else { panic!("it is there") };
    assert!(path.starts_with("/mip4/bindings/192.0.2.1/10.99.0.7"), "{path}");
}

#[test]
fn secrets_are_put_and_deleted() {
    let mut source = served();
    let (runtime, store) = (source.runtime.clone(), source.store.clone());
    let secret = || runtime.block_on(store.secret("associations/x")).unwrap();
    source.put_secret("associations/x", &[1, 2, 3]).unwrap();
    assert_eq!(secret().unwrap().as_slice(), [1, 2, 3]);
    source.delete_secret("associations/x").unwrap();
    assert!(secret().is_none());
}

#[test]
fn a_socket_that_nobody_serves_is_unreachable() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("unix:{}", folder.path().join("store.sock").display());
    let Err(Stop::Failure(failure)) = connect(&StorePlace { url, ..StorePlace::default() }) else {
        panic!("nobody is there")
    };
    assert_eq!(failure.status, ExitStatus::Unreachable);
}

#[test]
fn reading_takes_as_long_as_it_goes_on() {
    const SILENCE: Duration = Duration::from_secs(1);
    let runtime = start_runtime().unwrap();
    let begun = Instant::now();
    let moves = || {
        let done = u64::try_from(begun.elapsed().as_millis() / 100).unwrap();
        Some(Step { doing: "reading the store", done, total: 1000 })
    };
    let long = async { tokio::time::sleep(3 * SILENCE).await };
    assert!(runtime.block_on(patiently(long, moves, SILENCE)).is_some(), "it goes on");
    let stuck = || Some(Step { doing: "reading the store", done: 7, total: 1000 });
    let never = std::future::pending::<()>();
    assert!(runtime.block_on(patiently(never, stuck, SILENCE)).is_none(), "it is stuck");
}
