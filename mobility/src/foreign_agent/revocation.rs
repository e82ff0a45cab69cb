//! Visitors that this foreign agent revokes (RFC 3543 §4.2.3); the figure is that of
//! [`home_agent::revocation`](crate::home_agent).

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use store::{
    Identity, Now, OperationAction, Row as _, Snapshot, TargetKey, TargetResult, Time, Visitor,
    VisitorKey,
};
use wire::{Nai, RegistrationRevocation, RegistrationRevocationAcknowledgment};

use super::pending::Pending;
use super::{ForeignAgent, Purpose};
use crate::action::{Action, Output};
use crate::association::{Associations, Failure};
use crate::between::Between;
use crate::clock;
use crate::extensions::Extensions;
use crate::notification::NotificationId;
use crate::operations::{Step, Task};
use crate::revocation::{
    self, Draft, Offer, Revocation, Revoker, Revoking, SPACING, Sender, uses_inform,
};
use crate::visited::Sends as _;

pub(super) type Work = revocation::Work<VisitorKey>;

impl ForeignAgent {
    /// Looks at what operators want; called whenever the store's operations have changed, and
    /// again until nothing comes of it.
    pub fn on_operations(&mut self, snapshot: &Snapshot, now: Now) -> Output {
        self.observe_operations(snapshot, now)
    }

    /// Forwarding has seen nothing of a visitor for as long as the operator allows: revokes it.
    pub fn on_idle(&mut self, key: &VisitorKey, now: Now) -> Output {
        let visitor = self.visitors.get(&key.identity, key.home_address).cloned();
        let Some(visitor) = visitor else { return Output::default() };
        if visitor.revocation.is_none() || self.revocations.get(key).is_some() {
            return Output::default();
        }
        let inform = self.config.revocation.informs;
        let peer = self.upstream(&visitor).peer;
        let revocation = Revocation::new(&visitor, peer, inform, Vec::new());
        self.revocations.insert(key.clone(), revocation);
        let earliest = self.visitors.uptime(visitor.registered_at) + SPACING;
        self.revocations.arm(key, earliest.max(now.uptime));
        self.revocation_work(now)
    }

    /// Takes over the revocations that the last foreign agent had on their way.
    pub(super) fn resume_revocations(&mut self, now: Now) {
        let begun = self.visitors.iter().filter(|visitor| visitor.revoking.is_some());
        let begun: Vec<Arc<Visitor>> = begun.cloned().collect();
        for visitor in begun {
            let (config, peer) = (&self.config.revocation, self.upstream(&visitor).peer);
            let uptime = |at| self.visitors.uptime(at);
            self.revocations.resume(&visitor, peer, config, uptime, now.uptime);
        }
    }

    /// What is offered with a relayed request (§4.2.1).
    pub(super) fn offer(&self, pending: &Pending) -> Option<Offer> {
        let config = &self.config.revocation;
        if !config.enabled {
            return None;
        }
        let home_address = pending.request.home_address;
        let visitor = self.visitors.get(&pending.identity, home_address);
        let before = visitor.and_then(|visitor| visitor.revocation).map(|it| it.own_timestamp);
        let upstream = self.upstream_of(pending);
        let name = (upstream.peer, home_address, upstream.domain);
        let used = self.used.last(name);
        let clock = clock::seconds(pending.sent_at.stamp());
        let timestamp = before.into_iter().chain(used).fold(clock, clock::later);
        Some(Offer { inform: config.negotiates_inform, timestamp })
    }

    /// When there is something to do about revocations and operations.
    pub(super) fn revocation_deadline(&self) -> Option<Time> {
        let revocation = self.revocations.next_deadline();
        let notification = self.notifications.next_deadline();
        let operation = self.operations.next_deadline();
        revocation.into_iter().chain(notification).chain(operation).min()
    }

    /// Whether a revocation of what a request is about was sent less than a second ago (§3.3).
    pub(super) fn is_too_soon(&self, pending: &Pending, now: Now) -> bool {
        let key = VisitorKey {
            foreign_agent: self.config.address,
            identity: pending.identity.clone(),
            home_address: pending.request.home_address,
        };
        self.revocations.is_too_soon(&key, now.uptime)
    }

    /// The row that says what was sent, and for whom.
    fn write_intent(&mut self, key: &VisitorKey, work: &mut Work, now: Now) {
        if let Some(row) = self.revocations.intent(key, now) {
            self.visitors.insert(Arc::clone(&row));
            work.batch.put::<Visitor>(row);
        }
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
        self.config.revocation.nai_peers.contains(&self.upstream(visitor).peer)
    }

