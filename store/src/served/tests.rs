//! The server on a real socket, asked in the words of the protocol.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Streaming};

use super::generated::etcdserverpb::kv_client::KvClient;
use super::generated::etcdserverpb::lease_client::LeaseClient;
use super::generated::etcdserverpb::request_op::Request as Operation;
use super::generated::etcdserverpb::watch_client::WatchClient;
use super::generated::etcdserverpb::watch_request::RequestUnion;
use super::generated::etcdserverpb::{
    LeaseGrantRequest, PutRequest, RangeRequest, RequestOp, TxnRequest, WatchCancelRequest,
    WatchCreateRequest, WatchRequest, WatchResponse,
};
use super::span::after_prefix;
use crate::conformance::Server;
use crate::testing::{node_counters, put, value};
use crate::{AnyRow, Batch, Class, NodeCounters, Policy, Row, Store};

const TABLE: &str = "/mip4/node_counters/";

struct Served {
    store: Store,
    path: PathBuf,
    channel: Channel,
    server: Server,
    _folder: tempfile::TempDir,
}

impl Served {
    async fn new(policy: Policy) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.sock");
        let store = Store::in_memory();
        let server = Server::start(store.clone(), &path, policy);
        let channel = connect(&path).await;
        Self { store, path, channel, server, _folder: folder }
    }

    fn kv(&self) -> KvClient<Channel> {
        KvClient::new(self.channel.clone())
    }

    async fn watch(&self, create: WatchCreateRequest) -> Watching {
        let (requests, queue) = mpsc::channel(4);
        let request = WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
        requests.send(request).await.unwrap();
        let mut client = WatchClient::new(self.channel.clone());
        let answers = client.watch(ReceiverStream::new(queue)).await.unwrap().into_inner();
        Watching { requests, answers }
    }
}

struct Watching {
    requests: mpsc::Sender<WatchRequest>,
    answers: Streaming<WatchResponse>,
}

impl Watching {
    async fn next(&mut self) -> WatchResponse {
        let next = tokio::time::timeout(Duration::from_secs(10), self.answers.message());
        next.await.unwrap().unwrap().unwrap()
    }
}

async fn connect(path: &Path) -> Channel {
    let path = path.to_owned();
    Endpoint::from_static("http://localhost")
        .connect_with_connector(tower::service_fn(move |_| {
            let path = path.clone();
            async move { UnixStream::connect(path).await.map(TokioIo::new) }
        }))
        .await
        .unwrap()
}

fn all() -> RangeRequest {
    RangeRequest { key: TABLE.into(), range_end: after_prefix(TABLE), ..RangeRequest::default() }
}

fn watch_all(start_revision: i64) -> WatchCreateRequest {
    WatchCreateRequest {
        key: TABLE.into(),
        range_end: after_prefix(TABLE),
        start_revision,
        ..WatchCreateRequest::default()
    }
}

fn put_request(number: u32, value: u64) -> PutRequest {
    let row = AnyRow::NodeCounters(node_counters(number, value).into());
    PutRequest {
        key: row.key().path().into(),
        value: row.encode().unwrap(),
        ..PutRequest::default()
    }
}

#[tokio::test]
async fn a_revision_stays_readable_page_by_page_until_it_is_compacted() {
    let served = Served::new(Policy::operators()).await;
    let mut batch = Batch::default();
    for number in 0..50 {
        batch.put(node_counters(number, 1));
    }
    let loaded = served.store.commit(batch).await.unwrap();
    let page = RangeRequest { limit: 20, ..all() };
    let first = served.kv().range(page.clone()).await.unwrap().into_inner();
    assert_eq!((first.kvs.len(), first.count, first.more), (20, 50, true));
    let revision = first.header.unwrap().revision;
    assert_eq!(u64::try_from(revision).unwrap(), loaded.0);

    served.store.commit(put(Class::Durable, 60, 1)).await.unwrap();
    let key = [first.kvs[19].key.as_slice(), &[0]].concat();
    let rest = RangeRequest { key, limit: 100, revision, ..all() };
    let second = served.kv().range(rest.clone()).await.unwrap().into_inner();
    assert_eq!((second.kvs.len(), second.more), (30, false));
    let keys: Vec<_> = first.kvs.iter().chain(&second.kvs).map(|kv| kv.key.clone()).collect();
    assert!(keys.is_sorted_by(|a, b| a < b), "in the order of the octets, none twice");

    served.store.compact(loaded);
    let request = super::generated::etcdserverpb::CompactionRequest {
        revision: revision + 1,
        physical: false,
    };
    served.kv().compact(request).await.unwrap();
    let status = served.kv().range(rest).await.unwrap_err();
    let compacted = "etcdserver: mvcc: required revision has been compacted";
    assert_eq!((status.code(), status.message()), (Code::OutOfRange, compacted));
    let ahead = RangeRequest { revision: revision + 100, ..all() };
    let status = served.kv().range(ahead).await.unwrap_err();
    let future = "etcdserver: mvcc: required revision is a future revision";
    assert_eq!((status.code(), status.message()), (Code::OutOfRange, future));
}

