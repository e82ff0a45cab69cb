//! Revocations that wait for their acknowledgments.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use store::{Batch, Counter, Now, OperationId, RevocationSupport, Revoking, TargetResult, Time};
use wire::Nai;

use super::revocable::Revocable;
use super::{RevocationConfig, SPACING, message};
use crate::association::SecurityAssociation;
use crate::between::Between;
use crate::clock;
use crate::operations::Operations;
use crate::tally::Tally;

/// One revocation on its way.
#[derive(Clone, Debug)]
pub(crate) struct Revocation<R> {
    /// The binding or visitor that is revoked.
    pub(crate) row: Arc<R>,
    pub(crate) home_address: Ipv4Addr,
    /// Who has to acknowledge it.
    pub(crate) peer: Ipv4Addr,
    /// Of every message that was sent, oldest first.
    pub(crate) identifiers: Vec<u32>,
    /// Whether the mobile node is to be informed.
    pub(crate) inform: bool,
    pub(crate) is_acknowledged: bool,
    /// The `I` bit of the acknowledgment.
    pub(crate) acknowledged_inform: bool,
    /// When the last message left; `None` while it waits for the store.
    pub(crate) sent_at: Option<Time>,
    /// The operations that it is a target of.
    pub(crate) operations: Vec<OperationId>,
}

impl<R: Revocable> Revocation<R> {
    /// One that nothing was sent for, which `peer` is to acknowledge.
    pub(crate) fn new(
        row: &Arc<R>,
        peer: Ipv4Addr,
        inform: bool,
        operations: Vec<OperationId>,
    ) -> Self {
        Self {
            row: Arc::clone(row),
            home_address: row.home_address(),
            peer,
            identifiers: Vec::new(),
            inform,
            is_acknowledged: false,
            acknowledged_inform: false,
            sent_at: None,
            operations,
        }
    }

    /// Writes its result, once it is removed from the list.
    pub(crate) fn finish(
        &self,
        result: TargetResult,
        operations: &mut Operations,
        batch: &mut Batch,
        now: Now,
    ) {
        let result = if self.is_acknowledged { TargetResult::Acknowledged } else { result };
        let sent = self.identifiers.len();
        for id in &self.operations {
            let target = R::target(self.row.key());
            operations.finish(*id, &target, (result, sent), batch, now);
        }
    }
}

/// What is to be done next about a revocation.
#[derive(Clone, Debug)]
pub(crate) enum Turn<K> {
    /// To send it, or to send it again.
    Send(K),
    /// To end it, and to write down how it has ended.
    End(K, TargetResult),
}

/// What the messages of one revocation say beside their identifiers.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) from_home_agent: bool,
    /// The `I` bit.
    pub(crate) inform: bool,
    /// Home domain and foreign domain (§3.3).
    pub(crate) domains: (Ipv4Addr, Ipv4Addr),
    pub(crate) negotiated: RevocationSupport,
    /// The greatest identifier that was ever used for the node, if it is known.
    pub(crate) last: Option<u32>,
    pub(crate) nai: Option<&'a Nai>,
    /// What authenticates it, and between whom.
    pub(crate) signer: (Between, &'a SecurityAssociation),
}

/// The next message of a revocation.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) octets: Vec<u8>,
    pub(crate) identifier: u32,
    /// Whether it is the first, with which service stops.
    pub(crate) is_first: bool,
}

/// All revocations of one agent.
#[derive(Debug)]
pub(crate) struct Outstanding<R: Revocable> {
    list: BTreeMap<R::Key, Revocation<R>>,
    /// Invariant: at most one entry for each revocation; none while it waits for the store.
    deadlines: BTreeSet<(Time, R::Key)>,
    due_at: BTreeMap<R::Key, Time>,
    /// Which revocations an acknowledgment may be of.
    identifiers: BTreeMap<(Ipv4Addr, u32), BTreeSet<R::Key>>,
    /// Those that were acknowledged, and whose rows are still there.
    acknowledged: Vec<R::Key>,
}

impl<R: Revocable> Default for Outstanding<R> {
    fn default() -> Self {
        Self {
            list: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            due_at: BTreeMap::new(),
            identifiers: BTreeMap::new(),
            acknowledged: Vec::new(),
        }
    }
}

