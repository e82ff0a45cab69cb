//! `mip4ctl regional diff`

use std::sync::Arc;

use store::regional::{Configuration, Difference, FieldDifference};
use store::{RegionalCommit, RegionalCommitId, RegionalSubject};

use super::regional::{CandidateName, TABLES, subject_words, tell_of_others};
use crate::cell::{Cell, Column};
use crate::failure::{Failure, Stop};
use crate::output::Listing;
use crate::session::Session;
use crate::view::View;

/// Show what a candidate would change
///
/// With one number: what has changed since that commit. With two: from one commit to the other.
#[derive(clap::Args, Debug)]
pub(crate) struct RegionalDiff {
    /// The number of a commit; `0` is before the first one
    from: Option<RegionalCommitId>,
    /// The number of another one
    to: Option<RegionalCommitId>,
    #[command(flatten)]
    candidate: CandidateName,
}

impl RegionalDiff {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        let view = session.read(TABLES)?;
        let running = || Configuration::running(&view.snapshot);
        let (before, after) = match (self.from, self.to) {
            (None, _) => {
                let name = self.candidate.get(&view);
                (running(), Configuration::of_candidate(&name, &view.snapshot))
            }
            (Some(from), None) => (at(&view, from)?, running()),
            (Some(from), Some(to)) => (at(&view, from)?, at(&view, to)?),
        };
        let rows = FieldRow::of(&before.differences(&after), None);
        if !(rows.is_empty() && session.is_for_people()) {
            session.print(&Listing::new(view.revision(), COLUMNS, &rows))?;
        }
        if rows.is_empty() {
            session.note("nothing differs")?;
        }
        if self.from.is_none() {
            let name = self.candidate.get(&view);
            tell_of_others(session, &name, &view)?;
        }
        Ok(())
    }
}

fn at(view: &View, id: RegionalCommitId) -> Result<Configuration, Failure> {
    Configuration::after(id, &view.snapshot).ok_or_else(|| {
        Failure::new(
            crate::failure::ExitStatus::NothingMatched,
            format!("history has no commit {id}"),
        )
        .hint("`regional history` shows what it has")
    })
}

/// What differs in one field of an agent.
#[derive(Clone, Debug)]
pub(crate) struct FieldRow {
    subject: RegionalSubject,
    word: &'static str,
    field: FieldDifference,
    /// Who made the difference, where it was made.
    commit: Option<Arc<RegionalCommit>>,
}

impl FieldRow {
    pub(super) fn of(
        differences: &[Difference],
        commit: Option<&Arc<RegionalCommit>>,
    ) -> Vec<Self> {
        let rows = differences.iter().flat_map(|difference| {
            let (subject, word) = (difference.subject, difference.word());
            let commit = commit.cloned();
            let fields = difference.fields().into_iter();
            fields.map(move |field| Self { subject, word, field, commit: commit.clone() })
        });
        rows.collect()
    }
}

pub(crate) const COLUMNS: &[Column<FieldRow>] = &[
    Column::text("agent", "AGENT", |row| Cell::text(subject_words(row.subject))),
    Column::text("change", "CHANGE", |row| Cell::text(row.word)),
    Column::text("field", "FIELD", |row| Cell::text(row.field.field)),
    Column::text("before", "BEFORE", |row| Cell::of(row.field.before.as_ref(), Cell::text)),
    Column::text("after", "AFTER", |row| Cell::of(row.field.after.as_ref(), Cell::text)),
    Column::detail("commit", |row| {
        Cell::of(row.commit.as_ref(), |commit| Cell::Number(commit.id.0.into()))
    }),
    Column::detail("who", |row| Cell::of(row.commit.as_ref(), |commit| Cell::text(&commit.who))),
];
