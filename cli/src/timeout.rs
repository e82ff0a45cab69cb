//! Spans of time as words: `30s`, `10m`.

use std::time::{Duration, Instant};

/// Reads `500ms`, `30s`, `10m`, `2h`; a bare number is in seconds.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("expected a number and `ms`, `s`, `m` or `h`".to_owned()),
    };
    let milliseconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    milliseconds.map(Duration::from_millis).ok_or_else(|| "not a span of time".to_owned())
}

/// `span` as [`parse`] reads it.
pub(crate) fn words(span: Duration) -> String {
    let milliseconds = span.as_millis();
    if milliseconds.is_multiple_of(1000) {
        format!("{}s", milliseconds / 1000)
    } else {
        format!("{milliseconds}ms")
    }
}

/// When to give up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// `span` from now on; never, if that is beyond all clocks.
    pub(crate) fn after(span: Duration) -> Self {
        Self(Instant::now().checked_add(span))
    }

    /// How much time is left, at most an hour at once.
    pub(crate) fn remaining(self) -> Duration {
        const HOUR: Duration = Duration::from_secs(3600);
        self.0.map_or(HOUR, |at| at.saturating_duration_since(Instant::now()).min(HOUR))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_time() {
        for (text, milliseconds) in
            [("500ms", 500), ("30s", 30_000), ("10m", 600_000), ("2h", 7_200_000), ("7", 7_000)]
        {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "s", "-1s", "1.5s", "1d", "99999999999999999999h"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(words(Duration::from_secs(30)), "30s");
        assert_eq!(words(Duration::from_millis(1500)), "1500ms");
    }
}