impl<R: Revocable> Outstanding<R> {
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn get(&self, key: &R::Key) -> Option<&Revocation<R>> {
        self.list.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: &R::Key) -> Option<&mut Revocation<R>> {
        self.list.get_mut(key)
    }

    /// Adds one; [`Self::arm`] says when it is due.
    pub(crate) fn insert(&mut self, key: R::Key, revocation: Revocation<R>) {
        self.remove(&key);
        for identifier in &revocation.identifiers {
            let name = (revocation.home_address, *identifier);
            self.identifiers.entry(name).or_default().insert(key.clone());
        }
        self.list.insert(key, revocation);
    }

    pub(crate) fn remove(&mut self, key: &R::Key) -> Option<Revocation<R>> {
        let revocation = self.list.remove(key)?;
        self.disarm(key);
        for identifier in &revocation.identifiers {
            self.forget(key, revocation.home_address, *identifier);
        }
        Some(revocation)
    }

    /// Takes over one that an agent before this one had on its way; it is repeated when its time
    /// has come, and not before `now`.
    pub(crate) fn resume(
        &mut self,
        row: &Arc<R>,
        peer: Ipv4Addr,
        config: &RevocationConfig,
        uptime: impl FnOnce(store::UtcTime) -> Time,
        now: Time,
    ) {
        let Some(revoking) = row.revoking() else { return };
        let at = uptime(revoking.sent_at + config.wait(revoking.identifiers.len())).max(now);
        let operations = revoking.operations.clone();
        let revocation = Revocation {
            identifiers: revoking.identifiers.clone(),
            ..Revocation::new(row, peer, revoking.inform, operations)
        };
        self.insert(row.key(), revocation);
        self.arm(&row.key(), at);
    }

    /// The octets of the next message of one, which is about to be sent: with an identifier that no
    /// other has (§3.5).
    pub(crate) fn message(
        &mut self,
        key: &R::Key,
        draft: &Draft<'_>,
        tally: &mut Tally,
        now: Now,
    ) -> Option<Message> {
        let revocation = self.list.get(key)?;
        let (home_address, peer) = (revocation.home_address, revocation.peer);
        let is_first = revocation.identifiers.is_empty();
        let last = revocation.identifiers.last().copied().or(draft.last);
        let clock = clock::seconds(now.stamp());
        let mut identifier = message::identifier(clock, last, draft.negotiated.own_timestamp);
        while self.acknowledged_by(home_address, identifier, peer).is_some() {
            identifier = identifier.wrapping_add(1);
        }
        let Draft { from_home_agent, inform, domains, .. } = *draft;
        let fixed = message::fixed(from_home_agent, inform, home_address, domains, identifier);
        let mut octets = message::revocation(fixed, draft.nai);
        let (between, signer) = draft.signer;
        between.sign(signer, &mut octets);
        tally.count(if is_first { Counter::RevocationsSent } else { Counter::RevocationsRetried });
        self.add_identifier(key, identifier);
        Some(Message { octets, identifier, is_first })
    }

    /// The row that says which messages were sent and for whom: it is durable before the last of
    /// them is on the wire.
    pub(crate) fn intent(&mut self, key: &R::Key, now: Now) -> Option<Arc<R>> {
        let revocation = self.list.get_mut(key)?;
        let mut row = R::clone(&revocation.row);
        row.set_revoking(Revoking {
            identifiers: revocation.identifiers.clone(),
            sent_at: now.stamp(),
            inform: revocation.inform,
            operations: revocation.operations.clone(),
        });
        revocation.row = Arc::new(row);
        Some(Arc::clone(&revocation.row))
    }

    /// Begins to wait for acknowledgments of messages that have left.
    pub(crate) fn arm_sent(&mut self, sent: &[R::Key], config: &RevocationConfig, now: Time) {
        for key in sent {
            let Some(revocation) = self.list.get_mut(key) else { continue };
            revocation.sent_at = Some(now);
            let wait = config.wait(revocation.identifiers.len());
            self.arm(key, now + wait);
        }
    }

    /// The store did not take the intents: nothing was sent, and it is tried again later.
    pub(crate) fn unsend(&mut self, sent: &[R::Key], now: Time) {
        for key in sent {
            self.take_back_identifier(key);
            self.arm(key, now + SPACING);
        }
    }

