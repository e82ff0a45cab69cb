use store::wire::{Code, Spi};
use store::{Identity, Trail, TrailEvent, Unknown};

use super::{on, snapshot};
use crate::failure::ExitStatus;
use crate::fixture::Fake;

#[test]
fn explain_says_what_is_known() {
    snapshot!("explain_bound", on(Fake::network(), "explain 10.99.0.7", ""));
    snapshot!("explain_denied_json", on(Fake::network(), "-o json explain 10.99.0.66", ""));
    snapshot!("explain_clock", on(Fake::whole_network(), "explain 10.99.0.66", ""));
    // A node is found by its home address, although its rows go by its NAI.
    let by_address = on(Fake::network(), "explain 10.99.0.12", "");
    let by_name = on(Fake::network(), "explain truck-07@fleet.example", "");
    assert_eq!(by_address.out, by_name.out);
    assert_eq!(on(Fake::network(), "explain 10.1.1.1", "").status, ExitStatus::NothingMatched);
}

#[test]
fn explain_says_where_a_node_visits() {
    for node in ["truck-07@fleet.example", "10.99.0.12"] {
        let done = on(Fake::whole_network(), &format!("explain {node}"), "");
        assert!(
            done.out.contains("10.99.0.12 at foreign agent 203.0.113.1, 500 s left"),
            "{}",
            done.out
        );
        assert!(done.out.contains("through foreign agent 203.0.113.1 by home agent 192.0.2.1"));
    }
}

#[test]
fn explain_says_what_to_look_at_after_a_foreign_agent_refused() {
    let explained = |code: u8| {
        let mut fake = Fake::network();
        let peer = "10.99.0.77:5000".parse().unwrap();
        fake.put(Trail {
            agent: [203, 0, 113, 1].into(),
            identity: Identity::Address([10, 99, 0, 77].into()),
            events: vec![TrailEvent {
                at: crate::fixture::seconds_ago(5),
                event: "timeout".into(),
                code: Some(Code(code)),
                peer: Some(peer),
                care_of_address: None,
                spi: Some(Spi(1000)),
                clock_offset: None,
                times: 3,
            }],
            unknown: Unknown::default(),
        });
        on(fake, "explain 10.99.0.77", "").out
    };
    let words =
        "refused with 78 (registration timeout), 3 times in a row, from 10.99.0.77:5000, SPI 1000";
    assert!(explained(78).contains(words), "{}", explained(78));
    for (code, words) in [
        (66, "max-pending"),
        (67, "mobile node and foreign agent"),
        (78, "did not answer in time"),
        (82, "the way to its home agent"),
    ] {
        assert!(explained(code).contains(words), "{code}: {}", explained(code));
    }
}
