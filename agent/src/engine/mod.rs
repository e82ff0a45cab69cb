//! The SNMP engine (RFC 3411 §3.1): dispatcher, message processing, security,
//! access control and the command responder.
//!
//! It owns no socket and no clock: a driver hands it datagrams with the moment
//! and the snapshot to answer from, and does what the [`Action`]s say.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use store::{Batch, Now, Snapshot};

use crate::ber::{Malformed, Writer};
use crate::message::Version;
use crate::mib::{Interface, LocalFacts, Registry};
use crate::notify::{Notification, RateLimit};
use crate::security::Name;
use crate::usm::RemoteUser;

mod admin;
mod community;
mod config;
mod counters;
mod error_status;
mod facts;
mod informs;
mod objects;
mod originate;
mod read;
mod respond;
mod secure;
mod set;
mod staging;
mod v3;

pub use config::{Community, EngineConfig};
pub use counters::Counters;
pub use error_status::ErrorStatus;
pub use facts::EngineFacts;
pub use set::{CommitId, CommitOutcome};
pub(crate) use staging::status_of;
pub use staging::{AssociationSecret, Staging};

pub(crate) use admin::Requester;
pub use admin::{Admin, Saved, SavedRow, SystemNames};
use counters::count;
use informs::{Inform, RemoteEngine};
use set::Pending;

/// What the driver must do, in order.
#[derive(Clone, Debug)]
pub enum Action {
    /// Send this to the peer, from the address that it asked.
    Reply(Vec<u8>),
    /// Commit this, and say how it ended with [`Engine::on_commit`]. What that
    /// returns is for the same peer, at the same address of ours.
    ///
    /// When the batch is committed, or empty, what is `saved` must be on the disk before that.
    /// The secrets are to be sealed first; the answer waits until those who act on the change do.
    Commit {
        id: CommitId,
        batch: Batch,
        secrets: Vec<AssociationSecret>,
        saved: Option<Box<Saved>>,
    },
    /// Send this to a receiver of notifications, from any socket whose
    /// datagrams come here; a driver that cannot keep up may drop it.
    Notify { to: SocketAddr, octets: Vec<u8> },
    /// Hand this to a master agent, which has targets of its own; it may be dropped, too.
    Publish(Notification),
}

/// The SNMP engine of one process.
pub struct Engine {
    registry: Registry,
    local: LocalFacts,
    message_size_max: usize,
    /// Counts up with each message that is encrypted.
    salt: u64,
    writer: Writer,
    pending: Vec<Pending>,
    last_commit: u64,
    notify_limit: RateLimit,
    informs: Vec<Inform>,
    remote_users: Vec<RemoteUser>,
    remote_engines: BTreeMap<SocketAddr, RemoteEngine>,
    /// The last request-id of our own.
    last_request: i32,
    /// What traps of SNMPv1 name as their origin.
    agent_address: [u8; 4],
    /// Whether there is a master agent to hand notifications to.
    has_master: bool,
    /// The contexts of the configuration; each daemon of the store has one beside them.
    own_contexts: BTreeSet<Name>,
}

impl Engine {
    /// An engine that answers for every object there is.
    pub fn new(config: EngineConfig) -> Self {
        Self::with_registry(config, crate::mib::registry())
    }

    /// An engine that answers for the given objects and for its own.
    pub fn with_registry(config: EngineConfig, mut registry: Registry) -> Self {
        objects::add_objects(&mut registry);
        let locks = config.locks();
        let locks_seed = locks.view;
        let mut config = config;
        let admin = config.take_admin(locks);
        let mut local = config.local;
        let facts = &mut local.engine;
        facts.engine_boots = config.engine_boots;
        facts.message_size_max = config.message_size_max;
        let own_contexts = admin.vacm.contexts.clone();
        facts.admin = admin;
        Self {
            registry,
            local,
            message_size_max: config.message_size_max,
            salt: config.salt,
            writer: Writer::default(),
            pending: Vec::new(),
            last_commit: 0,
            notify_limit: RateLimit::default(),
            informs: Vec::new(),
            remote_users: config.remote_users,
            remote_engines: BTreeMap::new(),
            last_request: locks_seed,
            agent_address: [0; 4],
            has_master: config.has_master,
            own_contexts,
        }
    }