    /// The next thing to do, if something is due.
    pub(crate) fn turn(
        &mut self,
        config: &RevocationConfig,
        tally: &mut Tally,
        now: Now,
    ) -> Option<Turn<R::Key>> {
        if let Some(key) = self.acknowledged.pop() {
            return Some(Turn::End(key, TargetResult::Acknowledged));
        }
        loop {
            let key = self.due(now.uptime)?;
            let Some(revocation) = self.list.get(&key) else { continue };
            let sent = u32::try_from(revocation.identifiers.len()).unwrap_or(u32::MAX);
            // §3.3: never for a registration whose lifetime is over.
            let is_over = revocation.row.expires_at().is_some_and(|at| at <= now.stamp());
            if sent < config.attempts_max && !is_over {
                return Some(Turn::Send(key));
            }
            tally.count(Counter::RevocationsTimedOut);
            return Some(Turn::End(key, TargetResult::TimedOut(sent)));
        }
    }

    /// When there is something to do.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let acknowledged = (!self.acknowledged.is_empty()).then(Time::default);
        acknowledged.or_else(|| self.deadlines.first().map(|(at, _)| *at))
    }

    /// Takes an authentic acknowledgment; any but the first says nothing new.
    pub(crate) fn acknowledge(&mut self, key: R::Key, inform: bool) {
        let Some(revocation) = self.list.get_mut(&key) else { return };
        if !std::mem::replace(&mut revocation.is_acknowledged, true) {
            revocation.acknowledged_inform = inform;
            self.acknowledged.push(key);
        }
    }

    /// Whether a revocation of what a request is about was sent less than a second ago, or is about
    /// to be: then the request is not answered (§3.3), and comes again.
    pub(crate) fn is_too_soon(&self, key: &R::Key, now: Time) -> bool {
        self.list.get(key).is_some_and(|revocation| {
            let is_sent = !revocation.identifiers.is_empty() && !revocation.is_acknowledged;
            is_sent && revocation.sent_at.is_none_or(|at| now.since(at) < SPACING)
        })
    }

    fn add_identifier(&mut self, key: &R::Key, identifier: u32) {
        let Some(revocation) = self.list.get_mut(key) else { return };
        revocation.identifiers.push(identifier);
        revocation.sent_at = None;
        let name = (revocation.home_address, identifier);
        self.identifiers.entry(name).or_default().insert(key.clone());
        self.disarm(key);
    }

    /// Takes back the last identifier, whose message was not sent.
    fn take_back_identifier(&mut self, key: &R::Key) {
        let Some(revocation) = self.list.get_mut(key) else { return };
        let home_address = revocation.home_address;
        if let Some(identifier) = revocation.identifiers.pop() {
            self.forget(key, home_address, identifier);
        }
    }

    fn forget(&mut self, key: &R::Key, home_address: Ipv4Addr, identifier: u32) {
        let name = (home_address, identifier);
        if let Some(keys) = self.identifiers.get_mut(&name) {
            keys.remove(key);
            if keys.is_empty() {
                self.identifiers.remove(&name);
            }
        }
    }

    /// Says when something is to be done about a revocation.
    pub(crate) fn arm(&mut self, key: &R::Key, at: Time) {
        self.disarm(key);
        if self.list.contains_key(key) {
            self.deadlines.insert((at, key.clone()));
            self.due_at.insert(key.clone(), at);
        }
    }

    fn disarm(&mut self, key: &R::Key) {
        if let Some(at) = self.due_at.remove(key) {
            self.deadlines.remove(&(at, key.clone()));
        }
    }

    /// Takes the deadline of one that is due.
    fn due(&mut self, now: Time) -> Option<R::Key> {
        let (at, key) = self.deadlines.first()?;
        if *at > now {
            return None;
        }
        let key = key.clone();
        self.disarm(&key);
        Some(key)
    }

    /// The one that `peer` acknowledges: any identifier that was sent counts.
    pub(crate) fn acknowledged_by(
        &self,
        home_address: Ipv4Addr,
        identifier: u32,
        peer: Ipv4Addr,
    ) -> Option<R::Key> {
        let keys = self.identifiers.get(&(home_address, identifier))?;
        keys.iter().find(|key| self.list.get(*key).is_some_and(|it| it.peer == peer)).cloned()
    }
}
