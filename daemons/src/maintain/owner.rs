//! Whose files they are: what root does to a store must not lock its daemon out.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, lchown};
use std::path::Path;

use super::failure::Problem;

/// User and group of `path`, if it is there.
pub(super) fn of(path: &Path) -> Option<(u32, u32)> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    fs::metadata(path).ok().map(|found| (found.uid(), found.gid()))
}

/// Gives everything at and below `path` to `keeper`; only root can, and only root needs to.
pub(super) fn give(path: &Path, keeper: Option<(u32, u32)>) -> Result<(), Problem> {
    let Some((uid, gid)) = keeper.filter(|_| rustix::process::geteuid().is_root()) else {
        return Ok(());
    };
    give_tree(path, uid, gid).map_err(|error| {
        let path = path.display();
        Problem::failed(format!("cannot give {path} to user {uid} and group {gid}: {error}"))
    })
}

fn give_tree(path: &Path, uid: u32, gid: u32) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    if (found.uid(), found.gid()) != (uid, gid) {
        lchown(path, Some(uid), Some(gid))?;
    }
    if found.is_dir() {
        for entry in fs::read_dir(path)? {
            give_tree(&entry?.path(), uid, gid)?;
        }
    }
    Ok(())
}
