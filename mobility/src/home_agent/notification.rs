//! Notifications that this home agent sends (RFC 6098 §4.7.1), and what comes back.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use store::{
    Binding, BindingKey, Identity, NotificationPath, Now, OperationAction, Row as _, TargetKey,
    TargetResult, ViolationReason,
};
use wire::{GenericNotificationAcknowledgement, MessageDirection, Spi, extension_type};

use super::HomeAgent;
use super::revocation::Work;
use crate::action::{Action, Output, Received};
use crate::association::{Failure, Signers};
use crate::extensions::{Extensions, read};
use crate::notification::message::About;
use crate::notification::{NotificationId, Notifier, Notifying, Sending, ShutdownNotice};
use crate::operations::Task;
use crate::refusal::Refuse as _;
use crate::revocation::Revoker as _;

impl HomeAgent {
    /// Begins with a target of an operation that notifies.
    pub(super) fn notify_target(
        &mut self,
        task: Task,
        key: &BindingKey,
        work: &mut Work,
        now: Now,
    ) {
        let (direction, text) = match &task.operation.action {
            // What it says depends on when it is said.
            OperationAction::NotifyShutdown { .. } => {
                (MessageDirection::HOME_AGENT_TO_MOBILE_NODE, String::new())
            }
            OperationAction::NotifyMessage { text, path } => (way(*path), text.clone()),
            _ => return self.finish_target(&task, TargetResult::NotTried, work, now),
        };
        if !self.config.notification.enabled {
            return self.finish_target(&task, TargetResult::NotTried, work, now);
        }
        let binding = self.state.binding(key).filter(|it| it.created_at == task.row.since);
        let Some(binding) = binding.filter(|it| it.revoking.is_none()).cloned() else {
            return self.finish_target(&task, TargetResult::Gone, work, now);
        };
        let is_through = binding.foreign_agent.is_some();
        if direction == MessageDirection::HOME_AGENT_TO_FOREIGN_AGENT && !is_through {
            return self.finish_target(&task, TargetResult::NoAssociation, work, now);
        }
        // The message names the home address, and an NAI is not permitted in it (§4.1).
        if is_through && self.shares_home_address(&binding) {
            return self.finish_target(&task, TargetResult::Ambiguous, work, now);
        }
        if self.notification_signers(&binding, direction).is_none() {
            return self.finish_target(&task, TargetResult::NoAssociation, work, now);
        }
        let earliest = self.notifications.earliest(key, now.uptime);
        if earliest > now.uptime {
            return self.operations.postpone(task, earliest);
        }
        self.begin_notification(&task, &binding, direction, text, work, now);
    }

    /// Sends the first message of a notification that is part of an operation.
    pub(super) fn begin_notification(
        &mut self,
        task: &Task,
        binding: &Arc<Binding>,
        direction: MessageDirection,
        text: String,
        work: &mut Work,
        now: Now,
    ) {
        let mut sending = Sending::new(binding.key(), direction, text, *binding.source.ip());
        sending.operation = Some(task.row.id);
        sending.since = binding.created_at;
        let id = self.notifications.insert(sending);
        // That it is tried is durable before it is on the wire.
        self.operations.note_sent(task.row.id, &task.row.target, &mut work.batch, now);
        self.notify_again(id, work, now);
    }

    /// Sends a notification, or sends it again with a later Identification (§4.3).
    pub(super) fn notify_again(&mut self, id: NotificationId, work: &mut Work, now: Now) {
        let Some(sending) = self.notifications.get(id) else { return };
        let (direction, text) = (sending.direction, self.text_of(sending, now));
        let binding = self.state.binding(&sending.key);
        let binding = binding.filter(|it| it.created_at == sending.since && it.revoking.is_none());
        let Some(binding) = binding.cloned() else {
            return self.end_notified(id, TargetResult::Gone, work, now);
        };
        let Some(signers) = self.notification_signers(&binding, direction) else {
            return self.end_notified(id, TargetResult::NoAssociation, work, now);
        };
        let about = About {
            home_address: binding.home_address,
            home_agent: self.config.address,
            care_of_address: binding.care_of_address,
        };
        let parts = (&mut self.tally, &mut self.random);
        let message = self.notifications.message(id, (about, &text), &signers, parts, now);
        let Some(octets) = message else { return };
        // §4.1: the headers of the last registration, so that translators let it through.
        let from = self.answer_source(binding.local);
        work.actions.push(Action::Send { from, to: binding.source, octets });
        work.notified.push(id);
    }

    /// What a notification says at `now`.
    fn text_of(&self, sending: &Sending<BindingKey>, now: Now) -> String {
        let action = sending.operation.and_then(|id| self.operations.action(id));
        let notice = match action {
            Some(OperationAction::NotifyShutdown { at, alternate }) => {
                Some(ShutdownNotice { after: at.since(now.stamp()), alternate: *alternate })
            }
            Some(OperationAction::Drain { .. }) => self.drain_notice(now),
            _ => None,
        };
        notice.map_or_else(|| sending.text.clone(), |notice| notice.to_string())
    }

