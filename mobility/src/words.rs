//! Names of variants as words of the store.

/// `TimestampNotGreater` as `timestamp-not-greater`.
pub(crate) fn kebab(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push('-');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    #[test]
    fn variants_become_words() {
        assert_eq!(super::kebab("TimestampNotGreater"), "timestamp-not-greater");
    }
}
