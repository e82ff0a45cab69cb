//! The audit trail: what a batch does to configuration and operations, as rows of the same batch.
//!
//! Whoever knows who asks writes the entries: the served store for clients of its sockets, daemons
//! for their file and for managers, `mip4ctl` where it owns the store itself. A batch that has
//! entries already is left as it is, so that a daemon at a served store speaks for its managers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{
    AnyKey, AnyRow, AuditEntry, Batch, Change, Operation, OperationId, OperationState,
    OperationWish, Origin, Progress, Snapshot, Tables, Unknown, UtcTime,
};

/// More rows than this of one table, changed in the same way by one batch, are one entry.
const APART_MAX: usize = 4;

/// Who makes a change, as the audit trail has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Author {
    pub who: String,
    pub origin: Origin,
    /// The socket or the file that it came by.
    pub from: String,
}

impl Author {
    /// The user of this process.
    pub fn own_user(origin: Origin, from: impl Into<String>) -> Self {
        let who = super::user_name(rustix::process::geteuid().as_raw());
        Self { who, origin, from: from.into() }
    }

    fn entry(&self, verb: &str, what: String, detail: &str, at: UtcTime) -> AuditEntry {
        AuditEntry {
            at,
            number: number(verb, &what),
            who: self.who.clone(),
            origin: self.origin,
            from: self.from.clone(),
            verb: verb.to_owned(),
            what,
            detail: cut(detail),
            outcome: "done".to_owned(),
            unknown: Unknown::default(),
        }
    }
}

/// Puts the entries of `batch`, which is based on `snapshot`, into it.
pub fn audit(snapshot: &Snapshot, batch: &mut Batch, author: &Author, at: UtcTime) {
    let is_entry = |change: &Change| matches!(change, Change::Put(AnyRow::AuditEntry(_)));
    if batch.changes.iter().any(is_entry) {
        return;
    }
    for entry in entries(&snapshot.tables, &batch.changes, author, at) {
        batch.put(entry);
    }
}

/// The entry of a change of the key of an association, which is in no row.
pub(crate) fn of_secret(path: &str, is_deleted: bool, author: &Author, at: UtcTime) -> AuditEntry {
    let verb = if is_deleted { "delete-key" } else { "set-key" };
    author.entry(verb, path.to_owned(), "", at)
}

/// The entry of something that was refused.
pub(crate) fn of_refusal(what: String, why: &str, author: &Author, at: UtcTime) -> AuditEntry {
    let outcome = cut(&format!("refused: {why}"));
    AuditEntry { outcome, ..author.entry("write", what, "", at) }
}

impl AuditEntry {
    /// The entry of the end of an operation; `operation` says how it ended.
    pub fn of_end(operation: &Operation, snapshot: &Snapshot, at: UtcTime) -> Self {
        let progress = Progress::of(operation.id, snapshot);
        let results = progress.results.iter().map(|(word, count)| format!("{count} {word}"));
        let results: Vec<String> = results.collect();
        let mut detail =
            if results.is_empty() { "no targets".to_owned() } else { results.join(", ") };
        if let Some(error) = &operation.error {
            let _ = write!(detail, "; {error}"); // Writing to a string does not fail.
        }
        let origin = asked_by(operation.id, snapshot).map_or(Origin::Cli, |entry| entry.origin);
        let author = Author { who: operation.who.clone(), origin, from: String::new() };
        let outcome = operation.state.word().to_owned();
        let entry = author.entry("end", what_of(operation.id), &detail, at);
        // Who makes the change must not matter: of several that try, one wins.
        Self { number: u64::from(operation.id.0), outcome, ..entry }
    }
}

/// The entry of who asked for an operation, if it is still there.
fn asked_by(id: OperationId, snapshot: &Snapshot) -> Option<&AuditEntry> {
    let what = what_of(id);
    let entries = snapshot.rows::<AuditEntry>().iter().rev();
    entries.map(AsRef::as_ref).find(|entry| entry.what == what && entry.outcome == "asked")
}

fn what_of(id: OperationId) -> String {
    format!("operations/{id}")
}

