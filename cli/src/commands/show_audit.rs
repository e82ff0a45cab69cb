//! `mip4ctl show audit`

use std::sync::Arc;
use std::time::Duration;

use store::{AuditEntry, Glob, Origin, Table};

use crate::cell::{Cell, Column};
use crate::failure::{ExitStatus, Failure, Stop};
use crate::output::{Listing, Sort};
use crate::session::Session;
use crate::timeout;

/// Show who changed configuration and had what done, oldest first
///
/// The trail is bounded: the oldest entries make room. Daemons pass it on to syslog if they are
/// configured to.
#[derive(clap::Args, Debug)]
pub(crate) struct ShowAudit {
    /// Only what this user did: `alice`, `snmp:noc`; `*` and `?` stand for any text and character
    #[arg(long, value_name = "PATTERN")]
    who: Option<Glob>,
    /// Only what came from there
    #[arg(long, value_name = "ORIGIN", value_parser = parse_origin)]
    origin: Option<Origin>,
    /// Only this was done: `create`, `delete`, `revoke-bindings`, `cancel`, `end`, …
    #[arg(long, value_name = "VERB")]
    verb: Option<String>,
    /// Only what was done to this: `operations/7`, `associations/*`
    #[arg(long, value_name = "PATTERN")]
    what: Option<Glob>,
    /// Only what was refused
    #[arg(long)]
    refused: bool,
    /// Only what was done within this time: `10m`, `24h`
    #[arg(long, value_name = "TIME", value_parser = timeout::parse)]
    since: Option<Duration>,
    /// Only so many of the latest
    #[arg(long, value_name = "NUMBER")]
    last: Option<usize>,
    #[command(flatten)]
    sort: Sort,
}

fn parse_origin(text: &str) -> Result<Origin, String> {
    let origins = [Origin::File, Origin::Cli, Origin::Snmp];
    let found = origins.into_iter().find(|origin| origin.as_str() == text);
    found.ok_or_else(|| "expected `file`, `cli` or `snmp`".to_owned())
}

impl ShowAudit {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        self.sort.check(COLUMNS)?;
        let view = session.read(&[Table::Audit])?;
        let entries = view.rows::<AuditEntry>().iter();
        let mut rows: Vec<_> =
            entries.filter(|entry| self.matches(entry, view.now)).cloned().collect();
        if let Some(last) = self.last {
            rows.drain(..rows.len().saturating_sub(last));
        }
        if rows.is_empty() && self.is_selective() {
            let message = "nothing in the audit trail matches";
            return Err(Failure::new(ExitStatus::NothingMatched, message).into());
        }
        self.sort.apply(COLUMNS, &mut rows)?;
        session.print(&Listing::new(view.revision(), COLUMNS, &rows))
    }

    const fn is_selective(&self) -> bool {
        self.who.is_some()
            || self.origin.is_some()
            || self.verb.is_some()
            || self.what.is_some()
            || self.since.is_some()
            || self.refused
    }

    fn matches(&self, entry: &AuditEntry, now: store::UtcTime) -> bool {
        self.who.as_ref().is_none_or(|who| who.matches(&entry.who))
            && self.origin.is_none_or(|origin| origin == entry.origin)
            && self.verb.as_ref().is_none_or(|verb| *verb == entry.verb)
            && self.what.as_ref().is_none_or(|what| what.matches(&entry.what))
            && self.since.is_none_or(|since| now.since(entry.at) <= since)
            && (!self.refused || entry.outcome.starts_with("refused"))
    }
}

pub(crate) const COLUMNS: &[Column<Arc<AuditEntry>>] = &[
    Column::text("at", "AT", |row| Cell::Instant(row.at)),
    Column::text("who", "WHO", |row| Cell::text(&row.who)),
    Column::text("origin", "ORIGIN", |row| Cell::text(row.origin.as_str())),
    Column::text("verb", "VERB", |row| Cell::text(&row.verb)),
    Column::text("what", "WHAT", |row| Cell::text(&row.what)),
    Column::text("outcome", "OUTCOME", |row| Cell::text(&row.outcome)),
    Column::text("detail", "DETAIL", |row| Cell::text(&row.detail)),
    Column::detail("from", |row| Cell::text(&row.from)),
];
