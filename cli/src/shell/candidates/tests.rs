use clap::CommandFactory as _;

use super::*;
use crate::grammar::Line;
use crate::line::split;

/// What completes `line`, whose last word may be unfinished.
fn complete(line: &str) -> Vec<String> {
    let mut grammar = Line::command();
    grammar.build();
    let mut words = split(line).unwrap();
    let partial = if line.ends_with(' ') { String::new() } else { words.pop().unwrap_or_default() };
    let mut in_store = |kind| match kind {
        Live::HomeAddress => vec!["10.99.0.7".to_owned(), "10.99.0.12".to_owned()],
        Live::Nai => vec!["truck-07@fleet.example".to_owned()],
        Live::Node | Live::Peer => vec!["10.99.0.7".to_owned()],
        Live::Instance => vec!["ha@gate".to_owned()],
        Live::Interface => vec!["2".to_owned()],
        Live::Offender | Live::Offered => vec!["10.99.0.66".to_owned()],
        Live::CareOf | Live::HomeAgent | Live::ForeignAgent | Live::Spi => Vec::new(),
    };
    let candidates = position(&grammar, &words).candidates(&partial, &mut in_store);
    candidates.into_iter().map(|candidate| candidate.text).collect()
}

#[test]
fn verbs_and_nouns() {
    assert_eq!(complete("sh"), ["show"]);
    assert_eq!(complete("show sta"), ["status", "statistics"]);
    assert_eq!(complete("sh bi"), ["bindings"]);
    assert!(complete("").contains(&"exit".to_owned()));
    assert!(!complete("show ").contains(&"exit".to_owned()));
    assert_eq!(complete("nonsense bi"), [""; 0]);
}

#[test]
fn options_and_their_values() {
    assert_eq!(complete("show bindings --home-"), ["--home-address", "--home-agent"]);
    assert!(complete("show bindings ").contains(&"--nai".to_owned()));
    assert_eq!(complete("show bindings --output "), ["table", "json", "csv"]);
    assert_eq!(complete("-o j"), ["json"]);
    assert_eq!(complete("show bindings --sort -"), [""; 0]);
    assert_eq!(complete("show bindings --sort care"), ["care_of_address"]);
    assert_eq!(complete("show nodes --sort den"), ["denied"]);
}

#[test]
fn live_values() {
    assert_eq!(complete("show bindings --home-address "), ["10.99.0.7", "10.99.0.12"]);
    assert_eq!(complete("sh bi --home-ad 10.99.0.1"), ["10.99.0.12"]);
    assert_eq!(complete("show nodes --nai=tr"), ["--nai=truck-07@fleet.example"]);
    // After the value the grammar goes on.
    assert_eq!(complete("show bindings --nai x --fr"), ["--fresh"]);
}

#[test]
fn settings_are_completed_from_kind_to_value() {
    let whole = |line: &str, word: &str| {
        assert!(complete(line).contains(&word.to_owned()), "{line}: {:?}", complete(line));
    };
    assert_eq!(complete("setting "), ["list", "set", "unset", "help"]);
    assert_eq!(complete("setting set not"), ["notification-gate"]);
    assert_eq!(complete("setting set notification-gate reg"), ["regional"]);
    whole("setting set enabled ", "no");
    whole("setting set enabled no --role g", "gateway");
    whole("setting set enabled no --instance ", "ha@gate");
    whole("setting set advertisement ", "2");
    whole("setting set advertisement 2 --act", "--active");
    whole("setting set violation ", "10.99.0.66");
    whole("setting unset care-of-address ", "10.99.0.66");
    whole("setting unset enabled --ins", "--instance");
}

#[test]
fn values_without_an_option() {
    assert_eq!(complete("explain 10"), ["10.99.0.7"]);
    assert!(complete("association delete ").contains(&"10.99.0.7".to_owned()));
    // One node is enough.
    assert!(!complete("explain 10.99.0.7 ").contains(&"10.99.0.7".to_owned()));
}
