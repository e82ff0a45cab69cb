//! How a mobile node chooses its Identification (RFC 5944 §5.7).

use store::{Now, ReplayProtection};
use wire::Identification;

use crate::clock::{ahead, ntp};
use crate::random::Random;

/// What a millisecond is in the lower half of a timestamp.
const MILLISECOND: u32 = 4_294_967;

/// The node's clock as the home agent wants it, and the nonce that it gave.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// What to add to our clock, in milliseconds.
    pub(super) offset: i64,
    last_sent: Option<Identification>,
    nonce: Option<u32>,
}

impl Clock {
    /// A clock that is corrected already, before anything was sent by it.
    pub(super) fn corrected_by(offset: i64) -> Self {
        Self { offset, ..Self::default() }
    }

    /// The Identification of a new request.
    pub(super) fn identification(
        &mut self,
        style: ReplayProtection,
        random: &mut Random,
        now: Now,
    ) -> Identification {
        if style == ReplayProtection::Nonces {
            // §5.7.2: the lower half is ours; the home agent gave the upper one.
            let high = self.nonce.unwrap_or_else(|| random.next_u32());
            return Identification::from_halves(high, random.next_u32());
        }
        // §5.7.1: the bits that our clock does not have come from a source of randomness.
        let stamp = ntp(now.utc.shifted(self.offset));
        let stamp = Identification(stamp.0.wrapping_add((random.next_u32() % MILLISECOND).into()));
        // Greater than any before, as the home agent takes it for a sequence number.
        let next = match self.last_sent {
            Some(last) if ahead(stamp, last) <= 0 => Identification(last.0.wrapping_add(1)),
            _ => stamp,
        };
        self.last_sent = Some(next);
        next
    }

    /// Keeps the nonce of an authentic reply.
    pub(super) fn take_nonce(&mut self, reply: Identification) {
        self.nonce = Some(reply.high());
    }

    /// Sets the clock by an authentic reply with Code 133 (§3.6.2.3, §5.7.1).
    pub(super) fn correct(&mut self, reply: Identification, now: Now) {
        let ours = ntp(now.utc.shifted(self.offset)).high();
        let seconds = reply.high().wrapping_sub(ours).cast_signed();
        self.offset = self.offset.saturating_add(i64::from(seconds) * 1000);
        if seconds < 0 {
            // What was sent with the fast clock was refused, so it is no bound any more.
            self.last_sent = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// §5.7.1: the bits below a millisecond are random, and each is greater than the one before.
    #[test]
    fn identifications_differ_below_the_clock() {
        let (mut clock, mut random) = (Clock::default(), Random::new([5; 32]));
        let style = ReplayProtection::Timestamps;
        let sent: Vec<_> =
            (0..50).map(|_| clock.identification(style, &mut random, Now::default())).collect();
        assert!(sent.windows(2).all(|pair| ahead(pair[1], pair[0]) > 0), "{sent:?}");
        let (mut other, mut random) = (Clock::default(), Random::new([6; 32]));
        let first = other.identification(style, &mut random, Now::default());
        assert_ne!(first, sent[0]);
        assert_eq!(first.high(), sent[0].high());
    }
}
