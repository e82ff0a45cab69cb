//! Notifications that wait for their acknowledgements.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use store::{Now, OperationId, Time, UtcTime};
use wire::{Identification, MessageDirection};

use crate::clock;
use crate::random::Random;

/// What a millisecond is in the lower half of a timestamp.
const MILLISECOND: u32 = 4_294_967;

/// Names one notification of one machine.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct NotificationId(u64);

/// One notification on its way.
#[derive(Clone, Debug)]
pub(crate) struct Sending<K> {
    /// What it is about: a binding, a visitor.
    pub(crate) key: K,
    pub(crate) direction: MessageDirection,
    pub(crate) text: String,
    /// The operation that it is a target of.
    pub(crate) operation: Option<OperationId>,
    /// When that came to be; another one with the same name is not meant.
    pub(crate) since: UtcTime,
    /// The address that the acknowledgement has to come from.
    pub(crate) peer: Ipv4Addr,
    /// How many messages were sent, and the Identification of the last.
    pub(crate) sent: u32,
    pub(crate) identification: Identification,
    /// How far the peer's clock is ahead of ours, in seconds, as it said.
    pub(crate) ahead: i64,
}

impl<K> Sending<K> {
    pub(crate) fn new(key: K, direction: MessageDirection, text: String, peer: Ipv4Addr) -> Self {
        Self {
            key,
            direction,
            text,
            operation: None,
            since: UtcTime(0),
            peer,
            sent: 0,
            identification: Identification(0),
            ahead: 0,
        }
    }
}

/// All notifications of one machine.
#[derive(Debug)]
pub(crate) struct Outstanding<K> {
    list: BTreeMap<NotificationId, Sending<K>>,
    last: u64,
    /// Invariant: at most one entry for each; none while it waits for the store.
    deadlines: BTreeSet<(Time, NotificationId)>,
    due_at: BTreeMap<NotificationId, Time>,
    /// By whom it has to be acknowledged, and the lower half of the last Identification: §4.5.4
    /// compares with the most recent one.
    by_low: BTreeMap<(Ipv4Addr, u32), NotificationId>,
    /// When something was sent about a key last.
    spacing: BTreeMap<K, Time>,
}

impl<K> Default for Outstanding<K> {
    fn default() -> Self {
        Self {
            list: BTreeMap::new(),
            last: 0,
            deadlines: BTreeSet::new(),
            due_at: BTreeMap::new(),
            by_low: BTreeMap::new(),
            spacing: BTreeMap::new(),
        }
    }
}

impl<K: Clone + Ord> Outstanding<K> {
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn get(&self, id: NotificationId) -> Option<&Sending<K>> {
        self.list.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: NotificationId) -> Option<&mut Sending<K>> {
        self.list.get_mut(&id)
    }

    /// Whether one is on its way that an operation asked for about `key`.
    pub(crate) fn is_of(&self, operation: OperationId, key: &K) -> bool {
        self.list.values().any(|it| it.operation == Some(operation) && it.key == *key)
    }

    /// Adds one; [`Self::arm`] says when it is due.
    pub(crate) fn insert(&mut self, sending: Sending<K>) -> NotificationId {
        self.last += 1;
        let id = NotificationId(self.last);
        self.list.insert(id, sending);
        id
    }

    pub(crate) fn remove(&mut self, id: NotificationId) -> Option<Sending<K>> {
        let sending = self.list.remove(&id)?;
        self.disarm(id);
        self.by_low.remove(&(sending.peer, sending.identification.low()));
        Some(sending)
    }

    /// Notes that the next message is about to be sent; returns its Identification.
    pub(crate) fn next_identification(
        &mut self,
        id: NotificationId,
        stamps: &mut Stamps,
        random: &mut Random,
        now: Now,
    ) -> Option<Identification> {
        let sending = self.list.get(&id)?;
        let (peer, before) = (sending.peer, sending.identification);
        let mut next = stamps.next(sending.ahead, random, now);
        while self.by_low.contains_key(&(peer, next.low())) {
            next = stamps.after(next);
        }
        self.by_low.remove(&(peer, before.low()));
        self.by_low.insert((peer, next.low()), id);
        self.disarm(id);
        let sending = self.list.get_mut(&id)?;
        sending.identification = next;
        sending.sent = sending.sent.saturating_add(1);
        self.spacing.insert(sending.key.clone(), now.uptime);
        Some(next)
    }

    /// When the next message about `key` may be sent (§4.3: a second after the last).
    pub(crate) fn earliest(&mut self, key: &K, now: Time) -> Time {
        if self.spacing.len() > 2 * self.list.len() + 1024 {
            self.spacing.retain(|_, at| now.since(*at) < super::SPACING);
        }
        self.spacing.get(key).map_or(now, |at| (*at + super::SPACING).max(now))
    }

