//! What `mip4d store` prints, as text and as JSON.

use std::io::{self, Write as _};

use serde_json::{Value, json};
use store::maintenance::{Backup, Repair, Report};

use super::args::Output;
use super::failure::Problem;

/// What was done.
pub(super) enum Answer {
    Checked(Report),
    Repaired(Repair),
    BackedUp(Backup),
    Restored(Report),
}

pub(super) fn print(answer: &Answer, output: Output) {
    let text = match output {
        Output::Text => answer.text(),
        Output::Json => pretty(&answer.json()),
    };
    write(&text);
}

pub(super) fn print_problem(problem: &Problem) {
    write(&pretty(&json!({ "error": problem.json() })));
}

/// A closed pipe is no reason to fail.
fn write(text: &str) {
    drop(writeln!(io::stdout(), "{text}"));
}

fn pretty(value: &Value) -> String {
    format!("{value:#}")
}

impl Answer {
    fn text(&self) -> String {
        match self {
            Self::Checked(report) => report.to_string(),
            Self::Repaired(repair) => repair.to_string(),
            Self::BackedUp(Backup { file, revision, items }) => {
                format!("{} holds {items} rows and secrets at revision {revision}", file.display())
            }
            Self::Restored(report) => {
                let key = match &report.key_fault {
                    Some(fault) => {
                        format!("\nbefore it can be opened, put the key file in its place: {fault}")
                    }
                    None => String::new(),
                };
                format!("{report}{key}")
            }
        }
    }

    /// A document like those of `mip4ctl`: always `revision` and `rows`.
    fn json(&self) -> Value {
        match self {
            Self::Checked(report) | Self::Restored(report) => report_json(report),
            Self::Repaired(repair) => {
                let found: Vec<_> =
                    repair.found.iter().map(|found| json!({ "found": found })).collect();
                json!({
                    "revision": repair.revision.0,
                    "rows": found,
                    "written": repair.written.0,
                    "lost": repair.written.0.saturating_sub(repair.revision.0),
                    "aside": repair.aside,
                })
            }
            Self::BackedUp(Backup { file, revision, items }) => {
                json!({ "revision": revision.0, "rows": [{ "file": file, "items": items }] })
            }
        }
    }
}

fn report_json(report: &Report) -> Value {
    let rows: Vec<_> = report
        .rows
        .iter()
        .map(|(table, count)| json!({ "table": table.name(), "rows": count }))
        .collect();
    json!({
        "revision": report.revision.0,
        "rows": rows,
        "path": report.path,
        "format": report.format,
        "mark": report.mark.0,
        "checkpoint": report.checkpoint.map(|revision| revision.0),
        "journal": { "files": report.segments, "commits": report.commits, "torn_octets": report.torn_octets },
        "secrets": report.secrets,
        "key_fault": report.key_fault,
        "octets": report.octets,
    })
}
