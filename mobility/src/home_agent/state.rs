//! What the home agent holds in memory of its mobile nodes: the rows themselves, and who is due.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::ops::Bound;
use std::sync::Arc;

use store::{
    Binding, BindingKey, Identity, Node, NodeCounters, NodeKey, Now, Snapshot, Time, UtcTime,
};

/// One mobile node. The rows are those of the store, not copies.
#[derive(Debug, Default)]
pub(super) struct NodeState {
    pub(super) row: Option<Arc<Node>>,
    pub(super) counters: Option<Arc<NodeCounters>>,
    bindings: Vec<Arc<Binding>>,
    /// How many of its registrations are in flight.
    pub(super) busy: u32,
    /// Whether the store lacks something of its counters.
    pub(super) is_dirty: bool,
}

impl NodeState {
    /// Whether it has a binding.
    pub(super) fn is_served(&self) -> bool {
        !self.bindings.is_empty()
    }
}

/// When a binding is due, and which: node, home address, care-of address.
type Deadline = (Time, Identity, Ipv4Addr, Ipv4Addr);

/// All mobile nodes of one home agent.
#[derive(Debug)]
pub(super) struct State {
    home_agent: Ipv4Addr,
    /// The stamp of uptime zero; turns expiry stamps into deadlines.
    origin: UtcTime,
    nodes: BTreeMap<Identity, NodeState>,
    /// Invariant: one entry for each binding that expires, and no other.
    deadlines: BTreeSet<Deadline>,
    /// Which mobile node, named by NAI, is bound to a home address.
    owners: BTreeMap<Ipv4Addr, Identity>,
    /// The others, where several share one.
    sharers: BTreeMap<Ipv4Addr, BTreeSet<Identity>>,
    binding_count: usize,
}

impl State {
    /// Takes over what a home agent at this address left in the store.
    pub(super) fn load(home_agent: Ipv4Addr, snapshot: &Snapshot, now: Now) -> Self {
        let uptime = i64::try_from(now.uptime.as_millis()).unwrap_or(i64::MAX);
        let mut state = Self {
            home_agent,
            origin: now.stamp().shifted(uptime.saturating_neg()),
            nodes: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            owners: BTreeMap::new(),
            sharers: BTreeMap::new(),
            binding_count: 0,
        };
        let first = BindingKey {
            home_agent,
            home_address: Ipv4Addr::UNSPECIFIED,
            care_of_address: Ipv4Addr::UNSPECIFIED,
            nai: None,
        };
        let rows = snapshot.rows::<Binding>().range((Bound::Included(first), Bound::Unbounded));
        let rows = rows.take_while(|(key, _)| key.home_agent == home_agent);
        let mut bindings = Vec::with_capacity(snapshot.rows::<Binding>().count_of(home_agent));
        bindings.extend(rows.map(|(_, entry)| (entry.row.identity(), Arc::clone(&entry.row))));
        state.binding_count = bindings.len();
        let deadlines = bindings.iter().filter_map(|(identity, row)| {
            let at = state.deadline(row)?;
            Some((at, identity.clone(), row.home_address, row.care_of_address))
        });
        state.deadlines = deadlines.collect();
        state.take_owners(&bindings);
        // Those of one node stay in the order of their keys.
        bindings.sort_by(|(one, _), (other, _)| one.cmp(other));
        state.nodes = nodes(home_agent, snapshot, bindings);
        state
    }

    /// Who is bound to which home address, of bindings in the order of their keys.
    fn take_owners(&mut self, bindings: &[(Identity, Arc<Binding>)]) {
        let mut owners: Vec<(Ipv4Addr, Identity)> = Vec::new();
        for (identity, binding) in bindings.iter().filter(|(_, binding)| binding.nai.is_some()) {
            let home_address = binding.home_address;
            match owners.last() {
                Some((last, owner)) if *last == home_address => {
                    if owner != identity {
                        self.sharers.entry(home_address).or_default().insert(identity.clone());
                    }
                }
                _ => owners.push((home_address, identity.clone())),
            }
        }
        self.owners = owners.into_iter().collect();
    }

    pub(super) fn node(&self, identity: &Identity) -> Option<&NodeState> {
        self.nodes.get(identity)
    }

    /// The node, made if it is not there; only for nodes that have an association.
    pub(super) fn entry(&mut self, identity: &Identity) -> &mut NodeState {
        self.nodes.entry(identity.clone()).or_default()
    }

    /// Whether registrations of the node are in flight.
    pub(super) fn is_busy(&self, identity: &Identity) -> bool {
        self.node(identity).is_some_and(|node| node.busy > 0)
    }

