//! Reading a store without changing it: checkpoint first, then the journal.

use std::path::{Path, PathBuf};

use super::checkpoint::{self, Manifest};
use super::parts;
use super::state::State;
use crate::journal::{self, Layout, mark};
use crate::progress::Progress;
use crate::{Event, OpenError, Revision};

/// All that the files of a store say.
pub(crate) struct Loaded {
    pub(crate) state: State,
    pub(crate) manifest: Option<Manifest>,
    pub(crate) mark: Option<mark::Found>,
    pub(crate) layout: Layout,
    /// The commits after the checkpoint.
    pub(crate) events: Vec<Event>,
}

/// The places of a store's files.
pub(crate) struct Paths {
    pub(crate) store: PathBuf,
    pub(crate) journal: PathBuf,
    pub(crate) mark: PathBuf,
}

impl Paths {
    pub(crate) fn new(store: &Path) -> Self {
        Self { store: store.to_owned(), journal: store.join("journal"), mark: store.join("mark") }
    }
}

/// Reads and verifies everything.
pub(crate) fn load(paths: &Paths, progress: &Progress) -> Result<Loaded, OpenError> {
    let manifest = checkpoint::read_manifest(&paths.store)?;
    let mark = mark::read(&paths.mark)?;
    let mut state = match &manifest {
        Some(manifest) => read_checkpoint(&paths.store, manifest, progress)?,
        None => State::default(),
    };
    let checkpoint = state.snapshot.revision;
    let synced = mark.map_or(Revision(0), |mark| mark.revision);
    #[cfg(test)]
    let synced = if crate::mutation::has(crate::mutation::ReadFault::IgnoreMark) {
        Revision(0)
    } else {
        synced
    };
    let mut events = Vec::new();
    progress.begin("reading the journal", super::used(&paths.journal));
    let layout = journal::read(&paths.journal, checkpoint, synced, |path, offset, record| {
        let revision = record.header.revision;
        let good = state.snapshot.revision;
        let event = state.replay(revision, record.items()).map_err(|error| OpenError::Damaged {
            file: path.to_owned(),
            offset,
            what: error.to_string(),
            good,
            written: synced.max(revision),
        })?;
        events.push(event);
        progress.advance(u64::try_from(record.length).unwrap_or(0));
        Ok(())
    })?;
    if mark.is_none() && (manifest.is_some() || !layout.segments.is_empty()) {
        return Err(OpenError::Damaged {
            file: paths.mark.clone(),
            offset: 0,
            what: "the high-water mark is missing".to_owned(),
            good: layout.last,
            written: layout.last,
        });
    }
    Ok(Loaded { state, manifest, mark, layout, events })
}

fn read_checkpoint(
    store: &Path,
    manifest: &Manifest,
    progress: &Progress,
) -> Result<State, OpenError> {
    progress.begin("verifying the files of the checkpoint", manifest.octets());
    manifest.verify_files(store, progress)?;
    progress.begin("reading the checkpoint", manifest.totals.pages);
    let folder = store.join(&manifest.folder);
    let (mut state, totals) = parts::read(&folder, manifest.format, progress)
        .map_err(|what| manifest.damaged(&folder, &what))?;
    if totals != manifest.totals {
        let what = format!(
            "it holds {} rows in {} pages instead of {} in {}, or others",
            totals.items, totals.pages, manifest.totals.items, manifest.totals.pages
        );
        return Err(manifest.damaged(&folder, &what));
    }
    state.snapshot.revision = manifest.revision;
    Ok(state)
}

pub(super) fn words(error: &OpenError) -> String {
    match error {
        OpenError::Io { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}

/// Reads every page of the sled databases in `folder`, in order, until `each` fails.
pub(crate) fn pages(
    folder: &Path,
    each: &mut dyn FnMut(&[u8]) -> Result<(), ()>,
) -> Result<(), String> {
    for number in 0.. {
        let part = checkpoint::part(folder, number);
        if !part.is_dir() {
            break;
        }
        let database = checkpoint::open_sled(&part)?;
        for page in database.iter() {
            let (number, page) = page.map_err(|error| error.to_string())?;
            each(&page).map_err(|()| format!("page {number:?} is bad"))?;
        }
    }
    Ok(())
}
