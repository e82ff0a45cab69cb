//! `mip4ctl regional delete|rebase|discard`

use std::net::Ipv4Addr;

use clap::ValueEnum;
use store::regional;
use store::{CandidateEdit, RegionalChange, RegionalCommitId, RegionalSubject};

use super::regional::{
    CandidateName, TABLES, again, agents, by, edit, editor, is_candidate, no_candidate,
    subject_words,
};
use crate::failure::{ExitStatus, Failure, Stop};
use crate::session::Session;

/// Take an agent out of its region, in a candidate
#[derive(clap::Args, Debug)]
pub(crate) struct RegionalDelete {
    #[arg(value_enum)]
    kind: Kind,
    /// The address that it serves at
    address: Ipv4Addr,
    #[command(flatten)]
    candidate: CandidateName,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Gateway,
    ForeignAgent,
}

impl RegionalDelete {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        let subject = match self.kind {
            Kind::Gateway => RegionalSubject::Gateway(self.address),
            Kind::ForeignAgent => RegionalSubject::ForeignAgent(self.address),
        };
        edit(session, &self.candidate, |wanted| {
            if wanted.get(subject).is_none() {
                let message = format!("there is no {}", subject_words(subject));
                let failure = Failure::new(ExitStatus::NothingMatched, message);
                return Err(failure.hint("`regional show` lists what there is"));
            }
            wanted.set(subject, None);
            Ok(())
        })
    }
}

/// Base a candidate on what is in force at this moment, with its changes as they are
#[derive(clap::Args, Debug)]
pub(crate) struct RegionalRebase {
    #[command(flatten)]
    candidate: CandidateName,
}

impl RegionalRebase {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        let view = session.read(TABLES)?;
        let name = self.candidate.get(&view);
        let base = view.rows::<store::Candidate>().get(&name).map(|row| RegionalCommitId(row.base));
        let Some(base) = base else { return Err(no_candidate(&name).into()) };
        let both: Vec<RegionalSubject> = CandidateEdit::of(&name, &view.snapshot)
            .map(|edit| edit.subject)
            .filter(|subject| {
                RegionalChange::since(base.next(), &view.snapshot)
                    .any(|change| change.subject == *subject)
            })
            .collect();
        let revision = again(session, |session, view| {
            let editor = editor(session, view);
            regional::rebase(&name, &view.snapshot, (&editor, &by(view)))
                .ok_or_else(|| no_candidate(&name))
        })?;
        for subject in both {
            session.warn(&format!(
                "others changed {} since: your candidate replaces what they made of it",
                subject_words(subject)
            ))?;
        }
        let words = format!("candidate `{name}` is based on what is in force; see `regional diff`");
        session.report_done(revision, &words)
    }
}

/// Throw a candidate away
#[derive(clap::Args, Debug)]
pub(crate) struct RegionalDiscard {
    #[command(flatten)]
    candidate: CandidateName,
}

impl RegionalDiscard {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        let view = session.read(TABLES)?;
        let name = self.candidate.get(&view);
        let edits = CandidateEdit::of(&name, &view.snapshot).count();
        let revision = again(session, |_, view| {
            if !is_candidate(view, &name) {
                return Err(no_candidate(&name));
            }
            Ok(regional::discard(&name, &view.snapshot))
        })?;
        let words = format!("candidate `{name}` is gone, with its changes of {}", agents(edits));
        session.report_done(revision, &words)
    }
}
