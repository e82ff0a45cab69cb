//! The log: to standard error for people or programs, or to the journal.

use std::io::{self, IsTerminal as _};

use anyhow::Context as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

/// How lines of the log look.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Lines for people, in colour on a terminal
    Human,
    /// One JSON object a line
    Json,
    /// The journal of systemd, with fields
    Journald,
}

impl Format {
    pub(crate) const WORDS: &[(&str, Self)] =
        &[("human", Self::Human), ("json", Self::Json), ("journald", Self::Journald)];
}

/// What is logged unless somebody says otherwise.
const DEFAULT_LEVEL: &str = "info";

/// Changes the level while the program runs.
#[derive(Clone)]
pub(crate) struct LevelHandle(reload::Handle<EnvFilter, Registry>);

impl LevelHandle {
    pub(crate) fn set(&self, level: &str) -> anyhow::Result<()> {
        let filter = EnvFilter::try_new(level).context("the log level is no filter")?;
        self.0.reload(filter).context("failed to change the log level")
    }
}

/// Starts logging; `level` is a filter, already known to be one.
pub(crate) fn start(format: Format, level: Option<&str>) -> anyhow::Result<LevelHandle> {
    let filter =
        EnvFilter::try_new(level.unwrap_or(DEFAULT_LEVEL)).context("the log level is no filter")?;
    let (filter, handle) = reload::Layer::new(filter);
    let lines = fmt::layer().with_writer(io::stderr);
    let output: Box<dyn Layer<_> + Send + Sync> = match format {
        Format::Human => Box::new(lines.with_ansi(io::stderr().is_terminal()).with_target(false)),
        Format::Json => Box::new(lines.json().flatten_event(true)),
        Format::Journald => Box::new(
            tracing_journald::layer()
                .context("failed to reach the journal")?
                .with_syslog_identifier("mip4d".to_owned()),
        ),
    };
    tracing_subscriber::registry().with(filter).with(output).init();
    Ok(LevelHandle(handle))
}