    /// A registration of the node is not in flight any more.
    pub(super) fn no_longer_busy(&mut self, identity: &Identity) {
        if let Some(node) = self.nodes.get_mut(identity) {
            node.busy = node.busy.saturating_sub(1);
        }
    }

    pub(super) fn row(&self, identity: &Identity) -> Option<&Arc<Node>> {
        self.node(identity)?.row.as_ref()
    }

    pub(super) fn bindings(&self, identity: &Identity) -> &[Arc<Binding>] {
        self.node(identity).map_or(&[], |node| &node.bindings)
    }

    pub(super) fn all_bindings(&self) -> impl Iterator<Item = &Arc<Binding>> {
        self.nodes.values().flat_map(|node| &node.bindings)
    }

    pub(super) fn identities(&self) -> impl Iterator<Item = (&Identity, &NodeState)> {
        self.nodes.iter()
    }

    /// How many bindings there are.
    pub(super) fn len(&self) -> usize {
        self.binding_count
    }

    /// The node, named by NAI, that is bound to `home_address`.
    pub(super) fn owner(&self, home_address: Ipv4Addr) -> Option<&Identity> {
        self.owners.get(&home_address)
    }

    /// All nodes that are bound to `home_address`, by whichever name.
    pub(super) fn bound_to(&self, home_address: Ipv4Addr) -> impl Iterator<Item = Identity> {
        let sharers = self.sharers.get(&home_address).into_iter().flatten().cloned();
        let named = self.owners.get(&home_address).cloned().into_iter().chain(sharers);
        named.chain(std::iter::once(Identity::Address(home_address)))
    }

    /// The binding that a key names.
    pub(super) fn binding(&self, key: &BindingKey) -> Option<&Arc<Binding>> {
        self.bindings(&super::identity(key)).iter().find(|binding| {
            binding.home_address == key.home_address
                && binding.care_of_address == key.care_of_address
        })
    }

    /// When a stamp of ours is, by the monotonic clock.
    pub(super) fn uptime(&self, stamp: UtcTime) -> Time {
        Time::from_uptime(stamp.since(self.origin))
    }

    /// Adds or replaces a binding.
    pub(super) fn insert(&mut self, binding: Arc<Binding>) {
        let identity = binding.identity();
        let Some(binding) = self.renew(&identity, binding) else { return };
        self.remove(&identity, binding.home_address, binding.care_of_address);
        if let Some(at) = self.deadline(&binding) {
            let (home_address, care_of_address) = (binding.home_address, binding.care_of_address);
            self.deadlines.insert((at, identity.clone(), home_address, care_of_address));
        }
        if binding.nai.is_some() {
            let owner = self.owners.entry(binding.home_address).or_insert_with(|| identity.clone());
            if *owner != identity {
                self.sharers.entry(binding.home_address).or_default().insert(identity.clone());
            }
        }
        let bindings = &mut self.entry(&identity).bindings;
        // Nearly every node has one binding, and there may be a million nodes.
        bindings.reserve_exact(1);
        bindings.push(binding);
        self.binding_count += 1;
    }

    /// Puts a binding in the place of the newest of the node, if that is what it renews: most do.
    /// Returns it otherwise.
    fn renew(&mut self, identity: &Identity, binding: Arc<Binding>) -> Option<Arc<Binding>> {
        let newest = self.nodes.get_mut(identity).and_then(|node| node.bindings.last_mut());
        let (home_address, care_of_address) = (binding.home_address, binding.care_of_address);
        let Some(newest) = newest.filter(|newest| {
            newest.home_address == home_address && newest.care_of_address == care_of_address
        }) else {
            return Some(binding);
        };
        let old = std::mem::replace(newest, Arc::clone(&binding));
        let [old, new] = [self.deadline(&old), self.deadline(&binding)];
        if old != new {
            let entry = |at| (at, identity.clone(), home_address, care_of_address);
            let indexed = old.is_none_or(|at| self.deadlines.remove(&entry(at)));
            debug_assert!(indexed, "{binding:?} is missing from the deadlines");
            self.deadlines.extend(new.map(entry));
        }
        None
    }

    /// Removes a binding, if it is there.
    pub(super) fn remove(
        &mut self,
        identity: &Identity,
        home_address: Ipv4Addr,
        care_of_address: Ipv4Addr,
    ) -> Option<Arc<Binding>> {
        let bindings = &mut self.nodes.get_mut(identity)?.bindings;
        let is_wanted = |binding: &Arc<Binding>| {
            binding.home_address == home_address && binding.care_of_address == care_of_address
        };
        let binding = bindings.remove(bindings.iter().position(is_wanted)?);
        let home_is_bound = bindings.iter().any(|other| other.home_address == home_address);
        if !home_is_bound {
            self.disown(identity, home_address);
        }
        if let Some(at) = self.deadline(&binding) {
            let indexed =
                self.deadlines.remove(&(at, identity.clone(), home_address, care_of_address));
            debug_assert!(indexed, "{binding:?} is missing from the deadlines");
        }
        self.binding_count -= 1;
        Some(binding)
    }

