//! What a transaction would do to a snapshot, as a batch that compares all it has read.

use std::collections::BTreeSet;
use std::sync::Arc;

use tonic::Status;

use super::access::{Access, Peer};
use super::condition;
use super::generated::etcdserverpb::request_op::Request;
use super::generated::etcdserverpb::response_op::Response;
use super::generated::etcdserverpb::{
    DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse, RangeRequest, RangeResponse,
    RequestOp, ResponseOp, TxnRequest, TxnResponse,
};
use super::generated::mvccpb::KeyValue;
use super::lease::Leases;
use super::range;
use super::span::{SECRETS, Span};
use super::status::signed;
use super::view::View;
use crate::change::utc_now;
use crate::{
    AnyKey, AnyRow, Batch, Change, Changed, CommitCause, Compare, Expect, Revision, Snapshot,
    Tables,
};

/// Stands for the revision of a commit that is not made yet.
const PENDING: Revision = Revision(1 << 62);
/// How many operations a transaction may have.
const OPERATIONS_MAX: usize = 65_536;

/// A transaction worked out on a snapshot.
pub(crate) struct Plan<'a> {
    /// What it was worked out on.
    base: &'a Snapshot,
    /// The tables as they will be.
    tables: Tables,
    leases: &'a Leases,
    access: Access,
    /// Who asks.
    peer: &'a Peer,
    put: BTreeSet<AnyKey>,
    pub(crate) batch: Batch,
    /// Rows written, with the leases they are tied to.
    pub(crate) attach: Vec<(AnyKey, i64)>,
}

impl<'a> Plan<'a> {
    pub(crate) fn new(base: &'a Snapshot, leases: &'a Leases, peer: &'a Peer) -> Self {
        Self {
            base,
            tables: base.tables.clone(),
            leases,
            access: peer.access,
            peer,
            put: BTreeSet::new(),
            batch: Batch::default(),
            attach: Vec::new(),
        }
    }

    /// Evaluates the conditions and does one of the two lists of operations.
    pub(crate) fn transaction(&mut self, request: &TxnRequest) -> Result<TxnResponse, Status> {
        self.nested(request, true)
    }

    fn nested(&mut self, request: &TxnRequest, outer: bool) -> Result<TxnResponse, Status> {
        let lists = [request.compare.len(), request.success.len(), request.failure.len()];
        if lists.into_iter().any(|length| length > OPERATIONS_MAX) {
            return Err(Status::invalid_argument("etcdserver: too many operations in txn request"));
        }
        let mut succeeded = true;
        for compare in &request.compare {
            succeeded &= self.holds(compare)?;
        }
        let operations = if succeeded { &request.success } else { &request.failure };
        let mut responses = Vec::with_capacity(operations.len());
        for operation in operations {
            responses.push(ResponseOp { response: Some(self.operation(operation, outer)?) });
        }
        Ok(TxnResponse { header: None, succeeded, responses })
    }

    fn operation(&mut self, operation: &RequestOp, outer: bool) -> Result<Response, Status> {
        Ok(match &operation.request {
            Some(Request::RequestRange(request)) => Response::ResponseRange(self.range(request)?),
            Some(Request::RequestPut(request)) => Response::ResponsePut(self.put(request)?),
            Some(Request::RequestDeleteRange(request)) => {
                Response::ResponseDeleteRange(self.delete_range(request)?)
            }
            Some(Request::RequestTxn(request)) if outer => {
                Response::ResponseTxn(self.nested(request, false)?)
            }
            Some(Request::RequestTxn(_)) => {
                return Err(Status::invalid_argument("transactions are nested one level deep"));
            }
            None => return Err(Status::invalid_argument("an operation without a request")),
        })
    }

