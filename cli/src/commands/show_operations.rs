//! `mip4ctl show operations`

use std::sync::Arc;

use store::{Operation, OperationId, OperationWish, Progress};

use super::operate::FOLLOWED;
use crate::cell::{Cell, Column};
use crate::failure::Stop;
use crate::output::{Listing, Sort};
use crate::session::Session;
use crate::view::View;

/// Show what operators had done, oldest first
#[derive(clap::Args, Debug)]
pub(crate) struct ShowOperations {
    /// Only those that have not ended
    #[arg(long)]
    open: bool,
    #[command(flatten)]
    sort: Sort,
}

impl ShowOperations {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        self.sort.check(COLUMNS)?;
        let view = session.read(FOLLOWED)?;
        let mut rows = rows(&view, None);
        if self.open {
            rows.retain(|row| !row.operation.state.is_final());
        }
        self.sort.apply(COLUMNS, &mut rows)?;
        session.print(&Listing::new(view.revision(), COLUMNS, &rows))
    }
}

/// An operation, and how far it is.
#[derive(Clone, Debug)]
pub(crate) struct OperationRow {
    pub(crate) operation: Arc<Operation>,
    pub(crate) progress: Progress,
}

/// All operations, or the one with that number.
pub(crate) fn rows(view: &View, id: Option<OperationId>) -> Vec<OperationRow> {
    let operations = view.rows::<Operation>().iter();
    operations
        .filter(|operation| id.is_none_or(|id| operation.id == id))
        .map(|operation| OperationRow {
            progress: Progress::of(operation.id, &view.snapshot),
            operation: Arc::clone(operation),
        })
        .collect()
}

const fn wish_word(wish: OperationWish) -> &'static str {
    match wish {
        OperationWish::Run => "run",
        OperationWish::Pause => "pause",
        OperationWish::Cancel => "cancel",
    }
}

pub(crate) const COLUMNS: &[Column<OperationRow>] = &[
    Column::number("id", "ID", |row| Cell::Number(row.operation.id.0.into())),
    Column::text("action", "ACTION", |row| Cell::text(row.operation.action.word())),
    Column::text("state", "STATE", |row| Cell::text(row.operation.state.word())),
    Column::number("targets", "TARGETS", |row| Cell::Number(row.progress.targets)),
    Column::number("ended", "ENDED", |row| Cell::Number(row.progress.ended())),
    Column::number("failed", "FAILED", |row| Cell::Number(row.progress.failed())),
    Column::text("who", "WHO", |row| Cell::text(&row.operation.who)),
    Column::text("created_at", "CREATED", |row| Cell::Instant(row.operation.created_at)),
    Column::text("reason", "REASON", |row| Cell::of(row.operation.reason.as_ref(), Cell::text)),
    Column::detail("wish", |row| Cell::text(wish_word(row.operation.wish))),
    Column::detail("results", |row| {
        let results = row.progress.results.iter();
        Cell::Map(results.map(|(word, count)| (word.clone(), Cell::Number(*count))).collect())
    }),
    Column::detail("maximum", |row| Cell::Number(row.operation.maximum.into())),
    Column::detail("rate", |row| Cell::of(row.operation.rate, |rate| Cell::Number(rate.into()))),
    Column::detail("deadline", |row| Cell::of(row.operation.deadline, Cell::Instant)),
    Column::detail("counted_at", |row| Cell::Number(row.operation.counted_at.0)),
    Column::detail("finished_at", |row| Cell::of(row.operation.finished_at, Cell::Instant)),
    Column::detail("error", |row| Cell::of(row.operation.error.as_ref(), Cell::text)),
    Column::detail("owners", |row| {
        Cell::list(row.operation.owners.iter().map(|owner| owner.address))
    }),
];
