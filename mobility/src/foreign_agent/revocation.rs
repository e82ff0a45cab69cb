//! Visitors that this foreign agent revokes (RFC 3543 §4.2.3); the figure is that of
//! [`home_agent::revocation`](crate::home_agent).

use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use store::{
    Batch, Counter, Identity, Now, OperationAction, OperationId, Revoking, Row as _, Snapshot,
    TargetKey, TargetResult, Time, Visitor, VisitorKey,
};
use wire::extension_type;

use super::pending::Pending;
use super::{ForeignAgent, Purpose};
use crate::action::{Action, Output};
use crate::clock;
use crate::notification::NotificationId;
use crate::operations::{Step, Task};
use crate::revocation::{AT_ONCE, Offer, Revocation, SPACING, message, uses_inform};

/// What one turn has done.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) batch: Batch,
    pub(super) actions: Vec<Action>,
    /// Revocations that are sent once the batch is durable.
    pub(super) sent: Vec<VisitorKey>,
    /// Notifications that are sent then.
    pub(super) notified: Vec<NotificationId>,
    /// Nodes that are visitors no more, and the word for it in their trails.
    pub(super) ended: Vec<(Identity, &'static str)>,
}

impl ForeignAgent {
    /// Looks at what operators want; called whenever the store's operations have changed, and
    /// again until nothing comes of it.
    pub fn on_operations(&mut self, snapshot: &Snapshot, now: Now) -> Output {
        let (revocations, notifications) = (&self.revocations, &self.notifications);
        let step = self.operations.observe(snapshot, now, |id, target| match target {
            TargetKey::Visitor(key) => {
                revocations.get(key).is_some_and(|it| it.operations.contains(&id))
                    || notifications.is_of(id, key)
            }
            TargetKey::Binding(_) => false,
        });
        let Some(Step { id, batch, is_ours }) = step else { return Output::default() };
        self.send_off(batch, Vec::new(), Purpose::Step { id, is_ours })
    }

    /// Forwarding has seen nothing of a visitor for as long as the operator allows: revokes it.
    pub fn on_idle(&mut self, key: &VisitorKey, now: Now) -> Output {
        let visitor = self.visitors.get(&key.identity, key.home_address).cloned();
        let Some(visitor) = visitor else { return Output::default() };
        if visitor.revocation.is_none() || self.revocations.get(key).is_some() {
            return Output::default();
        }
        let inform = self.config.revocation.informs;
        self.revocations.insert(key.clone(), begun(&visitor, inform, Vec::new()));
        let earliest = self.visitors.uptime(visitor.registered_at) + SPACING;
        self.revocations.arm(key, earliest.max(now.uptime));
        self.revocation_work(now)
    }

    /// Takes over the revocations that the last foreign agent had on their way.
    pub(super) fn resume_revocations(&mut self, now: Now) {
        let begun_before = self.visitors.iter().filter(|visitor| visitor.revoking.is_some());
        let begun_before: Vec<Arc<Visitor>> = begun_before.cloned().collect();
        for visitor in begun_before {
            let Some(revoking) = visitor.revoking.as_deref() else { continue };
            let wait = self.config.revocation.wait(revoking.identifiers.len());
            let at = self.visitors.uptime(revoking.sent_at + wait).max(now.uptime);
            let revocation = Revocation {
                identifiers: revoking.identifiers.clone(),
                ..begun(&visitor, revoking.inform, revoking.operations.clone())
            };
            self.revocations.insert(visitor.key(), revocation);
            self.revocations.arm(&visitor.key(), at);
        }
    }

    /// What is offered with a relayed request (§4.2.1).
    pub(super) fn offer(&self, pending: &Pending) -> Option<Offer> {
        let config = &self.config.revocation;
        if !config.enabled {
            return None;
        }
        let request = &pending.request;
        let visitor = self.visitors.get(&pending.identity, request.home_address);
        let before = visitor.and_then(|visitor| visitor.revocation).map(|it| it.own_timestamp);
        let name = (request.home_agent, request.home_address, request.care_of_address);
        let used = self.used.last(name);
        let clock = clock::seconds(pending.sent_at.stamp());
        let timestamp = before.into_iter().chain(used).fold(clock, clock::later);
        Some(Offer { inform: config.negotiates_inform, timestamp })
    }