    /// Says when something is to be done about one.
    pub(crate) fn arm(&mut self, id: NotificationId, at: Time) {
        self.disarm(id);
        if self.list.contains_key(&id) {
            self.deadlines.insert((at, id));
            self.due_at.insert(id, at);
        }
    }

    fn disarm(&mut self, id: NotificationId) {
        if let Some(at) = self.due_at.remove(&id) {
            self.deadlines.remove(&(at, id));
        }
    }

    /// Takes the deadline of one that is due.
    pub(crate) fn due(&mut self, now: Time) -> Option<NotificationId> {
        let (at, id) = *self.deadlines.first()?;
        (at <= now).then(|| {
            self.disarm(id);
            id
        })
    }

    pub(crate) fn first_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// The one that `peer` answers, by the lower half of its Identification.
    pub(crate) fn answered_by(
        &self,
        peer: Ipv4Addr,
        identification: Identification,
    ) -> Option<NotificationId> {
        self.by_low.get(&(peer, identification.low())).copied()
    }

    /// It was answered: no other answer counts, and nothing is due.
    pub(crate) fn close(&mut self, id: NotificationId) {
        self.disarm(id);
        if let Some(sending) = self.list.get(&id) {
            self.by_low.remove(&(sending.peer, sending.identification.low()));
        }
    }
}

/// The Identifications of one sender (§7.1.1): each is greater than any before it.
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    last: Option<Identification>,
}

impl Stamps {
    /// The time of day, on a clock that is `ahead` seconds ahead of ours.
    ///
    /// A reading of §7.1: an association with nonces uses timestamps here as well, which everybody
    /// must implement; nonces are optional for notifications.
    fn next(&mut self, ahead: i64, random: &mut Random, now: Now) -> Identification {
        let stamp = clock::ntp(now.utc.shifted(ahead.saturating_mul(1000)));
        // The bits that the clock does not have, so that nobody guesses them.
        let stamp = Identification(stamp.0.wrapping_add((random.next_u32() % MILLISECOND).into()));
        if ahead != 0 {
            return stamp; // What others were sent has no bearing on a peer with another clock.
        }
        match self.last {
            Some(last) if clock::ahead(stamp, last) <= 0 => self.after(last),
            _ => {
                self.last = Some(stamp);
                stamp
            }
        }
    }

    fn after(&mut self, one: Identification) -> Identification {
        let next = Identification(one.0.wrapping_add(1));
        if self.last.is_none_or(|last| clock::ahead(next, last) > 0) {
            self.last = Some(next);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(milliseconds: u64) -> Now {
        let uptime = Time::from_uptime(Duration::from_millis(milliseconds));
        let utc = UtcTime(1_800_000_000_000 + i64::try_from(milliseconds).unwrap());
        Now { uptime, utc, clock_step: 0 }
    }

    #[test]
    fn identifications_rise_whatever_the_clock_does() {
        let (mut stamps, mut random) = (Stamps::default(), Random::new([7; 32]));
        let mut last = stamps.next(0, &mut random, at(5000));
        for milliseconds in [5000, 5000, 4000, 0, 5001] {
            let next = stamps.next(0, &mut random, at(milliseconds));
            assert!(clock::ahead(next, last) > 0, "{milliseconds}");
            last = next;
        }
    }

    #[test]
    fn only_the_last_message_can_be_answered() {
        let (mut stamps, mut random) = (Stamps::default(), Random::new([7; 32]));
        let mut outstanding = Outstanding::<u8>::default();
        let peer = Ipv4Addr::new(192, 0, 2, 1);
        let direction = MessageDirection::HOME_AGENT_TO_MOBILE_NODE;
        let id = outstanding.insert(Sending::new(7, direction, "x".to_owned(), peer));
        let mut next = |outstanding: &mut Outstanding<u8>, now| {
            outstanding.next_identification(id, &mut stamps, &mut random, now).unwrap()
        };
        let first = next(&mut outstanding, at(0));
        assert_eq!(outstanding.answered_by(peer, first), Some(id));
        let second = next(&mut outstanding, at(1000));
        assert_eq!(outstanding.answered_by(peer, first), None, "RFC 6098 §4.5.4");
        assert_eq!(outstanding.answered_by(peer, second), Some(id));
        assert_eq!(outstanding.answered_by(Ipv4Addr::LOCALHOST, second), None);
        assert_eq!(outstanding.earliest(&7, at(1500).uptime), at(2000).uptime);
        assert_eq!(outstanding.earliest(&8, at(1500).uptime), at(1500).uptime);
        outstanding.remove(id);
        assert_eq!((outstanding.len(), outstanding.answered_by(peer, second)), (0, None));
    }
}
