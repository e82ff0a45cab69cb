//! `mip4ctl regional validate`

use store::regional::{self, Configuration, Problem};

use super::regional::{
    CHECKED_TABLES, CandidateName, invalid, is_candidate, is_grave, no_candidate, subject_words,
};
use crate::cell::{Cell, Column};
use crate::failure::{Failure, Stop};
use crate::output::Listing;
use crate::session::Session;
use crate::view::View;

/// Check a candidate, also against the daemons that run; without one, check what is in force
///
/// Warnings are shown and let it pass; anything else is a failure with status 5.
#[derive(clap::Args, Debug)]
pub(crate) struct RegionalValidate {
    /// Check what is in force, although there is a candidate
    #[arg(long, conflicts_with = "candidate")]
    running: bool,
    #[command(flatten)]
    candidate: CandidateName,
}

impl RegionalValidate {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        let view = session.read(CHECKED_TABLES)?;
        let name = self.candidate.get(&view);
        let is_there = is_candidate(&view, &name);
        if !is_there && self.candidate.is_given() {
            return Err(no_candidate(&name).into());
        }
        let (configuration, what) = if is_there && !self.running {
            let wanted = Configuration::of_candidate(&name, &view.snapshot);
            (wanted, format!("candidate `{name}`"))
        } else {
            (Configuration::running(&view.snapshot), "the running configuration".to_owned())
        };
        let problems = regional::problems(&configuration, &view.snapshot, view.now);
        let grave = problems.iter().filter(|problem| is_grave(problem.severity)).count();
        let failure = (grave > 0).then(|| invalid(grave));
        print(session, &view, &problems, failure.as_ref())?;
        match failure {
            Some(failure) => Err(failure.into()),
            None if problems.is_empty() => session.note(&format!("{what} is valid")),
            None => session.note(&format!("{what} is valid, with warnings")),
        }
    }
}

/// Lists problems.
pub(super) fn print(
    session: &mut Session,
    view: &View,
    problems: &[Problem],
    failure: Option<&Failure>,
) -> Result<(), Stop> {
    if problems.is_empty() && session.is_for_people() {
        return Ok(());
    }
    session.print(&Listing { failure, ..Listing::new(view.revision(), COLUMNS, problems) })
}

pub(crate) const COLUMNS: &[Column<Problem>] = &[
    Column::text("severity", "SEVERITY", |row| Cell::text(row.severity.as_str())),
    Column::text("agent", "AGENT", |row| Cell::text(subject_words(row.subject))),
    Column::text("problem", "PROBLEM", |row| Cell::text(&row.what)),
];