#[tokio::test]
async fn transactions_are_nested_one_level_and_see_their_own_writes() {
    let served = Served::new(Policy::operators()).await;
    let operation = |request| RequestOp { request: Some(request) };
    let write = |number| operation(Operation::RequestPut(put_request(number, 1)));
    let read = operation(Operation::RequestRange(all()));
    let nest = |inner: Vec<RequestOp>| {
        operation(Operation::RequestTxn(TxnRequest { success: inner, ..TxnRequest::default() }))
    };
    let request =
        TxnRequest { success: vec![write(1), nest(vec![write(2), read])], ..TxnRequest::default() };
    let response = served.kv().txn(request).await.unwrap().into_inner();
    let revision = response.header.unwrap().revision;
    let text = format!("{:?}", response.responses);
    assert_eq!(text.matches(&format!("mod_revision: {revision},")).count(), 2, "{text}");
    let deeper =
        TxnRequest { success: vec![nest(vec![nest(vec![write(3)])])], ..TxnRequest::default() };
    let status = served.kv().txn(deeper).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(value(&served.store.snapshot(), 3), None);
}

#[tokio::test]
async fn one_stream_has_several_watches_and_filters() {
    let served = Served::new(Policy::operators()).await;
    let deletes = WatchCreateRequest { filters: vec![0], ..watch_all(0) };
    let mut watching = served.watch(deletes).await;
    let created = watching.next().await;
    assert!(created.created);
    let create = WatchRequest { request_union: Some(RequestUnion::CreateRequest(watch_all(0))) };
    watching.requests.send(create).await.unwrap();
    let other = watching.next().await;
    assert_ne!(other.watch_id, created.watch_id);

    served.store.commit(put(Class::Durable, 1, 1)).await.unwrap();
    let event = watching.next().await;
    assert_eq!((event.watch_id, event.events.len()), (other.watch_id, 1));
    let cancel = WatchCancelRequest { watch_id: other.watch_id };
    let cancel = WatchRequest { request_union: Some(RequestUnion::CancelRequest(cancel)) };
    watching.requests.send(cancel).await.unwrap();
    assert!(watching.next().await.canceled);
    let mut batch = Batch::default();
    batch.delete::<NodeCounters>(node_counters(1, 1).key());
    served.store.commit(batch).await.unwrap();
    let event = watching.next().await;
    assert_eq!((event.watch_id, event.events[0].r#type), (created.watch_id, 1));
}

#[tokio::test]
async fn a_watch_is_told_how_far_it_is_when_nothing_matches() {
    let served = Served::new(Policy::operators()).await;
    let elsewhere = WatchCreateRequest {
        key: b"/mip4/bindings/".into(),
        range_end: after_prefix("/mip4/bindings/"),
        progress_notify: true,
        ..WatchCreateRequest::default()
    };
    let mut watching = served.watch(elsewhere).await;
    assert!(watching.next().await.created);
    let revision = served.store.commit(put(Class::Durable, 1, 1)).await.unwrap();
    let report = watching.next().await;
    assert!(report.events.is_empty());
    assert_eq!(u64::try_from(report.header.unwrap().revision).unwrap(), revision.0);
}

#[tokio::test]
async fn a_reader_that_stops_reading_is_cut_off_and_hurts_nobody() {
    let served = Served::new(Policy::operators()).await;
    // The reader has a connection of its own, whose windows fill up.
    let lazy = Served { channel: connect(&served.path).await, ..served };
    let mut stuck = lazy.watch(watch_all(0)).await;
    assert!(stuck.next().await.created);
    let good = connect(&lazy.path).await;
    let mut begun = std::time::Instant::now();
    let mut round = 0;
    // More than all windows and queues hold, however long that takes; then more than its patience.
    while round < 120 || begun.elapsed() < Duration::from_millis(6_500) {
        round += 1;
        if round == 120 {
            begun = std::time::Instant::now();
        }
        let mut batch = Batch::default();
        for number in 0..500 {
            batch.put(node_counters(number, round));
        }
        lazy.store.commit(batch).await.unwrap();
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let request = RangeRequest { limit: 1, ..all() };
    KvClient::new(good).range(request).await.unwrap();
    let end = loop {
        match tokio::time::timeout(Duration::from_secs(10), stuck.answers.message()).await.unwrap()
        {
            Ok(Some(message)) if message.canceled => break message.cancel_reason,
            Ok(Some(_)) => {}
            Ok(None) => panic!("ended without a word"),
            Err(status) => break status.message().to_owned(),
        }
    };
    assert!(end.contains("cut off") || end.contains("compacted"), "{end}");
}

#[tokio::test]
async fn a_lease_ends_with_its_rows_but_not_with_rows_written_since() {
    let served = Served::new(Policy::operators()).await;
    let mut leases = LeaseClient::new(served.channel.clone());
    let lease = leases.lease_grant(LeaseGrantRequest { ttl: 1, id: 0 }).await.unwrap().into_inner();
    for number in [1, 2] {
        let request = PutRequest { lease: lease.id, ..put_request(number, 1) };
        served.kv().put(request).await.unwrap();
    }
    // Not over the socket: the server is not asked, and still it is no longer the lease's.
    served.store.commit(put(Class::Durable, 2, 2)).await.unwrap();
    let mut revisions = served.store.revisions();
    let ended = async {
        while value(&served.store.snapshot(), 1).is_some() {
            revisions.changed().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(5), ended).await.unwrap();
    assert_eq!(value(&served.store.snapshot(), 2), Some(2));
}

#[tokio::test]
async fn viewers_write_nothing_and_learn_nothing_secret() {
    let served = Served::new(Policy::viewers()).await;
    served.store.put_secret("a", b"plain").await.unwrap();
    served.store.commit(put(Class::Durable, 1, 1)).await.unwrap();
    let status = served.kv().put(put_request(2, 1)).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    let secret = RangeRequest { key: b"/mip4-secret/a".into(), ..RangeRequest::default() };
    let status = served.kv().range(secret).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    let inside = RequestOp { request: Some(Operation::RequestPut(put_request(2, 1))) };
    let request = TxnRequest { success: vec![inside], ..TxnRequest::default() };
    assert_eq!(served.kv().txn(request).await.unwrap_err().code(), Code::PermissionDenied);
    let everything = RangeRequest { key: vec![0], range_end: vec![0], ..RangeRequest::default() };
    let found = served.kv().range(everything).await.unwrap().into_inner();
    assert_eq!(found.kvs.len(), 1);
    assert!(AnyRow::decode(crate::Table::NodeCounters, &found.kvs[0].value).is_ok());
}

#[tokio::test]
async fn a_server_stops_though_somebody_watches() {
    let served = Served::new(Policy::operators()).await;
    let mut watching = served.watch(watch_all(0)).await;
    assert!(watching.next().await.created);
    let stopped = tokio::time::timeout(Duration::from_secs(4), served.server.stop());
    stopped.await.unwrap();
}

#[tokio::test]
async fn connections_beyond_the_limit_are_hung_up_on_and_hurt_nobody() {
    let served = Served::new(Policy::viewers()).await;
    let mut crowd = Vec::new();
    for _ in 1..super::CONNECTIONS_MAX {
        crowd.push(UnixStream::connect(&served.path).await.unwrap());
    }
    let mut refused = UnixStream::connect(&served.path).await.unwrap();
    assert_eq!(greeted(&mut refused).await, 0);
    served.kv().range(all()).await.unwrap();
    drop(crowd);
    while greeted(&mut UnixStream::connect(&served.path).await.unwrap()).await == 0 {
        tokio::task::yield_now().await;
    }
}

/// How many octets a server answers to a greeting; none if it has hung up.
async fn greeted(stream: &mut UnixStream) -> usize {
    // The preface, and settings of no length. Whether it can be written shows in the answer.
    let _ = stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    let mut octets = [0; 64];
    let reading = tokio::time::timeout(Duration::from_secs(30), stream.read(&mut octets));
    reading.await.unwrap().unwrap_or(0)
}
