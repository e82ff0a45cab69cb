//! `mip4d lab` as a script sees it.

use std::fs;

use crate::support::{Files, Running, Signal};

#[test]
fn the_lab_gets_ready_stops_cleanly_and_leaves_nothing() {
    let files = Files::new();
    let folder = files.path("");
    for signal in [Signal::INT, Signal::TERM] {
        let lab = Running::start(
            &["lab", "--nodes", "7", "--snmp", "127.0.0.1:0"],
            &[("TMPDIR", folder.as_str())],
        );
        let ready = lab.wait_for("out: ");
        assert!(ready.starts_with("out: ready: 7 mobile nodes are registered with"), "{ready}");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "it works in the temporary folder");
        assert_eq!(lab.end(signal), 0);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "and removes it");
    }
}

#[test]
fn a_given_folder_stays_and_can_be_used_again() {
    let files = Files::new();
    let folder = files.path("lab");
    let words = ["lab", "--nodes", "3", "--snmp", "127.0.0.1:0", "--directory", folder.as_str()];
    for _ in 0..2 {
        let lab = Running::start(&words, &[]);
        lab.wait_for("out: ready");
        assert!(fs::exists(files.path("lab/store.sock")).unwrap());
        assert_eq!(lab.end(Signal::INT), 0);
        assert!(!fs::exists(files.path("lab/store.sock")).unwrap());
        assert!(fs::exists(files.path("lab/store")).unwrap());
    }
}

#[test]
fn a_lab_that_is_interrupted_before_it_is_ready_ends_too() {
    let files = Files::new();
    let folder = files.path("");
    let lab = Running::start(
        &["lab", "--nodes", "2000", "--snmp", "127.0.0.1:0"],
        &[("TMPDIR", folder.as_str())],
    );
    lab.wait_for("serving");
    assert_eq!(lab.end(Signal::INT), 0);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}