    /// Whether a message is authenticated by a home agent, or by a gateway.
    fn check_agent(&self, extensions: &Extensions<'_>, source: Ipv4Addr) -> Result<(), Failure> {
        let list = Between::of(extensions).list(extensions);
        self.associations.authenticate(list, &Identity::Address(source)).map(drop)
    }

    fn is_ambiguous(&self, visitor: &Visitor) -> bool {
        let upstream = self.upstream(visitor);
        let is_other = |other: &&Arc<Visitor>| {
            other.identity != visitor.identity && self.upstream(other) == upstream
        };
        !self.tells_apart(visitor)
            && self.visitors.with_home(visitor.home_address).any(|other| is_other(&other))
    }
}

impl Revoker for ForeignAgent {
    type Row = Visitor;

    const IS_REVOKED_BY_HOME_AGENTS: bool = true;

    fn between(extensions: &Extensions<'_>) -> Between {
        Between::of(extensions)
    }

    fn revoking(&mut self) -> Revoking<'_, Visitor> {
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

    fn names_us(&self, fixed: &RegistrationRevocation, source: Ipv4Addr) -> bool {
        fixed.home_domain_address == source && self.config.is_own(fixed.foreign_domain_address)
    }

    fn meant(
        &self,
        fixed: &RegistrationRevocation,
        nai: Option<&Nai>,
        source: Ipv4Addr,
    ) -> Vec<Arc<Visitor>> {
        self.revoked_visitors(fixed, nai, source)
    }

    fn is_being_removed(&self, fixed: &RegistrationRevocation) -> bool {
        let changes = self.in_flight.values().flat_map(|it| &it.changes);
        changes.filter_map(super::visitor_key).any(|key| key.home_address == fixed.home_address)
    }

    fn take_revocation(
        &mut self,
        fixed: &RegistrationRevocation,
        row: Option<Arc<Visitor>>,
        sender: Sender<'_>,
        now: Now,
    ) -> Output {
        self.end_revoked(fixed, row, sender, now)
    }

    fn check_acknowledgment(
        &self,
        _: &Visitor,
        extensions: &Extensions<'_>,
        source: Ipv4Addr,
    ) -> Result<(), Failure> {
        self.check_agent(extensions, source)
    }

    fn check_stray_acknowledgment(
        &self,
        _: &RegistrationRevocationAcknowledgment,
        extensions: &Extensions<'_>,
        source: Ipv4Addr,
    ) -> Result<(), Failure> {
        self.check_agent(extensions, source)
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
        let has_association = self.upstream_signer(&self.upstream(&visitor)).is_some();
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
        let peer = self.upstream(&visitor).peer;
        let revocation = Revocation::new(&visitor, peer, inform, vec![id]);
        self.revocations.insert(key.clone(), revocation);
        self.send_revocation(&key, work, now);
    }

    fn send_revocation(&mut self, key: &VisitorKey, work: &mut Work, now: Now) {
        let Some(revocation) = self.revocations.get(key) else { return };
        let visitor = Arc::clone(&revocation.row);
        let upstream = self.upstream(&visitor);
        let signer = self.upstream_signer(&upstream).cloned();
        let (Some(signer), Some(negotiated)) = (signer, visitor.revocation) else {
            return self.end_revocation(key, TargetResult::NotNegotiated, work, now);
        };
        let name = (upstream.peer, visitor.home_address, upstream.domain);
        let draft = Draft {
            from_home_agent: false,
            inform: self.asks(revocation),
            domains: (upstream.peer, upstream.domain),
            negotiated,
            last: self.used.last(name),
            nai: match &visitor.identity {
                Identity::Nai(nai) if self.tells_apart(&visitor) => Some(nai),
                _ => None,
            },
            signer: (upstream.between, &signer),
        };
        let message = self.revocations.message(key, &draft, &mut self.tally, now);
        let Some(message) = message else { return };
        if message.is_first {
            work.actions.push(Action::StopService(self.config.service(&visitor)));
        }
        let from = self.config.relay_source(upstream.domain);
        let to = SocketAddrV4::new(upstream.peer, self.config.home_agent_port);
        work.actions.push(Action::Send { from, to, octets: message.octets });
        work.sent.push(key.clone());
        self.used.remember(name, message.identifier, now.uptime);
        self.write_intent(key, work, now);
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

    fn commit(&mut self, work: Work, _: Now) -> Output {
        let revocation::Work { batch, actions, sent, notified, ended } = work;
        self.send_off(batch, actions, Purpose::Revocation { sent, notified, ended })
    }

    fn commit_step(&mut self, Step { id, batch, is_ours }: Step) -> Output {
        self.send_off(batch, Vec::new(), Purpose::Step { id, is_ours })
    }

    fn reload_row(&mut self, key: &VisitorKey, snapshot: &Snapshot) {
        self.reload(key, snapshot);
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
