//! Bindings that this home agent revokes (RFC 3543 §4.2.2).
//!
//! ```text
//!  begin ── service stops, intent and identifier durable ── sent ──┬─ acknowledged ─┐
//!    ▲                        ▲                                    ├─ out of time ──┤
//!    └─ a second after the    └── twice as long each time ─────────┘                ▼
//!       last registration message                       the binding and its targets' results: one batch
//! ```

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use store::{
    Batch, Binding, BindingKey, Identity, Now, OperationAction, Row as _, Snapshot, TargetKey,
    TargetResult, Time,
};
use wire::{Nai, RegistrationRevocation, RegistrationRevocationAcknowledgment};

use super::{HomeAgent, Purpose};
use crate::action::{Action, Output};
use crate::association::{Associations, Failure, SecurityAssociation};
use crate::between::Between;
use crate::clock;
use crate::extensions::Extensions;
use crate::notification::NotificationId;
use crate::operations::{Step, Task};
use crate::revocation::{self, Draft, Revocation, Revoker, Revoking, SPACING, Sender, uses_inform};

pub(super) type Work = revocation::Work<BindingKey>;

impl HomeAgent {
    /// Looks at what operators want; called whenever the store's operations have changed, and
    /// again until nothing comes of it.
    pub fn on_operations(&mut self, snapshot: &Snapshot, now: Now) -> Output {
        self.look_for_drain(snapshot);
        self.observe_operations(snapshot, now)
    }

    /// Takes over the revocations that the last home agent had on their way.
    pub(super) fn resume_revocations(&mut self, now: Now) {
        let begun = self.state.all_bindings().filter(|binding| binding.revoking.is_some());
        let begun: Vec<Arc<Binding>> = begun.cloned().collect();
        for binding in begun {
            let (config, peer) = (&self.config.revocation, peer(&binding));
            let uptime = |at| self.state.uptime(at);
            self.revocations.resume(&binding, peer, config, uptime, now.uptime);
        }
    }

    /// When there is something to do about revocations and operations.
    pub(super) fn revocation_deadline(&self) -> Option<Time> {
        let revocation = self.revocations.next_deadline();
        let notification = self.notifications.next_deadline();
        let operation = self.operations.next_deadline();
        revocation.into_iter().chain(notification).chain(operation).min()
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
        if earliest > now.uptime || self.state.is_busy(&binding.identity()) {
            let at = earliest.max(now.uptime + std::time::Duration::from_millis(100));
            return self.operations.postpone(task, at);
        }
        let inform = inform.unwrap_or(self.config.revocation.informs);
        let revocation = Revocation::new(&binding, peer(&binding), inform, vec![id]);
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
                let revocation = Revocation::new(binding, peer(binding), false, Vec::new());
                self.revocations.insert(key.clone(), revocation);
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
        !self.config.revocation.nai_peers.contains(&peer) && self.shares_home_address(binding)
    }
}

impl Revoker for HomeAgent {
    type Row = Binding;

    const IS_REVOKED_BY_HOME_AGENTS: bool = false;

