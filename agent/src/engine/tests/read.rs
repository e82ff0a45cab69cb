//! GET, GETNEXT, GETBULK (RFC 3416 §4.2.1 to §4.2.3).

use rasn_snmp::v2::VarBindValue::{self, NoSuchInstance, NoSuchObject};

use super::world::*;
use crate::message::PduType;

#[test]
fn get_answers_values_and_exact_exceptions() {
    let mut world = World::new();
    let names = [name(&[1, 7]), name(&[1, 301]), name(&[1]), name(&[4, 1]), vec![1, 3]];
    let answer = world.get(&names);
    assert_eq!((answer.request_id, answer.status, answer.index), (77, 0, 0));
    assert_eq!(answer.names(), names);
    let want = [integer(7), NoSuchInstance, NoSuchInstance, NoSuchObject, NoSuchObject];
    assert_eq!(answer.values(), want);
}

#[test]
fn get_without_variables_is_answered() {
    assert_eq!(World::new().get(&[]).variables, []);
}

#[test]
fn get_next_takes_the_successor_of_any_name() {
    let mut world = World::new();
    let after_rows = name(&[1, 300]);
    let between = name(&[1, 7, 5]);
    let answer = world.get_next(&[vec![0, 0], after_rows, between]);
    // The first object of all is the engine's own `snmpInPkts.0`.
    assert_eq!(answer.names()[0], [1, 3, 6, 1, 2, 1, 11, 1, 0]);
    assert_eq!(answer.names()[1..], [name(&[2, 1]), name(&[1, 8])]);
}

#[test]
fn end_of_mib_view_keeps_the_name_of_the_request() {
    let mut world = World::new();
    let beyond = vec![2, 5, 4];
    let answer = world.get_next(std::slice::from_ref(&beyond));
    assert_eq!(answer.variables, [(beyond, VarBindValue::EndOfMibView)]);
}

#[test]
fn get_bulk_takes_non_repeaters_once_and_the_others_in_turns() {
    let mut world = World::new();
    let request = [name(&[3, 9]), name(&[1]), name(&[1, 100])];
    let answer = world.get_bulk([1, 2], &request);
    let want = [[3, 10], [1, 1], [1, 101], [1, 2], [1, 102]].map(|suffix| name(&suffix));
    assert_eq!(answer.names(), want);
}

#[test]
fn negative_non_repeaters_and_repetitions_are_zero() {
    let mut world = World::new();
    let answer = world.get_bulk([-1, 2], &[name(&[1])]);
    assert_eq!(answer.names(), [name(&[1, 1]), name(&[1, 2])]);
    let answer = world.get_bulk([-5, -1], &[name(&[1])]);
    assert_eq!(answer.variables, []);
    let answer = world.get_bulk([5, -1], &[name(&[1])]);
    assert_eq!(answer.names(), [name(&[1, 1])], "more non-repeaters than variables");
}

#[test]
fn get_bulk_stops_after_the_first_repetition_that_is_all_end() {
    let mut world = World::seeing(&[(ROOT, true)]);
    let answer = world.get_bulk([0, 50], &[name(&[3, 298]), vec![2, 5]]);
    let end = VarBindValue::EndOfMibView;
    let names = [[3, 299], [3, 300], [3, 300]].map(|suffix| name(&suffix));
    assert_eq!(answer.variables.len(), 6);
    for (repetition, want) in names.iter().enumerate() {
        assert_eq!(answer.names()[2 * repetition], *want);
        assert_eq!(answer.variables[2 * repetition + 1], (vec![2, 5], end.clone()));
    }
    assert_eq!(answer.values()[4], end);
}

#[test]
fn get_bulk_fills_the_message_and_no_more() {
    for size_max in [484, 485, 500, 1472, 4000] {
        let mut world = small(size_max);
        let answer = world.get_bulk([0, i32::MAX], &[name(&[1])]);
        assert_eq!(answer.status, 0);
        assert!(answer.size <= size_max);
        // One more variable is 20 octets, the bound on the headers at most 40 too high.
        assert!(answer.size + 60 > size_max, "{} of {size_max}", answer.size);
        assert!(answer.names().is_sorted_by(|a, b| a < b));
    }
}

#[test]
fn get_bulk_with_two_billion_repetitions_of_many_ends() {
    let mut world = World::new();
    let names: Vec<_> = (0..1000).map(|n| name(&[1, n % 300])).collect();
    let answer = world.get_bulk([0, i32::MAX], &names);
    assert!(answer.size <= 65_507);
    assert!(answer.variables.len() > 2000);
}

#[test]
fn get_bulk_is_too_big_only_if_one_variable_does_not_fit() {
    let size = World::new().get_bulk([0, 1], &[name(&[1])]).size;
    let answer = small(size).get_bulk([0, 10], &[name(&[1])]);
    assert_eq!((answer.status, answer.variables.len(), answer.size), (0, 1, size));
    let answer = small(size - 1).get_bulk([0, 10], &[name(&[1])]);
    assert_eq!((answer.status, answer.variables.len()), (1, 0));
}

#[test]
fn too_big_has_no_variables() {
    let mut world = small(484);
    let names: Vec<_> = (1..=300).map(|row| name(&[1, row])).collect();
    for pdu_type in [PduType::Get, PduType::GetNext] {
        let answer = world.ask(pdu_type, [0, 0], &names).unwrap();
        assert_eq!((answer.status, answer.index), (1, 0));
        assert_eq!(answer.variables, []);
    }
    assert_eq!(world.counters().out_too_bigs, 2);
}

