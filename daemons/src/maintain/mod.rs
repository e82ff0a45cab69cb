//! `mip4d store`: looking after the files of a store.

mod args;
mod display;
mod failure;
mod owner;
mod progress;

use std::path::{Path, PathBuf};

use store::OpenOptions;
use store::maintenance::{self, Backup, Progress, Repair, Report};

pub(crate) use args::StoreCommand;
use args::{BackupArgs, Output, RestoreArgs, StoreArgs};
use display::Answer;
use failure::Problem;

use crate::config::{Config, StoreConfig};
use crate::exit::{ExitStatus, Failure};
use crate::privilege::Account;

/// Does what `command` says; its answer goes to standard output, also as JSON if it fails.
pub(crate) fn store(command: &StoreCommand) -> Result<(), Failure> {
    let (args, work): (_, Work<'_>) = match command {
        StoreCommand::Check(args) => (args, Box::new(check)),
        StoreCommand::Repair(args) => (args, Box::new(repair)),
        StoreCommand::Compact(args) => (args, Box::new(compact)),
        StoreCommand::Backup(args) => (&args.store, Box::new(|place| backup(place, args))),
        StoreCommand::Restore(args) => (&args.store, Box::new(|place| restore(place, args))),
    };
    let done = Place::of(args).and_then(|place| {
        let shown = progress::show(&place.progress);
        let done = work(&place);
        drop(shown);
        done
    });
    match done {
        Ok(answer) => {
            display::print(&answer, args.output);
            match answer.problem() {
                None => Ok(()),
                // Standard output has it already.
                Some(problem) => Err(problem.into()),
            }
        }
        Err(problem) => {
            if args.output == Output::Json {
                display::print_problem(&problem);
            }
            Err(problem.into())
        }
    }
}

type Work<'a> = Box<dyn FnOnce(&Place) -> Result<Answer, Problem> + 'a>;

/// Which store is meant.
struct Place {
    path: PathBuf,
    options: OpenOptions,
    /// Whose files a new store gets, if the configuration file says.
    account: Option<Account>,
    progress: Progress,
}

impl Place {
    fn of(args: &StoreArgs) -> Result<Self, Problem> {
        let (path, key_file, account) = match (&args.path, &args.config) {
            (Some(path), None) => (path.clone(), None, None),
            (path, config) => {
                let config = config.as_deref().unwrap_or(Path::new(args::CONFIG));
                let (configured, key_file, account) = configured(config)?;
                (path.clone().unwrap_or(configured), key_file, account)
            }
        };
        let key_file = args.key_file.clone().or(key_file);
        let options = OpenOptions { key_file, ..OpenOptions::default() };
        Ok(Self { path, options, account, progress: Progress::default() })
    }
}

/// The folder, key file and account that a configuration file names.
fn configured(path: &Path) -> Result<(PathBuf, Option<PathBuf>, Option<Account>), Problem> {
    let config = Config::load(path).map_err(|error| Problem::refused(error.to_string()))?;
    let account = match &config.daemon.user {
        Some(user) => Some(
            Account::find(user, config.daemon.group.as_deref())
                .map_err(|error| Problem::refused(format!("{error:#}")))?,
        ),
        None => None,
    };
    match config.store {
        StoreConfig::Owned { path, key_file, .. } => Ok((path, key_file, account)),
        StoreConfig::Connected(connected) => {
            let url = connected.url;
            let hint = match url {
                store::StoreUrl::Etcd(_) => {
                    "a cluster keeps its own files: `etcdctl snapshot save` makes a backup of it"
                }
                _ => {
                    "run this with the configuration file of the process that owns it, or with --path"
                }
            };
            let words = format!("{} has no files of its own, it uses {url}", path.display());
            Err(Problem::refused(words).with_hint(hint))
        }
    }
}

fn check(place: &Place) -> Result<Answer, Problem> {
    let report = maintenance::check(&place.path, &place.options, &place.progress)?;
    Ok(Answer::Checked(report))
}

fn repair(place: &Place) -> Result<Answer, Problem> {
    let keeper = owner::of(&place.path);
    let repaired: Result<Repair, _> = maintenance::repair(&place.path, &place.progress);
    owner::give(&place.path, keeper)?;
    Ok(Answer::Repaired(repaired?))
}

fn compact(place: &Place) -> Result<Answer, Problem> {
    let keeper = owner::of(&place.path);
    let reactor = crate::run::reactor().map_err(|error| Problem::failed(format!("{error:#}")))?;
    let compacted: Result<Report, _> =
        reactor.block_on(maintenance::compact(&place.path, &place.options, &place.progress));
    owner::give(&place.path, keeper)?;
    Ok(Answer::Checked(compacted?))
}

fn backup(place: &Place, args: &BackupArgs) -> Result<Answer, Problem> {
    let made: Backup = maintenance::backup(&place.path, &args.file, &place.progress)?;
    Ok(Answer::BackedUp(made))
}

fn restore(place: &Place, args: &RestoreArgs) -> Result<Answer, Problem> {
    let keeper = place.account.as_ref().map(|account| (account.uid, account.gid));
    let keeper = keeper.or_else(|| owner::of(place.path.parent().unwrap_or(Path::new("."))));
    let report = maintenance::restore(&args.file, &place.path, &place.options, &place.progress)?;
    owner::give(&place.path, keeper)?;
    Ok(Answer::Restored(report))
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let status = problem.status;
        Self::new(status, anyhow::anyhow!(problem.words()))
    }
}

impl Answer {
    /// What is wrong in spite of an answer.
    fn problem(&self) -> Option<Problem> {
        let Self::Checked(report) = self else { return None };
        let fault = report.key_fault.as_ref()?;
        let words = format!("the sealed secrets cannot be opened: {fault}");
        Some(Problem::new(ExitStatus::Failed, "key-file", words))
    }
}
