//! The fuzzers of `fuzz/`: every target for a while, on the stable compiler.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, bail};

use crate::{command, root, run, say};

/// How long a target runs unless told otherwise, in seconds.
pub(crate) const SECONDS: u32 = 600;

/// Runs every target for `seconds`, as many at a time as there are processors.
///
/// What a fuzzer finds of interest goes below `target/fuzz/`; a finding that breaks a decoder is
/// named in the log beside it, and belongs into `fuzz/corpus/`.
pub(crate) fn run_all(seconds: u32) -> anyhow::Result<()> {
    ensure_tool()?;
    let targets = targets()?;
    // One build for all, so that it is not counted as time to fuzz.
    let mut build = cargo_fuzz("build");
    build.args(["--fuzz-dir", "fuzz"]);
    run(build)?;
    let queue = Mutex::new(targets.iter().cloned().collect::<VecDeque<_>>());
    let failed = Mutex::new(Vec::new());
    let workers = thread::available_parallelism().map_or(1, usize::from);
    say(&format!("{} fuzz targets, {seconds} s each, {workers} at a time", targets.len()));
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(target) = lock(&queue).pop_front() {
                    match run_one(&target, seconds) {
                        Ok(summary) => say(&format!("{target}: {summary}")),
                        Err(error) => {
                            say(&format!("{target}: {error:#}"));
                            lock(&failed).push(target);
                        }
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    if failed.is_empty() { Ok(()) } else { bail!("fuzzing broke {}", failed.join(", ")) }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The names of all targets.
pub(crate) fn targets() -> anyhow::Result<Vec<String>> {
    let folder = root().join("fuzz/targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

/// Installs cargo-fuzz when it is missing.
fn ensure_tool() -> anyhow::Result<()> {
    let there = cargo_fuzz("--version").output().is_ok_and(|output| output.status.success());
    if there { Ok(()) } else { run(command("cargo", &["install", "--locked", "cargo-fuzz"])) }
}

/// Sanitizers and coverage are unstable options, which this lets the stable compiler take.
fn cargo_fuzz(verb: &str) -> Command {
    let mut command = command("cargo", &["fuzz", verb]);
    command.env("RUSTC_BOOTSTRAP", "1");
    command
}

/// Fuzzes one target; says in a line what was done.
fn run_one(target: &str, seconds: u32) -> anyhow::Result<String> {
    let scratch = scratch().join(target);
    fs::create_dir_all(&scratch)?;
    let log = scratch.with_extension("log");
    let mut fuzz = cargo_fuzz("run");
    // New inputs go to the first folder; the seeds that are committed stay as they are.
    fuzz.args(["--fuzz-dir", "fuzz", target]);
    fuzz.arg(&scratch).arg(Path::new("fuzz/corpus").join(target));
    fuzz.args(["--", "-print_final_stats=1", "-rss_limit_mb=2048", "-timeout=10"]);
    fuzz.arg(format!("-max_total_time={seconds}"));
    let file = File::create(&log)?;
    let status = fuzz.stdout(file.try_clone()?).stderr(file).status()?;
    let text = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    if !status.success() {
        bail!("{status}; see {}", log.display());
    }
    Ok(summary(&text))
}

fn scratch() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into);
    target.join("fuzz")
}

/// What libFuzzer says at its end, and the coverage that it reached.
fn summary(log: &str) -> String {
    let done = log.lines().rev().find_map(|line| line.strip_prefix("Done "));
    let coverage = log.lines().rev().find_map(|line| {
        let (_, rest) = line.split_once(" cov: ")?;
        rest.split_whitespace().next()
    });
    let (done, coverage) = (done.unwrap_or("no runs"), coverage.unwrap_or("no"));
    format!("{done}, {coverage} edges, clean")
}

#[cfg(test)]
mod tests {
    use super::{summary, targets};
    use crate::root;

    #[test]
    fn a_summary_has_the_runs_and_the_last_coverage() {
        let log = "#2\tINITED cov: 30 ft: 31 corp: 1/1b\n#9\tNEW    cov: 45 ft: 61 corp: 2/9b\n\
                   Done 1234 runs in 601 second(s)\nstat::average_exec_per_sec: 2\n";
        assert_eq!(summary(log), "1234 runs in 601 second(s), 45 edges, clean");
    }

    /// A decoder without a target is one that nobody fuzzes.
    #[test]
    fn every_decoder_has_a_target_and_every_target_seeds() {
        let source = std::fs::read_to_string(root().join("fuzz/src/decoders.rs")).unwrap();
        for target in targets().unwrap() {
            assert!(source.contains(&format!("(\"{target}\", ")), "no decoder `{target}`");
            let seeds = std::fs::read_dir(root().join("fuzz/corpus").join(&target)).unwrap();
            assert!(seeds.count() > 0, "no seeds for `{target}`");
        }
        let mut found = 0;
        for parser in parsers() {
            let fuzzed = [format!("{parser}::parse"), format!(", {parser})")];
            assert!(
                fuzzed.iter().any(|name| source.contains(name)),
                "`{parser}::parse` has no fuzz target"
            );
            found += 1;
        }
        assert!(found > 20, "{found} decoders");
    }

    /// The types of `wire` that have a public `parse`.
    fn parsers() -> Vec<String> {
        let mut types = Vec::new();
        for entry in std::fs::read_dir(root().join("wire/src")).unwrap() {
            let path = entry.unwrap().path();
            if !path.is_file() {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let mut current = None;
            for line in text.lines() {
                if let Some(rest) = line.strip_prefix("impl") {
                    let words = rest.split_once("> ").map_or(rest, |(_, rest)| rest).trim();
                    let name = words.split(['<', ' ']).next().unwrap_or_default();
                    current = Some(name.to_owned());
                }
                if line.starts_with("    pub fn parse(") {
                    types.extend(current.clone());
                }
            }
        }
        types
    }
}
