//! Cutting a damaged store off at its last good revision.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::files::{Files, RealFiles};
use crate::journal::mark::{self, Mark};
use crate::journal::{self, segment};
use crate::local::load::{self, Paths};
use crate::progress::Progress;
use crate::{OpenError, Revision};

/// What a repair did.
#[derive(Clone, Debug, Default)]
pub struct Repair {
    /// What was found, in words, in the order it was mended; nothing if the store was good.
    pub found: Vec<String>,
    /// The revision that is left.
    pub revision: Revision,
    /// The highest revision that was known to be written; what lies between is lost.
    pub written: Revision,
    /// Where the files are kept as they were found.
    pub aside: Option<PathBuf>,
}

pub(super) fn repair(paths: &Paths, progress: &Progress) -> Result<Repair, OpenError> {
    let mut repair = Repair::default();
    let before = mark::read(&paths.mark).ok().flatten().map_or(Revision(0), |mark| mark.revision);
    // Each round mends the first fault that loading meets; a file is mended at most twice.
    let rounds = 4 + 2 * fs::read_dir(&paths.journal).map_or(0, Iterator::count);
    for _ in 0..rounds {
        let error = match load::load(paths, progress) {
            Ok(loaded) => {
                repair.revision = loaded.layout.last;
                repair.written = repair.written.max(before).max(repair.revision);
                return Ok(repair);
            }
            Err(error) => error,
        };
        let OpenError::Damaged { file, offset, good, written, .. } = &error else {
            return Err(error);
        };
        let (file, offset, good) = (file.clone(), *offset, *good);
        repair.written = repair.written.max(*written);
        repair.found.push(error.to_string());
        let mended =
            Mender::new(paths, &mut repair).and_then(|mender| mender.mend(&file, offset, good));
        match mended {
            Ok(true) => {}
            // The checkpoint is what cannot be made anew from anything that is left.
            Ok(false) => return Err(error),
            Err(source) => return Err(OpenError::Io { doing: "repair", path: file, source }),
        }
    }
    Err(OpenError::Io {
        doing: "repair",
        path: paths.store.clone(),
        source: io::Error::other("one fault follows another; restore a backup"),
    })
}

struct Mender<'a> {
    paths: &'a Paths,
    aside: PathBuf,
    files: Arc<dyn Files>,
}

impl<'a> Mender<'a> {
    fn new(paths: &'a Paths, repair: &mut Repair) -> io::Result<Self> {
        let files: Arc<dyn Files> = Arc::new(RealFiles);
        let aside = match &repair.aside {
            Some(aside) => aside.clone(),
            None => {
                let mut names =
                    (1..=u32::MAX).map(|number| paths.store.join(format!("damaged-{number}")));
                names.find(|name| !name.exists()).ok_or(io::ErrorKind::AlreadyExists)?
            }
        };
        files.create_directory(&aside)?;
        repair.aside = Some(aside.clone());
        Ok(Self { paths, aside, files })
    }

    /// Mends the fault at `offset` of `file`; false if it cannot be.
    fn mend(&self, file: &Path, offset: u64, good: Revision) -> io::Result<bool> {
        if file == self.paths.mark {
            self.move_aside(file)?;
            self.write_mark(Revision(0))?;
            return Ok(true);
        }
        let is_segment = file.parent() == Some(&self.paths.journal);
        if !is_segment && file != self.paths.journal {
            return self.mend_checkpoint();
        }
        if is_segment {
            if self.begins_too_late(file, good)? {
                return Ok(false);
            }
            self.cut(file, offset)?;
        }
        self.write_mark(good)?;
        self.files.sync_directory(&self.paths.journal)?;
        Ok(true)
    }

    /// Whether nothing leads up to `file`, the first of the journal: then a checkpoint is lost.
    fn begins_too_late(&self, file: &Path, good: Revision) -> io::Result<bool> {
        let late = first(file).is_some_and(|first| first > good.next());
        let mut oldest = true;
        for entry in fs::read_dir(&self.paths.journal)? {
            oldest &= first(&entry?.path()).is_none_or(|other| Some(other) >= first(file));
        }
        Ok(late && oldest)
    }

    /// Ends the journal at `offset` of `file`.
    fn cut(&self, file: &Path, offset: u64) -> io::Result<()> {
        let start = first(file);
        for entry in fs::read_dir(&self.paths.journal)? {
            let path = entry?.path();
            if first(&path) > start {
                self.move_aside(&path)?;
            }
        }
        if offset < u64::try_from(segment::HEADER).unwrap_or(u64::MAX) {
            return self.move_aside(file);
        }
        if let Some(name) = file.file_name() {
            fs::copy(file, self.aside.join(name))?;
        }
        self.files.sync_tree(&self.aside)?;
        let mut file = self.files.open(file)?;
        file.truncate(offset)?;
        file.sync()
    }

    /// Without its checkpoint a store is whole only if the journal goes back to the beginning.
    fn mend_checkpoint(&self) -> io::Result<bool> {
        let beginning = self.paths.journal.join(journal::file_name(Revision(1)));
        if !beginning.exists() {
            return Ok(false);
        }
        for entry in fs::read_dir(&self.paths.store)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            if name.is_some_and(|name| name.starts_with("checkpoint")) {
                self.move_aside(&path)?;
            }
        }
        Ok(true)
    }

    fn move_aside(&self, path: &Path) -> io::Result<()> {
        if let Some(name) = path.file_name().filter(|_| path.exists()) {
            let mut to = self.aside.join(name);
            if to.exists() {
                let mut again = name.to_owned();
                again.push(".again");
                to = self.aside.join(again);
            }
            self.files.rename(path, &to)?;
        }
        self.files.sync_directory(&self.aside)?;
        path.parent().map_or(Ok(()), |folder| self.files.sync_directory(folder))
    }

    /// Sets the mark, lower than it was.
    fn write_mark(&self, revision: Revision) -> io::Result<()> {
        if self.paths.mark.exists() {
            self.move_aside(&self.paths.mark)?;
        }
        // What is cut off may have been seen: mirrors must not go on from there.
        Mark::create(&self.files, &self.paths.mark, revision, mark::new_lineage()?).map(drop)
    }
}

/// The revision that a segment is named by.
fn first(path: &Path) -> Option<Revision> {
    path.file_name().and_then(|name| name.to_str()).and_then(journal::first_of)
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.found.is_empty() {
            return write!(f, "nothing to repair; good up to revision {}", self.revision);
        }
        for found in &self.found {
            writeln!(f, "{found}")?;
        }
        if let Some(aside) = &self.aside {
            writeln!(f, "the files as they were found are kept in {}", aside.display())?;
        }
        let lost = self.written.0.saturating_sub(self.revision.0);
        write!(f, "cut off after revision {}; {lost} later revisions are lost", self.revision)
    }
}
