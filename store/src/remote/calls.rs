//! The calls that clients make, in terms of rows.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::ways::Ways;
use crate::served::generated::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use crate::served::generated::etcdserverpb::kv_client::KvClient;
use crate::served::generated::etcdserverpb::lease_client::LeaseClient;
use crate::served::generated::etcdserverpb::maintenance_client::MaintenanceClient;
use crate::served::generated::etcdserverpb::request_op::Request as Operation;
use crate::served::generated::etcdserverpb::response_op::Response as Answer;
use crate::served::generated::etcdserverpb::watch_client::WatchClient;
use crate::served::generated::etcdserverpb::{
    CompactionRequest, Compare as EtcdCompare, DeleteRangeRequest, LeaseGrantRequest,
    LeaseRevokeRequest, PutRequest, RangeRequest, RangeResponse, RequestOp, StatusRequest,
    TxnRequest, TxnResponse,
};
use crate::served::generated::mvccpb::KeyValue;
use crate::served::span::after_prefix;
use crate::served::status::{self, CLASS, RELAXED, signed, unsigned};
use crate::{AnyKey, AnyRow, Batch, Change, Class, CommitError, Compare, Expect, Revision, Stamp};

/// What all rows start with.
pub(crate) const ROWS: &str = "/mip4/";
/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The largest answer.
const ANSWER_OCTETS_MAX: usize = 512 << 20;
/// How many rows a page has at most.
const PAGE_ROWS: i64 = 4_000;
/// How many operations etcd takes in a transaction, unless told otherwise.
pub(crate) const ETCD_OPERATIONS_MAX: usize = 128;

/// Who is at the other end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Peer {
    /// A process of ours.
    Served,
    Etcd,
}

/// Makes a call, on the next way too if it never left on the first.
macro_rules! call {
    ($calls:expr, $client:ident::$method:ident($request:expr)) => {{
        let mut attempt = 0;
        loop {
            let (way, channel) = $calls.ways.current();
            let mut client = $client::new(channel).max_decoding_message_size(ANSWER_OCTETS_MAX);
            match patiently(client.$method($request)).await {
                Err(status) if $calls.ways.turn(way, &status, attempt) => attempt += 1,
                done => break done,
            }
        }
    }};
}

/// A client's end of the protocol.
#[derive(Clone)]
pub(crate) struct Calls {
    pub(crate) peer: Peer,
    ways: Arc<Ways>,
}

/// A commit that was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    pub(crate) revision: Revision,
    /// Whether anything has changed, so that watches hear of it.
    pub(crate) effective: bool,
}

/// Rows of one page, in the order of their paths.
pub(crate) struct Page {
    pub(crate) rows: Vec<KeyValue>,
    pub(crate) revision: Revision,
    /// Which past the revision belongs to.
    pub(crate) lineage: u64,
    /// Where the next page starts, if there is one.
    pub(crate) next: Option<Vec<u8>>,
    /// How many rows there are from the first of this page on.
    pub(crate) count: u64,
}

impl Calls {
    /// `channels` lead to the members of a cluster, or there is one, to our own server.
    pub(crate) fn new(peer: Peer, channels: Vec<Channel>) -> Self {
        Self { peer, ways: Arc::new(Ways::new(channels)) }
    }

    pub(crate) fn watch_client(&self) -> WatchClient<Channel> {
        WatchClient::new(self.ways.current().1).max_decoding_message_size(ANSWER_OCTETS_MAX)
    }

    #[cfg(test)]
    pub(crate) fn kv_client(&self) -> KvClient<Channel> {
        KvClient::new(self.ways.current().1)
    }

    #[cfg(test)]
    pub(crate) fn lease_client(&self) -> LeaseClient<Channel> {
        LeaseClient::new(self.ways.current().1)
    }

    pub(crate) async fn range(&self, request: RangeRequest) -> Result<RangeResponse, Status> {
        call!(self, KvClient::range(request.clone()))
    }

    /// Why our server takes no commits, if it does not.
    pub(crate) async fn server_degraded(&self) -> Result<Option<String>, Status> {
        let status = call!(self, MaintenanceClient::status(StatusRequest {}))?;
        Ok(status.errors.into_iter().next())
    }

