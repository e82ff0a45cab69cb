//! What the commands that start operations share: counting, asking, writing, following.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use store::{
    Batch, Class, Expect, Operation, OperationAction, OperationId, OperationOwner, OperationState,
    OperationWish, Progress, Revision, Role, Table, Unknown, UtcTime,
};

use super::show_operations::{self, COLUMNS, OperationRow};
use crate::cell::{Cell, Column};
use crate::failure::{ExitStatus, Failure, Stop};
use crate::output::Listing;
use crate::selector::Selector;
use crate::session::Session;
use crate::source::SourceError;
use crate::timeout::{self, Deadline};
use crate::view::View;

/// How many times a number for a new operation is chosen, while others choose the same.
const TRIES: usize = 16;

/// What is read to count targets.
const TABLES: &[Table] = &[
    Table::Bindings,
    Table::Visitors,
    Table::Registrations,
    Table::Instances,
    Table::Operations,
    Table::OperationShares,
];

/// What is read to follow an operation: not the targets, of which there may be very many.
pub(super) const FOLLOWED: &[Table] = &[Table::Operations, Table::OperationShares];

/// How a command that changes many things at once is held in check.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Guard {
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Refuse if more than so many match; then no question is asked
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Ask no question
    #[arg(long)]
    yes: bool,
    /// Begin with so many a second; as many as is possible by default
    #[arg(long, value_name = "NUMBER/s", value_parser = parse_rate)]
    rate: Option<u32>,
    /// Try nothing any more after this long
    #[arg(long, value_name = "TIME", value_parser = timeout::parse)]
    deadline: Option<Duration>,
    /// Why, for those who look at it later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Wait until it has ended; some targets that failed are a failure
    #[arg(long)]
    wait: bool,
    /// With `--wait`, give up waiting after this long; the operation goes on
    #[arg(long, value_name = "TIME", requires = "wait", value_parser = timeout::parse)]
    timeout: Option<Duration>,
}

impl Guard {
    /// The same with a deadline.
    pub(super) fn with_deadline(&self, deadline: Duration) -> Self {
        Self { deadline: Some(deadline), ..self.clone() }
    }
}

/// Reads `50/s` or `50`.
fn parse_rate(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix("/s").unwrap_or(text);
    match number.parse() {
        Ok(0) | Err(_) => Err("expected a number from 1, as in `50/s`".to_owned()),
        Ok(rate) => Ok(rate),
    }
}

/// What a command does, in words.
pub(super) struct Words {
    /// `revoke`
    pub(super) verb: &'static str,
    /// `bindings`
    pub(super) nouns: &'static str,
}

/// Counts, asks, writes the operation, and follows it if that is wanted.
pub(super) fn start(
    session: &mut Session,
    words: &Words,
    selector: &Selector,
    action: OperationAction,
    guard: &Guard,
) -> Result<(), Stop> {
    if !selector.is_given() {
        let hint = "name nodes with `--home-address`, `--nai`, …, or all of them with `--all`";
        return Err(Failure::usage("a selector is missing").hint(hint).into());
    }
    let view = session.read(TABLES)?;
    let mut operation = operation(session, selector, action, guard);
    operation.check().map_err(|why| Failure::refused(format!("refused: {why}")))?;
    let counts = operation.count(&view.snapshot);
    operation.check().map_err(|why| Failure::refused(format!("refused: {why}")))?;
    let total = counts.iter().map(|(_, count)| count).sum::<usize>();
    // A drain concerns its home agent also when nobody is bound there.
    let is_drain = matches!(operation.action, OperationAction::Drain { .. });
    if total == 0 && (!is_drain || operation.owners.is_empty()) {
        return Err(selector.nothing_matched(words.nouns).into());
    }
    let sentence = sentence(words, &counts, total);
    if guard.dry_run {
        let rows: Vec<Count> = counts.into_iter().map(Count).collect();
        let preface = [format!("would {sentence}")];
        let listing = Listing::new(view.revision(), COUNT_COLUMNS, &rows);
        return session.print(&Listing { preface: &preface, ..listing });
    }
    confirm(session, guard, &sentence, total, words)?;
    operation.maximum = guard.limit.or(u32::try_from(total).ok()).unwrap_or(u32::MAX);
    let id = write(session, view, &operation)?;
    let back = match (&operation.action, operation.selector.home_agents.first()) {
        (OperationAction::Drain { .. }, Some(home_agent)) => {
            format!("; `undrain home-agent {home_agent}` puts it back into service")
        }
        _ => String::new(),
    };
    let how = format!("operation {id}: {sentence}; {}{back}", follow_words(id));
    if guard.wait {
        session.note(&how)?;
        return follow(session, id, guard.timeout.unwrap_or(Duration::MAX));
    }
    session.note(&how)?;
    let view = session.read(FOLLOWED)?;
    let rows = show_operations::rows(&view, Some(id));
    session.print(&Listing::new(view.revision(), COLUMNS, &rows))
}

