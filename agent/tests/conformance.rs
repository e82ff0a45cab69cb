//! `docs/conformance-snmp.md` names tests; they must be there.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its sources has failed")]

use std::fs;
use std::path::Path;

/// The sources below a folder, one after the other.
fn sources(folder: &Path, extension: &str, out: &mut String) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, extension, out);
        } else if path.extension().is_some_and(|it| it == extension) {
            out.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// What stands between backquotes and can be the name of a test.
fn named(document: &str) -> Vec<&str> {
    let quoted = document.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    quoted.filter(|word| word.contains('_')).collect()
}

#[test]
fn every_test_that_is_named_is_there() {
    let agent = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = agent.parent().unwrap();
    let document = fs::read_to_string(root.join("docs/conformance-snmp.md")).unwrap();
    let (mut rust, mut python) = (String::new(), String::new());
    sources(&agent.join("src"), "rs", &mut rust);
    sources(&root.join("daemons/src"), "rs", &mut rust);
    sources(&root.join("tests"), "py", &mut python);
    let is_there = |name: &str| {
        rust.contains(&format!("#[test]\nfn {name}()"))
            || rust.contains(&format!("#[test]\n    fn {name}()"))
            || python.contains(&format!("\ndef {name}("))
    };
    let missing: Vec<_> = named(&document).into_iter().filter(|name| !is_there(name)).collect();
    assert_eq!(missing, Vec::<&str>::new());
    assert!(named(&document).len() > 100);
}

#[test]
fn every_step_has_a_test_or_says_what_is_open() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let document = fs::read_to_string(root.join("docs/conformance-snmp.md")).unwrap();
    let rows = document.lines().filter(|line| line.starts_with("| ") && !line.contains("| test"));
    let silent: Vec<_> = rows
        .filter(|row| named(row).is_empty() && !row.contains("**Open") && !row.contains("daemon's"))
        .filter(|row| !row.contains("driver's"))
        .collect();
    assert_eq!(silent, Vec::<&str>::new());
}
