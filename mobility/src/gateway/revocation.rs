//! Visitors that a gateway revokes towards their home agents (RFC 3543 §4.2.3), as a foreign agent does;
//! what it does beneath itself is in [`beneath`](super::beneath).
//!
//! ```text
//!  home agent ──revokes──▶ gateway ──revokes──▶ foreign agent    each acknowledges to who asked it,
//!  home agent ◀──revokes── gateway ◀──revokes── foreign agent    and ends its own part at once
//! ```
//!
//! A reading: RFC 3543 has no word of gateways and RFC 4857 none of revocation. A gateway is the foreign
//! agent that a home agent knows, and takes the home agent's part for the foreign agents beneath it.
//! What an operator revokes goes to the home agent first: a node that learnt of it from its foreign
//! agent would ask for the same registration again.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use store::{Identity, Now, Row as _, Snapshot, TargetResult, Time, Visitor, VisitorKey};
use wire::{Nai, RegistrationRevocation, RegistrationRevocationAcknowledgment};

use super::beneath::is_leaving;
use super::pending::Pending;
use super::{Gateway, Purpose};
use crate::action::{Action, Output, Service};
use crate::association::{Associations, Failure, SecurityAssociation};
use crate::between::Between;
use crate::extensions::Extensions;
use crate::foreign_agent::visitors::visitor_key;
use crate::notification::NotificationId;
use crate::operations::{Step, Task};
use crate::refusal::Refuse;
use crate::revocation::{
    Offer, Recent, Revocation, RevocationConfig, Revoker, Revoking, SPACING, Sender,
};
use crate::tally::Tally;
use crate::violations::Violations;
use crate::visited::{Revokes, Sends as _, Upstream, Work};

impl Gateway {
    /// Looks at what operators want; called whenever the store's operations have changed, and
    /// again until nothing comes of it.
    pub fn on_operations(&mut self, snapshot: &Snapshot, now: Now) -> Output {
        self.observe_operations(snapshot, now)
    }

    /// Takes over the revocations that the last gateway had on their way.
    pub(super) fn resume_revocations(&mut self, now: Now) {
        let visitors: Vec<Arc<Visitor>> = self.visitors.iter().cloned().collect();
        for visitor in visitors {
            let config = &self.config.revocation;
            let uptime = |at| self.visitors.uptime(at);
            self.revocations.resume(&visitor, visitor.home_agent, config, uptime, now.uptime);
            self.resume_beneath(&visitor, now);
        }
    }

    /// What is offered to the home agent with a relayed request (§4.2.1).
    pub(super) fn offer_home(&self, pending: &Pending, now: Now) -> Option<Offer> {
        let (home_agent, home) = (pending.request.home_agent, pending.request.home_address);
        let visitor = self.visitors.get(&pending.identity, home);
        let before = visitor.and_then(|it| it.revocation);
        let used = self.used.last((home_agent, home, self.config.address));
        self.config.revocation.offer(before, used, now.stamp())
    }

