//! What a home agent says before it goes out of service (RFC 6098 §3.1, §5.1).
//!
//! The RFC has no field for it, so it is a line in a message string, which `docs/notifications.md`
//! describes: a mobile node that knows it can act, and any other shows it to its user.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;
use std::time::Duration;

/// A home agent will shut down.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ShutdownNotice {
    /// How long it still serves, in whole seconds.
    pub after: Duration,
    /// Who serves instead.
    pub alternate: Option<Ipv4Addr>,
}

/// A text is no [`ShutdownNotice`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NoShutdownNotice;

/// The word that the line begins with.
const WORD: &str = "ha-shutdown";

/// The longest time that is believed, in seconds: a month.
const AFTER_MAX: u64 = 31 * 86_400;

impl fmt::Display for ShutdownNotice {
    /// `ha-shutdown in=600 alternate=192.0.2.9`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{WORD} in={}", self.after.as_secs())?;
        match self.alternate {
            Some(alternate) => write!(f, " alternate={alternate}"),
            None => Ok(()),
        }
    }
}

impl FromStr for ShutdownNotice {
    type Err = NoShutdownNotice;

    /// Keys that are not known are passed over; `in` must be there, and none twice.
    fn from_str(text: &str) -> Result<Self, NoShutdownNotice> {
        let mut words = text.split_ascii_whitespace();
        if words.next() != Some(WORD) {
            return Err(NoShutdownNotice);
        }
        let (mut after, mut alternate) = (None, None);
        for word in words {
            let (key, value) = word.split_once('=').ok_or(NoShutdownNotice)?;
            match key {
                "in" if after.is_none() => {
                    let seconds: u64 = value.parse().map_err(|_| NoShutdownNotice)?;
                    after = Some(Duration::from_secs(seconds.min(AFTER_MAX)));
                }
                "alternate" if alternate.is_none() => {
                    let address: Ipv4Addr = value.parse().map_err(|_| NoShutdownNotice)?;
                    let is_unicast = !address.is_unspecified()
                        && !address.is_multicast()
                        && !address.is_broadcast();
                    alternate = Some(is_unicast.then_some(address).ok_or(NoShutdownNotice)?);
                }
                "in" | "alternate" => return Err(NoShutdownNotice),
                _ => {}
            }
        }
        after.map(|after| Self { after, alternate }).ok_or(NoShutdownNotice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_read_as_it_is_written() {
        for (alternate, text) in [
            (Some(Ipv4Addr::new(192, 0, 2, 9)), "ha-shutdown in=600 alternate=192.0.2.9"),
            (None, "ha-shutdown in=600"),
        ] {
            let notice = ShutdownNotice { after: Duration::from_secs(600), alternate };
            assert_eq!(notice.to_string(), text);
            assert_eq!(text.parse(), Ok(notice));
        }
        let later: ShutdownNotice = "ha-shutdown reason=power in=5".parse().unwrap();
        assert_eq!(later.after, Duration::from_secs(5));
    }

    #[test]
    fn anything_else_is_a_text_for_people() {
        for text in [
            "",
            "good morning",
            "ha-shutdown",
            "ha-shutdown alternate=192.0.2.9",
            "ha-shutdown in=soon",
            "ha-shutdown in=-1",
            "ha-shutdown in=1 in=2",
            "ha-shutdown in=1 alternate=255.255.255.255",
            "ha-shutdown in=1 alternate=here",
            "ha-shutdown in=1 now",
            "the ha-shutdown in=1",
        ] {
            assert_eq!(text.parse::<ShutdownNotice>(), Err(NoShutdownNotice), "{text:?}");
        }
    }
}
