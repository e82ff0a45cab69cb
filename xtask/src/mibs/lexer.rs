//! Words of a module.

use anyhow::{anyhow, bail};

/// A word of SMIv2 text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Token {
    /// A descriptor or a keyword.
    Word(String),
    Number(i128),
    /// Between double quotes, without them.
    Text(String),
    /// `'…'H` or `'…'B`, kept as written.
    Binary(String),
    /// `::=`, `..`, or one character.
    Mark(&'static str),
}

const MARKS: [&str; 12] = ["::=", "..", "{", "}", "(", ")", ",", ";", "|", "[", "]", "."];

/// The words of `source`, each with its line.
pub(crate) fn tokens(source: &str) -> anyhow::Result<Vec<(Token, usize)>> {
    let mut tokens = Vec::new();
    let mut rest = source;
    let mut line = 1;
    loop {
        let blank = rest.len() - rest.trim_start().len();
        let (skipped, tail) = rest.split_at(blank);
        line += skipped.matches('\n').count();
        rest = tail;
        if rest.is_empty() {
            return Ok(tokens);
        }
        if rest.starts_with("--") {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
            continue;
        }
        let (token, len) = one(rest).map_err(|err| anyhow!("line {line}: {err}"))?;
        let (word, tail) = rest.split_at(len);
        tokens.push((token, line));
        line += word.matches('\n').count();
        rest = tail;
    }
}

/// The first word of `rest`, which does not start with a blank, and its length.
fn one(rest: &str) -> anyhow::Result<(Token, usize)> {
    if let Some(text) = rest.strip_prefix('"') {
        let end = text.find('"').ok_or_else(|| anyhow!("a text does not end"))?;
        return Ok((Token::Text(text[..end].to_owned()), end + 2));
    }
    if let Some(text) = rest.strip_prefix('\'') {
        let end = text.find('\'').ok_or_else(|| anyhow!("a binary string does not end"))?;
        let len = end + 3;
        let whole = rest.get(..len).ok_or_else(|| anyhow!("a binary string has no base"))?;
        return Ok((Token::Binary(whole.to_owned()), len));
    }
    if let Some(mark) = MARKS.into_iter().find(|mark| rest.starts_with(mark)) {
        return Ok((Token::Mark(mark), mark.len()));
    }
    let len = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(rest.len());
    let Some(word) = rest.get(..len).filter(|word| !word.is_empty()) else {
        bail!("unexpected {:?}", rest.chars().next());
    };
    let token = match word.parse() {
        Ok(number) => Token::Number(number),
        Err(_) => Token::Word(word.to_owned()),
    };
    Ok((token, len))
}