    /// A node has no binding with a home address any more.
    fn disown(&mut self, identity: &Identity, home_address: Ipv4Addr) {
        let mut sharers = self.sharers.remove(&home_address).unwrap_or_default();
        if self.owners.get(&home_address) == Some(identity) {
            self.owners.remove(&home_address);
            if let Some(next) = sharers.pop_first() {
                self.owners.insert(home_address, next);
            }
        } else {
            sharers.remove(identity);
        }
        if !sharers.is_empty() {
            self.sharers.insert(home_address, sharers);
        }
    }

    /// Removes and returns at most `limit` bindings whose lifetime has ended at `now`.
    pub(super) fn expire(&mut self, now: Time, limit: usize) -> Vec<Arc<Binding>> {
        let mut expired = Vec::new();
        while expired.len() < limit
            && let Some((at, identity, home_address, care_of_address)) = self.deadlines.first()
            && *at <= now
        {
            let (identity, home_address, care_of_address) =
                (identity.clone(), *home_address, *care_of_address);
            expired.extend(self.remove(&identity, home_address, care_of_address));
        }
        expired
    }

    pub(super) fn first_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(at, ..)| *at)
    }

    /// Forgets what memory says of a node and takes the rows of `snapshot` instead.
    ///
    /// `keys` are the bindings that may differ from it, beside those in memory.
    pub(super) fn reload(
        &mut self,
        identity: &Identity,
        keys: impl IntoIterator<Item = BindingKey>,
        snapshot: &Snapshot,
    ) {
        let mut keys: BTreeSet<_> = keys.into_iter().collect();
        keys.extend(self.bindings(identity).iter().map(|binding| store::Row::key(&**binding)));
        for key in keys {
            self.remove(identity, key.home_address, key.care_of_address);
            if let Some(row) = snapshot.rows::<Binding>().get(&key) {
                self.insert(Arc::clone(row));
            }
        }
        let key = NodeKey { home_agent: self.home_agent, identity: identity.clone() };
        self.entry(identity).row = snapshot.rows::<Node>().get(&key).cloned();
    }

    /// When the lifetime of `binding` ends, by the monotonic clock.
    fn deadline(&self, binding: &Binding) -> Option<Time> {
        binding.expires_at.map(|at| Time::from_uptime(at.since(self.origin)))
    }
}

/// The nodes of a home agent: three sequences in one order, joined. There may be a million of
/// each, and a map of what is sorted is made at once; looking each up takes three times as long.
fn nodes(
    home_agent: Ipv4Addr,
    snapshot: &Snapshot,
    bindings: Vec<(Identity, Arc<Binding>)>,
) -> BTreeMap<Identity, NodeState> {
    let first = NodeKey { home_agent, identity: Identity::Address(Ipv4Addr::UNSPECIFIED) };
    let rows = snapshot.rows::<Node>().range(first.clone()..);
    let mut rows = rows.take_while(|(key, _)| key.home_agent == home_agent).peekable();
    let counters = snapshot.rows::<NodeCounters>().range(first..);
    let mut counters = counters.take_while(|(key, _)| key.home_agent == home_agent).peekable();
    let mut bindings = bindings.into_iter().peekable();
    // As many as the longer of the two has at the most, if all of them are this home agent's.
    let tables = (snapshot.rows::<Node>().len(), snapshot.rows::<NodeCounters>().len());
    let mut nodes = Vec::with_capacity(tables.0.max(tables.1));
    loop {
        let heads = [
            rows.peek().map(|(key, _)| &key.identity),
            counters.peek().map(|(key, _)| &key.identity),
            bindings.peek().map(|(identity, _)| identity),
        ];
        let Some(identity) = heads.into_iter().flatten().min().cloned() else { break };
        let row = rows.next_if(|(key, _)| key.identity == identity);
        let counted = counters.next_if(|(key, _)| key.identity == identity);
        let mut own = Vec::new();
        while let Some((_, binding)) = bindings.next_if(|(other, _)| *other == identity) {
            // Nearly every node has one binding, and there may be a million nodes.
            own.reserve_exact(1);
            own.push(binding);
        }
        let node = NodeState {
            row: row.map(|(_, entry)| Arc::clone(&entry.row)),
            counters: counted.map(|(_, entry)| Arc::clone(&entry.row)),
            bindings: own,
            ..NodeState::default()
        };
        nodes.push((identity, node));
    }
    nodes.into_iter().collect()
}
