//! A small world to ask, and what is true of every object.

mod capabilities;
mod contexts;
mod coverage;
pub(crate) mod registry;
pub(crate) mod rows;
mod scalars;
mod solaris;
mod writes;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use store::wire::{Code, Flags, Identification, Lifetime, Nai, Spi};
use store::{
    Batch, Binding, Class, Counter, Counters, Identity, Instance, InstanceState, NodeCounters,
    Revision, Role, Row, Snapshot, Time, Unknown, UtcTime,
};

use super::*;
use crate::Oid;
use crate::engine::{ErrorStatus, Requester, Staging};
use crate::security::SecurityLevel;

/// When the world started, in UTC milliseconds.
pub(crate) const STARTED: i64 = 1_700_000_000_000;
/// How long the world has been up.
pub(crate) const UP: Duration = Duration::from_secs(5000);
pub(crate) const HOME_AGENT: Ipv4Addr = Ipv4Addr::LOCALHOST;
pub(crate) const INSTANCE: &str = "ha1";

/// A snapshot, and all that is needed to ask the registry about it.
pub(crate) struct World {
    pub(crate) snapshot: Snapshot,
    pub(crate) local: LocalFacts,
    pub(crate) now: Now,
    /// The daemon that the context is of.
    pub(crate) instance: Option<String>,
    registry: Registry,
}

impl World {
    /// Nothing is configured.
    pub(crate) fn empty() -> Self {
        let started = Time::from_uptime(Duration::from_secs(7));
        let utc = UtcTime(STARTED) + UP;
        let now = Now { uptime: started + UP, utc, clock_step: 0 };
        let local = LocalFacts { started, ..LocalFacts::default() };
        let (snapshot, registry) = (Snapshot::default(), registry());
        Self { snapshot, local, now, instance: None, registry }
    }

    /// One home agent is configured.
    pub(crate) fn with_home_agent() -> Self {
        let mut world = Self::empty();
        world.put(instance(INSTANCE, Role::HomeAgent, HOME_AGENT));
        world
    }

    pub(crate) fn put<R: Row>(&mut self, row: R) {
        let mut batch = Batch::new(Class::Durable);
        batch.put(row);
        self.snapshot.revision = Revision(self.snapshot.revision.0 + 1);
        self.snapshot.tables.apply(&batch, self.snapshot.revision);
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            now: self.now,
            snapshot: &self.snapshot,
            local: &self.local,
            instance: self.instance.as_deref(),
        }
    }

    /// The answer for `object` with an instance, by the descriptor of the module.
    pub(crate) fn get(&self, object: &str, instance: &[u32]) -> GetResult {
        let objects = mibs::MODULES.iter().find_map(|module| module.object(object));
        let mut name = Oid::from(objects.unwrap().oid);
        name.extend_from_slice(instance);
        self.registry.get(self.context(), &name)
    }

    /// The answer for a whole name.
    pub(crate) fn ask(&self, name: &Oid) -> GetResult {
        self.registry.get(self.context(), name)
    }

    pub(crate) fn value(&self, object: &str, instance: &[u32]) -> Value {
        match self.get(object, instance) {
            GetResult::Value(value) => value,
            other => panic!("{object}.{instance:?} is {other:?}"),
        }
    }

    /// Sets objects with their instances, all or none; an error has the number of the variable.
    pub(crate) fn set(
        &mut self,
        variables: &[(&str, &[u32], Value)],
    ) -> Result<(), (ErrorStatus, usize)> {
        let level = SecurityLevel::AuthPriv;
        let mut staging = Staging::new(self.context(), Requester { level, ..Requester::default() });
        for (position, (object, instance, value)) in variables.iter().enumerate() {
            let object = mibs::MODULES.iter().find_map(|module| module.object(object));
            let mut name = Oid::from(object.unwrap().oid);
            name.extend_from_slice(instance);
            staging.turn_to(position);
            let set = self.registry.set(&mut staging, &name, value);
            set.map_err(|status| (status, position + 1))?;
        }
        let batch = staging.into_batch()?;
        self.snapshot.revision = Revision(self.snapshot.revision.0 + 1);
        self.snapshot.tables.apply(&batch, self.snapshot.revision);
        Ok(())
    }

    /// All that is below `root`, in the order of the walk.
    pub(crate) fn walk(&self, root: &[u32]) -> Vec<(Oid, Value)> {
        let mut walk = self.registry.walk(self.context(), root);
        let mut all = Vec::new();
        while let Some((name, value)) = walk.next() {
            if !name.starts_with(root) {
                break;
            }
            all.push((name.clone(), value));
        }
        all
    }

    /// The instances of the column `object`, as text, in the order of the walk.
    pub(crate) fn instances(&self, object: &str) -> Vec<String> {
        let objects = mibs::MODULES.iter().find_map(|module| module.object(object));
        let root = objects.unwrap().oid;
        let walk = self.walk(root);
        walk.iter().map(|(name, _)| Oid::from(&name[root.len()..]).to_string()).collect()
    }

    /// What a walk shows is in order, is what GET answers, and is what GETNEXT
    /// finds from before, on and after each name.
    pub(crate) fn check_walk(&self, root: &[u32]) -> usize {
        let all = self.walk(root);
        assert!(all.is_sorted_by(|(a, _), (b, _)| a < b), "{all:?}");
        for (name, value) in &all {
            assert_eq!(self.registry.get(self.context(), name), GetResult::Value(value.clone()));
            for near in neighbours(name).into_iter().filter(|near| near[..] >= *root) {
                let position = all.partition_point(|(other, _)| other[..] <= near[..]);
                let next = self.registry.next(self.context(), &near);
                let next = next.filter(|(name, _)| name.starts_with(root));
                assert_eq!(next.as_ref(), all.get(position), "after {near:?}");
            }
        }
        all.len()
    }
}

