//! Properties of the source tree: the layers, the lints, and how long things are.

mod measure;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::root;

/// A function longer than this wants splitting.
const FUNCTION_LINES: usize = 70;
/// A file longer than this wants splitting by subject.
const FILE_LINES: usize = 500;

/// Writes every function and file that is longer than it should be, longest first.
pub(crate) fn report(out: &mut impl Write) -> anyhow::Result<()> {
    let mut functions = Vec::new();
    let mut files = Vec::new();
    for path in sources()? {
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("failed to read `{}`", path.display()))?;
        let name = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
        files.push((text.lines().count(), name.clone()));
        functions.extend(measure::functions(&text).into_iter().map(|function| {
            (function.lines, format!("{name}:{} {}", function.line, function.name))
        }));
    }
    section(out, "files", FILE_LINES, files)?;
    section(out, "functions", FUNCTION_LINES, functions)
}

fn section(
    out: &mut impl Write,
    what: &str,
    limit: usize,
    mut measured: Vec<(usize, String)>,
) -> anyhow::Result<()> {
    measured.sort_by(|a, b| b.cmp(a));
    let count = measured.len();
    let median = measured.get(count / 2).map_or(0, |(lines, _)| *lines);
    let long: Vec<_> = measured.iter().take_while(|(lines, _)| *lines > limit).collect();
    writeln!(out, "{count} {what}, median {median} lines, {} over {limit}", long.len())?;
    for (lines, name) in long {
        writeln!(out, "  {lines:>5}  {name}")?;
    }
    Ok(())
}

/// Every Rust file that was written by hand.
fn sources() -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for name in crates()? {
        collect(&root().join(name), &mut found)?;
    }
    found.sort();
    Ok(found)
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("failed to list `{}`", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && name != "generated" && name != "target" {
            collect(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

/// The members of the workspace, as its manifest lists them.
pub(crate) fn crates() -> anyhow::Result<Vec<String>> {
    let manifest = manifest("")?;
    let members = manifest["workspace"]["members"].as_array().context("no workspace members")?;
    Ok(members.iter().filter_map(|member| member.as_str().map(str::to_owned)).collect())
}

fn manifest(name: &str) -> anyhow::Result<toml::Table> {
    let path = root().join(name).join("Cargo.toml");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("failed to read `{}`", path.display()))?;
    text.parse().with_context(|| format!("failed to parse `{}`", path.display()))
}
