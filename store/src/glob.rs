//! Patterns for NAIs, as selectors of commands and of operations have them.

use std::fmt;
use std::str::FromStr;

/// `*` matches any text, `?` any one character; the realm is compared without case (RFC 4282 §2.4).
#[derive(Clone, Debug)]
pub struct Glob(Vec<char>);

impl FromStr for Glob {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("an empty pattern matches nothing".to_owned());
        }
        Ok(Self(fold_realm(text)))
    }
}

impl Glob {
    /// Linear in memory, and at worst the product of the lengths in time: no pattern can hang it.
    pub fn matches(&self, nai: &str) -> bool {
        let text = fold_realm(nai);
        let (mut at, mut in_text) = (0, 0);
        // Where to go on from when a guess was wrong: the last `*`, and how much it has swallowed.
        let mut last_star: Option<(usize, usize)> = None;
        while let Some(&c) = text.get(in_text) {
            match self.0.get(at) {
                Some('*') => {
                    last_star = Some((at, in_text));
                    at += 1;
                }
                Some(&p) if p == '?' || p == c => {
                    at += 1;
                    in_text += 1;
                }
                _ => {
                    let Some((star, swallowed)) = last_star else { return false };
                    last_star = Some((star, swallowed + 1));
                    at = star + 1;
                    in_text = swallowed + 1;
                }
            }
        }
        self.0.iter().skip(at).all(|&p| p == '*')
    }
}

/// The pattern, its realm in lower case.
impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|letter| write!(f, "{letter}"))
    }
}

fn fold_realm(text: &str) -> Vec<char> {
    let realm_at = text.rfind('@').unwrap_or(text.len());
    let (user, realm) = text.split_at(realm_at);
    user.chars().chain(realm.chars().flat_map(char::to_lowercase)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, nai: &str) -> bool {
        pattern.parse::<Glob>().unwrap().matches(nai)
    }

    #[test]
    fn wildcards() {
        for (pattern, nai) in [
            ("*", "u@example.com"),
            ("*@example.com", "u@example.com"),
            ("truck-??@*", "truck-07@fleet.example"),
            ("*a*b*c", "xxaxxbxxbxxc"),
            ("u@EXAMPLE.com", "u@example.COM"),
            ("**", "x"),
        ] {
            assert!(matches(pattern, nai), "{pattern} should match {nai}");
        }
        for (pattern, nai) in [
            ("U@example.com", "u@example.com"),
            ("truck-?@*", "truck-07@fleet.example"),
            ("*@example.com", "u@example.org"),
            ("u", "u@example.com"),
            ("?", ""),
        ] {
            assert!(!matches(pattern, nai), "{pattern} should not match {nai}");
        }
    }

    /// The definition, in time that no one should have to wait for.
    fn defined(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], text) => text.is_empty(),
            ([b'*', rest @ ..], text) => {
                (0..=text.len()).any(|skipped| defined(rest, &text[skipped..]))
            }
            ([b'?', rest @ ..], [_, text @ ..]) => defined(rest, text),
            ([p, rest @ ..], [c, text @ ..]) => p == c && defined(rest, text),
            (_, []) => false,
        }
    }

    proptest::proptest! {
        #[test]
        fn matches_what_the_definition_does(pattern in "[ab*?]{1,7}", text in "[ab]{0,7}") {
            let expected = defined(pattern.as_bytes(), text.as_bytes());
            proptest::prop_assert_eq!(matches(&pattern, &text), expected);
        }
    }

    #[test]
    fn no_pattern_takes_exponential_time() {
        let pattern = "*a".repeat(100);
        assert!(!matches(&pattern, &"a".repeat(99)));
        assert!(matches(&pattern, &"a".repeat(255)));
    }
}
