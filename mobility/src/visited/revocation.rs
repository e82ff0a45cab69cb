//! Revocations that foreign agents and gateways send upstream (RFC 3543 §4.2.3).

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use store::{Now, OperationAction, TargetKey, TargetResult, Time, Visitor, VisitorKey};

use super::{Sends, Work};
use crate::action::{Action, Service};
use crate::association::SecurityAssociation;
use crate::between::Between;
use crate::operations::Task;
use crate::revocation::{Draft, Recent, Revocation, RevocationConfig, Revoking, uses_inform};

/// What is upstream of a visitor: its home agent, or the gateway that a foreign agent is beneath.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Upstream {
    pub(crate) peer: Ipv4Addr,
    /// The foreign domain address that it knows.
    pub(crate) domain: Ipv4Addr,
    pub(crate) between: Between,
}

/// How long something waits that cannot be revoked yet.
const LATER: Duration = Duration::from_millis(100);

/// Revokes its visitors, as operators ask for it.
pub(crate) trait Revokes: Sends {
    fn revocation_config(&self) -> &RevocationConfig;

    fn upstream(&self, visitor: &Visitor) -> Upstream;

    /// The association that protects what is said upstream.
    fn upstream_signer(&self, upstream: &Upstream) -> Option<&Arc<SecurityAssociation>>;

    /// Where what is said upstream comes from, and where it goes.
    fn way_up(&self, upstream: &Upstream) -> (SocketAddrV4, SocketAddrV4);

    /// The identifiers that were used last, beyond the visitors that they were for.
    fn used(&mut self) -> &mut Recent;

    fn service(&self, visitor: &Visitor) -> Service;

    /// Whether its registration has ended, and the row waits for somebody to know.
    fn is_over(&self, visitor: &Visitor) -> bool;

    /// §3.3: a second after the last message about its registration.
    fn earliest(&self, visitor: &Visitor) -> Time;

    /// Whether a request of it waits for its reply, or a change of its row for the store.
    fn is_unsettled(&self, visitor: &Visitor) -> bool;

    /// Puts a row into memory.
    fn keep(&mut self, row: Arc<Visitor>);

    /// Ends a visit here, of which what is upstream knows or cannot be told.
    fn end_visit(&mut self, visitor: &Arc<Visitor>, inform: bool, work: &mut Work, now: Now);

    /// Whether the peer decides about informing the node (§4.2.3.1): not if the operator has decided
    /// otherwise than is our policy.
    fn asks(&self, visitor: &Visitor, inform: bool) -> bool {
        let negotiated = visitor.revocation.as_ref();
        negotiated.is_some_and(uses_inform) && inform == self.revocation_config().informs
    }

    /// Whether it can be told that a visitor is revoked.
    fn can_tell(&self, visitor: &Visitor) -> bool {
        let signer = self.upstream_signer(&self.upstream(visitor));
        visitor.revocation.is_some() && signer.is_some()
    }

    /// Whether a revocation could mean another node of the same peer: it names the home address alone.
    fn is_ambiguous(&self, visitor: &Visitor) -> bool {
        let upstream = self.upstream(visitor);
        let is_other = |other: &&Arc<Visitor>| {
            other.identity != visitor.identity && self.upstream(other) == upstream
        };
        !self.revocation_config().nai_peers.contains(&upstream.peer)
            && self.visitors().with_home(visitor.home_address).any(|other| is_other(&other))
    }

