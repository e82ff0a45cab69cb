//! Bindings that this home agent revokes (RFC 3543 §4.2.2).
//!
//! ```text
//!  begin ── service stops, intent and identifier durable ── sent ──┬─ acknowledged ─┐
//!    ▲                        ▲                                    ├─ out of time ──┤
//!    └─ a second after the    └── twice as long each time ─────────┘                ▼
//!       last registration message                       the binding and its targets' results: one batch
//! ```

use std::sync::Arc;

use store::{
    Batch, Binding, BindingKey, Counter, Identity, Now, OperationAction, Revoking, Row as _,
    Snapshot, TargetKey, TargetResult, Time,
};
use wire::extension_type;

use super::{HomeAgent, Purpose};
use crate::action::{Action, Output};
use crate::association::SecurityAssociation;
use crate::clock;
use crate::notification::NotificationId;
use crate::operations::{Step, Task};
use crate::revocation::{AT_ONCE, Revocation, SPACING, message, uses_inform};

/// What one turn has done.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) batch: Batch,
    pub(super) actions: Vec<Action>,
    /// Revocations that are sent once the batch is durable.
    pub(super) sent: Vec<BindingKey>,
    /// Notifications that are sent then.
    pub(super) notified: Vec<NotificationId>,
    /// Nodes that have lost a binding, and the word for it in their trails.
    pub(super) ended: Vec<(Identity, &'static str)>,
}

impl HomeAgent {
    /// Looks at what operators want; called whenever the store's operations have changed, and
    /// again until nothing comes of it.
    pub fn on_operations(&mut self, snapshot: &Snapshot, now: Now) -> Output {
        self.look_for_drain(snapshot);
        let (revocations, notifications) = (&self.revocations, &self.notifications);
        let step = self.operations.observe(snapshot, now, |id, target| match target {
            TargetKey::Binding(key) => {
                revocations.get(key).is_some_and(|it| it.operations.contains(&id))
                    || notifications.is_of(id, key)
            }
            TargetKey::Visitor(_) => false,
        });
        let Some(Step { id, batch, is_ours }) = step else { return Output::default() };
        self.send_off(batch, Vec::new(), Purpose::Step { id, is_ours })
    }

    /// Takes over the revocations that the last home agent had on their way.
    pub(super) fn resume_revocations(&mut self, now: Now) {
        let begun = self.state.all_bindings().filter(|binding| binding.revoking.is_some());
        let begun: Vec<Arc<Binding>> = begun.cloned().collect();
        for binding in begun {
            let Some(revoking) = binding.revoking.as_deref() else { continue };
            let wait = self.config.revocation.wait(revoking.identifiers.len());
            let at = self.state.uptime(revoking.sent_at + wait).max(now.uptime);
            let (key, revocation) = (binding.key(), resumed(&binding, revoking));
            self.revocations.insert(key.clone(), revocation);
            self.revocations.arm(&key, at);
        }
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
        let purpose = Purpose::Revocation { sent, notified, ended, at: now.stamp() };
        self.send_off(batch, actions, purpose)
    }