    fn holds(&mut self, compare: &super::generated::etcdserverpb::Compare) -> Result<bool, Status> {
        let span = Span::new(compare.key.clone(), compare.range_end.clone())?;
        self.access.read(&span)?;
        if let Span::One(key) = &span {
            let key = std::str::from_utf8(key).ok().and_then(AnyKey::from_path);
            let found = key.as_ref().and_then(|key| self.tables.find(key));
            let lease = |stamp| key.as_ref().and_then(|key| self.leases.of(key, stamp));
            let holds = condition::holds(compare, found.as_ref(), lease)?;
            if let Some(key) = &key {
                self.guard(key);
            }
            return Ok(holds);
        }
        for path in self.view().paths(&span) {
            let Some(key) = AnyKey::from_path(&path) else { continue };
            self.guard(&key);
            let found = self.tables.find(&key);
            if !condition::holds(compare, found.as_ref(), |at| self.leases.of(&key, at))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn range(&mut self, request: &RangeRequest) -> Result<RangeResponse, Status> {
        let span = Span::new(request.key.clone(), request.range_end.clone())?;
        self.access.read(&span)?;
        if span.secret().is_some() {
            return Err(Status::invalid_argument("secrets are not part of transactions"));
        }
        if request.revision > 0 && request.revision != signed(self.base.revision) {
            return Err(Status::invalid_argument("a transaction reads what is newest"));
        }
        let response = range::answer(&self.view(), self.leases, &span, request)?;
        for kv in &response.kvs {
            if let Some(key) = std::str::from_utf8(&kv.key).ok().and_then(AnyKey::from_path) {
                self.guard(&key);
            }
        }
        if let (Span::One(key), true) = (&span, response.kvs.is_empty())
            && let Some(key) = std::str::from_utf8(key).ok().and_then(AnyKey::from_path)
        {
            self.guard(&key);
        }
        Ok(response)
    }

    pub(crate) fn put(&mut self, request: &PutRequest) -> Result<PutResponse, Status> {
        let key = row_key(&request.key)?;
        self.access.write(key.table())?;
        let old = self.tables.find(&key);
        let mut row = new_row(request, &key, old.as_ref().map(|(row, _)| row))?;
        if self.access == Access::Operator {
            // Whatever it says: who and when are the server's.
            row = row.stamped(Some(Changed { by: self.peer.name(), at: utc_now() }));
        }
        if let (AnyRow::Operation(operation), None) = (&mut row, &old) {
            // Of operations whoever asks for one: the audit trail is of everybody.
            let operation = Arc::make_mut(operation);
            if self.access != Access::Daemon || operation.who.is_empty() {
                // A daemon speaks for the managers who ask it: `snmp:noc`.
                operation.who = self.peer.name();
            }
            operation.created_at = utc_now();
            if operation.owners.is_empty() {
                // A client of another make need not know who has its targets.
                operation.count(self.base);
            }
        }
        self.stamp_commit(&mut row, old.is_some());
        self.access.replace(old.as_ref().map(|(row, _)| row), Some(&row))?;
        if !self.put.insert(key.clone()) {
            return Err(Status::invalid_argument("etcdserver: duplicate key given in txn request"));
        }
        let lease = self.new_lease(request, &key, old.as_ref().map(|(_, stamp)| stamp.modified))?;
        let mut prev_kv = None;
        if request.prev_kv {
            prev_kv = self.previous(&key)?;
        }
        if request.prev_kv || request.ignore_value || self.access != Access::Daemon {
            // What the decision was based on has to be there still.
            self.guard(&key);
        }
        self.attach.push((key, lease));
        self.change(Change::Put(row));
        Ok(PutResponse { header: None, prev_kv })
    }

    /// Commits of the regional configuration say who asked for them, and when; and who ended one
    /// that waited to be confirmed. Daemons speak for those whose time is up.
    fn stamp_commit(&self, row: &mut AnyRow, is_known: bool) {
        let AnyRow::RegionalCommit(commit) = row else { return };
        let by_daemon = self.access == Access::Daemon;
        let is_timeout = by_daemon && matches!(commit.cause, CommitCause::NotConfirmed(_));
        match (is_known, by_daemon) {
            (true, true) => {}
            (true, false) => Arc::make_mut(commit).ended_by = Some(self.peer.name()),
            (false, _) if is_timeout => {}
            (false, _) => {
                let commit = Arc::make_mut(commit);
                commit.who = self.peer.name();
                commit.at = utc_now();
            }
        }
    }

    fn new_lease(
        &self,
        request: &PutRequest,
        key: &AnyKey,
        modified: Option<Revision>,
    ) -> Result<i64, Status> {
        if request.ignore_lease {
            if request.lease != 0 {
                return Err(Status::invalid_argument("etcdserver: lease is provided"));
            }
            let modified = modified.ok_or_else(key_not_found)?;
            return Ok(self.leases.of(key, modified).unwrap_or(0));
        }
        if request.lease != 0 {
            self.leases.check(request.lease)?;
        }
        Ok(request.lease)
    }

    pub(crate) fn delete_range(
        &mut self,
        request: &DeleteRangeRequest,
    ) -> Result<DeleteRangeResponse, Status> {
        let span = Span::new(request.key.clone(), request.range_end.clone())?;
        if span.secret().is_some() {
            return Err(Status::invalid_argument("secrets are not part of transactions"));
        }
        let tables = span.tables();
        if tables.is_empty() && self.access != Access::Daemon {
            return Err(Status::permission_denied("no row can be there"));
        }
        for table in tables {
            self.access.write(table)?;
        }
        let mut response = DeleteRangeResponse::default();
        for path in self.view().paths(&span) {
            let Some(key) = AnyKey::from_path(&path) else { continue };
            let old = self.tables.find(&key);
            self.access.replace(old.as_ref().map(|(row, _)| row), None)?;
            if self.put.contains(&key) {
                return Err(Status::invalid_argument(
                    "etcdserver: duplicate key given in txn request",
                ));
            }
            if request.prev_kv {
                response.prev_kvs.extend(self.previous(&key)?);
            }
            self.guard(&key);
            self.attach.push((key.clone(), 0));
            self.change(Change::Delete(key));
            response.deleted += 1;
        }
        Ok(response)
    }

    /// The row of `key` as it is now, with its lease.
    fn previous(&self, key: &AnyKey) -> Result<Option<KeyValue>, Status> {
        let Some((row, stamp)) = self.tables.find(key) else { return Ok(None) };
        let mut kv = range::key_value(&key.path(), Some(&row), stamp)?;
        kv.lease = self.leases.of(key, stamp.modified).unwrap_or(0);
        Ok(Some(kv))
    }

    fn change(&mut self, change: Change) {
        let single = Batch { changes: vec![change.clone()], ..Batch::default() };
        self.tables.apply(&single, PENDING);
        self.batch.changes.push(change);
    }

    /// Makes the commit depend on the row of `key` being as it is in the base.
    fn guard(&mut self, key: &AnyKey) {
        let expect = match self.base.tables.modified(key) {
            Some(revision) => Expect::Modified(revision),
            None => Expect::Absent,
        };
        self.batch.compares.push(Compare { key: key.clone(), expect });
    }

    fn view(&self) -> View {
        let snapshot = Snapshot { revision: self.base.revision, tables: self.tables.clone() };
        View::new(Arc::new(snapshot))
    }
}

/// The row that a put writes.
fn new_row(request: &PutRequest, key: &AnyKey, old: Option<&AnyRow>) -> Result<AnyRow, Status> {
    if request.ignore_value {
        if !request.value.is_empty() {
            return Err(Status::invalid_argument("etcdserver: value is provided"));
        }
        return old.cloned().ok_or_else(key_not_found);
    }
    let table = key.table();
    let row = AnyRow::decode(table, &request.value).map_err(|error| {
        Status::invalid_argument(format!("not a row of {}: {error}", table.name()))
    })?;
    if row.key() != *key {
        return Err(Status::invalid_argument(format!(
            "the row belongs at {}, not at {}",
            row.key().path(),
            key.path()
        )));
    }
    Ok(row)
}

/// The row that a key to be written names.
fn row_key(key: &[u8]) -> Result<AnyKey, Status> {
    let path = std::str::from_utf8(key)
        .map_err(|_| Status::invalid_argument("a key is text: /mip4/<table>/<key>"))?;
    if path.is_empty() {
        return Err(Status::invalid_argument("etcdserver: key is not provided"));
    }
    if path.starts_with(SECRETS) {
        return Err(Status::invalid_argument("secrets are not part of transactions"));
    }
    AnyKey::from_path(path)
        .filter(|key| key.path() == path)
        .ok_or_else(|| Status::invalid_argument(format!("{path} names no row of any table")))
}

fn key_not_found() -> Status {
    Status::invalid_argument("etcdserver: key not found")
}

/// Puts the revision of the commit where it was not known yet.
pub(crate) fn settle(response: &mut TxnResponse, at: Revision) {
    for operation in &mut response.responses {
        match &mut operation.response {
            Some(Response::ResponseRange(range)) => range.kvs.iter_mut().for_each(|kv| {
                for revision in [&mut kv.create_revision, &mut kv.mod_revision] {
                    if *revision == signed(PENDING) {
                        *revision = signed(at);
                    }
                }
            }),
            Some(Response::ResponseTxn(nested)) => settle(nested, at),
            Some(Response::ResponsePut(_) | Response::ResponseDeleteRange(_)) | None => {}
        }
    }
}