    /// When there is something to do about revocations and operations.
    pub(super) fn revocation_deadline(&self) -> Option<Time> {
        let deadlines = [
            self.revocations.next_deadline(),
            self.beneath.list.next_deadline(),
            self.notifications.next_deadline(),
            self.operations.next_deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Ends, repeats and begins what is due on both sides.
    pub(super) fn revoke_due(&mut self, now: Now) -> Output {
        let output = self.revocation_work(now);
        if output.is_empty() { self.work_beneath(now) } else { output }
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

    /// Begins to tell the home agent of a visitor that its registration is revoked; false if that was
    /// not agreed upon, or would not say which it is.
    pub(super) fn tell_home_agent(
        &mut self,
        visitor: &Arc<Visitor>,
        inform: bool,
        work: &mut Work,
        now: Now,
    ) -> bool {
        let key = visitor.key();
        if self.revocations.get(&key).is_some() {
            return true;
        }
        if !self.can_tell(visitor) || self.is_ambiguous(visitor) {
            return false;
        }
        let revocation = Revocation::new(visitor, visitor.home_agent, inform, Vec::new());
        self.revocations.insert(key.clone(), revocation);
        self.send_revocation(&key, work, now);
        true
    }

    /// Removes a visitor here.
    pub(super) fn drop_visitor(&mut self, visitor: &Arc<Visitor>, work: &mut Work) {
        if visitor.revoking.is_none() && !is_leaving(visitor) {
            work.actions.push(Action::StopService(self.config.service(visitor)));
        }
        if let Some(gone) = self.visitors.remove(&visitor.identity, visitor.home_address) {
            self.disarm(&gone);
        }
        work.batch.delete::<Visitor>(visitor.key());
        work.ended.push((visitor.identity.clone(), "revoked"));
    }
}

impl Refuse for Gateway {
    fn watch(&mut self) -> (&mut Tally, &mut Violations) {
        (&mut self.tally, &mut self.violations)
    }
}

impl Revoker for Gateway {
    type Row = Visitor;

    const IS_REVOKED_BY_HOME_AGENTS: bool = true;

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
        fixed.home_domain_address == source && fixed.foreign_domain_address == self.config.address
    }

    fn meant(
        &self,
        fixed: &RegistrationRevocation,
        nai: Option<&Nai>,
        source: Ipv4Addr,
    ) -> Vec<Arc<Visitor>> {
        self.named(fixed.home_address, nai, |visitor| visitor.home_agent == source)
    }

    fn is_being_removed(&self, fixed: &RegistrationRevocation) -> bool {
        let changes = self.in_flight.values().flat_map(|it| &it.changes);
        changes.filter_map(visitor_key).any(|key| key.home_address == fixed.home_address)
    }

    /// A home agent has revoked a binding (§4.2.2.2): the foreign agent beneath is told next.
    fn take_revocation(
        &mut self,
        fixed: &RegistrationRevocation,
        visitor: Option<Arc<Visitor>>,
        sender: Sender<'_>,
        now: Now,
    ) -> Output {
        let negotiated = visitor.as_ref().and_then(|visitor| visitor.revocation.as_ref());
        let inform = self.config.revocation.informs_of(fixed, negotiated);
        let acknowledgment = self.acknowledge(fixed, inform, sender);
        let Some(visitor) = visitor else { return Output::at_once(vec![acknowledgment]) };
        let mut work = Work::default();
        work.actions.push(acknowledgment);
        // Ours may be on its way to them: they have ended it by themselves.
        self.give_up_revocation(&visitor.key(), TargetResult::Gone, &mut work.batch, now);
        self.leave(&visitor, inform, &mut work, now);
        work.ended = vec![(visitor.identity.clone(), "revoked-by-home-agent")];
        self.commit(work, now)
    }

    fn check_acknowledgment(
        &self,
        _: &Visitor,
        extensions: &Extensions<'_>,
        source: Ipv4Addr,
    ) -> Result<(), Failure> {
        let home_agent = Identity::Address(source);
        self.associations.authenticate(&extensions.foreign_home, &home_agent).map(drop)
    }

    fn check_stray_acknowledgment(
        &self,
        _: &RegistrationRevocationAcknowledgment,
        extensions: &Extensions<'_>,
        source: Ipv4Addr,
    ) -> Result<(), Failure> {
        let list = Between::of(extensions).list(extensions);
        self.associations.authenticate(list, &Identity::Address(source)).map(drop)
    }

    fn begin_target(&mut self, task: Task, work: &mut Work, now: Now) {
        self.operate_on(task, work, now);
    }

    fn send_revocation(&mut self, key: &VisitorKey, work: &mut Work, now: Now) {
        self.revoke_again(key, work, now);
    }

    /// The home agent knows, or does not answer: it is the foreign agent's turn.
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
        // A name of a foreign agent's is of the same visitor here.
        let own = VisitorKey { foreign_agent: self.config.address, ..key.clone() };
        self.reload(&own, snapshot);
    }
}

impl Revokes for Gateway {
    fn revocation_config(&self) -> &RevocationConfig {
        &self.config.revocation
    }

    fn upstream(&self, visitor: &Visitor) -> Upstream {
        let (peer, domain) = (visitor.home_agent, self.config.address);
        Upstream { peer, domain, between: Between::HomeAndForeign }
    }

    fn upstream_signer(&self, upstream: &Upstream) -> Option<&Arc<SecurityAssociation>> {
        self.associations.with(&Identity::Address(upstream.peer)).next()
    }

    fn way_up(&self, upstream: &Upstream) -> (SocketAddrV4, SocketAddrV4) {
        let from = SocketAddrV4::new(upstream.domain, self.config.port);
        (from, SocketAddrV4::new(upstream.peer, self.config.home_agent_port))
    }

    fn used(&mut self) -> &mut Recent {
        &mut self.used
    }

    fn service(&self, visitor: &Visitor) -> Service {
        self.config.service(visitor)
    }

    fn is_over(&self, visitor: &Visitor) -> bool {
        is_leaving(visitor)
    }

    /// Home or regional.
    fn earliest(&self, visitor: &Visitor) -> Time {
        let regional = visitor.regional.as_ref().and_then(|it| {
            let lifetime = i64::from(it.lifetime_granted.0) * 1000;
            Some(it.expires_at?.shifted(-lifetime))
        });
        let last = regional.map_or(visitor.registered_at, |at| at.max(visitor.registered_at));
        self.visitors.uptime(last) + SPACING
    }

    fn is_unsettled(&self, visitor: &Visitor) -> bool {
        self.pending.contains(&visitor.identity, visitor.home_address) || self.is_in_flight(visitor)
    }

    fn keep(&mut self, row: Arc<Visitor>) {
        self.insert(row);
    }

    /// The foreign agent beneath is told next.
    fn end_visit(&mut self, visitor: &Arc<Visitor>, inform: bool, work: &mut Work, now: Now) {
        self.leave(visitor, inform, work, now);
    }
}
