//! The lists in `docs/conformance/` and what they name agree, in both directions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::root;

/// A row of a list: a requirement, and what shows that it is met.
struct Requirement {
    rfc: String,
    section: String,
    strength: String,
    shown_by: String,
}

impl Requirement {
    /// What stands between backquotes in the last column.
    fn quoted(&self) -> impl Iterator<Item = &str> {
        self.shown_by.split('`').skip(1).step_by(2)
    }

    /// The scenario files that it names, as `RFC/NAME.txt`.
    fn scenarios(&self) -> impl Iterator<Item = String> {
        self.quoted()
            .filter(|name| name.split_once(".txt").is_some_and(|(_, rest)| rest.is_empty()))
            .map(
                |name| {
                    if name.contains('/') {
                        name.to_owned()
                    } else {
                        format!("{}/{name}", self.rfc)
                    }
                },
            )
    }

    /// The tests that it names: words of a function's name.
    fn tests(&self) -> impl Iterator<Item = &str> {
        self.quoted().filter(|name| {
            name.contains('_') && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        })
    }

    fn place(&self) -> String {
        format!("RFC {} §{}: {}", self.rfc, self.section, self.shown_by)
    }
}

/// `rfc5944.md` of RFC 5944, for each list.
fn lists() -> BTreeMap<String, PathBuf> {
    let folder = fs::read_dir(root().join("docs/conformance")).unwrap();
    let paths = folder.map(|entry| entry.unwrap().path());
    let number = |path: &Path| {
        let name = path.file_name()?.to_str()?;
        Some(name.strip_prefix("rfc")?.strip_suffix(".md")?.to_owned())
    };
    paths.filter_map(|path| Some((number(&path)?, path))).collect()
}

fn requirements() -> Vec<Requirement> {
    let mut found = Vec::new();
    for (rfc, path) in lists() {
        let mut section = String::new();
        for line in fs::read_to_string(&path).unwrap().lines() {
            if let Some(heading) = line.strip_prefix("## §") {
                section = heading.split(' ').next().unwrap().to_owned();
            }
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            let [_, strength, what, shown_by, _] = cells.as_slice() else { continue };
            if *what == "what" || what.starts_with("---") {
                continue;
            }
            assert!(!section.is_empty(), "{}: a row before any `## §`", path.display());
            found.push(Requirement {
                rfc: rfc.clone(),
                section: section.clone(),
                strength: (*strength).to_owned(),
                shown_by: (*shown_by).to_owned(),
            });
        }
    }
    found
}

/// Every scenario file, as `RFC/NAME.txt`.
fn scenario_files() -> BTreeSet<String> {
    let root = root().join("mobility/scenarios");
    let mut files = BTreeSet::new();
    for folder in fs::read_dir(&root).unwrap().map(|it| it.unwrap().path()) {
        if !folder.is_dir() {
            continue;
        }
        let rfc = folder.file_name().unwrap().to_string_lossy().into_owned();
        for file in fs::read_dir(&folder).unwrap().map(|it| it.unwrap().path()) {
            files.insert(format!("{rfc}/{}", file.file_name().unwrap().to_string_lossy()));
        }
    }
    files
}

/// All functions of our crates and of the end-to-end tests.
fn functions() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders: Vec<PathBuf> =
        crate::tidy::crates().unwrap().iter().map(|it| root().join(it)).collect();
    folders.push(root().join("tests"));
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder).unwrap().map(|it| it.unwrap().path()) {
            let extension = path.extension().and_then(|it| it.to_str());
            let keyword = match extension {
                _ if path.is_dir() => {
                    folders.push(path);
                    continue;
                }
                Some("rs") => "fn ",
                Some("py") => "def ",
                _ => continue,
            };
            for line in fs::read_to_string(&path).unwrap().lines() {
                let Some(rest) = line.trim_start().strip_prefix(keyword) else { continue };
                names.extend(rest.split_once('(').map(|(name, _)| name.to_owned()));
            }
        }
    }
    names
}

#[test]
fn every_file_and_test_that_is_named_is_there() {
    let (files, functions) = (scenario_files(), functions());
    let requirements = requirements();
    for requirement in &requirements {
        for file in requirement.scenarios() {
            assert!(files.contains(&file), "no scenario {file}; {}", requirement.place());
        }
        for test in requirement.tests() {
            assert!(functions.contains(test), "no test {test}; {}", requirement.place());
        }
    }
    assert!(requirements.len() > 200, "{} rows", requirements.len());
}

#[test]
fn every_row_has_something_that_shows_it_or_says_why_not() {
    for requirement in requirements() {
        let strengths = ["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY", "–"];
        let strength = requirement.strength.as_str();
        assert!(strengths.contains(&strength), "`{strength}`; {}", requirement.place());
        let is_shown = requirement.scenarios().count() + requirement.tests().count() > 0;
        let reason = requirement.shown_by.strip_prefix("**Not here:** ");
        assert!(
            is_shown || reason.is_some_and(|reason| reason.len() > 20),
            "neither shown nor argued; {}",
            requirement.place()
        );
    }
}

#[test]
fn every_scenario_of_a_listed_rfc_is_named() {
    let named: BTreeSet<String> =
        requirements().iter().flat_map(|it| it.scenarios().collect::<Vec<_>>()).collect();
    let lists = lists();
    for file in scenario_files() {
        let (rfc, _) = file.split_once('/').unwrap();
        assert!(
            !lists.contains_key(rfc) || named.contains(&file),
            "mobility/scenarios/{file} is named nowhere in docs/conformance/rfc{rfc}.md"
        );
    }
}

/// `sections.tsv` has each section whose text has one of the words, and how many sentences do.
#[test]
fn every_section_that_asks_for_something_has_rows() {
    let listed: BTreeSet<(String, String)> =
        requirements().into_iter().map(|it| (it.rfc, it.section)).collect();
    let sections = fs::read_to_string(root().join("docs/conformance/sections.tsv")).unwrap();
    let mut sentences = 0;
    for line in sections.lines().skip(1) {
        let columns: Vec<_> = line.split('\t').collect();
        let [rfc, section, count] = columns.as_slice() else { panic!("{line}") };
        let key = ((*rfc).to_owned(), (*section).to_owned());
        assert!(listed.contains(&key), "RFC {rfc} §{section} has no row");
        sentences += count.parse::<u32>().unwrap();
    }
    assert!(sentences > 280, "{sentences} sentences");
}

/// The index names every list.
#[test]
fn the_index_has_every_list() {
    let index = fs::read_to_string(root().join("docs/conformance.md")).unwrap();
    for rfc in lists().keys() {
        assert!(index.contains(&format!("(conformance/rfc{rfc}.md)")), "rfc{rfc}.md");
    }
}
