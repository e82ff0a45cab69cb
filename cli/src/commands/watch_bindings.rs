//! `mip4ctl watch bindings`

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use store::{AnyKey, AnyRow, Binding, BindingKey, Change, Event, Revision, Row as _, Table};

use super::show_bindings::subject;
use crate::cell::{Cell, Column};
use crate::failure::{ExitStatus, Failure, Stop};
use crate::selector::Selector;
use crate::session::Session;
use crate::source::SourceError;
use crate::timeout::{self, Deadline};

/// Show bindings as they come, change and go; in JSON a document a line
#[derive(clap::Args, Debug)]
pub(crate) struct WatchBindings {
    #[command(flatten)]
    selector: Selector,
    /// Begin with the bindings that are there
    #[arg(long)]
    initial: bool,
    /// End after so many events
    #[arg(long, value_name = "NUMBER")]
    count: Option<u64>,
    /// End after this long; a failure if `--count` is not reached
    #[arg(long, value_name = "TIME", value_parser = timeout::parse)]
    timeout: Option<Duration>,
}

impl WatchBindings {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        let mut watch = Watch { command: self, known: BTreeMap::new(), events: 0 };
        let (_, present) = watch.load(session)?;
        session.print_event_header(COLUMNS)?;
        if self.initial {
            for event in present {
                if watch.print(session, &event)?.is_break() {
                    return Ok(());
                }
            }
        }
        watch.follow(session)
    }
}

/// What has been seen so far.
struct Watch<'c> {
    command: &'c WatchBindings,
    /// The bindings that match; what was removed is known from here alone.
    known: BTreeMap<BindingKey, Arc<Binding>>,
    events: u64,
}

type Flow = std::ops::ControlFlow<()>;

impl Watch<'_> {
    /// Reads all bindings, begins to follow, and returns what is there.
    fn load(&mut self, session: &mut Session) -> Result<(Revision, Vec<BindingEvent>), Stop> {
        let view = session.read(&[Table::Bindings])?;
        let revision = view.revision();
        let matching = view.rows::<Binding>().iter();
        self.known = matching
            .filter(|binding| self.command.selector.matches(&subject(binding)))
            .map(|binding| (binding.key(), Arc::clone(binding)))
            .collect();
        session.ask(|source| source.follow(revision))?;
        let event = |binding: &Arc<Binding>| BindingEvent {
            revision,
            what: What::Present,
            binding: Arc::clone(binding),
        };
        Ok((revision, self.known.values().map(event).collect()))
    }

    fn follow(&mut self, session: &mut Session) -> Result<(), Stop> {
        let deadline = Deadline::after(self.command.timeout.unwrap_or(Duration::MAX));
        loop {
            let next = session.source()?.next_change(deadline.remaining());
            let events = match next {
                Ok(Some(event)) => self.events_of(&event),
                Ok(None) if deadline.remaining().is_zero() => return self.time_is_up(),
                Ok(None) => continue,
                Err(SourceError::Missed(_)) => self.catch_up(session)?,
                // The usual way to end it.
                Err(SourceError::Interrupted) if self.command.count.is_none() => return Ok(()),
                Err(err) => return Err(err.into()),
            };
            for event in events {
                if self.print(session, &event)?.is_break() {
                    return Ok(());
                }
            }
        }
    }

    /// What changed while nobody looked, from the difference.
    fn catch_up(&mut self, session: &mut Session) -> Result<Vec<BindingEvent>, Stop> {
        let before = std::mem::take(&mut self.known);
        let (revision, _) = self.load(session)?;
        let event = |what, binding: &Arc<Binding>| BindingEvent {
            revision,
            what,
            binding: Arc::clone(binding),
        };
        let gone = before.iter().filter(|(key, _)| !self.known.contains_key(*key));
        let mut events: Vec<_> = gone.map(|(_, row)| event(What::Removed, row)).collect();
        for (key, row) in &self.known {
            match before.get(key) {
                None => events.push(event(What::Added, row)),
                Some(old) if old != row => events.push(event(What::Changed, row)),
                Some(_) => {}
            }
        }
        Ok(events)
    }

    fn events_of(&mut self, event: &Event) -> Vec<BindingEvent> {
        let mut events = Vec::new();
        for change in event.changes.iter() {
            let (what, binding) = match change {
                Change::Put(AnyRow::Binding(binding))
                    if self.command.selector.matches(&subject(binding)) =>
                {
                    let old = self.known.insert(binding.key(), Arc::clone(binding));
                    (old.map_or(What::Added, |_| What::Changed), Arc::clone(binding))
                }
                // A row that does not match any more is gone, for whoever selects.
                Change::Put(AnyRow::Binding(binding)) => match self.known.remove(&binding.key()) {
                    Some(old) => (What::Removed, old),
                    None => continue,
                },
                Change::Delete(AnyKey::Binding(key)) => match self.known.remove(key) {
                    Some(old) => (What::Removed, old),
                    None => continue,
                },
                Change::Put(_) | Change::Delete(_) => continue,
            };
            events.push(BindingEvent { revision: event.revision, what, binding });
        }
        events
    }

    fn print(&mut self, session: &mut Session, event: &BindingEvent) -> Result<Flow, Stop> {
        session.print_event(COLUMNS, event)?;
        self.events += 1;
        let enough = self.command.count.is_some_and(|count| self.events >= count);
        Ok(if enough { Flow::Break(()) } else { Flow::Continue(()) })
    }

    fn time_is_up(&self) -> Result<(), Stop> {
        match self.command.count {
            None => Ok(()),
            Some(count) => {
                let message = format!("saw {} of {count} events", self.events);
                Err(Failure::new(ExitStatus::TimedOut, message).into())
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum What {
    Present,
    Added,
    Changed,
    Removed,
}

impl What {
    const fn word(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }
}

/// Something that happened to a binding.
struct BindingEvent {
    revision: Revision,
    what: What,
    binding: Arc<Binding>,
}

const COLUMNS: &[Column<BindingEvent>] = &[
    Column::detail("revision", |event| Cell::Number(event.revision.0)),
    Column::text("event", "EVENT", |event| Cell::text(event.what.word())),
    Column::text("home_address", "HOME ADDRESS", |event| Cell::Address(event.binding.home_address)),
    Column::text("care_of_address", "CARE-OF ADDRESS", |event| {
        Cell::Address(event.binding.care_of_address)
    }),
    Column::text("home_agent", "HOME AGENT", |event| Cell::Address(event.binding.home_agent)),
    Column::number("lifetime_granted", "GRANTED", |event| {
        Cell::Number(event.binding.lifetime_granted.0.into())
    }),
    Column::text("nai", "NAI", |event| Cell::of(event.binding.nai.as_ref(), Cell::text)),
    Column::detail("foreign_agent", |event| Cell::of(event.binding.foreign_agent, Cell::Address)),
    Column::detail("flags", |event| Cell::Flags(event.binding.flags)),
    Column::detail("identification_high", |event| {
        Cell::Number(event.binding.identification.high().into())
    }),
    Column::detail("identification_low", |event| {
        Cell::Number(event.binding.identification.low().into())
    }),
    Column::detail("registered_at", |event| Cell::Instant(event.binding.registered_at)),
    Column::detail("expires_at", |event| Cell::of(event.binding.expires_at, Cell::Instant)),
];