    fn repeat_revocations(&mut self, work: &mut Work, now: Now) {
        let attempts_max = usize::try_from(self.config.revocation.attempts_max).unwrap_or(1);
        for _ in 0..AT_ONCE {
            let Some(key) = self.revocations.due(now.uptime) else { return };
            let Some(revocation) = self.revocations.get(&key) else { continue };
            let sent = revocation.identifiers.len();
            // §3.3: never for a registration whose lifetime is over.
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

    /// Begins with a target of an operation.
    fn begin_target(&mut self, task: Task, work: &mut Work, now: Now) {
        let TargetKey::Binding(key) = task.row.target.clone() else { return };
        match task.operation.action {
            OperationAction::RevokeBindings { inform } => {
                self.revoke_target(task, &key, inform, work, now);
            }
            OperationAction::NotifyShutdown { .. } | OperationAction::NotifyMessage { .. } => {
                self.notify_target(task, &key, work, now);
            }
            OperationAction::Drain { .. } => self.drain_target(task, &key, work, now),
            OperationAction::RevokeVisitors { .. } => {
                self.finish_target(&task, TargetResult::NotTried, work, now);
            }
        }
    }

    pub(super) fn revoke_target(
        &mut self,
        task: Task,
        key: &BindingKey,
        inform: Option<bool>,
        work: &mut Work,
        now: Now,
    ) {
        let binding = self.state.binding(key).filter(|it| it.created_at == task.row.since);
        let Some(binding) = binding.cloned() else {
            return self.finish_target(&task, TargetResult::Gone, work, now);
        };
        let id = task.row.id;
        if let Some(revocation) = self.revocations.get_mut(key) {
            // Another operation is at it, or policy: what comes of that is the result of both.
            if !revocation.operations.contains(&id) {
                revocation.operations.push(id);
            }
            let operations = revocation.operations.clone();
            return self.note_operations(key, operations, work);
        }
        if binding.revocation.is_none() || self.revocation_signer(&binding).is_none() {
            self.drop_binding(&binding, work);
            return self.finish_target(&task, TargetResult::NotNegotiated, work, now);
        }
        if self.is_ambiguous(&binding) {
            return self.finish_target(&task, TargetResult::Ambiguous, work, now);
        }
        // §3.3: a registration message counts as one of the messages of which one a second is sent.
        let earliest = self.state.uptime(binding.registered_at) + SPACING;
        if earliest > now.uptime || self.busy.contains_key(&binding.identity()) {
            let at = earliest.max(now.uptime + std::time::Duration::from_millis(100));
            return self.operations.postpone(task, at);
        }
        let inform = inform.unwrap_or(self.config.revocation.informs);
        let revocation = begun(&binding, inform, vec![id]);
        self.revocations.insert(key.clone(), revocation);
        self.send_revocation(key, work, now);
    }

    /// Writes down which operations a revocation is a target of.
    fn note_operations(
        &mut self,
        key: &BindingKey,
        operations: Vec<store::OperationId>,
        work: &mut Work,
    ) {
        let Some(binding) = self.state.binding(key) else { return };
        let mut row = Binding::clone(binding);
        if let Some(revoking) = &mut row.revoking {
            revoking.operations = operations;
            let row = Arc::new(row);
            self.state.insert(Arc::clone(&row));
            work.batch.put::<Binding>(row);
        }
    }

    /// Revokes what a mobile node left behind by moving to another foreign agent, once the
    /// registration that says so is durable: returns what [`Self::arm_left_behind`] takes.
    pub(super) fn revoke_left_behind(&mut self, left: &[Arc<Binding>]) -> Vec<BindingKey> {
        let config = &self.config.revocation;
        if !config.on_handoff {
            return Vec::new();
        }
        let mut keys = Vec::new();
        for binding in left {
            let key = binding.key();
            let is_negotiated = binding.revocation.is_some() && binding.foreign_agent.is_some();
            if is_negotiated && self.revocations.get(&key).is_none() && !self.is_ambiguous(binding)
            {
                // §4.2.2.1: the node is with another foreign agent and need not be told.
                self.revocations.insert(key.clone(), begun(binding, false, Vec::new()));
                keys.push(key);
            }
        }
        keys
    }

    pub(super) fn arm_left_behind(&mut self, keys: &[BindingKey], now: Now) {
        for key in keys {
            let Some(revocation) = self.revocations.get(key) else { continue };
            let earliest = self.state.uptime(revocation.row.registered_at) + SPACING;
            self.revocations.arm(key, earliest.max(now.uptime));
        }
    }

    /// Sends a revocation, or sends it again with another identifier.
    fn send_revocation(&mut self, key: &BindingKey, work: &mut Work, now: Now) {
        let Some(revocation) = self.revocations.get(key) else { return };
        let (binding, peer) = (Arc::clone(&revocation.row), revocation.peer);
        let signer = self.revocation_signer(&binding).cloned();
        let (Some(signer), Some(negotiated)) = (signer, binding.revocation) else {
            return self.end_revocation(key, TargetResult::NotNegotiated, work, now);
        };
        let last = revocation.identifiers.last().copied();
        let last = last.or(self.last_revocation(&binding.identity()));
        let clock = clock::seconds(now.stamp());
        let mut identifier = message::identifier(clock, last, negotiated.own_timestamp);
        while self.revocations.is_taken(binding.home_address, identifier, peer) {
            identifier = identifier.wrapping_add(1);
        }
        let inform = revocation.inform && uses_inform(&negotiated);
        let domains = (self.config.address, binding.care_of_address);
        let fixed = message::fixed(true, inform, binding.home_address, domains, identifier);
        let nai = self.config.revocation.nai_peers.contains(&peer).then_some(binding.nai.as_ref());
        let mut octets = message::revocation(fixed, nai.flatten());
        signer.sign(&mut octets, authentication_of(&binding));
        let is_first = revocation.identifiers.is_empty();
        self.tally.count(if is_first {
            Counter::RevocationsSent
        } else {
            Counter::RevocationsRetried
        });
        // What was left behind has no service any more.
        if is_first && self.state.binding(key).is_some() {
            work.actions.push(Action::StopService(self.config.service(&binding)));
        }
        let from = std::net::SocketAddrV4::new(self.config.address, binding.local.port());
        let port = self.config.revocation.port.or(binding.source.port());
        let to = std::net::SocketAddrV4::new(peer, port);
        work.actions.push(Action::Send { from, to, octets });
        work.sent.push(key.clone());
        self.revocations.add_identifier(key, identifier);
        self.write_intent(key, work, now);
    }

    /// The identifiers are durable before they are on the wire.
    fn write_intent(&mut self, key: &BindingKey, work: &mut Work, now: Now) {
        let Some(revocation) = self.revocations.get_mut(key) else { return };
        if self.state.binding(key).is_none() {
            return; // A binding that was left behind has no row any more.
        }
        let mut row = Binding::clone(&revocation.row);
        row.revoking = Some(Box::new(Revoking {
            identifiers: revocation.identifiers.clone(),
            sent_at: now.stamp(),
            inform: revocation.inform,
            operations: revocation.operations.clone(),
        }));
        let row = Arc::new(row);
        revocation.row = Arc::clone(&row);
        self.state.insert(Arc::clone(&row));
        work.batch.put::<Binding>(row);
    }

    /// The revocation is over: the binding goes, and what became of it is written down with that.
    fn end_revocation(
        &mut self,
        key: &BindingKey,
        result: TargetResult,
        work: &mut Work,
        now: Now,
    ) {
        let Some(revocation) = self.revocations.remove(key) else { return };
        let binding = Arc::clone(&revocation.row);
        let is_there = self.state.binding(key).is_some_and(|it| it.revoking.is_some());
        if is_there {
            self.drop_binding(&binding, work);
        }
        self.keep_identifier(&binding.identity(), revocation.identifiers.last(), &mut work.batch);
        self.finish_revocation(key, &revocation, result, &mut work.batch, now);
    }

    /// Writes the result of a revocation that was removed from the list.
    pub(super) fn finish_revocation(
        &mut self,
        key: &BindingKey,
        revocation: &Revocation<Binding>,
        result: TargetResult,
        batch: &mut Batch,
        now: Now,
    ) {
        let result = if revocation.is_acknowledged { TargetResult::Acknowledged } else { result };
        let sent = revocation.identifiers.len();
        for id in &revocation.operations {
            let target = TargetKey::Binding(key.clone());
            self.operations.finish(*id, &target, (result, sent), batch, now);
        }
    }

    /// The binding that was being revoked is gone or registered anew.
    pub(super) fn give_up_revocation(
        &mut self,
        key: &BindingKey,
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

    /// Removes a binding here; nobody is told.
    pub(super) fn drop_binding(&mut self, binding: &Arc<Binding>, work: &mut Work) {
        let identity = binding.identity();
        self.state.remove(&identity, binding.home_address, binding.care_of_address);
        self.give_back_homes(&identity, std::iter::once(binding.home_address));
        work.batch.delete::<Binding>(binding.key());
        if binding.revoking.is_none() {
            work.actions.push(Action::StopService(self.config.service(binding)));
        }
        work.ended.push((identity, "revoked"));
    }

    /// Remembers beyond the binding which identifier was used last.
    fn keep_identifier(&mut self, identity: &Identity, last: Option<&u32>, batch: &mut Batch) {
        let (Some(last), Some(row)) = (last, self.state.row(identity)) else { return };
        let mut row = store::Node::clone(row);
        row.last_revocation = Some(row.last_revocation.map_or(*last, |it| clock::later(it, *last)));
        let row = Arc::new(row);
        self.state.entry(identity).row = Some(Arc::clone(&row));
        batch.put::<store::Node>(row);
    }

    /// The greatest identifier that was ever used for a node.
    pub(super) fn last_revocation(&self, identity: &Identity) -> Option<u32> {
        let kept = self.state.row(identity).and_then(|row| row.last_revocation);
        let bindings = self.state.bindings(identity).iter();
        let outstanding =
            bindings.filter_map(|binding| binding.revoking.as_ref()?.identifiers.last().copied());
        kept.into_iter().chain(outstanding).reduce(clock::later)
    }

    /// The association that a revocation of `binding` is authenticated with (§3.3).
    fn revocation_signer(&self, binding: &Binding) -> Option<&Arc<SecurityAssociation>> {
        match binding.foreign_agent {
            Some(foreign_agent) => self.associations.with(&Identity::Address(foreign_agent)).next(),
            None => self.associations.get(&binding.identity(), binding.spi),
        }
    }

    /// Whether a revocation could mean another node behind the same foreign agent: the message
    /// names the home address alone.
    fn is_ambiguous(&self, binding: &Binding) -> bool {
        let peer = binding.foreign_agent.unwrap_or(binding.care_of_address);
        if self.config.revocation.nai_peers.contains(&peer) {
            return false;
        }
        let own = binding.identity();
        let others = self.state.bound_to(binding.home_address).filter(|other| *other != own);
        let mut bindings = others.flat_map(|other| self.state.bindings(&other).to_vec());
        bindings.any(|other| {
            other.home_address == binding.home_address
                && other.care_of_address == binding.care_of_address
        })
    }

    /// Begins to wait for acknowledgments: the messages have left.
    pub(super) fn arm_sent(&mut self, sent: &[BindingKey], now: Now) {
        for key in sent {
            let Some(revocation) = self.revocations.get_mut(key) else { continue };
            revocation.sent_at = Some(now.uptime);
            let wait = self.config.revocation.wait(revocation.identifiers.len());
            self.revocations.arm(key, now.uptime + wait);
        }
    }

    /// The store did not take the intents: nothing was sent, and it is tried again later.
    pub(super) fn unsend(&mut self, sent: &[BindingKey], snapshot: &Snapshot, now: Now) {
        for key in sent {
            self.revocations.take_back_identifier(key);
            self.revocations.arm(key, now.uptime + SPACING);
            let identity = super::identity(key);
            self.reload(&identity, &[], snapshot);
        }
    }

    /// Whether a revocation of the binding that a request is about was sent less than a second ago,
    /// or is about to be: then the request is not answered (§3.3), and comes again.
    pub(super) fn is_too_soon(&self, key: &BindingKey, now: Now) -> bool {
        self.revocations.get(key).is_some_and(|revocation| {
            let is_sent = !revocation.identifiers.is_empty();
            let lately = revocation.sent_at.is_none_or(|at| now.uptime.since(at) < SPACING);
            is_sent && lately && !revocation.is_acknowledged
        })
    }
}

/// A revocation that nothing was sent for.
fn begun(
    binding: &Arc<Binding>,
    inform: bool,
    operations: Vec<store::OperationId>,
) -> Revocation<Binding> {
    Revocation {
        row: Arc::clone(binding),
        home_address: binding.home_address,
        // §3.3: the source address of the last approved registration request.
        peer: *binding.source.ip(),
        identifiers: Vec::new(),
        inform,
        is_acknowledged: false,
        acknowledged_inform: false,
        sent_at: None,
        operations,
    }
}

fn resumed(binding: &Arc<Binding>, revoking: &Revoking) -> Revocation<Binding> {
    Revocation {
        identifiers: revoking.identifiers.clone(),
        ..begun(binding, revoking.inform, revoking.operations.clone())
    }
}

/// Which extension authenticates a revocation of `binding` (§3.3).
const fn authentication_of(binding: &Binding) -> u8 {
    match binding.foreign_agent {
        Some(_) => extension_type::FOREIGN_HOME_AUTHENTICATION,
        None => extension_type::MOBILE_HOME_AUTHENTICATION,
    }
}
