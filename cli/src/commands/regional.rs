//! What the `regional` commands share: candidates, who edits them, and refusals.

use std::sync::Arc;

use store::regional::{self, Configuration, Difference, Refusal, Severity};
use store::{
    Batch, Candidate, CandidateEdit, Changed, RegionalCommit, RegionalCommitId, RegionalSubject,
    Revision, Row as _, Table, Unknown,
};

use super::regional_diff::{COLUMNS as DIFFERENCES, FieldRow};
use super::regional_validate;
use crate::failure::{Failure, Stop};
use crate::output::Listing;
use crate::session::Session;
use crate::source::SourceError;
use crate::view::View;

/// How often something is tried while others change the same.
pub(super) const TRIES: usize = 16;

/// How long after their last edit editors are told of.
const EDITORS_FOR: std::time::Duration = std::time::Duration::from_secs(3600);

/// What configuration is read from.
pub(super) const TABLES: &[Table] = &[
    Table::Regional,
    Table::Candidates,
    Table::CandidateEdits,
    Table::RegionalCommits,
    Table::RegionalChanges,
    Table::Instances,
];

/// What it is checked against, too.
pub(super) const CHECKED_TABLES: &[Table] = &[
    Table::Regional,
    Table::Candidates,
    Table::CandidateEdits,
    Table::RegionalCommits,
    Table::RegionalChanges,
    Table::Instances,
    Table::Associations,
    Table::Advertisements,
    Table::Visitors,
];

/// Which candidate a command is about.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct CandidateName {
    /// The candidate; by default the one that is called like you
    #[arg(long, value_name = "NAME")]
    candidate: Option<String>,
}

impl CandidateName {
    pub(super) fn get(&self, view: &View) -> String {
        self.candidate.clone().unwrap_or_else(|| by(view).by)
    }

    /// Whether it was given by name.
    pub(super) fn is_given(&self) -> bool {
        self.candidate.is_some()
    }
}

/// Who changes something at this moment. A served store overwrites it.
pub(super) fn by(view: &View) -> Changed {
    Changed::by_own_user(view.now)
}

/// Who edits: the user, and in a shell or a script its process.
pub(super) fn editor(session: &Session, view: &View) -> String {
    let user = by(view).by;
    if session.many { format!("{user} (process {})", std::process::id()) } else { user }
}

/// The only reader of this store's whole regional configuration that changes its candidate.
///
/// Reads, lets `change` have it, writes; and again if somebody else wrote meanwhile.
pub(super) fn edit(
    session: &mut Session,
    candidate: &CandidateName,
    change: impl Fn(&mut Configuration) -> Result<(), Failure>,
) -> Result<(), Stop> {
    let done = again(session, |session, view| {
        let name = candidate.get(view);
        let mut wanted = Configuration::of_candidate(&name, &view.snapshot);
        change(&mut wanted)?;
        check(&wanted, view)?;
        let editor = editor(session, view);
        Ok(regional::edit(&name, &wanted, &view.snapshot, (&editor, &by(view))))
    })?;
    report(session, candidate, done)
}

/// Commits what `plan` makes of a fresh view, until nobody else was faster.
pub(super) fn again(
    session: &mut Session,
    plan: impl Fn(&Session, &View) -> Result<Batch, Failure>,
) -> Result<Revision, Stop> {
    for _ in 0..TRIES {
        let view = session.read(TABLES)?;
        let batch = plan(session, &view)?;
        match session.source()?.commit(batch) {
            Ok(revision) => return Ok(revision),
            Err(SourceError::Changed(_)) => {}
            Err(err) => return Err(err.into()),
        }
    }
    let message = "others change the same all the time";
    Err(Failure::refused(message).hint("repeat the command").into())
}

/// Refuses values that can never be right, each by itself.
fn check(wanted: &Configuration, view: &View) -> Result<(), Failure> {
    for difference in Configuration::running(&view.snapshot).differences(wanted) {
        let Difference { subject, after, .. } = difference;
        let candidate = String::new();
        let edit = CandidateEdit { candidate, subject, value: after, unknown: Unknown::default() };
        edit.check().map_err(|why| {
            Failure::refused(format!("{subject}: {}", why.replace('_', "-")))
                .hint("nothing was changed")
        })?;
    }
    Ok(())
}

/// Says how a candidate stands after an edit, and who else is at it.
fn report(
    session: &mut Session,
    candidate: &CandidateName,
    revision: Revision,
) -> Result<(), Stop> {
    let view = session.read(TABLES)?;
    let name = candidate.get(&view);
    let edits = CandidateEdit::of(&name, &view.snapshot).count();
    let words = match edits {
        0 => format!("candidate `{name}` changes nothing"),
        edits => format!("candidate `{name}` changes {}; see `regional diff`", agents(edits)),
    };
    session.report_done(revision, &words)?;
    tell_of_others(session, &name, &view)
}

