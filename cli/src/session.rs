//! What commands run in: the world outside, the store, and the options of the line.

use std::io::{BufRead, Write};
use std::time::Duration;

use store::{
    Application, Changed, Concerns, Invalid, OpenOptions, Origin, Prepared, Proposal, Revision,
    Table, UtcTime,
};

use crate::cell::Column;
use crate::failure::{ExitStatus, Failure, Stop};
use crate::output::{self, Format, Layout, Listing, Sort};
use crate::selector::Selector;
use crate::source::{Source, SourceError};
use crate::timeout::Deadline;
use crate::view::{Freshness, STALE_AFTER, View};

/// How long daemons may take to act on a change before the shell goes on without them.
const APPLIED_WITHIN: Duration = Duration::from_secs(5);
/// A daemon that falls silent changes nothing: look at it now and then.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Everything outside of the program; tests bring their own.
pub(crate) struct World {
    pub(crate) input: Box<dyn BufRead>,
    pub(crate) input_is_terminal: bool,
    /// Asks somebody at a terminal; `None` if the answer is Ctrl-D.
    pub(crate) ask: fn(&str) -> Result<Option<String>, Stop>,
    pub(crate) out: Box<dyn Write>,
    pub(crate) err: Box<dyn Write>,
    /// The width of the terminal that `out` is, if it is one.
    pub(crate) terminal: fn() -> Option<u16>,
    pub(crate) now: fn() -> UtcTime,
    pub(crate) connect: Connect,
}

/// Opens a store.
pub(crate) type Connect = Box<dyn Fn(&StorePlace) -> Result<Box<dyn Source>, Stop>>;

/// Where a store is, and how it is opened.
#[derive(Clone, Debug, Default)]
pub(crate) struct StorePlace {
    pub(crate) url: String,
    pub(crate) options: OpenOptions,
}

/// Options that a line may have anywhere.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub(crate) struct LineOptions {
    /// How to print what was found; by default a table
    #[arg(short, long, global = true, value_name = "FORMAT", value_enum)]
    pub(crate) output: Option<Format>,
    /// Fail with status 7 if a row is stale: its daemon is silent or gone
    #[arg(long, global = true)]
    pub(crate) fresh: bool,
}

/// One use of the program: a command, a script, or a shell.
pub(crate) struct Session {
    pub(crate) world: World,
    pub(crate) store: StorePlace,
    /// Options of the current line.
    pub(crate) options: LineOptions,
    /// Whether there may be many documents, one a line.
    pub(crate) many: bool,
    /// Where in a script the current line is.
    pub(crate) place: Option<String>,
    source: Option<Box<dyn Source>>,
    /// Whether the current line has printed its JSON document.
    printed: bool,
}

impl Session {
    pub(crate) fn new(world: World, store: StorePlace, options: LineOptions) -> Self {
        Self { world, store, options, many: false, place: None, source: None, printed: false }
    }

    /// Starts a line with options of its own.
    pub(crate) fn begin(&mut self, options: LineOptions) {
        self.options = options;
        self.printed = false;
        if let Some(source) = &mut self.source {
            source.begin();
        }
    }

    /// The store, connected when it is first needed.
    pub(crate) fn source(&mut self) -> Result<&mut dyn Source, Stop> {
        let source = match self.source.take() {
            Some(source) => source,
            None => (self.world.connect)(&self.store)?,
        };
        Ok(self.source.insert(source).as_mut())
    }

    /// Reads `tables` at one revision.
    pub(crate) fn read(&mut self, tables: &[Table]) -> Result<View, Stop> {
        let snapshot = self.ask(|source| source.read(tables))?;
        Ok(View { snapshot, now: (self.world.now)() })
    }

    /// Asks the store; forgets the connection if it is of no more use.
    pub(crate) fn ask<T>(
        &mut self,
        question: impl FnOnce(&mut dyn Source) -> Result<T, SourceError>,
    ) -> Result<T, Stop> {
        let answer = question(self.source()?);
        if matches!(answer, Err(SourceError::Unreachable(_))) {
            self.source = None;
        }
        Ok(answer?)
    }

