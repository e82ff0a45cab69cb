//! `cargo xtask test`: every test, Rust first, then end to end in Python.

use anyhow::bail;

use crate::{command, judges, root, run, say};

#[derive(clap::Args)]
pub(crate) struct Test {
    /// Skip what needs network namespaces where the kernel forbids them, instead of failing
    #[arg(long)]
    allow_missing_netns: bool,
    /// Only the Rust tests
    #[arg(long, conflicts_with = "python")]
    rust: bool,
    /// Only the end-to-end tests
    #[arg(long)]
    python: bool,
}

impl Test {
    /// Runs all of it, also after a failure, so that one run tells everything.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        judges::ensure()?;
        let mut failures = Vec::new();
        if !self.python {
            failures
                .extend(run(command("cargo", &["test", "--workspace", "--no-fail-fast"])).err());
        }
        run(command("cargo", &["build", "--workspace", "--bins", "--examples"]))?;
        if !self.rust {
            failures.extend(run(self.pytest()).err());
        }
        for failure in &failures {
            say(&format!("error: {failure:#}"));
        }
        if failures.is_empty() { Ok(()) } else { bail!("tests failed") }
    }

    fn pytest(&self) -> std::process::Command {
        // Files side by side, the tests of one in turn: most of them wait more than they work.
        let words = ["-m", "pytest", "-q", "-n", "auto", "--dist", "loadfile", "tests"];
        let mut pytest = command("/usr/bin/python3", &words);
        pytest.env("MIP4_BIN_DIR", bin_dir("debug")).env("PYTHONDONTWRITEBYTECODE", "1");
        if self.allow_missing_netns {
            pytest.env("MIP4_ALLOW_MISSING_NETNS", "1");
        }
        pytest
    }
}

/// Where the tests find the programs of a profile.
pub(crate) fn bin_dir(profile: &str) -> std::path::PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into);
    target.join(profile)
}
