//! `cargo xtask lint`: what a machine can say about the source.

use crate::{command, run, say};

pub(crate) fn run_all() -> anyhow::Result<()> {
    run(command("cargo", &["fmt", "--all", "--", "--check"]))?;
    run(command("cargo", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    let mut doc = command("cargo", &["doc", "--workspace", "--no-deps"]);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    run(doc)?;
    crate::mibs::run(true)?;
    deny()
}

/// `cargo deny`, where it is installed; its advisories only where their list can be reached.
fn deny() -> anyhow::Result<()> {
    let installed = command("cargo", &["deny", "--version"]).output();
    if !installed.is_ok_and(|output| output.status.success()) {
        say(
            "deny: not run, because `cargo-deny` is not installed\nhint: cargo install --locked cargo-deny",
        );
        return Ok(());
    }
    run(command("cargo", &["deny", "check", "bans", "licenses", "sources"]))?;
    let fetched = command("cargo", &["deny", "fetch", "db"]).output();
    if fetched.is_ok_and(|output| output.status.success()) {
        return run(command("cargo", &["deny", "check", "advisories"]));
    }
    say("deny: advisories not checked, because their list cannot be reached from here");
    Ok(())
}
