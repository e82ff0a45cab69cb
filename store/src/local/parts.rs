//! Reading the parts of a checkpoint, on as many processors as there are.
//!
//! ```text
//!   parts ──┬─ one thread: sled ── page ── checksum ── items ── rows ─┐
//!           └─ another                                                ├─ in the order of the parts ── tables
//!              …                                                      ┘
//! ```
//!
//! A part is a sled database of its own, so threads share nothing but the number of the next one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::checkpoint::{self, Totals};
use super::page::Reader;
use super::state::{Decoded, State, decode};
use crate::journal::item::Item;
use crate::progress::Progress;
use crate::tables::Gathered;

/// More threads than this wait for memory and disk.
const READERS_MAX: usize = 8;

/// What one part holds.
struct Part {
    totals: Totals,
    /// Those of its pages, which the checksum over all parts is made of.
    checksums: Vec<[u8; 4]>,
    rows: Gathered,
    others: Vec<Decoded>,
}

/// Reads all parts below `folder`, of a checkpoint of `format`: what they hold, and what that
/// adds up to.
pub(crate) fn read(
    folder: &Path,
    format: u32,
    progress: &Progress,
) -> Result<(State, Totals), String> {
    let next = Arc::new(AtomicU64::new(0));
    let readers = thread::available_parallelism().map_or(1, usize::from).min(READERS_MAX);
    let parts = thread::scope(|scope| {
        let start = |_| {
            let (folder, progress, next) = (folder.to_owned(), progress.clone(), Arc::clone(&next));
            let work = move || {
                checkpoint::guarded(&folder.clone(), move || {
                    some(&folder, format, &next, &progress)
                })
            };
            scope.spawn(work)
        };
        let readers: Vec<_> = (0..readers).map(start).collect();
        let mut parts = Vec::new();
        for reader in readers {
            let read = reader.join().map_err(|_| "a thread that reads it stopped".to_owned())?;
            parts.extend(read.map_err(|error| super::load::words(&error))?);
        }
        Ok::<_, String>(parts)
    });
    let mut parts = parts?;
    parts.sort_unstable_by_key(|(number, _)| *number);
    let (mut state, mut totals, mut all) =
        (State::default(), Totals::default(), Gathered::default());
    for (_, part) in parts {
        totals.add(&part.totals, &part.checksums);
        all.append(part.rows);
        part.others.into_iter().for_each(|other| state.restore(other));
    }
    state.snapshot.tables = all.build();
    Ok((state, totals))
}

/// Reads one part after the other that nobody else has taken, until there is none.
fn some(
    folder: &Path,
    format: u32,
    next: &AtomicU64,
    progress: &Progress,
) -> Result<Vec<(u64, Part)>, String> {
    let mut parts = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let path: PathBuf = checkpoint::part(folder, number);
        if !path.is_dir() {
            return Ok(parts);
        }
        parts.push((number, one(&path, format, progress)?));
    }
}

fn one(path: &Path, format: u32, progress: &Progress) -> Result<Part, String> {
    let mut reader = Reader::new(format);
    let (mut checksums, mut rows, mut others) = (Vec::new(), Gathered::default(), Vec::new());
    let mut count = 0;
    let database = checkpoint::open_sled(path)?;
    for page in database.iter() {
        let (number, page) = page.map_err(|error| error.to_string())?;
        let bad = |what: &str| format!("page {number:?} {what}");
        checksums.extend(page.first_chunk::<4>().copied());
        for item in Item::parse_all(reader.items(&page).ok_or_else(|| bad("is bad"))?) {
            let item = item.map_err(|error| bad(&error.to_string()))?;
            count += 1;
            match decode(&item).map_err(|error| bad(&format!("cannot be used: {error}")))? {
                Decoded::Row(row, stamp) => rows.push(row, stamp),
                other => others.push(other),
            }
        }
        progress.advance(1);
    }
    let mut totals = reader.totals;
    totals.items = count;
    Ok(Part { totals, checksums, rows, others })
}
