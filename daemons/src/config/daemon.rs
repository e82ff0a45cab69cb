//! `[daemon]` and `[log]`: the process itself.

use std::path::PathBuf;

use tracing_subscriber::EnvFilter;

use super::section::Section;
use crate::logging::Format;

/// Where syslog listens on this machine.
const SYSLOG: &str = "/dev/log";

/// `[daemon]`
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct DaemonConfig {
    /// Names the instance in the store; the host name and the roles by default.
    pub(crate) name: Option<String>,
    /// Who to become once the sockets are bound.
    pub(crate) user: Option<String>,
    /// Its primary group unless another is named.
    pub(crate) group: Option<String>,
    /// The socket of syslog, if the audit trail is to go there.
    pub(crate) syslog: Option<PathBuf>,
}

/// `[log]`; the command line goes before it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct LogConfig {
    /// A filter as `--log-level` takes it.
    pub(crate) level: Option<String>,
    pub(crate) format: Option<Format>,
}

pub(super) fn read(mut section: Section<'_, '_>) -> DaemonConfig {
    let name = section.parsed("name", "1 to 64 letters, digits or `.` `-` `_` `@`", |value| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_@".contains(c);
        let fits = |text: &&str| (1..=64).contains(&text.len()) && text.chars().all(allowed);
        value.as_str().filter(fits).map(str::to_owned)
    });
    let user = section.string("user", "the name of a user");
    let group = section.string("group", "the name of a group");
    let syslog = section.parsed("syslog", "true, false, or the path of a socket", |value| {
        if let Some(wanted) = value.as_bool() {
            return Some(wanted.then(|| PathBuf::from(SYSLOG)));
        }
        value.as_str().filter(|path| path.starts_with('/')).map(|path| Some(PathBuf::from(path)))
    });
    section.finish();
    DaemonConfig { name, user, group, syslog: syslog.flatten() }
}

pub(super) fn read_log(mut section: Section<'_, '_>) -> LogConfig {
    let level = section.parsed(
        "level",
        "`error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,mip4d::role=debug`",
        |value| value.as_str().filter(|text| EnvFilter::try_new(text).is_ok()).map(str::to_owned),
    );
    let format = section.word("format", Format::WORDS);
    section.finish();
    LogConfig { level, format }
}