/// Names around `name`: cut, prolonged, with other sub-identifiers in each place.
fn neighbours(name: &Oid) -> Vec<Vec<u32>> {
    let mut all = vec![name.to_vec(), name.iter().copied().chain([0]).collect()];
    // In the middle of a long index all places are alike.
    for position in (10..name.len()).filter(|at| *at < 18 || at + 3 > name.len()) {
        all.push(name[..position].to_vec());
        let own = name[position];
        for change in [own.wrapping_sub(1), own.wrapping_add(1), 0, 255, 256, u32::MAX] {
            let mut other = name.to_vec();
            other[position] = change;
            all.push(other.clone());
            other.truncate(position + 1);
            all.push(other);
        }
    }
    all
}

pub(crate) fn instance(name: &str, role: Role, address: Ipv4Addr) -> Instance {
    Instance {
        name: name.to_owned(),
        roles: vec![role],
        addresses: vec![address],
        version: String::new(),
        process_id: 1,
        started_at: UtcTime(STARTED),
        heartbeat_at: UtcTime(STARTED) + UP,
        clock_step: 0,
        state: InstanceState::Serving,
        applied_revision: 0,
        apply_error: None,
        clock_health: None,
        apply_errors: BTreeMap::new(),
        unknown: Unknown::default(),
    }
}

/// A binding of the world's home agent, granted 100 s ago for 1800 s.
pub(crate) fn binding(home_address: [u8; 4], care_of_address: [u8; 4]) -> Binding {
    let registered_at = UtcTime(STARTED) + UP.saturating_sub(Duration::from_secs(100));
    Binding {
        home_agent: HOME_AGENT,
        home_address: home_address.into(),
        care_of_address: care_of_address.into(),
        nai: None,
        instance: INSTANCE.into(),
        source: SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 9), 434),
        local: SocketAddrV4::new(HOME_AGENT, 434),
        foreign_agent: None,
        flags: Flags(Flags::SIMULTANEOUS_BINDINGS | Flags::REVERSE_TUNNEL),
        spi: Spi(1000),
        identification: Identification::from_halves(0xE000_0001, 0x8000_0002),
        lifetime_granted: Lifetime(1800),
        created_at: registered_at,
        registered_at,
        expires_at: Some(registered_at + Duration::from_secs(1800)),
        revocation: None,
        revoking: None,
        unknown: Unknown::default(),
    }
}

pub(crate) fn nai(text: &str) -> Nai {
    Nai::new(text).unwrap()
}

/// Statistics of the node `identity`: accepted 40 s after the start, denied (133) 50 s after it.
pub(crate) fn node_counters(identity: Identity) -> NodeCounters {
    NodeCounters {
        home_agent: HOME_AGENT,
        identity,
        accepted: 3,
        denied: 2,
        served_milliseconds: 61_500,
        serving_since: None,
        counted_since: UtcTime(STARTED),
        last_accepted_at: Some(UtcTime(STARTED) + Duration::from_secs(40)),
        last_denied_at: Some(UtcTime(STARTED) + Duration::from_secs(50)),
        last_denied_code: Some(Code(133)),
        discontinuity_at: UtcTime(STARTED),
        unknown: Unknown::default(),
    }
}

pub(crate) fn counters(
    instance: &str,
    role: Role,
    values: impl IntoIterator<Item = (Counter, u64)>,
) -> Counters {
    Counters {
        instance: instance.to_owned(),
        role,
        address: HOME_AGENT,
        discontinuity_at: UtcTime(STARTED),
        values: BTreeMap::from_iter(values),
        replies: Vec::new(),
        usage: Vec::new(),
        waiting: BTreeMap::new(),
        began: None,
        unknown: Unknown::default(),
    }
}
