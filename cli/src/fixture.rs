//! A small network for tests: one home agent, a few nodes, and a source that holds them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use store::wire::{Code, Flags, Identification, Lifetime, Nai, Spi};
use store::{
    Batch, Binding, Class, Counter, Counters, Event, Identity, Instance, InstanceState, Node,
    NodeCounters, Registration, Revision, Role, Row, Snapshot, StorageType, Table, Trail,
    TrailEvent, Unknown, UtcTime, Violation, ViolationReason, Visitor,
};
use zeroize::Zeroizing;

use crate::source::{Health, Source, SourceError};

/// 2026-11-23T20:00:00Z: when the tests happen.
pub(crate) const NOW: UtcTime = UtcTime(1_795_464_000_000);

pub(crate) const HOME_AGENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

pub(crate) fn seconds_ago(seconds: i64) -> UtcTime {
    NOW.shifted(-1000 * seconds)
}

pub(crate) fn home_agent_instance() -> Instance {
    Instance {
        name: "ha@gate".to_owned(),
        roles: vec![Role::HomeAgent, Role::Snmp],
        addresses: vec![HOME_AGENT],
        version: "0.1.0".to_owned(),
        process_id: 4711,
        started_at: seconds_ago(86_400),
        heartbeat_at: NOW.shifted(-400),
        clock_step: 0,
        state: InstanceState::Serving,
        applied_revision: 3,
        apply_error: None,
        clock_health: None,
        apply_errors: BTreeMap::new(),
        unknown: Unknown::default(),
    }
}

/// A node with an address and no name, bound with a co-located care-of address.
pub(crate) fn binding() -> Binding {
    Binding {
        home_agent: HOME_AGENT,
        home_address: [10, 99, 0, 7].into(),
        care_of_address: [198, 51, 100, 20].into(),
        nai: None,
        instance: "ha@gate".into(),
        source: "198.51.100.20:50434".parse().unwrap(),
        local: "192.0.2.1:434".parse().unwrap(),
        foreign_agent: None,
        flags: Flags(0x22),
        spi: Spi(1000),
        identification: Identification::from_halves(4_004_452_501, 0x8000_0000),
        lifetime_granted: Lifetime(1800),
        created_at: seconds_ago(7200),
        registered_at: seconds_ago(300),
        expires_at: Some(seconds_ago(300) + Duration::from_secs(1800)),
        revocation: None,
        revoking: None,
        unknown: Unknown::default(),
    }
}

/// A node with a name, bound for ever through a foreign agent.
pub(crate) fn named_binding() -> Binding {
    Binding {
        home_address: [10, 99, 0, 12].into(),
        care_of_address: [203, 0, 113, 1].into(),
        nai: Some(Nai::new("truck-07@fleet.example").unwrap()),
        source: "203.0.113.1:434".parse().unwrap(),
        foreign_agent: Some([203, 0, 113, 1].into()),
        flags: Flags(0),
        lifetime_granted: Lifetime::INFINITE,
        expires_at: None,
        ..binding()
    }
}

fn node_of(binding: &Binding) -> Node {
    Node {
        home_agent: binding.home_agent,
        identity: binding.identity(),
        home_address: binding.home_address,
        last_identification: binding.identification,
        nonce: None,
        last_spi: binding.spi,
        last_accepted_at: binding.registered_at,
        last_revocation: None,
        unknown: Unknown::default(),
    }
}

pub(crate) fn denied_node() -> NodeCounters {
    NodeCounters {
        home_agent: HOME_AGENT,
        identity: Identity::Address([10, 99, 0, 66].into()),
        accepted: 0,
        denied: 4,
        served_milliseconds: 0,
        serving_since: None,
        counted_since: seconds_ago(86_400),
        last_accepted_at: None,
        last_denied_at: Some(seconds_ago(30)),
        last_denied_code: Some(Code(131)),
        discontinuity_at: seconds_ago(86_400),
        unknown: Unknown::default(),
    }
}

fn served_node(binding: &Binding) -> NodeCounters {
    NodeCounters {
        identity: binding.identity(),
        accepted: 24,
        denied: 1,
        served_milliseconds: 5_000,
        serving_since: Some(binding.created_at),
        last_accepted_at: Some(binding.registered_at),
        last_denied_at: Some(seconds_ago(7201)),
        last_denied_code: Some(Code(133)),
        ..denied_node()
    }
}

