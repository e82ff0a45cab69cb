//! Where a message ends in a stream (RFC 3430 §2.1).

use crate::ber::tag;

/// What is at the front of the octets of a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Frame {
    /// A message, or at least a SEQUENCE, of so many octets.
    Whole(usize),
    /// More octets are needed to say.
    Partial,
    /// No message that may be here.
    None,
}

impl Frame {
    /// Looks at the front of `octets` for a message of at most `octets_max`.
    pub fn find(octets: &[u8], octets_max: usize) -> Self {
        let (length, header) = match octets {
            [] | [tag::SEQUENCE] => return Self::Partial,
            [tag::SEQUENCE, short @ 0..=0x7f, ..] => (usize::from(*short), 2),
            [tag::SEQUENCE, long @ 0x81..=0x84, rest @ ..] => {
                let count = usize::from(*long & 0x7f);
                let Some(length) = rest.get(..count) else { return Self::Partial };
                let length =
                    length.iter().fold(0_usize, |sum, octet| sum << 8 | usize::from(*octet));
                (length, 2 + count)
            }
            // Another tag, an indefinite length, or one that no message has.
            _ => return Self::None,
        };
        match length.checked_add(header) {
            Some(whole) if whole > octets_max => Self::None,
            Some(whole) if whole > octets.len() => Self::Partial,
            Some(whole) => Self::Whole(whole),
            None => Self::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_a_stream_are_told_apart() {
        let find = |octets: &[u8]| Frame::find(octets, 1000);
        assert_eq!(find(&[]), Frame::Partial);
        assert_eq!(find(&[0x30]), Frame::Partial);
        assert_eq!(find(&[0x30, 2, 5]), Frame::Partial);
        assert_eq!(find(&[0x30, 2, 5, 0]), Frame::Whole(4));
        assert_eq!(find(&[0x30, 2, 5, 0, 0x30]), Frame::Whole(4), "and the next begins");
        assert_eq!(find(&[0x30, 0x82, 0]), Frame::Partial);
        assert_eq!(find(&[0x30, 0x83, 0, 0, 1, 7]), Frame::Whole(6), "no shorter than needed");
        assert_eq!(find(&[0x31]), Frame::None);
        assert_eq!(find(&[0x30, 0x80]), Frame::None, "indefinite");
        assert_eq!(find(&[0x30, 0x85]), Frame::None);
        assert_eq!(find(&[0x30, 0x84, 255, 255, 255, 255]), Frame::None, "too long");
        assert_eq!(find(&[0x30, 0x82, 3, 229]), Frame::None, "1001 octets");
        assert_eq!(find(&[0x30, 0x82, 3, 228]), Frame::Partial);
    }
}
