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
