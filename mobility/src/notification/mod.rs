//! Generic notification (RFC 6098) and message strings (RFC 4917): what home agents, foreign agents
//! and mobile nodes share.
//!
//! ```text
//!  text ── signed ── sent ──┬─ acknowledged: accepted, or denied with a Code
//!            ▲              ├─ Identification mismatch: the peer's clock is taken, sent again
//!            └── twice as ──┴─ no answer: sent again with a later Identification, or given up
//!                long each time
//! ```

pub(crate) mod message;
mod notifier;
mod outstanding;
mod policy;
mod received;
mod shutdown;

use std::time::Duration;

pub(crate) use notifier::{Notifier, Notifying};
pub(crate) use outstanding::{NotificationId, Outstanding, Sending, Turn};
pub use policy::ReplyMessage;
pub(crate) use policy::text_for;
pub(crate) use received::{Heard, Opened, open};
pub use shutdown::ShutdownNotice;

/// How long two notifications about one binding are apart at least (RFC 6098 §4.3).
pub(crate) const SPACING: Duration = Duration::from_secs(1);

/// What an operator decides about notifications; [`NotificationConfig::default`] has the defaults.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NotificationConfig {
    /// Whether any are sent, relayed or accepted (§4.4).
    pub enabled: bool,
    /// How many messages are sent before it goes without an acknowledgement.
    pub attempts_max: u32,
    /// How long the first one waits for it, at least a second; each one after it twice as long.
    pub timeout: Duration,
    /// The longest that any of them waits.
    pub timeout_max: Duration,
}

impl Default for NotificationConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            attempts_max: 3,
            timeout: Duration::from_secs(1),
            timeout_max: Duration::from_secs(60),
        }
    }
}

impl NotificationConfig {
    /// How long the message numbered `sent`, from 1, waits for its acknowledgement.
    pub(crate) fn wait(&self, sent: u32) -> Duration {
        let doublings = sent.saturating_sub(1).min(16);
        let longest = self.timeout_max.max(SPACING);
        self.timeout.max(SPACING).saturating_mul(1 << doublings).min(longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_is_twice_the_one_before_up_to_the_longest() {
        let config = NotificationConfig {
            timeout: Duration::from_millis(10),
            timeout_max: Duration::from_secs(5),
            ..NotificationConfig::default()
        };
        let waits: Vec<u64> = (1..=5).map(|sent| config.wait(sent).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 5, 5], "never less than a second (RFC 6098 §4.3)");
        assert_eq!(config.wait(u32::MAX), Duration::from_secs(5));
    }
}
