//! Visitors that this foreign agent revokes (RFC 3543 §4.2.3); the figure is that of
//! [`home_agent::revocation`](crate::home_agent).

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use store::{Identity, Now, Row as _, Snapshot, TargetResult, Time, Visitor, VisitorKey};
use wire::{Nai, RegistrationRevocation, RegistrationRevocationAcknowledgment};

use super::pending::Pending;
use super::{ForeignAgent, Purpose};
use crate::action::{Action, Output, Service};
use crate::association::{Associations, Failure, SecurityAssociation};
use crate::between::Between;
use crate::extensions::Extensions;
use crate::notification::NotificationId;
use crate::operations::{Step, Task};
use crate::revocation::{
    Offer, Recent, Revocation, RevocationConfig, Revoker, Revoking, SPACING, Sender,
};
use crate::visited::{Revokes, Sends as _, Upstream, Work};

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
        let earliest = self.earliest(&visitor);
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
        let home_address = pending.request.home_address;
        let visitor = self.visitors.get(&pending.identity, home_address);
        let before = visitor.and_then(|visitor| visitor.revocation);
        let upstream = self.upstream_of(pending);
        let used = self.used.last((upstream.peer, home_address, upstream.domain));
        self.config.revocation.offer(before, used, pending.sent_at.stamp())
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

    /// Removes a visitor here.
    pub(super) fn drop_visitor(&mut self, visitor: &Arc<Visitor>, work: &mut Work) {
        self.visitors.remove(&visitor.identity, visitor.home_address);
        work.batch.delete::<Visitor>(visitor.key());
        if visitor.revoking.is_none() {
            work.actions.push(Action::StopService(self.config.service(visitor)));
        }
        work.ended.push((visitor.identity.clone(), "revoked"));
    }

    /// Whether a message is authenticated by a home agent, or by a gateway.
    fn check_agent(&self, extensions: &Extensions<'_>, source: Ipv4Addr) -> Result<(), Failure> {
        let list = Between::of(extensions).list(extensions);
        self.associations.authenticate(list, &Identity::Address(source)).map(drop)
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
        self.operate_on(task, work, now);
    }

    fn send_revocation(&mut self, key: &VisitorKey, work: &mut Work, now: Now) {
        self.revoke_again(key, work, now);
    }

    fn end_revocation(
        &mut self,
        key: &VisitorKey,
        result: TargetResult,
        work: &mut Work,
        now: Now,
    ) {
        self.end_told(key, result, work, now);
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
        let Work { batch, actions, sent, notified, ended } = work;
        self.send_off(batch, actions, Purpose::Revocation { sent, notified, ended })
    }

    fn commit_step(&mut self, Step { id, batch, is_ours }: Step) -> Output {
        self.send_off(batch, Vec::new(), Purpose::Step { id, is_ours })
    }

    fn reload_row(&mut self, key: &VisitorKey, snapshot: &Snapshot) {
        self.reload(key, snapshot);
    }
}

impl Revokes for ForeignAgent {
    fn revocation_config(&self) -> &RevocationConfig {
        &self.config.revocation
    }

    fn upstream(&self, visitor: &Visitor) -> Upstream {
        let gateway = visitor.regional.as_ref().map(|it| it.gateway);
        self.beneath(gateway, visitor.home_agent, visitor.care_of_address)
    }

    fn upstream_signer(&self, upstream: &Upstream) -> Option<&Arc<SecurityAssociation>> {
        if upstream.between == Between::ForeignAgents {
            return self.gateway_association(upstream.peer);
        }
        self.associations.with(&Identity::Address(upstream.peer)).next()
    }

    fn way_up(&self, upstream: &Upstream) -> (SocketAddrV4, SocketAddrV4) {
        let from = self.config.relay_source(upstream.domain);
        (from, SocketAddrV4::new(upstream.peer, self.config.home_agent_port))
    }

    fn used(&mut self) -> &mut Recent {
        &mut self.used
    }

    fn service(&self, visitor: &Visitor) -> Service {
        self.config.service(visitor)
    }

    /// It waits for nobody beneath.
    fn is_over(&self, _: &Visitor) -> bool {
        false
    }

    fn earliest(&self, visitor: &Visitor) -> Time {
        self.visitors.uptime(visitor.registered_at) + SPACING
    }

    fn is_unsettled(&self, visitor: &Visitor) -> bool {
        self.pending.contains(&visitor.identity, visitor.home_address) || self.is_in_flight(visitor)
    }

    fn keep(&mut self, row: Arc<Visitor>) {
        self.visitors.insert(row);
    }

    fn end_visit(&mut self, visitor: &Arc<Visitor>, inform: bool, work: &mut Work, _: Now) {
        self.drop_visitor(visitor, work);
        work.actions.extend(inform.then(|| informing(visitor)));
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
