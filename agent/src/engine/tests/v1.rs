//! SNMPv1, which has no exceptions and no `Counter64` (RFC 3584 §4).

use super::world::*;
use crate::message::{PduType, Version};

fn ask(world: &mut World, pdu_type: PduType, names: &[Vec<u32>]) -> Option<Answer> {
    let request = message(0, "public", pdu_type, [5, 0, 0], names);
    world.send(&request).map(|octets| {
        assert_eq!(Version::peek(&octets), Ok(Version::V1));
        read_answer(&octets)
    })
}

#[test]
fn exceptions_are_no_such_name_of_that_variable() {
    let mut world = World::new();
    for missing in [name(&[1, 301]), name(&[9, 1]), vec![2, 1]] {
        let names = [name(&[1, 1]), missing];
        let answer = ask(&mut world, PduType::Get, &names).unwrap();
        assert_eq!((answer.status, answer.index), (2, 2));
        assert_eq!(answer.names(), names, "the variables of the request come back");
    }
    let answer = ask(&mut world, PduType::GetNext, &[vec![1], vec![2, 9]]).unwrap();
    assert_eq!((answer.status, answer.index), (2, 2));
    assert_eq!(world.counters().out_no_such_names, 4);
}

#[test]
fn counter64_is_skipped_by_get_next_and_no_such_name_for_get() {
    let mut world = World::new();
    let answer = ask(&mut world, PduType::GetNext, &[name(&[1, 300])]).unwrap();
    assert_eq!(answer.names(), [name(&[3, 1])]);
    let answer = ask(&mut world, PduType::Get, &[name(&[2, 1])]).unwrap();
    assert_eq!((answer.status, answer.index), (2, 1));
}

#[test]
fn get_bulk_is_dropped() {
    let mut world = World::new();
    assert_eq!(ask(&mut world, PduType::GetBulk, &[name(&[1])]), None);
    assert_eq!(world.counters().in_asn_parse_errs, 1);
}

#[test]
fn too_big_brings_back_the_variables() {
    let strings: Vec<_> = (1..=10).map(|row| name(&[3, row])).collect();
    let size = ask(&mut World::new(), PduType::Get, &strings).unwrap().size;
    let answer = ask(&mut small(size), PduType::Get, &strings).unwrap();
    assert_eq!((answer.status, answer.size), (0, size));
    // The request has NULL where the response has a value, so it fits.
    let answer = ask(&mut small(size - 1), PduType::Get, &strings).unwrap();
    assert_eq!((answer.status, answer.index, answer.variables.len()), (1, 0, 10));
}

#[test]
fn authorization_error_is_no_such_name() {
    let mut world = stray_community();
    let request = message(0, "stray", PduType::Get, [1, 0, 0], &[name(&[1, 1])]);
    assert_eq!(read_answer(&world.send(&request).unwrap()).status, 2);
}