/// Tells of other candidates, of other editors of this one, and of commits that came in between.
pub(super) fn tell_of_others(session: &mut Session, name: &str, view: &View) -> Result<(), Stop> {
    let own = editor(session, view);
    let candidate = view.rows::<Candidate>().get(&name.to_owned());
    if let Some(candidate) = candidate {
        for (editor, at) in candidate.editors.iter().filter(|(editor, _)| **editor != own) {
            let age = view.now.since(*at);
            if age < EDITORS_FOR {
                let words = format!("{editor} edits this candidate too, {} ago", span(age));
                session.note(&format!("note: {words}"))?;
            }
        }
        let last = RegionalCommit::last_id(&view.snapshot);
        if last.0 != candidate.base {
            session.note(&format!(
                "note: commit {last} came after this candidate was begun; `regional history` shows it, \
                 `regional rebase` takes it in"
            ))?;
        }
    }
    for (other, edits) in regional::others(name, &view.snapshot) {
        let at = other.changed.as_ref().map_or(other.begun_at, |changed| changed.at);
        let age = span(view.now.since(at));
        session.note(&format!(
            "note: candidate `{}` changes {} too, last edited {age} ago",
            other.name,
            agents(edits)
        ))?;
    }
    Ok(())
}

/// `1 agent`, `2 agents`.
pub(super) fn agents(count: usize) -> String {
    if count == 1 { "1 agent".to_owned() } else { format!("{count} agents") }
}

fn span(age: std::time::Duration) -> String {
    match age.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

/// One line about a commit.
pub(super) fn commit_words(commit: &RegionalCommit) -> String {
    let reason = commit.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("commit {} by {} at {}{reason}", commit.id, commit.who, commit.at.rfc3339())
}

/// Says why a commit is refused; with the rows that tell more, where there are some.
pub(super) fn refuse(
    session: &mut Session,
    view: &View,
    refusal: &Refusal,
) -> Result<std::convert::Infallible, Stop> {
    let failure = match refusal {
        Refusal::Nothing => Failure::refused("there is nothing to commit")
            .hint("`regional diff` shows what differs"),
        Refusal::NoneUnconfirmed => Failure::refused("no commit waits to be confirmed"),
        Refusal::Unconfirmed(commit) => {
            let message = format!("{} waits to be confirmed", commit_words(commit));
            Failure::refused(message)
                .hint("`regional confirm` keeps it, `regional rollback` takes it back")
        }
        Refusal::Unknown(id) => {
            Failure::refused(format!("history does not reach back to commit {id}"))
                .hint("`regional history` shows how far it does")
        }
        Refusal::Invalid(invalid) => {
            Failure::refused(invalid.to_string()).hint("nothing was changed")
        }
        Refusal::Problems(problems) => {
            let failure = invalid(problems.len());
            regional_validate::print(session, view, problems, Some(&failure))?;
            failure
        }
        Refusal::Moved(commits) => return moved(session, view, commits),
    };
    Err(failure.into())
}

/// What a candidate that does not validate is refused with.
pub(super) fn invalid(count: usize) -> Failure {
    let problems = if count == 1 { "1 problem" } else { &format!("{count} problems") };
    Failure::refused(format!("the configuration has {problems}")).hint("nothing was changed")
}

/// Others were faster: shows what they changed.
fn moved(
    session: &mut Session,
    view: &View,
    commits: &[(Arc<RegionalCommit>, Vec<Difference>)],
) -> Result<std::convert::Infallible, Stop> {
    let mut rows = Vec::new();
    for (commit, differences) in commits {
        rows.extend(FieldRow::of(differences, Some(commit)));
    }
    let who: Vec<String> = commits.iter().map(|(commit, _)| commit_words(commit)).collect();
    let message = match who.as_slice() {
        [] => "the configuration changed since the candidate was begun".to_owned(),
        who => {
            format!("the configuration changed since the candidate was begun: {}", who.join("; "))
        }
    };
    let failure = Failure::refused(message).hint(
        "`regional diff` shows what your candidate would do at this moment; `regional rebase` takes \
         the changes in, then commit again",
    );
    session.print(&Listing {
        failure: Some(&failure),
        ..Listing::new(view.revision(), DIFFERENCES, &rows)
    })?;
    Err(failure.into())
}

/// The commit with that number, or none.
pub(super) fn commit_of(view: &View, id: RegionalCommitId) -> Option<&Arc<RegionalCommit>> {
    view.rows::<RegionalCommit>().get(&id)
}

/// Whether a problem keeps a commit from being made.
pub(super) fn is_grave(severity: Severity) -> bool {
    severity > Severity::Warning
}

/// How a subject is named in output.
pub(super) fn subject_words(subject: RegionalSubject) -> String {
    subject.to_string()
}

/// The name of a candidate's row, for messages.
pub(super) fn no_candidate(name: &str) -> Failure {
    let message = format!("there is no candidate `{name}`");
    Failure::new(crate::failure::ExitStatus::NothingMatched, message)
        .hint("`regional set` begins one")
}

/// Whether the candidate is there.
pub(super) fn is_candidate(view: &View, name: &str) -> bool {
    let rows = view.rows::<Candidate>();
    rows.get(&name.to_owned()).is_some_and(|row| row.key() == name)
}