#[test]
fn what_never_fits_is_dropped_and_counted() {
    let mut world = small(20);
    assert_eq!(world.ask(PduType::Get, [0, 0], &[name(&[1, 1])]), None);
    assert_eq!(world.counters().silent_drops, 1);
    assert_eq!(world.counters().out_pkts, 0);
}

#[test]
fn a_large_get_is_too_big_rather_than_silent() {
    let mut world = World::new();
    let names: Vec<_> = (0..6000).map(|_| name(&[1, 7])).collect();
    let answer = world.get(&names);
    let mut fitting = names.clone();
    fitting.truncate(2000);
    assert_eq!((answer.status, answer.variables.len()), (1, 0));
    assert_eq!(world.get(&fitting).variables.len(), 2000);
}

#[test]
fn a_walk_visits_every_variable_once_in_order() {
    let mut world = World::seeing(&[(ROOT, true)]);
    let mut at = vec![1];
    let mut seen = Vec::new();
    loop {
        let answer = world.get_bulk([0, 25], &[at.clone()]);
        let ended = answer.values().contains(&VarBindValue::EndOfMibView);
        seen.extend(
            answer.variables.into_iter().filter(|(_, value)| *value != VarBindValue::EndOfMibView),
        );
        if ended {
            break;
        }
        at = seen.last().unwrap().0.clone();
    }
    assert_eq!(seen.len(), 900);
    assert!(seen.is_sorted_by(|a, b| a.0 < b.0));
}

#[test]
fn what_is_not_in_the_view_is_no_object_and_is_skipped() {
    let (column, row) = (name(&[1]), name(&[2, 7]));
    let mut world = World::seeing(&[(&[1, 3, 6, 1, 4], true), (&column, false), (&row, false)]);
    let answer = world.get(&[name(&[1, 7]), name(&[2, 7])]);
    assert_eq!(answer.values(), [NoSuchObject, NoSuchObject]);
    let answer = world.get_next(&[vec![1], name(&[2, 6]), name(&[3, 300])]);
    assert_eq!(answer.names(), [name(&[2, 1]), name(&[2, 8]), name(&[3, 300])]);
    assert_eq!(answer.values()[2], VarBindValue::EndOfMibView);
}

#[test]
fn a_view_of_one_instance_shows_it() {
    let instance = name(&[3, 250]);
    let mut world = World::seeing(&[(&instance, true)]);
    assert_eq!(world.get_next(&[vec![0, 0]]).names(), std::slice::from_ref(&instance));
    let answer = world.get_next(&[instance]);
    assert_eq!(answer.values(), [VarBindValue::EndOfMibView]);
}

#[test]
fn counters_are_managed_objects_that_count() {
    let mut world = World::new();
    let in_pkts = vec![1, 3, 6, 1, 2, 1, 11, 1, 0];
    world.send(b"nonsense");
    let answer = world.get(&[in_pkts]);
    let want = rasn_smi::v2::ApplicationSyntax::Counter(rasn_smi::v1::Counter(2));
    let want = VarBindValue::Value(rasn_smi::v2::ObjectSyntax::ApplicationWide(want));
    assert_eq!(answer.values(), [want]);
    let counters = world.counters();
    assert_eq!((counters.in_asn_parse_errs, counters.in_get_requests), (1, 1));
    assert_eq!((counters.in_total_req_vars, counters.out_get_responses), (1, 1));
}

/// What the store has is an error until there is a store, to walks that come by as well; what the
/// engine has of itself is answered, and who may not see the modules is not told of them.
#[test]
fn nothing_of_a_store_that_is_on_its_way_is_answered() {
    const GEN_ERR: u32 = 5;
    const MIP_MIB: [u32; 7] = [1, 3, 6, 1, 2, 1, 44];
    let binding_count = [&MIP_MIB[..], &[1, 6, 3, 27, 0]].concat();
    let in_pkts = vec![1, 3, 6, 1, 2, 1, 11, 1, 0];
    let mut world = World::seeing(&[(&[1], true)]);
    world.engine.set_loading(true);
    let answer = world.get(&[in_pkts.clone(), binding_count.clone()]);
    assert_eq!((answer.status, answer.index), (GEN_ERR, 2));
    assert_eq!(world.get(std::slice::from_ref(&in_pkts)).status, 0);
    for before in [vec![1, 3, 6, 1, 2, 1, 43], MIP_MIB.to_vec(), binding_count.clone()] {
        assert_eq!(world.get_next(std::slice::from_ref(&before)).status, GEN_ERR, "{before:?}");
        assert_eq!(world.get_bulk([0, 10], &[before]).status, GEN_ERR);
    }
    let answer = world.get_bulk([0, 100], &[vec![1, 3, 6, 1, 2, 1, 11]]);
    assert_eq!(answer.status, 0);
    assert!(answer.names().iter().all(|name| name[..] < MIP_MIB[..]));
    world.engine.set_loading(false);
    assert_eq!(world.get(&[binding_count]).status, 0);
    let mut narrow = World::seeing(&[(&[1, 3, 6, 1, 2, 1, 11], true)]);
    narrow.engine.set_loading(true);
    let end = narrow.get_next(&[vec![1, 3, 6, 1, 2, 1, 12]]);
    assert_eq!(end.values(), [VarBindValue::EndOfMibView]);
}