    /// When there is something to do about revocations and operations.
    pub(super) fn revocation_deadline(&self) -> Option<Time> {
        let acknowledged = (!self.acknowledged.is_empty()).then(Time::default);
        let first = self.revocations.first_deadline();
        let notification = self.notification_deadline();
        let operation = self.operations.next_deadline();
        acknowledged.into_iter().chain(first).chain(notification).chain(operation).min()
    }

    /// Ends, repeats and begins what is due.
    pub(super) fn revocation_work(&mut self, now: Now) -> Output {
        let mut work = Work::default();
        for _ in 0..AT_ONCE {
            let Some(key) = self.acknowledged.pop() else { break };
            self.end_revocation(&key, TargetResult::Acknowledged, &mut work, now);
        }
        self.repeat_revocations(&mut work, now);
        self.notification_work(&mut work, now);
        for _ in 0..AT_ONCE {
            let Some(task) = self.operations.next(now) else { break };
            self.begin_target(task, &mut work, now);
        }
        self.operations.put(&mut work.batch, now);
        let Work { batch, actions, sent, notified, ended } = work;
        if batch.is_empty() {
            self.arm_sent(&sent, now);
            self.arm_notified(&notified, now);
            return Output::at_once(actions);
        }
        self.send_off(batch, actions, Purpose::Revocation { sent, notified, ended })
    }

    fn repeat_revocations(&mut self, work: &mut Work, now: Now) {
        let attempts_max = usize::try_from(self.config.revocation.attempts_max).unwrap_or(1);
        for _ in 0..AT_ONCE {
            let Some(key) = self.revocations.due(now.uptime) else { return };
            let Some(revocation) = self.revocations.get(&key) else { continue };
            let sent = revocation.identifiers.len();
            let is_over = revocation.row.expires_at.is_some_and(|at| at <= now.stamp());
            if sent >= attempts_max || is_over {
                let sent = u32::try_from(sent).unwrap_or(u32::MAX);
                self.tally.count(Counter::RevocationsTimedOut);
                self.end_revocation(&key, TargetResult::TimedOut(sent), work, now);
            } else {
                self.send_revocation(&key, work, now);
            }
        }
    }

    fn begin_target(&mut self, task: Task, work: &mut Work, now: Now) {
        let TargetKey::Visitor(key) = task.row.target.clone() else { return };
        let OperationAction::RevokeVisitors { inform } = task.operation.action else {
            return self.notify_target(task, &key, work, now);
        };
        let visitor = self.visitors.get(&key.identity, key.home_address);
        let visitor = visitor.filter(|it| it.created_at == task.row.since).cloned();
        let Some(visitor) = visitor else {
            return self.finish_target(&task, TargetResult::Gone, work, now);
        };
        let id = task.row.id;
        if let Some(revocation) = self.revocations.get_mut(&key) {
            if !revocation.operations.contains(&id) {
                revocation.operations.push(id);
            }
            return self.write_intent(&key, work, now);
        }
        let home_agent = Identity::Address(visitor.home_agent);
        let has_association = self.associations.with(&home_agent).next().is_some();
        if visitor.revocation.is_none() || !has_association {
            self.drop_visitor(&visitor, work);
            let inform = inform.unwrap_or(self.config.revocation.informs);
            work.actions.extend(inform.then(|| informing(&visitor)));
            return self.finish_target(&task, TargetResult::NotNegotiated, work, now);
        }
        if self.is_ambiguous(&visitor) {
            return self.finish_target(&task, TargetResult::Ambiguous, work, now);
        }
        let earliest = self.visitors.uptime(visitor.registered_at) + SPACING;
        let is_pending = self.pending.contains(&key.identity, key.home_address);
        if earliest > now.uptime || is_pending || self.is_in_flight(&visitor) {
            let at = earliest.max(now.uptime + Duration::from_millis(100));
            return self.operations.postpone(task, at);
        }
        let inform = inform.unwrap_or(self.config.revocation.informs);
        self.revocations.insert(key.clone(), begun(&visitor, inform, vec![id]));
        self.send_revocation(&key, work, now);
    }

