//! `mip4ctl show nodes`

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use store::{
    Binding, Counters, CountersKey, Identity, Node, NodeCounters, NodeKey, Role, Row as _, Table,
    UtcTime,
};

use crate::cell::{Cell, Column};
use crate::failure::Stop;
use crate::output::Sort;
use crate::selector::{Selector, Subject};
use crate::session::Session;
use crate::view::{Freshness, View};
use crate::words;

/// Show the mobile nodes that home agents know, and their counters
#[derive(clap::Args, Debug)]
pub(crate) struct ShowNodes {
    #[command(flatten)]
    selector: Selector,
    #[command(flatten)]
    sort: Sort,
}

impl ShowNodes {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        self.sort.check(COLUMNS)?;
        let view = session.read(TABLES)?;
        let rows = rows(&view, &self.selector);
        let options = (&self.selector, &self.sort);
        let rows = (view.revision(), rows);
        session.show("nodes", options, COLUMNS, rows, |row| row.freshness)
    }
}

/// What [`rows`] looks at.
const TABLES: &[Table] =
    &[Table::Nodes, Table::NodeCounters, Table::Bindings, Table::Instances, Table::Counters];

/// All that is known of a node at a home agent.
pub(crate) struct NodeRow {
    pub(crate) key: NodeKey,
    pub(crate) node: Option<Arc<Node>>,
    pub(crate) counters: Option<Arc<NodeCounters>>,
    pub(crate) bindings: Vec<Arc<Binding>>,
    pub(crate) served_seconds: u64,
    /// When counting began anew; `None` if nothing was counted.
    pub(crate) discontinuity_at: Option<UtcTime>,
    pub(crate) freshness: Freshness,
}

impl NodeRow {
    pub(crate) fn home_address(&self) -> Option<Ipv4Addr> {
        let bound = self.bindings.first().map(|binding| binding.home_address);
        let named = match &self.key.identity {
            Identity::Address(address) => Some(*address),
            Identity::Nai(_) => None,
        };
        self.node.as_ref().map(|node| node.home_address).or(bound).or(named)
    }

    fn subject(&self) -> Subject<'_> {
        Subject {
            home_address: self.home_address(),
            nai: words::nai(&self.key.identity),
            care_of_addresses: self.bindings.iter().map(|row| row.care_of_address).collect(),
            home_agents: vec![self.key.home_agent],
            foreign_agents: self.bindings.iter().filter_map(|row| row.foreign_agent).collect(),
        }
    }

    /// A counter of the node; zero if nothing was counted.
    fn count(&self, counter: impl FnOnce(&NodeCounters) -> u64) -> Cell {
        Cell::Number(self.counters.as_deref().map_or(0, counter))
    }
}

/// The nodes that `selector` leaves, in the order of their keys.
///
/// A node that was only ever denied has counters and no state; it is shown too.
pub(crate) fn rows(view: &View, selector: &Selector) -> Vec<NodeRow> {
    let mut bindings: BTreeMap<NodeKey, Vec<Arc<Binding>>> = BTreeMap::new();
    for binding in view.rows::<Binding>().iter() {
        let key = NodeKey { home_agent: binding.home_agent, identity: binding.identity() };
        bindings.entry(key).or_default().push(Arc::clone(binding));
    }
    let mut keys: Vec<NodeKey> = view.rows::<Node>().iter().map(|row| row.key()).collect();
    keys.extend(view.rows::<NodeCounters>().iter().map(|row| row.key()));
    keys.extend(bindings.keys().cloned());
    keys.sort();
    keys.dedup();
    keys.into_iter()
        .map(|key| row(view, bindings.remove(&key).unwrap_or_default(), key))
        .filter(|row| selector.matches(&row.subject()))
        .collect()
}

fn row(view: &View, bindings: Vec<Arc<Binding>>, key: NodeKey) -> NodeRow {
    let owner = view.owner(key.home_agent);
    let now = owner.map_or(view.now, |owner| view.owner_now(&owner.name));
    let counters = view.rows::<NodeCounters>().get(&key).cloned();
    let started_at = owner.map_or(UtcTime::default(), |owner| owner.started_at);
    let served = counters.as_ref().map_or(0, |row| row.served(started_at, now).as_secs());
    // What the home agent has lost, it may have lost of each node.
    let of_agent = owner.and_then(|owner| {
        let (instance, role) = (owner.name.clone(), Role::HomeAgent);
        view.rows::<Counters>().get(&CountersKey { instance, role, address: key.home_agent })
    });
    let discontinuity_at = counters.as_ref().map(|row| {
        of_agent.map_or(row.discontinuity_at, |it| it.discontinuity_at.max(row.discontinuity_at))
    });
    NodeRow {
        node: view.rows::<Node>().get(&key).cloned(),
        counters,
        bindings,
        served_seconds: served,
        discontinuity_at,
        freshness: owner.map_or(Freshness::Stale(None), |owner| view.freshness(&owner.name)),
        key,
    }
}

pub(crate) const COLUMNS: &[Column<NodeRow>] = &[
    Column::text("identity", "NODE", |row| match &row.key.identity {
        Identity::Address(address) => Cell::Address(*address),
        Identity::Nai(nai) => Cell::text(nai),
    }),
    Column::detail("identity_type", |row| Cell::text(words::identity_type(&row.key.identity))),
    Column::text("home_address", "HOME ADDRESS", |row| Cell::of(row.home_address(), Cell::Address)),
    Column::text("home_agent", "HOME AGENT", |row| Cell::Address(row.key.home_agent)),
    Column::number("bindings", "BINDINGS", |row| {
        Cell::Number(row.bindings.len().try_into().unwrap_or(u64::MAX))
    }),
    Column::number("accepted", "ACCEPTED", |row| row.count(|counters| counters.accepted)),
    Column::number("denied", "DENIED", |row| row.count(|counters| counters.denied)),
    Column::number("last_denied_code", "LAST CODE", |row| {
        let code = row.counters.as_ref().and_then(|counters| counters.last_denied_code);
        Cell::of(code, |code| Cell::Number(code.0.into()))
    }),
    Column::detail("last_denied_reason", |row| {
        let code = row.counters.as_ref().and_then(|counters| counters.last_denied_code);
        Cell::of(code, |code| Cell::text(words::code(code)))
    }),
    Column::number("served_seconds", "SERVED", |row| Cell::Number(row.served_seconds)),
    Column::text("freshness", "STATE", |row| Cell::text(row.freshness.word())),
    Column::detail("last_accepted_at", |row| {
        let counted = row.counters.as_ref().and_then(|counters| counters.last_accepted_at);
        Cell::of(row.node.as_ref().map(|node| node.last_accepted_at).or(counted), Cell::Instant)
    }),
    Column::detail("last_denied_at", |row| {
        let at = row.counters.as_ref().and_then(|counters| counters.last_denied_at);
        Cell::of(at, Cell::Instant)
    }),
    Column::detail("last_spi", |row| {
        Cell::of(row.node.as_ref(), |node| Cell::Number(node.last_spi.0.into()))
    }),
    Column::detail("last_identification_high", |row| {
        Cell::of(row.node.as_ref(), |node| Cell::Number(node.last_identification.high().into()))
    }),
    Column::detail("last_identification_low", |row| {
        Cell::of(row.node.as_ref(), |node| Cell::Number(node.last_identification.low().into()))
    }),
    Column::detail("discontinuity_at", |row| Cell::of(row.discontinuity_at, Cell::Instant)),
];
