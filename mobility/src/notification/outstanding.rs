//! Notifications that wait for their acknowledgements.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use store::{Counter, Now, OperationId, TargetResult, Time, UtcTime};
use wire::{Code, GenericNotificationAcknowledgement, Identification, MessageDirection};

use super::NotificationConfig;
use super::message::{About, back, notification};
use crate::association::Signers;
use crate::clock;
use crate::random::Random;
use crate::tally::Tally;

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

/// What is to be done next about a notification.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Turn {
    /// To send it, or to send it again.
    Send(NotificationId),
    /// To write down how it has ended.
    End(NotificationId, TargetResult),
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
    /// Those that were answered, and with which result.
    answered: Vec<(NotificationId, TargetResult)>,
    stamps: Stamps,
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
            answered: Vec::new(),
            stamps: Stamps::default(),
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

    /// The octets of the next message of one, signed by `signers`: its Identification is later than
    /// that of the one before it (§4.3), on the clock of who gets it.
    pub(crate) fn message(
        &mut self,
        id: NotificationId,
        (about, text): (About, &str),
        signers: &Signers,
        (tally, random): (&mut Tally, &mut Random),
        now: Now,
    ) -> Option<Vec<u8>> {
        let identification = self.next_identification(id, random, now)?;
        let sending = self.list.get(&id)?;
        let mut octets = notification(sending.direction, about, identification, text);
        for (kind, signer) in signers {
            signer.sign(&mut octets, *kind);
        }
        tally.count(if sending.sent == 1 {
            Counter::NotificationsSent
        } else {
            Counter::NotificationsRetried
        });
        Some(octets)
    }

    /// Notes that the next message is about to be sent.
    fn next_identification(
        &mut self,
        id: NotificationId,
        random: &mut Random,
        now: Now,
    ) -> Option<Identification> {
        let sending = self.list.get(&id)?;
        let (peer, before) = (sending.peer, sending.identification);
        let mut next = self.stamps.next(sending.ahead, random, now);
        while self.by_low.contains_key(&(peer, next.low())) {
            next = self.stamps.after(next);
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

    /// Begins to wait for the acknowledgements of messages that have left.
    pub(crate) fn arm_sent(
        &mut self,
        ids: &[NotificationId],
        config: &NotificationConfig,
        now: Time,
    ) {
        for id in ids {
            let Some(sent) = self.get(*id).map(|it| it.sent) else { continue };
            self.arm(*id, now + config.wait(sent));
        }
    }

    /// The store did not take what goes with the messages: they were not sent.
    pub(crate) fn unsend(&mut self, ids: &[NotificationId], now: Time) {
        for id in ids {
            if let Some(sending) = self.list.get_mut(id) {
                sending.sent = sending.sent.saturating_sub(1);
            }
            self.arm(*id, now + super::SPACING);
        }
    }

    /// The next thing to do, if something is due.
    pub(crate) fn turn(
        &mut self,
        config: &NotificationConfig,
        tally: &mut Tally,
        now: Time,
    ) -> Option<Turn> {
        if let Some((id, result)) = self.answered.pop() {
            return Some(Turn::End(id, result));
        }
        loop {
            let id = self.due(now)?;
            let Some(sent) = self.get(id).map(|it| it.sent) else { continue };
            if sent < config.attempts_max {
                return Some(Turn::Send(id));
            }
            tally.count(Counter::NotificationsTimedOut);
            return Some(Turn::End(id, TargetResult::TimedOut(sent)));
        }
    }

    /// When there is something to do.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let answered = (!self.answered.is_empty()).then(Time::default);
        answered.or_else(|| self.deadlines.first().map(|(at, _)| *at))
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
    fn due(&mut self, now: Time) -> Option<NotificationId> {
        let (at, id) = *self.deadlines.first()?;
        (at <= now).then(|| {
            self.disarm(id);
            id
        })
    }

    /// The one that an acknowledgement of `peer` answers: the lower half of its Identification says
    /// which, and it goes the other way.
    pub(crate) fn answered_by(
        &self,
        peer: Ipv4Addr,
        fixed: &GenericNotificationAcknowledgement,
    ) -> Option<(NotificationId, &Sending<K>)> {
        let id = *self.by_low.get(&(peer, fixed.identification.low()))?;
        let sending = self.list.get(&id)?;
        (back(sending.direction) == fixed.direction).then_some((id, sending))
    }

    /// Takes an authentic answer: it ends the notification, unless it says that the peer's clock is
    /// another than ours. Then the next message goes by that clock.
    pub(crate) fn take_answer(
        &mut self,
        id: NotificationId,
        fixed: &GenericNotificationAcknowledgement,
        config: &NotificationConfig,
        tally: &mut Tally,
        now: Now,
    ) {
        self.close(id);
        let Some(sending) = self.list.get_mut(&id) else { return };
        if is_mismatch(fixed) && sending.sent < config.attempts_max {
            // §7.1.1: the upper half is the peer's clock.
            let ours = clock::ntp(now.utc).high();
            sending.ahead = fixed.identification.high().wrapping_sub(ours).cast_signed().into();
            let key = sending.key.clone();
            let at = self.earliest(&key, now.uptime);
            return self.arm(id, at);
        }
        let (counter, result) = if fixed.code == Code(0) {
            (Counter::NotificationsAcknowledged, TargetResult::Acknowledged)
        } else {
            (Counter::NotificationsDenied, TargetResult::Denied(fixed.code))
        };
        tally.count(counter);
        self.answered.push((id, result));
    }

    /// It was answered: no other answer counts, and nothing is due.
    fn close(&mut self, id: NotificationId) {
        self.disarm(id);
        if let Some(sending) = self.list.get(&id) {
            self.by_low.remove(&(sending.peer, sending.identification.low()));
        }
    }
}

/// Whether an answer says that the Identification was not close to its sender's clock (§4.2: each
/// kind of sender has a Code of its own for that).
const fn is_mismatch(fixed: &GenericNotificationAcknowledgement) -> bool {
    match fixed.direction {
        MessageDirection::MOBILE_NODE_TO_HOME_AGENT
        | MessageDirection::MOBILE_NODE_TO_FOREIGN_AGENT => fixed.code.0 == 197,
        MessageDirection::HOME_AGENT_TO_MOBILE_NODE
        | MessageDirection::HOME_AGENT_TO_FOREIGN_AGENT => fixed.code.0 == 133,
        _ => fixed.code.0 == 69,
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
        let mut random = Random::new([7; 32]);
        let mut outstanding = Outstanding::<u8>::default();
        let peer = Ipv4Addr::new(192, 0, 2, 1);
        let direction = MessageDirection::HOME_AGENT_TO_MOBILE_NODE;
        let id = outstanding.insert(Sending::new(7, direction, "x".to_owned(), peer));
        let mut next = |outstanding: &mut Outstanding<u8>, now| {
            outstanding.next_identification(id, &mut random, now).unwrap()
        };
        let answered = |outstanding: &Outstanding<u8>, peer, identification| {
            let fixed = answer(MessageDirection::MOBILE_NODE_TO_HOME_AGENT, 0, identification);
            outstanding.answered_by(peer, &fixed).map(|(id, _)| id)
        };
        let first = next(&mut outstanding, at(0));
        assert_eq!(answered(&outstanding, peer, first), Some(id));
        let second = next(&mut outstanding, at(1000));
        assert_eq!(answered(&outstanding, peer, first), None, "RFC 6098 §4.5.4");
        assert_eq!(answered(&outstanding, peer, second), Some(id));
        assert_eq!(answered(&outstanding, Ipv4Addr::LOCALHOST, second), None);
        let other = answer(MessageDirection::FOREIGN_AGENT_TO_HOME_AGENT, 0, second);
        assert!(outstanding.answered_by(peer, &other).is_none(), "another direction");
        assert_eq!(outstanding.earliest(&7, at(1500).uptime), at(2000).uptime);
        assert_eq!(outstanding.earliest(&8, at(1500).uptime), at(1500).uptime);
        outstanding.remove(id);
        assert_eq!((outstanding.len(), answered(&outstanding, peer, second)), (0, None));
    }

    fn answer(
        direction: MessageDirection,
        code: u8,
        identification: Identification,
    ) -> GenericNotificationAcknowledgement {
        GenericNotificationAcknowledgement {
            direction,
            code: Code(code),
            reserved: 0,
            home_address: Ipv4Addr::LOCALHOST,
            home_agent: Ipv4Addr::LOCALHOST,
            care_of_address: Ipv4Addr::LOCALHOST,
            identification,
        }
    }

    #[test]
    fn a_mismatch_is_what_its_sender_calls_so() {
        let is_one = |direction, code| is_mismatch(&answer(direction, code, Identification(0)));
        for (direction, own) in [
            (MessageDirection::MOBILE_NODE_TO_HOME_AGENT, 197),
            (MessageDirection::MOBILE_NODE_TO_FOREIGN_AGENT, 197),
            (MessageDirection::HOME_AGENT_TO_MOBILE_NODE, 133),
            (MessageDirection::HOME_AGENT_TO_FOREIGN_AGENT, 133),
            (MessageDirection::FOREIGN_AGENT_TO_MOBILE_NODE, 69),
            (MessageDirection::FOREIGN_AGENT_TO_HOME_AGENT, 69),
        ] {
            for code in [0, 69, 133, 197] {
                assert_eq!(is_one(direction, code), code == own, "{direction:?} {code}");
            }
        }
    }
}
