//! What one role counts, until the driver takes it to the store.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use store::{
    Awaited, Batch, Began, Counter, Counters, CountersKey, Now, Resource, Role, Snapshot, Unknown,
};
use wire::{Code, ParseError, message_type};

/// A row of counters that knows whether the store has seen it.
#[derive(Debug)]
pub(crate) struct Tally {
    row: Counters,
    dirty: bool,
}

impl Tally {
    /// Goes on from the row in `snapshot`; `lost` says that later counts than those may be gone.
    pub(crate) fn load(key: &CountersKey, snapshot: &Snapshot, lost: bool, now: Now) -> Self {
        let CountersKey { instance, role, address } = key;
        match snapshot.rows::<Counters>().get(key) {
            Some(row) => {
                let mut row = Counters::clone(row);
                if lost {
                    row.discontinuity_at = now.stamp();
                }
                let violations = row.value(Counter::MipSecTotalViolations);
                row.began = Some(Began { at: now.stamp(), violations });
                Self { row, dirty: lost }
            }
            None => Self::new(instance.clone(), *role, *address, now),
        }
    }

    pub(crate) fn new(instance: String, role: Role, address: Ipv4Addr, now: Now) -> Self {
        let row = Counters {
            instance,
            role,
            address,
            discontinuity_at: now.stamp(),
            values: BTreeMap::new(),
            replies: Vec::new(),
            usage: Vec::new(),
            waiting: BTreeMap::new(),
            began: Some(Began { at: now.stamp(), violations: 0 }),
            unknown: Unknown::default(),
        };
        Self { row, dirty: true }
    }

    pub(crate) fn count(&mut self, counter: Counter) {
        self.add(counter, 1);
    }

    pub(crate) fn add(&mut self, counter: Counter, count: u64) {
        *self.row.values.entry(counter).or_insert(0) += count;
        self.dirty = true;
    }

    /// Counts a reply with that Code.
    pub(crate) fn count_reply(&mut self, code: Code) {
        self.row.add_reply(code);
        self.dirty = true;
    }

    /// Takes down how much of something is used.
    pub(crate) fn use_of(&mut self, resource: Resource, limit: usize, in_use: usize, now: Now) {
        let [limit, in_use] = [limit, in_use].map(|it| u64::try_from(it).unwrap_or(u64::MAX));
        self.dirty |= self.row.set_usage(resource, limit, in_use, now.stamp());
    }

    /// Takes down how many messages wait for their acknowledgments.
    pub(crate) fn waiting(&mut self, awaited: Awaited, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        if self.row.waiting(awaited) != count {
            self.row.waiting.insert(awaited, count);
            self.dirty = true;
        }
    }

    /// Counts a datagram that is no message, or none for this role.
    pub(crate) fn count_malformed(&mut self, error: &ParseError) {
        self.count(match error {
            ParseError::Truncated { .. } | ParseError::ExtensionTruncated { .. } => {
                Counter::DatagramsTruncated
            }
            ParseError::UnexpectedType { got, .. } => match *got {
                message_type::REGISTRATION_REQUEST
                | message_type::REGISTRATION_REPLY
                | message_type::REGISTRATION_REVOCATION
                | message_type::REGISTRATION_REVOCATION_ACKNOWLEDGMENT
                | message_type::REGIONAL_REGISTRATION_REQUEST
                | message_type::REGIONAL_REGISTRATION_REPLY
                | message_type::GENERIC_NOTIFICATION
                | message_type::GENERIC_NOTIFICATION_ACKNOWLEDGMENT => Counter::DatagramsUnexpected,
                _ => Counter::DatagramsUnknownType,
            },
            ParseError::UnknownMessage(_) => Counter::DatagramsUnknownType,
            ParseError::UnskippableExtension(_) => Counter::DatagramsUnskippableExtension,
            ParseError::ExtensionLength { .. }
            | ParseError::ExtensionSubtype { .. }
            | ParseError::UnexpectedExtension { .. }
            | ParseError::Nai(_)
            | ParseError::ExtensionText(_)
            | ParseError::Checksum(_) => Counter::DatagramsMalformed,
        });
    }

    /// Names the row by another address, as a mobile node's is once it has one.
    pub(crate) fn set_address(&mut self, address: Ipv4Addr) {
        self.row.address = address;
        self.dirty = true;
    }

    /// Puts the row into `batch` if it has changed since it was put last.
    pub(crate) fn put(&mut self, batch: &mut Batch) {
        if std::mem::take(&mut self.dirty) {
            batch.put(self.row.clone());
        }
    }
}
