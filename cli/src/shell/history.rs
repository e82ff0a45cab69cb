//! The history of the shell, in a file of the user's.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use rustyline::Helper;
use rustyline::history::DefaultHistory;

pub(super) const LINES_MAX: usize = 1000;

/// Reads the history and says where it is kept; `None` if there is no such place.
///
/// The file is 0600 in a folder that is 0700. Keys never reach it, because no
/// command takes one as a word.
pub(super) fn load<H: Helper>(
    editor: &mut rustyline::Editor<H, DefaultHistory>,
) -> Option<PathBuf> {
    let folder = state_home()?.join("mip4ctl");
    DirBuilder::new().recursive(true).mode(0o700).create(&folder).ok()?;
    let file = folder.join("history");
    // There is none at first.
    editor.load_history(&file).ok();
    Some(file)
}

/// `$XDG_STATE_HOME`, which must be absolute to count, or its default.
fn state_home() -> Option<PathBuf> {
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    let named = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).and_then(absolute);
    let home = || std::env::var_os("HOME").map(PathBuf::from).and_then(absolute);
    named.or_else(|| Some(home()?.join(".local/state")))
}
