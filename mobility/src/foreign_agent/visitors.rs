//! The visitor list in memory: the rows themselves, and who is due (RFC 5944 §3.7.1).

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use store::{
    AnyKey, AnyRow, Change, Identity, Now, Row, Snapshot, Time, UtcTime, Visitor, VisitorKey,
};

/// The visitors of one foreign agent.
#[derive(Debug)]
pub(crate) struct Visitors {
    /// The stamp of uptime zero; turns expiry stamps into deadlines.
    origin: UtcTime,
    rows: BTreeMap<(Identity, Ipv4Addr), Arc<Visitor>>,
    /// Invariant: one entry for each visitor that expires.
    deadlines: BTreeSet<(Time, Identity, Ipv4Addr)>,
    /// Who has a home address; several may, told apart by NAI.
    by_home: BTreeMap<Ipv4Addr, BTreeSet<Identity>>,
}

impl Visitors {
    /// Takes over what a foreign agent at this address left in the store.
    pub(crate) fn load(foreign_agent: Ipv4Addr, snapshot: &Snapshot, now: Now) -> Self {
        let uptime = i64::try_from(now.uptime.as_millis()).unwrap_or(i64::MAX);
        let origin = now.stamp().shifted(uptime.saturating_neg());
        let mut visitors = Self {
            origin,
            rows: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            by_home: BTreeMap::new(),
        };
        for row in snapshot.rows::<Visitor>().iter() {
            if row.foreign_agent == foreign_agent && row.accepted {
                visitors.insert(Arc::clone(row));
            }
        }
        visitors
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Visitor>> {
        self.rows.values()
    }

    pub(crate) fn get(&self, identity: &Identity, home: Ipv4Addr) -> Option<&Arc<Visitor>> {
        self.rows.get(&(identity.clone(), home))
    }

    /// All visitors with a home address.
    pub(crate) fn with_home(&self, home: Ipv4Addr) -> impl Iterator<Item = &Arc<Visitor>> {
        let identities = self.by_home.get(&home).into_iter().flatten();
        identities.filter_map(move |identity| self.get(identity, home))
    }

    /// When a stamp of ours is, by the monotonic clock.
    pub(crate) fn uptime(&self, stamp: UtcTime) -> Time {
        Time::from_uptime(stamp.since(self.origin))
    }

    pub(crate) fn contains(&self, identity: &Identity, home: Ipv4Addr) -> bool {
        self.get(identity, home).is_some()
    }

    pub(crate) fn insert(&mut self, visitor: Arc<Visitor>) {
        let key = (visitor.identity.clone(), visitor.home_address);
        self.remove(&key.0, key.1);
        if let Some(at) = self.deadline(&visitor) {
            self.deadlines.insert((at, key.0.clone(), key.1));
        }
        self.by_home.entry(key.1).or_default().insert(key.0.clone());
        self.rows.insert(key, visitor);
    }

    pub(crate) fn remove(&mut self, identity: &Identity, home: Ipv4Addr) -> Option<Arc<Visitor>> {
        let visitor = self.rows.remove(&(identity.clone(), home))?;
        if let Some(identities) = self.by_home.get_mut(&home) {
            identities.remove(identity);
            if identities.is_empty() {
                self.by_home.remove(&home);
            }
        }
        if let Some(at) = self.deadline(&visitor) {
            self.deadlines.remove(&(at, identity.clone(), home));
        }
        Some(visitor)
    }

    /// Removes and returns the visitor that deregistered this care-of address, or all of them by
    /// naming its home address; a node may deregister that of another foreign agent through us.
    pub(crate) fn leave(
        &mut self,
        identity: &Identity,
        home: Ipv4Addr,
        care_of_address: Ipv4Addr,
    ) -> Option<Arc<Visitor>> {
        let ours = self.get(identity, home)?.care_of_address;
        if care_of_address == ours || care_of_address == home {
            return self.remove(identity, home);
        }
        None
    }

    /// Removes and returns at most `limit` visitors whose lifetime has ended at `now`.
    pub(crate) fn expire(&mut self, now: Time, limit: usize) -> Vec<Arc<Visitor>> {
        let mut expired = Vec::new();
        while expired.len() < limit
            && let Some((at, identity, home)) = self.deadlines.first()
            && *at <= now
        {
            let (identity, home) = (identity.clone(), *home);
            expired.extend(self.remove(&identity, home));
        }
        expired
    }

    pub(crate) fn first_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(at, ..)| *at)
    }

    /// Makes memory of one visitor say what the store says, and what is on its way there.
    pub(crate) fn reload<'a>(
        &mut self,
        key: &VisitorKey,
        snapshot: &Snapshot,
        on_their_way: impl Iterator<Item = &'a Change>,
    ) {
        self.remove(&key.identity, key.home_address);
        if let Some(row) = snapshot.rows::<Visitor>().get(key)
            && row.accepted
        {
            debug_assert_eq!(row.key(), *key, "a row is found by its key");
            self.insert(Arc::clone(row));
        }
        for change in on_their_way {
            match change {
                Change::Put(AnyRow::Visitor(row)) if row.key() == *key => {
                    self.insert(Arc::clone(row));
                }
                Change::Delete(AnyKey::Visitor(other)) if other == key => {
                    self.remove(&key.identity, key.home_address);
                }
                Change::Put(_) | Change::Delete(_) => {}
            }
        }
    }

    fn deadline(&self, visitor: &Visitor) -> Option<Time> {
        visitor.expires_at.map(|at| Time::from_uptime(at.since(self.origin)))
    }
}

/// The visitor that a change is about.
pub(crate) fn visitor_key(change: &Change) -> Option<VisitorKey> {
    match change {
        Change::Put(AnyRow::Visitor(row)) => Some(row.key()),
        Change::Delete(AnyKey::Visitor(key)) => Some(key.clone()),
        Change::Put(_) | Change::Delete(_) => None,
    }
}
