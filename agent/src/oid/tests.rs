use super::*;

/// Grows an OID over the border between its two forms and compares with a vector.
#[test]
fn is_a_vector_at_every_length() {
    let mut oid = Oid::new();
    let mut vector = Vec::new();
    for sub_id in 0..Oid::LEN_MAX {
        let sub_id = u32::try_from(sub_id).unwrap() * 7;
        oid.push(sub_id);
        vector.push(sub_id);
        assert_eq!(oid.as_slice(), vector);
        let mut cut = oid.clone();
        for len in (0..=vector.len() + 1).rev() {
            cut.truncate(len);
            assert_eq!(cut.as_slice(), &vector[..len.min(vector.len())]);
        }
    }
}

#[test]
fn a_long_tail_moves_to_the_heap_whole() {
    let tail: Vec<u32> = (0..100).collect();
    let mut oid = Oid::from([1, 3, 6]);
    oid.extend_from_slice(&tail);
    assert_eq!(oid.len(), 103);
    assert_eq!(oid[3..], tail[..]);
}

#[test]
fn order_is_by_sub_identifier_and_a_prefix_comes_first() {
    let ordered =
        [Oid::from([1, 3]), Oid::from([1, 3, 0]), Oid::from([1, 3, 9]), Oid::from([1, 10])];
    assert!(ordered.is_sorted());
    assert_eq!(ordered[3].to_string(), "1.10");
}

#[test]
fn what_comes_after_is_what_is_greater() {
    let names: Vec<Vec<u32>> = (0..40_u32)
        .flat_map(|len| {
            let plain: Vec<u32> = (0..len).collect();
            let changed = (0..plain.len()).map(|place| {
                let mut other = plain.clone();
                other[place] = 77;
                other
            });
            changed.chain([plain.clone()]).collect::<Vec<_>>()
        })
        .collect();
    for name in &names {
        for other in &names {
            assert_eq!(Oid::from(&name[..]).is_after(other), name > other, "{name:?} {other:?}");
        }
    }
}
