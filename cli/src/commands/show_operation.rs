//! `mip4ctl show operation`

use std::net::Ipv4Addr;
use std::sync::Arc;

use store::{Operation, OperationId, OperationTarget, Table, TargetKey, TargetResult, TargetState};

use super::operate::unknown;
use super::show_operations;
use crate::cell::{Cell, Column};
use crate::failure::Stop;
use crate::output::{Listing, Sort};
use crate::session::Session;

/// Show what became of each target of an operation
#[derive(clap::Args, Debug)]
pub(crate) struct ShowOperation {
    /// The number of the operation
    id: OperationId,
    /// Only targets that failed, or have no result
    #[arg(long)]
    failed: bool,
    #[command(flatten)]
    sort: Sort,
}

impl ShowOperation {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        self.sort.check(COLUMNS)?;
        let view =
            session.read(&[Table::Operations, Table::OperationShares, Table::OperationTargets])?;
        let Some(operation) = view.rows::<Operation>().get(&self.id).cloned() else {
            return Err(unknown(self.id).into());
        };
        let mut rows: Vec<_> = OperationTarget::of(self.id, &view.snapshot).cloned().collect();
        if self.failed {
            rows.retain(|row| !matches!(row.state, TargetState::Ended(end) if end.is_success()));
        }
        self.sort.apply(COLUMNS, &mut rows)?;
        let progress = show_operations::rows(&view, Some(self.id));
        let progress = progress.first().map(|row| row.progress.clone()).unwrap_or_default();
        let preface = preface(&operation, &progress);
        let about = serde_json::to_value(&*operation).unwrap_or_default();
        session.print(&Listing {
            preface: &preface,
            about: Some(("operation", about)),
            ..Listing::new(view.revision(), COLUMNS, &rows)
        })
    }
}

fn preface(operation: &Operation, progress: &store::Progress) -> Vec<String> {
    let mut lines = vec![format!(
        "operation {}: {}, {}, {} of {} targets ended",
        operation.id,
        operation.action.word(),
        operation.state.word(),
        progress.ended(),
        progress.targets
    )];
    let results: Vec<_> =
        progress.results.iter().map(|(word, count)| format!("{count} {word}")).collect();
    if !results.is_empty() {
        lines.push(results.join(", "));
    }
    let by = if operation.who.is_empty() { "somebody" } else { &operation.who };
    let reason = operation.reason.as_ref().map(|reason| format!(": {reason}"));
    lines.push(format!("asked for by {by}{}", reason.unwrap_or_default()));
    lines.extend(operation.error.iter().map(|error| format!("failed: {error}")));
    lines
}

fn home_address(row: &OperationTarget) -> Ipv4Addr {
    match &row.target {
        TargetKey::Binding(key) => key.home_address,
        TargetKey::Visitor(key) => key.home_address,
        // A mobile node is an owner under its home address.
        TargetKey::Registration(_) => row.owner.address,
    }
}

fn nai(row: &OperationTarget) -> Option<String> {
    let identity = match &row.target {
        TargetKey::Binding(key) => return key.nai.as_ref().map(ToString::to_string),
        TargetKey::Visitor(key) => &key.identity,
        TargetKey::Registration(key) => &key.identity,
    };
    identity.nai().map(ToString::to_string)
}

fn care_of_address(row: &OperationTarget) -> Option<Ipv4Addr> {
    match &row.target {
        TargetKey::Binding(key) => Some(key.care_of_address),
        TargetKey::Visitor(_) => None,
        TargetKey::Registration(key) => Some(key.care_of_address),
    }
}

/// `pending`, `sent`, or the result.
fn result(row: &OperationTarget) -> &'static str {
    match row.state {
        TargetState::Pending => "pending",
        TargetState::Sent => "sent",
        TargetState::Ended(result) => result.word(),
    }
}

fn code(row: &OperationTarget) -> Option<u64> {
    match row.state {
        TargetState::Ended(TargetResult::Denied(code)) => Some(code.0.into()),
        _ => None,
    }
}

pub(crate) const COLUMNS: &[Column<Arc<OperationTarget>>] = &[
    Column::text("home_address", "HOME ADDRESS", |row| Cell::Address(home_address(row))),
    Column::text("nai", "NAI", |row| Cell::of(nai(row), Cell::text)),
    Column::text("care_of_address", "CARE-OF ADDRESS", |row| {
        Cell::of(care_of_address(row), Cell::Address)
    }),
    Column::text("agent", "AGENT", |row| Cell::Address(row.owner.address)),
    Column::text("result", "RESULT", |row| Cell::text(result(row))),
    Column::number("code", "CODE", |row| Cell::of(code(row), Cell::Number)),
    Column::number("messages", "MESSAGES", |row| Cell::Number(row.messages.into())),
    Column::text("ended_at", "ENDED", |row| Cell::of(row.ended_at, Cell::Instant)),
    Column::detail("begun_at", |row| Cell::of(row.begun_at, Cell::Instant)),
    Column::detail("instance", |row| Cell::text(&row.owner.instance)),
];