fn entries(tables: &Tables, changes: &[Change], author: &Author, at: UtcTime) -> Vec<AuditEntry> {
    let mut found = Vec::new();
    let mut groups: BTreeMap<(String, String), Vec<usize>> = BTreeMap::new();
    for change in changes {
        let Some(entry) = entry(tables, change, author, at) else { continue };
        let table = entry.what.split('/').next().unwrap_or_default().to_owned();
        groups.entry((table, entry.verb.clone())).or_default().push(found.len());
        found.push(Some(entry));
    }
    let mut kept = Vec::new();
    for places in groups.into_values() {
        let count = places.len();
        let mut group = places.into_iter().filter_map(|place| found.get_mut(place)?.take());
        if count <= APART_MAX {
            kept.extend(group);
        } else if let Some(first) = group.next() {
            let table = first.what.split('/').next().unwrap_or_default().to_owned();
            let detail = cut(&format!("{count} rows, the first {}", first.what));
            kept.push(AuditEntry { what: table, detail, ..first });
        }
    }
    kept
}

fn entry(tables: &Tables, change: &Change, author: &Author, at: UtcTime) -> Option<AuditEntry> {
    match change {
        Change::Put(AnyRow::Operation(new)) => {
            let old = tables.rows::<Operation>().get(&new.id);
            of_operation(old.map(AsRef::as_ref), new, author, at)
        }
        Change::Put(new) => {
            let row = new.configuration()?;
            let key = new.key();
            let old = tables.find(&key).map(|(row, _)| row);
            let verb = if old.is_some() { "change" } else { "create" };
            let detail = fields(old.as_ref(), new);
            // A daemon speaks for its file and its managers, and says so in the row.
            let by = row.changed().filter(|_| row.origin() != Origin::Cli);
            let who = by.map_or_else(|| author.who.clone(), |changed| changed.by.clone());
            let author = Author { who, origin: row.origin(), ..author.clone() };
            Some(author.entry(verb, what(&key), &detail, at))
        }
        Change::Delete(key) if key.is_configuration() => {
            tables.find(key)?;
            Some(author.entry("delete", what(key), "", at))
        }
        Change::Delete(_) => None,
    }
}

fn of_operation(
    old: Option<&Operation>,
    new: &Operation,
    author: &Author,
    at: UtcTime,
) -> Option<AuditEntry> {
    let Some(old) = old else {
        if new.state != OperationState::Pending {
            return None;
        }
        let mut detail = format!("{}; at most {}", new.selector, new.maximum);
        if let Some(rate) = new.rate {
            let _ = write!(detail, ", {rate}/s");
        }
        if let Some(reason) = &new.reason {
            let _ = write!(detail, "; {reason}");
        }
        let entry = author.entry(new.action.word(), what_of(new.id), &detail, at);
        return Some(AuditEntry { outcome: "asked".to_owned(), ..entry });
    };
    if old.wish == new.wish {
        return None;
    }
    let verb = match new.wish {
        OperationWish::Run => "resume",
        OperationWish::Pause => "pause",
        OperationWish::Cancel if old.is_in_force() => "undrain",
        OperationWish::Cancel => "cancel",
    };
    Some(author.entry(verb, what_of(new.id), "", at))
}

/// `associations/address=10.0.0.7/1000`
fn what(key: &AnyKey) -> String {
    let path = key.path();
    path.strip_prefix("/mip4/").unwrap_or(&path).to_owned()
}

/// Fields that say who made the row, which the entry says itself.
const STAMPS: [&str; 2] = ["changed", "origin"];

/// What a row says, or what it says otherwise than before.
fn fields(old: Option<&AnyRow>, new: &AnyRow) -> String {
    let object = |row: &AnyRow| -> serde_json::Map<String, serde_json::Value> {
        let encoded = row.encode().unwrap_or_default();
        serde_json::from_slice(&encoded).unwrap_or_default()
    };
    let (before, after) = (old.map(object).unwrap_or_default(), object(new));
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let text = |value: Option<&serde_json::Value>| match value {
        None => "nothing".to_owned(),
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    };
    let mut said = Vec::new();
    for name in names {
        let (was, is) = (before.get(name), after.get(name));
        if was == is || STAMPS.contains(&name.as_str()) {
            continue;
        }
        said.push(match old {
            None => format!("{name}={}", text(is)),
            Some(_) => format!("{name}: {} to {}", text(was), text(is)),
        });
    }
    said.join(", ")
}

/// At most as many octets as an entry holds.
fn cut(text: &str) -> String {
    let most = AuditEntry::TEXT_MAX;
    let end = (0..=text.len().min(most)).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or(text).to_owned()
}

