//! Keeps the kernel from answering ARP requests on an interface (RFC 5944 §4.6).
//!
//! A mobile node that is away has its home address on the interface all the same, and the kernel
//! would answer for it on the link that it visits. `arp_ignore` is 8 meanwhile: no local address is
//! answered for. What a foreign agent asks is answered by [`Arp`](super::arp::Arp).

use std::fs;
use std::io;
use std::path::PathBuf;

/// The value that answers nobody.
const NOBODY: &str = "8";
/// The kernel's own choice.
const ANYBODY: &str = "0";

/// The ARP of the kernel on one interface.
#[derive(Debug)]
pub(crate) struct KernelArp {
    setting: PathBuf,
    /// What the setting was, as long as it is ours.
    before: Option<String>,
}

impl KernelArp {
    pub(crate) fn of(interface: &str) -> Self {
        Self::at(format!("/proc/sys/net/ipv4/conf/{interface}/arp_ignore").into())
    }

    fn at(setting: PathBuf) -> Self {
        Self { setting, before: None }
    }

    /// Whether the kernel answers nobody.
    pub(crate) fn is_mute(&self) -> bool {
        self.before.is_some()
    }

    /// From here on the kernel answers nobody.
    pub(crate) fn mute(&mut self) -> io::Result<()> {
        if self.is_mute() {
            return Ok(());
        }
        let before = fs::read_to_string(&self.setting)?;
        fs::write(&self.setting, NOBODY)?;
        // What a run that was killed has left is not what the operator wants.
        let before = if before.trim() == NOBODY { ANYBODY } else { before.trim() };
        self.before = Some(before.to_owned());
        Ok(())
    }

    /// The kernel answers as it did before; also after a run that was killed.
    pub(crate) fn unmute(&mut self) -> io::Result<()> {
        let before = match self.before.take() {
            Some(before) => before,
            None if fs::read_to_string(&self.setting)?.trim() == NOBODY => ANYBODY.to_owned(),
            None => return Ok(()),
        };
        fs::write(&self.setting, before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_is_what_it_was_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let setting = folder.path().join("arp_ignore");
        let read = || fs::read_to_string(&setting).unwrap();
        fs::write(&setting, "1\n").unwrap();
        let mut arp = KernelArp::at(setting.clone());
        arp.unmute().unwrap();
        assert_eq!((read().as_str(), arp.is_mute()), ("1\n", false));
        arp.mute().unwrap();
        arp.mute().unwrap();
        assert_eq!((read().as_str(), arp.is_mute()), ("8", true));
        arp.unmute().unwrap();
        assert_eq!((read().as_str(), arp.is_mute()), ("1", false));
    }

    #[test]
    fn what_a_killed_run_left_is_mended() {
        let folder = tempfile::tempdir().unwrap();
        let setting = folder.path().join("arp_ignore");
        let read = || fs::read_to_string(&setting).unwrap();
        fs::write(&setting, "8\n").unwrap();
        KernelArp::at(setting.clone()).unmute().unwrap();
        assert_eq!(read(), "0");
        fs::write(&setting, "8\n").unwrap();
        let mut arp = KernelArp::at(setting.clone());
        arp.mute().unwrap();
        arp.unmute().unwrap();
        assert_eq!(read(), "0");
        assert!(KernelArp::at(folder.path().join("none")).mute().is_err());
    }
}
