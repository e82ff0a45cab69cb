//! Programs that judge ours: written by others, installed from Debian.

use std::path::Path;

use anyhow::{Context as _, bail};

use crate::{command, run, say};

/// What the tests need, and the Debian package that has it.
const JUDGES: &[(&str, &str)] = &[
    ("/usr/bin/snmpwalk", "snmp"),
    ("/usr/sbin/snmpd", "snmpd"),
    ("/usr/sbin/snmptrapd", "snmptrapd"),
    ("/usr/bin/smilint", "smitools"),
    ("/usr/bin/tshark", "tshark"),
    ("/usr/bin/etcdctl", "etcd-client"),
    ("/usr/bin/etcd", "etcd-server"),
    ("/usr/bin/openssl", "openssl"),
    ("/usr/sbin/mkfs.ext4", "e2fsprogs"),
    ("/usr/bin/strace", "strace"),
    ("/usr/sbin/ip", "iproute2"),
    ("/usr/bin/python3", "python3"),
    ("/usr/lib/python3/dist-packages/scapy", "python3-scapy"),
    ("/usr/lib/python3/dist-packages/pytest", "python3-pytest"),
    ("/usr/lib/python3/dist-packages/xdist", "python3-pytest-xdist"),
    ("/usr/lib/python3/dist-packages/pysnmp", "python3-pysnmp4"),
];

/// Sees to it that every judge is there: installs as root, says what to install otherwise.
pub(crate) fn ensure() -> anyhow::Result<()> {
    let missing: Vec<&str> = JUDGES
        .iter()
        .filter(|(path, _)| !Path::new(path).exists())
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    if !rustix::process::geteuid().is_root() {
        bail!("the tests need programs that are not here\nhint: sudo apt-get install {packages}");
    }
    say(&format!("installing {packages}"));
    let apt = |args: &[&str]| {
        let mut apt = command("apt-get", args);
        apt.env("DEBIAN_FRONTEND", "noninteractive").stdout(std::process::Stdio::null());
        run(apt)
    };
    apt(&["update", "-q"]).context("failed to read Debian's package lists")?;
    let mut install = vec!["install", "-q", "-y", "--no-install-recommends"];
    install.extend(&missing);
    apt(&install).context("failed to install the judges")
}
