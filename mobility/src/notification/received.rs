//! Notifications that arrive: which direction they have, and whether they are fresh.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use store::{Identity, Now};
use wire::{GenericNotification, Identification, ParseError};

use crate::association::SecurityAssociation;
use crate::clock;
use crate::extensions::{Extensions, read};

/// No association tolerates more: a timestamp older than this is refused by itself.
const REMEMBERED_FOR: Duration = Duration::from_secs(600);

/// Of how many senders the last Identification is kept; only authentic ones are.
const SENDERS_MAX: usize = 65_536;

/// A notification that parsed.
#[derive(Debug)]
pub(crate) struct Opened<'a> {
    pub(crate) fixed: GenericNotification,
    pub(crate) extensions: Extensions<'a>,
}

impl Opened<'_> {
    /// The text, if it has one.
    pub(crate) fn text(&self) -> String {
        let texts = self.extensions.messages.iter().map(|(_, text, _)| text.as_str());
        texts.collect::<Vec<_>>().join(" ")
    }
}

/// Reads a notification; unknown extensions that must not be skipped end it (RFC 5944 §1.8).
pub(crate) fn open(octets: &[u8]) -> Result<Opened<'_>, ParseError> {
    let (fixed, extensions) = read(octets, GenericNotification::LEN, GenericNotification::parse)?;
    Ok(Opened { fixed, extensions })
}

/// The last Identification of each sender (§7.1.1).
#[derive(Debug)]
pub(crate) struct Heard {
    last: BTreeMap<Identity, Identification>,
    by_age: BTreeSet<(u64, Identity)>,
    /// What is not later than this was perhaps accepted before: by a run of this agent before this
    /// one, or from a sender that is not remembered any more. A reading: it is refused as a
    /// mismatch, which tells an honest sender our clock, and it sends again.
    floor: Identification,
}

impl Heard {
    pub(crate) fn new(now: Now) -> Self {
        Self { last: BTreeMap::new(), by_age: BTreeSet::new(), floor: clock::ntp(now.utc) }
    }

    /// Whether a timestamp is close to our clock, and later than all that were accepted from the
    /// sender. Accepting it is [`Self::accept`].
    pub(crate) fn is_fresh(
        &self,
        sender: &Identity,
        identification: Identification,
        association: &SecurityAssociation,
        now: Now,
    ) -> bool {
        let last = self.last.get(sender).copied().unwrap_or(self.floor);
        clock::is_close(identification, clock::ntp(now.utc), association.tolerance)
            && clock::ahead(identification, last) > 0
    }

    pub(crate) fn accept(&mut self, sender: &Identity, identification: Identification, now: Now) {
        if let Some(before) = self.last.insert(sender.clone(), identification) {
            self.by_age.remove(&(before.0, sender.clone()));
        }
        self.by_age.insert((identification.0, sender.clone()));
        let clock = clock::ntp(now.utc);
        while let Some((oldest, _)) = self.by_age.first() {
            let oldest = Identification(*oldest);
            let is_old = !clock::is_close(oldest, clock, REMEMBERED_FOR);
            if !is_old && self.last.len() <= SENDERS_MAX {
                return;
            }
            let Some((_, sender)) = self.by_age.pop_first() else { return };
            self.last.remove(&sender);
            if clock::ahead(oldest, self.floor) > 0 {
                self.floor = oldest;
            }
        }
    }

    /// What the acknowledgement of a mismatch says: our clock, and the sender's lower half.
    pub(crate) fn mismatch(identification: Identification, now: Now) -> Identification {
        Identification::from_halves(clock::ntp(now.utc).high(), identification.low())
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use store::{ReplayProtection, Time, UtcTime};
    use wire::{AuthenticationAlgorithm, SecretKey, Spi};

    use super::*;

    fn at(seconds: i64) -> Now {
        let uptime = Time::from_uptime(Duration::from_secs(seconds.unsigned_abs()));
        Now { uptime, utc: UtcTime(1_800_000_000_000 + seconds * 1000), clock_step: 0 }
    }

    fn association() -> SecurityAssociation {
        SecurityAssociation {
            peer: Identity::Address(Ipv4Addr::LOCALHOST),
            spi: Spi(256),
            algorithm: AuthenticationAlgorithm::HmacMd5,
            key: SecretKey::from_ascii("key").unwrap(),
            replay: ReplayProtection::Timestamps,
            tolerance: Duration::from_secs(7),
        }
    }

    #[test]
    fn what_was_accepted_is_not_fresh_a_second_time() {
        let mut heard = Heard::new(at(0));
        let (sender, association) = (Identity::Address(Ipv4Addr::LOCALHOST), association());
        let stamp = |seconds| clock::ntp(at(seconds).utc);
        let is_fresh = |heard: &Heard, seconds, now| {
            heard.is_fresh(&sender, stamp(seconds), &association, at(now))
        };
        assert!(!is_fresh(&heard, 0, 1), "from before the start");
        assert!(is_fresh(&heard, 3, 1) && !is_fresh(&heard, 9, 1));
        heard.accept(&sender, stamp(3), at(1));
        assert!(!is_fresh(&heard, 3, 1) && !is_fresh(&heard, 2, 1) && is_fresh(&heard, 4, 1));
        // Others are heard for so long that it is forgotten: a replay is refused all the same.
        let other = Identity::Address(Ipv4Addr::new(192, 0, 2, 1));
        heard.accept(&other, stamp(1000), at(1000));
        assert_eq!(heard.last.len(), 1);
        assert!(!is_fresh(&heard, 3, 5));
    }
}
