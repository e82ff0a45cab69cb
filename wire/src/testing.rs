//! What the tests of all codecs share.

/// Checks one extension both ways: the octets are those expected, the walk finds it alone and
/// whole, the reader gives the value back and refuses every other type, every strict prefix and
/// every other length in `lengths`.
macro_rules! check_extension {
    ($value:expr, $parse:expr, $octets:expr) => {{
        let octets: &[u8] = &$octets;
        let found: Vec<_> = $crate::extensions(octets).collect();
        proptest::prop_assert_eq!(found.len(), 1);
        let extension = found[0].unwrap();
        proptest::prop_assert_eq!((extension.start, extension.end), (0, octets.len()));
        proptest::prop_assert_eq!($parse(&extension), Ok($value));
        let other = $crate::Extension { kind: 150, ..extension };
        let refused =
            matches!($parse(&other), Err($crate::ParseError::UnexpectedExtension { got: 150, .. }));
        proptest::prop_assert!(refused);
        for end in 1..octets.len() {
            let cut = $crate::extensions(&octets[..end]).next();
            proptest::prop_assert!(cut.is_some_and(|item| item.is_err()));
        }
    }};
}

/// Checks that a reader of data of one length accepts no other.
macro_rules! check_length {
    ($parse:expr, $kind:expr, $subtype:expr, $length:expr) => {{
        let body = [0; 300];
        for length in (0..body.len()).filter(|&length| length != $length) {
            let extension = $crate::Extension {
                kind: $kind,
                subtype: $subtype,
                body: &body[..length],
                start: 0,
                end: length,
            };
            let error = $crate::ParseError::ExtensionLength { kind: $kind, length };
            assert_eq!($parse(&extension), Err(error));
        }
    }};
}

/// Checks the fixed part of a message both ways, its length, and every strict prefix.
macro_rules! check_message {
    ($kind:ty, $value:expr, $tail:expr) => {{
        let mut out = Vec::new();
        $value.emit(&mut out);
        proptest::prop_assert_eq!(out.len(), <$kind>::LEN);
        for end in 0..out.len() {
            let truncated =
                matches!(<$kind>::parse(&out[..end]), Err($crate::ParseError::Truncated { .. }));
            proptest::prop_assert!(truncated);
        }
        let tail: &[u8] = &$tail;
        out.extend(tail);
        proptest::prop_assert_eq!(<$kind>::parse(&out), Ok(($value, tail)));
        out[0] ^= 0x40;
        let unexpected =
            matches!(<$kind>::parse(&out), Err($crate::ParseError::UnexpectedType { .. }));
        proptest::prop_assert!(unexpected);
    }};
}

/// Collects what a value appends.
macro_rules! emitted {
    ($value:expr) => {{
        let mut out = Vec::new();
        $value.emit(&mut out);
        out
    }};
}

pub(crate) use {check_extension, check_length, check_message, emitted};