/// How to follow and to end an operation that goes on by itself.
fn follow_words(id: OperationId) -> String {
    format!("follow it with `wait operation {id}`, end it with `operation cancel {id}`")
}

fn operation(
    session: &Session,
    selector: &Selector,
    action: OperationAction,
    guard: &Guard,
) -> Operation {
    let now: UtcTime = (session.world.now)();
    Operation {
        id: OperationId::default(),
        action,
        selector: selector.of_operation(),
        counted_at: Revision::default(),
        maximum: 0,
        owners: Vec::new(),
        deadline: guard.deadline.map(|after| now + after),
        rate: guard.rate,
        reason: guard.reason.clone(),
        // The server stamps who and when, whatever is said here.
        who: String::new(),
        created_at: now,
        wish: OperationWish::Run,
        state: OperationState::Pending,
        finished_at: None,
        error: None,
        unknown: Unknown::default(),
    }
}

/// `revoke 412 bindings of 3 home agents`.
fn sentence(words: &Words, counts: &[(OperationOwner, usize)], total: usize) -> String {
    let nouns = if total == 1 { words.nouns.trim_end_matches('s') } else { words.nouns };
    let owners = counts.len();
    let agent = match counts.first().map(|(owner, _)| owner.role) {
        Some(Role::ForeignAgent) => "foreign agent",
        Some(Role::MobileNode) => "mobile node",
        _ => "home agent",
    };
    let plural = if owners == 1 { "" } else { "s" };
    format!("{} {total} {nouns} of {owners} {agent}{plural}", words.verb)
}

/// Nothing that concerns many happens by accident.
fn confirm(
    session: &mut Session,
    guard: &Guard,
    sentence: &str,
    total: usize,
    words: &Words,
) -> Result<(), Stop> {
    if let Some(limit) = guard.limit {
        if total > usize::try_from(limit).unwrap_or(usize::MAX) {
            let message = format!("{total} {} match, more than the limit of {limit}", words.nouns);
            return Err(Failure::refused(message).into());
        }
        return Ok(());
    }
    if guard.yes {
        return Ok(());
    }
    if !session.world.input_is_terminal || session.is_json() {
        let hint = "say `--yes`, or `--limit NUMBER`; `--dry-run` shows what would be done";
        let message = format!("this would {sentence}, and nobody can be asked");
        return Err(Failure::usage(message).hint(hint).into());
    }
    let answer = (session.world.ask)(&format!("would {sentence}; go on? [y/N] "))?;
    if answer.is_some_and(|answer| matches!(answer.trim(), "y" | "Y" | "yes")) {
        return Ok(());
    }
    Err(Failure::refused("not confirmed; nothing was done").into())
}

/// Writes the row under the next number that is free.
fn write(session: &mut Session, view: View, operation: &Operation) -> Result<OperationId, Stop> {
    let mut view = view;
    for _ in 0..TRIES {
        let id = OperationId::next(&view.snapshot);
        let mut batch = Batch::new(Class::Durable);
        let row = Operation { id, ..operation.clone() };
        batch.expect::<Operation>(id, Expect::Absent).put(row);
        match session.source()?.commit(batch) {
            Ok(_) => return Ok(id),
            Err(SourceError::Changed(_)) => view = session.read(FOLLOWED)?,
            Err(err) => return Err(err.into()),
        }
    }
    let message = "others start operations all the time: no number was free";
    Err(Failure::refused(message).hint("repeat the command").into())
}

