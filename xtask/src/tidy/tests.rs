//! What must hold of the tree.

use super::measure::{Function, functions};
use super::{crates, manifest, report, root, sources};

/// Every crate with the crates of ours that it may use; ARCHITECTURE.md, "Layers".
const LAYERS: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("mibs", &[]),
    ("store", &["wire"]),
    ("mobility", &["wire", "store"]),
    ("agent", &["wire", "mibs", "store"]),
    ("daemons", &["wire", "mibs", "store", "mobility", "agent"]),
    ("cli", &["store"]),
    ("xtask", &[]),
];

#[test]
fn every_crate_has_its_layer() {
    let mut listed: Vec<&str> = LAYERS.iter().map(|(name, _)| *name).collect();
    let mut members = crates().unwrap();
    listed.sort_unstable();
    members.sort_unstable();
    assert_eq!(listed, members);
}

#[test]
fn crates_depend_only_on_lower_layers() {
    for (name, allowed) in LAYERS {
        let manifest = manifest(name).unwrap();
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(used) = manifest.get(section).and_then(toml::Value::as_table) else {
                continue;
            };
            for used in used.keys() {
                let is_ours = LAYERS.iter().any(|(ours, _)| ours == used);
                assert!(
                    !is_ours || allowed.contains(&used.as_str()),
                    "`{name}` must not depend on `{used}`; see ARCHITECTURE.md, \"Layers\""
                );
            }
        }
    }
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    for name in crates().unwrap() {
        let manifest = manifest(&name).unwrap();
        let inherits = manifest.get("lints").and_then(|lints| lints.get("workspace"));
        assert_eq!(inherits.and_then(toml::Value::as_bool), Some(true), "`{name}`");
    }
}

/// Machines without a clock: their manifests must not even offer one.
#[test]
fn sans_io_crates_have_no_runtime() {
    for name in ["wire", "mibs", "mobility", "agent"] {
        let manifest = manifest(name).unwrap();
        let used = manifest.get("dependencies").and_then(toml::Value::as_table);
        for forbidden in ["tokio", "socket2", "rustix"] {
            assert!(
                !used.is_some_and(|used| used.contains_key(forbidden)),
                "`{name}`: {forbidden}"
            );
        }
    }
}

#[test]
fn source_has_no_unfinished_marks() {
    let marks = ["TO".to_owned() + "DO", "FIX".to_owned() + "ME", "XX".to_owned() + "X"];
    for path in sources().unwrap() {
        let text = std::fs::read_to_string(&path).unwrap();
        for mark in &marks {
            assert!(!text.contains(mark.as_str()), "{}: {mark}", path.display());
        }
    }
}

#[test]
fn ci_runs_lint_and_test_alone() {
    let text = std::fs::read_to_string(root().join(".ci/run")).unwrap();
    let tasks: Vec<&str> = text.lines().filter(|line| line.starts_with("cargo")).collect();
    assert_eq!(tasks, ["cargo xtask lint", "cargo xtask test"]);
}

#[test]
fn lengths_are_reported() {
    let mut out = Vec::new();
    report(&mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains(" files, median ") && text.contains(" functions, median "), "{text}");
}

#[test]
fn a_function_ends_at_its_own_indent() {
    let text =
        "impl X {\n    pub fn a(&self) {\n        if b {\n        }\n    }\n    fn c();\n}\n";
    assert_eq!(functions(text), [Function { name: "a".to_owned(), line: 2, lines: 4 }]);
}
