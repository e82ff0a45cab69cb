//! Whether an interface has a link, as the kernel shows it below `/sys/class/net`.

use std::fs;
use std::path::{Path, PathBuf};

/// What has become of a link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum LinkChange {
    /// There is one, which may be another than before.
    Up,
    Down,
}

/// The carrier of one interface.
///
/// The kernel counts its changes, so a link that goes and comes between two looks is seen.
#[derive(Debug)]
pub(crate) struct Carrier {
    folder: PathBuf,
    last: Option<State>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct State {
    is_up: bool,
    changes: u64,
}

impl Carrier {
    /// Looks at an interface from here on.
    pub(crate) fn of(interface: &str) -> Self {
        Self::below(Path::new("/sys/class/net"), interface)
    }

    fn below(root: &Path, interface: &str) -> Self {
        let folder = root.join(interface);
        let last = State::read(&folder);
        Self { folder, last }
    }

    /// What has changed since the last look.
    pub(crate) fn look(&mut self) -> Option<LinkChange> {
        let state = State::read(&self.folder);
        let before = std::mem::replace(&mut self.last, state);
        if before == state {
            return None;
        }
        let is_up = |state: Option<State>| state.is_some_and(|state| state.is_up);
        match (is_up(before), is_up(state)) {
            (_, true) => Some(LinkChange::Up),
            (true, false) => Some(LinkChange::Down),
            (false, false) => None,
        }
    }
}

impl State {
    /// `None` if there is no such interface, or it is not enabled: then it has no carrier to read.
    fn read(folder: &Path) -> Option<Self> {
        let text = |name| fs::read_to_string(folder.join(name)).ok();
        let is_up = text("carrier").is_some_and(|text| text.trim() == "1");
        Some(Self { is_up, changes: text("carrier_changes")?.trim().parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_was_away_in_between_is_another() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("eth7");
        fs::create_dir(&folder).unwrap();
        let write = |carrier: &str, changes: u64| {
            fs::write(folder.join("carrier"), carrier).unwrap();
            fs::write(folder.join("carrier_changes"), format!("{changes}\n")).unwrap();
        };
        write("1\n", 2);
        let mut carrier = Carrier::below(root.path(), "eth7");
        assert_eq!(carrier.look(), None);
        write("0\n", 3);
        assert_eq!((carrier.look(), carrier.look()), (Some(LinkChange::Down), None));
        write("1\n", 4);
        assert_eq!((carrier.look(), carrier.look()), (Some(LinkChange::Up), None));
        write("1\n", 6);
        assert_eq!(carrier.look(), Some(LinkChange::Up), "down and up between two looks");
        // An interface that is not enabled has a `carrier` that cannot be read.
        fs::remove_file(folder.join("carrier")).unwrap();
        assert_eq!(carrier.look(), Some(LinkChange::Down));
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(carrier.look(), None);
        fs::create_dir(&folder).unwrap();
        write("1\n", 0);
        assert_eq!(carrier.look(), Some(LinkChange::Up));
    }
}