/// Follows an operation to its end, and shows it.
pub(super) fn follow(
    session: &mut Session,
    id: OperationId,
    timeout: Duration,
) -> Result<(), Stop> {
    let deadline = Deadline::after(timeout);
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} {per_sec} {msg} {eta}")
    {
        bar.set_style(style);
    }
    let ended = wait(session, id, deadline, &bar);
    bar.finish_and_clear();
    let view = match ended {
        Ok(view) => view,
        Err(Stop::Interrupted) => {
            session.note(&format!("operation {id} goes on: {}", follow_words(id)))?;
            return Err(Stop::Interrupted);
        }
        Err(stop) => return Err(stop),
    };
    let rows = show_operations::rows(&view, Some(id));
    let failure = rows.first().and_then(failure);
    session.print(&Listing {
        failure: failure.as_ref(),
        ..Listing::new(view.revision(), COLUMNS, &rows)
    })?;
    failure.map_or(Ok(()), |failure| Err(failure.into()))
}

fn wait(
    session: &mut Session,
    id: OperationId,
    deadline: Deadline,
    bar: &ProgressBar,
) -> Result<View, Stop> {
    /// Often enough for a bar that moves, seldom enough for a store that is busy.
    const EVERY: Duration = Duration::from_millis(250);
    loop {
        let view = session.read(FOLLOWED)?;
        let Some(operation) = view.rows::<Operation>().get(&id) else {
            return Err(unknown(id).into());
        };
        let progress = Progress::of(id, &view.snapshot);
        bar.set_length(progress.targets.max(1));
        bar.set_position(progress.ended());
        bar.set_message(operation.state.word());
        if operation.state.is_final() {
            return Ok(view);
        }
        let left = deadline.remaining();
        if left.is_zero() {
            let message = format!(
                "operation {id} is {}, with {} of {} targets done",
                operation.state.word(),
                progress.ended(),
                progress.targets
            );
            let failure = Failure::new(ExitStatus::TimedOut, message).hint(follow_words(id));
            return Err(failure.into());
        }
        let revision = view.revision();
        session.ask(|source| source.wait(revision, EVERY.min(left)))?;
    }
}

/// Why an operation that has ended is not what was asked for, if it is not.
fn failure(row: &OperationRow) -> Option<Failure> {
    let (operation, progress) = (&row.operation, &row.progress);
    let id = operation.id;
    let message = match operation.state {
        OperationState::Failed => {
            format!("operation {id} failed: {}", operation.error.as_deref().unwrap_or("no reason"))
        }
        OperationState::Cancelled => format!("operation {id} was cancelled"),
        _ if progress.failed() > 0 => {
            format!("{} of {} targets failed", progress.failed(), progress.targets)
        }
        _ => return None,
    };
    let hint = format!("`show operation {id}` says what became of each");
    Some(Failure::new(ExitStatus::PartlyFailed, message).hint(hint))
}

pub(super) fn unknown(id: OperationId) -> Failure {
    Failure::new(ExitStatus::NothingMatched, format!("there is no operation {id}"))
        .hint("`show operations` lists them")
}

/// How many targets an agent has.
#[derive(Clone)]
struct Count((OperationOwner, usize));

const COUNT_COLUMNS: &[Column<Count>] = &[
    Column::text("agent", "AGENT", |row| Cell::Address(row.0.0.address)),
    Column::text("role", "ROLE", |row| Cell::text(row.0.0.role.as_str())),
    Column::text("instance", "INSTANCE", |row| Cell::text(&row.0.0.instance)),
    Column::number("targets", "TARGETS", |row| {
        Cell::Number(u64::try_from(row.0.1).unwrap_or(u64::MAX))
    }),
];
