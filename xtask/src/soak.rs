//! `cargo xtask soak`: the large numbers, run once for a release, not in CI.

use crate::test::bin_dir;
use crate::{command, fuzz, judges, run};

/// The name of the part that is no test.
const FUZZ: &str = "fuzz";

#[derive(clap::Args)]
pub(crate) struct Soak {
    /// Only the tests whose name contains this; `fuzz` runs the fuzzers alone
    #[arg(value_name = "NAME")]
    only: Option<String>,
    /// How long each fuzz target runs
    #[arg(long, value_name = "SECONDS", default_value_t = fuzz::SECONDS)]
    fuzz_seconds: u32,
}

impl Soak {
    /// The same tests as `cargo xtask test` runs, with their large numbers.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        if self.only.as_deref() == Some(FUZZ) {
            return fuzz::run_all(self.fuzz_seconds);
        }
        judges::ensure()?;
        if self.only.is_none() {
            rust()?;
        }
        // Large numbers are of the programs that operators run.
        run(command("cargo", &["build", "--release", "--workspace", "--bins", "--examples"]))?;
        let mut pytest = command("/usr/bin/python3", &["-m", "pytest", "-v", "-s", "tests"]);
        pytest
            .env("MIP4_BIN_DIR", bin_dir("release"))
            .env("MIP4_SOAK", "1")
            .env("PYTHONDONTWRITEBYTECODE", "1");
        pytest.args(["-k", self.only.as_deref().unwrap_or("soak")]);
        run(pytest)?;
        if self.only.is_none() { fuzz::run_all(self.fuzz_seconds) } else { Ok(()) }
    }
}

/// What is in Rust, which no name chooses from.
fn rust() -> anyhow::Result<()> {
    let mut images = command("cargo", &["test", "--release", "-p", "store", "--", "crash_images"]);
    images.env("MIP4_CRASH_IMAGES", "1000");
    run(images)?;
    // What random input comes to one time in some thousands shows here, not in CI.
    let mut properties = command("cargo", &["test", "--workspace", "--lib", "--bins"]);
    properties.env("PROPTEST_CASES", "20000");
    run(properties)?;
    let mut fuzz = command(
        "cargo",
        &["test", "--release", "-p", "agent", "--lib", "--", "--nocapture", "every_message_is"],
    );
    fuzz.env("MIP4_FUZZ_MESSAGES", "10000000");
    run(fuzz)
}