fn counters() -> Counters {
    let values = [
        (Counter::HaRegistrationAccepted, 25),
        (Counter::HaRegRequestsReceived, 30),
        (Counter::HaMNAuthenticationFailure, 4),
        (Counter::HaIDMismatch, 1),
    ];
    Counters {
        instance: "ha@gate".to_owned(),
        role: Role::HomeAgent,
        address: HOME_AGENT,
        discontinuity_at: seconds_ago(86_400),
        values: BTreeMap::from(values),
        replies: Vec::new(),
        usage: Vec::new(),
        waiting: BTreeMap::new(),
        began: None,
        unknown: Unknown::default(),
    }
}

fn visitor() -> Visitor {
    let binding = named_binding();
    Visitor {
        foreign_agent: [203, 0, 113, 1].into(),
        identity: binding.identity(),
        home_address: binding.home_address,
        home_agent: HOME_AGENT,
        care_of_address: binding.care_of_address,
        instance: "ha@gate".to_owned(),
        source: "10.99.0.12:5000".parse().unwrap(),
        local: "203.0.113.1:434".parse().unwrap(),
        interface: None,
        flags: Flags(0),
        identification: binding.identification,
        encapsulating_delivery: false,
        lifetime_requested: Lifetime(1800),
        lifetime_granted: Lifetime(600),
        accepted: true,
        created_at: seconds_ago(100),
        registered_at: seconds_ago(100),
        expires_at: Some(seconds_ago(100) + Duration::from_secs(600)),
        revocation: None,
        revoking: None,
        regional: None,
        unknown: Unknown::default(),
    }
}

pub(crate) fn registration() -> Registration {
    let binding = binding();
    Registration {
        instance: "ha@gate".to_owned(),
        identity: binding.identity(),
        agent_address: HOME_AGENT,
        care_of_address: binding.care_of_address,
        home_address: binding.home_address,
        home_agent: HOME_AGENT,
        flags: binding.flags,
        identification: binding.identification,
        co_located: true,
        lifetime: Lifetime(1800),
        sent_at: seconds_ago(3),
        accepted: false,
        expires_at: None,
        message: None,
        regional: None,
        unknown: Unknown::default(),
    }
}

fn violation() -> Violation {
    Violation {
        instance: "ha@gate".to_owned(),
        role: Role::HomeAgent,
        violator: denied_node().identity,
        address: [198, 51, 100, 66].into(),
        count: 4,
        at: seconds_ago(30),
        spi: Spi(1000),
        identification: Identification::default(),
        reason: ViolationReason::BadAuthenticator,
        code: Some(Code(131)),
        storage: StorageType::NonVolatile,
        unknown: Unknown::default(),
    }
}

fn trail() -> Trail {
    let registered = TrailEvent {
        at: seconds_ago(90),
        event: "registered".into(),
        code: Some(Code(0)),
        peer: Some("198.51.100.66:434".parse().unwrap()),
        care_of_address: Some([198, 51, 100, 66].into()),
        spi: Some(Spi(1000)),
        clock_offset: Some(-250),
        times: 1,
    };
    let denied = TrailEvent {
        at: seconds_ago(30),
        event: "identification-mismatch".into(),
        code: Some(Code(133)),
        clock_offset: Some(91_500),
        times: 4,
        ..registered.clone()
    };
    Trail {
        agent: HOME_AGENT,
        identity: denied_node().identity,
        events: vec![registered, denied],
        unknown: Unknown::default(),
    }
}

/// What a [`Fake`] was told to do; tests keep a handle on it.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) secrets: Vec<(String, Vec<u8>)>,
    pub(crate) deleted_secrets: Vec<String>,
    pub(crate) committed: Vec<Batch>,
}

/// A store in memory that counts revisions and notes what it was told.
#[derive(Debug, Default)]
pub(crate) struct Fake {
    pub(crate) snapshot: Snapshot,
    /// What the next question fails with.
    pub(crate) error: Option<fn() -> SourceError>,
    pub(crate) degraded: Option<String>,
    pub(crate) age: Duration,
    pub(crate) secrets: BTreeMap<String, Vec<u8>>,
    /// What instances say they do not act on, once something was committed.
    pub(crate) apply_errors: BTreeMap<String, String>,
    /// Batches that arrive while somebody waits, in order.
    pub(crate) later: Vec<Batch>,
    pub(crate) told: Rc<RefCell<Told>>,
}

