//! `cargo xtask`: everything that CI and engineers run on this repository.

#[cfg(test)]
mod conformance;
mod fuzz;
mod judges;
mod lint;
mod mibs;
mod proto;
mod soak;
mod test;
mod tidy;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail};
use clap::Parser;

/// Tasks of the repository
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    /// Check format, lints, documentation, generated files, and dependencies
    Lint,
    /// Install missing judges, then run every test
    Test(test::Test),
    /// Run the large numbers: crash loops, fuzzing, long simulations
    Soak(soak::Soak),
    /// Make the Rust tables of the MIB modules
    Mibs(Mibs),
    /// Generate the store's protocol from store/proto
    Proto {
        /// Only say whether it is up to date
        #[arg(long)]
        check: bool,
    },
    /// Report function and file lengths
    Tidy,
}

#[derive(clap::Args)]
struct Mibs {
    /// Only compare with what is committed
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    let done = match Task::parse() {
        Task::Lint => lint::run_all(),
        Task::Test(test) => test.run(),
        Task::Soak(soak) => soak.run(),
        Task::Mibs(mibs) => mibs::run(mibs.check),
        Task::Proto { check } => proto::run(check),
        Task::Tidy => tidy::report(&mut std::io::stdout().lock()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            say(&format!("error: {err:#}"));
            ExitCode::FAILURE
        }
    }
}

/// The root of the repository.
fn root() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().map_or(manifest.clone(), PathBuf::from)
}

/// A command that runs in the root of the repository.
fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(root());
    command
}

/// Runs `command` to its end; an error if it fails.
fn run(mut command: Command) -> anyhow::Result<()> {
    let words = words(&command);
    say(&format!("$ {words}"));
    let status = command.status().with_context(|| format!("failed to start `{words}`"))?;
    if !status.success() {
        bail!("`{words}` failed: {status}");
    }
    Ok(())
}

fn words(command: &Command) -> String {
    let args = command.get_args().map(|arg| arg.to_string_lossy().into_owned());
    let program = command.get_program().to_string_lossy().into_owned();
    [program].into_iter().chain(args).collect::<Vec<_>>().join(" ")
}

/// Tells the person who runs the task.
#[expect(clippy::print_stderr, reason = "a task talks to the person who runs it")]
fn say(line: &str) {
    eprintln!("{line}");
}
