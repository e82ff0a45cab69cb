use super::*;

fn nai(text: &str) -> Identity {
    Identity::Nai(Nai::new(text).unwrap())
}

fn address(text: &str) -> Identity {
    Identity::Address(text.parse().unwrap())
}

fn index_of(identity: &Identity) -> Oid {
    let mut name = Oid::new();
    push(&mut name, identity);
    name
}

/// Identities with awkward indexes, unsorted.
fn awkward() -> Vec<Identity> {
    let stem = "x".repeat(62);
    let mut all = vec![
        address("0.0.0.0"),
        address("10.0.0.1"),
        address("10.0.0.2"),
        address("255.255.255.255"),
        nai("b"),
        nai("~"),
        nai("\u{a0}"),
        nai("\u{7ff}"),
        nai("\u{d7ff}"),
        nai("\u{e000}"),
        nai("\u{10ffff}"),
        nai("aa"),
        nai("a@b"),
        nai("z@a"),
        nai("a@bc"),
        nai("é@b"),
        nai(&"y".repeat(255)),
    ];
    // Around the length that an index holds; some are cut inside a character.
    for tail in ["", "a", "aa", "ab", "aaa", "a\u{e9}", "\u{20ac}", "aé", "bé", "b\u{10ffff}"] {
        all.push(nai(&format!("{stem}{tail}")));
    }
    all
}

#[test]
fn the_order_of_identities_is_that_of_their_indexes() {
    let mut all = awkward();
    all.sort();
    let indexes: Vec<Oid> = all.iter().map(index_of).collect();
    assert!(indexes.is_sorted(), "{indexes:?}");
    assert_eq!(index_of(&address("10.0.0.1")).to_string(), "2.4.10.0.0.1");
    assert_eq!(index_of(&nai("a@b")).to_string(), "3.3.97.64.98");
}

/// Suffixes at, just before and just after every index, and cut anywhere.
fn suffixes() -> Vec<Vec<u32>> {
    let mut all = vec![vec![], vec![0], vec![1, 9], vec![4], vec![u32::MAX, 1], vec![3, 0]];
    for identity in awkward() {
        let index = index_of(&identity);
        for len in (1..=index.len()).filter(|len| *len < 8 || *len > index.len() - 4) {
            let start = &index[..len];
            let last = start[len - 1];
            for change in [last.saturating_sub(1), last, last + 1, 0, 127, 128, 255, 256, u32::MAX]
            {
                let mut suffix = start.to_vec();
                suffix[len - 1] = change;
                all.push(suffix.clone());
                suffix.push(0);
                all.push(suffix);
            }
        }
    }
    all
}

/// The definition: all identities whose index is after the suffix are at or
/// after the place to look from, and those there that are not have the suffix as index.
#[test]
fn first_after_is_the_order_of_vectors() {
    for suffix in suffixes() {
        let place = first_after(&suffix);
        for identity in awkward() {
            let index = index_of(&identity);
            let is_found = place.as_ref().is_some_and(|place| identity >= *place);
            let is_after = index[..] > suffix[..];
            let is_same = index[..] == suffix[..] || suffix.starts_with(&index);
            assert!(
                is_found == is_after || is_found && is_same,
                "{identity:?} after {suffix:?}: {place:?}"
            );
        }
    }
}

#[test]
fn exact_finds_each_index_and_nothing_before_it() {
    for identity in awkward() {
        let index = index_of(&identity);
        let place = exact(&index);
        // A NAI cut inside a character is found too.
        let place = place.unwrap();
        assert!(place <= identity, "{identity:?}: {place:?}");
        for other in awkward() {
            let is_between = place <= other && other < identity;
            assert!(!is_between || same_index(&other, &identity), "{other:?} before {identity:?}");
        }
    }
    for wrong in [
        &[2, 4, 10, 0, 0][..],
        &[2, 5, 1, 2, 3, 4, 5],
        &[3, 2, 97],
        &[1, 1, 97],
        &[2, 4, 10, 0, 0, 256],
        &[],
    ] {
        assert_eq!(exact(wrong), None, "{wrong:?}");
    }
}
