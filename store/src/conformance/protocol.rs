//! What every engine promises to those who ask it over a connection.
//!
//! The tables of `memory` and `sled` are asked over the socket of a server; a cluster is asked as it is.

use std::path::Path;

use tonic::Code;

use super::{PATIENCE, Server, accepted, clear};
use crate::remote::calls::{Calls, Peer};
use crate::remote::connect;
use crate::served::generated::etcdserverpb::{
    LeaseGrantRequest, LeaseRevokeRequest, LeaseTimeToLiveRequest, PutRequest, RangeRequest,
};
use crate::served::span::after_prefix;
use crate::served::status::{signed, unsigned};
use crate::testing::{association, node_counters, node_key, put};
use crate::{
    AnyRow, Association, Batch, Binding, CareOfAddress, Class, CommitError, Configuration as _,
    Expect, NodeCounters, OpenError, OpenOptions, Origin, Policy, Revision, Row, Setting,
    StorageType, Store, StoreUrl,
};

const TABLE: &str = "/mip4/node_counters/";

macro_rules! protocol {
    ($($case:ident)*) => {
        protocol!(@ memory in_memory $($case)*);
        protocol!(@ sled on_disk $($case)*);

        /// Asks a cluster all of it: `store` is open on what `calls` reaches.
        pub(crate) async fn ask_all(store: &Store, calls: &Calls) {
            $(
                clear(store).await;
                let asked = $case(store.clone(), calls.clone());
                if tokio::time::timeout(PATIENCE, asked).await.is_err() {
                    panic!("{} does not end", stringify!($case));
                }
            )*
        }
    };
    (@ $module:ident $open:ident $($case:ident)*) => {
        mod $module {
            $(
                #[tokio::test]
                async fn $case() {
                    let folder = tempfile::tempdir().unwrap();
                    let store = super::$open(folder.path()).await;
                    let socket = folder.path().join("store.sock");
                    let policy = super::Policy::operators();
                    let _server = super::Server::start(store.clone(), &socket, policy);
                    let channel = super::connect::unix(&socket).await.unwrap();
                    let asked = super::$case(store, super::Calls::new(super::Peer::Served, vec![channel]));
                    tokio::time::timeout(super::PATIENCE, asked).await.unwrap();
                }
            )*
        }
    };
}

protocol! {
    pages_are_in_order_and_of_one_revision
    a_revision_that_is_compacted_cannot_be_read
    a_row_ends_with_its_lease
    a_lease_that_is_revoked_ends_its_rows_at_once
    a_reader_that_stops_reading_is_told_where_it_is
}

fn in_memory(_: &Path) -> std::future::Ready<Store> {
    std::future::ready(Store::in_memory())
}

async fn on_disk(folder: &Path) -> Store {
    let url = StoreUrl::Sled(folder.join("store"));
    Store::open(&url, OpenOptions::default()).await.unwrap()
}

fn page(start: &[u8], revision: i64) -> RangeRequest {
    RangeRequest {
        key: start.to_vec(),
        range_end: after_prefix(TABLE),
        limit: 40,
        revision,
        ..RangeRequest::default()
    }
}

async fn pages_are_in_order_and_of_one_revision(store: Store, calls: Calls) {
    for part in 0..3 {
        let mut batch = Batch::default();
        for number in part * 50..part * 50 + 50 {
            batch.put(node_counters(number, 1));
        }
        store.commit(batch).await.unwrap();
    }
    let mut start = TABLE.as_bytes().to_vec();
    let mut revision = 0;
    let mut keys: Vec<Vec<u8>> = Vec::new();
    let mut pages = 0;
    loop {
        let answer = calls.range(page(&start, revision)).await.unwrap();
        if revision == 0 {
            revision = answer.header.unwrap().revision;
        }
        assert_eq!(answer.count + i64::try_from(keys.len()).unwrap(), 150);
        pages += 1;
        keys.extend(answer.kvs.iter().map(|kv| kv.key.clone()));
        // What happens between two pages is not seen.
        let mut batch = Batch::default();
        batch.put(node_counters(1_000 + pages, 1)).delete::<NodeCounters>(node_key(149 - pages));
        store.commit(batch).await.unwrap();
        if !answer.more {
            break;
        }
        start = [answer.kvs.last().unwrap().key.as_slice(), &[0]].concat();
    }
    assert_eq!((pages, keys.len()), (4, 150));
    assert!(keys.is_sorted_by(|a, b| a < b), "in the order of the octets, none twice");
}

