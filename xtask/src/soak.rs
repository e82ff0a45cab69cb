//! `cargo xtask soak`: the large numbers, run once for a release, not in CI.

use crate::test::bin_dir;
use crate::{command, judges, run};

#[derive(clap::Args)]
pub(crate) struct Soak {
    /// Only the tests whose name contains this
    #[arg(value_name = "NAME")]
    only: Option<String>,
}

impl Soak {
    /// The same tests as `cargo xtask test` runs, with their large numbers.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        judges::ensure()?;
        let mut rust =
            command("cargo", &["test", "--release", "-p", "store", "--", "crash_images"]);
        rust.env("MIP4_CRASH_IMAGES", "1000");
        run(rust)?;
        run(command("cargo", &["build", "--workspace", "--bins", "--examples"]))?;
        let mut pytest = command("/usr/bin/python3", &["-m", "pytest", "-v", "-s", "tests"]);
        pytest
            .env("MIP4_BIN_DIR", bin_dir())
            .env("MIP4_SOAK", "1")
            .env("PYTHONDONTWRITEBYTECODE", "1");
        pytest.args(["-k", self.only.as_deref().unwrap_or("soak")]);
        run(pytest)
    }
}
