//! `mip4ctl regional commit|confirm|rollback`

use std::time::Duration;

use store::regional::{self, Commit, Refusal, Wish};
use store::{Application, CommitCause, RegionalCommit as CommitRow, RegionalCommitId};

use super::regional::{
    CHECKED_TABLES, CandidateName, TABLES, TRIES, agents, by, commit_of, invalid, is_grave, refuse,
};
use super::regional_diff::{COLUMNS, FieldRow};
use super::regional_validate;
use crate::failure::{Failure, Stop};
use crate::output::Listing;
use crate::session::Session;
use crate::source::SourceError;
use crate::timeout;
use crate::view::View;

/// How long a commit waits to be confirmed, unless it is said.
const CONFIRM_WITHIN: Duration = Duration::from_secs(600);

/// Put a candidate in force, all of it or nothing
///
/// With `confirmed 10m` it is rolled back by itself after that time unless `regional confirm` keeps
/// it, whatever becomes of this shell and of the daemons meanwhile.
#[derive(clap::Args, Debug)]
pub(crate) struct RegionalCommit {
    /// `confirmed`: roll it back unless it is confirmed in time
    #[arg(value_name = "confirmed", value_parser = ["confirmed"])]
    confirmed: Option<String>,
    /// Within which time; 10m by default
    #[arg(value_name = "TIME", value_parser = timeout::parse, requires = "confirmed")]
    within: Option<Duration>,
    /// Why, for those who look at it later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Commit although the daemons that run do not fit it, for instance because they start later
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    candidate: CandidateName,
}

impl RegionalCommit {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        let within = self.confirmed.as_ref().map(|_| self.within.unwrap_or(CONFIRM_WITHIN));
        let within = within.map(seconds).transpose()?;
        reason_fits(self.reason.as_deref())?;
        make(session, CHECKED_TABLES, |session, view| {
            let name = self.candidate.get(view);
            let wish = Wish { by: by(view), reason: self.reason.clone(), confirm_within: within };
            let commit = match regional::commit(&name, &view.snapshot, &wish) {
                Ok(commit) => commit,
                Err(refusal) => match refuse(session, view, &refusal)? {},
            };
            let wanted = regional::Configuration::of_candidate(&name, &view.snapshot);
            self.check(session, view, &wanted)?;
            Ok(commit)
        })
    }

    /// Refuses what does not fit what runs, unless that is wanted; warnings are told.
    fn check(
        &self,
        session: &mut Session,
        view: &View,
        wanted: &regional::Configuration,
    ) -> Result<(), Stop> {
        let problems = regional::problems(wanted, &view.snapshot, view.now);
        let grave = problems.iter().filter(|problem| is_grave(problem.severity)).count();
        if grave > 0 && !self.force {
            let failure =
                invalid(grave).hint("`--force` commits it although the daemons do not fit it");
            regional_validate::print(session, view, &problems, Some(&failure))?;
            return Err(failure.into());
        }
        for problem in problems {
            session.warn(&format!("{}: {}", problem.subject, problem.what))?;
        }
        Ok(())
    }
}

fn seconds(within: Duration) -> Result<u32, Failure> {
    match u32::try_from(within.as_secs()) {
        Ok(seconds @ 1..=CommitRow::CONFIRM_WITHIN_MAX) => Ok(seconds),
        _ => Err(Failure::usage("a commit is confirmed within 1 s to 168h")),
    }
}

fn reason_fits(reason: Option<&str>) -> Result<(), Failure> {
    match reason {
        Some(reason) if reason.len() > CommitRow::REASON_MAX => {
            Err(Failure::usage("the reason is longer than 200 octets"))
        }
        _ => Ok(()),
    }
}

/// Keep the last commit, which waits to be confirmed
#[derive(clap::Args, Debug)]
pub(crate) struct RegionalConfirm {}

impl RegionalConfirm {
    #[expect(clippy::unused_self, reason = "every command runs like this")]
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        for _ in 0..TRIES {
            let view = session.read(TABLES)?;
            let (id, batch) = match regional::confirm(&view.snapshot, &by(&view)) {
                Ok(done) => done,
                Err(refusal) => match refuse(session, &view, &refusal)? {},
            };
            match session.source()?.commit(batch) {
                Ok(revision) => {
                    return session.report_done(revision, &format!("commit {id} is confirmed"));
                }
                // It was confirmed or rolled back: the next look tells.
                Err(SourceError::Changed(_)) => {}
                Err(err) => return Err(err.into()),
            }
        }
        Err(Failure::refused("others change the same all the time").into())
    }
}

