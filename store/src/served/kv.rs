//! The services `KV` and `Maintenance`.

use std::sync::Arc;
use std::time::Duration;

use tonic::{Code, Request, Response, Status};

use super::access::{Access, Peer, Policy};
use super::generated::etcdserverpb::kv_server::Kv;
use super::generated::etcdserverpb::maintenance_server::Maintenance;
use super::generated::etcdserverpb::{
    CompactionRequest, CompactionResponse, DeleteRangeRequest, DeleteRangeResponse, PutRequest,
    PutResponse, RangeRequest, RangeResponse, RequestOp, ResponseHeader, StatusRequest,
    StatusResponse, TxnRequest, TxnResponse, request_op, response_op,
};
use super::generated::mvccpb::KeyValue;
use super::lease::Leases;
use super::plan::{Plan, settle};
use super::range;
use super::span::Span;
use super::status::{self, CLASS, RELAXED, signed, unsigned};
use super::view::Views;
use crate::change::{of_refusal, of_secret, utc_now};
use crate::{AnyKey, AnyRow, AuditEntry, Batch, Class, CommitError, Revision, Store, audit};

const MEMBER: u64 = 1;
/// How often a transaction is worked out again because what it read has changed.
const ATTEMPTS_MAX: u32 = 1_000;
/// When the same refusal is told once more, and among how many of the latest entries it is looked for.
const REFUSED_AGAIN_AFTER: Duration = Duration::from_secs(60);
const REFUSALS_COMPARED: usize = 64;
/// How much of a key that may be anything is told.
const WHAT_MAX: usize = 200;

/// What the services of one socket share.
pub(crate) struct Server {
    pub(crate) store: Store,
    pub(crate) policy: Policy,
    pub(crate) views: Views,
    pub(crate) leases: Arc<Leases>,
    /// Turns true when the server stops.
    pub(crate) closing: tokio::sync::watch::Receiver<bool>,
}

/// A handle that tonic's services can own.
#[derive(Clone)]
pub(crate) struct Shared(pub(crate) Arc<Server>);

impl Server {
    /// A header with the newest revision.
    pub(crate) fn header_now(&self) -> ResponseHeader {
        header(&self.store, self.store.snapshot().revision)
    }

    /// Works `request` out on the newest snapshot and commits it, again and
    /// again if what it has read changes in between.
    async fn transact(
        &self,
        peer: &Peer,
        class: Class,
        request: &TxnRequest,
    ) -> Result<TxnResponse, Status> {
        let mut attempts = 0;
        loop {
            let snapshot = self.store.snapshot();
            let mut plan = Plan::new(&snapshot, &self.leases, peer);
            let mut response = plan.transaction(request)?;
            if plan.batch.is_empty() {
                response.header = Some(header(&self.store, snapshot.revision));
                return Ok(response);
            }
            plan.batch.class = class;
            let (mut batch, attach) = (plan.batch, plan.attach);
            if let Some(author) = peer.author() {
                audit(&snapshot, &mut batch, &author, utc_now());
            }
            match self.store.commit(batch).await {
                Ok(revision) => {
                    for (key, lease) in attach {
                        self.leases.attach(key, lease, revision);
                    }
                    self.visible(revision).await;
                    settle(&mut response, revision);
                    response.header = Some(header(&self.store, revision));
                    return Ok(response);
                }
                Err(CommitError::Refused(_)) if attempts < ATTEMPTS_MAX => {
                    attempts += 1;
                    changed_since(&self.store, snapshot.revision).await;
                }
                Err(error) => return Err(status::from_commit(error)),
            }
        }
    }

    /// The same; what an operator may not do is told in the audit trail.
    async fn transact_audited(
        &self,
        peer: &Peer,
        class: Class,
        request: &TxnRequest,
    ) -> Result<TxnResponse, Status> {
        let done = self.transact(peer, class, request).await;
        if let Err(status) = &done
            && matches!(status.code(), Code::PermissionDenied | Code::InvalidArgument)
            && let Some(what) = first_written(request)
        {
            self.note_refusal(peer, what, status).await;
        }
        done
    }

    /// Whoever tries again and again the same is told of once in a while: the trail is bounded. It is
    /// there before the answer is, so that the next attempt finds it.
    async fn note_refusal(&self, peer: &Peer, what: String, status: &Status) {
        let Some(author) = peer.author().filter(|_| peer.access == Access::Operator) else {
            return;
        };
        let entry = of_refusal(what, status.message(), &author, utc_now());
        let snapshot = self.store.snapshot();
        let lately = snapshot.rows::<AuditEntry>().iter().rev().take(REFUSALS_COMPARED);
        let is_known = lately.into_iter().any(|it| {
            (&it.who, &it.what, &it.outcome) == (&entry.who, &entry.what, &entry.outcome)
                && entry.at.since(it.at) < REFUSED_AGAIN_AFTER
        });
        if !is_known {
            let mut batch = Batch::default();
            batch.put(entry);
            // What cannot be told is refused all the same.
            if let Ok(revision) = self.store.commit(batch).await {
                self.visible(revision).await;
            }
        }
    }