    /// The newest revision, as the whole cluster knows it.
    pub(crate) async fn newest(&self) -> Result<Revision, Status> {
        let request = RangeRequest { key: ROWS.into(), count_only: true, ..Default::default() };
        let response = self.range(request).await?;
        Ok(Revision(response.header.map_or(0, |header| unsigned(header.revision))))
    }

    /// What starts with `prefix`, from `start` on, at `revision` (0: the newest).
    pub(crate) async fn raw_page(
        &self,
        prefix: &str,
        start: Option<Vec<u8>>,
        revision: Revision,
    ) -> Result<Page, Status> {
        let request = RangeRequest {
            key: start.unwrap_or_else(|| prefix.into()),
            range_end: after_prefix(prefix),
            limit: PAGE_ROWS,
            revision: signed(revision),
            ..RangeRequest::default()
        };
        let response = self.range(request).await?;
        let last = response.kvs.last().filter(|_| response.more);
        let next = last.map(|kv| [kv.key.as_slice(), &[0]].concat());
        let header = response.header.unwrap_or_default();
        let now = Revision(unsigned(header.revision));
        let revision = if revision.0 == 0 { now } else { revision };
        let count = unsigned(response.count);
        Ok(Page { rows: response.kvs, revision, lineage: header.cluster_id, next, count })
    }

    /// Makes the changes of `batch`, or says which compare does not hold.
    pub(crate) async fn commit(&self, batch: &Batch) -> Result<Done, CommitError> {
        let request =
            transaction(batch).map_err(|error| CommitError::Invalid(error.to_string()))?;
        if self.peer == Peer::Etcd {
            let operations = request.compare.len().max(request.success.len());
            if operations > ETCD_OPERATIONS_MAX {
                return Err(CommitError::Invalid(format!(
                    "{operations} operations at once, etcd takes {ETCD_OPERATIONS_MAX}"
                )));
            }
        }
        let is_relaxed = batch.class == Class::Relaxed && self.peer == Peer::Served;
        let response = call!(self, KvClient::txn(with_class(request.clone(), is_relaxed)))
            .map_err(|status| status::to_commit(&status))?;
        let revision = revision_of(&response);
        if response.succeeded {
            return Ok(Done { revision, effective: has_effect(&response) });
        }
        Err(match refused(batch, &response) {
            Some(compare) => CommitError::Refused(Box::new(compare)),
            None => CommitError::Broken("a compare failed, but all of them hold".to_owned()),
        })
    }

