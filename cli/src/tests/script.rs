use std::io::Write as _;

use super::{on, snapshot};
use crate::failure::ExitStatus;
use crate::fixture::Fake;

#[test]
fn a_script_prints_one_document_a_line() {
    let script =
        "# who is bound\nshow bindings --nai *\n\n  show nodes --home-address 10.99.0.66\n";
    let done = on(Fake::network(), "-o json", script);
    assert_eq!((done.status, done.err.as_str()), (ExitStatus::Success, ""));
    let documents: Vec<serde_json::Value> =
        done.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(documents.len(), 2);
    assert_eq!(documents[1]["rows"][0]["denied"], 4);
}

#[test]
fn a_script_stops_at_its_first_error() {
    let script = "show bindings --nai nobody\nshow nonsense\nshow bindings\n";
    snapshot!("script_stops", on(Fake::network(), "-o json", script));
    let done = on(Fake::network(), "-o json --keep-going", script);
    assert_eq!(done.status, ExitStatus::NothingMatched, "the first that failed");
    let codes: Vec<serde_json::Value> = done
        .out
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["error"]["code"].clone()
        })
        .collect();
    assert_eq!(codes, [4.into(), 2.into(), serde_json::Value::Null]);
}

#[test]
fn a_script_in_a_file_and_its_options() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"show bindings -o csv --home-address 10.99.0.7\nexit\nshow nonsense\n")
        .unwrap();
    let done = on(Fake::network(), &format!("-o json -f {}", file.path().display()), "");
    assert_eq!(done.status, ExitStatus::Success, "{done}");
    assert!(done.out.starts_with("home_address,"), "{done}");
    let missing = on(Fake::network(), "-o json -f /nonexistent/script", "");
    assert_eq!(missing.json()["error"]["code"], 2);
}

#[test]
fn what_is_not_text_is_refused() {
    let done = on(Fake::network(), "", "show bindings 'open\n");
    assert_eq!(done.status, ExitStatus::Usage);
    assert!(done.err.starts_with("error: standard input:1: the quote"), "{}", done.err);
    let long: &'static str = Box::leak("x".repeat(70_000).into_boxed_str());
    assert_eq!(on(Fake::network(), "", long).status, ExitStatus::Usage);
}