impl Fake {
    /// The network of this file.
    pub(crate) fn network() -> Self {
        let (one, two) = (binding(), named_binding());
        let mut fake = Self::default();
        fake.put(home_agent_instance());
        for binding in [&one, &two] {
            fake.put(node_of(binding));
            fake.put(served_node(binding));
            fake.put(binding.clone());
        }
        fake.put(denied_node());
        fake.put(counters());
        fake
    }

    /// The same with rows that a home agent alone does not have.
    pub(crate) fn whole_network() -> Self {
        let mut fake = Self::network();
        fake.put(visitor());
        fake.put(registration());
        fake.put(violation());
        fake.put(trail());
        fake
    }

    pub(crate) fn put<R: Row>(&mut self, row: R) {
        let mut batch = Batch::new(Class::Relaxed);
        batch.put(row);
        self.apply(&batch);
    }

    fn apply(&mut self, batch: &Batch) -> Event {
        self.snapshot.revision = self.snapshot.revision.next();
        self.snapshot.tables.apply(batch, self.snapshot.revision)
    }

    /// Lets every instance act on what was committed, at once.
    fn act_on(&mut self, revision: Revision) {
        let mut batch = Batch::new(Class::Relaxed);
        for row in self.snapshot.rows::<Instance>().iter() {
            let apply_errors = self.apply_errors.clone();
            batch.put(Instance {
                applied_revision: revision.0,
                apply_errors,
                ..Instance::clone(row)
            });
        }
        self.snapshot.tables.apply(&batch, revision);
    }

    fn fail(&self) -> Result<(), SourceError> {
        self.error.map_or(Ok(()), |error| Err(error()))
    }
}

impl Source for Fake {
    fn read(&mut self, tables: &[Table]) -> Result<Arc<Snapshot>, SourceError> {
        self.fail()?;
        let Snapshot { revision, tables: all } = &self.snapshot;
        Ok(Arc::new(Snapshot { revision: *revision, tables: all.only(tables) }))
    }

    fn wait(
        &mut self,
        after: Revision,
        timeout: Duration,
    ) -> Result<Option<Revision>, SourceError> {
        self.fail()?;
        if self.snapshot.revision > after {
            return Ok(Some(self.snapshot.revision));
        }
        if self.later.is_empty() {
            std::thread::sleep(timeout);
            return Ok(None);
        }
        let batch = self.later.remove(0);
        Ok(Some(self.apply(&batch).revision))
    }

    fn follow(&mut self, after: Revision) -> Result<(), SourceError> {
        assert_eq!(after, self.snapshot.revision, "nothing may be missed");
        self.fail()
    }

    fn next_change(&mut self, timeout: Duration) -> Result<Option<Event>, SourceError> {
        self.fail()?;
        if self.later.is_empty() {
            std::thread::sleep(timeout);
            return Ok(None);
        }
        let batch = self.later.remove(0);
        Ok(Some(self.apply(&batch)))
    }

    fn commit(&mut self, batch: Batch) -> Result<Revision, SourceError> {
        self.fail()?;
        if let Some(compare) = self.snapshot.tables.refuses(&batch) {
            return Err(SourceError::Changed(compare.key.path()));
        }
        self.told.borrow_mut().committed.push(batch.clone());
        let revision = self.apply(&batch).revision;
        self.act_on(revision);
        Ok(revision)
    }

    fn secret(&mut self, path: &str) -> Result<Option<Zeroizing<Vec<u8>>>, SourceError> {
        self.fail()?;
        Ok(self.secrets.get(path).map(|octets| Zeroizing::new(octets.clone())))
    }

    fn put_secret(&mut self, path: &str, octets: &[u8]) -> Result<(), SourceError> {
        self.fail()?;
        self.secrets.insert(path.to_owned(), octets.to_vec());
        self.told.borrow_mut().secrets.push((path.to_owned(), octets.to_vec()));
        Ok(())
    }

    fn delete_secret(&mut self, path: &str) -> Result<(), SourceError> {
        self.fail()?;
        self.secrets.remove(path);
        self.told.borrow_mut().deleted_secrets.push(path.to_owned());
        Ok(())
    }

    fn health(&mut self) -> Result<Health, SourceError> {
        self.fail()?;
        Ok(Health {
            engine: "fake".to_owned(),
            revision: self.snapshot.revision,
            age: self.age,
            degraded: self.degraded.clone(),
        })
    }
}