    /// A change of configuration that passes every check on `view`.
    pub(crate) fn propose(
        view: &View,
        change: impl FnOnce(&mut Proposal<'_>) -> Result<(), Invalid>,
    ) -> Result<Prepared, Failure> {
        let by = Changed::by_own_user(view.now);
        let mut proposal = Proposal::new(&view.snapshot, Origin::Cli).by(by);
        change(&mut proposal).map_err(|invalid| Failure::refused(invalid.to_string()))?;
        Ok(proposal.prepare())
    }

    /// Makes a change, and waits until the daemons whom it concerns act on it.
    pub(crate) fn change(&mut self, prepared: Prepared) -> Result<Revision, Stop> {
        let Prepared { batch, concerns } = prepared;
        let revision = self.ask(|source| source.commit(batch))?;
        self.settle(&concerns, revision)
    }

    /// Waits until the daemons whom the change of `revision` concerns act on it.
    pub(crate) fn settle(
        &mut self,
        concerns: &Concerns,
        revision: Revision,
    ) -> Result<Revision, Stop> {
        let deadline = Deadline::after(APPLIED_WITHIN);
        loop {
            let view = self.read(&[Table::Instances])?;
            let now = Application::of(concerns, revision, &view.snapshot, view.now);
            if let Some((instance, why)) = now.failed.first() {
                let message =
                    format!("it is in the store, but `{instance}` does not act on it: {why}");
                return Err(Failure::new(ExitStatus::PartlyFailed, message).into());
            }
            if now.is_settled() {
                return Ok(revision);
            }
            if deadline.remaining().is_zero() {
                let who = now.waiting.join("`, `");
                self.warn(&format!("`{who}` has not got to it yet; see `show status`"))?;
                return Ok(revision);
            }
            let patience = deadline.remaining().min(LOOK_EVERY);
            self.ask(|source| source.wait(view.revision(), patience))?;
        }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.options.output == Some(Format::Json)
    }

    /// Whether what is printed is a table: an empty one tells people nothing.
    pub(crate) fn is_for_people(&self) -> bool {
        matches!(self.options.output, None | Some(Format::Table))
    }

    pub(crate) fn layout(&self) -> Layout {
        match (self.options.output, (self.world.terminal)()) {
            (None, Some(width)) => Layout::Terminal(width),
            (None | Some(Format::Table), _) => Layout::Plain,
            (Some(Format::Json), terminal) => {
                Layout::Json { compact: self.many || terminal.is_none() }
            }
            (Some(Format::Csv), _) => Layout::Csv,
        }
    }

    pub(crate) fn print<R>(&mut self, listing: &Listing<'_, R>) -> Result<(), Stop> {
        let layout = self.layout();
        self.printed = true;
        listing.print(layout, &mut self.world.out)?;
        Ok(self.world.out.flush()?)
    }

    /// Sorts and prints the rows that a selector left.
    pub(crate) fn show<R>(
        &mut self,
        nouns: &str,
        (selector, sort): (&Selector, &Sort),
        columns: &[Column<R>],
        (revision, mut rows): (Revision, Vec<R>),
        freshness: impl Fn(&R) -> Freshness,
    ) -> Result<(), Stop> {
        sort.apply(columns, &mut rows)?;
        let freshness: Vec<_> = rows.iter().map(freshness).collect();
        let listing = Listing::new(revision, columns, &rows);
        self.print_selected(nouns, selector, &freshness, listing)
    }

    /// Prints the rows that a selector left, in the order asked for.
    ///
    /// Fails if nothing is left, and with `--fresh` if an owner is not live.
    pub(crate) fn print_selected<R>(
        &mut self,
        nouns: &str,
        selector: &Selector,
        freshness: &[Freshness],
        listing: Listing<'_, R>,
    ) -> Result<(), Stop> {
        if listing.rows.is_empty() && selector.is_selective() {
            return Err(selector.nothing_matched(nouns).into());
        }
        let stale = freshness.iter().filter(|owner| !owner.is_live()).count();
        let words = format!("{stale} of {} {nouns} are stale", freshness.len());
        let hint = "their daemon is silent or gone; see `show status`";
        let failure = match (stale, self.options.fresh) {
            (0, true) => self.stale_store()?,
            (_, true) => Some(Failure::new(ExitStatus::Stale, words).hint(hint)),
            (_, false) => {
                if let Some(failure) = self.stale_store()? {
                    self.warn(&failure.message)?;
                }
                if stale > 0 {
                    self.warn(&format!("{words}: {hint}"))?;
                }
                None
            }
        };
        let Some(failure) = failure else { return self.print(&listing) };
        self.print(&Listing { failure: Some(&failure), ..listing })?;
        Err(failure.into())
    }

    /// Why the store itself shows what may have changed since, if it does.
    fn stale_store(&mut self) -> Result<Option<Failure>, Stop> {
        let age = self.ask(|source| source.health())?.age;
        let words = format!("what the store shows is {} s old", age.as_secs());
        Ok((age > STALE_AFTER).then(|| Failure::new(ExitStatus::Stale, words)))
    }

    /// Prints one of many rows that come as they happen: a document or a line each.
    pub(crate) fn print_event<R>(&mut self, columns: &[Column<R>], row: &R) -> Result<(), Stop> {
        let layout = match self.layout() {
            Layout::Json { .. } => Layout::Json { compact: true },
            layout => layout,
        };
        // A failure in mid-stream is a document of its own, the last one.
        output::print_event(columns, row, layout, &mut self.world.out)?;
        Ok(self.world.out.flush()?)
    }

    /// Prints what goes above the first event.
    pub(crate) fn print_event_header<R>(&mut self, columns: &[Column<R>]) -> Result<(), Stop> {
        let layout = self.layout();
        output::print_event_header(columns, layout, &mut self.world.out)?;
        Ok(self.world.out.flush()?)
    }

    /// Reports that a change was made: in JSON a document without rows.
    pub(crate) fn report_done(&mut self, revision: Revision, words: &str) -> Result<(), Stop> {
        if self.is_json() {
            return self.print(&Listing::new(revision, NO_COLUMNS, &[]));
        }
        Ok(writeln!(self.world.err, "{words}")?)
    }

    /// Tells people something; in JSON standard error is as good a place.
    pub(crate) fn note(&mut self, words: &str) -> Result<(), Stop> {
        Ok(writeln!(self.world.err, "{words}")?)
    }

    pub(crate) fn warn(&mut self, words: &str) -> Result<(), Stop> {
        Ok(writeln!(self.world.err, "warning: {words}")?)
    }

    /// Reports why the line ended, and says with which status.
    pub(crate) fn conclude(&mut self, result: Result<(), Stop>) -> ExitStatus {
        let mut failure = match result {
            // What is still buffered when the reader has gone is of no interest.
            Ok(()) | Err(Stop::Closed) => {
                self.world.out.flush().ok();
                return ExitStatus::Success;
            }
            Err(Stop::Interrupted) => Failure::new(ExitStatus::Interrupted, "interrupted"),
            Err(Stop::Failure(failure)) => failure,
        };
        if let Some(place) = &self.place {
            failure.message = format!("{place}: {}", failure.message);
        }
        if self.is_json() && !self.printed {
            // If not even this can be written, the exit status still tells.
            output::print_error(&failure, &mut self.world.out).ok();
            self.world.out.flush().ok();
            self.printed = true;
        }
        writeln!(self.world.err, "{failure}").ok();
        failure.status
    }
}

/// For documents that have no rows to show.
const NO_COLUMNS: &[Column<()>] = &[];