async fn a_revision_that_is_compacted_cannot_be_read(store: Store, calls: Calls) {
    let first = store.commit(put(Class::Durable, 1, 1)).await.unwrap();
    // Who pages through it keeps it.
    calls.range(page(TABLE.as_bytes(), 0)).await.unwrap();
    let second = store.commit(put(Class::Durable, 1, 2)).await.unwrap();
    let kept = calls.range(page(TABLE.as_bytes(), signed(first))).await.unwrap();
    assert_eq!(unsigned(kept.kvs[0].mod_revision), first.0);
    calls.compact(second).await.unwrap();
    let status = calls.range(page(TABLE.as_bytes(), signed(first))).await.unwrap_err();
    let compacted = "etcdserver: mvcc: required revision has been compacted";
    assert_eq!((status.code(), status.message()), (Code::OutOfRange, compacted));
    let ahead = signed(Revision(second.0 + 1_000));
    let status = calls.range(page(TABLE.as_bytes(), ahead)).await.unwrap_err();
    let future = "etcdserver: mvcc: required revision is a future revision";
    assert_eq!((status.code(), status.message()), (Code::OutOfRange, future));
    let again = calls.compact(first).await.unwrap_err();
    assert_eq!((again.code(), again.message()), (Code::OutOfRange, compacted));
}

/// Puts row `number` so that it ends with a lease.
async fn put_with_lease(calls: &Calls, number: u32, lease: i64) {
    let row = AnyRow::NodeCounters(node_counters(number, 1).into());
    let request = PutRequest {
        key: row.key().path().into(),
        value: row.encode().unwrap(),
        lease,
        ..PutRequest::default()
    };
    calls.kv_client().put(request).await.unwrap();
}

async fn grant(calls: &Calls, ttl: i64) -> i64 {
    let request = LeaseGrantRequest { ttl, id: 0 };
    calls.lease_client().lease_grant(request).await.unwrap().into_inner().id
}

async fn a_row_ends_with_its_lease(store: Store, calls: Calls) {
    let lease = grant(&calls, 1).await;
    put_with_lease(&calls, 1, lease).await;
    put_with_lease(&calls, 2, lease).await;
    super::until(&store, |store| accepted(store, 2).is_some()).await;
    store.commit(put(Class::Durable, 2, 2)).await.unwrap();
    super::until(&store, |store| accepted(store, 1).is_none()).await;
    assert_eq!(accepted(&store, 2), Some(2), "it was written since, without the lease");
    let request = LeaseTimeToLiveRequest { id: lease, keys: false };
    // Its rows go first, then it is forgotten itself.
    let forgotten = async {
        while calls.lease_client().lease_time_to_live(request).await.unwrap().into_inner().ttl != -1
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), forgotten).await.unwrap();
}

async fn a_lease_that_is_revoked_ends_its_rows_at_once(store: Store, calls: Calls) {
    let lease = grant(&calls, 300).await;
    put_with_lease(&calls, 1, lease).await;
    let request = LeaseTimeToLiveRequest { id: lease, keys: true };
    let left = calls.lease_client().lease_time_to_live(request).await.unwrap().into_inner();
    assert_eq!((left.granted_ttl, left.keys.len()), (300, 1));
    assert!((1..=300).contains(&left.ttl), "{}", left.ttl);
    let revoke = LeaseRevokeRequest { id: lease };
    calls.lease_client().lease_revoke(revoke).await.unwrap();
    super::until(&store, |store| accepted(store, 1).is_none()).await;
    let status = calls.lease_client().lease_revoke(revoke).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::NotFound, "etcdserver: requested lease not found")
    );
}

/// Nothing is kept for it without bound: it hears how far back the history goes.
async fn a_reader_that_stops_reading_is_told_where_it_is(store: Store, _: Calls) {
    let mut stuck = store.watch(None);
    let begun = store.snapshot().revision;
    let rounds = crate::published::HISTORY_CHANGES_MAX / 100 + 2;
    for round in 0..u64::try_from(rounds).unwrap() {
        let mut batch = Batch::default();
        for number in 0..100 {
            batch.put(node_counters(number, round));
        }
        store.commit(batch).await.unwrap();
    }
    let told = stuck.next().await;
    let Some(crate::WatchEvent::Compacted(at)) = told else { panic!("{told:?}") };
    assert!(at > begun);
    // It begins anew where the history begins, and misses nothing from there on.
    let next = store.watch(Some(at.next())).next().await;
    assert!(matches!(next, Some(crate::WatchEvent::Changed(event)) if event.revision > at));
}

