//! `mip4ctl regional history`

use std::sync::Arc;

use store::regional::Difference;
use store::{RegionalChange, RegionalCommit, RegionalCommitId};

use super::regional::{TABLES, commit_of, commit_words};
use super::regional_diff::{COLUMNS as DIFFERENCES, FieldRow};
use crate::cell::{Cell, Column};
use crate::failure::{ExitStatus, Failure, Stop};
use crate::output::{Listing, Sort};
use crate::session::Session;

/// Show who changed the configuration of regions when, and why; with a number, what
#[derive(clap::Args, Debug)]
pub(crate) struct RegionalHistory {
    /// The number of a commit
    id: Option<RegionalCommitId>,
    #[command(flatten)]
    sort: Sort,
}

impl RegionalHistory {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        self.sort.check(COLUMNS)?;
        let view = session.read(TABLES)?;
        let Some(id) = self.id else {
            let commits = view.rows::<RegionalCommit>().iter().rev();
            let mut rows: Vec<_> = commits.cloned().collect();
            self.sort.apply(COLUMNS, &mut rows)?;
            return session.print(&Listing::new(view.revision(), COLUMNS, &rows));
        };
        let Some(commit) = commit_of(&view, id) else {
            let failure =
                Failure::new(ExitStatus::NothingMatched, format!("history has no commit {id}"));
            return Err(failure.hint("`regional history` shows what it has").into());
        };
        let changes = RegionalChange::of(id, &view.snapshot);
        let differences: Vec<_> = changes.map(|change| Difference::from(&**change)).collect();
        let rows = FieldRow::of(&differences, Some(commit));
        let preface = [commit_words(commit), format!("{}, {}", commit.cause, state(commit))];
        session.print(&Listing {
            preface: &preface,
            about: serde_json::to_value(&**commit).ok().map(|about| ("commit", about)),
            ..Listing::new(view.revision(), DIFFERENCES, &rows)
        })
    }
}

/// `confirmed`, `rolled back by mip4d`.
fn state(commit: &RegionalCommit) -> String {
    let by = commit.ended_by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    format!("{}{by}", commit.state.as_str())
}

pub(crate) const COLUMNS: &[Column<Arc<RegionalCommit>>] = &[
    Column::number("id", "ID", |row| Cell::Number(row.id.0.into())),
    Column::text("cause", "CAUSE", |row| Cell::text(row.cause)),
    Column::text("state", "STATE", |row| Cell::text(row.state.as_str())),
    Column::number("changes", "AGENTS", |row| Cell::Number(row.changes.into())),
    Column::text("who", "WHO", |row| Cell::text(&row.who)),
    Column::text("at", "AT", |row| Cell::Instant(row.at)),
    Column::text("reason", "REASON", |row| Cell::of(row.reason.as_ref(), Cell::text)),
    Column::detail("deadline", |row| Cell::of(row.deadline(), Cell::Instant)),
    Column::detail("confirm_within", |row| {
        Cell::of(row.confirm_within, |seconds| Cell::Number(seconds.into()))
    }),
    Column::detail("ended_by", |row| Cell::of(row.ended_by.as_ref(), Cell::text)),
];