    fn revoking(&mut self) -> Revoking<'_, Binding> {
        Revoking {
            outstanding: &mut self.revocations,
            notifications: &self.notifications,
            operations: &mut self.operations,
            recent: &mut self.recent,
            config: &self.config.revocation,
            tally: &mut self.tally,
        }
    }

    fn associations(&self) -> &Associations {
        &self.associations
    }

    fn names_us(&self, fixed: &RegistrationRevocation, _: Ipv4Addr) -> bool {
        fixed.home_domain_address == self.config.address
    }

    fn meant(
        &self,
        fixed: &RegistrationRevocation,
        nai: Option<&Nai>,
        source: Ipv4Addr,
    ) -> Vec<Arc<Binding>> {
        self.revoked_bindings(fixed, nai, source)
    }

    fn is_being_removed(&self, fixed: &RegistrationRevocation) -> bool {
        let is_meant = |key: &BindingKey| {
            key.home_address == fixed.home_address
                && key.care_of_address == fixed.foreign_domain_address
        };
        let changes = self.in_flight.values().flat_map(|in_flight| &in_flight.changes);
        changes.filter_map(super::binding_key).any(|key| is_meant(&key))
    }

    fn take_revocation(
        &mut self,
        fixed: &RegistrationRevocation,
        row: Option<Arc<Binding>>,
        sender: Sender<'_>,
        now: Now,
    ) -> Output {
        self.end_revoked(fixed, row, sender, now)
    }

    fn check_acknowledgment(
        &self,
        row: &Binding,
        extensions: &Extensions<'_>,
        source: Ipv4Addr,
    ) -> Result<(), Failure> {
        let known = if row.foreign_agent.is_some() {
            let agent = Identity::Address(source);
            self.associations.authenticate(&extensions.foreign_home, &agent)
        } else {
            self.associations.authenticate(&extensions.mobile_home, &row.identity())
        };
        known.map(drop)
    }

    fn check_stray_acknowledgment(
        &self,
        fixed: &RegistrationRevocationAcknowledgment,
        extensions: &Extensions<'_>,
        source: Ipv4Addr,
    ) -> Result<(), Failure> {
        if extensions.mobile_home.is_empty() {
            let agent = Identity::Address(source);
            return self.associations.authenticate(&extensions.foreign_home, &agent).map(drop);
        }
        self.check_stray(fixed.home_address, extensions.nai.as_ref(), &extensions.mobile_home)
    }

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

    fn send_revocation(&mut self, key: &BindingKey, work: &mut Work, now: Now) {
        let Some(revocation) = self.revocations.get(key) else { return };
        let (binding, peer) = (Arc::clone(&revocation.row), revocation.peer);
        let signer = self.revocation_signer(&binding).cloned();
        let (Some(signer), Some(negotiated)) = (signer, binding.revocation) else {
            return self.end_revocation(key, TargetResult::NotNegotiated, work, now);
        };
        let nai = binding.nai.as_ref();
        let draft = Draft {
            from_home_agent: true,
            inform: revocation.inform && uses_inform(&negotiated),
            domains: (self.config.address, binding.care_of_address),
            negotiated,
            last: self.last_revocation(&binding.identity()),
            nai: nai.filter(|_| self.config.revocation.nai_peers.contains(&peer)),
            signer: (authentication_of(&binding), &signer),
        };
        let message = self.revocations.message(key, &draft, &mut self.tally, now);
        let Some(message) = message else { return };
        let is_there = self.state.binding(key).is_some();
        // What was left behind has no service any more.
        if message.is_first && is_there {
            work.actions.push(Action::StopService(self.config.service(&binding)));
        }
        let from = SocketAddrV4::new(self.config.address, binding.local.port());
        let port = self.config.revocation.port.or(binding.source.port());
        let to = SocketAddrV4::new(peer, port);
        work.actions.push(Action::Send { from, to, octets: message.octets });
        work.sent.push(key.clone());
        // A binding that was left behind has no row any more.
        if is_there && let Some(row) = self.revocations.intent(key, now) {
            self.state.insert(Arc::clone(&row));
            work.batch.put::<Binding>(row);
        }
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
        revocation.finish(result, &mut self.operations, &mut work.batch, now);
    }

    fn send_notification(&mut self, id: NotificationId, work: &mut Work, now: Now) {
        self.notify_again(id, work, now);
    }

    fn end_notification(
        &mut self,
        id: NotificationId,
        result: TargetResult,
        work: &mut Work,
        now: Now,
    ) {
        self.end_notified(id, result, work, now);
    }

    fn commit(&mut self, work: Work, now: Now) -> Output {
        let revocation::Work { batch, actions, sent, notified, ended } = work;
        let purpose = Purpose::Revocation { sent, notified, ended, at: now.stamp() };
        self.send_off(batch, actions, purpose)
    }

    fn commit_step(&mut self, Step { id, batch, is_ours }: Step) -> Output {
        self.send_off(batch, Vec::new(), Purpose::Step { id, is_ours })
    }

    fn reload_row(&mut self, key: &BindingKey, snapshot: &Snapshot) {
        self.reload(&super::identity(key), &[], snapshot);
    }
}

/// Who has to acknowledge a revocation (§3.3): where the last approved request came from.
const fn peer(binding: &Binding) -> Ipv4Addr {
    *binding.source.ip()
}

/// What authenticates a revocation of `binding` (§3.3).
const fn authentication_of(binding: &Binding) -> Between {
    match binding.foreign_agent {
        Some(_) => Between::HomeAndForeign,
        None => Between::HomeAndNode,
    }
}