/// A client of the socket that is an operator and says it is more.
#[tokio::test]
async fn served_a_client_that_lies_about_who_it_is_gets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("store.sock");
    let origin = Store::in_memory();
    let mut of_file = association(9);
    of_file.set_origin(Origin::File, StorageType::ReadOnly);
    let mut batch = Batch::default();
    batch.put(of_file.clone());
    origin.commit(batch).await.unwrap();
    let policy = Policy::operators_of(Some(7)).seen_as(4_000_000_001, 7);
    let _server = Server::start(origin.clone(), &socket, policy);
    let store = Store::open(&StoreUrl::Unix(socket), OpenOptions::default()).await.unwrap();

    let mut lie = association(1);
    lie.changed = Some(crate::Changed { by: "root".to_owned(), at: crate::UtcTime(1) });
    let mut batch = Batch::default();
    batch.put(lie.clone());
    store.commit(batch).await.unwrap();
    let snapshot = origin.snapshot();
    let changed = snapshot.rows::<Association>().get(&lie.key()).unwrap().changed.clone().unwrap();
    assert_eq!(changed.by, "uid 4000000001");
    assert!(changed.at.0 > 1_600_000_000_000, "{changed:?}");

    let refused = async |batch: Batch, words: &str| {
        let error = store.commit(batch).await.unwrap_err();
        let is_right = match &error {
            CommitError::NotPermitted(said) | CommitError::Invalid(said) => said.contains(words),
            _ => false,
        };
        assert!(is_right, "{error}, not `{words}`");
    };
    let batch = |change: &dyn Fn(&mut Batch)| {
        let mut batch = Batch::default();
        change(&mut batch);
        batch
    };
    refused(put(Class::Durable, 1, 1), "only daemons write").await;
    refused(put(Class::Relaxed, 1, 1), "only daemons write").await;
    let binding = crate::testing::binding(1, [192, 0, 2, 9].into(), None);
    refused(batch(&|it| _ = it.delete::<Binding>(binding.key())), "only daemons write").await;
    for origin in [Origin::File, Origin::Snmp] {
        let mut lie = association(2);
        lie.set_origin(origin, StorageType::NonVolatile);
        refused(batch(&|it| _ = it.put(lie.clone())), "`origin`").await;
    }
    let mut permanent = association(2);
    permanent.set_origin(Origin::Cli, StorageType::Permanent);
    refused(batch(&|it| _ = it.put(permanent.clone())), "`storage`").await;
    refused(batch(&|it| _ = it.put(association(9))), "belongs to the configuration file").await;
    let key = of_file.key();
    refused(batch(&|it| _ = it.delete::<Association>(key.clone())), "configuration file").await;
    let path = format!("associations/{}", crate::Key::path(&key));
    assert!(store.put_secret(&path, b"mine").await.is_err());
    assert!(store.delete_secret(&path).await.is_err());
    store.put_secret("associations/address=10.0.0.1/1000", b"key").await.unwrap();
    assert!(store.secret("associations/address=10.0.0.1/1000").await.is_err());
    let snapshot = origin.snapshot();
    assert_eq!(snapshot.rows::<Association>().len(), 2);
    assert_eq!(snapshot.rows::<CareOfAddress>().len() + snapshot.rows::<Setting>().len(), 0);
}

/// Nobody else can say that the files are his while they are in use.
#[tokio::test]
async fn sled_a_second_owner_is_refused_and_told_who_the_first_is() {
    let folder = tempfile::tempdir().unwrap();
    let store = on_disk(folder.path()).await;
    store.commit(put(Class::Durable, 1, 1)).await.unwrap();
    let url = StoreUrl::Sled(folder.path().join("store"));
    match Store::open(&url, OpenOptions::default()).await {
        Err(OpenError::InUse { process_id, .. }) => assert_eq!(process_id, std::process::id()),
        other => panic!("{other:?}"),
    }
    store.commit(put(Class::Durable, 1, 2)).await.unwrap();
    let mut batch = put(Class::Durable, 1, 3);
    batch.expect::<NodeCounters>(node_key(1), Expect::Present);
    store.commit(batch).await.unwrap();
}
