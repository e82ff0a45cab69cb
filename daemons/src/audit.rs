//! The audit trail: bounded, and passed on to syslog where that is asked for.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use store::{AuditEntry, AuditKey, Batch, Class, Row as _, Snapshot};
use tracing::warn;

/// How many entries one batch drops.
const ROWS_AT_ONCE: usize = 100;

/// Drops the oldest entries beyond those that are kept.
pub(crate) fn forget(snapshot: &Snapshot) -> Option<Batch> {
    let entries = snapshot.rows::<AuditEntry>();
    let extra = entries.len().checked_sub(AuditEntry::KEPT_MAX).filter(|extra| *extra > 0)?;
    let mut batch = Batch::new(Class::Relaxed);
    for entry in entries.iter().take(extra.min(ROWS_AT_ONCE)) {
        batch.delete::<AuditEntry>(entry.key());
    }
    Some(batch)
}

/// Passes new entries on to syslog, as RFC 5424 says it.
pub(crate) struct Syslog {
    path: PathBuf,
    socket: Option<UnixDatagram>,
    host: String,
    /// The latest entries that were passed on: what has a lower key than all of them is old, too.
    told: BTreeSet<AuditKey>,
    is_troubled: bool,
}

impl Syslog {
    /// How far back entries may come in another order than that of time: clocks differ.
    const REMEMBERED_MAX: usize = 1024;

    /// What is in the trail already is no news.
    pub(crate) fn new(path: PathBuf, snapshot: &Snapshot) -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let entries = snapshot.rows::<AuditEntry>().iter().rev();
        Self {
            path,
            socket: None,
            host: field(host.trim(), 255),
            told: entries.take(Self::REMEMBERED_MAX).map(|entry| entry.key()).collect(),
            is_troubled: false,
        }
    }

    /// Tells what is new. What syslog does not take stays news until the next time.
    pub(crate) fn tell(&mut self, snapshot: &Snapshot) {
        let entries = snapshot.rows::<AuditEntry>();
        let oldest = self.told.first().copied().filter(|_| self.told.len() >= Self::REMEMBERED_MAX);
        let latest = entries.iter().rev().take(Self::REMEMBERED_MAX);
        let news: Vec<_> = latest
            .take_while(|entry| oldest.is_none_or(|oldest| entry.key() >= oldest))
            .filter(|entry| !self.told.contains(&entry.key()))
            .collect();
        for entry in news.into_iter().rev() {
            if let Err(error) = self.send(&self.message(entry)) {
                self.socket = None;
                if !std::mem::replace(&mut self.is_troubled, true) {
                    let path = self.path.display();
                    warn!(%error, %path, "syslog does not take the audit trail");
                }
                return;
            }
            self.is_troubled = false;
            self.told.insert(entry.key());
        }
        while self.told.len() > Self::REMEMBERED_MAX {
            self.told.pop_first();
        }
    }

    fn send(&mut self, message: &str) -> io::Result<()> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => connect(&self.path)?,
        };
        socket.send(message.as_bytes())?;
        self.socket = Some(socket);
        Ok(())
    }

    /// `<86>1 2026-11-26T01:02:03.004Z ha1 mip4d 4711 audit [audit who="root" …] root …`
    fn message(&self, entry: &AuditEntry) -> String {
        // authpriv (10), warning (4) or informational (6): RFC 5424 §6.2.1.
        let severity = if entry.outcome.starts_with("refused") { 4 } else { 6 };
        let priority = 10 * 8 + severity;
        let (at, host, process) = (entry.at.rfc3339(), &self.host, std::process::id());
        let parameters = [
            ("who", entry.who.as_str()),
            ("origin", entry.origin.as_str()),
            ("from", &entry.from),
            ("verb", &entry.verb),
            ("what", &entry.what),
            ("outcome", &entry.outcome),
        ];
        let parameters: Vec<String> = parameters
            .into_iter()
            .map(|(name, value)| format!("{name}=\"{}\"", parameter(value)))
            .collect();
        let AuditEntry { who, verb, what, detail, outcome, .. } = entry;
        let detail = if detail.is_empty() { String::new() } else { format!(" ({detail})") };
        let words = line(&format!("{who}: {verb} {what}: {outcome}{detail}"));
        let data = parameters.join(" ");
        // The enterprise number is that of Net-SNMP, under which our own module lives, too.
        format!("<{priority}>1 {at} {host} mip4d {process} audit [mip4@8072 {data}] {words}")
    }
}

fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    // Whoever reads slowly must not hold up the daemon.
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(socket)
}

/// A field of the header: printable ASCII without blanks, `-` if nothing is left.
fn field(text: &str, most: usize) -> String {
    let text: String = text.chars().filter(char::is_ascii_graphic).take(most).collect();
    if text.is_empty() { "-".to_owned() } else { text }
}

/// The value of a parameter of structured data (RFC 5424 §6.3.3).
fn parameter(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in line(text).chars() {
        if matches!(c, '"' | '\\' | ']') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Without characters that would end the line or act on a terminal.
fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use store::{Origin, Revision, Unknown, UtcTime};

    use super::*;

    fn entry(at: i64, outcome: &str) -> AuditEntry {
        AuditEntry {
            at: UtcTime(at),
            number: 1,
            who: "al\"ice".to_owned(),
            origin: Origin::Cli,
            from: "/run/mip4/store.sock".to_owned(),
            verb: "revoke-bindings".to_owned(),
            what: "operations/1".to_owned(),
            detail: "all; at most 7;\na line".to_owned(),
            outcome: outcome.to_owned(),
            unknown: Unknown::default(),
        }
    }

    fn snapshot(entries: impl IntoIterator<Item = AuditEntry>) -> Snapshot {
        let mut batch = Batch::new(Class::Durable);
        for entry in entries {
            batch.put(entry);
        }
        let mut snapshot = Snapshot::default();
        snapshot.tables.apply(&batch, Revision(1));
        snapshot
    }

    #[test]
    fn new_entries_go_to_syslog_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut syslog = Syslog::new(path.clone(), &snapshot([entry(0, "asked")]));
        let entries =
            [entry(0, "asked"), entry(1_795_464_000_125, "asked"), entry(2, "refused: no")];
        let now = snapshot(entries);
        syslog.tell(&now);
        // Nobody listened; what was news still is.
        let receiver = UnixDatagram::bind(&path).unwrap();
        receiver.set_nonblocking(true).unwrap();
        syslog.tell(&now);
        syslog.tell(&now);
        let mut octets = [0; 2048];
        let mut next = || {
            let length = receiver.recv(&mut octets).ok()?;
            Some(String::from_utf8(octets[..length].to_vec()).unwrap())
        };
        let first = next().unwrap();
        assert!(first.starts_with("<84>1 1970-01-01T00:00:00.002Z "), "{first}");
        let second = next().unwrap();
        assert!(second.starts_with("<86>1 2026-11-23T20:00:00.125Z "), "{second}");
        let data = "[mip4@8072 who=\"al\\\"ice\" origin=\"cli\" from=\"/run/mip4/store.sock\" \
                    verb=\"revoke-bindings\" what=\"operations/1\" outcome=\"asked\"]";
        assert!(second.contains(data), "{second}");
        let words = "al\"ice: revoke-bindings operations/1: asked (all; at most 7; a line)";
        assert!(second.ends_with(words), "{second}");
        assert_eq!(next(), None);
    }

    #[test]
    fn the_oldest_make_room() {
        let kept = i64::try_from(AuditEntry::KEPT_MAX).unwrap();
        assert!(forget(&snapshot((0..kept).map(|at| entry(at, "done")))).is_none());
        let batch = forget(&snapshot((0..kept + 3).map(|at| entry(at, "done")))).unwrap();
        let keys: Vec<_> = batch.changes.iter().map(store::Change::key).collect();
        assert_eq!(keys.len(), 3);
        assert_eq!(
            keys.first().map(store::AnyKey::path).as_deref(),
            Some("/mip4/audit/000000000000000/1")
        );
    }
}