    /// Begins with a target of an operation.
    fn operate_on(&mut self, task: Task, work: &mut Work, now: Now) {
        let TargetKey::Visitor(key) = task.row.target.clone() else { return };
        let OperationAction::RevokeVisitors { inform } = task.operation.action else {
            return self.notify_target(task, &key, work, now);
        };
        let visitor = self.visitors().get(&key.identity, key.home_address);
        let visitor = visitor.filter(|it| it.created_at == task.row.since && !self.is_over(it));
        let Some(visitor) = visitor.cloned() else {
            return self.finish_target(&task, TargetResult::Gone, work, now);
        };
        let id = task.row.id;
        if let Some(revocation) = self.revoking().outstanding.get_mut(&key) {
            if !revocation.operations.contains(&id) {
                revocation.operations.push(id);
            }
            return self.write_intent(&key, work, now);
        }
        let inform = inform.unwrap_or(self.revocation_config().informs);
        if !self.can_tell(&visitor) {
            self.end_visit(&visitor, inform, work, now);
            return self.finish_target(&task, TargetResult::NotNegotiated, work, now);
        }
        if self.is_ambiguous(&visitor) {
            return self.finish_target(&task, TargetResult::Ambiguous, work, now);
        }
        let earliest = self.earliest(&visitor);
        if earliest > now.uptime || self.is_unsettled(&visitor) {
            let at = earliest.max(now.uptime + LATER);
            return self.revoking().operations.postpone(task, at);
        }
        let peer = self.upstream(&visitor).peer;
        let revocation = Revocation::new(&visitor, peer, inform, vec![id]);
        self.revoking().outstanding.insert(key.clone(), revocation);
        self.revoke_again(&key, work, now);
    }

    /// Sends a revocation, or sends it again with another identifier.
    fn revoke_again(&mut self, key: &VisitorKey, work: &mut Work, now: Now) {
        let Some(revocation) = self.revoking().outstanding.get(key) else { return };
        let (visitor, inform) = (Arc::clone(&revocation.row), revocation.inform);
        let upstream = self.upstream(&visitor);
        let signer = self.upstream_signer(&upstream).cloned();
        let (Some(signer), Some(negotiated)) = (signer, visitor.revocation) else {
            return self.end_revocation(key, TargetResult::NotNegotiated, work, now);
        };
        let tells_apart = self.revocation_config().nai_peers.contains(&upstream.peer);
        let name = (upstream.peer, visitor.home_address, upstream.domain);
        let draft = Draft {
            from_home_agent: false,
            inform: self.asks(&visitor, inform),
            domains: (upstream.peer, upstream.domain),
            negotiated,
            last: self.used().last(name),
            nai: visitor.identity.nai().filter(|_| tells_apart),
            signer: (upstream.between, &signer),
        };
        let Revoking { outstanding, tally, .. } = self.revoking();
        let Some(message) = outstanding.message(key, &draft, tally, now) else { return };
        if message.is_first {
            work.actions.push(Action::StopService(self.service(&visitor)));
        }
        let (from, to) = self.way_up(&upstream);
        work.actions.push(Action::Send { from, to, octets: message.octets });
        work.sent.push(key.clone());
        self.used().remember(name, message.identifier, now.uptime);
        self.write_intent(key, work, now);
    }

    /// What is upstream knows, or does not answer: the visit goes, and what became of it is written
    /// down with that.
    fn end_told(&mut self, key: &VisitorKey, result: TargetResult, work: &mut Work, now: Now) {
        let Some(revocation) = self.revoking().outstanding.remove(key) else { return };
        if let Some(visitor) = self.visitors().get(&key.identity, key.home_address).cloned() {
            // §4.2.3.1: where the peer was asked, its answer decides.
            let asked = self.asks(&revocation.row, revocation.inform);
            let asked = asked && revocation.is_acknowledged;
            let inform = if asked { revocation.acknowledged_inform } else { revocation.inform };
            self.end_visit(&visitor, inform, work, now);
        }
        revocation.finish(result, self.revoking().operations, &mut work.batch, now);
    }

    /// The row that says what was sent, and for whom.
    fn write_intent(&mut self, key: &VisitorKey, work: &mut Work, now: Now) {
        if let Some(row) = self.revoking().outstanding.intent(key, now) {
            self.keep(Arc::clone(&row));
            work.batch.put::<Visitor>(row);
        }
    }
}
