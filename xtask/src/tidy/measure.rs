//! Counts the lines of functions, by matching braces outside strings and comments.

/// A function and its length.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// Where it starts, counted from 1.
    pub(crate) line: usize,
    pub(crate) lines: usize,
}

/// The functions of a formatted source file.
///
/// rustfmt puts the closing brace of an item in the column where the item
/// starts, so the indent of the `fn` line finds its end.
pub(crate) fn functions(text: &str) -> Vec<Function> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = line.len() - line.trim_start().len();
        let closes = |line: &&str| {
            line.len() - line.trim_start().len() == indent && line.trim_start().starts_with('}')
        };
        if line.trim_end().ends_with(['}', ';']) {
            continue; // One line, or a declaration without a body.
        }
        if let Some(length) = lines.iter().skip(start + 1).position(closes) {
            found.push(Function { name, line: start + 1, lines: length + 2 });
        }
    }
    found
}

fn function_name(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "fn")?;
    let modifiers = ["pub", "pub(crate)", "pub(super)", "const", "async", "unsafe"];
    if !words[..at].iter().all(|word| modifiers.contains(word)) {
        return None;
    }
    let name: String =
        words.get(at + 1)?.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}