/// 48 bits that no other entry of this millisecond has: a count, and what this process is not
/// likely to share with others.
fn number(verb: &str, what: &str) -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed) & 0xffff;
    let seed = 0xcbf2_9ce4_8422_2325 ^ u64::from(std::process::id());
    let octets = verb.bytes().chain(what.bytes());
    let hash = octets
        .fold(seed, |hash, octet| (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3));
    (hash >> 32) << 16 | count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Revision;
    use crate::Row as _;
    use crate::testing::{association, operation};

    fn author() -> Author {
        Author { who: "alice".to_owned(), origin: Origin::Cli, from: "store.sock".to_owned() }
    }

    fn told(snapshot: &Snapshot, batch: &mut Batch) -> Vec<String> {
        audit(snapshot, batch, &author(), UtcTime(5));
        let entries = batch.changes.iter().filter_map(|change| match change {
            Change::Put(AnyRow::AuditEntry(entry)) => Some(entry),
            _ => None,
        });
        entries
            .map(|it| format!("{} {} {} [{}] {}", it.who, it.verb, it.what, it.detail, it.outcome))
            .collect()
    }

    fn with(snapshot: &Snapshot, batch: &Batch) -> Snapshot {
        let mut tables = snapshot.tables.clone();
        tables.apply(batch, Revision(1));
        Snapshot { revision: Revision(1), tables }
    }

    #[test]
    fn configuration_is_told_with_the_fields_that_changed() {
        let empty = Snapshot::default();
        let mut batch = Batch::default();
        batch.put(association(1));
        let key = association(1).key();
        let told_first = told(&empty, &mut batch);
        assert_eq!(told_first.len(), 1, "{told_first:?}");
        assert!(told_first[0].starts_with("alice create associations/"), "{told_first:?}");
        let there = with(&empty, &batch);
        let mut batch = Batch::default();
        batch.put(crate::Association { tolerance: 9, ..association(1) });
        let change = told(&there, &mut batch);
        assert!(change[0].contains("[tolerance: 7 to 9] done"), "{change:?}");
        let mut batch = Batch::default();
        batch.delete::<crate::Association>(key);
        let end = told(&there, &mut batch);
        assert!(end[0].starts_with("alice delete associations/"), "{end:?}");
        assert!(
            told(&empty, &mut Batch { changes: batch.changes[..1].to_vec(), ..batch }).is_empty()
        );
    }

    #[test]
    fn many_rows_are_one_entry() {
        let mut batch = Batch::default();
        for number in 0..50 {
            batch.put(association(number));
        }
        let told = told(&Snapshot::default(), &mut batch);
        assert_eq!(told.len(), 1);
        assert!(told[0].starts_with("alice create associations [50 rows, the first "), "{told:?}");
    }

    #[test]
    fn operations_are_told_when_they_are_asked_for_and_wished_otherwise() {
        let empty = Snapshot::default();
        let mut batch = Batch::default();
        batch.put(Operation { rate: Some(7), reason: Some("a test".to_owned()), ..operation(3) });
        assert_eq!(
            told(&empty, &mut batch),
            ["alice revoke-bindings operations/3 [all; at most 10, 7/s; a test] asked"]
        );
        let there = with(&empty, &batch);
        let asked = there.rows::<Operation>().get(&OperationId(3)).unwrap();
        for (wish, verb) in [(OperationWish::Pause, "pause"), (OperationWish::Cancel, "cancel")] {
            let mut batch = Batch::default();
            batch.put(Operation { wish, ..Operation::clone(asked) });
            assert_eq!(told(&there, &mut batch), [format!("alice {verb} operations/3 [] done")]);
        }
        let mut batch = Batch::default();
        batch.put(Operation { state: OperationState::Running, ..Operation::clone(asked) });
        assert!(told(&there, &mut batch).is_empty(), "what daemons do of it is no news");
        let mut ended = Operation::clone(asked);
        ended.state = OperationState::Done;
        let entry = AuditEntry::of_end(&ended, &there, UtcTime(9));
        assert_eq!((entry.verb.as_str(), entry.outcome.as_str()), ("end", "done"));
        assert_eq!(entry.number, 3);
    }

    #[test]
    fn state_is_not_told() {
        let mut batch = Batch::default();
        batch.put(crate::testing::binding(1, std::net::Ipv4Addr::LOCALHOST, None));
        assert!(told(&Snapshot::default(), &mut batch).is_empty());
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        let text = "é".repeat(300);
        assert_eq!(cut(&text).len(), AuditEntry::TEXT_MAX);
        assert_eq!(cut("short"), "short");
    }
}
