//! What is not answered, and where it is counted.

use super::world::*;
use crate::message::PduType;

#[test]
fn an_unknown_community_is_counted_and_not_answered() {
    let mut world = World::new();
    for community in ["", "publi", "publix", "publicx", "PUBLIC"] {
        let request = message(1, community, PduType::Get, [1, 0, 0], &[name(&[1, 1])]);
        assert_eq!(world.send(&request), None);
    }
    assert_eq!(world.counters().in_bad_community_names, 5);
}

#[test]
fn nothing_answers_without_a_community() {
    let mut world = World::with(super::super::EngineConfig::default());
    assert_eq!(world.ask(PduType::Get, [0, 0], &[name(&[1, 1])]), None);
    assert_eq!(world.counters().in_bad_community_names, 1);
}

#[test]
fn responses_reports_and_notifications_are_not_answered() {
    let mut world = World::new();
    let types =
        [PduType::Response, PduType::Report, PduType::Trap, PduType::Inform, PduType::TrapV1];
    for pdu_type in types {
        assert_eq!(world.ask(pdu_type, [0, 0], &[name(&[1, 1])]), None);
    }
    let counters = world.counters();
    assert_eq!((counters.in_get_responses, counters.in_traps), (1, 2));
    assert_eq!(counters.unknown_pdu_handlers, 5);
    assert_eq!(counters.in_asn_parse_errs, 0);
}

#[test]
fn other_versions_are_counted() {
    let mut world = World::new();
    for version in [2, 4, -1, 77] {
        let request = message(version, "public", PduType::Get, [1, 0, 0], &[]);
        assert_eq!(world.send(&request), None);
    }
    assert_eq!(world.counters().in_bad_versions, 4);
}

#[test]
fn malformed_messages_are_counted() {
    let mut world = World::new();
    let whole = message(1, "public", PduType::Get, [1, 0, 0], &[name(&[1, 1])]);
    for end in 0..whole.len() {
        assert_eq!(world.send(&whole[..end]), None);
    }
    let counters = world.counters();
    assert_eq!(usize::try_from(counters.in_asn_parse_errs), Ok(whole.len()));
    assert_eq!(counters.in_asn_parse_errs, counters.in_pkts);
}

#[test]
fn a_community_in_no_group_is_told_so() {
    let mut world = stray_community();
    let names = [name(&[1, 1])];
    let request = message(1, "stray", PduType::Get, [1, 0, 0], &names);
    let answer = read_answer(&world.send(&request).unwrap());
    assert_eq!((answer.status, answer.index), (16, 0), "authorizationError");
    assert_eq!(answer.names(), names);
}
