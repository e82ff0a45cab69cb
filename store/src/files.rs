//! The few file operations that durability rests on, behind a trait, so that
//! tests can record them, make them fail, and crash between any two.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// Changes to a file system. Reading needs no such layer: it goes to `std::fs`.
pub(crate) trait Files: Send + Sync + 'static {
    /// Makes a file that must not exist yet, for its owner alone.
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>>;
    /// Opens a file for writing.
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes a directory, and its parents, unless it is there.
    fn create_directory(&self, path: &Path) -> io::Result<()>;
    /// Removes a directory with all that is in it.
    fn remove_directory(&self, path: &Path) -> io::Result<()>;
    /// Syncs the names in a directory.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
    /// Syncs every file and directory at or below `path`, whoever wrote them.
    fn sync_tree(&self, path: &Path) -> io::Result<()>;
}

/// A file that is written at known places.
pub(crate) trait File: Send {
    fn write_at(&mut self, offset: u64, octets: &[u8]) -> io::Result<()>;
    /// `fdatasync`: what was written, and what is needed to read it back.
    fn sync(&mut self) -> io::Result<()>;
    fn truncate(&mut self, length: u64) -> io::Result<()>;
}

/// The file system of the host.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RealFiles;

impl Files for RealFiles {
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let file =
            OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        Ok(Box::new(file))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        Ok(Box::new(OpenOptions::new().read(true).write(true).open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        fs::File::open(path)?.sync_all()
    }

    fn sync_tree(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            for entry in fs::read_dir(path)? {
                self.sync_tree(&entry?.path())?;
            }
        }
        fs::File::open(path)?.sync_all()
    }
}

impl File for fs::File {
    fn write_at(&mut self, offset: u64, octets: &[u8]) -> io::Result<()> {
        self.write_all_at(octets, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

#[cfg(test)]
pub(crate) mod recorder;
