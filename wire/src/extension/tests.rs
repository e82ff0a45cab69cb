use proptest::prelude::*;

use super::*;

fn all(octets: &[u8]) -> Vec<Result<Extension<'_>, ParseError>> {
    extensions(octets).collect()
}

fn put(out: &mut Vec<u8>, kind: u8, subtype: u8, data: &[u8]) {
    let length = u8::try_from(data.len()).unwrap();
    match layout(kind).unwrap() {
        Layout::Simple => out.extend([kind, length]),
        Layout::Short => out.extend([kind, length + 1, subtype]),
        Layout::Long => out.extend([kind, subtype, 0, length]),
    }
    out.extend(data);
}

#[test]
fn padding_is_stepped_over_everywhere() {
    let octets = [0, 0, 131, 1, b'n', 0, 137, 0, 0, 0];
    let found: Vec<_> = extensions(&octets).map(Result::unwrap).collect();
    assert_eq!(
        found,
        [
            Extension { kind: 131, subtype: None, body: b"n", start: 2, end: 5 },
            Extension { kind: 137, subtype: None, body: b"", start: 6, end: 8 },
        ]
    );
    assert_eq!(all(&[0; 9]), []);
    assert_eq!(all(&[]), []);
}

#[test]
fn three_layouts() {
    let octets = [45, 2, 0, 71, 139, 2, 0, 4, 192, 0, 2, 1, 38, 9, 0, 1, 0xaa];
    let found: Vec<_> = extensions(&octets).map(Result::unwrap).collect();
    assert_eq!(
        found,
        [
            Extension { kind: 45, subtype: Some(0), body: &[71], start: 0, end: 4 },
            Extension { kind: 139, subtype: Some(2), body: &[192, 0, 2, 1], start: 4, end: 12 },
            Extension { kind: 38, subtype: Some(9), body: &[0xaa], start: 12, end: 17 },
        ]
    );
}

#[test]
fn unknown_unskippable_ends_the_walk_and_unknown_skippable_does_not() {
    let octets = [200, 1, 5, 99, 1, 5, 131, 1, b'n'];
    let found = all(&octets);
    assert_eq!(found.len(), 2);
    assert!(found[0].is_ok_and(|e| e.kind == 200 && e.is_skippable() && !e.is_known()));
    assert_eq!(found[1], Err(ParseError::UnskippableExtension(99)));
}

#[test]
fn a_length_beyond_the_end_is_an_error() {
    assert_eq!(
        all(&[131, 3, b'a', b'b']),
        [Err(ParseError::ExtensionTruncated { kind: 131, need: 3, have: 2 })]
    );
    assert_eq!(
        all(&[36, 1, 0xff, 0xff, 0]),
        [Err(ParseError::ExtensionTruncated { kind: 36, need: 0xffff, have: 1 })]
    );
    assert_eq!(all(&[32]), [Err(ParseError::ExtensionTruncated { kind: 32, need: 1, have: 0 })]);
}

#[test]
fn a_short_extension_counts_its_subtype() {
    assert_eq!(all(&[145, 0, 0]), [Err(ParseError::ExtensionLength { kind: 145, length: 0 })]);
}

/// Every type is either stepped over or, below 128, an error (§1.8).
#[test]
fn every_type_is_walked_or_refused() {
    for kind in 1..=u8::MAX {
        let mut octets = Vec::new();
        if layout(kind).is_none() {
            assert!(kind < 128, "{kind} must be skippable");
            assert!(!is_known(kind), "{kind} is known and has no layout");
            assert_eq!(all(&[kind, 0]), [Err(ParseError::UnskippableExtension(kind))]);
            continue;
        }
        put(&mut octets, kind, 7, b"data");
        octets.extend([131, 1, b'n']);
        let found: Vec<_> = extensions(&octets).map(Result::unwrap).collect();
        assert_eq!(found.len(), 2, "type {kind}");
        assert_eq!((found[0].kind, found[0].body), (kind, &b"data"[..]));
    }
}

/// Whether the data is of the one length that does not say how long it is (RFC 4857 §9.3).
fn is_misprinted(kind: u8, data: &[u8]) -> bool {
    kind == extension_type::REPLAY_PROTECTION_STYLE && data.len() == 2
}

/// A Length of 2 stands for ten octets in a Replay Protection Style Extension, and in no other.
#[test]
fn a_misprinted_length_is_read_as_ten_octets() {
    let mut octets = vec![extension_type::REPLAY_PROTECTION_STYLE, 2];
    octets.extend([7; 10]);
    octets.extend([131, 2, b'n', b'o']);
    let found: Vec<_> = extensions(&octets).map(Result::unwrap).collect();
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].body, found[0].end), (&[7; 10][..], 12));
    assert_eq!((found[1].body, found[1].end), (&b"no"[..], 16));
    assert_eq!(
        all(&octets[..11]),
        [Err(ParseError::ExtensionTruncated { kind: 141, need: 10, have: 9 })]
    );
}

proptest! {
    #[test]
    fn random_octets_never_panic_and_stay_in_bounds(octets: Vec<u8>) {
        let mut last = 0;
        for extension in extensions(&octets).flatten() {
            prop_assert!(last <= extension.start && extension.start < extension.end);
            prop_assert!(extension.end <= octets.len());
            prop_assert_eq!(octets[extension.start], extension.kind);
            prop_assert!(octets[..extension.end].ends_with(extension.body));
            last = extension.end;
        }
    }

    #[test]
    fn what_is_put_is_found(
        items in prop::collection::vec(
            (1..=255_u8, any::<u8>(), prop::collection::vec(any::<u8>(), 0..20), 0..3_usize), 0..8),
        offset in 0..9_usize,
    ) {
        let items: Vec<_> = items
            .into_iter()
            .filter(|(kind, _, data, _)| layout(*kind).is_some() && !is_misprinted(*kind, data))
            .collect();
        let mut octets = vec![0xee; offset];
        for (kind, subtype, data, padding) in &items {
            octets.extend(vec![0; *padding]);
            put(&mut octets, *kind, *subtype, data);
        }
        let found: Vec<_> = extensions_from(&octets, offset).map(Result::unwrap).collect();
        prop_assert_eq!(found.len(), items.len());
        for (extension, (kind, subtype, data, _)) in found.iter().zip(&items) {
            prop_assert_eq!(extension.kind, *kind);
            prop_assert_eq!(extension.body, &data[..]);
            prop_assert!(extension.subtype.is_none_or(|got| got == *subtype));
        }
        // Cut anywhere inside the last extension: the walk ends with an error.
        if let Some(last) = found.last() {
            for end in last.start + 1..last.end {
                let cut = extensions_from(&octets[..end], offset).last();
                prop_assert!(cut.is_some_and(|item| item.is_err()));
            }
        }
    }
}