    /// Tells in the audit trail that an operator has changed a key. Daemons tell it with the row.
    fn note_secret(&self, peer: &Peer, path: &str, is_deleted: bool) {
        if let Some(author) = peer.author().filter(|_| peer.access == Access::Operator) {
            let mut batch = Batch::default();
            batch.put(of_secret(path, is_deleted, &author, utc_now()));
            self.store.commit_soon(batch);
        }
    }

    /// Waits until readers see `revision`, so that whoever is told of it can read it.
    async fn visible(&self, revision: Revision) {
        let mut revisions = self.store.revisions();
        let seen = revisions.wait_for(|visible| *visible >= revision);
        let _ = tokio::time::timeout(Duration::from_secs(10), seen).await;
    }

    /// A transaction of one operation, without conditions.
    async fn transact_one(
        &self,
        peer: &Peer,
        class: Class,
        operation: request_op::Request,
    ) -> Result<(Option<ResponseHeader>, Option<response_op::Response>), Status> {
        let request = TxnRequest {
            success: vec![RequestOp { request: Some(operation) }],
            ..TxnRequest::default()
        };
        let mut response = self.transact_audited(peer, class, &request).await?;
        let operation = response.responses.pop().and_then(|operation| operation.response);
        Ok((response.header, operation))
    }

    /// The row that the secret at `path` belongs to: `associations/<key>` is that of the row there.
    fn owner_of_secret(&self, path: &str) -> Option<AnyRow> {
        let key = AnyKey::from_path(&format!("/mip4/{path}"))?;
        self.store.snapshot().tables.find(&key).map(|(row, _)| row)
    }

    /// Reads one secret.
    async fn secret(&self, path: &str, request: &RangeRequest) -> Result<RangeResponse, Status> {
        let secret = self.store.secret(path).await.map_err(status::from_commit)?;
        let found = secret.is_some();
        let kvs = match secret {
            Some(octets) if !request.count_only => vec![KeyValue {
                key: request.key.clone(),
                value: if request.keys_only { Vec::new() } else { octets.to_vec() },
                version: 1,
                ..KeyValue::default()
            }],
            _ => Vec::new(),
        };
        Ok(RangeResponse {
            header: Some(self.header_now()),
            kvs,
            more: false,
            count: i64::from(found),
        })
    }
}

/// The key that a transaction would have written first.
fn first_written(request: &TxnRequest) -> Option<String> {
    let operations = request.success.iter().chain(&request.failure);
    let key = operations.into_iter().find_map(|operation| match operation.request.as_ref()? {
        request_op::Request::RequestPut(put) => Some(&put.key),
        request_op::Request::RequestDeleteRange(delete) => Some(&delete.key),
        request_op::Request::RequestRange(_) | request_op::Request::RequestTxn(_) => None,
    })?;
    let key = String::from_utf8_lossy(key);
    let key: String = key.chars().take(WHAT_MAX).collect();
    Some(key.strip_prefix("/mip4/").unwrap_or(&key).to_owned())
}

pub(crate) fn header(store: &Store, revision: Revision) -> ResponseHeader {
    ResponseHeader {
        cluster_id: store.lineage(),
        member_id: MEMBER,
        revision: signed(revision),
        raft_term: 1,
    }
}

/// Waits until the store has moved on from `seen`, or a little while.
///
/// A commit that is not synced yet can refuse another before anybody sees it.
pub(crate) async fn changed_since(store: &Store, seen: Revision) {
    let mut revisions = store.revisions();
    let newer = revisions.wait_for(|revision| *revision > seen);
    let _ = tokio::time::timeout(Duration::from_millis(100), newer).await;
}

fn class<T>(request: &Request<T>) -> Class {
    match request.metadata().get(CLASS) {
        Some(value) if value == RELAXED => Class::Relaxed,
        _ => Class::Durable,
    }
}

#[tonic::async_trait]
impl Kv for Shared {
    async fn range(
        &self,
        request: Request<RangeRequest>,
    ) -> Result<Response<RangeResponse>, Status> {
        let server = &self.0;
        let access = server.policy.access(&request)?;
        let request = request.into_inner();
        let span = Span::new(request.key.clone(), request.range_end.clone())?;
        access.read(&span)?;
        if let Some(path) = span.secret() {
            return server.secret(path, &request).await.map(Response::new);
        }
        let view = server.views.at(&server.store, request.revision)?;
        if matches!(span, Span::Between { .. }) {
            server.views.keep(&view);
        }
        // etcd tells the newest revision even when an older one is read; whoever pages
        // learns the revision from the first answer, which is both.
        let newest = match request.revision {
            ..=0 => view.snapshot.revision,
            _ => server.store.snapshot().revision,
        };
        let mut response = range::range(view, Arc::clone(&server.leases), request).await?;
        response.header = Some(header(&server.store, newest));
        Ok(Response::new(response))
    }

