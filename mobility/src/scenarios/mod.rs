//! Plays the files in `scenarios/` and compares transcripts.
//!
//! A line at the margin is an input: first what there is (`home-agent`,
//! `association`, …), then events, each with its time. The indented lines below
//! it say what came out. `UPDATE_SCENARIOS=1` rewrites the files, and
//! `git diff` shows what changed. README.md beside the files has the words.

mod datagrams;
mod notifications;
mod operations;
mod print;
mod regional;
mod setup;
mod words;
mod world;

use std::path::{Path, PathBuf};
use std::{env, fs};

use store::Counter;
use words::Words;
use world::World;

/// Every scenario file, in the order of names.
pub(crate) fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let folders = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let files = folders
        .filter(|path| path.is_dir())
        .flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    let mut files: Vec<_> = files.collect();
    files.sort();
    files
}

#[test]
fn scenarios_play_as_written() {
    let mut wrong = Vec::new();
    for path in files() {
        let expected = fs::read_to_string(&path).unwrap();
        let actual = play(&expected, &path);
        if env::var_os("UPDATE_SCENARIOS").is_some() {
            fs::write(&path, actual).unwrap();
        } else if actual != expected {
            wrong.push(format!("{}:\n{}", path.display(), difference(&expected, &actual)));
        }
    }
    assert!(wrong.is_empty(), "{} scenarios differ\n{}", wrong.len(), wrong.join("\n"));
}

/// What no machine counts, and why.
const COUNTED_ELSEWHERE: &[(Counter, &str)] = &[
    (Counter::SendErrors, "the driver sees them"),
    (Counter::MnGratuitousARPsSend, "who carries out `Arp::Announce` counts it"),
    (Counter::HaGratuitiousARPsSent, "who carries out `Arp::Announce` counts it"),
    (Counter::HaProxyARPsSent, "who answers after `Arp::StartProxy` counts them"),
    (Counter::FaVJCompressionUnavailable, "RFC 5944 has no such compression any more"),
    (Counter::FaUnknownChallenge, "challenges (RFC 4721) are not offered"),
    (Counter::FaMissingChallenge, "challenges (RFC 4721) are not offered"),
    (Counter::FaStaleChallenge, "challenges (RFC 4721) are not offered"),
];

/// Each counter counts in some scenario, or it is said why not.
#[test]
fn every_counter_counts_somewhere() {
    let scenarios: String = files().iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    for counter in Counter::ALL {
        let counts = scenarios.contains(&format!("    {counter:?} +"));
        let elsewhere = COUNTED_ELSEWHERE.iter().find(|(other, _)| other == counter);
        assert_ne!(counts, elsewhere.is_some(), "{counter:?}: {elsewhere:?}");
    }
}

/// The lines from the first one that differs.
fn difference(expected: &str, actual: &str) -> String {
    let same = expected.lines().zip(actual.lines()).take_while(|(a, b)| a == b).count();
    let from = |text: &str| text.lines().skip(same).take(4).collect::<Vec<_>>().join("\n  ");
    format!(
        "  expected from line {}:\n  {}\n  actual:\n  {}",
        same + 1,
        from(expected),
        from(actual)
    )
}

/// Returns `scenario` with what its inputs really cause.
fn play(scenario: &str, path: &Path) -> String {
    let mut world = World::default();
    let mut transcript = String::new();
    for line in scenario.lines().filter(|line| !line.starts_with(' ')) {
        transcript.push_str(line);
        transcript.push('\n');
        let words = line.split('#').next().unwrap_or_default();
        if words.trim().is_empty() {
            continue;
        }
        let words = Words::parse(words);
        let output = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.input(&words)));
        let output = output.unwrap_or_else(|_| panic!("{}: {line}", path.display()));
        for line in output {
            transcript.push_str("    ");
            transcript.push_str(&line);
            transcript.push('\n');
        }
        words.assert_all_read(&format!("{}: {line}", path.display()));
    }
    transcript
}