    /// Does `writes` if all conditions hold; tells at which revision, or that they do not.
    pub(crate) async fn write_if(
        &self,
        conditions: Vec<Condition>,
        writes: Vec<Write>,
    ) -> Result<Option<Revision>, Status> {
        let success = writes.into_iter().map(Write::into_operation).collect();
        let compare = conditions.into_iter().map(|condition| condition.0).collect();
        let request = TxnRequest { compare, success, failure: Vec::new() };
        let response = call!(self, KvClient::txn(request.clone()))?;
        Ok(response.succeeded.then(|| revision_of(&response)))
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Option<KeyValue>, Status> {
        let request = RangeRequest { key: key.into(), ..RangeRequest::default() };
        Ok(self.range(request).await?.kvs.pop())
    }

    pub(crate) async fn put(&self, key: &str, value: Vec<u8>) -> Result<Revision, Status> {
        let request = PutRequest { key: key.into(), value, ..PutRequest::default() };
        let response = call!(self, KvClient::put(request.clone()))?;
        Ok(Revision(response.header.map_or(0, |header| unsigned(header.revision))))
    }

    pub(crate) async fn delete(&self, key: &str) -> Result<Revision, Status> {
        let request = DeleteRangeRequest { key: key.into(), ..DeleteRangeRequest::default() };
        let response = call!(self, KvClient::delete_range(request.clone()))?;
        Ok(Revision(response.header.map_or(0, |header| unsigned(header.revision))))
    }

    /// Forgets the history before `revision`.
    pub(crate) async fn compact(&self, revision: Revision) -> Result<(), Status> {
        let request = CompactionRequest { revision: signed(revision), physical: false };
        call!(self, KvClient::compact(request)).map(drop)
    }

    /// Writes `value` at `key` for `seconds`, unless somebody else has; tells whether it was done.
    pub(crate) async fn claim(&self, key: &str, value: &str, seconds: i64) -> Result<bool, Status> {
        let grant = LeaseGrantRequest { ttl: seconds, id: 0 };
        let id = call!(self, LeaseClient::lease_grant(grant))?.id;
        let condition = |result: CompareResult, target: CompareTarget, union| EtcdCompare {
            result: result.into(),
            target: target.into(),
            key: key.into(),
            range_end: Vec::new(),
            target_union: Some(union),
        };
        let put =
            PutRequest { key: key.into(), value: value.into(), lease: id, ..PutRequest::default() };
        let put = vec![RequestOp { request: Some(Operation::RequestPut(put)) }];
        let absent = TargetUnion::CreateRevision(0);
        let own = TargetUnion::Value(value.into());
        let unclaimed = TxnRequest {
            compare: vec![condition(CompareResult::Equal, CompareTarget::Create, absent)],
            success: put.clone(),
            failure: vec![RequestOp {
                request: Some(Operation::RequestTxn(TxnRequest {
                    compare: vec![condition(CompareResult::Equal, CompareTarget::Value, own)],
                    success: put,
                    failure: Vec::new(),
                })),
            }],
        };
        let response = call!(self, KvClient::txn(unclaimed.clone()))?;
        let renewed = response.responses.iter().any(|operation| {
            matches!(&operation.response, Some(Answer::ResponseTxn(nested)) if nested.succeeded)
        });
        if !response.succeeded && !renewed {
            call!(self, LeaseClient::lease_revoke(LeaseRevokeRequest { id }))?;
        }
        Ok(response.succeeded || renewed)
    }
}

fn with_class(request: TxnRequest, is_relaxed: bool) -> Request<TxnRequest> {
    let mut request = Request::new(request);
    if is_relaxed {
        request.metadata_mut().insert(CLASS, MetadataValue::from_static(RELAXED));
    }
    request
}

async fn patiently<T>(
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Status> {
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(response) => response.map(Response::into_inner),
        Err(_) => {
            Err(Status::unavailable(format!("no answer within {} seconds", PATIENCE.as_secs())))
        }
    }
}

/// Reads a row; what this version does not know is left out.
pub(crate) fn row(kv: &KeyValue) -> Option<(AnyRow, Stamp)> {
    let key = AnyKey::from_path(std::str::from_utf8(&kv.key).ok()?)?;
    match AnyRow::decode(key.table(), &kv.value) {
        Ok(row) => Some((row, stamp(kv))),
        Err(error) => {
            tracing::error!(key = key.path(), %error, "a row cannot be read and is left out");
            None
        }
    }
}

pub(crate) fn stamp(kv: &KeyValue) -> Stamp {
    Stamp {
        created: Revision(unsigned(kv.create_revision)),
        modified: Revision(unsigned(kv.mod_revision)),
        version: unsigned(kv.version),
    }
}

/// A batch as a transaction; if a compare fails, it answers with what is there instead.
fn transaction(batch: &Batch) -> Result<TxnRequest, serde_json::Error> {
    let mut success = BTreeMap::new();
    for (position, change) in batch.changes.iter().enumerate() {
        let (key, operation) = match change {
            Change::Put(row) => {
                let key = row.key().path();
                let put = PutRequest {
                    key: key.clone().into(),
                    value: row.encode()?,
                    ..PutRequest::default()
                };
                (key, Operation::RequestPut(put))
            }
            Change::Delete(key) => {
                let key = key.path();
                let delete = DeleteRangeRequest { key: key.clone().into(), ..Default::default() };
                (key, Operation::RequestDeleteRange(delete))
            }
        };
        // A key may be written once in a transaction: the last change is what counts.
        success.insert(key, (position, operation));
    }
    let mut success: Vec<_> = success.into_values().collect();
    success.sort_by_key(|(position, _)| *position);
    let success = success.into_iter().map(|(_, operation)| RequestOp { request: Some(operation) });
    let look = |compare: &Compare| {
        let key = compare.key.path().into();
        let range = RangeRequest { key, keys_only: true, ..RangeRequest::default() };
        RequestOp { request: Some(Operation::RequestRange(range)) }
    };
    Ok(TxnRequest {
        compare: batch.compares.iter().map(condition).collect(),
        success: success.collect(),
        failure: batch.compares.iter().map(look).collect(),
    })
}

/// One operation of a transaction that writes.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    Put(String, Vec<u8>),
    Delete(String),
    /// Everything that starts with it.
    DeletePrefix(String),
}