    /// Takes one datagram that arrived where nobody may ask: an answer to an inform, or nothing.
    pub fn handle_answer(&mut self, now: Now, peer: SocketAddr, datagram: &[u8]) -> Vec<Action> {
        count(&mut self.local.engine.counters.in_pkts);
        let handled = match Version::peek(datagram) {
            Ok(Version::V2c) => self.handle_community_answer(peer, datagram).map(|()| None),
            Ok(Version::V3) => self.handle_v3_answer(now, peer, datagram),
            Ok(Version::V1 | Version::Other) => {
                count(&mut self.local.engine.counters.in_bad_versions);
                Ok(None)
            }
            Err(malformed) => Err(malformed),
        };
        match handled {
            Ok(action) => action.into_iter().collect(),
            Err(Malformed) => {
                count(&mut self.local.engine.counters.in_asn_parse_errs);
                Vec::new()
            }
        }
    }

    /// Tells the interfaces of this host, by index.
    pub fn set_interfaces(&mut self, interfaces: BTreeMap<u32, Interface>) {
        self.local.interfaces = interfaces;
    }

    /// Says whether the store is still on its way: until it is there, what is of it is `genErr`.
    pub fn set_loading(&mut self, is_loading: bool) {
        self.local.is_loading = is_loading;
    }

    /// Counts requests that were lost before anybody saw them.
    pub fn count_dropped(&mut self, datagrams: u32) {
        let counter = &mut self.local.engine.counters.datagrams_dropped;
        *counter = counter.wrapping_add(datagrams);
    }

    /// Acts on another configuration from here on: who may do what, where notifications go, what
    /// the system is called. What it is, counts and waits for stays.
    ///
    /// `saved` is what was kept of SETs; what is volatile of them stays, too, unless the
    /// configuration has the same. Returns what could not be put back, or `None`, and nothing has
    /// changed, while a SET of the engine itself waits for the disk.
    pub fn reconfigure(&mut self, mut config: EngineConfig, saved: Saved) -> Option<Vec<String>> {
        if self.pending.iter().any(Pending::changes_engine) {
            return None;
        }
        let before = &mut self.local.engine.admin;
        let volatile = Saved::volatile_of(before);
        let mut admin = config.take_admin(before.locks.clone());
        let mut problems = saved.restore(&mut admin);
        problems.extend(volatile.restore_volatile(&mut admin));
        self.own_contexts = std::mem::take(&mut admin.vacm.contexts);
        admin.vacm.contexts.extend(self.own_contexts.iter().cloned());
        // Those of the daemons are looked for soon; until then they stay.
        admin.vacm.contexts.append(&mut before.vacm.contexts);
        *before = admin;
        self.remote_users = config.remote_users;
        // Keys there are made of passwords that may be others by now.
        self.remote_engines.clear();
        let LocalFacts { description, contact, name, location, .. } = config.local;
        self.local.description = description;
        (self.local.contact, self.local.name) = (contact, name);
        self.local.location = location;
        Some(problems)
    }

    /// Puts back what was kept before the last restart; returns what of it could not be.
    pub fn restore(&mut self, saved: Saved) -> Vec<String> {
        saved.restore(&mut self.local.engine.admin)
    }

    /// What the engine has counted.
    pub fn counters(&self) -> &Counters {
        &self.local.engine.counters
    }

    /// Takes one datagram (RFC 3412 §4.2.1); all of its answer is from `snapshot`.
    pub fn handle(
        &mut self,
        now: Now,
        snapshot: &Snapshot,
        peer: SocketAddr,
        datagram: &[u8],
    ) -> Vec<Action> {
        let failures = self.local.engine.counters.authentication_failures();
        count(&mut self.local.engine.counters.in_pkts);
        let handled = match Version::peek(datagram) {
            Ok(version @ (Version::V1 | Version::V2c)) => {
                self.handle_community(now, snapshot, peer, version, datagram)
            }
            Ok(Version::V3) => self.handle_v3(now, snapshot, peer, datagram),
            Ok(Version::Other) => {
                count(&mut self.local.engine.counters.in_bad_versions);
                Ok(None)
            }
            Err(malformed) => Err(malformed),
        };
        let mut actions: Vec<Action> = match handled {
            Ok(action) => action.into_iter().collect(),
            Err(Malformed) => {
                count(&mut self.local.engine.counters.in_asn_parse_errs);
                Vec::new()
            }
        };
        if self.local.engine.counters.authentication_failures() != failures {
            actions.extend(self.notify_authentication_failure(now));
        }
        actions
    }
}

#[cfg(test)]
mod tests;