    /// Sends a revocation, or sends it again with another identifier.
    fn send_revocation(&mut self, key: &VisitorKey, work: &mut Work, now: Now) {
        let Some(revocation) = self.revocations.get(key) else { return };
        let visitor = Arc::clone(&revocation.row);
        let home_agent = Identity::Address(visitor.home_agent);
        let signer = self.associations.with(&home_agent).next().cloned();
        let (Some(signer), Some(negotiated)) = (signer, visitor.revocation) else {
            return self.end_revocation(key, TargetResult::NotNegotiated, work, now);
        };
        let name = (visitor.home_agent, visitor.home_address, visitor.care_of_address);
        let last = revocation.identifiers.last().copied().or(self.used.last(name));
        let clock = clock::seconds(now.stamp());
        let mut identifier = message::identifier(clock, last, negotiated.own_timestamp);
        while self.revocations.is_taken(visitor.home_address, identifier, visitor.home_agent) {
            identifier = identifier.wrapping_add(1);
        }
        let inform = self.asks(revocation);
        let domains = (visitor.home_agent, visitor.care_of_address);
        let fixed = message::fixed(false, inform, visitor.home_address, domains, identifier);
        let nai = match &visitor.identity {
            Identity::Nai(nai) if self.tells_apart(&visitor) => Some(nai),
            _ => None,
        };
        let mut octets = message::revocation(fixed, nai);
        signer.sign(&mut octets, extension_type::FOREIGN_HOME_AUTHENTICATION);
        let is_first = revocation.identifiers.is_empty();
        self.tally.count(if is_first {
            Counter::RevocationsSent
        } else {
            Counter::RevocationsRetried
        });
        if is_first {
            work.actions.push(Action::StopService(self.config.service(&visitor)));
        }
        let from = self.config.relay_source(visitor.care_of_address);
        let to = SocketAddrV4::new(visitor.home_agent, self.config.home_agent_port);
        work.actions.push(Action::Send { from, to, octets });
        work.sent.push(key.clone());
        self.used.remember(name, identifier, now.uptime);
        self.revocations.add_identifier(key, identifier);
        self.write_intent(key, work, now);
    }

    /// The identifiers are durable before they are on the wire.
    fn write_intent(&mut self, key: &VisitorKey, work: &mut Work, now: Now) {
        let Some(revocation) = self.revocations.get_mut(key) else { return };
        let mut row = Visitor::clone(&revocation.row);
        row.revoking = Some(Box::new(Revoking {
            identifiers: revocation.identifiers.clone(),
            sent_at: now.stamp(),
            inform: revocation.inform,
            operations: revocation.operations.clone(),
        }));
        let row = Arc::new(row);
        revocation.row = Arc::clone(&row);
        self.visitors.insert(Arc::clone(&row));
        work.batch.put::<Visitor>(row);
    }

    /// The revocation is over: the visitor goes, and what became of it is written down with that.
    fn end_revocation(
        &mut self,
        key: &VisitorKey,
        result: TargetResult,
        work: &mut Work,
        now: Now,
    ) {
        let Some(revocation) = self.revocations.remove(key) else { return };
        let visitor = Arc::clone(&revocation.row);
        if self.visitors.contains(&key.identity, key.home_address) {
            self.drop_visitor(&visitor, work);
            // §4.2.3.1: where the home agent was asked, its answer decides.
            let asked = self.asks(&revocation) && revocation.is_acknowledged;
            let inform = if asked { revocation.acknowledged_inform } else { revocation.inform };
            work.actions.extend(inform.then(|| informing(&visitor)));
        }
        self.finish_revocation(key, &revocation, result, &mut work.batch, now);
    }

    fn finish_revocation(
        &mut self,
        key: &VisitorKey,
        revocation: &Revocation<Visitor>,
        result: TargetResult,
        batch: &mut Batch,
        now: Now,
    ) {
        let result = if revocation.is_acknowledged { TargetResult::Acknowledged } else { result };
        let sent = revocation.identifiers.len();
        for id in &revocation.operations {
            let target = TargetKey::Visitor(key.clone());
            self.operations.finish(*id, &target, (result, sent), batch, now);
        }
    }

