//! What home agents, foreign agents and mobile nodes do alike about notifications of their own.

use std::net::Ipv4Addr;

use store::{Counter, Now};
use wire::GenericNotificationAcknowledgement;

use super::{NotificationConfig, NotificationId, Outstanding, Sending, Turn};
use crate::action::Output;
use crate::association::Failure;
use crate::extensions::Extensions;
use crate::refusal::Refuse;
use crate::tally::Tally;

/// The parts of a role that notifications are about.
#[derive(Debug)]
pub(crate) struct Notifying<'a, K> {
    pub(crate) outstanding: &'a mut Outstanding<K>,
    pub(crate) config: &'a NotificationConfig,
    pub(crate) tally: &'a mut Tally,
}

/// A role that notifies others, and takes what they answer.
pub(crate) trait Notifier: Refuse {
    /// What names the binding, visitor or registration that a notification is about.
    type Key: Clone + Ord;

    fn notifying(&mut self) -> Notifying<'_, Self::Key>;

    /// Whether an answer is about what `key` names.
    fn is_about(&self, key: &Self::Key, fixed: &GenericNotificationAcknowledgement) -> bool;

    /// Sees that an answer is authenticated by whom the notification went to.
    fn check_answer(
        &self,
        sending: &Sending<Self::Key>,
        fixed: &GenericNotificationAcknowledgement,
        extensions: &Extensions<'_>,
    ) -> Result<(), Failure>;

    /// Sees whether an answer that nobody waits for is at least of whom it says that it is of:
    /// it may be late, or there twice. Whose keys are not known is given the benefit of the doubt.
    fn check_stray_answer(
        &self,
        source: Ipv4Addr,
        fixed: &GenericNotificationAcknowledgement,
        extensions: &Extensions<'_>,
    ) -> Result<(), Failure>;

    /// The time on the clock that Identifications are made by.
    fn clock(&self, now: Now) -> Now {
        now
    }

    /// The next thing to do about a notification, if something is due.
    fn notification_turn(&mut self, now: Now) -> Option<Turn> {
        let Notifying { outstanding, config, tally } = self.notifying();
        outstanding.turn(config, tally, now.uptime)
    }

    /// Begins to wait for acknowledgements: the messages have left.
    fn arm_notified(&mut self, notified: &[NotificationId], now: Now) {
        let Notifying { outstanding, config, .. } = self.notifying();
        outstanding.arm_sent(notified, config, now.uptime);
    }

    /// The store did not take what goes with the messages: they were not sent.
    fn unsend_notified(&mut self, notified: &[NotificationId], now: Now) {
        self.notifying().outstanding.unsend(notified, now.uptime);
    }

    /// Who was notified answers (RFC 6098 §4.5.4, §4.6.4, §4.7.2); what comes of it is the next
    /// [turn](Self::notification_turn).
    fn on_answer(
        &mut self,
        source: Ipv4Addr,
        fixed: &GenericNotificationAcknowledgement,
        extensions: &Extensions<'_>,
        now: Now,
    ) -> Output {
        let found = self.sent(source, fixed);
        let Some((id, sending)) = found else {
            if let Err(failure) = self.check_stray_answer(source, fixed, extensions) {
                return self.refuse_notification(source, fixed.identification, failure, now);
            }
            return self.discard(Counter::NotificationAcknowledgementsUnexpected);
        };
        if let Err(failure) = self.check_answer(&sending, fixed, extensions) {
            return self.refuse_notification(source, fixed.identification, failure, now);
        }
        if extensions.not_for_notifications {
            return self.discard(Counter::NotificationsDiscarded);
        }
        let clock = self.clock(now);
        let Notifying { outstanding, config, tally } = self.notifying();
        outstanding.take_answer(id, fixed, config, tally, clock);
        Output::default()
    }

    /// The notification that an acknowledgement of `source` answers.
    fn sent(
        &mut self,
        source: Ipv4Addr,
        fixed: &GenericNotificationAcknowledgement,
    ) -> Option<(NotificationId, Sending<Self::Key>)> {
        let outstanding = self.notifying().outstanding;
        let found = outstanding.answered_by(source, fixed);
        let (id, sending) = found.map(|(id, sending)| (id, sending.clone()))?;
        self.is_about(&sending.key, fixed).then_some((id, sending))
    }
}