    /// What a notification of `binding` is authenticated with, in the order of the extensions
    /// (§4.7.1); nothing if what is required is not there.
    fn notification_signers(
        &self,
        binding: &Binding,
        direction: MessageDirection,
    ) -> Option<Signers> {
        let agent = binding.foreign_agent.map(Identity::Address);
        let between_agents = agent.and_then(|agent| self.associations.with(&agent).next().cloned());
        let between_agents =
            between_agents.map(|it| (extension_type::FOREIGN_HOME_AUTHENTICATION, it));
        if direction == MessageDirection::HOME_AGENT_TO_FOREIGN_AGENT {
            return between_agents.map(|it| vec![it]);
        }
        let of_node = self.associations.get(&binding.identity(), binding.spi)?;
        let of_node = (extension_type::MOBILE_HOME_AUTHENTICATION, Arc::clone(of_node));
        Some(std::iter::once(of_node).chain(between_agents).collect())
    }

    /// Where messages to who sent to `local` come from: there, unless that is an address of many.
    pub(super) fn answer_source(&self, local: SocketAddrV4) -> SocketAddrV4 {
        let of_many = local.ip().is_broadcast() || local.ip().is_multicast();
        let address = if of_many { self.config.address } else { *local.ip() };
        SocketAddrV4::new(address, local.port())
    }

    /// A notification is over.
    pub(super) fn end_notified(
        &mut self,
        id: NotificationId,
        result: TargetResult,
        work: &mut Work,
        now: Now,
    ) {
        let Some(sending) = self.notifications.remove(id) else { return };
        let Some(operation) = sending.operation else { return };
        if self.operations.is_drain(operation) {
            return self.after_drain_notification(operation, &sending.key, result, now);
        }
        let target = TargetKey::Binding(sending.key.clone());
        let sent = usize::try_from(sending.sent).unwrap_or(usize::MAX);
        self.operations.finish(operation, &target, (result, sent), &mut work.batch, now);
    }

    /// A mobile node or foreign agent answers a notification of ours (§4.7.2).
    pub(super) fn on_notification_acknowledgement(
        &mut self,
        received: &Received<'_>,
        now: Now,
    ) -> Output {
        type Fixed = GenericNotificationAcknowledgement;
        let (fixed, extensions) = match read(received.octets, Fixed::LEN, Fixed::parse) {
            Ok(parsed) => parsed,
            Err(error) => return self.malformed(&error),
        };
        self.on_answer(*received.source.ip(), &fixed, &extensions, now)
    }

    /// Whether another node with the same home address is behind the same foreign agent.
    pub(super) fn shares_home_address(&self, binding: &Binding) -> bool {
        let own = binding.identity();
        let others = self.state.bound_to(binding.home_address).filter(|other| *other != own);
        let mut bindings = others.flat_map(|other| self.state.bindings(&other).to_vec());
        bindings.any(|other| {
            other.home_address == binding.home_address
                && other.care_of_address == binding.care_of_address
        })
    }
}

impl Notifier for HomeAgent {
    type Key = BindingKey;

    fn notifying(&mut self) -> Notifying<'_, BindingKey> {
        Notifying {
            outstanding: &mut self.notifications,
            config: &self.config.notification,
            tally: &mut self.tally,
        }
    }

    fn is_about(&self, key: &BindingKey, fixed: &GenericNotificationAcknowledgement) -> bool {
        key.home_address == fixed.home_address
    }

    fn check_answer(
        &self,
        sending: &Sending<BindingKey>,
        _: &GenericNotificationAcknowledgement,
        extensions: &Extensions<'_>,
    ) -> Result<(), Failure> {
        let agent = Identity::Address(sending.peer);
        let between_agents = &extensions.foreign_home;
        if sending.direction == MessageDirection::HOME_AGENT_TO_FOREIGN_AGENT {
            return self.associations.authenticate(between_agents, &agent).map(drop);
        }
        if !between_agents.is_empty() {
            self.associations.authenticate(between_agents, &agent)?;
        }
        let node = super::identity(&sending.key);
        self.associations.authenticate(&extensions.mobile_home, &node).map(drop)
    }

    fn check_stray_answer(
        &self,
        source: Ipv4Addr,
        fixed: &GenericNotificationAcknowledgement,
        extensions: &Extensions<'_>,
    ) -> Result<(), Failure> {
        match fixed.direction {
            MessageDirection::FOREIGN_AGENT_TO_HOME_AGENT => {
                let agent = Identity::Address(source);
                self.associations.authenticate(&extensions.foreign_home, &agent).map(drop)
            }
            MessageDirection::MOBILE_NODE_TO_HOME_AGENT => {
                self.check_stray(fixed.home_address, None, &extensions.mobile_home)
            }
            // Ours, which came back to us, or nobody's.
            _ => Err((ViolationReason::BadIdentifier, Spi(0))),
        }
    }
}

/// The direction that an operation names.
const fn way(path: NotificationPath) -> MessageDirection {
    match path {
        NotificationPath::HomeAgentToForeignAgent => MessageDirection::HOME_AGENT_TO_FOREIGN_AGENT,
        // The others are not a home agent's, and get none to do.
        _ => MessageDirection::HOME_AGENT_TO_MOBILE_NODE,
    }
}
