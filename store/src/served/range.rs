//! `Range`: rows as key-value pairs.

use std::sync::Arc;

use prost::Message as _;
use tonic::Status;

use super::generated::etcdserverpb::range_request::{SortOrder, SortTarget};
use super::generated::etcdserverpb::{RangeRequest, RangeResponse};
use super::generated::mvccpb::KeyValue;
use super::lease::Leases;
use super::span::Span;
use super::status::signed;
use super::view::View;
use crate::{AnyKey, AnyRow, Snapshot, Stamp};

/// A page ends when it has grown to this; the reader asks for the next.
const PAGE_OCTETS: usize = 4 << 20;
/// What is asked for at once may not be larger.
const ANSWER_OCTETS_MAX: usize = 256 << 20;
/// Reads that look at more rows than this leave the thread that serves.
const EFFORT_MAX: usize = 2_000;

/// Answers `request` from `view`; the header is the caller's.
pub(crate) async fn range(
    view: Arc<View>,
    leases: Arc<Leases>,
    request: RangeRequest,
) -> Result<RangeResponse, Status> {
    let span = Span::new(request.key.clone(), request.range_end.clone())?;
    if view.effort(&span) <= EFFORT_MAX {
        return answer(&view, &leases, &span, &request);
    }
    tokio::task::spawn_blocking(move || answer(&view, &leases, &span, &request))
        .await
        .map_err(|error| Status::internal(error.to_string()))?
}

/// As [`range`], at once.
pub(crate) fn answer(
    view: &View,
    leases: &Leases,
    span: &Span,
    request: &RangeRequest,
) -> Result<RangeResponse, Status> {
    let reader = Reader { snapshot: &view.snapshot, leases, keys_only: request.keys_only };
    let limit = usize::try_from(request.limit).ok().filter(|limit| *limit > 0);
    if let (Some(limit), Span::Between { .. }, true) = (limit, span, is_plain(request)) {
        let (page, count) = view.page(span, if request.count_only { 0 } else { limit });
        return reader.respond(&page, count, Some(PAGE_OCTETS), request.count_only);
    }
    let paths = view.paths(span);
    let count = paths.len();
    if request.count_only {
        return reader.respond(&[], count, None, true);
    }
    let mut paths: Vec<&str> = paths.iter().map(AsRef::as_ref).collect();
    if !is_plain(request) {
        paths = reader.arrange(&paths, request)?;
    }
    // What a condition on revisions leaves out is counted, but is not "more".
    let found = paths.len();
    paths.truncate(limit.unwrap_or(usize::MAX));
    let mut response = reader.respond(&paths, count, None, false)?;
    response.more = found > response.kvs.len();
    Ok(response)
}

/// Whether the order is that of the keys and nothing is left out.
fn is_plain(request: &RangeRequest) -> bool {
    request.sort_target() == SortTarget::Key
        && request.sort_order() != SortOrder::Descend
        && request.min_mod_revision == 0
        && request.max_mod_revision == 0
        && request.min_create_revision == 0
        && request.max_create_revision == 0
}

struct Reader<'a> {
    snapshot: &'a Snapshot,
    leases: &'a Leases,
    keys_only: bool,
}

impl Reader<'_> {
    fn respond(
        &self,
        paths: &[&str],
        count: usize,
        page_octets: Option<usize>,
        count_only: bool,
    ) -> Result<RangeResponse, Status> {
        let mut kvs = Vec::with_capacity(paths.len());
        let mut octets = 0;
        for path in paths {
            if page_octets.is_some_and(|most| octets >= most) {
                break;
            }
            if octets > ANSWER_OCTETS_MAX {
                return Err(Status::resource_exhausted("too much at once; read it with a limit"));
            }
            let Some(kv) = self.key_value(path)? else { continue };
            octets += kv.encoded_len();
            kvs.push(kv);
        }
        let more = !count_only && count > kvs.len();
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        Ok(RangeResponse { header: None, kvs, more, count })
    }

    fn key_value(&self, path: &str) -> Result<Option<KeyValue>, Status> {
        let Some(key) = AnyKey::from_path(path) else { return Ok(None) };
        let Some((row, stamp)) = self.snapshot.tables.find(&key) else { return Ok(None) };
        let mut kv = key_value(path, (!self.keys_only).then_some(&row), stamp)?;
        kv.lease = self.leases.of(&key, stamp.modified).unwrap_or(0);
        Ok(Some(kv))
    }

    /// Leaves out what the conditions on revisions exclude, and sorts as asked.
    fn arrange<'p>(
        &self,
        paths: &[&'p str],
        request: &RangeRequest,
    ) -> Result<Vec<&'p str>, Status> {
        let mut found = Vec::new();
        for path in paths {
            let Some((row, stamp)) =
                AnyKey::from_path(path).and_then(|key| self.snapshot.tables.find(&key))
            else {
                continue;
            };
            if is_asked_for(request, stamp) {
                let value = match request.sort_target() {
                    SortTarget::Value => encode(&row)?,
                    _ => Vec::new(),
                };
                found.push((*path, stamp, value));
            }
        }
        match request.sort_target() {
            SortTarget::Key => {}
            SortTarget::Version => found.sort_by_key(|(_, stamp, _)| stamp.version),
            SortTarget::Create => found.sort_by_key(|(_, stamp, _)| stamp.created),
            SortTarget::Mod => found.sort_by_key(|(_, stamp, _)| stamp.modified),
            SortTarget::Value => found.sort_by(|(_, _, a), (_, _, b)| a.cmp(b)),
        }
        if request.sort_order() == SortOrder::Descend {
            found.reverse();
        }
        Ok(found.into_iter().map(|(path, ..)| path).collect())
    }
}

fn is_asked_for(request: &RangeRequest, stamp: Stamp) -> bool {
    let within = |revision: i64, least: i64, most: i64| {
        (least <= 0 || revision >= least) && (most <= 0 || revision <= most)
    };
    within(signed(stamp.modified), request.min_mod_revision, request.max_mod_revision)
        && within(signed(stamp.created), request.min_create_revision, request.max_create_revision)
}

/// A row as the protocol has it, without its lease.
pub(crate) fn key_value(
    path: &str,
    row: Option<&AnyRow>,
    stamp: Stamp,
) -> Result<KeyValue, Status> {
    Ok(KeyValue {
        key: path.as_bytes().to_vec(),
        create_revision: signed(stamp.created),
        mod_revision: signed(stamp.modified),
        version: i64::try_from(stamp.version).unwrap_or(i64::MAX),
        value: row.map(encode).transpose()?.unwrap_or_default(),
        lease: 0,
    })
}

pub(crate) fn encode(row: &AnyRow) -> Result<Vec<u8>, Status> {
    row.encode().map_err(|error| Status::internal(format!("{}: {error}", row.key().path())))
}
