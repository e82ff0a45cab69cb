//! Revocations that wait for their acknowledgments.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use store::{OperationId, Row, Time};

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

/// All revocations of one agent.
#[derive(Debug)]
pub(crate) struct Outstanding<R: Row> {
    list: BTreeMap<R::Key, Revocation<R>>,
    /// Invariant: at most one entry for each revocation; none while it waits for the store.
    deadlines: BTreeSet<(Time, R::Key)>,
    due_at: BTreeMap<R::Key, Time>,
    /// Which revocations an acknowledgment may be of.
    identifiers: BTreeMap<(Ipv4Addr, u32), BTreeSet<R::Key>>,
}

impl<R: Row> Default for Outstanding<R> {
    fn default() -> Self {
        Self {
            list: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            due_at: BTreeMap::new(),
            identifiers: BTreeMap::new(),
        }
    }
}

impl<R: Row> Outstanding<R> {
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

    /// Notes that a message with this identifier is about to be sent.
    pub(crate) fn add_identifier(&mut self, key: &R::Key, identifier: u32) {
        let Some(revocation) = self.list.get_mut(key) else { return };
        revocation.identifiers.push(identifier);
        revocation.sent_at = None;
        let name = (revocation.home_address, identifier);
        self.identifiers.entry(name).or_default().insert(key.clone());
        self.disarm(key);
    }

    /// Takes back the last identifier, whose message was not sent.
    pub(crate) fn take_back_identifier(&mut self, key: &R::Key) {
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
    pub(crate) fn due(&mut self, now: Time) -> Option<R::Key> {
        let (at, key) = self.deadlines.first()?;
        if *at > now {
            return None;
        }
        let key = key.clone();
        self.disarm(&key);
        Some(key)
    }

    pub(crate) fn first_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(at, _)| *at)
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

    /// Whether another revocation to `peer` about this home address has the identifier.
    pub(crate) fn is_taken(&self, home_address: Ipv4Addr, identifier: u32, peer: Ipv4Addr) -> bool {
        self.acknowledged_by(home_address, identifier, peer).is_some()
    }
}