    /// The visitor that was being revoked is gone or registered anew.
    pub(super) fn give_up_revocation(
        &mut self,
        key: &VisitorKey,
        result: TargetResult,
        batch: &mut Batch,
        now: Now,
    ) {
        if let Some(revocation) = self.revocations.remove(key) {
            self.finish_revocation(key, &revocation, result, batch, now);
            self.operations.put(batch, now);
        }
    }

    pub(super) fn finish_target(
        &mut self,
        task: &Task,
        result: TargetResult,
        work: &mut Work,
        now: Now,
    ) {
        let (id, target) = (task.row.id, &task.row.target);
        self.operations.finish(id, target, (result, 0), &mut work.batch, now);
    }

    /// Removes a visitor here.
    pub(super) fn drop_visitor(&mut self, visitor: &Arc<Visitor>, work: &mut Work) {
        self.visitors.remove(&visitor.identity, visitor.home_address);
        work.batch.delete::<Visitor>(visitor.key());
        if visitor.revoking.is_none() {
            work.actions.push(Action::StopService(self.config.service(visitor)));
        }
        work.ended.push((visitor.identity.clone(), "revoked"));
    }

    /// Whether the home agent decides about informing the node (§4.2.3.1): not if the operator has
    /// decided otherwise than is our policy.
    fn asks(&self, revocation: &Revocation<Visitor>) -> bool {
        let negotiated = revocation.row.revocation.as_ref();
        negotiated.is_some_and(uses_inform) && revocation.inform == self.config.revocation.informs
    }

    /// Whether the home agent tells visitors with one home address apart by NAI.
    fn tells_apart(&self, visitor: &Visitor) -> bool {
        self.config.revocation.nai_peers.contains(&visitor.home_agent)
    }

    fn is_ambiguous(&self, visitor: &Visitor) -> bool {
        let is_other = |other: &&Arc<Visitor>| {
            other.identity != visitor.identity
                && other.home_agent == visitor.home_agent
                && other.care_of_address == visitor.care_of_address
        };
        !self.tells_apart(visitor)
            && self.visitors.with_home(visitor.home_address).any(|other| is_other(&other))
    }

    /// Begins to wait for acknowledgments: the messages have left.
    pub(super) fn arm_sent(&mut self, sent: &[VisitorKey], now: Now) {
        for key in sent {
            let Some(revocation) = self.revocations.get_mut(key) else { continue };
            revocation.sent_at = Some(now.uptime);
            let wait = self.config.revocation.wait(revocation.identifiers.len());
            self.revocations.arm(key, now.uptime + wait);
        }
    }

    /// The store did not take the intents: nothing was sent, and it is tried again later.
    pub(super) fn unsend(&mut self, sent: &[VisitorKey], snapshot: &Snapshot, now: Now) {
        for key in sent {
            self.revocations.take_back_identifier(key);
            self.revocations.arm(key, now.uptime + SPACING);
            self.reload(key, snapshot);
        }
    }

    /// Whether a revocation of what a request is about was sent less than a second ago (§3.3).
    pub(super) fn is_too_soon(&self, pending: &Pending, now: Now) -> bool {
        let key = VisitorKey {
            foreign_agent: self.config.address,
            identity: pending.identity.clone(),
            home_address: pending.request.home_address,
        };
        self.revocations.get(&key).is_some_and(|revocation| {
            let is_sent = !revocation.identifiers.is_empty() && !revocation.is_acknowledged;
            is_sent && revocation.sent_at.is_none_or(|at| now.uptime.since(at) < SPACING)
        })
    }
}

/// What tells the mobile node (§4.1).
pub(super) fn informing(visitor: &Visitor) -> Action {
    Action::InformRevoked {
        home_address: visitor.home_address,
        care_of_address: visitor.care_of_address,
        to: *visitor.source.ip(),
    }
}

/// A revocation that nothing was sent for.
fn begun(
    visitor: &Arc<Visitor>,
    inform: bool,
    operations: Vec<OperationId>,
) -> Revocation<Visitor> {
    Revocation {
        row: Arc::clone(visitor),
        home_address: visitor.home_address,
        peer: visitor.home_agent,
        identifiers: Vec::new(),
        inform,
        is_acknowledged: false,
        acknowledged_inform: false,
        sent_at: None,
        operations,
    }
}
