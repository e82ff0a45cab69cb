use super::*;

/// Sub-identifiers at the borders of an octet.
const SUB_IDS: [u32; 6] = [0, 1, 254, 255, 256, u32::MAX];

/// Every suffix of up to `len` of [`SUB_IDS`].
pub(crate) fn suffixes(len: usize) -> Vec<Vec<u32>> {
    let mut all = vec![Vec::new()];
    let mut last = all.clone();
    for _ in 0..len {
        last = last
            .iter()
            .flat_map(|suffix| {
                SUB_IDS.map(|sub_id| suffix.iter().copied().chain([sub_id]).collect())
            })
            .collect();
        all.extend(last.iter().cloned());
    }
    all
}

fn is_after<T: Ord>(bound: &Bound<T>, key: &T) -> bool {
    match bound {
        Bound::Included(start) => key >= start,
        Bound::Excluded(start) => key > start,
        Bound::Unbounded => true,
    }
}

/// The definition: a key is after the bound if its index is after the suffix, as vectors compare.
#[test]
fn after_is_the_order_of_vectors() {
    let keys: Vec<[u8; 2]> =
        [0, 1, 2, 254, 255].iter().flat_map(|&a| [0, 1, 2, 254, 255].map(|b| [a, b])).collect();
    for suffix in suffixes(3) {
        let bound = after::<2>(&suffix);
        for key in &keys {
            let index: Vec<u32> = key.iter().copied().map(u32::from).collect();
            assert_eq!(is_after(&bound, key), index > suffix, "{index:?} after {suffix:?}");
        }
    }
}

#[test]
fn exact_takes_only_what_the_key_would_make() {
    for suffix in suffixes(3) {
        let fits = suffix.len() == 2 && suffix.iter().all(|&sub_id| sub_id < 256);
        let key = exact::<2>(&suffix);
        assert_eq!(key.is_some(), fits, "{suffix:?}");
        assert!(key.is_none_or(|key| key.iter().copied().map(u32::from).eq(suffix)));
    }
}
