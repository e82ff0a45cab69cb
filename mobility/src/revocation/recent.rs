//! What peers revoked lately, so that a repetition is acknowledged and a replay is not.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use store::Time;

use crate::clock;

/// How long a revocation is remembered: longer than a peer repeats it.
const REMEMBERED_FOR: Duration = Duration::from_secs(120);

/// How many are remembered; only authentic ones are.
const REMEMBERED_MAX: usize = 65_536;

/// Who revoked which binding: peer, home address, foreign domain address.
type Name = (Ipv4Addr, Ipv4Addr, Ipv4Addr);

/// The latest identifiers of peers.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    last: BTreeMap<Name, (u32, Time)>,
    /// Invariant: one entry for each name, by when it was heard last.
    by_age: BTreeSet<(Time, Name)>,
}

/// What an identifier says about a revocation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// It is later than all before it.
    New,
    /// It was there before, or is older than what was.
    Replay,
}

impl Recent {
    pub(crate) fn judge(&self, name: Name, identifier: u32) -> Verdict {
        match self.last.get(&name) {
            Some((last, _)) if !clock::is_later(identifier, *last) => Verdict::Replay,
            _ => Verdict::New,
        }
    }

    /// The latest identifier under a name.
    pub(crate) fn last(&self, name: Name) -> Option<u32> {
        self.last.get(&name).map(|(last, _)| *last)
    }

    pub(crate) fn remember(&mut self, name: Name, identifier: u32, now: Time) {
        if let Some((_, at)) = self.last.insert(name, (identifier, now)) {
            self.by_age.remove(&(at, name));
        }
        self.by_age.insert((now, name));
        let is_old = |at: Time| now.since(at) > REMEMBERED_FOR;
        while self.by_age.len() > REMEMBERED_MAX
            || self.by_age.first().is_some_and(|(at, _)| is_old(*at))
        {
            let Some((_, name)) = self.by_age.pop_first() else { return };
            self.last.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_heard_is_a_replay_until_it_is_forgotten() {
        let mut recent = Recent::default();
        let name = (Ipv4Addr::LOCALHOST, Ipv4Addr::new(10, 0, 0, 7), Ipv4Addr::LOCALHOST);
        let at = |seconds| Time::from_uptime(Duration::from_secs(seconds));
        assert_eq!(recent.judge(name, 5), Verdict::New);
        recent.remember(name, 5, at(1));
        assert_eq!(recent.judge(name, 5), Verdict::Replay);
        assert_eq!(recent.judge(name, 4), Verdict::Replay);
        assert_eq!(recent.judge(name, 6), Verdict::New);
        let other = (Ipv4Addr::LOCALHOST, Ipv4Addr::new(10, 0, 0, 8), Ipv4Addr::LOCALHOST);
        recent.remember(other, 1, at(500));
        assert_eq!(recent.judge(name, 5), Verdict::New);
    }
}
