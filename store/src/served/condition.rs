//! The conditions of a transaction.

use std::cmp::Ordering;

use tonic::Status;

use super::generated::etcdserverpb::Compare;
use super::generated::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use super::range::encode;
use super::status::signed;
use crate::{AnyRow, Revision, Stamp};

/// Whether `compare` holds for what was `found`; `lease` tells of its last write.
///
/// What is not there has version and revisions 0 and no value: a condition on
/// its value never holds.
pub(crate) fn holds(
    compare: &Compare,
    found: Option<&(AnyRow, Stamp)>,
    lease: impl Fn(Revision) -> Option<i64>,
) -> Result<bool, Status> {
    let stamp = found.map(|(_, stamp)| *stamp).unwrap_or_default();
    let ordering = match (compare.target(), &compare.target_union) {
        (CompareTarget::Version, Some(TargetUnion::Version(version))) => {
            i64::try_from(stamp.version).unwrap_or(i64::MAX).cmp(version)
        }
        (CompareTarget::Create, Some(TargetUnion::CreateRevision(revision))) => {
            signed(stamp.created).cmp(revision)
        }
        (CompareTarget::Mod, Some(TargetUnion::ModRevision(revision))) => {
            signed(stamp.modified).cmp(revision)
        }
        (CompareTarget::Lease, Some(TargetUnion::Lease(id))) => {
            let attached = found.and_then(|_| lease(stamp.modified));
            attached.unwrap_or(0).cmp(id)
        }
        (CompareTarget::Value, Some(TargetUnion::Value(value))) => match found {
            Some((row, _)) => encode(row)?.cmp(value),
            None => return Ok(false),
        },
        // A target without its number is compared with zero, and nothing equals no value.
        (CompareTarget::Value, _) => return Ok(false),
        (CompareTarget::Version, _) => stamp.version.cmp(&0),
        (CompareTarget::Create, _) => stamp.created.0.cmp(&0),
        (CompareTarget::Mod, _) => stamp.modified.0.cmp(&0),
        (CompareTarget::Lease, _) => found.and_then(|_| lease(stamp.modified)).unwrap_or(0).cmp(&0),
    };
    Ok(match compare.result() {
        CompareResult::Equal => ordering == Ordering::Equal,
        CompareResult::Greater => ordering == Ordering::Greater,
        CompareResult::Less => ordering == Ordering::Less,
        CompareResult::NotEqual => ordering != Ordering::Equal,
    })
}