    async fn put(&self, request: Request<PutRequest>) -> Result<Response<PutResponse>, Status> {
        let server = &self.0;
        let peer = server.policy.peer(&request)?;
        let class = class(&request);
        let request = request.into_inner();
        let span = Span::new(request.key.clone(), Vec::new())?;
        if let Some(path) = span.secret() {
            peer.access.write_secret(server.owner_of_secret(path).as_ref())?;
            if request.prev_kv || request.lease != 0 || request.ignore_value {
                return Err(Status::invalid_argument(
                    "a secret has no previous value and no lease",
                ));
            }
            let value = zeroize::Zeroizing::new(request.value);
            let done = server.store.put_secret(path, &value).await;
            let header = Some(header(&server.store, done.map_err(status::from_commit)?));
            server.note_secret(&peer, path, false);
            return Ok(Response::new(PutResponse { header, prev_kv: None }));
        }
        let operation = request_op::Request::RequestPut(request);
        let (header, done) = server.transact_one(&peer, class, operation).await?;
        let mut response = match done {
            Some(response_op::Response::ResponsePut(response)) => response,
            _ => PutResponse::default(),
        };
        response.header = header;
        Ok(Response::new(response))
    }

    async fn delete_range(
        &self,
        request: Request<DeleteRangeRequest>,
    ) -> Result<Response<DeleteRangeResponse>, Status> {
        let server = &self.0;
        let peer = server.policy.peer(&request)?;
        let class = class(&request);
        let request = request.into_inner();
        let span = Span::new(request.key.clone(), request.range_end.clone())?;
        if let Some(path) = span.secret() {
            peer.access.write_secret(server.owner_of_secret(path).as_ref())?;
            let there = server.store.secret(path).await.map_err(status::from_commit)?.is_some();
            let done = server.store.delete_secret(path).await;
            let header = Some(header(&server.store, done.map_err(status::from_commit)?));
            server.note_secret(&peer, path, true);
            let deleted = i64::from(there);
            return Ok(Response::new(DeleteRangeResponse {
                header,
                deleted,
                prev_kvs: Vec::new(),
            }));
        }
        let operation = request_op::Request::RequestDeleteRange(request);
        let (header, done) = server.transact_one(&peer, class, operation).await?;
        let mut response = match done {
            Some(response_op::Response::ResponseDeleteRange(response)) => response,
            _ => DeleteRangeResponse::default(),
        };
        response.header = header;
        Ok(Response::new(response))
    }

    async fn txn(&self, request: Request<TxnRequest>) -> Result<Response<TxnResponse>, Status> {
        let peer = self.0.policy.peer(&request)?;
        let class = class(&request);
        let response = self.0.transact_audited(&peer, class, request.get_ref()).await?;
        Ok(Response::new(response))
    }

    async fn compact(
        &self,
        request: Request<CompactionRequest>,
    ) -> Result<Response<CompactionResponse>, Status> {
        let server = &self.0;
        server.policy.access(&request)?.compact()?;
        let revision = Revision(unsigned(request.get_ref().revision));
        let snapshot = server.store.snapshot();
        if revision > snapshot.revision {
            return Err(status::future());
        }
        if revision <= server.store.compacted() {
            return Err(status::compacted());
        }
        // The revision itself can still be read and watched from, as with etcd.
        server.store.compact(Revision(revision.0.saturating_sub(1)));
        server.views.forget_before(revision);
        let header = Some(header(&server.store, snapshot.revision));
        Ok(Response::new(CompactionResponse { header }))
    }
}

#[tonic::async_trait]
impl Maintenance for Shared {
    async fn status(
        &self,
        request: Request<StatusRequest>,
    ) -> Result<Response<StatusResponse>, Status> {
        let server = &self.0;
        server.policy.access(&request)?;
        let health = server.store.health();
        let size = health.disk.map_or(0, |disk| disk.used_octets);
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        Ok(Response::new(StatusResponse {
            header: Some(header(&server.store, health.revision)),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            db_size: size,
            leader: MEMBER,
            raft_index: health.revision.0,
            raft_term: 1,
            raft_applied_index: health.revision.0,
            errors: health.degraded.into_iter().collect(),
            db_size_in_use: size,
            is_learner: false,
        }))
    }
}