/// Go back to how it was after a commit, by a commit of its own
///
/// Without a number it takes back the last commit, also if that waits to be confirmed.
#[derive(clap::Args, Debug)]
pub(crate) struct RegionalRollback {
    /// The number of the commit; `0` is before the first one
    to: Option<RegionalCommitId>,
    /// Why, for those who look at it later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl RegionalRollback {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        reason_fits(self.reason.as_deref())?;
        let seen = std::cell::Cell::new(None);
        make(session, CHECKED_TABLES, |session, view| {
            let last = CommitRow::last_id(&view.snapshot);
            if last == RegionalCommitId::default() {
                return Err(Failure::refused("nothing was ever committed").into());
            }
            // What is meant is said once: whoever commits meanwhile is not rolled back unseen.
            let to = self.to.unwrap_or(RegionalCommitId(last.0 - 1));
            if seen.replace(Some(last)).is_some_and(|seen| seen != last) {
                let message = format!("commit {last} came in between");
                let hint = "look at `regional history`, then repeat the command";
                return Err(Failure::refused(message).hint(hint).into());
            }
            let wish = Wish { by: by(view), reason: self.reason.clone(), confirm_within: None };
            let is_last = to.next() == last && regional::waiting(&view.snapshot).is_some();
            let plan = if is_last {
                regional::roll_back(&view.snapshot, CommitCause::RollBack(to), &wish)
            } else {
                regional::roll_back_to(to, &view.snapshot, &wish)
            };
            match plan {
                Ok(commit) => Ok(commit),
                Err(Refusal::Nothing) => {
                    let message = format!("it is as it was after commit {to} already");
                    Err(Failure::refused(message).into())
                }
                Err(refusal) => match refuse(session, view, &refusal)? {},
            }
        })
    }
}

/// Makes the commit that `plan` works out, and shows what it changed.
fn make(
    session: &mut Session,
    tables: &[store::Table],
    plan: impl Fn(&mut Session, &View) -> Result<Commit, Stop>,
) -> Result<(), Stop> {
    for _ in 0..TRIES {
        let view = session.read(tables)?;
        let commit = plan(session, &view)?;
        let Commit { id, differences, prepared } = commit;
        match session.source()?.commit(prepared.batch) {
            Ok(revision) => {
                let rows = FieldRow::of(&differences, None);
                let settled = session.settle(&prepared.concerns, revision);
                let view = session.read(CHECKED_TABLES)?;
                let now = Application::of(&prepared.concerns, revision, &view.snapshot, view.now);
                let row = commit_of(&view, id).cloned();
                let about = row.as_ref().and_then(|row| serde_json::to_value(&**row).ok());
                let about = about.map(|mut commit| {
                    commit["applied"] = now.applied.clone().into();
                    ("commit", commit)
                });
                let listing = Listing::new(revision, COLUMNS, &rows);
                session.print(&Listing { about, ..listing })?;
                session.note(&done(id, differences.len(), row.as_deref(), &now.applied))?;
                return settled.map(drop);
            }
            // Somebody was faster: the next plan says who.
            Err(SourceError::Changed(_)) => {}
            Err(err) => return Err(err.into()),
        }
    }
    Err(Failure::refused("others commit all the time").hint("repeat the command").into())
}

/// What became of a commit: how many agents it changed, and which daemons act on it.
fn done(
    id: RegionalCommitId,
    changes: usize,
    row: Option<&CommitRow>,
    applied: &[String],
) -> String {
    let deadline = row.and_then(CommitRow::deadline).map(|at| {
        let at = at.rfc3339();
        format!("; it is rolled back at {at} unless `regional confirm` keeps it")
    });
    let applied = match applied {
        [] => "no daemon that runs acts on it yet".to_owned(),
        list => format!("in force at `{}`", list.join("`, `")),
    };
    format!("commit {id}: {} changed; {applied}{}", agents(changes), deadline.unwrap_or_default())
}