impl Write {
    pub(crate) fn key(&self) -> &str {
        match self {
            Self::Put(key, _) | Self::Delete(key) | Self::DeletePrefix(key) => key,
        }
    }

    fn into_operation(self) -> RequestOp {
        let request = match self {
            Self::Put(key, value) => {
                let put = PutRequest { key: key.into(), value, ..PutRequest::default() };
                Operation::RequestPut(put)
            }
            Self::Delete(key) => Operation::RequestDeleteRange(DeleteRangeRequest {
                key: key.into(),
                ..DeleteRangeRequest::default()
            }),
            Self::DeletePrefix(prefix) => Operation::RequestDeleteRange(DeleteRangeRequest {
                range_end: after_prefix(&prefix),
                key: prefix.into(),
                ..DeleteRangeRequest::default()
            }),
        };
        RequestOp { request: Some(request) }
    }
}

/// A condition on when something was written.
pub(crate) struct Condition(EtcdCompare);

impl Condition {
    /// Everything that starts with `prefix` was written before `revision`, if it is there.
    pub(crate) fn older(prefix: &str, revision: Revision) -> Self {
        Self(EtcdCompare {
            result: CompareResult::Less.into(),
            target: CompareTarget::Mod.into(),
            key: prefix.into(),
            range_end: after_prefix(prefix),
            target_union: Some(TargetUnion::ModRevision(signed(revision))),
        })
    }

    /// `key` was not written after `revision`.
    pub(crate) fn untouched(key: &str, revision: Revision) -> Self {
        let next = TargetUnion::ModRevision(signed(revision.next()));
        Self(EtcdCompare {
            result: CompareResult::Less.into(),
            target: CompareTarget::Mod.into(),
            key: key.into(),
            range_end: Vec::new(),
            target_union: Some(next),
        })
    }
}

fn condition(compare: &Compare) -> EtcdCompare {
    let (result, target, union) = match compare.expect {
        Expect::Absent => {
            (CompareResult::Equal, CompareTarget::Create, TargetUnion::CreateRevision(0))
        }
        Expect::Present => {
            (CompareResult::Greater, CompareTarget::Create, TargetUnion::CreateRevision(0))
        }
        Expect::Modified(revision) => {
            (CompareResult::Equal, CompareTarget::Mod, TargetUnion::ModRevision(signed(revision)))
        }
    };
    EtcdCompare {
        result: result.into(),
        target: target.into(),
        key: compare.key.path().into(),
        range_end: Vec::new(),
        target_union: Some(union),
    }
}

fn revision_of(response: &TxnResponse) -> Revision {
    Revision(response.header.as_ref().map_or(0, |header| unsigned(header.revision)))
}

fn has_effect(response: &TxnResponse) -> bool {
    response.responses.iter().any(|operation| match &operation.response {
        Some(Answer::ResponsePut(_)) => true,
        Some(Answer::ResponseDeleteRange(delete)) => delete.deleted > 0,
        Some(Answer::ResponseRange(_) | Answer::ResponseTxn(_)) | None => false,
    })
}

/// The first compare that what was found speaks against.
fn refused(batch: &Batch, response: &TxnResponse) -> Option<Compare> {
    let found = response.responses.iter().map(|operation| match &operation.response {
        Some(Answer::ResponseRange(range)) => range.kvs.first().map(|kv| stamp(kv).modified),
        _ => None,
    });
    let mut pairs = batch.compares.iter().zip(found);
    let (compare, _) = pairs.find(|(compare, modified)| match compare.expect {
        Expect::Absent => modified.is_some(),
        Expect::Present => modified.is_none(),
        Expect::Modified(revision) => *modified != Some(revision),
    })?;
    Some(compare.clone())
}
